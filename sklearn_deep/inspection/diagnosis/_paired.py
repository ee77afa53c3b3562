"""Comparisons of scores on the same folds."""

from collections.abc import Iterable, Sequence
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


# What other comparisons say of the noise counts as much as so many folds more.
_PRIOR_FOLDS = 8.0
# Median of chi2(4) / 4: a typical ratio of variances of five folds is below their mean.
_MEDIAN_BELOW_MEAN = 0.84

RowScores = Sequence[np.ndarray]


def noise_ratio(better: RowScores, base: RowScores) -> float:
    """Variance of the differences of folds over what the choice of their rows explains.

    1 where the training rows of a fold make no difference; NaN where no row differs.
    """
    gains = [b - a for b, a in zip(better, base, strict=True)]
    within, n_rows = _within(gains)
    between = np.var([gain.mean() for gain in gains], ddof=1)
    return float(between / (within / n_rows * len(gains))) if within else np.nan


def typical_ratio(ratios: Iterable[float]) -> float:
    """Noise ratio of several comparisons on the same folds; 1 where nothing is known."""
    known = [ratio for ratio in ratios if np.isfinite(ratio)]
    return max(1.0, float(np.median(known)) / _MEDIAN_BELOW_MEAN) if known else 1.0


def paired_by_rows(
    better: RowScores, base: RowScores, test_share: float, typical: float
) -> Difference:
    """Compare scores row by row.

    The difference of two models on a row left out varies by row, which hundreds of rows
    tell well, and by the training rows of the fold, which five folds tell badly: its
    variance is moderated by that of the other comparisons [1]_. Folds share training rows,
    so that this second part grows as in ``paired``.

    Parameters
    ----------
    better, base : sequence of ndarrays of shape (n_test,)
        Scores of the rows left out, one array per fold.
    test_share : float
        Test rows per training row.
    typical : float
        The noise ratio of all comparisons.

    References
    ----------
    .. [1] Smyth, Linear Models and Empirical Bayes Methods (2004),
       https://doi.org/10.2202/1544-6115.1027.
    """
    gains = [b - a for b, a in zip(better, base, strict=True)]
    n_folds = len(gains)
    within, n_rows = _within(gains)
    own = noise_ratio(better, base)
    dof = n_folds - 1.0 + _PRIOR_FOLDS
    ratio = typical if np.isnan(own) else own
    moderated = (_PRIOR_FOLDS * typical + (n_folds - 1.0) * ratio) / dof
    of_training = max(moderated - 1.0, 0.0) * (1.0 + n_folds * test_share)
    mean = float(np.mean([gain.mean() for gain in gains]))
    return Difference(mean, float(np.sqrt(within / n_rows * (1.0 + of_training))), dof)


def _within(gains: RowScores) -> tuple[float, int]:
    """Variance of rows around the mean of their fold, and the number of rows."""
    n_rows = sum(map(len, gains))
    squares = sum(float(((gain - gain.mean()) ** 2).sum()) for gain in gains)
    return squares / max(n_rows - len(gains), 1), n_rows


def corrected(confidence: float, n_comparisons: int) -> float:
    """Confidence in the best of several comparisons (Bonferroni)."""
    return max(0.0, 1.0 - n_comparisons * (1.0 - confidence))
