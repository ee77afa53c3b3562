"""Rules of meta-estimators that split a problem by class, pair of classes or target."""

from itertools import combinations
from typing import Any

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.multiclass import (
    OneVsOneClassifier,
    OneVsRestClassifier,
    OutputCodeClassifier,
)
from sklearn.multioutput import (
    ClassifierChain,
    MultiOutputClassifier,
    MultiOutputRegressor,
    RegressorChain,
)

from sklearn_deep.exceptions import OnnxExportError
from sklearn_deep.export.graph._graph import DOUBLE, INT, STRING, Graph, Value
from sklearn_deep.export.graph._labels import labels_at
from sklearn_deep.export.graph._limits import skip_probing
from sklearn_deep.export.graph._registry import apply, rule
from sklearn_deep.export.graph._scores import (
    binary_threshold,
    normalised,
    positive_probability,
    positive_score,
    response,
    stack_columns,
)
from sklearn_deep.export.graph._table import Table
from sklearn_deep.export.networks._networks import has_several_quantiles
from sklearn_deep.export.sklearn._composition import final_estimator
from sklearn_deep.private._sklearn import n_target_axes

skip_probing(
    MultiOutputClassifier,
    MultiOutputRegressor,
    OneVsOneClassifier,
    OneVsRestClassifier,
    TransformedTargetRegressor,
)

# One estimator per class


def _scores(graph: Graph, model: OneVsRestClassifier, table: Table) -> Value:
    return stack_columns(
        graph, [positive_score(graph, part, table) for part in model.estimators_]
    )


@rule("predict", OneVsRestClassifier)
def _one_vs_rest(graph: Graph, model: OneVsRestClassifier, table: Table) -> Value:
    scores = _scores(graph, model, table)
    if len(model.estimators_) > 1 and not model.multilabel_:
        return labels_at(graph, model.classes_, graph.argmax(scores))
    threshold = binary_threshold(model.estimators_[0])
    above = graph.cast(graph.compare("Greater", scores, threshold), INT)
    if model.multilabel_:
        return above
    return labels_at(graph, model.classes_, graph.column(above, 0))


@rule("predict_proba", OneVsRestClassifier)
def _one_vs_rest_proba(graph: Graph, model: Any, table: Table) -> Value:
    columns = [positive_probability(graph, part, table) for part in model.estimators_]
    if len(columns) == 1:
        columns.insert(0, graph.math("Add", graph.node("Neg", columns[0]), 1.0))
    shares = stack_columns(graph, columns)
    return shares if model.multilabel_ else normalised(graph, shares)


@rule("decision_function", OneVsRestClassifier)
def _one_vs_rest_decision(graph: Graph, model: Any, table: Table) -> Value:
    scores = _scores(graph, model, table)
    return graph.column(scores, 0) if len(model.estimators_) == 1 else scores


# One estimator per pair of classes


@rule("decision_function", OneVsOneClassifier)
def _one_vs_one(graph: Graph, model: OneVsOneClassifier, table: Table) -> Value:
    if model.pairwise_indices_ is not None:
        raise OnnxExportError(
            "OneVsOneClassifier on precomputed kernels has no ONNX form."
        )
    n_classes = len(model.classes_)
    pairs = list(combinations(range(n_classes), 2))
    members = model.estimators_
    confidences = stack_columns(
        graph, [positive_score(graph, m, table) for m in members]
    )
    predicted = stack_columns(
        graph,
        [graph.cast(apply(graph, m, "predict", table), DOUBLE) for m in members],
    )
    first, second = np.zeros((2, len(pairs), n_classes))
    for k, (i, j) in enumerate(pairs):
        first[k, i], second[k, j] = 1, 1
    # A regressor that predicts neither 0 nor 1 votes for no class.
    sides = [
        graph.node(
            "MatMul",
            graph.cast(graph.compare("Equal", predicted, float(side)), DOUBLE),
            graph.constant(votes_for),
        )
        for side, votes_for in ((0, first), (1, second))
    ]
    votes = graph.node("Add", *sides)
    total = graph.node("MatMul", confidences, graph.constant(second - first))
    bound = graph.math("Mul", graph.math("Add", graph.node("Abs", total), 1.0), 3.0)
    decision = graph.node("Add", votes, graph.node("Div", total, bound))
    return graph.column(decision, 1) if n_classes == 2 else decision


