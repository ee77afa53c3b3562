"""Rows that tests forget: one alone, values unseen, missing or on a threshold."""

import warnings
from collections import deque
from collections.abc import Sequence
from enum import IntEnum
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from sklearn.compose import ColumnTransformer

from sklearn_deep.data._missing import is_missing
from sklearn_deep.export.inputs._declared import column_values, is_frame
from sklearn_deep.export.inputs._probe import predict_error
from sklearn_deep.export.inputs._walk import parts_within
from sklearn_deep.export.parity._thresholds import beside, thresholds
from sklearn_deep.serving._sequence_inputs import is_items, objects

# A category that nobody has.
STRANGER = "never seen before"
# Accents, alone and as marks of their own; other alphabets; signs; spaces of all kinds.
_ODD_TEXTS = (
    "\u00c0 la d\u00e9j\u00e0-vu: CAF\u00c9, na\u00efve; cafe\u0301!",
    "\u0393\u03a1\u0391\u03a6\u0397\u03a3 \u03a3\u03bf\u03c6\u03af\u03b1 \u041c\u0418\u0420 \u65e5\u672c\u8a9e \U0001f600",
    "(e-mail) don't_stop 3.14 x2 #a1 @b2 \u2460\u00bd",
    "  two  spaces\u00a0and\u2003others\t\n ",
    "?!",
)
_MOST_ROWS = 256  # of a frame that is wider, the columns of strings come first
_MOST_TRIES = 64


class _Kind(IntEnum):
    UNSEEN_TEXT = 0
    MISSING_TEXT = 1
    UNSEEN_NUMBER = 2
    MISSING_NUMBER = 3
    THRESHOLD = 4


class _Fault(NamedTuple):
    """A value to try in a column, in a row that is otherwise the first one."""

    kind: _Kind
    column: int
    value: Any


def edge_rows(model: Any, X: Any) -> list[Any]:
    """Make blocks of rows that the estimator takes.

    Returns
    -------
    list of arrays or frames
        The first row alone, and rows with an unseen category, a missing value or a
        number on a threshold in one column each, as far as the estimator accepts them.
    """
    alone = X.iloc[:1] if hasattr(X, "iloc") else X[:1]
    if is_items(X):
        odd = objects(_odd_sequences(X))
        return [alone, *_accepted(model, odd, range(len(odd)))]
    if len(X.shape) > 2:  # images and series have no value that is odd by itself
        return [alone]
    faults = _frame_faults(model, X) if is_frame(X) else _array_faults(X)
    faults += _threshold_faults(model, X)
    if not faults:
        return [alone]
    odd = (_odd_frame if is_frame(X) else _odd_array)(X, faults)
    return [alone, *_accepted(model, odd, [fault.kind for fault in faults])]


def _odd_sequences(X: np.ndarray) -> list[Any]:
    """The first sequence cut to one step, longer than it was, and empty; odd texts."""
    first = X[0]
    if isinstance(first, str):
        written = (first.upper(), first.title(), first.swapcase())
        apart = (", ".join(first.split()), "\n \t".join(first.split()))
        return [STRANGER, f"{first} {STRANGER}", *written, *apart, *_ODD_TEXTS, ""]
    if isinstance(first, (list, tuple)):
        return [first[:1], [*first, *first], first[:0]]
    array = np.asarray(first)
    odd = [array[:1], np.concatenate([array, array]), array.ravel()[:0]]
    if array.ndim > 1:  # time may be the other axis: what is none is not accepted
        odd += [array[:, :1], np.concatenate([array, array], axis=1), array[:, :0]]
    return odd


def _accepted(model: Any, odd: Any, kinds: Sequence[int]) -> list[Any]:
    """Rows that the estimator takes: all, or those of a kind, or halves of these."""
    if predict_error(model, odd) is None:
        return [odd]
    # Encoders know one column from another, others only where columns are apart.
    apart = any(isinstance(part, ColumnTransformer) for part in parts_within(model))
    starts = [i for i, kind in enumerate(kinds) if kind not in kinds[:i]]
    waiting = deque(pairwise([*starts, len(kinds)]))
    taken = []
    for _ in range(_MOST_TRIES):
        if not waiting:
            break
        start, stop = waiting.popleft()
        if predict_error(model, odd[start:stop]) is None:
            taken.append(odd[start:stop])
        elif stop - start > 1 and (apart or kinds[start] <= _Kind.MISSING_TEXT):
            middle = (start + stop) // 2
            waiting += [(start, middle), (middle, stop)]
    return taken


def _odd_array(X: np.ndarray, faults: list[_Fault]) -> np.ndarray:
    rows = np.repeat(X[:1], len(faults), axis=0)
    if X.dtype.kind == "U":
        rows = rows.astype(np.promote_types(X.dtype, f"U{len(STRANGER)}"))
    for i, fault in enumerate(faults):
        rows[i, fault.column] = fault.value
    return rows


