"""Description of the generated row that differs in a comparison."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from sklearn_deep.data._missing import is_missing
from sklearn_deep.export.inputs._declared import column_values, is_frame

# Largest number of columns to describe; generated rows usually differ in one.
_MAX_SHOWN = 3


def describe_differing_row(
    X: Any, generated: Sequence[Any], differs: Callable[[Any], bool]
) -> str:
    """Describe the first generated row that differs, by its values that ``X[0]`` lacks.

    Parameters
    ----------
    X : array or frame
        The rows that the user passed.
    generated : sequence of arrays or frames
        Blocks of rows with the columns of X.
    differs : callable
        Function that tells whether the predictions for rows differ.

    Returns
    -------
    str
        A sentence, or "" if no single row differs.
    """
    for block in generated:
        if not differs(block):
            continue
        for i in range(len(block)):
            row = block.iloc[i : i + 1] if hasattr(block, "iloc") else block[i : i + 1]
            if differs(row):
                return _sentence(X, row)
    return ""


def _sentence(X: Any, row: Any) -> str:
    if len(X.shape) != 2:
        return f" The rows of X agree; the generated row {row[0]!r} differs."
    values = {
        name: (new[0], column)
        for name, new, column in zip(_names(X), _columns(row), _columns(X), strict=True)
        if not _same(new[0], column[0])
    }
    shown = list(values.items())[:_MAX_SHOWN]
    described = ", ".join(
        f"{_plain(value)!r} in column {name!r}" for name, (value, _) in shown
    )
    never_missing = [
        repr(name)
        for name, (value, column) in shown
        if is_missing(value) and not any(map(is_missing, column))
    ]
    sentence = f" The rows of X agree; the first row of X with {described} differs."
    if not never_missing:
        return sentence
    return (
        f"{sentence} X has no missing value in column {', '.join(never_missing)}, but the estimator"
        " accepts one. Fill or refuse missing values in a step before that one."
    )


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _names(X: Any) -> list[Any]:
    return list(X.columns) if is_frame(X) else list(range(X.shape[1]))


def _columns(X: Any) -> list[np.ndarray]:
    if is_frame(X):
        return [column_values(X, j) for j in range(len(X.columns))]
    return list(X.T)


def _same(one: Any, other: Any) -> bool:
    if is_missing(one) or is_missing(other):
        return is_missing(one) and is_missing(other)
    return bool(np.all(one == other))
