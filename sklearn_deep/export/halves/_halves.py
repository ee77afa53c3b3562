"""The two graphs on either side of a cut, and their metadata."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper
from onnx.numpy_helper import from_array

from sklearn_deep.export.graph._graph import ELEMENT_TYPES, rename_values
from sklearn_deep.export.halves._cuts import (
    Cut,
    is_of_client,
    mark_leaves,
    outputs_of,
)
from sklearn_deep.export.halves._dataflow import Dataflow

_LEVELS = 255  # of 8 bits
_REFUSED = "refused"
# Numbers that are so many times larger than those of the range are refused.
_BEYOND = 1e10


@dataclass(frozen=True)
class Halves:
    """Both sides of a cut.

    Attributes
    ----------
    client, server : onnx.ModelProto
        Without metadata.
    joined : onnx.ModelProto
        Both after each other, with the inputs and outputs of the whole.
    tensor : str
        Name of what crosses: an output of the client's half, the input of the server's.
    dtype : str
        Type of what crosses.
    client_marks : bool
        Whether the client's half has an output that marks refused rows.
    server_marks : str or None
        Output of the server's half that is NaN for rows that it refuses.
    """

    client: ModelProto
    server: ModelProto
    joined: ModelProto
    tensor: str
    dtype: str
    client_marks: bool
    server_marks: str | None


def cut_graph(
    proto: ModelProto, metadata: dict[str, Any], cut: Cut, bits: int | None
) -> Halves:
    """Cut a graph at a tensor.

    The tensor has a name that depends on the whole model, on the place and on ``bits``:
    the server's half has no input of the name that another client sends.

    Parameters
    ----------
    proto : onnx.ModelProto
        With the output that marks refused rows.
    metadata : dict
    cut : Cut
    bits : int or None
        8 to round what crosses; None lets it cross as it is.
    """
    return _Cutter(proto, metadata, cut, bits).halves()


class _Cutter:
    """Both sides of a cut under construction."""

    def __init__(
        self, proto: ModelProto, metadata: dict[str, Any], cut: Cut, bits: int | None
    ) -> None:
        self.proto, self.cut = proto, cut
        self.flow = flow = Dataflow(proto.graph)
        self.tensor = f"cut_{_identity(proto, cut, bits)}"
        self.crossing = _Crossing(self.tensor, cut, cut.quantizes(bits))
        infos = {info.name: info for info in proto.graph.output}
        self.outputs = [infos[name] for name in outputs_of(metadata, proto)]
        marks = mark_leaves(flow, metadata)
        of_client = [mark for mark in marks if is_of_client(flow, cut.value, mark)]
        self.server_marks = [mark for mark in marks if mark not in of_client]
        self.client_marks = [*of_client, *self.crossing.finite().marks]
        self.before, _ = flow.needed([cut.value, *of_client])
        targets = [info.name for info in self.outputs]
        self.after, _ = flow.needed([*targets, *self.server_marks], {cut.value})

    def halves(self) -> Halves:
        names = [info.name for info in self.outputs if _is_float(info)]
        return Halves(
            client=self._client(),
            server=self._server(),
            joined=self._joined(),
            tensor=self.tensor,
            dtype=self.crossing.dtype,
            client_marks=bool(self.client_marks),
            server_marks=names[0] if names and self.server_marks else None,
        )

    def _client(self) -> ModelProto:
        part, inputs = self._sending(), self.proto.graph.input
        return _model(self.proto, part, inputs, [self._crossed()], self.client_marks)

    def _sending(self) -> "_Part":
        """From the inputs to what crosses."""
        parts = (self.crossing.sent(), self.crossing.finite())
        return _joined([_Part(self._nodes(self.before)), *parts])

    def _server(self) -> ModelProto:
        rest = _Part(self._receiving_nodes(self.after))
        marked = _nan_where(self.server_marks, self.outputs, self.tensor)
        part = _joined([self.crossing.received(), rest])
        part = _Part(_renamed(part.nodes, marked.names), part.constants)
        part = _joined([part, _Part(marked.nodes, marked.constants)])
        return _model(self.proto, part, [self._crossed()], self.outputs, [])

    def _joined(self) -> ModelProto:
        rest = _Part(self._receiving_nodes(self.after - self.before))
        part = _joined([self._sending(), self.crossing.received(), rest])
        marks = [*self.client_marks, *self.server_marks]
        return _model(self.proto, part, self.proto.graph.input, self.outputs, marks)

    def _crossed(self) -> Any:
        return _value_info(self.tensor, self.crossing.dtype, self.cut.row_shape)

    def _nodes(self, indices: set[int]) -> list[NodeProto]:
        return [self.flow.nodes[k] for k in sorted(indices)]

    def _receiving_nodes(self, indices: set[int]) -> list[NodeProto]:
        """Nodes that read the value as it was received."""
        return _renamed(self._nodes(indices), {self.cut.value: self.crossing.value})


def _identity(proto: ModelProto, cut: Cut, bits: int | None) -> str:
    content = proto.graph.SerializeToString(deterministic=True)
    return hashlib.sha256(content + repr((cut, bits)).encode()).hexdigest()[:16]


def _renamed(nodes: Sequence[NodeProto], names: Mapping[str, str]) -> list[NodeProto]:
    graph = onnx.GraphProto(node=nodes)  # a copy
    rename_values(graph, names)
    return list(graph.node)


@dataclass(frozen=True)
class _Part:
    """Nodes that are added to a half."""

    nodes: Sequence[NodeProto] = ()
    constants: Sequence[TensorProto] = ()
    marks: Sequence[str] = ()


def _joined(parts: Sequence[_Part]) -> _Part:
    """Parts after each other; a constant of several is there once."""
    constants = {t.name: t for part in parts for t in part.constants}
    nodes = [node for part in parts for node in part.nodes]
    return _Part(nodes, list(constants.values()))


@dataclass(frozen=True)
class _Crossing:
    """How a tensor is sent and received: rows first, and maybe as 8-bit integers."""

    tensor: str
    cut: Cut
    quantizes: bool

    @property
    def dtype(self) -> str:
        """Type of what crosses."""
        return "uint8" if self.quantizes else self.cut.dtype

    @property
    def value(self) -> str:
        """Name of the value in the server's half; both may be in one graph."""
        return f"{self.tensor}/value"

    def sent(self) -> _Part:
        """From the value of the graph to what crosses."""
        names = _Names(self.cut.value, self.tensor, f"{self.tensor}/sent")
        if self.cut.axis:
            names.add("Transpose", perm=self._rows_first())
        if self.quantizes:
            if self.cut.dtype != "float32":
                names.add("Cast", to=TensorProto.FLOAT)
            names.add("QuantizeLinear", *self._scale_names())
        return names.part(self._scale() if self.quantizes else [])

    def received(self) -> _Part:
        """From what crosses to the value that the server's half computes with."""
        names = _Names(self.tensor, self.value, f"{self.tensor}/received")
        if self.quantizes:
            names.add("DequantizeLinear", *self._scale_names())
            if self.cut.dtype != "float32":
                names.add("Cast", to=ELEMENT_TYPES[np.dtype(self.cut.dtype)])
        if self.cut.axis:
            names.add("Transpose", perm=np.argsort(self._rows_first()).tolist())
        return names.part(self._scale() if self.quantizes else [])

    def finite(self) -> _Part:
        """A mark of rows with numbers that 8 bits cannot hold.

        These are NaN, infinity, and numbers so far beyond the range that the rest of the
        whole might overflow and refuse the row: rounding would hide that.
        """
        if not self.quantizes:
            return _Part()
        names = _Names(self.cut.value, f"{self.tensor}/mark", f"{self.tensor}/finite")
        factors = (self._to_infinity(), np.zeros((), self.cut.dtype))
        constants = []
        for k, factor in enumerate(factors):
            constants.append(from_array(np.asarray(factor), f"{self.tensor}/times_{k}"))
            names.add("Mul", constants[-1].name)
        others = [k for k in range(1 + len(self.cut.row_shape)) if k != self.cut.axis]
        if others:
            axes = from_array(np.array(others, np.int64), f"{self.tensor}/axes")
            constants.append(axes)
            names.add("ReduceSum", axes.name, keepdims=0)
        names.add("IsNaN")
        part = names.part(constants)
        return _Part(part.nodes, part.constants, [f"{self.tensor}/mark"])

    def _to_infinity(self) -> np.ndarray:
        """The factor by which numbers that are too large become infinite."""
        dtype = np.dtype(self.cut.dtype)
        largest = _BEYOND * (max(-self.cut.low, self.cut.high) or 1.0)
        most = float(np.finfo(dtype).max)
        return np.array(most / max(largest, 1.0), dtype)

    def _rows_first(self) -> list[int]:
        n_axes = 1 + len(self.cut.row_shape)
        return [self.cut.axis, *(k for k in range(n_axes) if k != self.cut.axis)]

    def _scale_names(self) -> tuple[str, str]:
        return f"{self.tensor}/scale", f"{self.tensor}/zero_point"

    def _scale(self) -> list[TensorProto]:
        least = float(np.finfo(np.float32).tiny)
        scale = max((self.cut.high - self.cut.low) / _LEVELS, least)
        zero = np.uint8(np.clip(round(-self.cut.low / scale), 0, _LEVELS))
        values = (np.float32(scale), zero)
        return [
            from_array(np.array(value), name)
            for value, name in zip(values, self._scale_names(), strict=True)
        ]


