"""Margins between the two best classes: labels of ties may differ by rounding."""

import warnings
from typing import Any

import numpy as np

from sklearn_deep.export.sklearn._calibration import THRESHOLDS, threshold_of
from sklearn_deep.export.sklearn._composition import final_estimator


def margins(
    model: Any, multilabel: bool, expected: dict[str, Any], rows: Any
) -> tuple[np.ndarray, float]:
    """Distances of scores from the decision boundary, and the scale of the scores.

    Parameters
    ----------
    model : fitted classifier
    multilabel : bool
    expected : dict
        Results of its methods for the rows.
    rows : array or frame

    Returns
    -------
    margins : ndarray of shape (n,), (n, n_labels) or ()
        Infinite if the scores are unknown.
    scale : float
    """
    last = final_estimator(model)
    if isinstance(last, THRESHOLDS):
        return _margins_from_threshold(model, last, rows)
    method = next((m for m in expected if m != "predict"), None)
    if method is None or isinstance(expected[method], list):
        return np.array(np.inf), 1.0
    scores = np.asarray(expected[method], float)
    boundary = 0.5 if method == "predict_proba" else 0.0
    if multilabel or scores.ndim == 1:
        return np.abs(scores - boundary), _scale(method, scores)
    best = np.sort(scores, axis=1)
    return best[:, -1] - best[:, -2], _scale(method, scores)


def _margins_from_threshold(
    model: Any, last: Any, rows: Any
) -> tuple[np.ndarray, float]:
    method, index, threshold = threshold_of(last)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about generated rows
        scores = np.asarray(getattr(model, method)(rows), float)
    if scores.ndim == 2:
        scores = scores[:, index]
    elif index == 0:
        scores = -scores
    return np.abs(scores - threshold), _scale(method, scores)


def _scale(method: str, scores: np.ndarray) -> float:
    if method == "predict_proba":
        return 1.0
    return float(np.abs(scores[np.isfinite(scores)]).max(initial=0.0))


def class_indices(model: Any, labels: np.ndarray) -> np.ndarray:
    """Indices of labels among their classes."""
    if labels.ndim == 1:
        return np.searchsorted(np.asarray(model.classes_), labels)
    pairs = zip(model.classes_, labels.T, strict=True)
    return np.stack([np.searchsorted(classes, y) for classes, y in pairs], 1)
