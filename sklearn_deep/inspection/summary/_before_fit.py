"""The network that a fit would train, built without training."""

from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from sklearn_deep.estimators.core._base import DeepEstimator
from sklearn_deep.estimators.core._fit import prepare
from sklearn_deep.estimators.core._fitted import Fitted
from sklearn_deep.estimators.core._parts import FitArguments

# Rows of each class among the rows of zeros: enough for a validation part.
_ROWS_EACH = 10


def initial_state(
    estimator: Any, X: Any, y: Any, row_shape: Any, n_outputs: int
) -> tuple[Fitted, Any]:
    """What a fit of an estimator would start from, and its first row, encoded.

    Parameters
    ----------
    estimator : estimator or Pipeline
        It is not changed.
    X, y : rows and targets of the fit, or None
    row_shape : tuple of int or None
        Shape of a row as the network gets it, where there is no ``X``.
    n_outputs : int
        Number of classes or of targets, where there is no ``y``.

    Raises
    ------
    TypeError
        If there is no network in the estimator.
    ValueError
        If there are neither rows nor their shape.
    """
    network = _network_of(estimator)
    if X is None and row_shape is None:
        raise ValueError(
            f"This {type(estimator).__name__} is not fitted, so that the size of its network"
            " follows from the data. Give rows, summary(estimator, X, y), or their size,"
            " summary(estimator, n_features=20, n_outputs=3)."
        )
    if X is None:
        X, y = _rows_of(network, row_shape, n_outputs)
    elif isinstance(estimator, Pipeline) and len(estimator) > 1:
        X = clone(estimator[:-1]).fit_transform(X, y)
    y = X if _reconstructs(network) else y
    fitted = prepare(clone(network), FitArguments(X, y), seed=0).fitted
    return fitted, fitted.encode(X)[:1]


def _network_of(estimator: Any) -> DeepEstimator:
    """The network in Pipelines, searches and other meta-estimators."""
    inner = estimator
    while inner is not None and not isinstance(inner, DeepEstimator):
        steps = getattr(inner, "steps", None)
        inner = steps[-1][1] if steps else getattr(inner, "estimator", None)
    if inner is None:
        raise TypeError(
            "summary takes a network of sklearn_deep, or a Pipeline or search around one;"
            f" got {type(estimator).__name__}."
        )
    return inner


def _reconstructs(network: DeepEstimator) -> bool:
    return not get_tags(network).target_tags.required


def _rows_of(network: DeepEstimator, row_shape: Any, n_outputs: int) -> tuple[Any, Any]:
    """Rows of zeros, with all classes among their targets."""
    n_outputs = max(2, n_outputs) if is_classifier(network) else n_outputs
    n = _ROWS_EACH * n_outputs
    X = np.zeros((n, *row_shape), np.float32)
    if is_classifier(network):
        return X, np.arange(n) % n_outputs
    y = np.zeros((n, n_outputs), np.float32)
    return X, y[:, 0] if n_outputs == 1 else y