class _Names:
    """A chain of nodes from one value to another."""

    def __init__(self, first: str, last: str, prefix: str) -> None:
        self._last, self._prefix = last, prefix
        self._value = first
        self._nodes: list[NodeProto] = []

    def add(self, op: str, *others: str, **attributes: Any) -> None:
        """Apply an operator to the value, and to other ones."""
        out = f"{self._prefix}/{len(self._nodes)}"
        self._nodes.append(
            helper.make_node(op, [self._value, *others], [out], **attributes)
        )
        self._value = out

    def part(self, constants: Sequence[TensorProto]) -> _Part:
        """The nodes; the last one gives the last value."""
        if not self._nodes:
            self.add("Identity")
        self._nodes[-1].output[:] = [self._last]
        return _Part(self._nodes, constants)


@dataclass(frozen=True)
class _Marked:
    """Nodes that make outputs NaN, and the names that the outputs have before."""

    nodes: Sequence[NodeProto] = ()
    constants: Sequence[TensorProto] = ()
    names: Mapping[str, str] = field(default_factory=dict)


def _nan_where(marks: Sequence[str], outputs: Sequence[Any], tensor: str) -> _Marked:
    """Make all outputs of floats NaN in marked rows, as any server passes them on."""
    floats = [info for info in outputs if _is_float(info)]
    if not marks or not floats:
        return _Marked()
    mark = f"{tensor}/refused"
    nodes, constants = _disjunction(marks, mark), []
    for info in floats:
        before, shaped = f"{tensor}/{info.name}", f"{tensor}/{info.name}/refused"
        kind = info.type.tensor_type
        sides = from_array(
            np.array([-1] + [1] * (len(kind.shape.dim) - 1), np.int64),
            f"{shaped}/shape",
        )
        nan = from_array(np.array(np.nan, _FLOATS[kind.elem_type]), f"{shaped}/nan")
        constants += [sides, nan]
        nodes += [
            helper.make_node("Reshape", [mark, sides.name], [shaped]),
            helper.make_node("Where", [shaped, nan.name, before], [info.name]),
        ]
    names = {info.name: f"{tensor}/{info.name}" for info in floats}
    return _Marked(nodes, constants, names)


