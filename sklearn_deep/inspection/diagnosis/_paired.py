"""Comparisons of scores on the same folds."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student


@dataclass(frozen=True)
class Difference:
    """Mean difference of scores of two models on the same folds.

    Attributes
    ----------
    mean, error : float
        The mean over the folds, and its standard error.
    dof : float
        Degrees of freedom of the error.
    """

    mean: float
    error: float
    dof: float

    def probability_above(self, value: float = 0.0) -> float:
        """Confidence that the expected difference is above a value."""
        if self.error == 0.0:
            return float(self.mean > value) if self.mean != value else 0.5
        return float(student.cdf((self.mean - value) / self.error, self.dof))


def paired(better: np.ndarray, base: np.ndarray, test_share: float) -> Difference:
    """Compare scores fold by fold.

    Folds share most of their training rows, so that their scores vary less than those of
    independent data: the variance grows by ``n_folds`` times the ratio of test to training
    rows [1]_.

    Parameters
    ----------
    better, base : ndarray of shape (n_folds,)
    test_share : float
        Test rows per training row.

    References
    ----------
    .. [1] Nadeau and Bengio, Inference for the Generalization Error (2003),
       https://doi.org/10.1023/A:1024068626366.
    """
    gain = np.asarray(better, float) - np.asarray(base, float)
    n = len(gain)
    variance = gain.var(ddof=1) * (1.0 / n + test_share)
    return Difference(float(gain.mean()), float(np.sqrt(variance)), n - 1.0)


def corrected(confidence: float, n_comparisons: int) -> float:
    """Confidence in the best of several comparisons (Bonferroni)."""
    return max(0.0, 1.0 - n_comparisons * (1.0 - confidence))
