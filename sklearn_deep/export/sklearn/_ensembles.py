"""Rules of ensembles: voting, stacking, bagging, boosting."""

from typing import Any

import numpy as np
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)

from sklearn_deep.exceptions import OnnxExportError
from sklearn_deep.export.graph._graph import BOOL, DOUBLE, INT, Graph, Value
from sklearn_deep.export.graph._labels import labels_at
from sklearn_deep.export.graph._limits import skip_probing
from sklearn_deep.export.graph._registry import apply, rule
from sklearn_deep.export.graph._scores import (
    mean,
    one_hot,
    response,
    stack_columns,
    weighted_sum,
)
from sklearn_deep.export.graph._table import Table

# Boosting validates X itself; these pass it on.
skip_probing(
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)


def _predictions(graph: Graph, models: Any, table: Table) -> list[Value]:
    return [graph.cast(apply(graph, m, "predict", table), DOUBLE) for m in models]


# Voting


def _voting_weights(model: Any) -> Any:
    if model.weights is None:
        return None
    return [
        weight
        for (_, estimator), weight in zip(model.estimators, model.weights, strict=True)
        if not (isinstance(estimator, str) and estimator == "drop")
    ]


@rule("predict_proba", VotingClassifier)
def _soft_votes(graph: Graph, model: VotingClassifier, table: Table) -> Value:
    votes = [response(graph, m, "predict_proba", table)[0] for m in model.estimators_]
    return mean(graph, votes, _voting_weights(model))


@rule("predict", VotingClassifier)
def _vote(graph: Graph, model: VotingClassifier, table: Table) -> Value:
    if model.voting == "soft":
        votes = apply(graph, model, "predict_proba", table)
    else:
        votes = _hard_votes(graph, model, table)
    return labels_at(graph, model.classes_, graph.argmax(votes))


def _hard_votes(graph: Graph, model: VotingClassifier, table: Table) -> Value:
    # The members were fitted on class indices.
    codes = np.arange(len(model.classes_))
    votes = [
        one_hot(graph, apply(graph, m, "predict", table), codes)
        for m in model.estimators_
    ]
    return weighted_sum(graph, votes, _voting_weights(model))


@rule("predict", VotingRegressor)
def _average(graph: Graph, model: VotingRegressor, table: Table) -> Value:
    members = _predictions(graph, model.estimators_, table)
    return mean(graph, members, _voting_weights(model))


@rule("transform", VotingClassifier)
def _votes_side_by_side(graph: Graph, model: VotingClassifier, table: Table) -> Table:
    if model.voting == "hard":
        codes = [apply(graph, m, "predict", table) for m in model.estimators_]
        return Table.of(stack_columns(graph, codes), len(codes))
    if not model.flatten_transform:
        raise OnnxExportError(
            "VotingClassifier(flatten_transform=False) gives a 3-D array,"
            " which has no ONNX form as a step. Set flatten_transform=True."
        )
    votes = [response(graph, m, "predict_proba", table)[0] for m in model.estimators_]
    return Table.of(graph.concat(votes), len(votes) * len(model.classes_))


@rule("transform", VotingRegressor)
def _numbers_side_by_side(graph: Graph, model: VotingRegressor, table: Table) -> Table:
    members = _predictions(graph, model.estimators_, table)
    return Table.of(stack_columns(graph, members), len(members))


# Stacking


@rule("transform", StackingClassifier, StackingRegressor)
def _stack(graph: Graph, model: Any, table: Table) -> Table:
    if isinstance(getattr(model, "classes_", None), list):
        raise OnnxExportError(
            "StackingClassifier on multilabel targets has no ONNX form. Stack each"
            " label by itself, in a MultiOutputClassifier."
        )
    binary = len(getattr(model, "classes_", ())) == 2
    members = [
        _member(graph, estimator, method, binary, table)
        for estimator, method in zip(
            model.estimators_, model.stack_method_, strict=True
        )
    ]
    if model.passthrough:
        members.append(table)
    joined = Table.join(members)
    return Table.of(joined.matrix(graph), joined.width)


def _member(
    graph: Graph, estimator: Any, method: str, binary: bool, table: Table
) -> Table:
    scores = graph.cast(apply(graph, estimator, method, table), DOUBLE)
    if method == "predict_proba":
        if binary:  # scikit-learn drops the redundant first column
            return _as_column(graph, graph.column(scores, 1))
        return Table.of(scores, len(estimator.classes_))
    if method == "decision_function" and not binary:
        return Table.of(scores, len(estimator.classes_))
    return _as_column(graph, scores)


def _as_column(graph: Graph, scores: Value) -> Table:
    return Table.of(graph.reshape(scores, (-1, 1)), 1)


@rule("predict_proba", StackingClassifier)
def _stacked_proba(graph: Graph, model: StackingClassifier, table: Table) -> Value:
    return _final(graph, model, "predict_proba", table)


@rule("decision_function", StackingClassifier)
def _stacked_decision(graph: Graph, model: StackingClassifier, table: Table) -> Value:
    return _final(graph, model, "decision_function", table)


@rule("predict", StackingClassifier)
def _stacked_labels(graph: Graph, model: StackingClassifier, table: Table) -> Value:
    # The final estimator was fitted on class indices.
    return labels_at(graph, model.classes_, _final(graph, model, "predict", table))


