"""Random bits for the dropout masks of one network or of many.

Bits are drawn in blocks, since a call of a generator costs more than a small mask, and
each block is a function of (seed, epoch, block) alone: a network gets the same masks
whatever trains beside it.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from sklearn_deep.training._seeds import reseed

# Numbers of int16 in a block.
_BLOCK = 1 << 16
_PER_WORD = 4
_LOWEST = -(2**63)


class Masks:
    """A stream of bits for each of some networks, all at the same place.

    Parameters
    ----------
    seeds : sequence of int
        One a network.
    device : torch.device
    stream : str
        Key into ``STREAMS``.

    Attributes
    ----------
    nets : int or slice
        Which networks draw: one, whose tensors have no axis of networks, or several.
    """

    def __init__(
        self, seeds: Sequence[int], device: torch.device, stream: str = "masks"
    ):
        self.nets: int | slice = 0
        self._seeds, self._stream = list(seeds), stream
        self._epochs = [0] * len(self._seeds)
        self._generator = torch.Generator(device)
        self._device = device
        self._words = torch.empty(0, 0, dtype=torch.int64)
        self._bits = self._words.view(torch.int16)
        self._held: list[tuple[int, int] | None] = [None] * len(self._seeds)
        self._block, self._place, self._length = 0, 0, _BLOCK

    def begin(self, epochs: Sequence[int]) -> None:
        """Go to the start of an epoch, of each network's own."""
        self._epochs = list(epochs)
        self._block, self._place, self._length = 0, 0, _BLOCK

    def mark(self) -> tuple[int, int, int]:
        """The place in the stream, for ``seek``."""
        return self._block, self._place, self._length

    def seek(self, mark: tuple[int, int, int]) -> None:
        """Go back to a place in the epoch."""
        self._block, self._place, self._length = mark

    def draw(self, like: Tensor) -> Tensor:
        """Numbers of int16 in the shape of ``like``, evenly distributed."""
        n = self._advance(like)
        self._fill()
        bits = self._bits[self.nets, self._place - n : self._place]
        return bits.view(like.shape)

    def skip(self, like: Tensor) -> None:
        """Leave out what ``draw`` would give."""
        self._advance(like)

    def _advance(self, like: Tensor) -> int:
        n = like.numel()
        if not isinstance(self.nets, int):
            n //= like.shape[0]
        if self._place + n > self._length:
            self._block, self._place = self._block + 1, 0
            # A mask is never put together from two blocks.
            self._length = max(_BLOCK, n)
        self._place += n
        return n

    def _fill(self) -> None:
        """Draw the block where a network has another one."""
        n_words = -(-self._length // _PER_WORD)
        if n_words > self._words.shape[1]:
            shape = (len(self._seeds), n_words)
            self._words = torch.empty(shape, dtype=torch.int64, device=self._device)
            self._bits = self._words.view(torch.int16)
            self._held = [None] * len(self._seeds)
        nets = range(len(self._seeds))[self.nets]
        for k in (nets,) if isinstance(nets, int) else nets:
            wanted = self._epochs[k], self._block
            if self._held[k] != wanted:
                self._held[k] = wanted
                reseed(self._generator, self._seeds[k], self._stream, *wanted)
                self._words[k, :n_words].random_(
                    _LOWEST, None, generator=self._generator
                )
