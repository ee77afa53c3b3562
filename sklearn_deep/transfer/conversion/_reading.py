"""An ONNX model as steps and arrays, in one form for all versions of the operators."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from onnx import AttributeProto, ModelProto, NodeProto, ValueInfoProto, numpy_helper

from sklearn_deep.exceptions import OnnxFileError, OnnxImportError
from sklearn_deep.transfer.conversion._graph import SETTINGS, Step
from sklearn_deep.transfer.conversion._onnx_file import opset_of
from sklearn_deep.transfer.conversion._operators import OPERATORS

# Operators that are read, and resolved before a network runs.
_RESOLVED = {"Constant", "Dropout", "Upsample"}
# Those of labels, which follow the raw outputs and are not computed by the network.
LABEL_OPERATORS = {"ArrayFeatureExtractor", "LabelEncoder", "ZipMap"}
_CONTROL_FLOW = {"If", "Loop", "Scan"}
_DOMAINS = {"", "ai.onnx", "ai.onnx.ml", "com.microsoft"}


@dataclass(frozen=True)
class Input:
    """An input of the model.

    Attributes
    ----------
    name : str
    element : int
        Element type of ONNX.
    shape : tuple of int or None
        None for an axis of any length; the first one is that of rows.
    """

    name: str
    element: int
    shape: tuple[int | None, ...]


@dataclass(frozen=True)
class Drawing:
    """What a model computes, before it is known which part of it is a network.

    Attributes
    ----------
    steps : tuple of Step
    arrays : dict of str to ndarray
    inputs : tuple of Input
    outputs : tuple of str
    """

    steps: tuple[Step, ...]
    arrays: Mapping[str, np.ndarray]
    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]


def read_drawing(model: ModelProto) -> Drawing:
    """Read the operations of a model.

    Raises
    ------
    OnnxImportError
        For operators that are not in the table; all of them are named.
    OnnxFileError
        For arrays that are damaged.
    """
    refuse_unknown(model)
    graph, opset = model.graph, opset_of(model)
    arrays = {t.name: _array(t) for t in graph.initializer}
    steps: list[Step] = []
    for node in graph.node:
        if node.op_type == "Constant":
            arrays[node.output[0]] = _constant(node)
        else:
            steps.append(_in_one_form(_step(node), opset, arrays))
    inputs = tuple(_input(i) for i in graph.input if i.name not in arrays)
    outputs = tuple(out.name for out in graph.output)
    return Drawing(tuple(steps), arrays, inputs, outputs)


def refuse_unknown(model: ModelProto) -> None:
    """Raise for operators without a row in the table; the message has all of them."""
    known = {*OPERATORS, *_RESOLVED, *LABEL_OPERATORS}
    ops = {
        node.op_type if node.domain in ("", "ai.onnx") else _qualified(node)
        for node in model.graph.node
        if node.op_type not in known or node.domain not in _DOMAINS
    }
    if not ops:
        return
    control = sorted(ops & _CONTROL_FLOW)
    why = (
        f" {', '.join(control)}: control flow has no fixed sequence of operations; export"
        " the network unrolled, or without the part that has it."
        if control
        else ""
    )
    raise OnnxImportError(
        f"from_onnx does not know these operators of the model: {', '.join(sorted(ops))}."
        f"{why} Export the network with other layers, or cut the model with"
        " onnx.utils.extract_model in front of them."
    )


def _qualified(node: NodeProto) -> str:
    return f"{node.domain}.{node.op_type}"


def _array(tensor: Any) -> np.ndarray:
    try:
        array = numpy_helper.to_array(tensor)
    except (ValueError, TypeError) as error:
        raise OnnxFileError(
            f"The array {tensor.name!r} of the ONNX model is damaged: {error}. Export the"
            " network again, or copy the file again."
        ) from error
    return narrow(array)


def narrow(array: np.ndarray) -> np.ndarray:
    """Floating numbers of 16 bits as float32; others as they are."""
    if array.dtype.kind in "iubOUSf" and array.dtype != np.float16:
        return array
    return array.astype(np.float32)


def _constant(node: NodeProto) -> np.ndarray:
    (attribute,) = node.attribute
    value = _value(attribute)
    if (
        attribute.type == AttributeProto.FLOATS
        or attribute.type == AttributeProto.FLOAT
    ):
        return np.asarray(value, np.float32)
    return value if isinstance(value, np.ndarray) else np.asarray(value)


def _value(attribute: AttributeProto) -> Any:
    """The value of an attribute as plain Python, or as an array."""
    return _VALUES[attribute.type](attribute)


_VALUES: dict[int, Callable[[AttributeProto], Any]] = {
    AttributeProto.FLOAT: lambda a: float(a.f),
    AttributeProto.FLOATS: lambda a: list(a.floats),
    AttributeProto.INT: lambda a: int(a.i),
    AttributeProto.INTS: lambda a: list(a.ints),
    AttributeProto.STRING: lambda a: a.s.decode("utf-8", "replace"),
    AttributeProto.STRINGS: lambda a: [s.decode("utf-8", "replace") for s in a.strings],
    AttributeProto.TENSOR: lambda a: _array(a.t),
}


def _step(node: NodeProto) -> Step:
    unread = [a.name for a in node.attribute if a.type not in _VALUES]
    if unread:
        raise OnnxImportError(
            f"from_onnx cannot read the attribute {unread[0]!r} of {node.op_type}"
            f" ({node.output[0]!r}). Export the network with other layers."
        )
    attributes = {a.name: _value(a) for a in node.attribute}
    return Step(node.op_type, tuple(node.input), tuple(node.output), attributes)


def _input(info: ValueInfoProto) -> Input:
    kind = info.type.tensor_type
    shape = tuple(
        d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None
        for d in kind.shape.dim
    )
    return Input(info.name, kind.elem_type, shape)


# One form for all versions.


def _in_one_form(step: Step, opset: int, arrays: Mapping[str, np.ndarray]) -> Step:
    change = _FORMS.get(step.op)
    if change is not None:
        step = change(step, opset)
    return with_settings(step, arrays)


def _identity(step: Step, opset: int) -> Step:
    """Dropout, which changes nothing in a network that predicts."""
    return Step("Identity", step.inputs[:1], step.outputs[:1])


def _softmax(step: Step, opset: int) -> Step:
    given = dict(step.attributes)
    old = opset < 13  # it had all axes from this one on as one
    given.setdefault("axis", 1 if old else -1)
    if old and given["axis"] != -1:
        given["flattens"] = 1
    return replace(step, attributes=given)


def _upsample(step: Step, opset: int) -> Step:
    given = dict(step.attributes)
    given["coordinate_transformation_mode"] = "asymmetric"
    given["nearest_mode"] = "floor"
    given["mode"] = "linear" if given.get("mode") == "linear" else "nearest"
    rest = ("", *step.inputs[1:2])
    return replace(step, op="Resize", inputs=(step.inputs[0], *rest), attributes=given)


def _resize(step: Step, opset: int) -> Step:
    given = dict(step.attributes)
    if opset < 11:
        given["coordinate_transformation_mode"] = "asymmetric"
        given["nearest_mode"] = "floor"
        x, scales = step.inputs
        return replace(step, inputs=(x, "", scales), attributes=given)
    if given.get("mode") == "cubic" or given.get("antialias"):
        raise OnnxImportError(
            f"from_onnx does not know Resize ({step.outputs[0]!r}) with mode='cubic' or"
            " antialias. Export the network with mode 'linear' or 'nearest'."
        )
    return replace(step, attributes=given)


def _pad(step: Step, opset: int) -> Step:
    given = dict(step.attributes)
    if "value" in given:
        given["constant_value"] = given.pop("value")
    return replace(step, attributes=given)


_FORMS: dict[str, Callable[[Step, int], Step]] = {
    "Dropout": _identity,
    "LogSoftmax": _softmax,
    "Pad": _pad,
    "Resize": _resize,
    "Softmax": _softmax,
    "Upsample": _upsample,
}


def with_settings(step: Step, arrays: Mapping[str, np.ndarray]) -> Step:
    """The step with its constant settings as attributes."""
    names = SETTINGS.get(step.op)
    if not names:
        return step
    inputs, given = list(step.inputs), dict(step.attributes)
    for place, name in names.items():
        if place < len(inputs) and (not inputs[place] or inputs[place] in arrays):
            array = arrays.get(inputs[place])
            inputs[place] = ""
            if array is not None and array.size:
                given[name] = _plain(step, name, array)
    while len(inputs) > 1 and not inputs[-1]:
        inputs.pop()
    if inputs == [""]:
        inputs = []
    return replace(step, inputs=tuple(inputs), attributes=given)


# Largest number of values of a setting, and of those of an array that is made by one.
_MOST_NUMBERS = 10_000
MOST_CELLS = 2**28


def _plain(step: Step, name: str, array: np.ndarray) -> Any:
    made = step.op in ("ConstantOfShape", "Expand", "Reshape") and name == "shape"
    too_large = made and math.prod(int(abs(n)) or 1 for n in array.reshape(-1)[:16]) > (
        MOST_CELLS
    )
    if array.size > _MOST_NUMBERS or too_large:
        raise OnnxFileError(
            f"{step.op} ({step.outputs[0]!r}) of the ONNX model makes an array of absurd"
            " size. The file is damaged, or not to be trusted."
        )
    return array.tolist()
