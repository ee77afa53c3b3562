"""The score that a diagnosis compares, and how far chance moves it."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.metrics import check_scoring
from sklearn.utils import _safe_indexing

Scorer = Callable[[Any, Any, Any], float]

# Probabilities below this count as this: one confident mistake is not infinitely bad.
_LEAST = 1e-6

# Parts of the test rows whose scores tell how far chance moves the score of all.
_N_PARTS = 8
_FEWEST = 32


def log_likelihood(estimator: Any, X: Any, y: Any) -> float:
    """Mean logarithm of the probability of the true class; at best 0."""
    classes, y = estimator.classes_, np.asarray(y)
    place = np.minimum(np.searchsorted(classes, y), len(classes) - 1)
    p = estimator.predict_proba(X)[np.arange(len(y)), place]
    p = np.where(classes[place] == y, p, 0.0)  # a class that was in no training row
    return float(np.log(np.maximum(p, _LEAST)).mean())


def chosen_scorer(estimator: Any, y: Any, scoring: Any) -> tuple[Scorer, str, float]:
    """The scorer, its name, and the score of a perfect model (NaN if unknown)."""
    one_label = is_classifier(estimator) and np.ndim(y) == 1
    if scoring is None and one_label and hasattr(estimator, "predict_proba"):
        return log_likelihood, "log-likelihood", 0.0
    scorer = check_scoring(estimator, scoring=scoring)
    if scoring is None:
        return scorer, "accuracy" if is_classifier(estimator) else "R2", 1.0
    if callable(scoring):
        return scorer, getattr(scoring, "__name__", str(scoring)), np.nan
    return scorer, scoring, 0.0 if scoring.startswith("neg_") else 1.0


class Measures:
    """A scorer that tells beside the score the standard error that chance gives it."""

    def __init__(self, scorer: Scorer, seed: int) -> None:
        self.scorer, self.seed = scorer, seed

    def __call__(self, estimator: Any, X: Any, y: Any) -> dict[str, float]:
        score = float(self.scorer(estimator, X, y))
        return {"score": score, "chance": self._chance(estimator, X, y)}

    def _chance(self, estimator: Any, X: Any, y: Any) -> float:
        """Standard error from the scores of parts of the rows; 0 if these are too few."""
        order = np.random.default_rng(self.seed).permutation(len(y))
        if is_classifier(estimator) and np.ndim(y) == 1:  # each part has all classes
            codes, counts = np.unique(y, return_inverse=True, return_counts=True)[1:]
            order = order[np.argsort(codes[order], kind="stable")]
            if counts.min() < _N_PARTS:
                return 0.0
        if len(y) < _FEWEST:
            return 0.0
        parts = [order[k::_N_PARTS] for k in range(_N_PARTS)]
        scores = [
            self.scorer(estimator, _safe_indexing(X, part), _safe_indexing(y, part))
            for part in parts
        ]
        return float(np.std(scores, ddof=1) / np.sqrt(_N_PARTS))
