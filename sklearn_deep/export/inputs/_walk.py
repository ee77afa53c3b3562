"""Iteration over the estimators nested in a fitted estimator."""

from collections.abc import Iterable, Iterator
from typing import Any

from sklearn.base import BaseEstimator

from sklearn_deep.private._sklearn import calibrators_if_any


def walk_parts(model: Any) -> Iterator[Any]:
    """Iterate over an estimator and everything nested in its attributes, each once."""
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
    # Calibrated classifiers are not BaseEstimators, but contain one.
    if isinstance(value, BaseEstimator) or calibrators_if_any(value) is not None:
        return vars(value).values()
    return ()
