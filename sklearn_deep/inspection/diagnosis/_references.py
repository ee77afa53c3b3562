"""Models that a network is compared with: a constant, a linear one, boosting."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

# Boosting of more columns takes longer than what it is compared with.
_MOST_COLUMNS = 2_000

_MODELS: dict[bool, dict[str, Callable[[], Any]]] = {
    True: {
        "constant": lambda: DummyClassifier(strategy="prior"),
        "linear": lambda: make_pipeline(
            StandardScaler(), LogisticRegression(C=0.3, max_iter=1000)
        ),
        "boosting": lambda: HistGradientBoostingClassifier(random_state=0),
    },
    False: {
        "constant": DummyRegressor,
        "linear": lambda: make_pipeline(
            StandardScaler(), RidgeCV(np.logspace(-2, 4, 13))
        ),
        "boosting": lambda: HistGradientBoostingRegressor(random_state=0),
    },
}


def references(estimator: Any, X: Any, y: Any) -> dict[str, Any]:
    """The models by name, behind the same transformers; none for sequences and text.

    Parameters
    ----------
    estimator : estimator or Pipeline
    X, y : rows and targets
    """
    before = estimator.steps[:-1] if isinstance(estimator, Pipeline) else []
    rows = X if not before else clone(Pipeline(before)).fit(X, y).transform(X)
    if not _are_numbers(rows) or np.ndim(y) != 1:
        return {}
    models = {name: make() for name, make in _MODELS[is_classifier(estimator)].items()}
    shape = np.shape(rows)
    if np.prod(shape[1:]) > _MOST_COLUMNS:
        del models["boosting"]
    flat = [("flat", FunctionTransformer(_flat))] if len(shape) > 2 else []
    return {
        name: Pipeline([*before, *flat, ("model", model)])
        for name, model in models.items()
    }


def _flat(X: Any) -> Any:
    return np.asarray(X).reshape(len(X), -1)


def _are_numbers(rows: Any) -> bool:
    """Whether all models take the rows: dense finite numbers of one shape."""
    try:
        values = np.asarray(rows, dtype=np.float64)
    except (TypeError, ValueError):
        return False
    return values.ndim >= 2 and bool(np.isfinite(values).all())
