"""Which rows have a label."""

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils.validation import column_or_1d

from sklearn_deep.data._missing import is_missing


def split_labels(owner: str, y: Any, unlabelled: Any) -> tuple[np.ndarray, np.ndarray]:
    """Find the rows that have a label.

    Parameters
    ----------
    owner : str
        For errors.
    y : array-like of shape (n_samples,)
        Labels. None, NaN and values equal to ``unlabelled`` are none.
    unlabelled : object
        None if only missing values are none.

    Returns
    -------
    is_labelled : ndarray of bool, shape (n_samples,)
    labels : ndarray of shape (n_labelled,)

    Raises
    ------
    ValueError
        Without labels, for more than one label per row, for two labels of which one is
        ``unlabelled``, and for unsigned integers among which it has become a label.
    """
    if y is None:
        raise ValueError(f"{owner} requires y to be passed, but the target y is None.")
    values = column_or_1d(_array(y), warn=True)
    _refuse_wrapped(owner, values, unlabelled)
    marked = _equal(values, unlabelled)
    is_labelled = ~(marked | _missing(values))
    labels = (
        np.asarray(values[is_labelled].tolist())
        if values.dtype == object
        else values[is_labelled]
    )
    if not is_labelled.any():
        raise ValueError(f"{owner} needs labels, and no row of y has one.")
    classes = np.unique(labels)
    if len(classes) == 1 and marked.any():
        raise ValueError(
            f"y of {owner} has the values {unlabelled!r} and {classes.tolist()[0]!r}:"
            f" {unlabelled!r} marks rows without a label, and one class is left. If it is"
            " a class, set unlabelled=None (missing values mark such rows) or another"
            " value."
        )
    return is_labelled, labels


def count_unlabelled(y: Any, unlabelled: Any) -> int:
    """Number of values of y that are no labels."""
    values = _array(y)
    if values.ndim != 1:
        return 0
    return int((_equal(values, unlabelled) | _missing(values)).sum())


def _array(y: Any) -> np.ndarray:
    """An array that keeps None and NaN among texts as they are."""
    if isinstance(y, (list, tuple)) and any(map(is_missing, y)):
        values = np.empty(len(y), object)
        values[:] = y
        return values
    dtype = getattr(y, "dtype", None)
    extension = dtype is not None and not isinstance(dtype, np.dtype)
    return np.asarray(y, dtype=object) if extension else np.asarray(y)


def _equal(values: np.ndarray, unlabelled: Any) -> np.ndarray:
    if unlabelled is None:
        return np.zeros(len(values), bool)
    if values.dtype == object:
        return np.array(
            [
                not is_missing(v) and type(v) is not bool and v == unlabelled
                for v in values
            ],
            bool,
        )
    numbers = values.dtype.kind in "iuf", not isinstance(unlabelled, str)
    comparable = all(numbers) or (values.dtype.kind == "U" and not numbers[1])
    return values == unlabelled if comparable else np.zeros(len(values), bool)


def _refuse_wrapped(owner: str, values: np.ndarray, unlabelled: Any) -> None:
    """Raise where -1 was stored as an unsigned integer: it is the largest one then."""
    if values.dtype.kind != "u" or not isinstance(unlabelled, Integral):
        return
    wrapped = int(unlabelled) % (1 << 8 * values.dtype.itemsize)
    if unlabelled < 0 and (values == wrapped).any():
        raise ValueError(
            f"y of {owner} is {values.dtype}, which has no {unlabelled}: rows without a"
            f" label are {wrapped} there. Convert y to a signed type before they are"
            f" marked, or set unlabelled={wrapped}."
        )


def _missing(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "f":
        return np.isnan(values)
    if values.dtype == object:
        return np.array([is_missing(value) for value in values], bool)
    return np.zeros(len(values), bool)
