"""Features and targets of a network that was trained elsewhere, as far as it tells."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sklearn_deep.data._features import Features
from sklearn_deep.data._targets import ClassTargets, RealTargets
from sklearn_deep.estimators.core._base import DeepEstimator
from sklearn_deep.estimators.core._fit import adopt


def adopted(
    estimator: DeepEstimator,
    row_shape: Sequence[int],
    names: Any,
    targets: ClassTargets | RealTargets,
    values: dict[str, np.ndarray],
    history: list[dict[str, Any]] | None = None,
) -> DeepEstimator:
    """An estimator that is fitted with values from elsewhere.

    Parameters
    ----------
    estimator : DeepEstimator
        Not fitted; it is changed.
    row_shape : sequence of int
        Shape of a row of X.
    names : sequence of str or None
        Names of the columns of X.
    targets : ClassTargets or RealTargets
    values : dict of str to ndarray
        Parameters and buffers of the module.
    history : list of dict or None
        One row per epoch.
    """
    features, row = known_features(estimator, row_shape, names)
    adopt(estimator, features, features.layout(row), targets, values, history or [])
    return estimator


def known_features(
    estimator: DeepEstimator, row_shape: Sequence[int], names: Any
) -> tuple[Features, np.ndarray]:
    """What a fit would have learnt of rows of this shape, and such a row."""
    features = estimator._make_features()
    row = features.check(np.zeros((1, *row_shape)), None, np.float64, reset=True)
    if names is not None:
        features.feature_names_in = np.asarray(names, object)
    return features, row


def real_targets(
    n_outputs: int, dtype: Any, *, flat: bool, scaling: str | None = None
) -> RealTargets:
    """Targets that a network predicts in the units of y."""
    zeros, ones = np.zeros(n_outputs), np.ones(n_outputs)
    return RealTargets(zeros, ones, flat, np.dtype(dtype).name, scaling)
