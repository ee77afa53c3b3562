"""Rules of the layers over images and series.

onnxruntime has convolutions and some pools in float32 only: they are listed in
``FLOAT32_LAYERS``, and networks with such layers are written in float32. If the export asks
for float64, only these layers compute in float32.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from torch import nn

from sklearn_deep.export.graph._graph import FLOAT, INT, Graph, Value
from sklearn_deep.export.layers._feed_forward import (
    CONDITIONS,
    FLOAT32_LAYERS,
    LAYERS,
    LayerRule,
    NoRule,
    batch_norm,
    emit,
    emit_stages,
)
from sklearn_deep.nn._cnn import CNN
from sklearn_deep.nn._conv_autoencoder import ConvAutoencoder, Restore
from sklearn_deep.nn._convolutions import (
    Branches,
    ChannelNorm,
    Convolution2d,
    Flatten,
    GlobalPool,
    Residual,
    Subsample,
)
from sklearn_deep.nn._layout import Arrange
from sklearn_deep.nn._stages import Tapped, UpTo


def _identity(graph: Graph, module: nn.Module, x: Value) -> Value:
    return x


def _in_float32(rule: LayerRule) -> LayerRule:
    """Cast the input to float32, and the output back."""

    def write(graph: Graph, module: Any, x: Value) -> Value:
        return graph.cast(rule(graph, module, graph.cast(x, FLOAT)), x.dtype)

    return write


def _each(size: Any, n_axes: int) -> list[int]:
    return [int(n) for n in np.broadcast_to(size, (n_axes,))]


def _tapped(graph: Graph, module: Tapped, x: Value) -> Value:
    layer = module.network.get_submodule(module.name)
    graph.memo.pop(id(layer), None)
    emit(graph, module.network, x)
    if id(layer) not in graph.memo:  # the rule of another layer writes it
        raise NoRule(type(layer).__name__)
    out, checkpoint = graph.memo[id(layer)]
    graph.rollback(checkpoint)  # drop the layers after it
    return graph.reshape(out, (0, -1))


# From the layout of X to (n, channels, ...), and back.


def _arrange(graph: Graph, module: Arrange, x: Value) -> Value:
    layout = module.layout
    if layout.pixels:
        x = graph.math("Mul", x, module.scale.item())
    canonical = layout.arranged
    if layout.n_channels == 1:  # the position of a single channel does not matter
        canonical = (1, *layout.spatial)
    if canonical != layout.row_shape:
        x = graph.reshape(x, (0, *canonical))
    if layout.channels_last and layout.n_channels > 1:
        last = len(canonical)
        x = graph.node("Transpose", x, perm=[0, last, *range(1, last)])
    return x


def _restore(graph: Graph, module: Restore, x: Value) -> Value:
    n_axes = len(module.layout.arranged)
    if module.layout.channels_last and module.layout.n_channels > 1:
        x = graph.node("Transpose", x, perm=[0, *range(2, n_axes + 1), 1])
    return graph.reshape(x, (0, -1))


def _flatten(graph: Graph, module: Flatten, x: Value) -> Value:
    return graph.reshape(x, (0, -1))


def _unflatten(graph: Graph, module: nn.Unflatten, x: Value) -> Value:
    return graph.reshape(x, (0, *module.unflattened_size))


# Convolutions

_MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def _pads(sides: Sequence[int]) -> list[int]:
    """Reorder torch's padding, last axis first, to all starts and then all ends."""
    return [*sides[-2::-2], *sides[::-2]]


def padded(
    graph: Graph, x: Value, sides: Sequence[int], mode: str, number: float = 0.0
) -> Value:
    """Pad the axes after the channels; ``sides`` are in torch's order."""
    starts_and_ends = _pads(sides)
    n_axes = len(starts_and_ends) // 2
    pads = [0, 0, *starts_and_ends[:n_axes], 0, 0, *starts_and_ends[n_axes:]]
    operands = [graph.constant(np.array(pads, np.int64))]
    if mode == "constant":
        operands.append(graph.constant(np.array(number), x.dtype))
    return graph.node("Pad", x, *operands, mode=mode)


def _constant_pad(graph: Graph, module: Any, x: Value) -> Value:
    return padded(graph, x, list(module.padding), "constant", module.value)


