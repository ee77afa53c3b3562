"""The string that represents a missing value, as ONNX string tensors have no other way."""

from collections.abc import Iterable, Iterator
from itertools import chain, count
from typing import Any

import numpy as np

from sklearn_deep._subclasses import TracksSubclasses
from sklearn_deep.estimators.core._fitted import find_fitted
from sklearn_deep.export.graph._graph import Graph
from sklearn_deep.export.inputs._declared import column_values, is_frame
from sklearn_deep.export.inputs._walk import walk_parts

# Represents None, NaN and pandas.NA, unless a category or value is the same string.
DEFAULT_PLACEHOLDER = "nan"

# Attributes of encoders and imputers whose strings are compared in the graph.
_STRING_ATTRIBUTES = "categories_", "statistics_", "missing_values", "fill_value"


def choose_placeholder(model: Any, X: Any) -> str:
    """Choose a string that occurs neither in the model nor in the rows.

    Parameters
    ----------
    model : fitted estimator
    X : array or frame
        Rows like those that the file will predict.
    """
    known = {*strings_of_model(model), *_strings_of_rows(X)}
    others = (f"missing value {i}" for i in count(2))
    candidates = chain([DEFAULT_PLACEHOLDER, "missing value"], others)
    return next(placeholder for placeholder in candidates if placeholder not in known)


def placeholder_of(graph: Graph) -> str:
    """Return the string that represents a missing value in a graph."""
    return graph.settings.get("missing") or DEFAULT_PLACEHOLDER


def is_lookup_key(proto: Any, placeholder: str) -> bool:
    """Tell whether a graph treats the placeholder differently from an unknown string."""
    return any(
        placeholder.encode() in attribute.strings
        for node in proto.graph.node
        for attribute in node.attribute
        if attribute.name == "keys_strings"
    )


def strings_of_model(model: Any) -> Iterator[str]:
    """Iterate over the strings that the graph of a model compares with."""
    for part in walk_parts(model):
        for name in _STRING_ATTRIBUTES:
            yield from _strings_in(getattr(part, name, ()))
        fitted = find_fitted(part) if isinstance(part, TracksSubclasses) else None
        if fitted is not None:
            yield from fitted.features.texts()


def _strings_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield str(value)
    elif isinstance(value, (list, tuple, np.ndarray)):
        numbers = isinstance(value, np.ndarray) and value.dtype.kind not in "OU"
        for item in () if numbers else value:
            yield from _strings_in(item)


def _strings_of_rows(X: Any) -> Iterator[str]:
    """Iterate over the strings in rows, which the placeholder must not equal."""
    for values in _columns(X):
        if values.dtype.kind in "OU":
            strings = (value for value in values.ravel() if isinstance(value, str))
            yield from set(map(str, strings))


def _columns(X: Any) -> Iterable[np.ndarray]:
    if is_frame(X):
        return (column_values(X, j) for j in range(len(X.columns)))
    return [X] if isinstance(X, np.ndarray) and X.ndim == 2 else []
