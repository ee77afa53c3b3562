"""Scores of predictions that scikit-learn has no function for."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score, d2_pinball_score, r2_score

from sklearn_deep.data._target_columns import TargetColumn


def quantile_score(
    y: Any, predicted: np.ndarray, quantiles: Sequence[float], weight: Any = None
) -> float:
    """Mean of scikit-learn's ``d2_pinball_score`` over quantiles: 1 at best.

    0 is the score of the quantiles of ``y`` itself, the best constants.

    Parameters
    ----------
    y : array-like of shape (n,) or (n, n_targets)
    predicted : ndarray of shape (n, n_quantiles) or (n, n_targets, n_quantiles)
    quantiles : sequence of float
    weight : array-like of shape (n,), optional
    """
    scores = [
        d2_pinball_score(y, predicted[..., i], alpha=quantile, sample_weight=weight)
        for i, quantile in enumerate(quantiles)
    ]
    return float(np.mean(scores))


def known_score(
    predicted: np.ndarray, column: TargetColumn, labels: bool, weight: Any = None
) -> float:
    """Accuracy or R^2 over the known targets of a column.

    Parameters
    ----------
    predicted : ndarray of shape (n,)
    column : TargetColumn
        True targets.
    labels : bool
        Whether they are labels.
    weight : ndarray of shape (n,), optional
    """
    predicted = predicted[column.known]
    own = None if weight is None else weight[column.known]
    true: Any = column.known_values
    if not labels:
        return float(r2_score(true.astype(np.float64), predicted, sample_weight=own))
    # Labels may be of types that scikit-learn's check of targets does not compare.
    right = [a == b for a, b in zip(true.tolist(), predicted.tolist(), strict=True)]
    return float(accuracy_score(np.ones(len(right), bool), right, sample_weight=own))