@rule("predict", StackingRegressor)
def _stacked_numbers(graph: Graph, model: StackingRegressor, table: Table) -> Value:
    return _final(graph, model, "predict", table)


def _final(graph: Graph, model: Any, method: str, table: Table) -> Value:
    features = apply(graph, model, "transform", table)
    return apply(graph, model.final_estimator_, method, features)


# Bagging


def _bags(graph: Graph, model: Any, table: Table) -> list[tuple[Any, Table]]:
    return [
        (estimator, table.select(graph, [int(j) for j in features]))
        for estimator, features in zip(
            model.estimators_, model.estimators_features_, strict=True
        )
    ]


@rule("predict_proba", BaggingClassifier)
def _bagged_proba(graph: Graph, model: BaggingClassifier, table: Table) -> Value:
    codes = np.arange(len(model.classes_))
    votes = []
    for estimator, part in _bags(graph, model, table):
        if hasattr(estimator, "predict_proba"):
            probabilities, _ = response(graph, estimator, "predict_proba", part)
            seen = np.asarray(estimator.classes_, int)
            if len(seen) < len(codes):  # classes missing in the bag get 0
                indices = graph.constant(np.eye(len(codes))[seen])
                probabilities = graph.node("MatMul", probabilities, indices)
            votes.append(probabilities)
        else:
            votes.append(
                one_hot(graph, apply(graph, estimator, "predict", part), codes)
            )
    return mean(graph, votes)


@rule("predict", BaggingClassifier)
def _bagged_labels(graph: Graph, model: BaggingClassifier, table: Table) -> Value:
    votes = apply(graph, model, "predict_proba", table)
    return labels_at(graph, model.classes_, graph.argmax(votes))


@rule("predict", BaggingRegressor)
def _bagged_numbers(graph: Graph, model: BaggingRegressor, table: Table) -> Value:
    return mean(
        graph,
        [
            graph.cast(apply(graph, estimator, "predict", part), DOUBLE)
            for estimator, part in _bags(graph, model, table)
        ],
    )


# AdaBoost


@rule("decision_function", AdaBoostClassifier)
def _boosted_decision(graph: Graph, model: AdaBoostClassifier, table: Table) -> Value:
    n_classes, weights = len(model.classes_), model.estimator_weights_
    total = None
    for estimator, weight in zip(model.estimators_, weights, strict=False):
        labels = apply(graph, estimator, "predict", table)
        hit = graph.cast(one_hot(graph, labels, model.classes_), BOOL)
        sides = [weight, -1 / (n_classes - 1) * weight]
        sides = [graph.constant(np.array([[side]])) for side in sides]
        vote = graph.node("Where", hit, *sides, dtype=DOUBLE)
        total = vote if total is None else graph.node("Add", total, vote)
    assert total is not None
    decision = graph.math("Div", total, weights.sum())
    if n_classes > 2:
        return decision
    return graph.sum(graph.math("Mul", decision, np.array([[-1.0, 1.0]])), 1)


@rule("predict_proba", AdaBoostClassifier)
def _boosted_proba(graph: Graph, model: AdaBoostClassifier, table: Table) -> Value:
    decision, n_classes = (
        apply(graph, model, "decision_function", table),
        model.n_classes_,
    )
    if n_classes == 2:
        decision = stack_columns(graph, [graph.node("Neg", decision), decision])
        decision = graph.math("Div", decision, 2.0)
    else:
        decision = graph.math("Div", decision, n_classes - 1.0)
    return graph.node("Softmax", decision, axis=1)


@rule("predict", AdaBoostClassifier)
def _boosted_labels(graph: Graph, model: AdaBoostClassifier, table: Table) -> Value:
    decision = apply(graph, model, "decision_function", table)
    if model.n_classes_ == 2:
        index = graph.cast(graph.compare("Greater", decision, 0.0), INT)
    else:
        index = graph.argmax(decision)
    return labels_at(graph, model.classes_, index)


@rule("predict", AdaBoostRegressor)
def _weighted_median(graph: Graph, model: AdaBoostRegressor, table: Table) -> Value:
    members = stack_columns(graph, _predictions(graph, model.estimators_, table))
    n_members = len(model.estimators_)
    weights = model.estimator_weights_[:n_members]
    ascending, order = _sorted(graph, members, n_members)
    shares = graph.gather(graph.constant(weights.astype(float)), order)
    mass = graph.node("CumSum", shares, graph.constant(np.int64(1)))
    half = graph.math("Mul", graph.column(mass, n_members - 1), 0.5)
    reached = graph.compare("GreaterOrEqual", mass, graph.reshape(half, (-1, 1)))
    index = graph.reshape(graph.argmax(graph.cast(reached, INT)), (-1, 1))
    return graph.column(graph.node("GatherElements", ascending, index, axis=1), 0)


def _sorted(graph: Graph, values: Value, width: int) -> tuple[Value, Value]:
    """Sort each row in ascending order; also return the original indices."""
    return graph.node_of_two(
        "TopK",
        values,
        graph.constant(np.array([width], np.int64)),
        dtypes=(values.dtype, INT),
        axis=1,
        largest=0,
        sorted=1,
    )
