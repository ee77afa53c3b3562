"""Which source reads what a user passes: one row for each kind."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from sklearn_deep.data import _lazy_rows as _lazy
from sklearn_deep.data._lazy_rows import of_library
from sklearn_deep.data.chunks._arrays import SlicedSource, ZarrSource
from sklearn_deep.data.chunks._arrow import ArrowSource, of_path, of_table
from sklearn_deep.data.chunks._callables import CallableSource, IteratorSource
from sklearn_deep.data.chunks._dask import DaskArraySource, DaskFrameSource
from sklearn_deep.data.chunks._polars import of_lazy_frame
from sklearn_deep.data.chunks._source import Source


class _Kind(NamedTuple):
    """A kind of source.

    Attributes
    ----------
    is_one : callable ``object -> bool``
    open : callable ``(object, owner) -> Source``
    in_memory : bool
        Whether its rows are in memory, or the system reads them as if they were.
    """

    is_one: Callable[[Any], bool]
    open: Callable[[Any, str], Source]
    in_memory: bool = False


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.ndim >= 2 and len(value) > 0


def _is_like_array(value: Any) -> bool:
    is_one = hasattr(value, "__array__") and not hasattr(value, "columns")
    return is_one and _is_array(np.asarray(value))


def _is_frame(value: Any) -> bool:
    is_one = hasattr(value, "iloc") or hasattr(value, "get_columns")
    return is_one and getattr(value, "ndim", 2) == 2 and hasattr(value, "columns")


KINDS = (
    _Kind(_lazy.PATH.is_one, lambda path, owner: of_path(path)),
    _Kind(_lazy.DATASET.is_one, lambda dataset, owner: ArrowSource(dataset)),
    _Kind(of_library("pyarrow", "Table"), lambda table, owner: of_table(table), True),
    _Kind(_lazy.LAZY_FRAME.is_one, lambda frame, owner: of_lazy_frame(frame)),
    _Kind(_lazy.DASK_ARRAY.is_one, lambda array, owner: DaskArraySource(array)),
    _Kind(_lazy.DASK_FRAME.is_one, lambda frame, owner: DaskFrameSource(frame)),
    _Kind(_lazy.ZARR.is_one, lambda array, owner: ZarrSource(array)),
    _Kind(_is_array, lambda array, owner: SlicedSource(array), True),
    _Kind(_is_like_array, lambda array, owner: SlicedSource(np.asarray(array)), True),
    _Kind(_is_frame, lambda frame, owner: SlicedSource(frame), True),
    _Kind(_lazy.ITERATOR.is_one, lambda chunks, owner: IteratorSource(chunks)),
    _Kind(_lazy.FUNCTION.is_one, CallableSource),
)


def _kind_of(X: Any) -> _Kind | None:
    return next((kind for kind in KINDS if kind.is_one(X)), None)


def open_source(X: Any, owner: str) -> Source | None:
    """The source that reads X in chunks; None for rows that are in memory only.

    Parameters
    ----------
    X : object
        What a user passes.
    owner : str
        Name of the estimator, for errors.
    """
    kind = _kind_of(X)
    return None if kind is None else kind.open(X, owner)


def is_lazy(X: Any) -> bool:
    """Whether the rows of X are not in memory, or not yet."""
    kind = _kind_of(X)
    return kind is not None and not kind.in_memory
