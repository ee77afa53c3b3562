"""Rules of quantized layers, in the form that onnxruntime fuses to 8-bit kernels.

Float operators stand between pairs of QuantizeLinear and DequantizeLinear (QDQ format).
onnxruntime fuses such a pair, the operator and the next pair to one integer kernel;
without fusion the graph computes the same.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import TensorProto, helper
from torch import nn

import sklearn_deep.export.layers._convolution  # noqa: F401  (registers rules used below)
from sklearn_deep.exceptions import OnnxExportError
from sklearn_deep.export.graph._graph import FLOAT, INT, Graph, Value
from sklearn_deep.export.layers._feed_forward import LAYERS, emit_stages
from sklearn_deep.export.layers._recurrent import by_direction, recurrent
from sklearn_deep.nn._quantization import Staged
from sklearn_deep.nn._quantized import Quantize, QuantizedLinear, Stored, WeightOnly
from sklearn_deep.nn._quantized_rnn import StoredEmbed, StoredLayer

_BYTE = np.dtype(np.uint8)

# Key of a graph's memo: the scale and zero point of a quantized value.
_QPARAMS = "qparams of"

# The first opset with 4-bit integers.
_INT4_OPSET = 21


def _array(tensor: Any) -> np.ndarray:
    return tensor.detach().cpu().numpy()


def _quantize(graph: Graph, module: Quantize, x: Value) -> Value:
    scale, zero = _array(module.scale), _array(module.zero)
    # A value quantized alike for several layers is quantized once: fusion needs that.
    key = "quantized", x.name, float(scale), int(zero)
    if key not in graph.memo:
        qparams = graph.constant(scale), graph.constant(zero)
        graph.memo[key] = _quantize_dequantize(graph, graph.cast(x, FLOAT), qparams)
    return graph.memo[key]


def _quantize_dequantize(graph: Graph, x: Value, qparams: tuple[Value, Value]) -> Value:
    integers = graph.node("QuantizeLinear", x, *qparams, dtype=_BYTE)
    out = graph.node("DequantizeLinear", integers, *qparams, dtype=FLOAT)
    graph.memo[_QPARAMS, out.name] = qparams
    return out


def _with_requantization(rule: Callable[..., Value]) -> Callable[..., Value]:
    """Quantize the output of a rule with the scale and zero point of its input.

    The values do not change, but older versions of onnxruntime need the pair after a
    pooling layer for fusion.
    """

    def write(graph: Graph, module: Any, x: Value) -> Value:
        out, qparams = rule(graph, module, x), graph.memo.get((_QPARAMS, x.name))
        return out if qparams is None else _quantize_dequantize(graph, out, qparams)

    return write


def _dequantized(graph: Graph, integers: np.ndarray, scale: np.ndarray) -> Value:
    """Dequantize stored integers, with a scale per output channel."""
    operands = [graph.constant(integers), graph.constant(scale)]
    if integers.dtype == np.int8:
        # onnxruntime fuses only if the zero points of weights are given.
        operands.append(graph.constant(np.zeros(len(scale), integers.dtype)))
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


def _quantized_linear(graph: Graph, module: QuantizedLinear, x: Value) -> Value:
    scale = _array(module.scale)
    weight = _dequantized(graph, _array(module.weight), scale)
    steps = scale * _array(module.input_scale)
    bias = _dequantized(graph, _array(module.bias), steps)
    return _product(graph, x, weight, bias, module.how)


def _stored_weight(
    graph: Graph, integers: np.ndarray, scale: np.ndarray, use_int4: bool
) -> Value:
    """Dequantize a weight that is stored as 8-bit integers, or as 4-bit ones."""
    if not use_int4:
        return _dequantized(graph, integers, scale)
    if graph.opset < _INT4_OPSET:
        raise OnnxExportError(
            f"4-bit weights need opset {_INT4_OPSET}, and the export was asked for"
            f" target_opset={graph.opset}. Raise target_opset, or quantize with bits=8."
        )
    stored = Value(graph.name(), np.dtype(np.int8))
    graph.constants.append(
        helper.make_tensor(
            stored.name, TensorProto.INT4, integers.shape, integers.ravel()
        )
    )
    return graph.node(
        "DequantizeLinear", stored, graph.constant(scale), dtype=FLOAT, axis=0
    )


def _weight(graph: Graph, module: Stored) -> Value:
    return _stored_weight(
        graph, _array(module.integers), _array(module.scale), module.in_pairs
    )


def _weight_only(graph: Graph, module: WeightOnly, x: Value) -> Value:
    weight, bias = _weight(graph, module.weight), graph.constant(_array(module.bias))
    return _product(graph, graph.cast(x, FLOAT), weight, bias, module.how)


def _embedding(graph: Graph, module: StoredEmbed, x: Value) -> Value:
    """Dequantize the vectors of tokens after the lookup, instead of the whole table."""
    codes = graph.cast(x, INT)
    table, scale = module.table.integers, module.table.scale.unsqueeze(1)
    vectors = graph.gather(graph.constant(_array(table)), codes)
    steps = graph.gather(graph.constant(_array(scale)), codes)
    return graph.node("Mul", graph.cast(vectors, FLOAT), steps)


def _recurrent(graph: Graph, module: StoredLayer, x: Value) -> Value:
    (cell,) = module.cell
    weights: dict[str, Any] = dict(module.weights.items())
    integers = {name: _array(stored.integers) for name, stored in weights.items()}
    scales = {name: _array(stored.scale) for name, stored in weights.items()}
    use_int4 = any(stored.in_pairs for stored in weights.values())

    def weight(name: str) -> Value:
        numbers = by_direction(cell, integers, name)  # (directions, rows, n_in)
        scale = by_direction(cell, scales, name).ravel()
        flat = _stored_weight(graph, numbers.reshape(len(scale), -1), scale, use_int4)
        return graph.reshape(flat, numbers.shape)

    biases = {
        name: _array(value) for name, value in module.named_buffers(recurse=False)
    }
    return recurrent(graph, cell, x, weight, biases)


LAYERS.update(
    {
        Staged: emit_stages,
        Quantize: _quantize,
        QuantizedLinear: _quantized_linear,
        WeightOnly: _weight_only,
        StoredEmbed: _embedding,
        StoredLayer: _recurrent,
    }
)

_pools: tuple[type[nn.Module], ...] = (nn.MaxPool1d, nn.MaxPool2d)
LAYERS.update({kind: _with_requantization(LAYERS[kind]) for kind in _pools})
