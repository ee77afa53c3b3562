"""Generated rows: a single one, unseen categories, missing values, thresholds."""

import warnings
from collections import deque
from collections.abc import Sequence
from enum import IntEnum
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from sklearn.compose import ColumnTransformer

from sklearn_deep.data._missing import is_missing
from sklearn_deep.estimators.families._tabular import TabularEstimator
from sklearn_deep.export.inputs._declared import column_values, is_frame
from sklearn_deep.export.inputs._probe import predict_error
from sklearn_deep.export.inputs._walk import walk_parts
from sklearn_deep.export.parity._thresholds import neighbours, thresholds
from sklearn_deep.serving._sequence_inputs import is_sequence_array, object_array

# A category that no encoder has seen.
UNSEEN = "never seen before"
# Precomposed and combining accents, other alphabets, symbols, all kinds of spaces.
_EDGE_TEXTS = (
    "\u00c0 la d\u00e9j\u00e0-vu: CAF\u00c9, na\u00efve; cafe\u0301!",
    "\u0393\u03a1\u0391\u03a6\u0397\u03a3 \u03a3\u03bf\u03c6\u03af\u03b1 \u041c\u0418\u0420 \u65e5\u672c\u8a9e \U0001f600",
    "(e-mail) don't_stop 3.14 x2 #a1 @b2 \u2460\u00bd",
    "  two  spaces\u00a0and\u2003others\t\n ",
    "?!",
)
_MAX_ROWS = 256  # columns of strings are first
_MAX_PROBES = 64


class _Kind(IntEnum):
    UNSEEN_TEXT = 0
    MISSING_TEXT = 1
    UNSEEN_NUMBER = 2
    MISSING_NUMBER = 3
    THRESHOLD = 4


class _EdgeValue(NamedTuple):
    """A value for one column of a generated row, which is otherwise the first row."""

    kind: _Kind
    column: int
    value: Any


def edge_rows(model: Any, X: Any) -> list[Any]:
    """Make blocks of rows that the estimator accepts.

    Returns
    -------
    list of arrays or frames
        The first row alone, and rows with an unseen category, a missing value or a
        number on a threshold in one column, as far as the estimator accepts them.
    """
    alone = X.iloc[:1] if hasattr(X, "iloc") else X[:1]
    if is_sequence_array(X):
        edge_block = object_array(_edge_sequences(X))
        return [alone, *_accepted(model, edge_block, range(len(edge_block)))]
    if len(X.shape) > 2:  # images and series have no unusual single values
        return [alone]
    edges = _frame_edge_values(model, X) if is_frame(X) else _array_edge_values(X)
    edges += _threshold_edge_values(model, X)
    if not edges:
        return [alone]
    edge_block = (_edge_frame if is_frame(X) else _edge_array)(X, edges)
    return [alone, *_accepted(model, edge_block, [edge.kind for edge in edges])]


def _edge_sequences(X: np.ndarray) -> list[Any]:
    """The first sequence truncated to one step, doubled and emptied; unusual texts."""
    first = X[0]
    if isinstance(first, str):
        written = (first.upper(), first.title(), first.swapcase())
        apart = (", ".join(first.split()), "\n \t".join(first.split()))
        return [UNSEEN, f"{first} {UNSEEN}", *written, *apart, *_EDGE_TEXTS, ""]
    if isinstance(first, (list, tuple)):
        return [first[:1], [*first, *first], first[:0]]
    array = np.asarray(first)
    edge_block = [array[:1], np.concatenate([array, array]), array.ravel()[:0]]
    if array.ndim > 1:  # time may be the other axis; wrong ones are refused
        edge_block += [
            array[:, :1],
            np.concatenate([array, array], axis=1),
            array[:, :0],
        ]
    return edge_block


def _accepted(model: Any, edge_block: Any, kinds: Sequence[int]) -> list[Any]:
    """Rows that the estimator accepts: all, those of one kind, or halves of these."""
    if predict_error(model, edge_block) is None:
        return [edge_block]
    # Encoders treat columns separately; others only do so in a ColumnTransformer.
    apart = any(isinstance(part, ColumnTransformer) for part in walk_parts(model))
    starts = [i for i, kind in enumerate(kinds) if kind not in kinds[:i]]
    pending = deque(pairwise([*starts, len(kinds)]))
    accepted = []
    for _ in range(_MAX_PROBES):
        if not pending:
            break
        start, stop = pending.popleft()
        if predict_error(model, edge_block[start:stop]) is None:
            accepted.append(edge_block[start:stop])
        elif stop - start > 1 and (apart or kinds[start] <= _Kind.MISSING_TEXT):
            middle = (start + stop) // 2
            pending += [(start, middle), (middle, stop)]
    return accepted


def _edge_array(X: np.ndarray, edges: list[_EdgeValue]) -> np.ndarray:
    rows = np.repeat(X[:1], len(edges), axis=0)
    if X.dtype.kind == "U":
        rows = rows.astype(np.promote_types(X.dtype, f"U{len(UNSEEN)}"))
    for i, edge in enumerate(edges):
        rows[i, edge.column] = edge.value
    return rows


def _edge_frame(X: Any, edges: list[_EdgeValue]) -> Any:
    columns = {
        edge.column: [column_values(X[:1], edge.column)[0]] * len(edges)
        for edge in edges
    }
    for i, edge in enumerate(edges):
        columns[edge.column][i] = edge.value
    # One frame for all rows: each column's dtype must fit all its values.
    return _frame_like(X, columns, len(edges))


