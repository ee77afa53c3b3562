"""Fast replacements of torch's functions on float64 series and images.

Within ``FastFloat64``, which is active in training and prediction, the functions of the
table below are replaced by faster ones that give the same values. This works for our
networks and for a user's module, whose layers are not changed. Outside, and in an
export, torch's own functions run.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from sklearn_deep.nn._products import Correlate, Geometry, Spread
from sklearn_deep.private._torch import view_test_of


def _each(value: Any, n_axes: int) -> tuple[int, ...]:
    """One number per axis, of one number or of a sequence."""
    if isinstance(value, Sequence):
        return tuple(value) if len(value) == n_axes else tuple(value) * n_axes
    return (int(value),) * n_axes


def _fits(x: Tensor, kernel: Tensor, n_axes: int, groups: int) -> bool:
    """Whether matrix products can replace torch's function."""
    return (
        groups == 1
        and x.dtype == kernel.dtype == torch.float64
        and x.ndim == kernel.ndim == n_axes + 2
        and x.device.type == kernel.device.type == "cpu"
        and x.numel() > 0
    )


def _sides(padding: Any, size: tuple[int, ...], dilation: tuple[int, ...]) -> Any:
    """Padding before and after each axis."""
    if padding == "same":
        totals = [d * (k - 1) for k, d in zip(size, dilation, strict=True)]
        return tuple((total // 2, total - total // 2) for total in totals)
    n = (0,) * len(size) if padding == "valid" else _each(padding, len(size))
    return tuple(zip(n, n, strict=True))


def _convolution(own: Callable, n_axes: int) -> Callable:
    """The fast form of ``torch.conv1d`` or ``torch.conv2d``."""

    def convolve(
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Tensor:
        size, gaps = tuple(weight.shape[2:]), _each(dilation, n_axes)
        steps = _each(stride, n_axes)
        refused = padding == "same" and set(steps) != {1}
        if _fits(input, weight, n_axes, groups) and not refused:
            where = Geometry(size, steps, gaps, _sides(padding, size, gaps))
            outputs = where.outputs(tuple(input.shape[2:]))
            if weight.shape[1] == input.shape[1] and min(outputs) > 0:
                y = Correlate.apply(input.movedim(1, -1), weight, where, bias)
                return y.movedim(-1, 1)
        return own(input, weight, bias, stride, padding, dilation, groups)

    return convolve


def _transposed(own: Callable, n_axes: int) -> Callable:
    """The fast form of ``torch.conv_transpose1d`` or ``torch.conv_transpose2d``."""

    def convolve(
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        dilation: Any = 1,
    ) -> Tensor:
        size, gaps = tuple(weight.shape[2:]), _each(dilation, n_axes)
        steps, more = _each(stride, n_axes), _each(output_padding, n_axes)
        allowed = all(n < step for n, step in zip(more, steps, strict=True))
        if _fits(input, weight, n_axes, groups) and allowed:
            where = Geometry(size, steps, gaps, _sides(padding, size, gaps))
            inputs = tuple(
                (n - 1) * step + reach - sum(pad) + extra
                for n, step, reach, pad, extra in zip(
                    input.shape[2:],
                    steps,
                    where.reach,
                    where.padding,
                    more,
                    strict=True,
                )
            )
            if weight.shape[0] == input.shape[1] and min(inputs) > 0:
                y = Spread.apply(input.movedim(1, -1), weight, where, inputs, bias)
                return y.movedim(-1, 1)
        return own(
            input, weight, bias, stride, padding, output_padding, groups, dilation
        )

    return convolve


def _channels_last(x: Tensor) -> bool:
    """Whether x holds float64 values in channels-last order."""
    return (
        x.ndim in (3, 4)
        and x.dtype == torch.float64
        and x.shape[1] > 1
        and x.stride(1) == 1
    )


def _series(x: Tensor) -> bool:
    """Whether x holds series in channels-last order, a format that torch does not have."""
    return x.ndim == 3 and _channels_last(x)


def _batch_norm(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """Batch normalisation of channels-last values, as columns of a matrix."""
    if not _channels_last(input):
        return F.batch_norm(input, *args, **kwargs)
    last = input.movedim(1, -1)
    columns = F.batch_norm(last.reshape(-1, last.shape[-1]), *args, **kwargs)
    return columns.view(last.shape).movedim(-1, 1)


def _pad(
    input: Tensor, pad: Sequence[int], mode: str = "constant", value: Any = None
) -> Tensor:
    """Keep the channels-last order of series, which torch does not."""
    if mode != "constant" or len(pad) != 2 or not _series(input):
        return F.pad(input, pad, mode, value)
    return F.pad(input.movedim(1, -1), (0, 0, *pad), mode, value).movedim(-1, 1)


def _cat(tensors: Sequence[Tensor], dim: int = 0, **kwargs: Any) -> Tensor:
    """Keep the channels-last order of series, which torch does not."""
    if dim != 1 or kwargs or not all(map(_series, tensors)):
        return torch.cat(tensors, dim, **kwargs)  # type: ignore[arg-type]
    return torch.cat([x.movedim(1, -1) for x in tensors], -1).movedim(-1, 1)


def _relu(input: Tensor, inplace: bool = False) -> Tensor:
    """Write elsewhere what has a gradient and is a view, as the forms above return.

    Autograd copies the gradient of a view that is overwritten, forth and back.
    """
    if inplace and torch.is_grad_enabled() and _channels_last(input):
        inplace = not view_test_of(input)()
    return F.relu(input, inplace)


_FORMS: dict[Any, Callable] = {
    torch.conv1d: _convolution(torch.conv1d, 1),
    torch.conv2d: _convolution(torch.conv2d, 2),
    torch.conv_transpose1d: _transposed(torch.conv_transpose1d, 1),
    torch.conv_transpose2d: _transposed(torch.conv_transpose2d, 2),
    F.batch_norm: _batch_norm,
    torch.cat: _cat,
    F.pad: _pad,
    F.relu: _relu,
}


class FastFloat64(TorchFunctionMode):
    """Context in which torch's functions take their fast form, in this thread."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Call the fast form where there is one."""
        return _FORMS.get(func, func)(*args, **(kwargs or {}))


def has_float64_kernels(module: nn.Module) -> bool:
    """Whether a network has float64 kernels on a CPU."""
    return any(
        p.ndim > 2 and p.dtype == torch.float64 and p.device.type == "cpu"
        for p in module.parameters()
    )
