"""Transposed convolutions with a stride, as one convolution for each phase.

With stride s, every s-th input of an axis is of one phase. The inputs of a phase are a
convolution of the outputs, with every s-th place of the kernel.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from sklearn_deep.nn._windows import Block, Geometry, Windows, add_products


class Phase(NamedTuple):
    """Inputs of one axis at the same offset modulo the stride.

    Attributes
    ----------
    number : int
        Offset: the position of an input, padding included, modulo the stride.
    first : int
        First of the adjacent outputs that reach these inputs.
    places : list of int
        Positions in the kernel, one for each neighbour from ``first`` on. The position
        after the last stands for none.
    """

    number: int
    first: int
    places: list[int]


class _Axis:
    """One axis of a transposed convolution.

    Parameters
    ----------
    kernel, stride, gap : int
        Size, stride and dilation of the kernel.
    before : int
        Padding in front of the inputs.
    inputs, outputs : int
        Positions.

    Attributes
    ----------
    grid : int
        Groups of one input of each phase; they cover the axis.
    size : int
        Neighbouring outputs that reach a group.
    padding : (int, int)
        Zeros around the outputs, or less than 0 for outputs that reach no input.
    """

    def __init__(
        self, kernel: int, stride: int, gap: int, before: int, inputs: int, outputs: int
    ):
        self._kernel, self._stride, self._gap = kernel, stride, gap
        self._before, self._inputs = before, inputs
        self.size = gap * (kernel - 1) // stride + 1
        self._first = before // stride  # group of the first input
        self.grid = (before + inputs - 1) // stride - self._first + 1
        self.padding = (
            self.size - 1 - self._first,
            self._first + self.grid - outputs,
        )

    def phases(self) -> Iterator[Phase]:
        """Give each phase."""
        for phase in range(self._stride):
            places = []
            for neighbour in range(self.size):
                far = self._stride * (self.size - 1 - neighbour) + phase
                place, rest = divmod(far, self._gap)
                there = not rest and place < self._kernel
                places.append(place if there else self._kernel)
            needed = [i for i, place in enumerate(places) if place < self._kernel]
            first = min(needed, default=self.size)
            yield Phase(phase, first, places[first:])

    def ends(self, phase: int, groups: slice) -> tuple[slice, slice]:
        """Find the inputs of a phase in some groups, and the groups that have one."""
        start = self._stride * (self._first + groups.start) + phase - self._before
        skip = -(-max(0, -start) // self._stride)  # groups that start in the padding
        start += skip * self._stride
        n = groups.stop - groups.start - skip
        n = min(n, -(-(self._inputs - start) // self._stride))
        stop = start + max(0, n - 1) * self._stride + 1
        return slice(start, stop if n > 0 else start, self._stride), slice(
            skip, skip + max(0, n)
        )


def spread_in_phases(
    g: Tensor,
    kernel: Tensor,
    where: Geometry,
    inputs: tuple[int, ...],
    bias: Tensor | None,
) -> Tensor:
    """Transposed convolution with ``inputs`` positions as its result.

    Shape: (n, *outputs, n_out), (n_out, n_in, *size) -> (n, *inputs, n_in)
    """
    befores = [before for before, _ in where.padding]
    settings = where.size, where.stride, where.dilation, befores, inputs, g.shape[1:-1]
    axes = [_Axis(*of_axis) for of_axis in zip(*settings, strict=True)]
    for i, (before, after) in enumerate((axis.padding for axis in axes), 1):
        g = g[
            (slice(None),) * i + (slice(max(0, -before), g.shape[i] - max(0, -after)),)
        ]
    ones = (1,) * len(axes)
    padding = tuple((max(0, n), max(0, m)) for n, m in (axis.padding for axis in axes))
    near = Geometry(tuple(axis.size for axis in axes), ones, ones, padding)
    out = g.new_empty(len(g), *inputs, kernel.shape[1])
    # Places first, and one without weights behind the last of each axis.
    weights = kernel.movedim((0, 1), (-2, -1))
    weights = F.pad(weights, (0, 0, 0, 0, *(0, 1) * len(axes)))
    steps = [
        _OfPhase(axes, phases, weights)
        for phases in itertools.product(*(axis.phases() for axis in axes))
    ]
    for block in Windows(g, near, tuple(axis.grid for axis in axes), split=False):
        for step in steps:
            step.write(block, bias, out)
    return out


class _OfPhase:
    """Writes the inputs of one phase of every axis."""

    def __init__(self, axes: list[_Axis], phases: tuple[Phase, ...], kernel: Tensor):
        self._axes, self._phases = axes, phases
        n_out, n_in = kernel.shape[-2:]
        weights = kernel
        for i, phase in enumerate(phases):
            places = torch.tensor(phase.places, dtype=torch.long)
            weights = weights.index_select(i, places)
        self._empty = not weights.numel()
        # Columns that the phase does not need leave gaps between those it needs.
        self._gaps = phases[-1].first > 0
        self._row = axes[-1].size * n_out
        self._skip = [phase.first for phase in phases[:-1]], phases[-1].first * n_out
        self._weights: Sequence[Tensor] = ()
        if not self._empty:
            shape = (
                (-1, self._row - self._skip[1], n_in) if self._gaps else (1, -1, n_in)
            )
            self._weights = weights.reshape(shape).unbind()

    def _parts(self, matrix: Tensor) -> list[Tensor]:
        (lines, columns), row = self._skip, self._row
        first = lines[0] if lines else 0
        if not self._gaps:
            return [matrix[:, first * row :]]
        starts = range(first * row, matrix.shape[1], row)
        return [matrix[:, start + columns : start + row] for start in starts]

    def write(self, block: Block, bias: Tensor | None, out: Tensor) -> None:
        """Write the inputs that a block of windows reaches."""
        n_images = block.images.stop - block.images.start
        groups = [block.lines, *(slice(0, axis.grid) for axis in self._axes[1:])]
        phases = zip(self._axes, self._phases, groups, strict=True)
        ends = [axis.ends(phase.number, some) for axis, phase, some in phases]
        target = out[(block.images, *(end for end, _ in ends))]
        if self._empty:
            target.copy_(out.new_zeros(()) if bias is None else bias)
            return
        matrix = block.parts[0]
        given = out.new_empty(len(matrix), out.shape[-1])
        add_products(self._parts(matrix), self._weights, bias, given)
        shape = (n_images, *(some.stop - some.start for some in groups), -1)
        target.copy_(given.view(shape)[(slice(None), *(those for _, those in ends))])
