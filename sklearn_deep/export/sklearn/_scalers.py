"""Rules of element-wise transformers, and interpolation."""

from collections.abc import Callable
from typing import Any

import numpy as np
import sklearn
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    RobustScaler,
    StandardScaler,
)

from sklearn_deep.exceptions import OnnxExportError
from sklearn_deep.export.graph._graph import DOUBLE, FLOAT, INT, Graph, Value, real
from sklearn_deep.export.graph._refusals import propagates_nan
from sklearn_deep.export.graph._registry import rule
from sklearn_deep.export.graph._table import Table


def elementwise(graph: Graph, table: Table, *operations: tuple[str, Any]) -> Table:
    """Apply operations with one number per column, with NumPy's rounding.

    scikit-learn works in place: it combines float32 columns with float64 numbers, and
    rounds each result to float32.
    """
    kind = real(table.dtype)
    original = x = table.matrix(graph, kind)
    for op, numbers in operations:
        if numbers is not None:
            x = graph.cast(graph.math(op, graph.cast(x, DOUBLE), numbers), kind)
    clipped = not {op for op, _ in operations} <= _INVERSE.keys()
    propagates_nan(graph, original, x, nan_only=clipped)
    if clipped:  # a NaN in the output was one in the input
        propagates_nan(graph, x, original)
    return Table.of(x, table.width)


# From this version on, StandardScaler first rounds its statistics to the dtype of X.
_ROUNDS_NUMBERS = tuple(map(int, sklearn.__version__.split(".")[:2])) >= (1, 8)


# Operations of each scaler, in order, and the inverse of each operator.
_SCALERS: dict[type, Callable[[Any], list[tuple[str, Any]]]] = {
    StandardScaler: lambda s: [
        ("Sub", s.mean_ if s.with_mean else None),
        ("Div", s.scale_),
    ],
    RobustScaler: lambda s: [
        ("Sub", s.center_ if s.with_centering else None),
        ("Div", s.scale_ if s.with_scaling else None),
    ],
    MaxAbsScaler: lambda s: [("Div", s.scale_)],
    MinMaxScaler: lambda s: [("Mul", s.scale_), ("Add", s.min_)],
}
_INVERSE = {"Sub": "Add", "Add": "Sub", "Mul": "Div", "Div": "Mul"}


def _operations(model: Any, table: Table) -> list[tuple[str, Any]]:
    cls = next(cls for cls in type(model).__mro__ if cls in _SCALERS)
    operations = _SCALERS[cls](model)
    if cls is not StandardScaler or not _ROUNDS_NUMBERS:
        return operations
    kind = real(table.dtype)
    return [
        (op, None if numbers is None else numbers.astype(kind))
        for op, numbers in operations
    ]


@rule("transform", *_SCALERS)
def _scale(graph: Graph, model: Any, table: Table) -> Table:
    operations = _operations(model, table)
    if getattr(model, "clip", False):
        low, high = getattr(model, "feature_range", (-1, 1))
        operations += [("Max", low), ("Min", high)]
    return elementwise(graph, table, *operations)


@rule("inverse_transform", *_SCALERS)
def _unscale(graph: Graph, model: Any, table: Table) -> Table:
    done = _operations(model, table)
    undone = [(_INVERSE[op], numbers) for op, numbers in reversed(done)]
    return elementwise(graph, table, *undone)


@rule("transform", Normalizer)
def _normalise(graph: Graph, model: Normalizer, table: Table) -> Table:
    x = table.matrix(graph, real(table.dtype))
    norm = _NORMS[model.norm](graph, x)
    one = graph.constant(np.ones((1, 1)), x.dtype)
    empty = graph.compare("Equal", norm, 0.0)  # a row of zeros is left unchanged
    norm = graph.node("Where", empty, one, norm, dtype=x.dtype)
    return Table.of(graph.node("Div", x, norm), table.width)


_NORMS: dict[str, Callable[[Graph, Value], Value]] = {
    "l1": lambda graph, x: graph.sum(graph.node("Abs", x), 1, keepdims=True),
    "l2": lambda graph, x: graph.node(
        "Sqrt", graph.sum(graph.node("Mul", x, x), 1, keepdims=True)
    ),
    "max": lambda graph, x: graph.max(graph.node("Abs", x), [1], keepdims=True),
}


