"""Convolutions as matrix products, for numbers of 64 bits on a CPU.

torch has no fast float64 convolution on a CPU, but fast float64 matrix products. Each row
of the left matrix holds the inputs under the kernel at one position ("im2col"); it is
written block by block, so that a block stays in the cache of its core.

The three functions are each other's derivatives, of every order:

- ``correlate``: inputs and a kernel to outputs, the convolution of neural networks;
- ``spread``: outputs and a kernel to inputs, the transposed convolution;
- ``kernel_gradient``: inputs and outputs to a kernel.

Tensors are channels-last, ``(n, *positions, channels)``; kernels are in the order of
``torch.nn.functional.conv2d``, ``(n_out, n_in, *size)``.

References
----------
Chellapilla, Puri and Simard, "High performance convolutional neural networks for document
processing", 2006.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

# Values of a block of windows, at most: half a megabyte of float64.
_BLOCK = 1 << 16

# A kernel of more than so many times the columns of its products is taken in parts, where
# the block of a row is not small.
_FEW_COLUMNS, _WORTH_PARTS = 8, 1 << 12

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


class _Windows:
    """The inputs under a kernel as matrices of few rows, one block after the other.

    Blocks share their memory: use each before asking for the next.

    Parameters
    ----------
    x : Tensor of shape (n, *inputs, channels)
    where : Geometry
    outputs : tuple of int
        Positions that the kernel takes.
    n_out : int
        Channels on the other side of the products.

    Attributes
    ----------
    n_parts : int
        Into how many parts the kernel is split along its first axis.
    """

    def __init__(
        self, x: Tensor, where: Geometry, outputs: tuple[int, ...], n_out: int
    ):
        self._x, self._where, self._outputs = x, where, outputs
        self._n_positions = math.prod(outputs)
        self._width = math.prod(where.size) * x.shape[-1]
        row = self._width // where.size[0]
        # Products of few columns are quicker than the copies that they need. Copies of
        # windows along the last axis are enough then, with a product for each of the rest.
        in_parts = (
            len(outputs) > 1
            and where.stride[0] == 1
            and self._width > _FEW_COLUMNS * n_out
            and self._n_positions * row >= _WORTH_PARTS
        )
        self.n_parts = where.size[0] if in_parts else 1

    def __iter__(self) -> Iterator[tuple[slice, list[Tensor]]]:
        """Rows of the outputs, and for each part their matrix (n_rows, n_columns)."""
        where, x = self._where, self._x
        pointwise = self._width == x.shape[-1] and set(where.stride) == {1}
        if pointwise and not any(map(any, where.padding)):
            everything = x.reshape(-1, self._width)
            return iter([(slice(0, len(everything)), [everything])])
        return self._in_parts() if self.n_parts > 1 else self._whole()

    def _padded(self, n_images: int) -> Iterator[tuple[slice, Tensor]]:
        """Some rows at a time, with zeros around their positions."""
        x, padding = self._x, self._where.padding
        n, *inputs, n_channels = x.shape
        room = inner = None
        if any(map(any, padding)):
            shape = [i + sum(pad) for i, pad in zip(inputs, padding, strict=True)]
            room = x.new_zeros(min(n, n_images), *shape, n_channels)
            inner = _inner(room, tuple(inputs), padding)
        for start in range(0, n, n_images):
            some = x[start : start + n_images]
            rows = slice(
                start * self._n_positions, (start + len(some)) * self._n_positions
            )
            if room is not None and inner is not None:
                inner[: len(some)].copy_(some)
                some = room[: len(some)]
            yield rows, some

    def _whole(self) -> Iterator[tuple[slice, list[Tensor]]]:
        n_images = max(1, _BLOCK // (self._n_positions * self._width))
        n_outer = 1 + len(self._outputs)
        run = self._where.size[-1] * self._x.shape[-1]
        planes = run < _SHORT_RUN and self._outputs[-1] > run
        block = self._x.new_empty(0)
        for rows, padded in self._padded(n_images):
            view = self._where.windows(padded, self._outputs)
            if planes:  # positions side by side: longer runs of memory are copied
                view = view.permute(*range(n_outer, view.ndim), *range(n_outer))
            if block.shape != view.shape:
                block = self._x.new_empty(view.shape)
            block.copy_(view)
            if planes:
                yield rows, [block.view(self._width, -1).t()]
            else:
                yield rows, [block.view(-1, self._width)]

    def _in_parts(self) -> Iterator[tuple[slice, list[Tensor]]]:
        where, per_line = self._where, math.prod(self._outputs[1:])
        along = Geometry(
            (1, *where.size[1:]), where.stride, where.dilation, where.padding
        )
        block = None
        for rows, padded in self._padded(1):
            lines = padded.shape[1]
            view = along.windows(padded, (lines, *self._outputs[1:]))
            if block is None:
                block = self._x.new_empty(view.shape)
            matrix = block.copy_(view).view(lines * per_line, -1)
            starts = [j * where.dilation[0] * per_line for j in range(self.n_parts)]
            yield rows, [matrix[a : a + self._n_positions] for a in starts]


def correlate(x: Tensor, kernel: Tensor, where: Geometry) -> Tensor:
    """Convolution of neural networks.

    Shape: (n, *inputs, n_in), (n_out, n_in, *size) -> (n, *outputs, n_out)
    """
    outputs, n_out = where.outputs(x.shape[1:-1]), len(kernel)
    windows = _Windows(x, where, outputs, n_out)
    weights = kernel.movedim((0, 1), (-1, -2)).reshape(windows.n_parts, -1, n_out)
    out = x.new_empty(len(x) * math.prod(outputs), n_out)
    for rows, parts in windows:
        total = out[rows]
        torch.mm(parts[0], weights[0], out=total)
        for part, weight in zip(parts[1:], weights[1:], strict=True):
            total.addmm_(part, weight)
    return out.view(len(x), *outputs, n_out)


def kernel_gradient(x: Tensor, g: Tensor, where: Geometry) -> Tensor:
    """Sum over rows and positions of the inputs under the kernel, times the outputs.

    Shape: (n, *inputs, n_in), (n, *outputs, n_out) -> (n_out, n_in, *size)
    """
    n_in, n_out = x.shape[-1], g.shape[-1]
    windows = _Windows(x, where, g.shape[1:-1], n_out)
    columns = math.prod(where.size) * n_in // windows.n_parts
    total = x.new_zeros(windows.n_parts, columns, n_out)
    flat = g.reshape(-1, n_out)
    for rows, parts in windows:
        for of_part, part in zip(total, parts, strict=True):
            of_part.addmm_(part.t(), flat[rows])
    return total.view(*where.size, n_in, n_out).movedim((-1, -2), (0, 1))


def spread(
    g: Tensor, kernel: Tensor, where: Geometry, inputs: tuple[int, ...]
) -> Tensor:
    """Transposed convolution, to so many positions.

    Shape: (n, *outputs, n_out), (n_out, n_in, *size) -> (n, *inputs, n_in)
    """
    as_correlation = where.transposed()
    if as_correlation is not None and where.outputs(inputs) == g.shape[1:-1]:
        turned = kernel.flip(tuple(range(2, kernel.ndim))).transpose(0, 1)
        return correlate(g, turned, as_correlation)
    return _scattered(g, kernel, where, inputs)


def _scattered(
    g: Tensor, kernel: Tensor, where: Geometry, inputs: tuple[int, ...]
) -> Tensor:
    """Add what each output spreads over its inputs, one place of the kernel at a time."""
    n_out, n_in = kernel.shape[:2]
    outputs, flat = g.shape[1:-1], g.reshape(-1, n_out)
    weights = kernel.movedim(1, -1).reshape(n_out, -1)
    sides = zip(inputs, where.padding, strict=True)
    shape = [n + before + after for n, (before, after) in sides]
    out = g.new_zeros(len(g), *shape, n_in)
    n_positions = math.prod(outputs)
    n_images = max(1, _BLOCK // (n_positions * weights.shape[1]))
    for start in range(0, len(g), n_images):
        some = out[start : start + n_images]
        rows = slice(start * n_positions, (start + len(some)) * n_positions)
        parts = (flat[rows] @ weights).view(len(some), *outputs, *where.size, n_in)
        targets = where.windows(some, outputs)
        for place in itertools.product(*map(range, where.size)):
            index = (slice(None),) * (1 + len(outputs)) + place
            targets[index].add_(parts[index])
    return _inner(out, inputs, where.padding)


def _one_by_one(
    function: Any, info: Any, in_dims: tuple, arguments: tuple
) -> tuple[Tensor, int]:
    """Apply a function to each network of a stack, as it would be applied alone."""
    each = [
        function(
            *(
                argument.select(axis, k) if axis is not None else argument
                for argument, axis in zip(arguments, in_dims, strict=True)
            )
        )
        for k in range(info.batch_size)
    ]
    return torch.stack(each), 0


class Correlate(torch.autograd.Function):
    """``correlate`` with its derivatives, also under ``torch.func.vmap``."""

    @staticmethod
    def forward(x: Tensor, kernel: Tensor, where: Geometry) -> Tensor:
        """Convolve."""
        return correlate(x, kernel, where)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        """Keep inputs and kernel."""
        x, kernel, ctx.where = inputs
        ctx.save_for_backward(x, kernel)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        """Spread the gradient over the inputs, and compare it with them."""
        x, kernel = ctx.saved_tensors
        by_x = by_kernel = None
        if ctx.needs_input_grad[0]:
            by_x = Spread.apply(g, kernel, ctx.where, tuple(x.shape[1:-1]))
        if ctx.needs_input_grad[1]:
            by_kernel = KernelGradient.apply(x, g, ctx.where)
        return by_x, by_kernel, None

    @staticmethod
    def vmap(info: Any, in_dims: tuple, *arguments: Any) -> tuple[Tensor, int]:
        """Convolve network by network."""
        return _one_by_one(Correlate.apply, info, in_dims, arguments)


class Spread(torch.autograd.Function):
    """``spread`` with its derivatives, also under ``torch.func.vmap``."""

    @staticmethod
    def forward(
        g: Tensor, kernel: Tensor, where: Geometry, inputs: tuple[int, ...]
    ) -> Tensor:
        """Convolve, transposed."""
        return spread(g, kernel, where, inputs)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        """Keep outputs and kernel."""
        g, kernel, ctx.where, _ = inputs
        ctx.save_for_backward(g, kernel)

    @staticmethod
    def backward(
        ctx: Any, x: Tensor
    ) -> tuple[Tensor | None, Tensor | None, None, None]:
        """Convolve the gradient, and compare it with the outputs."""
        g, kernel = ctx.saved_tensors
        by_g = by_kernel = None
        if ctx.needs_input_grad[0]:
            by_g = Correlate.apply(x, kernel, ctx.where)
        if ctx.needs_input_grad[1]:
            by_kernel = KernelGradient.apply(x, g, ctx.where)
        return by_g, by_kernel, None, None

    @staticmethod
    def vmap(info: Any, in_dims: tuple, *arguments: Any) -> tuple[Tensor, int]:
        """Convolve network by network."""
        return _one_by_one(Spread.apply, info, (*in_dims[:3], None), arguments)


class KernelGradient(torch.autograd.Function):
    """``kernel_gradient`` with its derivatives, also under ``torch.func.vmap``."""

    @staticmethod
    def forward(x: Tensor, g: Tensor, where: Geometry) -> Tensor:
        """Compare inputs and outputs."""
        return kernel_gradient(x, g, where)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        """Keep inputs and outputs."""
        x, g, ctx.where = inputs
        ctx.save_for_backward(x, g)

    @staticmethod
    def backward(ctx: Any, kernel: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        """Spread and convolve with the gradient in the kernel's place."""
        x, g = ctx.saved_tensors
        by_x = by_g = None
        if ctx.needs_input_grad[0]:
            by_x = Spread.apply(g, kernel, ctx.where, tuple(x.shape[1:-1]))
        if ctx.needs_input_grad[1]:
            by_g = Correlate.apply(x, kernel, ctx.where)
        return by_x, by_g, None

    @staticmethod
    def vmap(info: Any, in_dims: tuple, *arguments: Any) -> tuple[Tensor, int]:
        """Compare network by network."""
        return _one_by_one(KernelGradient.apply, info, in_dims, arguments)
