"""The inputs under a kernel as rows of matrices, block by block."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

# Values of a block of windows, about: two megabytes of float64.
_BLOCK = 1 << 18

# A kernel of two axes is split along the first where the matrix of a part has at least
# so many columns and rows: smaller products are slower than the copies that this saves.
_PART_COLUMNS, _PART_ROWS = 64, 128

# Memory is copied slowly in runs of fewer values.
_SHORT_RUN = 8


@dataclass(frozen=True)
class Geometry:
    """Where a kernel is applied; one number per axis.

    Attributes
    ----------
    size, stride, dilation : tuple of int
        Of the kernel.
    padding : tuple of (int, int)
        Zeros before and after the inputs of each axis.
    """

    size: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]

    @property
    def reach(self) -> tuple[int, ...]:
        """Inputs that one position of the kernel spans."""
        return tuple(
            d * (k - 1) + 1 for k, d in zip(self.size, self.dilation, strict=True)
        )

    def outputs(self, inputs: tuple[int, ...]) -> tuple[int, ...]:
        """Positions that come out."""
        return tuple(
            (n + sum(pad) - reach) // step + 1
            for n, pad, reach, step in zip(
                inputs, self.padding, self.reach, self.stride, strict=True
            )
        )

    def windows(self, padded: Tensor, outputs: tuple[int, ...]) -> Tensor:
        """View (n, *outputs, *size, channels) of padded inputs; values overlap."""
        first, *each, last = padded.stride()
        steps = [by * step for by, step in zip(each, self.stride, strict=True)]
        gaps = [by * gap for by, gap in zip(each, self.dilation, strict=True)]
        shape = (len(padded), *outputs, *self.size, padded.shape[-1])
        return padded.as_strided(
            shape, (first, *steps, *gaps, last), padded.storage_offset()
        )

    def transposed(self) -> "Geometry | None":
        """The geometry that makes ``correlate`` a ``spread``; None where none does."""
        padding = tuple(
            (reach - 1 - before, reach - 1 - after)
            for reach, (before, after) in zip(self.reach, self.padding, strict=True)
        )
        if set(self.stride) != {1} or any(n < 0 for pair in padding for n in pair):
            return None
        return Geometry(self.size, self.stride, self.dilation, padding)


def _inner(
    padded: Tensor, inputs: tuple[int, ...], padding: tuple[tuple[int, int], ...]
) -> Tensor:
    """View the positions without the padding around them."""
    for axis, (n, (before, _)) in enumerate(zip(inputs, padding, strict=True), 1):
        padded = padded.narrow(axis, before, n)
    return padded


class Block(NamedTuple):
    """The windows of some rows of the input, or of some positions of one row.

    Attributes
    ----------
    images, lines : slice
        Rows of the input, and their outputs along the first axis.
    rows : slice
        Their place among all outputs, each a row of a matrix.
    parts : list of Tensor of shape (n_rows, n_columns)
        One matrix for each part of the kernel.
    """

    images: slice
    lines: slice
    rows: slice
    parts: list[Tensor]


class Windows:
    """The inputs under a kernel as matrices of few rows, one block after the other.

    Blocks share their memory: use each before asking for the next.

    Parameters
    ----------
    x : Tensor of shape (n, *inputs, channels)
    where : Geometry
    outputs : tuple of int
        Positions that the kernel takes.
    split : bool
        Whether the kernel may be split along its first axis. One copy then serves all
        parts, which overlap in it.

    Attributes
    ----------
    n_parts : int
        Number of parts of the kernel.
    """

    def __init__(
        self, x: Tensor, where: Geometry, outputs: tuple[int, ...], split: bool = True
    ):
        self._x, self._where, self._outputs = x, where, outputs
        self._memory = x.new_empty(0)
        self._per_line = math.prod(outputs[1:])
        self._n_positions = outputs[0] * self._per_line
        self._width = math.prod(where.size) * x.shape[-1]
        columns = self._width // where.size[0]
        split = (
            split
            and len(outputs) > 1
            and where.stride[0] == 1
            and columns >= _PART_COLUMNS
            and self._n_positions >= _PART_ROWS
        )
        self.n_parts = where.size[0] if split else 1

    def __iter__(self) -> Iterator[Block]:
        """Take all blocks."""
        where, x = self._where, self._x
        pointwise = self._width == x.shape[-1] and set(where.stride) == {1}
        if pointwise and not any(map(any, where.padding)):
            everything = x.reshape(-1, self._width)
            rows = slice(0, len(everything))
            lines = slice(0, self._outputs[0])
            return iter([Block(slice(0, len(x)), lines, rows, [everything])])
        return self._in_parts() if self.n_parts > 1 else self._whole()

    def _room(self, view: Tensor) -> Tensor:
        """Memory for a block, that of the block before if it is large enough."""
        n = view.numel()
        if self._memory.numel() < n:
            self._memory = self._x.new_empty(n)
        return self._memory[:n].view(view.shape)

    def _pieces(self, n_images: int, n_lines: int) -> Iterator[tuple]:
        """Some rows at a time, or some lines of one, with zeros around their positions."""
        x, where, (n_outputs, *_) = self._x, self._where, self._outputs
        n_lines = -(-n_outputs // -(-n_outputs // n_lines))  # of about the same size
        room = inner = None
        if any(map(any, where.padding)):
            sides = zip(x.shape[1:-1], where.padding, strict=True)
            shape = [i + sum(pad) for i, pad in sides]
            room = x.new_zeros(min(len(x), n_images), *shape, x.shape[-1])
            inner = _inner(room, tuple(x.shape[1:-1]), where.padding)
        for start in range(0, len(x), n_images):
            some = x[start : start + n_images]
            images = slice(start, start + len(some))
            if room is not None and inner is not None:
                inner[: len(some)].copy_(some)
                some = room[: len(some)]
            for line in range(0, n_outputs, n_lines):
                lines = slice(line, min(line + n_lines, n_outputs))
                rows = slice(
                    start * self._n_positions + line * self._per_line,
                    (images.stop - 1) * self._n_positions + lines.stop * self._per_line,
                )
                step = where.stride[0]
                stop = (lines.stop - 1) * step + where.reach[0]
                yield images, lines, rows, some[:, line * step : stop]

    def _whole(self) -> Iterator[Block]:
        values = self._per_line * self._width
        n_images = max(1, _BLOCK // (self._outputs[0] * values))
        n_lines = self._outputs[0] if n_images > 1 else max(1, _BLOCK // values)
        n_outer = 1 + len(self._outputs)
        run = self._where.size[-1] * self._x.shape[-1]
        planes = run < _SHORT_RUN and self._outputs[-1] > run
        for images, lines, rows, padded in self._pieces(n_images, n_lines):
            outputs = (lines.stop - lines.start, *self._outputs[1:])
            view = self._where.windows(padded, outputs)
            if planes:  # positions side by side: longer runs of memory are copied
                view = view.permute(*range(n_outer, view.ndim), *range(n_outer))
            block = self._room(view).copy_(view)
            matrix = (
                block.view(self._width, -1).t()
                if planes
                else block.view(-1, self._width)
            )
            yield Block(images, lines, rows, [matrix])

    def _in_parts(self) -> Iterator[Block]:
        where, per_line = self._where, self._per_line
        along = Geometry(
            (1, *where.size[1:]), where.stride, where.dilation, where.padding
        )
        values = per_line * self._width // self.n_parts
        n_lines = max(1, _BLOCK // values - where.reach[0] + 1)
        for images, lines, rows, padded in self._pieces(1, n_lines):
            view = along.windows(padded, (padded.shape[1], *self._outputs[1:]))
            block = self._room(view).copy_(view)
            matrix = block.view(padded.shape[1] * per_line, -1)
            gap, n_rows = where.dilation[0] * per_line, rows.stop - rows.start
            parts = [matrix[j * gap : j * gap + n_rows] for j in range(self.n_parts)]
            yield Block(images, lines, rows, parts)


def add_products(
    parts: Sequence[Tensor],
    weights: Sequence[Tensor],
    bias: Tensor | None,
    out: Tensor,
) -> None:
    """Write the sum of the products of parts and weights, and of the bias."""
    if bias is None:
        torch.mm(parts[0], weights[0], out=out)
    else:
        torch.addmm(bias, parts[0], weights[0], out=out)
    for part, weight in zip(parts[1:], weights[1:], strict=True):
        out.addmm_(part, weight)
