"""An ONNX graph under construction: values, nodes, constants, and inlined models."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, inliner
from onnx.numpy_helper import from_array

from sklearn_deep.exceptions import OnnxExportError

FLOAT, DOUBLE = np.dtype(np.float32), np.dtype(np.float64)
INT, BOOL, STRING = np.dtype(np.int64), np.dtype(bool), np.dtype(str)
PIXEL = np.dtype(np.uint8)
# The dtype of a column that no ONNX input can hold; no node may read it.
NO_INPUT = np.dtype(np.void)

ELEMENT_TYPES: dict[np.dtype, int] = {
    FLOAT: TensorProto.FLOAT,
    DOUBLE: TensorProto.DOUBLE,
    INT: TensorProto.INT64,
    BOOL: TensorProto.BOOL,
    STRING: TensorProto.STRING,
    PIXEL: TensorProto.UINT8,
}
DTYPES = {element: dtype for dtype, element in ELEMENT_TYPES.items()}

# Version of each operator domain except the main one, whose version is ``Graph.opset``.
_ML = "ai.onnx.ml"
_VERSIONS = {_ML: 3, "com.microsoft": 1}


@dataclass(frozen=True)
class Value:
    """A tensor in the graph.

    Attributes
    ----------
    name : str
        Name in the graph.
    dtype : numpy.dtype
        One of ``ELEMENT_TYPES``, ``NO_INPUT``, or a dtype of dates or durations, whose
        values are integers.
    refusal : str
        Message of the error that is raised if a node reads a value of another dtype than
        those of ``ELEMENT_TYPES``.
    """

    name: str
    dtype: np.dtype
    refusal: str = ""

    def check_readable(self) -> None:
        """Raise if no node may read this value.

        Raises
        ------
        OnnxExportError
        """
        if self.refusal:
            raise OnnxExportError(self.refusal)


@dataclass
class Graph:
    """Nodes in the order of computation, and constants.

    Attributes
    ----------
    opset : int
        Version of the main operator set.
    prefix : str
        Prefix of every name, so that graphs can be joined.
    settings : Mapping
        Settings of the export that rules read: ``"dtype"``, ``"options"``,
        ``"missing"``.
    checks, nan_edges, nan_only_edges : list, dict, dict
        Checks of refused rows, and where NaN propagates; see ``_refusals``.
    """

    opset: int
    prefix: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    nodes: list[NodeProto] = field(default_factory=list)
    constants: list[TensorProto] = field(default_factory=list)
    domains: dict[str, int] = field(default_factory=dict)
    memo: dict[Any, Any] = field(default_factory=dict)
    checks: list[Any] = field(default_factory=list)
    nan_edges: dict[str, set[str]] = field(default_factory=dict)
    nan_only_edges: dict[str, set[str]] = field(default_factory=dict)
    _n_names: int = 0

    def name(self) -> str:
        """Make a name that no other value of this graph has.

        It is just a number: longer names would be 5 % of the file of a small quantized
        network.
        """
        self._n_names += 1
        return f"{self.prefix}{self._n_names}"

    def constant(self, array: Any, dtype: np.dtype | None = None) -> Value:
        """Add an array as a constant."""
        array = np.ascontiguousarray(array) if np.ndim(array) else np.asarray(array)
        if array.dtype.kind in "OUS":
            array, kind = array.astype(object), STRING
        else:
            array = array.astype(dtype or array.dtype, copy=False)
            kind = array.dtype
        value = Value(self.name(), kind)
        self.constants.append(from_array(array, value.name))
        return value

    def node(
        self,
        op: str,
        *inputs: Value,
        dtype: np.dtype | None = None,
        domain: str = "",
        **attributes: Any,
    ) -> Value:
        """Add a node with one output, by default of the first input's dtype."""
        out = Value(self.name(), dtype or inputs[0].dtype)
        self._add(op, inputs, [out], domain, attributes)
        return out

    def node_of_two(
        self,
        op: str,
        *inputs: Value,
        dtypes: tuple[np.dtype, np.dtype],
        **attributes: Any,
    ) -> tuple[Value, Value]:
        """Add a node with two outputs."""
        first, second = (Value(self.name(), dtype) for dtype in dtypes)
        self._add(op, inputs, [first, second], "", attributes)
        return first, second

    def _add(
        self,
        op: str,
        inputs: Sequence[Value],
        outputs: Sequence[Value],
        domain: str,
        attributes: dict[str, Any],
    ) -> None:
        for value in inputs:
            value.check_readable()
        node = helper.make_node(
            op,
            [value.name for value in inputs],
            [value.name for value in outputs],
            name=outputs[0].name,
            domain=domain,
            **attributes,
        )
        self.nodes.append(node)
        self._uses(domain, _VERSIONS.get(domain, self.opset))

    def ml_node(self, op: str, *inputs: Value, dtype: np.dtype, **attributes) -> Value:
        """Add a node of the ``ai.onnx.ml`` domain."""
        return self.node(op, *inputs, dtype=dtype, domain=_ML, **attributes)

    def _uses(self, domain: str, version: int) -> None:
        self.domains[domain] = max(version, self.domains.get(domain, 0))

    def checkpoint(self) -> tuple[int, int]:
        """Return the state of the graph, for ``rollback``."""
        return len(self.nodes), len(self.constants)

    def rollback(self, checkpoint: tuple[int, int]) -> None:
        """Remove all nodes and constants added after a checkpoint."""
        n_nodes, n_constants = checkpoint
        del self.nodes[n_nodes:], self.constants[n_constants:]

    # Operations that many rules use

    def cast(self, value: Value, dtype: np.dtype) -> Value:
        """Convert to another dtype."""
        value.check_readable()
        if value.dtype == dtype:
            return value
        if STRING in (value.dtype, dtype):
            raise OnnxExportError(
                f"A column of {_kind_name(value.dtype)} cannot be used as {_kind_name(dtype)}."
                " Encode string columns first, e.g. with a OneHotEncoder in a"
                " ColumnTransformer."
            )
        return self.node("Cast", value, dtype=dtype, to=ELEMENT_TYPES[dtype])

    def reshape(self, value: Value, shape: Sequence[int]) -> Value:
        """Change the shape; one length may be -1."""
        return self.node("Reshape", value, self.constant(np.array(shape, np.int64)))

    def column(self, value: Value, index: int) -> Value:
        """Select one column of (n, d), as (n,)."""
        return self.node("Gather", value, self.constant(np.int64(index)), axis=1)

    def column_of_shape(self, value: Value, axis: int) -> Value:
        """Compute the length of an axis, ()."""
        length = self.node("Shape", value, dtype=INT, start=axis, end=axis + 1)
        return self.reshape(length, ())

    def gather(self, values: Value, indices: Value) -> Value:
        """Select rows of ``values`` by index."""
        return self.node("Gather", values, indices, axis=0)

    def concat(self, values: Sequence[Value], axis: int = 1) -> Value:
        """Concatenate values of one dtype."""
        if len(values) == 1:
            return values[0]
        return self.node("Concat", *values, axis=axis)

    def sum(self, value: Value, axis: int, keepdims: bool = False) -> Value:
        """Sum along an axis."""
        axes = self.constant(np.array([axis], np.int64))
        return self.node("ReduceSum", value, axes, keepdims=int(keepdims))

    def max(self, value: Value, axes: Sequence[int], keepdims: bool = False) -> Value:
        """Compute the maximum along axes."""
        return self._reduced("ReduceMax", value, axes, keepdims)

    def mean(self, value: Value, axes: Sequence[int], keepdims: bool = False) -> Value:
        """Compute the mean along axes."""
        return self._reduced("ReduceMean", value, axes, keepdims)

    def log_sum_exp(self, value: Value, axes: Sequence[int]) -> Value:
        """Give the logarithms of sums of exponentials along axes."""
        return self._reduced("ReduceLogSumExp", value, axes, keepdims=False)

    def _reduced(
        self, op: str, value: Value, axes: Sequence[int], keepdims: bool
    ) -> Value:
        if self.opset < 18:  # from 18 on the axes are an input
            return self.node(op, value, axes=list(axes), keepdims=int(keepdims))
        where = self.constant(np.array(axes, np.int64))
        return self.node(op, value, where, keepdims=int(keepdims))

    def argmax(self, value: Value, axis: int = 1) -> Value:
        """Compute the index of the first maximum along an axis."""
        return self.node("ArgMax", value, dtype=INT, axis=axis, keepdims=0)

    def math(self, op: str, left: Value, right: Any) -> Value:
        """Apply a binary operator to a value and another one, or an array of its dtype."""
        if not isinstance(right, Value):
            right = self.constant(np.asarray(right), left.dtype)
        return self.node(op, left, right)

    def compare(self, op: str, left: Value, right: Any) -> Value:
        """Compare a value with a value or an array of numbers."""
        if not isinstance(right, Value):
            right = self.constant(np.asarray(right), left.dtype)
        return self.node(op, left, right, dtype=BOOL)

    # Other models

    def splice(self, model: ModelProto, inputs: Mapping[str, Value]) -> list[Value]:
        """Copy a model into this graph.

        Parameters
        ----------
        model : onnx.ModelProto
        inputs : dict
            The value to connect to each input of the model.

        Returns
        -------
        list of Value
            The outputs of the model, in their order.
        """
        if model.functions:
            model = _without_functions(model)
        self._take_opsets(model)
        prefix = self.name() + "/"
        for value in inputs.values():
            value.check_readable()
        names = {name: value.name for name, value in inputs.items()}
        for tensor in model.graph.initializer:
            copy = self._add_tensor(tensor)
            copy.name = _renamed(tensor.name, names, prefix)
        for node in model.graph.node:
            copy = NodeProto()
            copy.CopyFrom(node)
            _rename_node(copy, names, prefix)
            self.nodes.append(copy)
        return [
            Value(
                _renamed(out.name, names, prefix),
                DTYPES.get(out.type.tensor_type.elem_type, DOUBLE),
            )
            for out in model.graph.output
        ]

    def _add_tensor(self, tensor: TensorProto) -> TensorProto:
        copy = TensorProto()
        copy.CopyFrom(tensor)
        self.constants.append(copy)
        return copy

    def _take_opsets(self, model: ModelProto) -> None:
        for opset in model.opset_import:
            main = opset.domain in ("", "ai.onnx")
            if main and opset.version > self.opset:
                raise OnnxExportError(
                    f"A part of the model needs opset {opset.version}, and the export"
                    f" was asked for target_opset={self.opset}. Raise target_opset."
                )
            self._uses(
                "" if main else opset.domain, self.opset if main else opset.version
            )

    def model(
        self,
        inputs: Iterable[tuple[Value, Sequence[int | None]]],
        outputs: Iterable[Value],
    ) -> ModelProto:
        """Make a model of the graph.

        Parameters
        ----------
        inputs : iterable of (Value, sequence of int or None)
            Inputs of the model, each with the shape of a row.
        outputs : iterable of Value
            Outputs of the model; their shapes are not declared.
        """
        graph = helper.make_graph(
            self.nodes,
            "sklearn_deep",
            [
                helper.make_tensor_value_info(
                    v.name, ELEMENT_TYPES[v.dtype], [None, *shape]
                )
                for v, shape in inputs
            ],
            [
                helper.make_tensor_value_info(v.name, ELEMENT_TYPES[v.dtype], None)
                for v in outputs
            ],
            self.constants,
        )
        opsets = [
            helper.make_opsetid(domain, version)
            for domain, version in {"": self.opset, **self.domains}.items()
        ]
        return helper.make_model(
            graph,
            opset_imports=opsets,
            ir_version=helper.find_min_ir_version_for(opsets, ignore_unknown=True),
        )


