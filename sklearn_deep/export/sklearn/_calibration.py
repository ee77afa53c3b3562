"""Rules of calibration and decision thresholds."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import (
    FixedThresholdClassifier,
    TunedThresholdClassifierCV,
)

from sklearn_deep.exceptions import OnnxExportError
from sklearn_deep.export.graph._graph import INT, Graph, Value
from sklearn_deep.export.graph._labels import labels_at
from sklearn_deep.export.graph._limits import skip_probing
from sklearn_deep.export.graph._refusals import refuse_non_finite
from sklearn_deep.export.graph._registry import apply, rule
from sklearn_deep.export.graph._scores import (
    mean,
    normalised,
    response,
    sigmoid,
    stack_columns,
)
from sklearn_deep.export.graph._table import Table
from sklearn_deep.export.sklearn._scalers import interpolate
from sklearn_deep.private._sklearn import (
    calibrated_classes,
    calibration_method,
    calibrators,
    inverse_temperature,
    sigmoid_offset,
    sigmoid_slope,
)

# Scores of training rows are thresholds of isotonic regression. Where it leaves zero there,
# rounding of the score decides between zero and a number just above it, and for a sum of
# such numbers between equal shares and the whole.
_NEXT_TO_ZERO = 1e-12

# Meta-estimators that change the decision threshold of a classifier.
THRESHOLDS = (FixedThresholdClassifier, TunedThresholdClassifierCV)

skip_probing(CalibratedClassifierCV, *THRESHOLDS)


@rule("predict_proba", CalibratedClassifierCV)
def _calibrated(graph: Graph, model: Any, table: Table) -> Value:
    return mean(
        graph, [_fold(graph, part, table) for part in model.calibrated_classifiers_]
    )


@rule("predict", CalibratedClassifierCV)
def _calibrated_labels(graph: Graph, model: Any, table: Table) -> Value:
    probabilities = apply(graph, model, "predict_proba", table)
    return labels_at(graph, model.classes_, graph.argmax(probabilities))


def _fold(graph: Graph, part: Any, table: Table) -> Value:
    """Compute the probabilities of one fitted classifier and its calibrators."""
    scores, method = response(
        graph, part.estimator, ("decision_function", "predict_proba"), table
    )
    binary = len(part.estimator.classes_) == 2
    if method == "predict_proba" and binary:
        scores = graph.column(scores, 1)
    asked = calibration_method(part)
    known = METHODS.get(asked)
    if known is None:
        raise OnnxExportError(
            f"CalibratedClassifierCV(method={asked!r}) has no ONNX form."
            f" Supported methods: {', '.join(METHODS)}."
        )
    return known(graph, part, scores, method)


def _one_by_one(calibrate: Callable[[Graph, Any, Value], Value]) -> Callable:
    """Calibrate each class separately, and normalise the rows to sum to 1."""

    def run(graph: Graph, part: Any, scores: Value, method: str) -> Value:
        if len(calibrated_classes(part)) == 2:
            second = calibrate(graph, calibrators(part)[0], scores)
            first = graph.math("Add", graph.node("Neg", second), 1.0)
            return stack_columns(graph, [first, second])
        if len(part.estimator.classes_) == 2:  # one score, of the first class
            columns = [calibrate(graph, calibrators(part)[0], scores)]
        else:
            columns = [
                calibrate(graph, calibrator, graph.column(scores, k))
                for k, calibrator in enumerate(calibrators(part))
            ]
        columns = _spread(graph, part, columns)
        return normalised(
            graph,
            stack_columns(graph, columns),
            otherwise_uniform=len(calibrated_classes(part)),
            next_to_zero=_NEXT_TO_ZERO,
        )

    return run


def _spread(graph: Graph, part: Any, columns: list[Value]) -> list[Value]:
    """Order columns as the classes; classes missing in the fold get zeros."""
    zero = graph.math("Mul", columns[0], 0.0)
    ordered = [zero] * len(calibrated_classes(part))
    indices = np.searchsorted(calibrated_classes(part), part.estimator.classes_)
    for index, column in zip(indices, columns, strict=False):
        ordered[index] = column
    return ordered


def _sigmoid(graph: Graph, calibrator: Any, scores: Value) -> Value:
    slope, offset = sigmoid_slope(calibrator), sigmoid_offset(calibrator)
    line = graph.math("Add", graph.math("Mul", scores, slope), offset)
    return sigmoid(graph, graph.node("Neg", line))


def _isotonic(graph: Graph, calibrator: Any, scores: Value) -> Value:
    xs = np.asarray(calibrator.X_thresholds_, float)
    ys = np.asarray(calibrator.y_thresholds_, float)
    refuse_non_finite(graph, graph.reshape(scores, (-1, 1)), (1,))
    # Exactly as SciPy: the result depends on whether all classes have exactly 0.
    return interpolate(graph, scores, xs, ys, comparison="Greater")


def _temperature(graph: Graph, part: Any, scores: Value, method: str) -> Value:
    if method == "predict_proba":
        if len(calibrated_classes(part)) == 2:
            other = graph.math("Add", graph.node("Neg", scores), 1.0)
            scores = stack_columns(graph, [other, scores])
        logits = graph.node("Log", graph.math("Add", scores, 1e-12))
    elif len(calibrated_classes(part)) == 2:
        logits = stack_columns(graph, [graph.node("Neg", scores), scores])
    else:
        logits = scores
    sharpened = graph.math(
        "Mul", logits, float(inverse_temperature(calibrators(part)[0]))
    )
    return graph.node("Softmax", sharpened, axis=1)


METHODS: dict[str, Callable[[Graph, Any, Value, str], Value]] = {
    "sigmoid": _one_by_one(_sigmoid),
    "isotonic": _one_by_one(_isotonic),
    "temperature": _temperature,
}


def _inner(method: str) -> Callable[[Graph, Any, Table], Value]:
    return lambda graph, model, table: apply(graph, _fitted(model), method, table)


def _fitted(model: Any) -> Any:
    return getattr(model, "estimator_", model.estimator)


for _method in ("predict_proba", "decision_function"):
    rule(_method, *THRESHOLDS)(_inner(_method))


def threshold_of(model: Any) -> tuple[str, int, float]:
    """Return the method of the scores, the index of their class, and the threshold."""
    asked = model.response_method
    methods = ("predict_proba", "decision_function") if asked == "auto" else (asked,)
    method = next((m for m in methods if hasattr(_fitted(model), m)), methods[0])
    if isinstance(model, TunedThresholdClassifierCV):
        threshold, pos_label = model.best_threshold_, _positive_label(model)
    else:
        threshold, pos_label = model.threshold, model.pos_label
    if threshold == "auto":
        threshold = 0.5 if method == "predict_proba" else 0.0
    known = np.asarray(model.classes_) == pos_label
    index = 1 if pos_label is None else int(np.flatnonzero(known)[0])
    return method, index, float(threshold)


def _positive_label(model: TunedThresholdClassifierCV) -> Any:
    """The label whose scores are compared; below the threshold, the other is predicted."""
    twin: Any = copy.copy(model)
    twin.estimator_ = DummyClassifier().fit(np.zeros((2, 1)), model.classes_)
    twin.response_method, twin.best_threshold_ = "auto", np.inf
    (negative,) = twin.predict(np.zeros((1, 1)))
    (positive,) = model.classes_[model.classes_ != negative]
    return positive


@rule("predict", *THRESHOLDS)
def _above(graph: Graph, model: Any, table: Table) -> Value:
    method, index, threshold = threshold_of(model)
    scores, _ = response(graph, _fitted(model), method, table)
    if method == "predict_proba":
        scores = graph.column(scores, index)
    elif index == 0:
        scores = graph.node("Neg", scores)
    reached = graph.cast(graph.compare("GreaterOrEqual", scores, threshold), INT)
    return labels_at(graph, np.asarray(model.classes_)[[1 - index, index]], reached)