def _sides(module: Any) -> list[int]:
    """Padding before and after each axis, last axis first, as ``torch`` pads."""
    sides: list[int] = []
    for axis in reversed(range(len(module.kernel_size))):
        if module.padding == "same":
            total = module.dilation[axis] * (module.kernel_size[axis] - 1)
            sides += [total // 2, total - total // 2]
        else:
            number = 0 if module.padding == "valid" else module.padding[axis]
            sides += [number, number]
    return sides


def _convolution(graph: Graph, module: Any, x: Value) -> Value:
    sides = _sides(module)
    if module.padding_mode != "zeros":
        x = padded(graph, x, sides, _MODES[module.padding_mode])
        sides = [0] * len(sides)
    weights = [graph.constant(module.weight.detach().cpu().numpy(), FLOAT)]
    if module.bias is not None:
        weights.append(graph.constant(module.bias.detach().cpu().numpy(), FLOAT))
    return graph.node(
        "Conv",
        x,
        *weights,
        kernel_shape=list(module.kernel_size),
        strides=list(module.stride),
        dilations=list(module.dilation),
        group=module.groups,
        pads=_pads(sides),
    )


def _transposed(graph: Graph, module: Any, x: Value) -> Value:
    weights = [graph.constant(module.weight.detach().cpu().numpy(), FLOAT)]
    if module.bias is not None:
        weights.append(graph.constant(module.bias.detach().cpu().numpy(), FLOAT))
    return graph.node(
        "ConvTranspose",
        x,
        *weights,
        kernel_shape=list(module.kernel_size),
        strides=list(module.stride),
        dilations=list(module.dilation),
        group=module.groups,
        pads=[*module.padding, *module.padding],
        output_padding=list(module.output_padding),
    )


def _channel_norm(graph: Graph, module: ChannelNorm, x: Value) -> Value:
    shape = graph.node("Shape", x, dtype=INT)
    flat = graph.reshape(x, (0, -1))
    centred = graph.node("Sub", flat, graph.mean(flat, [-1], keepdims=True))
    variance = graph.mean(graph.node("Mul", centred, centred), [-1], keepdims=True)
    spread = graph.node("Sqrt", graph.math("Add", variance, module.eps))
    normal = graph.node("Div", centred, spread)
    by_channel = graph.reshape(normal, (0, len(module.weight), -1))
    weight, bias = (
        p.detach().cpu().numpy()[:, None] for p in (module.weight, module.bias)
    )
    out = graph.math("Add", graph.math("Mul", by_channel, weight), bias)
    return graph.node("Reshape", out, shape)


# Pools


def _max_pool(n_axes: int) -> LayerRule:
    def write(graph: Graph, module: Any, x: Value) -> Value:
        padding = _each(module.padding, n_axes)
        return graph.node(
            "MaxPool",
            x,
            kernel_shape=_each(module.kernel_size, n_axes),
            strides=_each(module.stride, n_axes),
            pads=[*padding, *padding],
            dilations=_each(module.dilation, n_axes),
            ceil_mode=int(module.ceil_mode),
        )

    return write


def _average_pool(n_axes: int) -> LayerRule:
    def write(graph: Graph, module: Any, x: Value) -> Value:
        padding = _each(module.padding, n_axes)
        return graph.node(
            "AveragePool",
            x,
            kernel_shape=_each(module.kernel_size, n_axes),
            strides=_each(module.stride, n_axes),
            pads=[*padding, *padding],
            count_include_pad=int(module.count_include_pad),
        )

    return write


def _reduce_axes(n_axes: int, reduce: str) -> LayerRule:
    axes = list(range(2, 2 + n_axes))
    return lambda graph, module, x: getattr(graph, reduce)(x, axes, keepdims=True)


def _global_pool(graph: Graph, module: GlobalPool, x: Value) -> Value:
    flat = graph.reshape(x, (0, 0, -1))
    pool = graph.mean if module.how == "average" else graph.max
    return pool(flat, [-1])


def _subsample(graph: Graph, module: Subsample, x: Value) -> Value:
    n = module.n_axes
    numbers = (
        [0] * n,
        [np.iinfo(np.int64).max] * n,
        range(2, 2 + n),
        [module.stride] * n,
    )
    operands = [graph.constant(np.array(list(values), np.int64)) for values in numbers]
    return graph.node("Slice", x, *operands)


def _upsample(graph: Graph, module: nn.Upsample, x: Value) -> Value:
    size: Any = module.size
    wanted = graph.constant(np.atleast_1d(np.array(size, np.int64)))
    kept = graph.node("Shape", x, dtype=INT, start=0, end=2)
    sizes = graph.concat([kept, wanted], axis=0)
    nothing = graph.constant(np.empty(0, np.float32))
    return graph.node(
        "Resize",
        x,
        nothing,
        nothing,
        sizes,
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )


# Combinations of layers


def _residual(graph: Graph, module: Residual, x: Value) -> Value:
    out = emit(graph, module.layers, x)
    total = graph.node("Add", out, emit(graph, module.shortcut, x))
    return emit(graph, module.after, total)


def _branches(graph: Graph, module: Branches, x: Value) -> Value:
    return graph.concat([emit(graph, branch, x) for branch in module.branches], axis=1)


_CONVOLUTIONS: tuple[type[nn.Module], ...] = (nn.Conv1d, nn.Conv2d, Convolution2d)
_TRANSPOSED: tuple[type[nn.Module], ...] = (nn.ConvTranspose1d, nn.ConvTranspose2d)

# Layers without a rule: torch.onnx.export writes them, in float32.
_WITHOUT_RULE = (nn.Conv3d, nn.ConvTranspose3d, nn.AvgPool3d, nn.LPPool1d, nn.LPPool2d)

FLOAT32_LAYERS.update(
    {
        *_CONVOLUTIONS,
        *_TRANSPOSED,
        nn.AvgPool1d,
        nn.AvgPool2d,
        nn.Upsample,
        *_WITHOUT_RULE,
    }
)

LAYERS.update(
    {
        CNN: emit_stages,
        ConvAutoencoder: emit_stages,
        Tapped: _tapped,
        UpTo: LAYERS[nn.Sequential],
        Arrange: _arrange,
        Restore: _restore,
        Flatten: _flatten,
        nn.Unflatten: _unflatten,
        **dict.fromkeys(_CONVOLUTIONS, _in_float32(_convolution)),
        **dict.fromkeys(_TRANSPOSED, _in_float32(_transposed)),
        nn.ConstantPad1d: _constant_pad,
        nn.ConstantPad2d: _constant_pad,
        nn.ZeroPad2d: _constant_pad,
        ChannelNorm: _channel_norm,
        nn.BatchNorm2d: batch_norm,
        nn.MaxPool1d: _max_pool(1),
        nn.MaxPool2d: _max_pool(2),
        nn.AvgPool1d: _in_float32(_average_pool(1)),
        nn.AvgPool2d: _in_float32(_average_pool(2)),
        nn.AdaptiveAvgPool1d: _reduce_axes(1, "mean"),
        nn.AdaptiveAvgPool2d: _reduce_axes(2, "mean"),
        nn.AdaptiveMaxPool1d: _reduce_axes(1, "max"),
        nn.AdaptiveMaxPool2d: _reduce_axes(2, "max"),
        GlobalPool: _global_pool,
        Subsample: _subsample,
        nn.Upsample: _in_float32(_upsample),
        Residual: _residual,
        Branches: _branches,
        nn.Dropout1d: _identity,
        nn.Dropout2d: _identity,
    }
)

# Conditions under which the rules above apply; otherwise torch.onnx.export is used.


def _is_one(module: Any) -> bool:
    return all(n == 1 for n in np.atleast_1d(module.output_size))


def _fits_stride(module: Any) -> bool:
    """Tell whether onnxruntime accepts the output padding; torch accepts more."""
    return all(
        more < by for more, by in zip(module.output_padding, module.stride, strict=True)
    )


_CONDITIONS: dict[type[nn.Module], Callable[[Any], bool]] = {
    **dict.fromkeys(_TRANSPOSED, _fits_stride),
    nn.AdaptiveAvgPool1d: _is_one,
    nn.AdaptiveAvgPool2d: _is_one,
    nn.AdaptiveMaxPool1d: _is_one,
    nn.AdaptiveMaxPool2d: _is_one,
    nn.MaxPool1d: lambda m: not m.return_indices,
    nn.MaxPool2d: lambda m: not m.return_indices,
    nn.AvgPool1d: lambda m: not m.ceil_mode,
    nn.AvgPool2d: lambda m: not m.ceil_mode and m.divisor_override is None,
    nn.Upsample: lambda m: m.mode == "nearest" and m.size is not None,
    nn.Unflatten: lambda m: m.dim == 1 and isinstance(m.unflattened_size, tuple),
}

CONDITIONS.update(_CONDITIONS)
