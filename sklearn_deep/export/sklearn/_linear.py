"""Rules of linear models."""

from typing import Any

from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
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

from sklearn_deep.export.graph._graph import DOUBLE, FLOAT, INT, Graph, Value
from sklearn_deep.export.graph._labels import labels_at
from sklearn_deep.export.graph._registry import apply, rule
from sklearn_deep.export.graph._scores import normalised, sigmoid, stack_columns
from sklearn_deep.export.graph._table import Table


def _linear(graph: Graph, model: Any, table: Table) -> Value:
    coefficients = model.coef_.reshape(-1, table.width)
    product = graph.node(
        "MatMul", table.matrix(graph, DOUBLE), graph.constant(coefficients.T, DOUBLE)
    )
    scores = graph.math("Add", product, model.intercept_)
    # Probabilities of float32 scores underflow to 0 earlier than those of float64 scores.
    single = {table.dtype, model.coef_.dtype} == {FLOAT}
    return graph.cast(scores, FLOAT) if single else scores


_CLASSIFIERS = (
    LinearDiscriminantAnalysis,
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


@rule("predict_proba", LogisticRegression, LinearDiscriminantAnalysis)
def softmax_of_scores(graph: Graph, model: Any, table: Table) -> Value:
    """Compute probabilities with the scores as logits."""
    scores = apply(graph, model, "decision_function", table)
    if len(model.classes_) == 2:
        return _both(graph, scores)
    if _is_one_vs_rest(model):
        return _shares(graph, model, sigmoid(graph, scores))
    return graph.node("Softmax", scores, axis=1)


def _both(graph: Graph, scores: Value) -> Value:
    return sigmoid(graph, stack_columns(graph, [graph.node("Neg", scores), scores]))


def _is_one_vs_rest(model: Any) -> bool:
    """Tell whether a model is one-vs-rest, which scikit-learn supports up to 1.8."""
    asked = getattr(model, "multi_class", None)
    return asked == "ovr" or getattr(model, "solver", None) == "liblinear"


def _shares(graph: Graph, model: Any, scores: Value) -> Value:
    """Divide scores by their sum per row; if all are 0, the result is uniform."""
    return normalised(graph, scores, otherwise_uniform=len(model.classes_))


@rule("predict_proba", SGDClassifier)
def _proba_by_loss(graph: Graph, model: SGDClassifier, table: Table) -> Value:
    scores = apply(graph, model, "decision_function", table)
    binary = len(model.classes_) == 2
    if model.loss == "log_loss":
        if binary:
            return _both(graph, scores)
        return _shares(graph, model, sigmoid(graph, scores))
    # Modified Huber, Zhang and Oles, 2002: the score clipped to [-1, 1].
    clipped = graph.math("Min", graph.math("Max", scores, -1.0), 1.0)
    second = graph.math("Mul", graph.math("Add", clipped, 1.0), 0.5)
    if not binary:
        return _shares(graph, model, second)
    first = graph.math("Add", graph.node("Neg", second), 1.0)
    return stack_columns(graph, [first, second])


@rule("predict", *_CLASSIFIERS)
def best_by_scores(graph: Graph, model: Any, table: Table) -> Value:
    """Predict the label with the highest score."""
    scores = apply(graph, model, "decision_function", table)
    if len(model.classes_) == 2:
        index = graph.cast(graph.compare("Greater", scores, 0.0), INT)
    else:
        index = graph.argmax(scores)
    return labels_at(graph, model.classes_, index)
