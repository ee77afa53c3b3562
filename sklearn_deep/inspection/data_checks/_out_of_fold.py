"""Predictions on rows that a model was not fitted to."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import _safe_indexing
from sklearn.utils.parallel import Parallel, delayed

from sklearn_deep.data._sequences import sequences_in
from sklearn_deep.estimators.core._base import DeepEstimator
from sklearn_deep.estimators.core._fit_warnings import without_fit_warnings
from sklearn_deep.estimators.families._mlp import MLPClassifier, MLPRegressor
from sklearn_deep.inspection.data_checks._rows import (
    IMAGES,
    SERIES,
    TABLE,
    TEXTS,
    Rows,
)
from sklearn_deep.inspection.data_checks._target import Target
from sklearn_deep.training.stacking._backend import stacked_by_default

# Trees of boosting in a fit, over all classes and rounds.
_TREES = 300

# Categories of a column that boosting takes as such.
_MOST_CATEGORIES = 255

# Pixels or steps of a row that a network of the checks is given.
_MOST_VALUES = 1024


@dataclass(frozen=True)
class OutOfFold:
    """Predictions of the rows of a sample.

    Attributes
    ----------
    rows : ndarray of int
        Row numbers.
    folds : ndarray of int
        Fold of each.
    predicted : ndarray of shape (n_rows, n_classes) or (n_rows,)
    """

    rows: np.ndarray
    folds: np.ndarray
    predicted: np.ndarray


def fold_numbers(
    strata: np.ndarray, groups: np.ndarray, n_folds: int, rng: np.random.Generator
) -> np.ndarray:
    """Deal groups to folds, those of each stratum in turn; copies of a row stay together."""
    if len(np.unique(groups)) < 2:  # nothing to keep apart
        groups = np.arange(len(groups))
    _, first, member = np.unique(groups, return_index=True, return_inverse=True)
    shuffled = rng.permutation(len(first))
    order = shuffled[np.argsort(strata[first][shuffled], kind="stable")]
    fold = np.empty(len(first), int)
    fold[order] = np.arange(len(first)) % n_folds
    return fold[member]


def out_of_fold(
    X: Any,
    rows: Rows,
    target: Target,
    sample: np.ndarray,
    *,
    groups: np.ndarray,
    estimator: Any,
    n_folds: int,
    rng: np.random.Generator,
    n_jobs: int | None,
    robust: bool = False,
) -> OutOfFold:
    """Predict each row of a sample by a model of the other folds.

    ``robust`` lets boosting predict medians, which wrong targets hardly move.
    """
    folds = fold_numbers(target.strata()[sample], groups[sample], n_folds, rng)
    model, values = model_of(X, rows, target, estimator)
    if robust and isinstance(model, _Regressor):
        model.set_params(loss="absolute_error")
    values = _safe_indexing(values, sample)
    target = target.of_rows(sample)
    y = target.codes if estimator is None else target.values
    run = delayed(fit_and_predict)
    parts = [
        (np.flatnonzero(folds != k), np.flatnonzero(folds == k)) for k in range(n_folds)
    ]
    parts = [part for part in parts if len(part[0]) and len(part[1])]
    with without_fit_warnings(), _stacks(model):
        found = Parallel(n_jobs=n_jobs)(
            run(model, values, y, target, train, test) for train, test in parts
        )
    width = (len(target.classes),) if target.is_classes else ()
    predicted = np.zeros((len(sample), *width))
    for (_, test), part in zip(parts, found, strict=True):
        predicted[test] = part
    return OutOfFold(sample, folds, predicted)


def _stacks(model: Any) -> AbstractContextManager[None]:
    """Train the networks of all folds as one, where the model is a network or ends in one."""
    steps = getattr(model, "steps", None)
    last = steps[-1][1] if steps else model
    return stacked_by_default() if isinstance(last, DeepEstimator) else nullcontext()


def fit_and_predict(
    model: Any,
    values: Any,
    y: np.ndarray,
    target: Target,
    train: np.ndarray,
    test: np.ndarray,
) -> np.ndarray:
    """Probabilities of all classes, or numbers, of the rows ``test``."""
    inside, outside = _safe_indexing(values, train), _safe_indexing(values, test)
    if not target.is_classes:
        fitted = clone(model).fit(inside, y[train])
        return np.asarray(fitted.predict(outside), float).ravel()
    names = target.classes if y is target.values else np.arange(len(target.classes))
    found = np.unique(y[train])
    predicted = np.zeros((len(test), len(target.classes)))
    if len(found) == 1:
        predicted[:, np.searchsorted(names, found)] = 1.0
        return predicted
    fitted = clone(model).fit(inside, y[train])
    places = np.searchsorted(names, np.asarray(fitted.classes_, names.dtype))
    predicted[:, places] = _probabilities(fitted, outside)
    return predicted


def _probabilities(fitted: Any, values: Any) -> np.ndarray:
    if hasattr(fitted, "predict_proba"):
        return np.asarray(fitted.predict_proba(values))
    votes = fitted.predict(values)
    return (np.asarray(votes)[:, None] == fitted.classes_).astype(float)


def model_of(X: Any, rows: Rows, target: Target, estimator: Any) -> tuple[Any, Any]:
    """Give the estimator and its X: the user's, or one that suits the kind of data."""
    if estimator is not None:
        return estimator, X
    if rows.kind == TABLE:
        return boosting(rows.categorical, rows.columns, target), rows.columns
    return _MODELS[rows.kind](X, rows, target)


