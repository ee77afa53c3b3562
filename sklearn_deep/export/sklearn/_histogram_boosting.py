"""Rules of histogram-based gradient boosting, whose trees compare in float64."""

from typing import Any

import numpy as np
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)

from sklearn_deep.exceptions import OnnxExportError
from sklearn_deep.export.graph._graph import DOUBLE, INT, Graph, Value
from sklearn_deep.export.graph._labels import labels_at
from sklearn_deep.export.graph._registry import apply, rule
from sklearn_deep.export.graph._scores import sigmoid, stack_columns
from sklearn_deep.export.graph._table import Table
from sklearn_deep.export.sklearn._trees import Splits, leaves_of, sum_of_leaves
from sklearn_deep.private._sklearn import first_raw_prediction, histogram_trees

# Operators from raw scores to predictions, by the loss of a regressor.
_LINKS = {"poisson": "Exp", "gamma": "Exp"}


def _raw(graph: Graph, model: Any, table: Table) -> Value:
    """Sum the leaf values of all trees, (n, n_scores)."""
    if model.is_categorical_ is not None:
        raise OnnxExportError(
            f"{type(model).__name__} with categorical_features has no ONNX form. Encode"
            " the categories before it, e.g. with a OneHotEncoder."
        )
    rounds = histogram_trees(model)
    trees = [nodes for each in rounds for nodes in each]
    leaves = leaves_of(graph, table.matrix(graph, DOUBLE), list(map(_splits, trees)))
    first = np.ravel(first_raw_prediction(model))
    n_scores = len(rounds[0])
    columns = []
    for k in range(n_scores):
        values = [nodes["value"][:, None].astype(float) for nodes in trees[k::n_scores]]
        values[0] = values[0] + first[k]
        columns.append(sum_of_leaves(graph, leaves[k::n_scores], values))
    return graph.concat(columns)


def _splits(nodes: np.ndarray) -> Splits:
    return Splits(
        nodes["left"],
        nodes["right"],
        nodes["feature_idx"],
        nodes["num_threshold"],
        nodes["missing_go_to_left"],
        nodes["is_leaf"].astype(bool),
    )


@rule("predict", HistGradientBoostingRegressor)
def _predict(graph: Graph, model: Any, table: Table) -> Value:
    y = graph.column(_raw(graph, model, table), 0)
    return graph.node(_LINKS[model.loss], y) if model.loss in _LINKS else y


@rule("decision_function", HistGradientBoostingClassifier)
def _decision(graph: Graph, model: Any, table: Table) -> Value:
    raw = _raw(graph, model, table)
    return graph.column(raw, 0) if len(model.classes_) == 2 else raw


@rule("predict_proba", HistGradientBoostingClassifier)
def _proba(graph: Graph, model: Any, table: Table) -> Value:
    scores = apply(graph, model, "decision_function", table)
    if len(model.classes_) > 2:
        return graph.node("Softmax", scores, axis=1)
    second = sigmoid(graph, scores)
    first = graph.math("Add", graph.node("Neg", second), 1.0)
    return stack_columns(graph, [first, second])


@rule("predict", HistGradientBoostingClassifier)
def _labels(graph: Graph, model: Any, table: Table) -> Value:
    scores = apply(graph, model, "decision_function", table)
    if len(model.classes_) == 2:
        index = graph.cast(graph.compare("Greater", scores, 0.0), INT)
    else:
        index = graph.argmax(scores)
    return labels_at(graph, model.classes_, index)
