"""Rules of convolutional layers over series of unequal length, as in ``nn._masked``.

The graph's memo contains the lengths of the rows at the input of the next layer; without
lengths the rules for series of equal length apply. Between layers, the values of padding
are undefined.
"""

from typing import Any

import numpy as np
from torch import nn

import sklearn_deep.export.layers._quantized  # noqa: F401  (registers rules used below)
from sklearn_deep.export.graph._graph import BOOL, INT, Graph, Value
from sklearn_deep.export.layers._convolution import padded
from sklearn_deep.export.layers._feed_forward import LAYERS, LENGTHS, LayerRule, emit
from sklearn_deep.nn._convolutions import (
    Branches,
    ChannelNorm,
    GlobalPool,
    Residual,
    Subsample,
)
from sklearn_deep.nn._layout import Arrange
from sklearn_deep.nn._quantized import Quantize, QuantizedLinear, WeightOnly

# Key of a graph's memo: whether the last layer has set the padding to zero, and added zeros
# at both ends for a convolution of an even kernel size.
_PADDED = "edged"

# Key of a graph's memo: whether the network is convolutional. Recurrent ones have lengths
# too, but other axes.
_CONVOLUTIONAL = "convolutional"


def _or_masked(plain: LayerRule, masked: Any) -> LayerRule:
    """Use ``masked(graph, module, x, lengths, plain)`` if the rows have lengths."""

    def write(graph: Graph, module: Any, x: Value) -> Value:
        lengths = graph.memo.get(LENGTHS)
        if isinstance(module, Arrange):
            graph.memo[_CONVOLUTIONAL] = True
        if lengths is None or not graph.memo.get(_CONVOLUTIONAL):
            return plain(graph, module, x)
        out: Value = masked(graph, module, x, lengths, plain)
        return out

    return write


def _fill_padding(graph: Graph, x: Value, lengths: Value, number: float) -> Value:
    """Set the padding of series (n, channels, time) to a number."""
    if graph.memo.get(_PADDED):
        return x
    key = "true positions", lengths.name
    if key not in graph.memo:
        bounds = graph.constant(np.int64(0)), graph.column_of_shape(x, 2)
        indices = graph.node("Range", *bounds, graph.constant(np.int64(1)), dtype=INT)
        ends = graph.reshape(lengths, (-1, 1, 1))
        graph.memo[key] = graph.node("Less", indices, ends, dtype=BOOL)
    key_filled = "filled", x.name, lengths.name, number
    if key_filled not in graph.memo:
        other = graph.constant(np.array(number), x.dtype)
        graph.memo[key_filled] = graph.node(
            "Where", graph.memo[key], x, other, dtype=x.dtype
        )
    out: Value = graph.memo[key_filled]
    return out


def _counts(graph: Graph, lengths: Value, x: Value, axes: tuple[int, ...]) -> Value:
    """Count the positions without padding of each row, at least 1."""
    counts = graph.math("Max", lengths, 1)
    return graph.cast(graph.reshape(counts, (-1, *axes)), x.dtype)


def _arrange(
    graph: Graph, module: Arrange, x: Value, lengths: Value, plain: LayerRule
) -> Value:
    # Layers need at least one position, even if all rows are empty.
    x = graph.node("Pad", x, graph.constant(np.array([0, 0, 0, 0, 1, 0])))
    return graph.node("Transpose", x, perm=[0, 2, 1])


def _pad_edges(
    graph: Graph, module: Any, x: Value, lengths: Value, plain: LayerRule
) -> Value:
    x = _fill_padding(graph, x, lengths, 0.0)
    graph.memo[_PADDED] = True
    return plain(graph, module, x)


def _convolution(
    graph: Graph, module: Any, x: Value, lengths: Value, plain: LayerRule
) -> Value:
    return _convolved(graph, module, x, lengths, plain, module.stride[0])


def _convolved(
    graph: Graph,
    module: Any,
    x: Value,
    lengths: Value,
    plain: LayerRule,
    stride: int,
) -> Value:
    x = _fill_padding(graph, x, lengths, 0.0)
    graph.memo[_PADDED] = False
    _stride(graph, lengths, stride)
    return plain(graph, module, x)


def _product(
    graph: Graph, module: Any, x: Value, lengths: Value, plain: LayerRule
) -> Value:
    return _convolved(graph, module, x, lengths, plain, module.how["stride"][0])


def _quantize(
    graph: Graph, module: Quantize, x: Value, lengths: Value, plain: LayerRule
) -> Value:
    return plain(graph, module, _fill_padding(graph, x, lengths, 0.0))


def _subsample(
    graph: Graph, module: Subsample, x: Value, lengths: Value, plain: LayerRule
) -> Value:
    _stride(graph, lengths, module.stride)
    return plain(graph, module, x)


def _stride(graph: Graph, lengths: Value, stride: int) -> None:
    if stride > 1:
        more = graph.math("Add", lengths, stride - 1)
        graph.memo[LENGTHS] = graph.math("Div", more, stride)


