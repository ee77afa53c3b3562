"""Scores of classifiers, and operations on scores, for rules of meta-estimators."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import is_regressor

from sklearn_deep.exceptions import OnnxExportError
from sklearn_deep.export.graph._graph import DOUBLE, INT, STRING, Graph, Value
from sklearn_deep.export.graph._labels import label_dtype
from sklearn_deep.export.graph._registry import apply
from sklearn_deep.export.graph._table import Table


def response(
    graph: Graph, model: Any, methods: str | Sequence[str], table: Table
) -> tuple[Value, str]:
    """Apply the first method that the estimator has; returns float64 and its name."""
    methods = [methods] if isinstance(methods, str) else list(methods)
    method = next((m for m in methods if hasattr(model, m)), None)
    if method is None:
        raise OnnxExportError(f"{type(model).__name__} has none of {methods}.")
    return graph.cast(apply(graph, model, method, table), DOUBLE), method


def positive_score(graph: Graph, model: Any, table: Table) -> Value:
    """Score of the second class of a binary estimator, (n,)."""
    if is_constant(model):
        return full_column(graph, table, float(model.y_[0]))
    if is_regressor(model):
        return graph.cast(apply(graph, model, "predict", table), DOUBLE)
    scores, method = response(
        graph, model, ("decision_function", "predict_proba"), table
    )
    return graph.column(scores, 1) if method == "predict_proba" else scores


def positive_probability(graph: Graph, model: Any, table: Table) -> Value:
    """Probability of the second class of a binary classifier, (n,)."""
    if is_constant(model):
        return full_column(graph, table, float(model.y_[0]))
    return graph.column(response(graph, model, "predict_proba", table)[0], 1)


def is_constant(model: Any) -> bool:
    """Tell whether a classifier is a constant: every row of its fit had one class."""
    return hasattr(model, "y_") and not hasattr(model, "classes_")


def binary_threshold(model: Any) -> float:
    """Score above which a binary estimator predicts the second class."""
    return (
        0.0 if hasattr(model, "decision_function") and not is_regressor(model) else 0.5
    )


def full_column(graph: Graph, table: Table, number: float) -> Value:
    """Repeat a number for each row, (n,)."""
    first = graph.node("Shape", table.blocks[0][0], dtype=INT, start=0, end=1)
    return graph.node("Expand", graph.constant(np.array([number])), first)


def stack_columns(graph: Graph, columns: Sequence[Value]) -> Value:
    """Stack values of shape (n,) as columns, (n, k)."""
    return graph.concat([graph.reshape(column, (-1, 1)) for column in columns])


def mean(graph: Graph, values: Sequence[Value], weights: Any = None) -> Value:
    """Average values of equal shape."""
    total = weighted_sum(graph, values, weights)
    divisor = len(values) if weights is None else np.sum(np.asarray(weights, float))
    return graph.math("Div", total, float(divisor))


def weighted_sum(graph: Graph, values: Sequence[Value], weights: Any = None) -> Value:
    """Sum values of equal shape, from the first to the last, as NumPy does.

    Votes that are tied in scikit-learn are then tied in the file too.
    """
    parts = list(values)
    if weights is not None:
        pairs = zip(values, weights, strict=True)
        parts = [graph.math("Mul", value, weight) for value, weight in pairs]
    total = parts[0]
    for part in parts[1:]:
        total = graph.node("Add", total, part)
    return total


def sigmoid(graph: Graph, logits: Value) -> Value:
    """Compute probabilities from logits, exactly also if they are small.

    onnxruntime's Sigmoid gives 0 for logits below -37, and few correct digits below -18,
    which matters if the probabilities are then divided by their sum.
    """
    odds = graph.node("Exp", graph.node("Neg", logits))
    return graph.node("Reciprocal", graph.math("Add", odds, 1.0))


def one_hot(graph: Graph, labels: Value, classes: np.ndarray) -> Value:
    """One-hot encode labels, (n,) -> (n, n_classes)."""
    classes = np.asarray(classes)
    if label_dtype(classes) == STRING:
        indices = graph.ml_node(
            "LabelEncoder",
            labels,
            dtype=INT,
            keys_strings=[str(c) for c in classes],
            values_int64s=list(range(len(classes))),
            default_int64=-1,
        )
        labels, classes = indices, np.arange(len(classes))
    column = graph.cast(graph.reshape(labels, (-1, 1)), DOUBLE)
    marks = graph.compare("Equal", column, classes.astype(float)[None])
    return graph.cast(marks, DOUBLE)


def normalised(
    graph: Graph,
    scores: Value,
    *,
    otherwise_uniform: int = 0,
    next_to_zero: float = 0.0,
) -> Value:
    """Divide rows by their sums; rows of zeros stay zero, or become uniform.

    A sum of at most ``next_to_zero`` counts as zero, where rounding decides which it is.
    """
    total = graph.sum(scores, 1, keepdims=True)
    empty = graph.compare("LessOrEqual", total, next_to_zero)
    one = graph.constant(np.ones((1, 1)), total.dtype)
    safe = graph.node("Where", empty, one, total, dtype=total.dtype)
    shares = graph.node("Div", scores, safe)
    if not otherwise_uniform:
        return shares
    equal = np.full((1, otherwise_uniform), 1 / otherwise_uniform)
    uniform = graph.constant(equal, shares.dtype)
    return graph.node("Where", empty, uniform, shares, dtype=shares.dtype)
