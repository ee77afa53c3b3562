"""Columns of Python objects: their numbers, times, and the codes of their values."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from types import NoneType
from typing import Any

import numpy as np

from sklearn_deep.data._missing import is_missing

# NumPy makes NaN of None, and numbers of these, by itself.
_CONVERTED = {int, float, bool, NoneType, np.float64, np.float32, np.int64, np.bool_}

# Codes of a column of one value.
_PRESENT, _MISSING = np.array([0]), np.array([-1])

_EPOCH = datetime(1970, 1, 1)

# Codes of a column, and the value of each code. Missing values have the code -1.
Codes = tuple[np.ndarray, list[Any]]


def numbers_of(values: Sequence[Any]) -> np.ndarray:
    """Numbers and booleans as floats; NaN for missing values."""
    try:
        if not _CONVERTED.issuperset(map(type, values)):
            values = [np.nan if is_missing(v) else float(v) for v in values]
        return np.array(values, np.float64)
    except OverflowError:  # Python's integers are unbounded
        return np.array([_large(v) for v in values], np.float64)


def _large(value: Any) -> float:
    try:
        return np.nan if is_missing(value) else float(value)
    except OverflowError:
        return np.inf if value > 0 else -np.inf


def microseconds_of(values: Sequence[Any]) -> np.ndarray:
    """Microseconds of dates, since 1970 in UTC, and of durations, as floats."""
    return np.array([_microseconds(v) for v in values], np.float64)


def _microseconds(value: Any) -> float:
    if is_missing(value):
        return np.nan
    if isinstance(value, np.datetime64):
        return float(value.astype("datetime64[us]").astype(np.int64))
    if isinstance(value, np.timedelta64):
        return float(value.astype("timedelta64[us]").astype(np.int64))
    if isinstance(value, timedelta):
        return _whole(value)
    if isinstance(value, time):
        value = datetime.combine(_EPOCH, value.replace(tzinfo=None))
    value = getattr(value, "start_time", value)  # of a period
    if not isinstance(value, datetime):
        return _whole(value - date(1970, 1, 1))
    if value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    return _whole(value - _EPOCH)


def _whole(duration: timedelta) -> float:
    # Not total_seconds(), whose rounding is another than that of integers.
    seconds = duration.days * 86_400 + duration.seconds
    return float(seconds * 1_000_000 + duration.microseconds)


def microseconds_of_array(values: np.ndarray) -> np.ndarray:
    """Microseconds of an array of datetime64 or timedelta64, as floats."""
    unit = "datetime64[us]" if values.dtype.kind == "M" else "timedelta64[us]"
    whole = values.astype(unit)
    return np.where(np.isnat(whole), np.nan, whole.astype(np.int64))


def codes_of(values: Sequence[Any]) -> Codes:
    """Codes of the values of one column, in the order of their first appearance.

    Raises
    ------
    TypeError
        For values that cannot be compared, such as lists.
    """
    if len(values) == 1:
        hash(values[0])
        return (_MISSING if is_missing(values[0]) else _PRESENT), [values[0]]
    code_of: defaultdict[Any, int] = defaultdict()
    code_of.default_factory = code_of.__len__
    codes = np.fromiter(map(code_of.__getitem__, values), np.intp, len(values))
    return without_missing(codes, list(code_of))


def codes_of_numbers(values: np.ndarray) -> Codes:
    """Codes of an array of numbers or times."""
    distinct, codes = np.unique(values, return_inverse=True)
    return without_missing(codes.reshape(-1), distinct.tolist())


def without_missing(codes: np.ndarray, distinct: list[Any]) -> Codes:
    """Give missing values the code -1."""
    missing = [code for code, value in enumerate(distinct) if is_missing(value)]
    if missing:
        codes = np.where(np.isin(codes, missing), -1, codes)
    return codes, distinct