class _Classifier(HistGradientBoostingClassifier):
    """Boosting that bears columns without any value in a fold."""

    def fit(self, X, y):
        return super().fit(_without_empty(X), y)


class _Regressor(HistGradientBoostingRegressor):
    """Boosting that bears columns without any value in a fold."""

    def fit(self, X, y):
        return super().fit(_without_empty(X), y)


def _without_empty(X: np.ndarray) -> np.ndarray:
    """Zeros in columns without a value: no tree splits a constant."""
    return np.where(np.isnan(X).all(0), 0.0, X)


def boosting(categorical: np.ndarray, columns: np.ndarray, target: Target) -> Any:
    """Boosting that takes missing values and categories as they are."""
    with np.errstate(invalid="ignore"):
        few = np.nanmax(columns, axis=0, initial=0) < _MOST_CATEGORIES
    n_trees = max(len(target.classes), 1) if len(target.classes) > 2 else 1
    rounds = int(np.clip(_TREES / n_trees, 15, 100))
    params = {
        "max_iter": rounds,
        "learning_rate": 0.1 if rounds == 100 else 0.3,
        "categorical_features": np.asarray(categorical & few, bool),
        "early_stopping": False,
        "random_state": 0,
    }
    if target.is_classes:
        return _Classifier(**params)
    return _Regressor(**params)


def _of_arrays(X: Any, rows: Rows, target: Target) -> tuple[Any, Any]:
    """A small network on the pixels or steps of a row; on positions of unequal rows."""
    values = np.asarray(X, float) if sequences_in(X) is None else rows.positions
    flat = values.reshape(len(values), -1)
    flat = np.nan_to_num(flat[:, :: max(1, -(-flat.shape[1] // _MOST_VALUES))])
    network = MLPClassifier if target.is_classes else MLPRegressor
    return make_pipeline(StandardScaler(), network((128,), random_state=0)), flat


def _of_texts(X: Any, rows: Rows, target: Target) -> tuple[Any, Any]:
    texts = [
        item if isinstance(item, str) else " ".join(map(str, item))
        for item in sequences_in(X) or []
    ]
    features = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(1, 4), max_features=50_000
    )
    linear = LogisticRegression(C=10, max_iter=1000) if target.is_classes else Ridge()
    return make_pipeline(features, linear), texts


_MODELS: dict[str, Callable[[Any, Rows, Target], tuple[Any, Any]]] = {
    IMAGES: _of_arrays,
    SERIES: _of_arrays,
    TEXTS: _of_texts,
}