def _without_functions(model: ModelProto) -> ModelProto:
    """Inline the functions that a model defines.

    Raises
    ------
    OnnxExportError
        If onnx cannot inline one, e.g. because of another operator set version.
    """
    inlined = inliner.inline_local_functions(model)
    own = {(function.domain, function.name) for function in model.functions}
    left = [n.op_type for n in inlined.graph.node if (n.domain, n.op_type) in own]
    if left:
        raise OnnxExportError(
            f"A part of the model calls the functions {sorted(set(left))!r}, defined by its"
            " converter, which cannot be inlined into another graph."
        )
    return inlined


def real(dtype: np.dtype) -> np.dtype:
    """Return the float dtype in which NumPy computes with numbers of a dtype."""
    return FLOAT if dtype == FLOAT else DOUBLE


def _kind_name(dtype: np.dtype) -> str:
    return "strings" if dtype == STRING else f"{dtype} numbers"


def rename_values(graph: GraphProto, names: Mapping[str, str]) -> None:
    """Rename the values of a graph and its subgraphs that are in ``names``."""
    for info in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        info.name = names.get(info.name, info.name)
    for node in graph.node:
        for field_ in (node.input, node.output):
            field_[:] = [names.get(name, name) for name in field_]
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                rename_values(inner, names)


def _renamed(name: str, names: Mapping[str, str], prefix: str) -> str:
    return names.get(name, prefix + name) if name else ""


def _rename_node(node: NodeProto, names: Mapping[str, str], prefix: str) -> None:
    node.name = prefix + node.name if node.name else ""
    for field_ in (node.input, node.output):
        field_[:] = [_renamed(name, names, prefix) for name in field_]
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            _rename_graph(graph, names, prefix)


def _rename_graph(graph: GraphProto, names: Mapping[str, str], prefix: str) -> None:
    # A subgraph can use the names of the outer graph: all are renamed in the same way.
    for info in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        info.name = _renamed(info.name, names, prefix)
    for node in graph.node:
        _rename_node(node, names, prefix)
