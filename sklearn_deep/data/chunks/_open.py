"""Which source reads what a user passes: one row for each kind."""

from collections.abc import Callable, Iterator
from os import PathLike
from typing import Any, NamedTuple

import numpy as np

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
    lazy : str
        What an error of a plain ``fit`` calls it; empty for rows that are in memory, or
        that the system reads as if they were.
    read : str
        What reads all of it into memory.
    """

    is_one: Callable[[Any], bool]
    open: Callable[[Any, str], Source]
    lazy: str = ""
    read: str = ""


def _of(module: str, *names: str) -> Callable[[Any], bool]:
    """Whether a class or a base of it is of a library, which need not be installed."""

    def is_one(value: Any) -> bool:
        return any(
            cls.__name__ in names and cls.__module__.partition(".")[0] == module
            for cls in type(value).__mro__
        )

    return is_one


def _is_dask(has: str) -> Callable[[Any], bool]:
    return lambda value: (
        hasattr(value, "__dask_graph__")
        and hasattr(value, has)
        and getattr(value, "ndim", 2) >= 2
    )


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.ndim >= 2 and len(value) > 0


def _is_like_array(value: Any) -> bool:
    is_one = hasattr(value, "__array__") and not hasattr(value, "columns")
    return is_one and _is_array(np.asarray(value))


def _is_frame(value: Any) -> bool:
    is_one = hasattr(value, "iloc") or hasattr(value, "get_columns")
    return is_one and getattr(value, "ndim", 2) == 2 and hasattr(value, "columns")


KINDS = (
    _Kind(
        lambda value: isinstance(value, (str, PathLike)),
        lambda path, owner: of_path(path),
        "path",
        "pandas.read_parquet(path)",
    ),
    _Kind(
        _of("pyarrow", "Dataset"),
        lambda dataset, owner: ArrowSource(dataset),
        "dataset of pyarrow",
        "dataset.to_table().to_pandas()",
    ),
    _Kind(_of("pyarrow", "Table"), lambda table, owner: of_table(table)),
    _Kind(
        _of("polars", "LazyFrame"),
        lambda frame, owner: of_lazy_frame(frame),
        "LazyFrame of polars",
        "X.collect()",
    ),
    _Kind(
        _is_dask("chunks"),
        lambda array, owner: DaskArraySource(array),
        "Dask array",
        "X.compute()",
    ),
    _Kind(
        _is_dask("divisions"),
        lambda frame, owner: DaskFrameSource(frame),
        "Dask DataFrame",
        "X.compute()",
    ),
    _Kind(
        _of("zarr", "Array"),
        lambda array, owner: ZarrSource(array),
        "zarr array",
        "X[:]",
    ),
    _Kind(_is_array, lambda array, owner: SlicedSource(array)),
    _Kind(_is_like_array, lambda array, owner: SlicedSource(np.asarray(array))),
    _Kind(_is_frame, lambda frame, owner: SlicedSource(frame)),
    _Kind(
        lambda value: isinstance(value, Iterator),
        lambda chunks, owner: IteratorSource(chunks),
        "generator",
        "a list or an array of its rows",
    ),
    _Kind(
        lambda value: callable(value) and not hasattr(value, "__array__"),
        CallableSource,
        "callable",
        "the array that it stands for",
    ),
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
    return kind is not None and bool(kind.lazy)