def _is_float(info: Any) -> bool:
    return info.type.tensor_type.elem_type in _FLOATS


_FLOATS = {TensorProto.FLOAT: np.float32, TensorProto.DOUBLE: np.float64}


def _value_info(name: str, dtype: str, row_shape: Sequence[int | None]) -> Any:
    element = ELEMENT_TYPES[np.dtype(dtype)]
    return helper.make_tensor_value_info(name, element, [None, *row_shape])


def _model(
    proto: ModelProto,
    part: _Part,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    marks: Sequence[str],
) -> ModelProto:
    """A model of nodes of another one, with an output for the disjunction of marks."""
    nodes, outputs = list(part.nodes), list(outputs)
    if marks:
        nodes += _disjunction(marks, _REFUSED)
        refused = helper.make_tensor_value_info(_REFUSED, TensorProto.BOOL, [None])
        outputs.append(refused)
    read = {name for node in nodes for name in _reads_of(node)}
    made = {name for node in nodes for name in node.output}
    graph = helper.make_graph(
        nodes,
        proto.graph.name,
        [info for info in inputs if info.name in read],
        outputs,
        [t for t in (*proto.graph.initializer, *part.constants) if t.name in read],
        value_info=[info for info in proto.graph.value_info if info.name in made],
    )
    model = helper.make_model(
        graph, opset_imports=proto.opset_import, ir_version=proto.ir_version
    )
    for name in ("producer_name", "producer_version", "domain", "doc_string"):
        setattr(model, name, getattr(proto, name))
    return model


