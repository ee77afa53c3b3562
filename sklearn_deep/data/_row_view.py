"""Rows of an array by their numbers, without a copy of them.

A search hands every fit its fold. Fits of one search that each hold a copy of most of X
need many times the memory of X; as views they share X itself.
"""

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from sklearn_deep.data._rows import chunks

# Kinds of dtypes that may be cast to a floating dtype.
_NUMERIC = "fiub"


class RowView:
    """Some rows of an array.

    scikit-learn indexes it by row numbers, which gives another view; to everything that
    reads it as an array it is a copy of those rows.

    Parameters
    ----------
    shared : SharedArray
    rows : ndarray of int or None
        Row numbers; None for all, in order.

    Attributes
    ----------
    shape, ndim, dtype
        Those of the copy.
    """

    def __init__(self, shared: "SharedArray", rows: np.ndarray | None = None):
        values = shared.values
        self.shared, self.rows = shared, rows
        n_rows = len(values) if rows is None else len(rows)
        self.shape = (n_rows, *values.shape[1:])
        self.ndim, self.dtype = values.ndim, values.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        """A view for row numbers, as scikit-learn asks for folds; else a copy."""
        if isinstance(key, tuple) and len(key) == 2 and key[1] is Ellipsis:
            (key, _) = key
        if isinstance(key, np.ndarray) and key.ndim == 1 and key.dtype.kind in "ib":
            numbers = np.arange(len(self)) if self.rows is None else self.rows
            return RowView(self.shared, numbers[key])
        return np.asarray(self)[key]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Copy the rows."""
        if copy is False:
            raise ValueError("A view of rows becomes an array by a copy only.")
        values = self.shared.values
        rows = values.copy() if self.rows is None else values[self.rows]
        return rows if dtype is None else rows.astype(dtype, copy=False)

    def in_dtype(self, dtype: Any) -> "RowView | None":
        """The rows in a dtype that scikit-learn's ``check_array`` is asked for.

        Returns
        -------
        RowView or None
            None where the array cannot be shared: it holds missing or infinite values,
            which may be in other rows than these, or no numbers.
        """
        shared = self.shared.in_dtype(dtype)
        return None if shared is None else RowView(shared, self.rows)

    def stand_in(self) -> np.ndarray:
        """An array of this shape and dtype that takes no memory: one row, repeated."""
        return np.broadcast_to(self.shared.values[:1], self.shape)


class SharedArray:
    """An array of which many fits see some rows; it is checked and cast once for all.

    Parameters
    ----------
    values : ndarray of shape (n_rows, ...)
    """

    def __init__(self, values: np.ndarray):
        self.values = values
        self._lock = threading.Lock()
        self._cast: dict[np.dtype, SharedArray | None] = {}

    def in_dtype(self, dtype: Any) -> "SharedArray | None":
        """The array in a dtype, or in the first of several where it has none of them."""
        wanted = dtype if isinstance(dtype, list) else [dtype]
        target = np.dtype(
            self.values.dtype if self.values.dtype in wanted else wanted[0]
        )
        with self._lock:
            if target not in self._cast:
                self._cast[target] = _cast(self, target)
            return self._cast[target]


def _cast(shared: SharedArray, dtype: np.dtype) -> SharedArray | None:
    values = shared.values
    if values.dtype.kind not in _NUMERIC or not len(values):
        return None
    with np.errstate(over="ignore"):  # an overflow is an infinity, which is found
        cast = np.ascontiguousarray(values, dtype)
    if cast.dtype.kind == "f" and not all(_finite(cast)):
        return None
    return shared if cast is values else SharedArray(cast)


def _finite(values: np.ndarray) -> Iterator[bool]:
    for part in chunks(len(values), values[:1].nbytes):
        yield bool(np.isfinite(values[part]).all())
