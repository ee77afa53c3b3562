"""Random bits for the dropout masks of one network or of many.

The bits of an epoch are one stream, a function of (seed, epoch) alone, and each mask
takes the next bits of it: a network gets the same masks alone and in any stack. Bits
are drawn in blocks, since a call of a generator costs more than a small mask.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from sklearn_deep.training.job._seeds import bit_generator, reseed

# Smallest number of int16 values that are drawn at once.
_BLOCK = 1 << 15
_PER_WORD = 4
_LOWEST = -(2**63)
_NOTHING = torch.empty(0, dtype=torch.int16)


class RandomBits:
    """A stream of random bits per network; all are at the same position.

    Parameters
    ----------
    seeds : sequence of int
        One per network.
    device : torch.device
    stream : str
        Key into ``STREAMS``.

    Attributes
    ----------
    nets : int or slice
        The networks that draw: an index, for tensors without an axis of networks, or a
        slice.
    """

    def __init__(
        self, seeds: Sequence[int], device: torch.device, stream: str = "masks"
    ):
        self.nets: int | slice = 0
        kind = _BitsOnCPU if device.type == "cpu" else _BitsOnDevice
        self._sources = [kind(seed, stream, device) for seed in seeds]
        self._place = 0

    def begin(self, epochs: Sequence[int]) -> None:
        """Go to the start of an epoch, which is given for each network."""
        for source, epoch in zip(self._sources, epochs, strict=True):
            source.begin(epoch)
        self._place = 0

    def mark(self) -> int:
        """The place in the stream, for ``seek``."""
        return self._place

    def seek(self, mark: int) -> None:
        """Go back to a place in the epoch, for networks that have not drawn from it."""
        self._place = mark

    def draw(self, like: Tensor) -> Tensor:
        """Numbers of int16 in the shape of ``like``, evenly distributed."""
        start, n = self._advance(like)
        if isinstance(self.nets, int):
            return self._sources[self.nets].read(start, n).view(like.shape)
        bits = [source.read(start, n) for source in self._sources[self.nets]]
        return torch.stack(bits).view(like.shape)

    def skip(self, like: Tensor) -> None:
        """Skip the numbers that ``draw`` would return."""
        self._advance(like)

    def _advance(self, like: Tensor) -> tuple[int, int]:
        """Advance past a mask; return where it starts and its size per network."""
        n = like.numel()
        if not isinstance(self.nets, int):
            n //= like.shape[0]
        start = self._place
        self._place += n
        return start, n


class _BitsOnCPU:
    """Bits of one network from a NumPy generator, several times as fast as torch's."""

    def __init__(self, seed: int, stream: str, device: torch.device):
        self._seed, self._stream = seed, stream
        self.begin(0)

    def begin(self, epoch: int) -> None:
        """Go to the start of an epoch."""
        self._epoch = epoch
        self._generator: np.random.BitGenerator | None = None
        self._bits, self._start, self._stop = _NOTHING, 0, 0

    def read(self, place: int, n: int) -> Tensor:
        """The ``n`` numbers from a place in the epoch on."""
        if place < self._start:
            self.begin(self._epoch)
        if self._generator is None:  # a network without dropout never comes here
            self._generator = bit_generator(self._seed, self._stream, self._epoch)
        if place >= self._stop:
            self._skip((place - self._stop) // _PER_WORD)
        missing = place + n - self._stop
        if missing > 0:
            self._draw(place, -(-max(missing, _BLOCK) // _PER_WORD))
        first = place - self._start
        return self._bits[first : first + n]

    def _skip(self, n_words: int) -> None:
        assert self._generator is not None
        if n_words:
            self._generator.random_raw(n_words, output=False)
        self._stop += n_words * _PER_WORD
        self._bits, self._start = _NOTHING, self._stop

    def _draw(self, place: int, n_words: int) -> None:
        """Draw words and append them to the unread bits from ``place`` on."""
        assert self._generator is not None
        words = self._generator.random_raw(n_words)
        left = self._bits[place - self._start :]
        self._bits = torch.from_numpy(words.view(np.int16))
        if len(left):
            self._bits, self._start = torch.cat([left, self._bits]), place
        else:
            self._start = self._stop
        self._stop += n_words * _PER_WORD


class _BitsOnDevice:
    """Bits of one network, drawn on its device in blocks that have a seed each."""

    def __init__(self, seed: int, stream: str, device: torch.device):
        self._seed, self._stream = seed, stream
        self._generator, self._device = torch.Generator(device), device
        self.begin(0)

    def begin(self, epoch: int) -> None:
        """Go to the start of an epoch."""
        self._epoch, self._block, self._bits = epoch, -1, _NOTHING

    def read(self, place: int, n: int) -> Tensor:
        """The ``n`` numbers from a place in the epoch on."""
        block, first = divmod(place, _BLOCK)
        parts = []
        while n > 0:
            self._fill(block)
            parts.append(self._bits[first : first + n])
            n -= len(parts[-1])
            block, first = block + 1, 0
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _fill(self, block: int) -> None:
        if block == self._block:
            return
        reseed(self._generator, self._seed, self._stream, self._epoch, block)
        n_words = -(-_BLOCK // _PER_WORD)
        words = torch.empty(n_words, dtype=torch.int64, device=self._device)
        words.random_(_LOWEST, None, generator=self._generator)
        self._block, self._bits = block, words.view(torch.int16)
