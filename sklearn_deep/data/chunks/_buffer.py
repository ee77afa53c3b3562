"""The buffer in which rows of several chunks are mixed."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sklearn_deep.data._batches import batch_bounds


@dataclass(frozen=True, eq=False)
class Block:
    """Encoded rows.

    Attributes
    ----------
    x : Tensor of shape (n, ...)
    y : Tensor of shape (n, ...)
    weight : Tensor of shape (n,) or None
    place : Tensor of int of shape (n,)
        Where each row is among all rows.
    """

    x: Tensor
    y: Tensor
    weight: Tensor | None
    place: Tensor

    def __len__(self) -> int:
        return self.y.shape[0]

    def part(self, start: int, stop: int) -> "Block":
        """Adjacent rows, as views."""
        return self._each(lambda tensor: tensor[start:stop])

    def take(self, rows: Tensor) -> "Block":
        """A copy of some rows."""
        return self._each(lambda tensor: tensor.index_select(0, rows))

    def put(self, rows: Tensor, block: "Block") -> None:
        """Overwrite some rows."""
        self._each(lambda own, other: own.index_copy_(0, rows, other), block)

    def room(self, n: int) -> "Block":
        """Memory for ``n`` rows of this kind."""
        return self._each(lambda tensor: tensor.new_empty((n, *tensor.shape[1:])))

    def before(self, block: "Block") -> "Block":
        """These rows, and others behind them."""
        return self._each(lambda own, other: torch.cat([own, other]), block)

    def _each(self, change: Callable[..., Tensor], *others: "Block") -> "Block":
        """A function of each tensor, and of those of other blocks."""

        def of(name: str) -> Any:
            values = [getattr(block, name) for block in (self, *others)]
            return None if values[0] is None else change(*values)

        return Block(of("x"), of("y"), of("weight"), of("place"))


def mixed(
    blocks: Iterable[Block], n_slots: int, size: int, generator: torch.Generator
) -> Iterator[Block]:
    """All rows, mixed: each portion is drawn at random from a full buffer.

    Parameters
    ----------
    blocks : iterable of Block
    n_slots : int
        Rows that the buffer holds, at least ``2 * size``.
    size : int
        Rows of a portion; the last ones are of up to ``size + 1``.
    generator : torch.Generator
        It decides what is drawn.
    """
    buffer: Block | None = None
    free = torch.arange(n_slots)
    for block in blocks:
        buffer = block.room(n_slots) if buffer is None else buffer
        start = 0
        while start < len(block):
            if not len(free):
                free = torch.randperm(n_slots, generator=generator)[:size]
                yield buffer.take(free)
            n = min(len(free), len(block) - start)
            buffer.put(free[:n], block.part(start, start + n))
            free, start = free[n:], start + n
    if buffer is not None:
        yield from _rest(buffer, free, size, generator)


def _rest(
    buffer: Block, free: Tensor, size: int, generator: torch.Generator
) -> Iterator[Block]:
    """What is in the buffer at the end, in random order."""
    filled = torch.ones(len(buffer), dtype=torch.bool)
    filled[free] = False
    rows = filled.nonzero()[:, 0]
    rows = rows[torch.randperm(len(rows), generator=generator)]
    for start, stop in batch_bounds(len(rows), size):
        yield buffer.take(rows[start:stop])


def in_file_order(blocks: Iterable[Block], size: int) -> Iterator[Block]:
    """All rows in the order in which they come, in portions of ``size``."""
    waiting: Block | None = None
    for block in blocks:
        waiting = block if waiting is None else waiting.before(block)
        while len(waiting) > size + 1:
            yield waiting.part(0, size)
            waiting = waiting.part(size, len(waiting))
    if waiting is not None and len(waiting):
        yield waiting