def _array_edge_values(X: np.ndarray) -> list[_EdgeValue]:
    return _edge_values(list(X.T), [np.nan] * X.shape[1])


def _frame_edge_values(model: Any, X: Any) -> list[_EdgeValue]:
    known = _missing_categories(model)
    default = np.nan if hasattr(X, "iloc") else None
    columns = [column_values(X, j) for j in range(len(X.columns))]
    found = _edge_values(columns, [known.get(name, default) for name in X.columns])
    return [*found, *_missing_times(model, columns)]


def _missing_times(model: Any, columns: list[np.ndarray]) -> list[_EdgeValue]:
    """Missing dates and durations, where a network for tables may read them."""
    if not any(isinstance(part, TabularEstimator) for part in walk_parts(model)):
        return []
    return [
        _EdgeValue(_Kind.MISSING_NUMBER, j, type(values[0])("NaT"))
        for j, values in enumerate(columns)
        if values.dtype.kind in "mM" and values.ndim == 1
    ]


def _threshold_edge_values(model: Any, X: Any) -> list[_EdgeValue]:
    """Numbers on and next to thresholds, in columns whose dtype has such numbers."""
    fitted = list(getattr(model, "feature_names_in_", ()))
    present = list(X.columns) if is_frame(X) and fitted else []
    found = []
    for j, threshold in thresholds(model, len(fitted) or X.shape[1]):
        if present and fitted[j] not in present:
            continue
        index = present.index(fitted[j]) if present else j
        dtype = column_values(X[:1], index).dtype if is_frame(X) else X.dtype
        if dtype.kind in "fiu":
            values = neighbours(threshold, dtype)
            found += [_EdgeValue(_Kind.THRESHOLD, index, value) for value in values]
    return found


def _missing_categories(model: Any) -> dict[Any, Any]:
    """The missing value of each column in encoders, which distinguish None and NaN."""
    return {
        name: category
        for encoder in walk_parts(model)
        for name, categories in zip(
            getattr(encoder, "feature_names_in_", ()),
            getattr(encoder, "categories_", ()),
            strict=False,
        )
        for category in categories
        if is_missing(category)
    }


def _edge_values(columns: list[np.ndarray], missing: list[Any]) -> list[_EdgeValue]:
    found = [
        _EdgeValue(kind, j, value)
        for j, values in enumerate(columns)
        for kind, value in _unusual_values(values, missing[j])
    ]
    return sorted(found, key=lambda edge: (edge.kind, edge.column))[:_MAX_ROWS]


def _unusual_values(values: np.ndarray, missing: Any) -> list[tuple[_Kind, Any]]:
    if values.ndim > 1:  # a polars column of lists
        return []
    if values.dtype.kind == "f":
        return [(_Kind.MISSING_NUMBER, np.nan)]
    if values.dtype.kind in "iu":
        return [(_Kind.UNSEEN_NUMBER, number) for number in _unseen_integers(values)]
    if values.dtype.kind == "U":
        return [(_Kind.UNSEEN_TEXT, UNSEEN)]
    if values.dtype.kind != "O":
        return []
    # The missing value of the column itself, if it has one.
    missing_values = [value for value in values if is_missing(value)][:1]
    present = [value for value in values if not is_missing(value)]
    if present and all(isinstance(value, str) for value in present):
        missing_value = missing_values[0] if missing_values else missing
        return [(_Kind.UNSEEN_TEXT, UNSEEN), (_Kind.MISSING_TEXT, missing_value)]
    # Numbers in an object column: only missing values that it contains already.
    return [(_Kind.MISSING_NUMBER, value) for value in missing_values]


def _unseen_integers(values: np.ndarray) -> list[Any]:
    """An integer beyond the range of a column, if its dtype has one."""
    limits, low, high = np.iinfo(values.dtype), values.min(), values.max()
    if high < limits.max:
        return [high + high.dtype.type(1)]
    return [low - low.dtype.type(1)] if low > limits.min else []


def _frame_like(X: Any, columns: dict[int, list[Any]], n_rows: int) -> Any:
    """Repeat the first row, with new values in some columns.

    These columns have the dtypes of X if these fit the values.
    """
    if hasattr(X, "iloc"):
        frame = X.iloc[[0] * n_rows].reset_index(drop=True)
        series = type(frame.iloc[:, 0])
        parts = {j: frame.iloc[:, j] for j in range(frame.shape[1])}
        for j, values in columns.items():
            parts[j] = _series_like(series, X.dtypes.iloc[j], values, object)
        made = type(X)(parts)
        made.columns = X.columns
        return made
    frame = X[[0] * n_rows]
    series = type(X[X.columns[0]])
    return frame.with_columns(
        **{
            X.columns[j]: _series_like(
                series, X[X.columns[j]].dtype, list(map(_plain, values)), None
            )
            for j, values in columns.items()
        }
    )


def _plain(value: Any) -> Any:
    """Convert a NumPy scalar to a Python one, as polars needs in some places."""
    return value.item() if isinstance(value, np.generic) else value


def _series_like(
    series: Any, dtype: Any, values: list[Any], fallback_dtype: Any
) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about conversions that pandas will refuse
            made = series(values, dtype=dtype)
    except Exception:  # each library has its own error for unknown categories
        return series(values, dtype=fallback_dtype)
    return made if _holds(made, values) else series(values, dtype=fallback_dtype)


def _holds(made: Any, values: list[Any]) -> bool:
    """Tell whether a series contains the values, without new missing ones."""
    kept = made.to_numpy()
    return [is_missing(v) for v in kept] == [is_missing(v) for v in values]
