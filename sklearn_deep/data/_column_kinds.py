"""Kinds of the columns of a frame, and which columns are categories."""

from collections.abc import Sequence
from datetime import date, time, timedelta
from decimal import Decimal
from functools import lru_cache
from numbers import Complex, Real
from typing import Any

import numpy as np

from sklearn_deep.data._missing import is_missing

# Kinds of features.
NUMBER, BOOLEAN, CATEGORY = "number", "boolean", "category"
TIME, DURATION = "time", "duration"

# What a column may hold beside these. Times without a date are durations.
TEXT, COMPLEX, OTHER, MISSING = "text", "complex numbers", "other values", "nothing"

# What values of a dtype are, by the letter that NumPy and pandas have for its kind.
KIND_OF_LETTER = {
    **dict.fromkeys("fiu", NUMBER),
    "b": BOOLEAN,
    "M": TIME,
    "m": DURATION,
    "U": TEXT,
    "S": TEXT,
    "c": COMPLEX,
}

# Without a category these are no features.
_ONLY_CATEGORIES = (TEXT, CATEGORY, OTHER)

# What later rows may hold in a column, beside categories.
_ACCEPTED = {
    NUMBER: (NUMBER, BOOLEAN),
    BOOLEAN: (BOOLEAN, NUMBER),
    TIME: (TIME,),
    DURATION: (DURATION,),
}

# Types of pandas by name: it need not be installed.
_NAMED = {"NoneType": MISSING, "NAType": MISSING, "NaTType": MISSING, "Period": TIME}

# In this order: timedelta64 is one of NumPy's integers.
_TYPES: list[tuple[tuple[type, ...], str]] = [
    ((bool, np.bool_), BOOLEAN),
    ((timedelta, np.timedelta64, time), DURATION),
    ((date, np.datetime64), TIME),
    ((str, bytes), TEXT),
    ((Real, Decimal), NUMBER),
    ((Complex,), COMPLEX),
]


def kind_of(value: Any) -> str:
    """What a value is."""
    cls: Any = type(value)
    return _kind_of_type(cls)


@lru_cache(maxsize=256)
def _kind_of_type(cls: Any) -> str:
    if cls.__name__ in _NAMED:
        return _NAMED[cls.__name__]
    return next((kind for types, kind in _TYPES if issubclass(cls, types)), OTHER)


def kind_of_objects(values: Sequence[Any]) -> str:
    """What Python objects of one column are; missing ones do not count."""
    types = set(map(type, values))
    if len(types) == 1:
        return _kind_of_type(types.pop())
    kinds = {_kind_of_type(cls) for cls in types} - {MISSING}
    if len(kinds) > 1 and NUMBER in kinds and _no_numbers(values):
        kinds.remove(NUMBER)
    if kinds == {NUMBER, BOOLEAN}:
        return NUMBER
    if len(kinds) > 1:
        return OTHER
    return kinds.pop() if kinds else MISSING


def _no_numbers(values: Sequence[Any]) -> bool:
    """Whether all numbers among the values are NaN."""
    numbers = (v for v in values if kind_of(v) == NUMBER)
    return all(map(is_missing, numbers))


def label(names: Sequence[Any] | None, place: int) -> str:
    """Name of a column in error messages."""
    return f"column {place if names is None else repr(names[place])}"


def feature_kind(found: str, is_category: bool, column: str, owner: str) -> str:
    """Give the kind of feature that a column is.

    Parameters
    ----------
    found : str
        What the column holds.
    is_category : bool
    column : str
        What errors call the column.
    owner : str

    Raises
    ------
    ValueError
        For complex numbers, and for text that is no category.
    """
    if found == COMPLEX:
        raise ValueError(f"Complex data not supported: {column} of X of {owner}.")
    if found == BOOLEAN:
        return BOOLEAN
    if is_category:
        return CATEGORY
    if found in _ONLY_CATEGORIES:
        raise ValueError(
            f"The {column} of X of {owner} holds {_described(found)}, and is not among"
            " categorical_features. Add it there, or convert the column to numbers."
        )
    return NUMBER if found == MISSING else found


def accepts(fitted: str, found: str) -> bool:
    """Whether a column of the fit may hold such values now."""
    return found in _ACCEPTED.get(fitted, (found,))


def other_kind(fitted: str, found: str, column: str, owner: str) -> ValueError:
    """Give the error for a column that holds other values than in the fit."""
    return ValueError(
        f"The {column} of X of {owner} held {_described(fitted)} in fit and holds"
        f" {_described(found)} now. Pass X with the dtypes that it had in fit."
    )


def _described(kind: str) -> str:
    plurals = {NUMBER, BOOLEAN, TIME, DURATION}
    return {CATEGORY: "categories"}.get(kind, f"{kind}s" if kind in plurals else kind)


def categorical_mask(
    given: Any, found: Sequence[str], names: Sequence[Any] | None
) -> np.ndarray:
    """Tell which columns are categories.

    Parameters
    ----------
    given : "from_dtype", None or array-like of bool, int or str
        A mask, places or names; None for no column. ``"from_dtype"`` takes what has a
        categorical dtype, and text and booleans.
    found : sequence of str
        What each column holds.
    names : sequence or None
        Names of the columns of a frame.

    Returns
    -------
    ndarray of shape (n_columns,), bool

    Raises
    ------
    ValueError
        For names or places that X does not have, or a mask of another length.
    """
    mask = np.zeros(len(found), bool)
    if given is None:
        return mask
    if isinstance(given, str):
        if given != "from_dtype":
            raise ValueError(f"categorical_features must not be the text {given!r}.")
        return np.isin(found, [*_ONLY_CATEGORIES, BOOLEAN])
    items = np.asarray(given)
    if items.size == 0:
        return mask
    if items.dtype.kind == "b":
        if items.shape != mask.shape:
            raise ValueError(
                "categorical_features set as a boolean mask must have shape"
                f" (n_features,) = {mask.shape}, got: {items.shape}."
            )
        return items
    mask[_places(items, names, len(found))] = True
    return mask


def _places(
    items: np.ndarray, names: Sequence[Any] | None, n_columns: int
) -> list[int]:
    if items.dtype.kind in "iu":
        if items.max() >= n_columns or items.min() < 0:
            raise ValueError(
                "categorical_features set as integer indices must be in"
                f" [0, n_features - 1] = [0, {n_columns - 1}], got: {items.tolist()}."
            )
        return items.tolist()
    if not all(isinstance(item, str) for item in items.tolist()):
        kinds = sorted({type(item).__name__ for item in items.tolist()})
        raise ValueError(
            "categorical_features must be an array-like of bool, int or str, got:"
            f" {', '.join(kinds)}."
        )
    if names is None:
        raise ValueError(
            "categorical_features should be passed as an array of integers or as a"
            " boolean mask when the model is fitted on data without feature names."
        )
    known = list(names)
    unknown = [item for item in items.tolist() if item not in known]
    if unknown:
        raise ValueError(
            f"categorical_features has an item value {unknown[0]!r} which is not a valid"
            f" feature name of the training data. Observed feature names: {known}."
        )
    return [known.index(item) for item in items.tolist()]
