"""Rules of the network estimators: the network, and the decoding of its raw outputs."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from sklearn_deep.estimators.core._base import DeepEstimator
from sklearn_deep.estimators.core._fitted import fitted_of
from sklearn_deep.estimators.tasks._classifier import DeepClassifier
from sklearn_deep.estimators.tasks._regressor import DeepRegressor
from sklearn_deep.export.graph._graph import DOUBLE, FLOAT, INT, Graph, Value
from sklearn_deep.export.graph._labels import labels_at
from sklearn_deep.export.graph._limits import skip_probing
from sklearn_deep.export.graph._refusals import propagates_nan, refuse_non_finite
from sklearn_deep.export.graph._registry import apply, find, rule
from sklearn_deep.export.graph._scores import sigmoid
from sklearn_deep.export.graph._table import Table
from sklearn_deep.export.layers._feed_forward import (
    emit_network,
    has_float32_layers,
    softplus,
)
from sklearn_deep.export.layers._recurrent import BY_STEP
from sklearn_deep.nn._gaussian import LARGEST_STD, SHIFT, SMALLEST_STD
from sklearn_deep.nn._quantiles import (
    UNIT,
    middle_of,
    normal_quantiles,
    scales_of,
)

skip_probing(DeepEstimator)


@rule("raw", DeepEstimator)
def _raw(graph: Graph, model: Any, table: Table) -> Value:
    """Compute the network's raw outputs, (n, n_raw)."""
    raw = network_outputs(graph, model, model.module_, table)
    n_raw = fitted_of(model).targets.n_outputs * fitted_of(model).loss.raw_per_target
    return finite_outputs(graph, model, raw, n_raw)


def finite_outputs(graph: Graph, model: Any, out: Value, width: int) -> Value:
    """Refuse rows whose outputs (n, width) overflow, as ``predict`` does."""
    if not fitted_of(model).features.by_step:
        refuse_non_finite(graph, out, (width,))
        return out
    shape = [graph.memo[BY_STEP], graph.constant(np.array([width]))]
    by_row = graph.node("Reshape", out, graph.concat(shape, axis=0), allowzero=1)
    refuse_non_finite(graph, by_row, (None, width))
    return out


class NetworkRows(NamedTuple):
    """Input rows of a network.

    Attributes
    ----------
    x : Value
        Of shape (n, *row_shape).
    row_shape : tuple of int or None
        None for an axis of any length.
    lengths : Value or None
        Lengths of sequences of unequal length, (n,).
    """

    x: Value
    row_shape: tuple[int | None, ...]
    lengths: Value | None = None


def network_outputs(graph: Graph, model: Any, module: Any, table: Table) -> Value:
    """Compute the outputs of a module of a network estimator."""
    write = find(model, "rows")
    assert write is not None
    return emit_network(graph, module, *write(graph, model, table))


@rule("rows", DeepEstimator)
def rows_of_columns(graph: Graph, model: Any, table: Table) -> NetworkRows:
    """Make the input rows of a network over numbers."""
    dtype = compute_dtype(graph, model, table.dtype)
    rows = NetworkRows(*table.rows(graph, dtype), table.lengths)
    if any(value.dtype in (FLOAT, DOUBLE) for value, _ in table.blocks):
        refuse_non_finite(graph, rows.x, rows.row_shape, lengths=rows.lengths)
    return rows


def compute_dtype(graph: Graph, model: Any, of_rows: np.dtype) -> np.dtype:
    """Choose the compute dtype: that of ``predict``, unless the export sets another.

    It is float32 for float32 rows, and if onnxruntime has a layer in float32 only.
    """
    asked = graph.settings.get("dtype")
    if asked is not None:
        return np.dtype(asked)
    single = FLOAT in (fitted_of(model).dtype, of_rows) or has_float32_layers(
        model.module_
    )
    return FLOAT if single else DOUBLE


# Classifiers. Binary networks have one logit, that of the second class.


def _is_binary(model: Any) -> bool:
    return (
        not fitted_of(model).targets.multilabel
        and fitted_of(model).targets.kind == "sigmoid"
    )


def _logits(graph: Graph, model: Any, table: Table) -> Value:
    """Compute one logit per class or label, (n, n_classes)."""
    raw = apply(graph, model, "raw", table)
    return graph.concat([graph.node("Neg", raw), raw]) if _is_binary(model) else raw


@rule("predict", DeepClassifier)
def _predict_labels(graph: Graph, model: Any, table: Table) -> Value:
    raw = apply(graph, model, "raw", table)
    if fitted_of(model).targets.multilabel:
        return graph.cast(graph.compare("Greater", raw, 0.0), INT)
    if _is_binary(model):
        second = graph.compare("Greater", graph.column(raw, 0), 0.0)
        return labels_at(graph, model.classes_, graph.cast(second, INT))
    return labels_at(graph, model.classes_, graph.argmax(raw))


@rule("predict_proba", DeepClassifier)
def _predict_proba(graph: Graph, model: Any, table: Table) -> Value:
    logits = _logits(graph, model, table)
    if fitted_of(model).targets.kind == "sigmoid":
        return sigmoid(graph, logits)
    return graph.node("Softmax", logits, axis=1)