def _channel_norm(
    graph: Graph, module: ChannelNorm, x: Value, lengths: Value, plain: LayerRule
) -> Value:
    n = len(module.weight)
    number = graph.math("Mul", _counts(graph, lengths, x, (1, 1)), float(n))

    def mean(values: Value) -> Value:
        by_channel = graph.sum(
            _fill_padding(graph, values, lengths, 0.0), 2, keepdims=True
        )
        return graph.node("Div", graph.sum(by_channel, 1, keepdims=True), number)

    centred = graph.node("Sub", x, mean(x))
    variance = mean(graph.node("Mul", centred, centred))
    spread = graph.node("Sqrt", graph.math("Add", variance, module.eps))
    normal = graph.node("Div", centred, spread)
    weight, bias = (
        p.detach().cpu().numpy()[:, None] for p in (module.weight, module.bias)
    )
    return graph.math("Add", graph.math("Mul", normal, weight), bias)


def _max_pool(
    graph: Graph, module: Any, x: Value, lengths: Value, plain: LayerRule
) -> Value:
    return _pooled(graph, module, x, lengths, plain, -np.inf)


def _average_pool(
    graph: Graph, module: Any, x: Value, lengths: Value, plain: LayerRule
) -> Value:
    out, size = _pooled(graph, module, x, lengths, plain, 0.0), _size(module)
    short = graph.reshape(graph.compare("Less", lengths, size), (-1, 1, 1))
    number = graph.constant(np.array(size), x.dtype)
    # The window of a short series is padded with zeros: correct the mean.
    share = graph.node("Div", number, _counts(graph, lengths, x, (1, 1)))
    one = graph.constant(np.array(1.0), x.dtype)
    factor = graph.node("Where", short, share, one, dtype=x.dtype)
    return graph.node("Mul", out, factor)


def _pooled(
    graph: Graph,
    module: Any,
    x: Value,
    lengths: Value,
    plain: LayerRule,
    filler: float,
) -> Value:
    size, x = _size(module), _fill_padding(graph, x, lengths, filler)
    stride = int(np.ravel(module.stride)[0])
    if stride > 1:  # otherwise the window has padding on both sides
        x = padded(graph, x, [0, size - 1], "constant", filler)
        short = graph.compare("Less", lengths, size)
        one = graph.math("Min", lengths, 1)
        many = graph.math("Div", lengths, size)
        graph.memo[LENGTHS] = graph.node("Where", short, one, many, dtype=INT)
    return plain(graph, module, x)


def _size(module: Any) -> int:
    return int(np.ravel(module.kernel_size)[0])


def _global_pool(
    graph: Graph, module: GlobalPool, x: Value, lengths: Value, plain: LayerRule
) -> Value:
    graph.memo[LENGTHS] = None  # the next layers have no time axis
    if module.how == "average":
        total = graph.sum(_fill_padding(graph, x, lengths, 0.0), 2)
        return graph.node("Div", total, _counts(graph, lengths, x, (1,)))
    largest = graph.max(_fill_padding(graph, x, lengths, -np.inf), [2])
    some = graph.reshape(graph.compare("Greater", lengths, 0), (-1, 1))
    zero = graph.constant(np.array(0.0), x.dtype)
    return graph.node("Where", some, largest, zero, dtype=x.dtype)


# Parts with the same input get the same lengths.


def _residual(
    graph: Graph, module: Residual, x: Value, lengths: Value, plain: LayerRule
) -> Value:
    out = emit(graph, module.layers, x)
    after, graph.memo[LENGTHS] = graph.memo[LENGTHS], lengths
    total = graph.node("Add", out, emit(graph, module.shortcut, x))
    graph.memo[LENGTHS] = after
    return emit(graph, module.after, total)


def _branches(
    graph: Graph, module: Branches, x: Value, lengths: Value, plain: LayerRule
) -> Value:
    parts, after = [], lengths
    for branch in module.branches:
        graph.memo[LENGTHS] = lengths
        parts.append(emit(graph, branch, x))
        after = graph.memo[LENGTHS]
    graph.memo[LENGTHS] = after
    return graph.concat(parts, axis=1)


_MASKED: dict[type[nn.Module], Any] = {
    Arrange: _arrange,
    nn.ConstantPad1d: _pad_edges,
    nn.Conv1d: _convolution,
    Subsample: _subsample,
    ChannelNorm: _channel_norm,
    nn.MaxPool1d: _max_pool,
    nn.AvgPool1d: _average_pool,
    GlobalPool: _global_pool,
    Residual: _residual,
    Branches: _branches,
}

# Quantized layers have one class for all numbers of axes.
_MASKED.update({QuantizedLinear: _product, WeightOnly: _product, Quantize: _quantize})

LAYERS.update({kind: _or_masked(LAYERS[kind], rule) for kind, rule in _MASKED.items()})