def _odd_frame(X: Any, faults: list[_Fault]) -> Any:
    columns = {
        fault.column: [column_values(X[:1], fault.column)[0]] * len(faults)
        for fault in faults
    }
    for i, fault in enumerate(faults):
        columns[fault.column][i] = fault.value
    # All in one frame: a column must have room for what is odd in it.
    return _frame_like(X, columns, len(faults))


def _array_faults(X: np.ndarray) -> list[_Fault]:
    return _faults(list(X.T), [np.nan] * X.shape[1])


def _frame_faults(model: Any, X: Any) -> list[_Fault]:
    known = _missing_categories(model)
    usual = np.nan if hasattr(X, "iloc") else None
    columns = [column_values(X, j) for j in range(len(X.columns))]
    return _faults(columns, [known.get(name, usual) for name in X.columns])


def _threshold_faults(model: Any, X: Any) -> list[_Fault]:
    """Numbers on and next to thresholds, in columns of numbers that can hold them."""
    fitted = list(getattr(model, "feature_names_in_", ()))
    present = list(X.columns) if is_frame(X) and fitted else []
    found = []
    for j, threshold in thresholds(model, len(fitted) or X.shape[1]):
        if present and fitted[j] not in present:
            continue
        place = present.index(fitted[j]) if present else j
        dtype = column_values(X[:1], place).dtype if is_frame(X) else X.dtype
        if dtype.kind in "fiu":
            values = beside(threshold, dtype)
            found += [_Fault(_Kind.THRESHOLD, place, value) for value in values]
    return found


def _missing_categories(model: Any) -> dict[Any, Any]:
    """What is missing to encoders, by column: None and NaN are two things to them."""
    return {
        name: category
        for encoder in parts_within(model)
        for name, categories in zip(
            getattr(encoder, "feature_names_in_", ()),
            getattr(encoder, "categories_", ()),
            strict=False,
        )
        for category in categories
        if is_missing(category)
    }


def _faults(columns: list[np.ndarray], missing: list[Any]) -> list[_Fault]:
    found = [
        _Fault(kind, j, value)
        for j, values in enumerate(columns)
        for kind, value in _odd_values(values, missing[j])
    ]
    return sorted(found, key=lambda fault: (fault.kind, fault.column))[:_MOST_ROWS]


def _odd_values(values: np.ndarray, missing: Any) -> list[tuple[_Kind, Any]]:
    if values.ndim > 1:  # lists of one length, of polars
        return []
    if values.dtype.kind == "f":
        return [(_Kind.MISSING_NUMBER, np.nan)]
    if values.dtype.kind in "iu":
        return [(_Kind.UNSEEN_NUMBER, number) for number in _unseen_integers(values)]
    if values.dtype.kind == "U":
        return [(_Kind.UNSEEN_TEXT, STRANGER)]
    if values.dtype.kind != "O":
        return []
    # What is missing there already is missing so.
    absent = [value for value in values if is_missing(value)][:1]
    present = [value for value in values if not is_missing(value)]
    if present and all(isinstance(value, str) for value in present):
        gone = absent[0] if absent else missing
        return [(_Kind.UNSEEN_TEXT, STRANGER), (_Kind.MISSING_TEXT, gone)]
    # Numbers as objects have room for what is there already.
    return [(_Kind.MISSING_NUMBER, value) for value in absent]


def _unseen_integers(values: np.ndarray) -> list[Any]:
    """Integer next to those of a column, as far as its dtype has one."""
    room, low, high = np.iinfo(values.dtype), values.min(), values.max()
    if high < room.max:
        return [high + high.dtype.type(1)]
    return [low - low.dtype.type(1)] if low > room.min else []


def _frame_like(X: Any, columns: dict[int, list[Any]], n_rows: int) -> Any:
    """The first row, repeated, with some columns given.

    These have the dtypes of X as far as they have room for the values.
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
    """A number of NumPy's as Python's own: polars takes no others everywhere."""
    return value.item() if isinstance(value, np.generic) else value


def _series_like(series: Any, dtype: Any, values: list[Any], roomy: Any) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pandas warns where it will raise one day
            made = series(values, dtype=dtype)
    except Exception:  # each library has its own word for "no such category"
        return series(values, dtype=roomy)
    return made if _holds(made, values) else series(values, dtype=roomy)


def _holds(made: Any, values: list[Any]) -> bool:
    """Tell whether a series has the values, and none became a missing one."""
    kept = made.to_numpy()
    return [is_missing(v) for v in kept] == [is_missing(v) for v in values]
