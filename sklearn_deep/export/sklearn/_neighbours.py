"""Rule of ``KNNImputer``, which averages the nearest rows of the fit."""

from typing import Any

import numpy as np
from sklearn.impute import KNNImputer

from sklearn_deep.exceptions import OnnxExportError
from sklearn_deep.export.graph._graph import BOOL, DOUBLE, INT, Graph, Value, real
from sklearn_deep.export.graph._registry import apply, rule
from sklearn_deep.export.graph._table import Table
from sklearn_deep.export.sklearn._imputers import where_equal
from sklearn_deep.private._sklearn import imputer_rows


@rule("transform", KNNImputer)
def _impute(graph: Graph, model: KNNImputer, table: Table) -> Table:
    _check(model)
    x = table.matrix(graph, DOUBLE)
    absent = where_equal(graph, x, model.missing_values)
    distances = _distances(graph, model, x, absent)
    parts = Table.of(x, table.width).columns(graph)
    gaps = Table.of(absent, table.width).columns(graph)
    columns = []
    known = _known_rows(model)
    for j, donors in enumerate(~np.isnan(known.T)):
        if donors.any():
            filled = _mean_of_donors(graph, model, known[:, j], distances)
            column = graph.node("Where", gaps[j], filled, parts[j], dtype=DOUBLE)
            columns.append(column)
        elif model.keep_empty_features:
            columns.append(graph.math("Mul", graph.cast(gaps[j], DOUBLE), 0.0))
    dtype = real(table.dtype)
    out = Table.of(graph.cast(graph.concat(columns), dtype), len(columns))
    if not model.add_indicator:
        return out
    marks = apply(graph, model.indicator_, "transform", table)
    out = Table.join([out, marks])
    return Table.of(out.matrix(graph, dtype), out.width)


def _check(model: KNNImputer) -> None:
    if model.metric != "nan_euclidean" or callable(model.weights):
        raise OnnxExportError(
            f"KNNImputer(weights={model.weights!r}, metric={model.metric!r}) has no ONNX"
            " form: functions of your own cannot be written. Use weights='uniform' or"
            " 'distance', and metric='nan_euclidean'."
        )


def _known_rows(model: KNNImputer) -> np.ndarray:
    """The rows of the fit, with NaN for what they lack."""
    rows = np.asarray(imputer_rows(model), float)
    return np.where(rows == model.missing_values, np.nan, rows)


def _distances(graph: Graph, model: KNNImputer, x: Value, absent: Value) -> Value:
    """Distances to the rows of the fit over the features that both have, (n, n_fit).

    They are scaled to the number of features; infinite if two rows share no feature.
    """
    known = graph.constant(_known_rows(model).T)
    no_value = graph.node("IsNaN", known, dtype=BOOL)
    known_present = graph.cast(graph.node("Not", no_value), DOUBLE)
    known = _without(graph, no_value, known)
    present = graph.cast(graph.node("Not", absent), DOUBLE)
    x = _without(graph, absent, x)
    product = graph.math("Mul", graph.node("MatMul", x, known), -2.0)
    squares = graph.node(
        "Sum",
        graph.node("MatMul", graph.node("Mul", x, x), known_present),
        product,
        graph.node("MatMul", present, graph.node("Mul", known, known)),
    )
    shared = graph.node("MatMul", present, known_present)
    scaled = graph.math("Mul", graph.math("Max", squares, 0.0), model.n_features_in_)
    distances = graph.node("Sqrt", graph.node("Div", scaled, shared))
    infinite = graph.constant(np.array(np.inf))
    none = graph.compare("Equal", shared, 0.0)
    return graph.node("Where", none, infinite, distances, dtype=DOUBLE)


def _without(graph: Graph, absent: Value, x: Value) -> Value:
    return graph.node("Where", absent, graph.constant(np.array(0.0)), x, dtype=DOUBLE)


def _mean_of_donors(
    graph: Graph, model: Any, known: np.ndarray, distances: Value
) -> Value:
    """Mean of a column over the nearest rows that have a value in it, (n, 1)."""
    donors = np.flatnonzero(~np.isnan(known))
    values = known[donors]
    among = graph.node("Gather", distances, graph.constant(donors), axis=1)
    k = graph.constant(np.array([min(model.n_neighbors, len(donors))], np.int64))
    near, indices = graph.node_of_two(
        "TopK", among, k, dtypes=(DOUBLE, INT), axis=1, largest=0
    )
    weights = _weights(graph, model, near)
    total = graph.sum(weights, 1, keepdims=True)
    nearest = graph.gather(graph.constant(values), indices)
    mean = graph.sum(graph.node("Mul", weights, nearest), 1, keepdims=True)
    # A row that shares no feature with any donor gets the mean of the column.
    none = graph.compare("Equal", total, 0.0)
    overall = graph.constant(np.array([[values.mean()]]))
    mean = graph.node("Div", mean, total)
    return graph.node("Where", none, overall, mean, dtype=DOUBLE)


def _weights(graph: Graph, model: Any, near: Value) -> Value:
    if model.weights in (None, "uniform"):
        finite = graph.node("Not", graph.node("IsInf", near, dtype=BOOL))
        return graph.cast(finite, DOUBLE)
    same = graph.cast(graph.compare("Equal", near, 0.0), DOUBLE)
    any_same = graph.cast(graph.max(same, [1], True), BOOL)
    return graph.node(
        "Where", any_same, same, graph.node("Reciprocal", near), dtype=DOUBLE
    )
