"""Convolutions as matrix products, for numbers of 64 bits on a CPU.

torch has no fast float64 convolution on a CPU, but fast float64 matrix products. Each row
of the left matrix holds the inputs under the kernel at one position ("im2col",
``_windows``).

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

import math
from typing import Any

import torch
from torch import Tensor

from sklearn_deep.nn._phases import spread_in_phases
from sklearn_deep.nn._windows import Geometry, Windows, add_products


def correlate(
    x: Tensor, kernel: Tensor, where: Geometry, bias: Tensor | None = None
) -> Tensor:
    """Convolution of neural networks.

    Shape: (n, *inputs, n_in), (n_out, n_in, *size) -> (n, *outputs, n_out)
    """
    outputs, n_out = where.outputs(x.shape[1:-1]), len(kernel)
    windows = Windows(x, where, outputs)
    weights = kernel.movedim((0, 1), (-1, -2)).reshape(windows.n_parts, -1, n_out)
    out = x.new_empty(len(x) * math.prod(outputs), n_out)
    for block in windows:
        add_products(block.parts, weights.unbind(), bias, out[block.rows])
    return out.view(len(x), *outputs, n_out)


def kernel_gradient(x: Tensor, g: Tensor, where: Geometry) -> Tensor:
    """Sum over rows and positions of the inputs under the kernel, times the outputs.

    Shape: (n, *inputs, n_in), (n, *outputs, n_out) -> (n_out, n_in, *size)
    """
    n_in, n_out = x.shape[-1], g.shape[-1]
    windows = Windows(x, where, g.shape[1:-1])
    first, *others = where.size
    total = x.new_zeros(
        windows.n_parts, n_out, first // windows.n_parts * math.prod(others) * n_in
    )
    flat = g.reshape(-1, n_out)
    for block in windows:
        turned = flat[block.rows].t()
        for of_part, part in zip(total.unbind(), block.parts, strict=True):
            of_part.addmm_(turned, part)
    by_size = total.view(windows.n_parts, n_out, -1, *others, n_in)
    return by_size.transpose(0, 1).flatten(1, 2).movedim(-1, 1)


def spread(
    g: Tensor,
    kernel: Tensor,
    where: Geometry,
    inputs: tuple[int, ...],
    bias: Tensor | None = None,
) -> Tensor:
    """Transposed convolution with ``inputs`` positions as its result.

    Shape: (n, *outputs, n_out), (n_out, n_in, *size) -> (n, *inputs, n_in)
    """
    as_correlation = where.transposed()
    if as_correlation is not None and where.outputs(inputs) == g.shape[1:-1]:
        turned = kernel.flip(tuple(range(2, kernel.ndim))).transpose(0, 1)
        return correlate(g, turned, as_correlation, bias)
    return spread_in_phases(g, kernel, where, inputs, bias)


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


def _by_bias(g: Tensor, needed: bool) -> Tensor | None:
    """Sum the gradient over rows and positions."""
    return g.sum(tuple(range(g.ndim - 1))) if needed else None


class Correlate(torch.autograd.Function):
    """``correlate`` with its derivatives, also under ``torch.func.vmap``."""

    @staticmethod
    def forward(
        x: Tensor, kernel: Tensor, where: Geometry, bias: Tensor | None
    ) -> Tensor:
        """Convolve."""
        return correlate(x, kernel, where, bias)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        """Keep inputs and kernel."""
        x, kernel, ctx.where, _ = inputs
        ctx.save_for_backward(x, kernel)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """Gradients by the inputs, the kernel and the bias."""
        x, kernel = ctx.saved_tensors
        by_x = by_kernel = None
        if ctx.needs_input_grad[0]:
            by_x = Spread.apply(g, kernel, ctx.where, tuple(x.shape[1:-1]), None)
        if ctx.needs_input_grad[1]:
            by_kernel = KernelGradient.apply(x, g, ctx.where)
        return by_x, by_kernel, None, _by_bias(g, ctx.needs_input_grad[3])

    @staticmethod
    def vmap(info: Any, in_dims: tuple, *arguments: Any) -> tuple[Tensor, int]:
        """Convolve network by network."""
        return _one_by_one(Correlate.apply, info, in_dims, arguments)


class Spread(torch.autograd.Function):
    """``spread`` with its derivatives, also under ``torch.func.vmap``."""

    @staticmethod
    def forward(
        g: Tensor,
        kernel: Tensor,
        where: Geometry,
        inputs: tuple[int, ...],
        bias: Tensor | None,
    ) -> Tensor:
        """Convolve, transposed."""
        return spread(g, kernel, where, inputs, bias)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        """Keep outputs and kernel."""
        g, kernel, ctx.where, *_ = inputs
        ctx.save_for_backward(g, kernel)

    @staticmethod
    def backward(ctx: Any, x: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """Convolve the gradient, and compare it with the outputs."""
        g, kernel = ctx.saved_tensors
        by_g = by_kernel = None
        if ctx.needs_input_grad[0]:
            by_g = Correlate.apply(x, kernel, ctx.where, None)
        if ctx.needs_input_grad[1]:
            by_kernel = KernelGradient.apply(x, g, ctx.where)
        return by_g, by_kernel, None, None, _by_bias(x, ctx.needs_input_grad[4])

    @staticmethod
    def vmap(info: Any, in_dims: tuple, *arguments: Any) -> tuple[Tensor, int]:
        """Convolve network by network."""
        *dims, by_bias = in_dims
        return _one_by_one(Spread.apply, info, (*dims[:3], None, by_bias), arguments)


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
            by_x = Spread.apply(g, kernel, ctx.where, tuple(x.shape[1:-1]), None)
        if ctx.needs_input_grad[1]:
            by_g = Correlate.apply(x, kernel, ctx.where, None)
        return by_x, by_g, None

    @staticmethod
    def vmap(info: Any, in_dims: tuple, *arguments: Any) -> tuple[Tensor, int]:
        """Compare network by network."""
        return _one_by_one(KernelGradient.apply, info, in_dims, arguments)
