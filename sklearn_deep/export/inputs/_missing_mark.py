"""The text that stands for a missing value: tensors of strings hold nothing else."""

from collections.abc import Iterable, Iterator
from itertools import chain, count
from typing import Any

import numpy as np

from sklearn_deep.export.graph._graph import Graph
from sklearn_deep.export.inputs._declared import column_values, is_frame
from sklearn_deep.export.inputs._walk import parts_within

# Stands for None, NaN and pandas.NA, unless a category or a value has this text.
USUAL_MARK = "nan"

# Attributes of encoders and imputers that hold texts which a graph compares.
_HOLD_TEXTS = "categories_", "statistics_", "missing_values", "fill_value"


def choose_mark(model: Any, X: Any) -> str:
    """Choose a text that neither the model nor the rows have.

    Parameters
    ----------
    model : fitted estimator
    X : array or frame
        Rows like those that the file will get.
    """
    known = {*_texts_of_model(model), *_texts_of_rows(X)}
    others = (f"missing value {i}" for i in count(2))
    marks = chain([USUAL_MARK, "missing value"], others)
    return next(mark for mark in marks if mark not in known)


def mark_of(graph: Graph) -> str:
    """Give the text that stands for a missing value in a graph."""
    return graph.settings.get("missing") or USUAL_MARK


def is_looked_up(proto: Any, mark: str) -> bool:
    """Tell whether a model treats the mark otherwise than an unknown text."""
    return any(
        mark.encode() in attribute.strings
        for node in proto.graph.node
        for attribute in node.attribute
        if attribute.name == "keys_strings"
    )


def _texts_of_model(model: Any) -> Iterator[str]:
    for part in parts_within(model):
        for name in _HOLD_TEXTS:
            yield from _texts_in(getattr(part, name, ()))


def _texts_in(held: Any) -> Iterator[str]:
    if isinstance(held, str):
        yield str(held)
    elif isinstance(held, (list, tuple, np.ndarray)):
        numbers = isinstance(held, np.ndarray) and held.dtype.kind not in "OU"
        for item in () if numbers else held:
            yield from _texts_in(item)


def _texts_of_rows(X: Any) -> Iterator[str]:
    """The texts of rows that might be taken for a mark."""
    for values in _columns(X):
        if values.dtype.kind in "OU":
            texts = (value for value in values.ravel() if isinstance(value, str))
            yield from set(map(str, texts))


def _columns(X: Any) -> Iterable[np.ndarray]:
    if is_frame(X):
        return (column_values(X, j) for j in range(len(X.columns)))
    return [X] if isinstance(X, np.ndarray) and X.ndim == 2 else []