def _reads_of(node: NodeProto) -> set[str]:
    found = Dataflow(onnx.GraphProto(node=[node]))
    _, roots = found.needed(node.output)
    return roots


def _disjunction(marks: Sequence[str], name: str) -> list[NodeProto]:
    nodes, value = [], marks[0]
    for k, mark in enumerate(marks[1:]):
        out = f"{name}/{k}"
        nodes.append(helper.make_node("Or", [value, mark], [out]))
        value = out
    return [*nodes, helper.make_node("Identity", [value], [name])]


# Metadata


def metadata_of_server(
    metadata: dict[str, Any], cut: Cut, halves: Halves, about: dict[str, Any]
) -> dict[str, Any]:
    """Metadata of the server's half: what is predicted is that of the whole."""
    shape = list(cut.row_shape)
    return {
        **metadata,
        "n_features_in": shape[0] if shape and shape[0] else 1,
        "feature_names_in": None,
        "sequences": None,
        "optional_columns": [],
        "pixels": True if halves.dtype == "uint8" else None,
        "inputs": [
            {
                "name": halves.tensor,
                "columns": [],
                "dtype": halves.dtype,
                "row_shape": shape,
            }
        ],
        "missing_is_looked_up": False,
        "fields": None,
        "refusals": _marks_role(halves.server_marks),
        "split": {**about, "half": "server"},
    }


def metadata_of_client(
    metadata: dict[str, Any],
    server: dict[str, Any],
    halves: Halves,
    about: dict[str, Any],
) -> dict[str, Any]:
    """Metadata of the client's half: a transformer, which knows what the server predicts."""
    rest = {k: v for k, v in server.items() if k not in ("split", "fields")}
    return {
        **metadata,
        "task": "transformer",
        "by_step": False,
        "classes": None,
        "class_numbers": False,
        "multilabel": False,
        "target": None,
        "outputs": {"transform": {"name": halves.tensor, "form": "tensor"}},
        "feature_names_out": None,
        "refusals": _marks_role(_REFUSED if halves.client_marks else None),
        "split": {**about, "half": "client", "rest": rest},
    }


def _marks_role(output: str | None) -> dict[str, str] | None:
    return {"name": output, "form": "tensor"} if output else None
