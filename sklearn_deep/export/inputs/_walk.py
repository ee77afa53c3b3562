"""Estimators within a fitted estimator, wherever it keeps them."""

from collections.abc import Iterable, Iterator
from typing import Any

from sklearn.base import BaseEstimator


def parts_within(model: Any) -> Iterator[Any]:
    """Go through an estimator, and through all that it holds, each once."""
    seen: set[int] = set()
    waiting = [model]
    while waiting:
        value = waiting.pop()
        if id(value) not in seen:
            seen.add(id(value))
            yield value
            waiting.extend(_held(value))


def _held(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    if isinstance(value, (list, tuple)):
        return value
    # Calibrated classifiers are no BaseEstimator, but hold one.
    if isinstance(value, BaseEstimator) or hasattr(value, "calibrators"):
        return vars(value).values()
    return ()
