"""Dates and durations as whole microseconds, as ONNX files take them."""

from typing import Any

import numpy as np

from sklearn_deep.data._column_kinds import DURATION, TIME, kind_of_objects
from sklearn_deep.data._object_columns import microseconds_of, microseconds_of_array

# Dtypes of columns of times, by their kind; dates are in UTC, from 1970 on.
TIME_DTYPES = {
    TIME: np.dtype("datetime64[us]"),
    DURATION: np.dtype("timedelta64[us]"),
}

# In place of a missing value; NumPy's own choice.
NOT_A_TIME = np.iinfo(np.int64).min

_KIND_OF_LETTER = {"M": TIME, "m": DURATION}


def time_dtype(values: np.ndarray) -> np.dtype | None:
    """Give the dtype of a column of dates or of durations; None for other columns."""
    if values.ndim != 1:
        return None
    kind = _KIND_OF_LETTER.get(values.dtype.kind)
    if values.dtype == object:
        kind = kind_of_objects(values.tolist())
    return TIME_DTYPES.get(kind or "")


def whole_microseconds(values: Any) -> np.ndarray:
    """Microseconds of a column of dates or durations, as integers."""
    if values.dtype.kind in _KIND_OF_LETTER:
        found = microseconds_of_array(values)
    else:
        found = microseconds_of(values.tolist())
    missing = np.isnan(found)
    whole = np.where(missing, 0, found).astype(np.int64)
    return np.where(missing, NOT_A_TIME, whole)
