"""Rules of quantized layers: the form that onnxruntime fuses to kernels of 8 bits.

Values are rounded by QuantizeLinear and taken back by DequantizeLinear; between such
pairs stand the operators of floats. onnxruntime makes one integer kernel of a
pair, an operator, and the pair behind it; without it the graph computes the same.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import TensorProto, helper
from torch import nn

import sklearn_deep.export.layers._convolution  # noqa: F401  (its rules come first)
from sklearn_deep.exceptions import OnnxExportError
from sklearn_deep.export.graph._graph import FLOAT, INT, Graph, Value
from sklearn_deep.export.layers._feed_forward import LAYERS, emit_stages
from sklearn_deep.export.layers._recurrent import by_direction, recurrent
from sklearn_deep.nn._quantization import Staged
from sklearn_deep.nn._quantized import Quantize, QuantizedLinear, Stored, WeightOnly
from sklearn_deep.nn._quantized_rnn import StoredEmbed, StoredLayer

_BYTE = np.dtype(np.uint8)

# Key of a graph's memo: the scale and zero of a value that has been rounded.
_GRID = "grid of"

# The first opset with numbers of 4 bits.
_FOUR_BITS = 21


def _array(tensor: Any) -> np.ndarray:
    return tensor.detach().cpu().numpy()


def _quantize(graph: Graph, module: Quantize, x: Value) -> Value:
    scale, zero = _array(module.scale), _array(module.zero)
    # A value that several layers round alike is rounded once: else nothing fuses.
    key = "grid", x.name, float(scale), int(zero)
    if key not in graph.memo:
        grid = graph.constant(scale), graph.constant(zero)
        graph.memo[key] = _there_and_back(graph, graph.cast(x, FLOAT), grid)
    return graph.memo[key]


def _there_and_back(graph: Graph, x: Value, grid: tuple[Value, Value]) -> Value:
    whole = graph.node("QuantizeLinear", x, *grid, dtype=_BYTE)
    out = graph.node("DequantizeLinear", whole, *grid, dtype=FLOAT)
    graph.memo[_GRID, out.name] = grid
    return out


def _on_its_grid(rule: Callable[..., Value]) -> Callable[..., Value]:
    """A rule whose output stands on the grid of its input, and says so.

    Older versions of onnxruntime fuse nothing behind a pooling layer that does not.
    """

    def write(graph: Graph, module: Any, x: Value) -> Value:
        out, grid = rule(graph, module, x), graph.memo.get((_GRID, x.name))
        return out if grid is None else _there_and_back(graph, out, grid)

    return write


def _taken_back(graph: Graph, whole: np.ndarray, scale: np.ndarray) -> Value:
    """Stored integers as floats, with a scale for each output channel."""
    operands = [graph.constant(whole), graph.constant(scale)]
    if whole.dtype == np.int8:
        # Zeros are written out: without those of weights onnxruntime fuses nothing.
        operands.append(graph.constant(np.zeros(len(scale), whole.dtype)))
    return graph.node("DequantizeLinear", *operands, dtype=FLOAT, axis=0)


def _product(
    graph: Graph, x: Value, weight: Value, bias: Value, how: dict[str, Any]
) -> Value:
    if not how:
        return graph.node("Gemm", x, weight, bias, transB=1)
    padding = list(how["padding"])
    return graph.node(
        "Conv",
        x,
        weight,
        bias,
        strides=list(how["stride"]),
        dilations=list(how["dilation"]),
        group=how["groups"],
        pads=[*padding, *padding],
    )


def _whole_numbers(graph: Graph, module: QuantizedLinear, x: Value) -> Value:
    scale = _array(module.scale)
    weight = _taken_back(graph, _array(module.weight), scale)
    steps = scale * _array(module.input_scale)
    bias = _taken_back(graph, _array(module.bias), steps)
    return _product(graph, x, weight, bias, module.how)


def _stored(graph: Graph, whole: np.ndarray, scale: np.ndarray, few: bool) -> Value:
    """A weight that is stored as integers, ``few`` of them in 4 bits."""
    if not few:
        return _taken_back(graph, whole, scale)
    if graph.opset < _FOUR_BITS:
        raise OnnxExportError(
            f"Weights of 4 bits need opset {_FOUR_BITS}, and the export was asked for"
            f" target_opset={graph.opset}. Raise target_opset, or quantize with bits=8."
        )
    stored = Value(graph.name(), np.dtype(np.int8))
    graph.constants.append(
        helper.make_tensor(stored.name, TensorProto.INT4, whole.shape, whole.ravel())
    )
    return graph.node(
        "DequantizeLinear", stored, graph.constant(scale), dtype=FLOAT, axis=0
    )


def _weight(graph: Graph, module: Stored) -> Value:
    return _stored(
        graph, _array(module.integers), _array(module.scale), module.in_pairs
    )


def _weight_only(graph: Graph, module: WeightOnly, x: Value) -> Value:
    weight, bias = _weight(graph, module.weight), graph.constant(_array(module.bias))
    return _product(graph, graph.cast(x, FLOAT), weight, bias, module.how)


def _embedding(graph: Graph, module: StoredEmbed, x: Value) -> Value:
    """Take the vectors of tokens back after they are looked up, not the whole table."""
    codes = graph.cast(x, INT)
    table, scale = module.table.integers, module.table.scale.unsqueeze(1)
    vectors = graph.gather(graph.constant(_array(table)), codes)
    steps = graph.gather(graph.constant(_array(scale)), codes)
    return graph.node("Mul", graph.cast(vectors, FLOAT), steps)


def _recurrent(graph: Graph, module: StoredLayer, x: Value) -> Value:
    (cell,) = module.cell
    weights: dict[str, Any] = dict(module.weights.items())
    whole = {name: _array(stored.integers) for name, stored in weights.items()}
    scales = {name: _array(stored.scale) for name, stored in weights.items()}
    few = any(stored.in_pairs for stored in weights.values())

    def weight(name: str) -> Value:
        numbers = by_direction(cell, whole, name)  # (directions, rows, n_in)
        scale = by_direction(cell, scales, name).ravel()
        flat = _stored(graph, numbers.reshape(len(scale), -1), scale, few)
        return graph.reshape(flat, numbers.shape)

    biases = {
        name: _array(value) for name, value in module.named_buffers(recurse=False)
    }
    return recurrent(graph, cell, x, weight, biases)


LAYERS.update(
    {
        Staged: emit_stages,
        Quantize: _quantize,
        QuantizedLinear: _whole_numbers,
        WeightOnly: _weight_only,
        StoredEmbed: _embedding,
        StoredLayer: _recurrent,
    }
)

_pools: tuple[type[nn.Module], ...] = (nn.MaxPool1d, nn.MaxPool2d)
LAYERS.update({kind: _on_its_grid(LAYERS[kind]) for kind in _pools})
