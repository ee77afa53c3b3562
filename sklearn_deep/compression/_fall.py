"""Warning if a compressed network scores lower than the original network."""

import warnings

import numpy as np
from sklearn.base import is_regressor

from sklearn_deep.compression._network import split_rows, without_names
from sklearn_deep.estimators.core._base import DeepEstimator
from sklearn_deep.estimators.core._fitted import fitted_of
from sklearn_deep.estimators.core._parts import FitArguments, Part
from sklearn_deep.estimators.tasks._reconstructor import DeepReconstructor
from sklearn_deep.exceptions import ScoreDropWarning

# Largest number of rows that both networks are scored on.
_MOST_ROWS = 4096

# A drop of the score gives a warning if it exceeds both: an absolute value, and the
# fraction that this many rows are of all. Rounding to 8 bits changes some labels near
# class boundaries, for better or worse.
_FALL, _FEWEST_ROWS = 0.02, 9

# Fraction of rows that a regressor is scored on; rows with larger errors are left out.
_USUAL = 0.99


def warn_of_fall(
    owner: str,
    before: DeepEstimator,
    after: DeepEstimator,
    given: FitArguments,
    advice: str,
) -> None:
    """Warn if the score of a compressed network has dropped.

    The score is the network's own: accuracy, R2, or for an autoencoder the fraction of
    variance explained, by medians over rows. It is computed on at most 4,096 of the
    validation rows, else of the training rows. R2 excludes the 1 % of rows with the
    largest errors of the original network: a single outlier would dominate it.
    """
    whole, aside = split_rows(before, given)
    part = _some_rows(whole if aside is None else aside, fitted_of(before).seed)
    if len(part) <= _FEWEST_ROWS:
        return
    if is_regressor(before):
        part = _without_stray_rows(before, part)
    scores = [_score(network, part) for network in (before, after)]
    tolerated = max(_FALL, _FEWEST_ROWS / len(part))
    if scores[0] < tolerated:  # hardly better than a constant: use a larger tolerance
        tolerated = 1.0 - scores[0]
    if scores[0] - scores[1] > tolerated:
        rows = "training rows" if aside is None else "rows held out for validation"
        warnings.warn(
            f"{owner}: the score falls from {scores[0]:.3g} to {scores[1]:.3g}, measured"
            f" on {len(part)} {rows}. {advice} Set max_score_drop to raise an error"
            " instead, with on_score_drop='fall_back' to keep the network as it was.",
            ScoreDropWarning,
            stacklevel=3,
        )


def _some_rows(part: Part, seed: int) -> Part:
    if len(part) <= _MOST_ROWS:
        return part
    draw = np.random.default_rng(seed)
    return part.take(np.sort(draw.choice(len(part), _MOST_ROWS, replace=False)))


def _without_stray_rows(network: DeepEstimator, part: Part) -> Part:
    predicted = without_names(network).predict(part.features())
    if not isinstance(predicted, np.ndarray):  # one target per step
        return part
    if predicted.ndim > part.y.ndim:  # several quantiles: take the middle one
        predicted = predicted[..., predicted.shape[-1] // 2]
    error = abs(predicted - part.y).reshape(len(part), -1).max(1)
    usual = error <= np.quantile(error, _USUAL)
    return part.take(np.flatnonzero(usual))


def _score(network: DeepEstimator, part: Part) -> float:
    fitted, X = without_names(network), part.features()
    if isinstance(fitted, DeepReconstructor):
        return _explained(fitted.score_samples(X), fitted_of(fitted).features.values(X))
    return float(fitted.score(X, part.y, sample_weight=part.weight))


def _explained(scores: np.ndarray, values: np.ndarray) -> float:
    """R2 with medians over rows: an outlier can hold most of the variance."""
    center = np.median(values, axis=0)
    variance = np.median(np.square(values - center).mean(1))
    return 1 + float(np.median(scores)) / max(float(variance), 1e-300)