@rule("decision_function", DeepClassifier)
def _decision_function(graph: Graph, model: Any, table: Table) -> Value:
    raw = apply(graph, model, "raw", table)
    return graph.column(raw, 0) if _is_binary(model) else raw


# Regressors: location and spread of the standardised targets from raw outputs, by loss.


def _exponential(graph: Graph, raw: Value, model: Any) -> Value:
    return graph.node("Exp", raw)


def _first_half(graph: Graph, raw: Value, model: Any) -> Value:
    return _indices(graph, raw, range(fitted_of(model).targets.n_outputs))


def _spread(graph: Graph, raw: Value, model: Any) -> Value:
    n_targets = fitted_of(model).targets.n_outputs
    second_half = _indices(graph, raw, range(n_targets, 2 * n_targets))
    share = graph.node("Sigmoid", graph.math("Sub", second_half, SHIFT))
    std = graph.math("Mul", share, LARGEST_STD - SMALLEST_STD)
    std = graph.math("Add", std, SMALLEST_STD)
    if fitted_of(model).loss.calibration is None:
        return std
    std = graph.math("Mul", std, fitted_of(model).loss.calibration)
    return graph.math("Min", graph.math("Max", std, SMALLEST_STD), LARGEST_STD)


def _quantiles(graph: Graph, raw: Value, model: Any) -> Value:
    """Compute several quantiles, (n, n_targets, n_quantiles); a single one is the raw output."""
    if not has_several_quantiles(model):
        return raw
    quantile, calibration = (
        fitted_of(model).loss.params["quantile"],
        fitted_of(model).loss.calibration,
    )
    m, n = middle_of(quantile), len(quantile)
    raw = graph.reshape(raw, (0, fitted_of(model).targets.n_outputs, n))
    middle = _indices(graph, raw, [m])
    middle = graph.math("Add", middle, normal_quantiles(quantile)[m])
    if calibration is not None:
        middle = graph.math("Add", middle, calibration[:, [m]])
    parts = [middle]
    for indices, op in ((range(m), "Sub"), (range(m + 1, n), "Add")):
        if not indices:
            continue
        gaps = softplus(graph, graph.math("Add", _indices(graph, raw, indices), UNIT))
        scales = scales_of(quantile)[:m] if op == "Sub" else scales_of(quantile)[m:]
        gaps = graph.math("Mul", gaps, scales)
        if calibration is not None:
            gaps = graph.math("Mul", gaps, calibration[:, indices])
        axis = graph.constant(np.int64(2))
        sums = graph.node("CumSum", gaps, axis, reverse=int(op == "Sub"))
        outer = graph.node(op, middle, sums)
        parts = [outer, *parts] if op == "Sub" else [*parts, outer]
    return graph.concat(parts, axis=2)


def _indices(graph: Graph, value: Value, indices: Sequence[int]) -> Value:
    """Select entries of the last axis."""
    return graph.node("Gather", value, graph.constant(np.array(indices)), axis=-1)


LOCATIONS = {
    "poisson": _exponential,
    "gaussian": _first_half,
    "quantile": _quantiles,
}
SPREADS = {"gaussian": _spread}


@rule("predict", DeepRegressor)
def _predict_numbers(graph: Graph, model: Any, table: Table) -> Value:
    raw, targets = apply(graph, model, "raw", table), fitted_of(model).targets
    decode = LOCATIONS.get(fitted_of(model).loss.name)
    location = decode(graph, raw, model) if decode else raw
    y = in_units(graph, targets, location, has_several_quantiles(model))
    if location is raw:
        propagates_nan(graph, raw, y)
    if has_several_quantiles(model):
        width = targets.n_outputs * len(fitted_of(model).loss.params["quantile"])
        finite_outputs(graph, model, graph.reshape(y, (-1, width)), width)
    else:
        finite_outputs(graph, model, y, targets.n_outputs)
    return _shaped(graph, targets, y)


def in_units(
    graph: Graph, targets: Any, scaled: Value, several_quantiles: bool = False
) -> Value:
    """Convert standardised predictions to the units of the targets."""
    scale, center = targets.scale, targets.center
    if several_quantiles:
        scale, center = scale[:, None], center[:, None]
    return graph.math("Add", graph.math("Mul", scaled, scale), center)


@rule("predict_std", DeepRegressor)
def _predict_std(graph: Graph, model: Any, table: Table) -> Value:
    raw, targets = apply(graph, model, "raw", table), fitted_of(model).targets
    spread = SPREADS[fitted_of(model).loss.name](graph, raw, model)
    std = graph.math("Mul", spread, targets.scale)
    return _shaped(graph, targets, finite_outputs(graph, model, std, targets.n_outputs))


def _shaped(graph: Graph, targets: Any, y: Value) -> Value:
    return graph.column(y, 0) if targets.flat else y


def has_several_quantiles(model: Any) -> bool:
    """Tell whether a network predicts several quantiles of each target."""
    return (
        isinstance(model, DeepRegressor) and fitted_of(model).loss.has_several_quantiles
    )


def has_std(model: Any) -> bool:
    """Tell whether a network also predicts a standard deviation."""
    return isinstance(model, DeepRegressor) and fitted_of(model).loss.name in SPREADS
