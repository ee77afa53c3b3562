"""Rules of decision trees, forests and gradient boosting.

These trees round X to float32 and compare it with float64 thresholds. The graph does the
same: it casts rows to float32 and then to float64, so that onnxruntime compares with exact
thresholds. The output of onnxruntime's tree operator is float32, so it is used only for
the index of the leaf of each row. The values of the leaves are looked up, and summed tree
by tree in float64 as scikit-learn does. Ties in scikit-learn are then ties in the file too.
"""

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from onnx.numpy_helper import from_array
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    RandomTreesEmbedding,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sklearn_deep.exceptions import OnnxExportError
from sklearn_deep.export.graph._graph import DOUBLE, FLOAT, INT, Graph, Value
from sklearn_deep.export.graph._labels import labels_at
from sklearn_deep.export.graph._registry import apply, rule
from sklearn_deep.export.graph._scores import sigmoid, stack_columns
from sklearn_deep.export.graph._table import Table

_FOREST_CLASSIFIERS = RandomForestClassifier, ExtraTreesClassifier
_FOREST_REGRESSORS = RandomForestRegressor, ExtraTreesRegressor


class Splits(NamedTuple):
    """The nodes of a tree: arrays of shape (n_nodes,)."""

    left: np.ndarray
    right: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    missing_to_left: np.ndarray
    is_leaf: np.ndarray

    @classmethod
    def of(cls, tree: Any) -> "Splits":
        """Read a ``sklearn.tree._tree.Tree``."""
        return cls(
            tree.children_left,
            tree.children_right,
            tree.feature,
            tree.threshold,
            tree.missing_go_to_left,
            tree.children_left == -1,
        )


def leaves_of(graph: Graph, x: Value, trees: Sequence[Splits]) -> list[Value]:
    """Compute the leaf of each row in each tree.

    Parameters
    ----------
    graph : Graph
    x : Value
        Rows, in float64.
    trees : sequence of Splits

    Returns
    -------
    list of Value
        The index of the leaf in each tree, of shape (n,), int64.
    """
    leaves = [np.flatnonzero(tree.is_leaf) for tree in trees]
    owners = np.repeat(range(len(trees)), list(map(len, leaves)))
    numbers = np.concatenate(leaves)
    found = graph.ml_node(
        "TreeEnsembleRegressor",
        x,
        dtype=FLOAT,  # exact for integers up to 2**24
        n_targets=len(trees),
        post_transform="NONE",
        **_nodes(trees),
        target_treeids=owners,
        target_nodeids=numbers,
        target_ids=owners,
        target_weights_as_tensor=from_array(numbers.astype(float)),
    )
    indices = graph.cast(found, INT)
    return [graph.column(indices, k) for k in range(len(trees))]


def _nodes(trees: Sequence[Splits]) -> dict[str, Any]:
    """Node attributes of a TreeEnsembleRegressor for the splits of all trees."""
    sizes = [len(tree.is_leaf) for tree in trees]
    joined = Splits(*map(np.concatenate, zip(*trees, strict=True)))
    numbers = {
        "nodes_featureids": joined.feature,
        "nodes_truenodeids": joined.left,
        "nodes_falsenodeids": joined.right,
        "nodes_missing_value_tracks_true": joined.missing_to_left,
    }
    threshold = np.where(joined.is_leaf, 0.0, joined.threshold)
    return {
        "nodes_treeids": np.repeat(range(len(trees)), sizes),
        "nodes_nodeids": np.concatenate([np.arange(size) for size in sizes]),
        "nodes_modes": ["LEAF" if leaf else "BRANCH_LEQ" for leaf in joined.is_leaf],
        "nodes_values_as_tensor": from_array(threshold),
        **{
            name: np.where(joined.is_leaf, 0, column).astype(np.int64)
            for name, column in numbers.items()
        },
    }


def sum_of_leaves(
    graph: Graph, leaves: Sequence[Value], values: Sequence[np.ndarray]
) -> Value:
    """Sum the values of the leaves of some trees, in their order.

    Parameters
    ----------
    graph : Graph
    leaves : sequence of Value of shape (n,)
        The leaf of each tree.
    values : sequence of ndarray of shape (n_nodes, n_targets)
        Values of the nodes of each tree.

    Returns
    -------
    Value
        Of shape (n, n_targets), in float64.
    """
    parts = [
        graph.gather(graph.constant(v, DOUBLE), leaf)
        for v, leaf in zip(values, leaves, strict=True)
    ]
    total = parts[0]
    for part in parts[1:]:
        total = graph.node("Add", total, part)
    return total


def _leaves(graph: Graph, table: Table, trees: Sequence[Any]) -> list[Value]:
    """Compute the leaves in scikit-learn's trees, for X rounded to float32."""
    x = graph.cast(graph.cast(table.matrix(graph), FLOAT), DOUBLE)
    return leaves_of(graph, x, [Splits.of(tree) for tree in trees])


# Trees and forests: the mean over trees


def _members(model: Any) -> list[Any]:
    members = getattr(model, "estimators_", [model])
    return [member.tree_ for member in np.ravel(members)]


