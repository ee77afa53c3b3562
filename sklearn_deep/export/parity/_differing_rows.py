"""Which made-up row of a comparison differs, in words."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from sklearn_deep.data._missing import is_missing
from sklearn_deep.export.inputs._declared import column_values, is_frame

# Columns whose values are told; in a made-up row one is odd.
_MOST_TOLD = 3


def differing_row(
    X: Any, made_up: Sequence[Any], differs: Callable[[Any], bool]
) -> str:
    """Describe the first made-up row that differs, by what it has other than ``X[0]``.

    Parameters
    ----------
    X : array or frame
        The rows that the user gave.
    made_up : sequence of arrays or frames
        Blocks of rows, of one column count with X.
    differs : callable
        Tells whether the predictions for rows differ.

    Returns
    -------
    str
        A sentence, "" where no row differs by itself.
    """
    for block in made_up:
        if not differs(block):
            continue
        for i in range(len(block)):
            row = block.iloc[i : i + 1] if hasattr(block, "iloc") else block[i : i + 1]
            if differs(row):
                return _sentence(X, row)
    return ""


def _sentence(X: Any, row: Any) -> str:
    if len(X.shape) != 2:
        return f" The rows of X agree; the made-up row {row[0]!r} differs."
    values = {
        name: (new[0], column)
        for name, new, column in zip(_names(X), _columns(row), _columns(X), strict=True)
        if not _same(new[0], column[0])
    }
    told = list(values.items())[:_MOST_TOLD]
    odd = ", ".join(
        f"{_plain(value)!r} in column {name!r}" for name, (value, _) in told
    )
    never = [
        repr(name)
        for name, (value, column) in told
        if is_missing(value) and not any(map(is_missing, column))
    ]
    sentence = f" The rows of X agree; the first row of X with {odd} differs."
    if not never:
        return sentence
    return (
        f"{sentence} X has no missing value in column {', '.join(never)}, but the estimator"
        " predicts rows with one. Let a step before that one fill or refuse missing values."
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