# NumPy functions with an ONNX form


def _nodes(*ops: str) -> Callable[[Graph, Value], Value]:
    def write(graph: Graph, x: Value) -> Value:
        for op in ops:
            x = graph.node(op, x)
        return x

    return write


def _sinh(graph: Graph, x: Value) -> Value:
    up, down = graph.node("Exp", x), graph.node("Exp", graph.node("Neg", x))
    return graph.math("Mul", graph.node("Sub", up, down), 0.5)


def _arcsinh(graph: Graph, x: Value) -> Value:
    size = graph.node("Abs", x)  # log of a small difference loses precision
    root = graph.node("Sqrt", graph.math("Add", graph.node("Mul", size, size), 1.0))
    log = graph.node("Log", graph.node("Add", size, root))
    return graph.node("Mul", graph.node("Sign", x), log)


def _cbrt(graph: Graph, x: Value) -> Value:
    root = graph.math("Pow", graph.node("Abs", x), 1 / 3)
    return graph.node("Mul", graph.node("Sign", x), root)


FUNCTIONS: dict[Any, Callable[[Graph, Value], Value]] = {
    None: lambda graph, x: x,
    np.exp: _nodes("Exp"),
    np.expm1: lambda graph, x: graph.math("Sub", graph.node("Exp", x), 1.0),
    np.exp2: lambda graph, x: graph.node("Exp", graph.math("Mul", x, np.log(2))),
    np.log: _nodes("Log"),
    np.log1p: lambda graph, x: graph.node("Log", graph.math("Add", x, 1.0)),
    np.log2: lambda graph, x: graph.math("Div", graph.node("Log", x), np.log(2)),
    np.log10: lambda graph, x: graph.math("Div", graph.node("Log", x), np.log(10)),
    np.sqrt: _nodes("Sqrt"),
    np.cbrt: _cbrt,
    np.square: lambda graph, x: graph.node("Mul", x, x),
    np.abs: _nodes("Abs"),
    np.negative: _nodes("Neg"),
    np.reciprocal: _nodes("Reciprocal"),
    np.tanh: _nodes("Tanh"),
    np.sinh: _sinh,
    np.arcsinh: _arcsinh,
}


def apply_function(graph: Graph, owner: Any, function: Any, table: Table) -> Table:
    """Apply a NumPy function to every element."""
    write = FUNCTIONS.get(function)
    if write is None:
        known = ", ".join(f.__name__ for f in FUNCTIONS if f is not None)
        name = getattr(function, "__name__", repr(function))
        raise OnnxExportError(
            f"{type(owner).__name__}: the function {name} has no ONNX form."
            f" Supported functions of NumPy: {known}."
        )
    if function is None:
        return table
    values, _ = table.rows(graph, DOUBLE)
    return table.with_values(graph.cast(write(graph, values), real(table.dtype)))


@rule("transform", FunctionTransformer)
def _function(graph: Graph, model: FunctionTransformer, table: Table) -> Table:
    _refuse_arguments(model, model.kw_args)
    return apply_function(graph, model, model.func, table)


@rule("inverse_transform", FunctionTransformer)
def _inverse_function(graph: Graph, model: FunctionTransformer, table: Table) -> Table:
    _refuse_arguments(model, model.inv_kw_args)
    return apply_function(graph, model, model.inverse_func, table)


def _refuse_arguments(model: Any, arguments: Any) -> None:
    if arguments:
        raise OnnxExportError(
            f"{type(model).__name__} with arguments {arguments!r} has no ONNX form; use"
            " a NumPy function without arguments."
        )


@rule("transform", Binarizer)
def _binarise(graph: Graph, model: Binarizer, table: Table) -> Table:
    x = table.matrix(graph)
    # NumPy rounds a Python number to float32 if X is float32, but not a NumPy scalar.
    rounded = x.dtype == FLOAT and type(model.threshold) in (int, float)
    kind = FLOAT if rounded else DOUBLE
    above = graph.compare("Greater", graph.cast(x, kind), model.threshold)
    return Table.of(graph.cast(above, x.dtype), table.width)


