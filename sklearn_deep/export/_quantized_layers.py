"""Rules of quantized layers: the form that onnxruntime fuses to kernels of 8 bits.

Values are rounded by QuantizeLinear and taken back by DequantizeLinear; between such
pairs stand the operators of floats. onnxruntime makes one kernel of whole numbers of a
pair, an operator, and the pair behind it; without it the graph computes the same.
"""

from typing import Any

import numpy as np
from onnx import TensorProto, helper

from sklearn_deep.exceptions import OnnxExportError
from sklearn_deep.export._graph import FLOAT, Graph, Value
from sklearn_deep.export._layers import LAYERS, emit_stages
from sklearn_deep.nn._quantization import Staged
from sklearn_deep.nn._quantized import FewBits, Quantize, WholeNumbers

_BYTE = np.dtype(np.uint8)

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
        whole = graph.node("QuantizeLinear", graph.cast(x, FLOAT), *grid, dtype=_BYTE)
        graph.memo[key] = graph.node("DequantizeLinear", whole, *grid, dtype=FLOAT)
    return graph.memo[key]


def _taken_back(graph: Graph, whole: np.ndarray, scale: np.ndarray) -> Value:
    """Stored whole numbers as floats, with a scale for each output channel."""
    # Zeros are written out: without them onnxruntime fuses nothing.
    zeros = graph.constant(np.zeros(len(scale), whole.dtype))
    operands = graph.constant(whole), graph.constant(scale), zeros
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


def _whole_numbers(graph: Graph, module: WholeNumbers, x: Value) -> Value:
    scale = _array(module.scale)
    weight = _taken_back(graph, _array(module.weight), scale)
    steps = scale * _array(module.input_scale)
    bias = _taken_back(graph, _array(module.bias), steps)
    return _product(graph, x, weight, bias, module.how)


def _few_bits(graph: Graph, module: FewBits, x: Value) -> Value:
    if graph.opset < _FOUR_BITS:
        raise OnnxExportError(
            f"Weights of 4 bits need opset {_FOUR_BITS}, and the export was asked for"
            f" target_opset={graph.opset}. Raise target_opset, or quantize with bits=8."
        )
    scale, whole = _array(module.scale), _array(module.whole)
    stored = Value(graph.name("constant"), np.dtype(np.int8))
    graph.constants.append(
        helper.make_tensor(stored.name, TensorProto.INT4, whole.shape, whole.ravel())
    )
    weight = graph.node(
        "DequantizeLinear", stored, graph.constant(scale), dtype=FLOAT, axis=0
    )
    bias = graph.constant(_array(module.bias))
    return _product(graph, graph.cast(x, FLOAT), weight, bias, module.how)


LAYERS.update(
    {
        Staged: emit_stages,
        Quantize: _quantize,
        WholeNumbers: _whole_numbers,
        FewBits: _few_bits,
    }
)