def _mean_of_leaves(graph: Graph, model: Any, table: Table) -> Value:
    """Compute the mean of the leaf values over trees, (n, n_values)."""
    trees = _members(model)
    values = [tree.value.reshape(tree.node_count, -1) for tree in trees]
    total = sum_of_leaves(graph, _leaves(graph, table, trees), values)
    return total if len(trees) == 1 else graph.math("Div", total, float(len(trees)))


@rule("predict", DecisionTreeRegressor, *_FOREST_REGRESSORS)
def _predict_numbers(graph: Graph, model: Any, table: Table) -> Value:
    y = _mean_of_leaves(graph, model, table)
    return graph.column(y, 0) if model.n_outputs_ == 1 else y


@rule("predict_proba", DecisionTreeClassifier, *_FOREST_CLASSIFIERS)
def _predict_proba(graph: Graph, model: Any, table: Table) -> Value | list[Value]:
    shares = _mean_of_leaves(graph, model, table)
    if model.n_outputs_ == 1:
        return shares
    widest = max(model.n_classes_)  # number of columns of each output in a tree
    indices = [
        graph.constant(np.arange(k * widest, k * widest + n))
        for k, n in enumerate(model.n_classes_)
    ]
    return [graph.node("Gather", shares, index, axis=1) for index in indices]


@rule("predict", DecisionTreeClassifier, *_FOREST_CLASSIFIERS)
def _predict_labels(graph: Graph, model: Any, table: Table) -> Value:
    shares = apply(graph, model, "predict_proba", table)
    if model.n_outputs_ == 1:
        return labels_at(graph, model.classes_, graph.argmax(shares))
    columns = [
        labels_at(graph, classes, graph.argmax(part))
        for classes, part in zip(model.classes_, shares, strict=True)
    ]
    return stack_columns(graph, columns)


@rule("transform", RandomTreesEmbedding)
def _embed(graph: Graph, model: RandomTreesEmbedding, table: Table) -> Table:
    leaves = stack_columns(graph, _leaves(graph, table, _members(model)))
    of_trees = Table.of(leaves, len(model.estimators_))
    return apply(graph, model.one_hot_encoder_, "transform", of_trees)


# Gradient boosting: an initial prediction and a sum of trees


@rule("decision_function", GradientBoostingClassifier)
def _boosted_scores(graph: Graph, model: Any, table: Table) -> Value:
    if model.init is not None and model.init != "zero":
        raise OnnxExportError(
            f"GradientBoostingClassifier(init={model.init!r}) has no ONNX form: the"
            " initial prediction is an estimator. Use init=None or init='zero'."
        )
    raw = _boosted(graph, model, table, model.decision_function)
    return graph.column(raw, 0) if len(model.classes_) == 2 else raw


@rule("predict_proba", GradientBoostingClassifier)
def _boosted_proba(graph: Graph, model: Any, table: Table) -> Value:
    scores = apply(graph, model, "decision_function", table)
    if len(model.classes_) > 2:
        return graph.node("Softmax", scores, axis=1)
    if model.loss == "exponential":
        scores = graph.math("Mul", scores, 2.0)
    second = sigmoid(graph, scores)
    first = graph.math("Add", graph.node("Neg", second), 1.0)
    return stack_columns(graph, [first, second])


@rule("predict", GradientBoostingClassifier)
def _boosted_labels(graph: Graph, model: Any, table: Table) -> Value:
    scores = apply(graph, model, "decision_function", table)
    if len(model.classes_) > 2:
        return labels_at(graph, model.classes_, graph.argmax(scores))
    second = graph.cast(graph.compare("GreaterOrEqual", scores, 0.0), INT)
    return labels_at(graph, model.classes_, second)


@rule("predict", GradientBoostingRegressor)
def _boosted_numbers(graph: Graph, model: Any, table: Table) -> Value:
    y = graph.column(_boosted(graph, model, table, model.predict), 0)
    if model.init is None or model.init == "zero":
        return y
    first = graph.cast(apply(graph, model.init_, "predict", table), DOUBLE)
    return graph.node("Add", y, graph.reshape(first, (-1,)))


def _boosted(graph: Graph, model: Any, table: Table, predict: Any) -> Value:
    """Sum of the trees, (n, n_scores), with a constant initial prediction."""
    members = model.estimators_  # (n_stages, n_scores)
    trees = [member.tree_ for member in members.ravel()]
    steps = [model.learning_rate * tree.value[:, :, 0] for tree in trees]
    leaves = _leaves(graph, table, trees)
    n_scores = members.shape[1]
    first = _first_guess(model, predict, trees, steps)
    columns = []
    for k in range(n_scores):
        own = [step.copy() for step in steps[k::n_scores]]
        own[0] += first[k]  # first, in the order in which scikit-learn adds
        columns.append(sum_of_leaves(graph, leaves[k::n_scores], own))
    return graph.concat(columns)


def _first_guess(
    model: Any, predict: Any, trees: Sequence[Any], steps: Sequence[np.ndarray]
) -> np.ndarray:
    """Initial prediction, derived from the prediction for one row; (n_scores,)."""
    n_scores = model.estimators_.shape[1]
    if model.init is not None:  # zero, or an estimator
        return np.zeros(n_scores)
    row = np.zeros((1, model.n_features_in_), np.float32)
    at = [step[tree.apply(row)[0], 0] for tree, step in zip(trees, steps, strict=True)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about missing feature names
        return np.ravel(predict(row)) - np.reshape(at, (-1, n_scores)).sum(0)