@rule("transform", KBinsDiscretizer)
def _discretise(graph: Graph, model: KBinsDiscretizer, table: Table) -> Table:
    parts = []
    for j, column in enumerate(table.columns(graph)):
        edges = model.bin_edges_[j][1:-1]
        index = bin_index(graph, graph.cast(column, DOUBLE), edges)
        if model.encode == "ordinal":
            parts.append((graph.cast(graph.reshape(index, (-1, 1)), DOUBLE), 1))
        else:
            n_bins = len(edges) + 1
            rows = graph.constant(np.eye(n_bins))
            parts.append((graph.gather(rows, index), n_bins))
    out = Table(tuple(parts))
    dtype = real(table.dtype) if model.dtype is None else np.dtype(model.dtype)
    return Table.of(out.matrix(graph, dtype), out.width)


def bin_index(
    graph: Graph, x: Value, edges: np.ndarray, comparison: str = "GreaterOrEqual"
) -> Value:
    """Count the edges that each number of ``x`` reaches, (n, 1) -> (n,).

    A few edges are compared at once; more are searched by bisection, so that memory
    does not grow with their number.
    """
    edges = np.asarray(edges, float)
    if len(edges) > _MAX_COMPARED:
        return _binary_search(graph, graph.reshape(x, (-1,)), edges, comparison)
    if not len(edges):
        edges = np.array([np.inf])
    reached = graph.compare(comparison, x, edges[None])
    return graph.sum(graph.cast(reached, INT), 1)


_MAX_COMPARED = 16


def _binary_search(graph: Graph, x: Value, edges: np.ndarray, comparison: str) -> Value:
    steps = len(edges).bit_length()
    padded = np.full(2**steps, np.inf)
    padded[: len(edges)] = edges
    stored = graph.constant(padded, x.dtype)
    index = None
    for step in reversed(range(steps)):
        probe = graph.constant(np.int64(2**step - 1))
        if index is not None:
            probe = graph.node("Add", index, probe)
        reached = graph.compare(comparison, x, graph.gather(stored, probe))
        gain = graph.math("Mul", graph.cast(reached, INT), 2**step)
        index = gain if index is None else graph.node("Add", index, gain)
    assert index is not None
    return index


def interpolate(
    graph: Graph,
    x: Value,
    xs: np.ndarray,
    ys: np.ndarray,
    left_ys: Any = None,
    comparison: str = "GreaterOrEqual",
) -> Value:
    """Interpolate linearly between points, constant beyond them, (n,) -> (n,).

    Parameters
    ----------
    graph : Graph
    x : Value
    xs : ndarray of shape (n_points,)
        Increasing.
    ys : ndarray of shape (n_points,)
        Values at the points, and limits from the right.
    left_ys : ndarray of shape (n_points,), optional
        Limits from the left, if they differ.
    comparison : str
        "Greater" if a number at a point belongs to the segment on its left.
    """
    left_ys = ys if left_ys is None else left_ys
    if len(xs) < 2:
        xs, ys, left_ys = (np.append(v, v[-1]) for v in (xs, ys, left_ys))
        xs[1] += 1.0
    slopes = (left_ys[1:] - ys[:-1]) / np.diff(xs)
    original, x = x, graph.math("Min", graph.math("Max", x, xs[0]), xs[-1])
    index = bin_index(graph, graph.reshape(x, (-1, 1)), xs[1:-1], comparison)
    slope, start, base = (
        graph.gather(graph.constant(v, x.dtype), index)
        for v in (slopes, xs[:-1], ys[:-1])
    )
    rise = graph.node("Mul", graph.node("Sub", x, start), slope)
    y = graph.node("Add", base, rise)
    for op, bound, value, other in (
        ("Less", xs[0], left_ys[0], ys[0]),
        ("GreaterOrEqual", xs[-1], ys[-1], left_ys[-1]),
    ):
        if value != other:
            beyond = graph.compare(op, original, bound)
            end = graph.constant(np.array([value]), x.dtype)
            y = graph.node("Where", beyond, end, y, dtype=x.dtype)
    return y
