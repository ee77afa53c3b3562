"""ONNX operators that are layers: products, convolutions, pools, normalisation."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from sklearn_deep.transfer.conversion._elementwise import Run
from sklearn_deep.transfer.conversion._graph import Step

_CONVOLUTIONS = (F.conv1d, F.conv2d, F.conv3d)
_TRANSPOSED = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)
_MAX_POOLS = (F.max_pool1d, F.max_pool2d, F.max_pool3d)


def _gemm(step: Step, a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
    a = a.t() if step.attributes.get("transA") else a
    b = b.t() if step.attributes.get("transB") else b
    alpha, beta = step.attributes.get("alpha", 1.0), step.attributes.get("beta", 1.0)
    out = a @ b if alpha == 1 else alpha * (a @ b)
    if c is None:
        return out
    return out + (c if beta == 1 else beta * c)


def _mat_mul(step: Step, a: Tensor, b: Tensor) -> Tensor:
    return torch.matmul(a, b)


def _fused_mat_mul(step: Step, a: Tensor, b: Tensor) -> Tensor:
    a = a.mT if step.attributes.get("transA") else a
    b = b.mT if step.attributes.get("transB") else b
    return step.attributes.get("alpha", 1.0) * torch.matmul(a, b)


def _einsum(step: Step, *xs: Tensor) -> Tensor:
    return torch.einsum(step.attributes["equation"], *xs)


def _window(step: Step, x: Tensor, kernel: Sequence[int]) -> tuple[list[int], ...]:
    """Strides, dilations, and the padding before and after each axis."""
    n = len(kernel)
    strides = list(step.attributes.get("strides") or [1] * n)
    dilations = list(step.attributes.get("dilations") or [1] * n)
    pads = list(step.attributes.get("pads") or [0] * 2 * n)
    auto = step.attributes.get("auto_pad", "NOTSET")
    if auto.startswith("SAME"):
        pads = _same(x.shape[2:], kernel, strides, dilations, lower=auto[5:] == "LOWER")
    return strides, dilations, pads[:n], pads[n:]


def _same(
    sizes: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    *,
    lower: bool,
) -> list[int]:
    """Padding with which the output has ceil(size / stride) places."""
    before, after = list[int](), list[int]()
    for size, k, stride, dilation in zip(
        sizes, kernel, strides, dilations, strict=True
    ):
        spread = (k - 1) * dilation + 1
        total = max(0, (-(-size // stride) - 1) * stride + spread - size)
        small, large = total // 2, total - total // 2
        before.append(large if lower else small)
        after.append(small if lower else large)
    return before + after


def _padded(
    x: Tensor, before: Sequence[int], after: Sequence[int], value: float
) -> Tensor:
    """The rows with padding of their last axes; negative padding cuts."""
    if not any(before) and not any(after):
        return x
    flat = [n for pair in zip(before[::-1], after[::-1], strict=True) for n in pair]
    return F.pad(x, flat, value=value)


def _conv(step: Step, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    kernel = weight.shape[2:]
    strides, dilations, before, after = _window(step, x, kernel)
    convolve, groups = _CONVOLUTIONS[len(kernel) - 1], step.attributes.get("group", 1)
    padding: list[int] = before
    if before != after:
        x, padding = _padded(x, before, after, 0.0), [0] * len(before)
    return convolve(x, weight, bias, strides, padding, dilations, groups)


def _conv_transpose(
    step: Step, x: Tensor, weight: Tensor, bias: Tensor | None = None
) -> Tensor:
    kernel = weight.shape[2:]
    n = len(kernel)
    strides = list(step.attributes.get("strides") or [1] * n)
    dilations = list(step.attributes.get("dilations") or [1] * n)
    extra = list(step.attributes.get("output_padding") or [0] * n)
    whole = [
        (size - 1) * s + (k - 1) * d + 1 + e
        for size, s, k, d, e in zip(
            x.shape[2:], strides, kernel, dilations, extra, strict=True
        )
    ]
    pads = _transposed_pads(step, x, whole, strides)
    groups = step.attributes.get("group", 1)
    convolve = _TRANSPOSED[n - 1]
    # torch wants an output padding below stride or dilation; zeros behind are the same.
    out = convolve(x, weight, None, strides, 0, 0, groups, dilations)
    out = _padded(out, [0] * n, extra, 0.0)
    out = _padded(out, [-p for p in pads[:n]], [-p for p in pads[n:]], 0.0)
    return out if bias is None else out + bias.reshape(-1, *(1,) * n)


def _transposed_pads(
    step: Step, x: Tensor, whole: list[int], strides: list[int]
) -> list[int]:
    """What is cut from the whole output, in front of each axis and then behind."""
    n, auto = len(whole), step.attributes.get("auto_pad", "NOTSET")
    sizes = step.attributes.get("output_shape")
    if auto.startswith("SAME") and not sizes:
        sizes = [size * s for size, s in zip(x.shape[2:], strides, strict=True)]
    if not sizes:
        return list(step.attributes.get("pads") or [0] * 2 * n)
    cut = [w - size for w, size in zip(whole, sizes[-n:], strict=True)]
    half = [c // 2 for c in cut]
    rest = [c - h for c, h in zip(cut, half, strict=True)]
    return rest + half if auto == "SAME_LOWER" else half + rest


def _ceil_pads(
    step: Step,
    x: Tensor,
    kernel: Sequence[int],
    window: tuple[list[int], ...],
) -> list[int]:
    """Padding behind each axis; with ``ceil_mode`` up to a whole last window."""
    strides, dilations, before, after = window
    if not step.attributes.get("ceil_mode"):
        return after
    out = []
    for size, k, s, d, b, a in zip(
        x.shape[2:], kernel, strides, dilations, before, after, strict=True
    ):
        free = size + b + a - (k - 1) * d - 1
        places = math.ceil(free / s)
        if places * s >= size + b:  # a window that begins behind the rows is left out
            places -= 1
        out.append(a + max(0, places * s - free))
    return out


def _max_pool(step: Step, x: Tensor) -> Tensor:
    kernel = step.attributes["kernel_shape"]
    window = _window(step, x, kernel)
    strides, dilations, before, _ = window
    after = _ceil_pads(step, x, kernel, window)
    x = _padded(x, before, after, -math.inf)
    return _MAX_POOLS[len(kernel) - 1](x, kernel, strides, 0, dilations)


def _average_pool(step: Step, x: Tensor) -> Tensor:
    kernel = step.attributes["kernel_shape"]
    window = _window(step, x, kernel)
    strides, dilations, before, after = window
    whole = _ceil_pads(step, x, kernel, window)
    padded = _padded(x, before, whole, 0.0)
    inside = torch.ones_like(x[:1, :1])
    if step.attributes.get("count_include_pad"):
        inside = _padded(inside, before, after, 1.0)
        rest = [w - a for w, a in zip(whole, after, strict=True)]
        inside = _padded(inside, [0] * len(rest), rest, 0.0)
    else:
        inside = _padded(inside, before, whole, 0.0)
    total = _window_sum(padded, kernel, strides, dilations)
    return total / _window_sum(inside, kernel, strides, dilations)


def _window_sum(
    x: Tensor, kernel: Sequence[int], strides: list[int], dilations: list[int]
) -> Tensor:
    channels = x.shape[1]
    ones = x.new_ones(channels, 1, *kernel)
    convolve = _CONVOLUTIONS[len(kernel) - 1]
    return convolve(x, ones, None, strides, 0, dilations, channels)


def _inner_axes(x: Tensor) -> list[int]:
    return list(range(2, x.ndim))


def _global_average_pool(step: Step, x: Tensor) -> Tensor:
    return x.mean(_inner_axes(x), keepdim=True)


def _global_max_pool(step: Step, x: Tensor) -> Tensor:
    return x.amax(_inner_axes(x), keepdim=True)


def _batch_norm(
    step: Step, x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, var: Tensor
) -> Tensor:
    epsilon = step.attributes.get("epsilon", 1e-5)
    return F.batch_norm(x, mean, var, scale, bias, False, 0.0, epsilon)


def _instance_norm(step: Step, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    epsilon = step.attributes.get("epsilon", 1e-5)
    return F.instance_norm(x, weight=scale, bias=bias, eps=epsilon)


def _layer_norm(
    step: Step, x: Tensor, scale: Tensor | None = None, bias: Tensor | None = None
) -> Tensor:
    axis = step.attributes.get("axis", -1)
    shape = x.shape[axis % x.ndim :]
    normal = F.layer_norm(x, shape, eps=step.attributes.get("epsilon", 1e-5))
    normal = normal if scale is None else normal * scale
    return normal if bias is None else normal + bias


def _rms_norm(step: Step, x: Tensor, scale: Tensor) -> Tensor:
    axis = step.attributes.get("axis", -1)
    shape = list(x.shape[axis % x.ndim :])
    return F.rms_norm(x, shape, eps=step.attributes.get("epsilon", 1e-5)) * scale


def _group_norm(step: Step, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    groups = step.attributes["num_groups"]
    if len(scale) == groups != x.shape[1]:  # operator set 18: one number per group
        scale, bias = (t.repeat_interleave(x.shape[1] // groups) for t in (scale, bias))
    return F.group_norm(x, groups, scale, bias, step.attributes.get("epsilon", 1e-5))


def _local_response_norm(step: Step, x: Tensor) -> Tensor:
    a = step.attributes
    size = a["size"]
    squares = x.square().unsqueeze(1)
    pads = [0, 0] * (x.ndim - 2) + [(size - 1) // 2, size // 2]
    squares = F.pad(squares, pads).squeeze(1).unfold(1, size, 1).sum(-1)
    factor = a.get("bias", 1.0) + a.get("alpha", 1e-4) / size * squares
    return x / factor ** a.get("beta", 0.75)


def _lp_normalization(step: Step, x: Tensor) -> Tensor:
    axis, p = step.attributes.get("axis", -1), step.attributes.get("p", 2)
    return x / torch.linalg.vector_norm(x, p, dim=axis, keepdim=True)


def _softmax_like(function: Callable[..., Tensor]) -> Run:
    def run(step: Step, x: Tensor) -> Tensor:
        axis = step.attributes["axis"]
        if not step.attributes.get("flattens"):
            return function(x, axis)
        axis = axis % x.ndim
        rows = math.prod(x.shape[:axis])
        return function(x.reshape(rows, -1), 1).reshape(x.shape)

    return run


_NEAREST = {
    "round_prefer_floor": lambda x: torch.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: torch.floor(x + 0.5),
    "floor": torch.floor,
    "ceil": torch.ceil,
}


def _resize(step: Step, x: Tensor, *given: Tensor | None) -> Tensor:
    """Resize axis by axis, as the standard defines it: a product with a matrix each."""
    padded = [*given, None, None, None]
    sizes: Any = step.attributes.get("sizes")
    scales: Any = step.attributes.get("scales")
    sizes = padded[2].tolist() if padded[2] is not None else sizes
    scales = padded[1].tolist() if padded[1] is not None else scales
    axes = step.attributes.get("axes") or range(x.ndim)
    for place, axis in enumerate(axes):
        length = x.shape[axis]
        if sizes:
            new, scale = int(sizes[place]), sizes[place] / length
        else:
            scale = float(scales[place])
            new = math.floor(length * scale)
        if new != length or scale != 1:
            matrix = _interpolation(step, length, new, scale, x)
            x = torch.tensordot(x, matrix, ([axis], [1])).movedim(-1, axis)
    return x


def _places(step: Step, length: int, new: int, scale: float) -> Tensor:
    """Where each new place lies among the old ones."""
    mode = step.attributes.get("coordinate_transformation_mode", "half_pixel")
    out = torch.arange(new, dtype=torch.float64)
    if mode == "asymmetric":
        return out / scale
    if mode == "align_corners":
        return out * (length - 1) / max(new - 1, 1)
    if mode == "pytorch_half_pixel" and new == 1:
        return torch.zeros(1, dtype=torch.float64)
    if mode in ("half_pixel", "pytorch_half_pixel"):
        return (out + 0.5) / scale - 0.5
    raise ValueError(f"Resize with coordinate_transformation_mode={mode!r}")


def _interpolation(
    step: Step, length: int, new: int, scale: float, like: Tensor
) -> Tensor:
    """Weights of the old places in each new one, (new, length)."""
    places, kind = (
        _places(step, length, new, scale),
        step.attributes.get("mode", "nearest"),
    )
    matrix = torch.zeros(new, length, dtype=torch.float64)
    rows = torch.arange(new)
    if kind == "nearest":
        rounding = step.attributes.get("nearest_mode", "round_prefer_floor")
        near = _NEAREST[rounding](places).long().clamp(0, length - 1)
        matrix[rows, near] = 1.0
    elif kind == "linear":
        places = places.clamp(0, length - 1)
        low = places.floor().long()
        share = places - low
        matrix[rows, low] += 1 - share
        matrix[rows, (low + 1).clamp(max=length - 1)] += share
    else:
        raise ValueError(f"Resize with mode={kind!r}")
    return matrix.to(like)


LAYERS: dict[str, Run] = {
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_norm,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Einsum": _einsum,
    "FusedMatMul": _fused_mat_mul,
    "Gemm": _gemm,
    "GlobalAveragePool": _global_average_pool,
    "GlobalMaxPool": _global_max_pool,
    "GroupNormalization": _group_norm,
    "InstanceNormalization": _instance_norm,
    "LRN": _local_response_norm,
    "LayerNormalization": _layer_norm,
    "LogSoftmax": _softmax_like(torch.log_softmax),
    "LpNormalization": _lp_normalization,
    "MatMul": _mat_mul,
    "MaxPool": _max_pool,
    "RMSNormalization": _rms_norm,
    "Resize": _resize,
    "Softmax": _softmax_like(torch.softmax),
}
