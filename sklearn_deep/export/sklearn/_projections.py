"""Rules of discriminant analysis and partial least squares."""

from typing import Any

import numpy as np
from sklearn.cross_decomposition import CCA, PLSSVD, PLSCanonical, PLSRegression
from sklearn.discriminant_analysis import (
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
)

from sklearn_deep.export.graph._graph import DOUBLE, Graph, Value, real
from sklearn_deep.export.graph._registry import rule
from sklearn_deep.export.graph._scores import stack_columns
from sklearn_deep.export.graph._table import Table
from sklearn_deep.export.inputs._probe import predicts_one_axis
from sklearn_deep.export.sklearn._linear import best_by_scores, softmax_of_scores
from sklearn_deep.private._sklearn import pls_mean, pls_std


def _projected(
    graph: Graph, table: Table, center: Any, scale: Any, axes: np.ndarray
) -> Table:
    x = graph.math("Sub", table.matrix(graph, DOUBLE), center)
    x = graph.math("Div", x, scale)
    out = graph.node("MatMul", x, graph.constant(axes, DOUBLE))
    return Table.of(graph.cast(out, real(table.dtype)), axes.shape[1])


@rule("transform", LinearDiscriminantAnalysis)
def _discriminants(graph: Graph, model: Any, table: Table) -> Table:
    center = model.xbar_ if model.solver == "svd" else 0.0
    axes = model.scalings_[:, : len(model.get_feature_names_out())]
    return _projected(graph, table, center, 1.0, axes)


@rule("transform", PLSRegression, PLSCanonical, CCA)
def _x_scores(graph: Graph, model: Any, table: Table) -> Table:
    return _projected(graph, table, pls_mean(model), pls_std(model), model.x_rotations_)


@rule("transform", PLSSVD)
def _x_scores_svd(graph: Graph, model: PLSSVD, table: Table) -> Table:
    return _projected(graph, table, pls_mean(model), pls_std(model), model.x_weights_)


@rule("predict", PLSRegression, PLSCanonical, CCA)
def _pls(graph: Graph, model: Any, table: Table) -> Value:
    x = graph.math("Sub", table.matrix(graph, DOUBLE), pls_mean(model))
    y = graph.node("MatMul", x, graph.constant(model.coef_.T, DOUBLE))
    y = graph.math("Add", y, model.intercept_)
    return graph.column(y, 0) if predicts_one_axis(model, table.width) else y


# Quadratic discriminants: distance from the mean of each class, along the class's axes.

for _method, _write in (
    ("predict", best_by_scores),
    ("predict_proba", softmax_of_scores),
):
    rule(_method, QuadraticDiscriminantAnalysis)(_write)


@rule("decision_function", QuadraticDiscriminantAnalysis)
def _log_posteriors(graph: Graph, model: Any, table: Table) -> Value:
    scores = [
        _log_posterior(graph, model, k, table) for k in range(len(model.classes_))
    ]
    if len(scores) == 2:
        return graph.node("Sub", scores[1], scores[0])
    return stack_columns(graph, scores)


def _log_posterior(graph: Graph, model: Any, k: int, table: Table) -> Value:
    """Log posterior of one class up to a constant, (n,)."""
    variances = model.scalings_[k]
    axes = model.rotations_[k] / np.sqrt(variances)
    x = graph.math("Sub", table.matrix(graph, DOUBLE), model.means_[k])
    x = graph.node("MatMul", x, graph.constant(axes, DOUBLE))
    distance = graph.sum(graph.node("Mul", x, x), 1)
    rest = np.log(model.priors_[k]) - 0.5 * np.log(variances).sum()
    return graph.math("Add", graph.math("Mul", distance, -0.5), rest)
