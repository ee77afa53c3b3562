"""The score that a diagnosis compares, and how far chance moves it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import is_classifier
from sklearn.metrics import check_scoring
from sklearn.utils import _safe_indexing

Scorer = Callable[[Any, Any, Any], float]
Rows = tuple[Any, Any]

# Probabilities below this count as this: one confident mistake is not infinitely bad.
_LEAST = 1e-6

# Parts of the test rows whose scores tell how far chance moves the score of all.
_N_PARTS = 8
_FEWEST = 32


def log_likelihood(estimator: Any, X: Any, y: Any) -> float:
    """Mean logarithm of the probability of the true class; at best 0."""
    return float(_log_probabilities(estimator, X, y).mean())


def _log_probabilities(estimator: Any, X: Any, y: Any) -> np.ndarray:
    classes, y = estimator.classes_, np.asarray(y)
    place = np.minimum(np.searchsorted(classes, y), len(classes) - 1)
    p = estimator.predict_proba(X)[np.arange(len(y)), place]
    p = np.where(classes[place] == y, p, 0.0)  # a class that was in no training row
    return np.log(np.maximum(p, _LEAST))


def _hits(estimator: Any, X: Any, y: Any) -> np.ndarray:
    return (np.asarray(estimator.predict(X)) == np.asarray(y)).astype(float)


def _explained(estimator: Any, X: Any, y: Any) -> np.ndarray:
    """What each row adds to R^2, times the number of rows."""
    y = np.asarray(y, float)
    errors = (y - np.asarray(estimator.predict(X), float).reshape(y.shape)) ** 2
    return 1.0 - errors / max(float(y.var()), np.finfo(float).tiny)


# Scores that are means over rows, by the names that ``chosen_scorer`` gives: the scores of
# the rows of one target.
ROW_SCORES: dict[str, Callable[[Any, Any, Any], np.ndarray]] = {
    "log-likelihood": _log_probabilities,
    "accuracy": _hits,
    "R2": _explained,
    "r2": _explained,
}


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


class FoldScores(NamedTuple):
    """Scores of one fit: on its training rows, and on the rows left out.

    Attributes
    ----------
    train, test : float
    chance : float
        Standard error that the choice of test rows gives the test score; 0 if unknown.
    rows : ndarray of shape (n_test,) or None
        Scores of the test rows, whose mean is the test score; None for other scores.
    """

    train: float
    test: float
    chance: float
    rows: np.ndarray | None


class Measures:
    """Scores a fit, with what chance and single rows do to the score.

    Parameters
    ----------
    scorer : callable
    name : str
        Name of the score.
    seed : int
    """

    def __init__(self, scorer: Scorer, name: str, seed: int) -> None:
        self.scorer, self.name, self.seed = scorer, name, seed

    def __call__(self, fitted: Any, train: Rows, test: Rows) -> FoldScores:
        """Score training rows and rows left out, each as (X, y)."""
        rows = self._rows(fitted, *test)
        if rows is None:
            score, chance = self._score(fitted, *test), self._of_parts(fitted, *test)
        else:
            score, chance = float(rows.mean()), self._of_rows(fitted, rows, test[1])
        return FoldScores(self._score(fitted, *train), score, chance, rows)

    def _score(self, fitted: Any, X: Any, y: Any) -> float:
        return float(self.scorer(fitted, X, y))

    def _rows(self, fitted: Any, X: Any, y: Any) -> np.ndarray | None:
        of_rows = ROW_SCORES.get(self.name)
        return None if of_rows is None or np.ndim(y) != 1 else of_rows(fitted, X, y)

    def _of_rows(self, fitted: Any, rows: np.ndarray, y: Any) -> float:
        if len(rows) < _FEWEST or (is_classifier(fitted) and _rarest(y) < _N_PARTS):
            return 0.0
        return float(rows.std(ddof=1) / np.sqrt(len(rows)))

    def _of_parts(self, fitted: Any, X: Any, y: Any) -> float:
        """Standard error from the scores of parts of the rows; 0 if these are too few."""
        order = np.random.default_rng(self.seed).permutation(len(y))
        if is_classifier(fitted) and np.ndim(y) == 1:  # each part has all classes
            codes = np.unique(y, return_inverse=True)[1]
            order = order[np.argsort(codes[order], kind="stable")]
            if _rarest(y) < _N_PARTS:
                return 0.0
        if len(y) < _FEWEST:
            return 0.0
        parts = [order[k::_N_PARTS] for k in range(_N_PARTS)]
        scores = [
            self._score(fitted, _safe_indexing(X, part), _safe_indexing(y, part))
            for part in parts
        ]
        return float(np.std(scores, ddof=1) / np.sqrt(_N_PARTS))


def _rarest(y: Any) -> int:
    """Number of rows of the rarest class."""
    return int(np.unique(y, return_counts=True)[1].min())
