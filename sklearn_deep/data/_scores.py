"""The score of several quantiles of each target."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import d2_pinball_score


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
