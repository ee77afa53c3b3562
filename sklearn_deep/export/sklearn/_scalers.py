"""Rules of transformers that treat each number by itself."""

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
from sklearn_deep.export.graph._refusals import carries
from sklearn_deep.export.graph._registry import rule
from sklearn_deep.export.graph._table import Table


def elementwise(graph: Graph, table: Table, *operations: tuple[str, Any]) -> Table:
    """Apply operations with a number a column, rounded as NumPy rounds them.

    scikit-learn works in place: it combines float32 columns with float64 numbers, and
    each result is rounded to float32.
    """
    kind = real(table.dtype)
    given = x = table.matrix(graph, kind)
    for op, numbers in operations:
        if numbers is not None:
            x = graph.cast(graph.math(op, graph.cast(x, DOUBLE), numbers), kind)
    clipped = not {op for op, _ in operations} <= _UNDONE.keys()
    carries(graph, given, x, nan_only=clipped)
    if clipped:  # to finite numbers: what is none was none before
        carries(graph, x, given)
    return Table.of(x, table.width)


# From this version on, StandardScaler rounds its numbers to the rows' dtype first.
_ROUNDS_NUMBERS = tuple(map(int, sklearn.__version__.split(".")[:2])) >= (1, 8)


# Scalers: the numbers that are taken in turn, and what undoes them.
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
_UNDONE = {"Sub": "Add", "Add": "Sub", "Mul": "Div", "Div": "Mul"}


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
    undone = [(_UNDONE[op], numbers) for op, numbers in reversed(done)]
    return elementwise(graph, table, *undone)


@rule("transform", Normalizer)
def _normalise(graph: Graph, model: Normalizer, table: Table) -> Table:
    x = table.matrix(graph, real(table.dtype))
    norm = _NORMS[model.norm](graph, x)
    one = graph.constant(np.ones((1, 1)), x.dtype)
    empty = graph.compare("Equal", norm, 0.0)  # a row of zeros stays one
    norm = graph.node("Where", empty, one, norm, dtype=x.dtype)
    return Table.of(graph.node("Div", x, norm), table.width)


_NORMS: dict[str, Callable[[Graph, Value], Value]] = {
    "l1": lambda graph, x: graph.sum(graph.node("Abs", x), 1, keepdims=True),
    "l2": lambda graph, x: graph.node(
        "Sqrt", graph.sum(graph.node("Mul", x, x), 1, keepdims=True)
    ),
    "max": lambda graph, x: graph.max(graph.node("Abs", x), [1], keepdims=True),
}


# Functions of NumPy that have an ONNX form.


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
    size = graph.node("Abs", x)  # log of a small difference loses every digit
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
    """Apply a function of NumPy to every number."""
    write = FUNCTIONS.get(function)
    if write is None:
        known = ", ".join(f.__name__ for f in FUNCTIONS if f is not None)
        name = getattr(function, "__name__", repr(function))
        raise OnnxExportError(
            f"{type(owner).__name__}: the function {name} has no ONNX form. Those of"
            f" NumPy that have: {known}."
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
            " a function of NumPy without arguments."
        )


@rule("transform", Binarizer)
def _binarise(graph: Graph, model: Binarizer, table: Table) -> Table:
    x = table.matrix(graph)
    # NumPy rounds a number of Python's to float32 beside such rows, and none of its own.
    rounded = x.dtype == FLOAT and type(model.threshold) in (int, float)
    kind = FLOAT if rounded else DOUBLE
    above = graph.compare("Greater", graph.cast(x, kind), model.threshold)
    return Table.of(graph.cast(above, x.dtype), table.width)


@rule("transform", KBinsDiscretizer)
def _discretise(graph: Graph, model: KBinsDiscretizer, table: Table) -> Table:
    parts = []
    for j, column in enumerate(table.columns(graph)):
        edges = model.bin_edges_[j][1:-1]
        place = bins_of(graph, graph.cast(column, DOUBLE), edges)
        if model.encode == "ordinal":
            parts.append((graph.cast(graph.reshape(place, (-1, 1)), DOUBLE), 1))
        else:
            n_bins = len(edges) + 1
            rows = graph.constant(np.eye(n_bins))
            parts.append((graph.gather(rows, place), n_bins))
    out = Table(tuple(parts))
    dtype = real(table.dtype) if model.dtype is None else np.dtype(model.dtype)
    return Table.of(out.matrix(graph, dtype), out.width)


def bins_of(
    graph: Graph, x: Value, edges: np.ndarray, reached_by: str = "GreaterOrEqual"
) -> Value:
    """Count the edges that each number of ``x`` reaches, (n, 1) -> (n,).

    A few edges are compared all at once; among many the place is found by halving,
    so that memory does not grow with their number.
    """
    edges = np.asarray(edges, float)
    if len(edges) > _FEW:
        return _halving(graph, graph.reshape(x, (-1,)), edges, reached_by)
    if not len(edges):
        edges = np.array([np.inf])
    reached = graph.compare(reached_by, x, edges[None])
    return graph.sum(graph.cast(reached, INT), 1)


_FEW = 16


def _halving(graph: Graph, x: Value, edges: np.ndarray, reached_by: str) -> Value:
    steps = len(edges).bit_length()
    padded = np.full(2**steps, np.inf)
    padded[: len(edges)] = edges
    stored = graph.constant(padded, x.dtype)
    place = None
    for step in reversed(range(steps)):
        probe = graph.constant(np.int64(2**step - 1))
        if place is not None:
            probe = graph.node("Add", place, probe)
        reached = graph.compare(reached_by, x, graph.gather(stored, probe))
        gain = graph.math("Mul", graph.cast(reached, INT), 2**step)
        place = gain if place is None else graph.node("Add", place, gain)
    assert place is not None
    return place


def interpolate(
    graph: Graph,
    x: Value,
    xs: np.ndarray,
    ys: np.ndarray,
    ends: Any = None,
    reached_by: str = "GreaterOrEqual",
) -> Value:
    """Interpolate linearly between points, constant beyond them, (n,) -> (n,).

    Parameters
    ----------
    graph : Graph
    x : Value
    xs : ndarray of shape (n_points,)
        Increasing.
    ys : ndarray of shape (n_points,)
        Values at the points, and to the right of them.
    ends : ndarray of shape (n_points,), optional
        Values to the left of the points, where they differ.
    reached_by : str
        "Greater" where a number at a point belongs to the line on its left.
    """
    ends = ys if ends is None else ends
    if len(xs) < 2:
        xs, ys, ends = (np.append(v, v[-1]) for v in (xs, ys, ends))
        xs[1] += 1.0
    slopes = (ends[1:] - ys[:-1]) / np.diff(xs)
    given, x = x, graph.math("Min", graph.math("Max", x, xs[0]), xs[-1])
    place = bins_of(graph, graph.reshape(x, (-1, 1)), xs[1:-1], reached_by)
    slope, start, base = (
        graph.gather(graph.constant(v, x.dtype), place)
        for v in (slopes, xs[:-1], ys[:-1])
    )
    rise = graph.node("Mul", graph.node("Sub", x, start), slope)
    y = graph.node("Add", base, rise)
    for op, bound, value, other in (
        ("Less", xs[0], ends[0], ys[0]),
        ("GreaterOrEqual", xs[-1], ys[-1], ends[-1]),
    ):
        if value != other:
            beyond = graph.compare(op, given, bound)
            end = graph.constant(np.array([value]), x.dtype)
            y = graph.node("Where", beyond, end, y, dtype=x.dtype)
    return y
