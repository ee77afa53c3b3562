"""Rules of linear models: what ensembles put at their end."""

from typing import Any

from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LinearRegression,
    LogisticRegression,
    Perceptron,
    Ridge,
    RidgeClassifier,
    RidgeClassifierCV,
    RidgeCV,
    SGDClassifier,
)
from sklearn.svm import LinearSVC, LinearSVR

from sklearn_deep.export._graph import DOUBLE, INT, Graph, Value
from sklearn_deep.export._labels import labels_at
from sklearn_deep.export._responses import stacked
from sklearn_deep.export._rules import apply, rule
from sklearn_deep.export._table import Table


def _linear(graph: Graph, model: Any, table: Table) -> Value:
    coefficients = model.coef_.reshape(-1, table.width)
    product = graph.node(
        "MatMul", table.matrix(graph, DOUBLE), graph.constant(coefficients.T, DOUBLE)
    )
    return graph.math("Add", product, model.intercept_)


_CLASSIFIERS = (
    LinearSVC,
    LogisticRegression,
    Perceptron,
    RidgeClassifier,
    RidgeClassifierCV,
    SGDClassifier,
)


@rule("predict", ElasticNet, Lasso, LinearRegression, LinearSVR, Ridge, RidgeCV)
def _predict(graph: Graph, model: Any, table: Table) -> Value:
    y = _linear(graph, model, table)
    return graph.column(y, 0) if model.coef_.ndim == 1 else y


@rule("decision_function", *_CLASSIFIERS)
def _decision(graph: Graph, model: Any, table: Table) -> Value:
    scores = _linear(graph, model, table)
    return graph.column(scores, 0) if len(model.classes_) == 2 else scores


@rule("predict_proba", LogisticRegression)
def _proba(graph: Graph, model: LogisticRegression, table: Table) -> Value:
    scores = apply(graph, model, "decision_function", table)
    if len(model.classes_) == 2:
        both = stacked(graph, [graph.node("Neg", scores), scores])
        return graph.node("Sigmoid", both)
    return graph.node("Softmax", scores, axis=1)


@rule("predict", *_CLASSIFIERS)
def _labels(graph: Graph, model: Any, table: Table) -> Value:
    scores = apply(graph, model, "decision_function", table)
    if len(model.classes_) == 2:
        place = graph.cast(graph.compare("Greater", scores, 0.0), INT)
    else:
        place = graph.argmax(scores)
    return labels_at(graph, model.classes_, place)
