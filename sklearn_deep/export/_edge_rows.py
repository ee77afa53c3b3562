"""Rows that tests forget: one alone, values never seen, values missing."""

import warnings
from typing import Any

import numpy as np

from sklearn_deep.export._feeds import is_missing
from sklearn_deep.export._inputs import column_values, is_frame

# A category that nobody has.
STRANGER = "never seen before"


def edge_rows(model: Any, X: Any) -> list[Any]:
    """Make blocks of rows that the estimator takes.

    Returns
    -------
    list of arrays or frames
        The first row alone, and rows with an unseen category or a missing value in
        one column each, as far as ``model.predict`` accepts them.
    """
    alone = _head(X, 1)
    odd = _odd_frames(X) if is_frame(X) else _odd_arrays(X)
    if odd and _accepts(model, _joined(odd)):
        return [alone, _joined(odd)]
    return [alone, *(rows for rows in odd if _accepts(model, rows))]


def _head(X: Any, n: int) -> Any:
    return X.iloc[:n] if hasattr(X, "iloc") else X[:n]


def _accepts(model: Any, rows: Any) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.predict(rows)
    except Exception:  # whatever a step raises, the row is not one it takes
        return False
    return True


def _odd_arrays(X: np.ndarray) -> list[np.ndarray]:
    """One row with nothing but missing values, where they can be written."""
    if X.dtype.kind != "f":
        return []
    return [np.full_like(X[:1], np.nan)]


def _odd_frames(X: Any) -> list[Any]:
    """A row a column and fault, each otherwise the first row."""
    columns = [column_values(X, j) for j in range(len(X.columns))]
    first = [values[0] for values in columns]
    rows = []
    for j, values in enumerate(columns):
        for odd in _odd_values(values, np.nan if hasattr(X, "iloc") else None):
            row = list(first)
            row[j] = odd
            rows.append(row)
    # All in one frame: a column must have room for what is odd in it.
    frame = _frame_like(X, rows) if rows else None
    return [] if frame is None else [frame[i : i + 1] for i in range(len(rows))]


def _odd_values(values: np.ndarray, missing: Any) -> list[Any]:
    """Values to try in a column; what is missing there already is missing so."""
    if values.dtype.kind == "f":
        return [np.nan]
    if values.dtype.kind not in "OU":
        return []
    absent = [value for value in values if is_missing(value)]
    present = [value for value in values if not is_missing(value)]
    if present and all(isinstance(value, str) for value in present):
        return [STRANGER, *(absent[:1] or [missing])]
    return absent[:1]  # numbers as objects have room for what is there already


def _frame_like(X: Any, rows: list[list[Any]]) -> Any:
    """Rows as a frame of the columns and, as far as they have room, dtypes of X."""
    columns = [[row[j] for row in rows] for j in range(len(X.columns))]
    if hasattr(X, "iloc"):
        series = type(X.iloc[:, 0])
        parts = {
            j: _series_like(series, X.dtypes.iloc[j], values, object)
            for j, values in enumerate(columns)
        }
        frame = type(X)(parts)
        frame.columns = X.columns
        return frame
    series = type(X[X.columns[0]])
    return type(X)(
        {
            name: _series_like(series, X[name].dtype, values, None)
            for name, values in zip(X.columns, columns, strict=True)
        }
    )


def _series_like(series: Any, dtype: Any, values: list[Any], roomy: Any) -> Any:
    try:
        made = series(values, dtype=dtype)
    except Exception:  # each library has its own word for "no such category"
        return series(values, dtype=roomy)
    return made if _holds(made, values) else series(values, dtype=roomy)


def _holds(made: Any, values: list[Any]) -> bool:
    """Tell whether a series has the values, and none became a missing one."""
    kept = made.to_numpy()
    return [is_missing(v) for v in kept] == [is_missing(v) for v in values]


def _joined(blocks: list[Any]) -> Any:
    if not is_frame(blocks[0]):
        return np.concatenate(blocks)
    first = blocks[0]
    rows = [
        [column_values(block, j)[0] for j in range(len(first.columns))]
        for block in blocks
    ]
    return _frame_like(first, rows)