@rule("predict", OneVsOneClassifier)
def _one_vs_one_labels(graph: Graph, model: OneVsOneClassifier, table: Table) -> Value:
    decision = apply(graph, model, "decision_function", table)
    if len(model.classes_) == 2:
        threshold = binary_threshold(model.estimators_[0])
        index = graph.cast(graph.compare("Greater", decision, threshold), INT)
    else:
        index = graph.argmax(decision)
    return labels_at(graph, model.classes_, index)


# One estimator per target


@rule("predict", MultiOutputRegressor)
def _numbers_each(graph: Graph, model: MultiOutputRegressor, table: Table) -> Value:
    columns = [apply(graph, part, "predict", table) for part in model.estimators_]
    return stack_columns(graph, [graph.cast(column, DOUBLE) for column in columns])


@rule("predict", MultiOutputClassifier)
def _labels_each(graph: Graph, model: MultiOutputClassifier, table: Table) -> Value:
    columns = [apply(graph, part, "predict", table) for part in model.estimators_]
    kinds = {column.dtype for column in columns}
    if len(kinds) > 1:
        if STRING in kinds:
            raise OnnxExportError(
                "MultiOutputClassifier: targets of strings and of numbers have no"
                " common ONNX form. Use labels of one type for all targets."
            )
        columns = [graph.cast(column, DOUBLE) for column in columns]
    return stack_columns(graph, columns)


@rule("predict_proba", MultiOutputClassifier)
def _probabilities_each(graph: Graph, model: Any, table: Table) -> list[Value]:
    return [
        response(graph, part, "predict_proba", table)[0] for part in model.estimators_
    ]


# A transformed target


@rule("predict", TransformedTargetRegressor)
def _transformed_target(graph: Graph, model: Any, table: Table) -> Value:
    inner = graph.cast(apply(graph, model.regressor_, "predict", table), DOUBLE)
    transformer = model.transformer_
    one = getattr(transformer, "n_features_in_", 1) == 1
    if has_several_quantiles(final_estimator(model.regressor_)):
        return _transformed_quantiles(graph, model, inner, one)
    inner = graph.reshape(inner, (-1, 1)) if one else inner
    width = 1 if one else transformer.n_features_in_
    out = apply(graph, transformer, "inverse_transform", Table.of(inner, width))
    y = out.matrix(graph)
    return graph.column(y, 0) if n_target_axes(model) == 1 else y


def _transformed_quantiles(graph: Graph, model: Any, inner: Value, one: bool) -> Value:
    """Inverse-transform the quantiles of a single target, (n, n_quantiles)."""
    if not one:
        raise OnnxExportError(
            "A TransformedTargetRegressor around several quantiles of several targets"
            " has no ONNX form. Fit one for each target."
        )
    columns = []
    for i in range(
        len(final_estimator(model.regressor_)._fitted.loss.params["quantile"])
    ):
        column = graph.reshape(graph.column(inner, i), (-1, 1))
        table = Table.of(column, 1)
        out = apply(graph, model.transformer_, "inverse_transform", table)
        columns.append(out.matrix(graph))
    return graph.concat(columns)


# Without an ONNX form


@rule("predict", ClassifierChain, RegressorChain, OutputCodeClassifier)
def _refuse(graph: Graph, model: Any, table: Table) -> Value:
    raise OnnxExportError(
        f"{type(model).__name__} has no ONNX form. Use one of the meta-estimators that"
        " have: MultiOutputClassifier, MultiOutputRegressor, OneVsRestClassifier,"
        " OneVsOneClassifier; or a network, which learns several targets at once."
    )
