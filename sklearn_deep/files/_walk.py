"""The objects inside a model: what its attributes and containers hold."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from sklearn_deep.estimators.core._base import DeepEstimator
from sklearn_deep.estimators.core._fitted import find_fitted


def inside(model: Any) -> Iterator[Any]:
    """All objects inside a model, itself first, each once."""
    seen: dict[int, Any] = {}
    waiting = [model]
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen[id(value)] = value  # held, so that no other object gets its id
        yield value
        waiting.extend(reversed(list(_parts(value))))


def networks_in(model: Any) -> list[DeepEstimator]:
    """The fitted networks inside a model."""
    return [
        value
        for value in inside(model)
        if isinstance(value, DeepEstimator) and find_fitted(value) is not None
    ]


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return value.values()
    if isinstance(value, (list, tuple, set, frozenset)):
        return value
    if isinstance(value, np.ndarray):
        return value.ravel().tolist() if value.dtype.hasobject else ()
    has_attributes = isinstance(value, BaseEstimator) or type(
        value
    ).__module__.startswith(("sklearn.", "sklearn_deep."))
    return vars(value).values() if has_attributes and hasattr(value, "__dict__") else ()
