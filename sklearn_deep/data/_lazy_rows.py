"""Rows that are not in memory, and are refused where all of them would be read."""

from collections.abc import Callable, Iterator
from os import PathLike
from typing import Any, NamedTuple


class LazyKind(NamedTuple):
    """A kind of X whose rows are not in memory, or not yet.

    Attributes
    ----------
    is_one : callable ``object -> bool``
        It imports no library.
    called : str
        What errors call it.
    read : str
        What reads all of it.
    """

    is_one: Callable[[Any], bool]
    called: str
    read: str


def of_library(module: str, *names: str) -> Callable[[Any], bool]:
    """Whether the class of a value, or a base of it, is of a library."""

    def is_one(value: Any) -> bool:
        return any(
            cls.__name__ in names and cls.__module__.partition(".")[0] == module
            for cls in type(value).__mro__
        )

    return is_one


def _of_dask(has: str) -> Callable[[Any], bool]:
    return lambda value: hasattr(value, "__dask_graph__") and hasattr(value, has)


def _is_function(value: Any) -> bool:
    data = ("__array__", "__len__", "shape")
    return callable(value) and not any(hasattr(value, name) for name in data)


PATH = LazyKind(
    lambda value: isinstance(value, (str, PathLike)),
    "path",
    "pandas.read_parquet(path)",
)
DATASET = LazyKind(
    of_library("pyarrow", "Dataset"),
    "dataset of pyarrow",
    "X.to_table().to_pandas()",
)
LAZY_FRAME = LazyKind(
    of_library("polars", "LazyFrame"), "LazyFrame of polars", "X.collect()"
)
DASK_ARRAY = LazyKind(_of_dask("chunks"), "Dask array", "X.compute()")
DASK_FRAME = LazyKind(_of_dask("divisions"), "Dask DataFrame", "X.compute()")
ZARR = LazyKind(of_library("zarr", "Array"), "zarr array", "X[:]")
ITERATOR = LazyKind(
    lambda value: isinstance(value, Iterator), "generator", "a list of its rows"
)
FUNCTION = LazyKind(_is_function, "callable", "the rows that it gives")

KINDS = (PATH, DATASET, LAZY_FRAME, DASK_ARRAY, DASK_FRAME, ZARR, ITERATOR, FUNCTION)


def refuse_lazy(X: Any, owner: str) -> None:
    """Raise for rows that are not in memory.

    NumPy would compute some of them, all at once and automatically, and of others make an
    array of one object.

    Raises
    ------
    TypeError
        That says how to read all rows, and names what reads them in chunks.
    """
    kind = next((kind for kind in KINDS if kind.is_one(X)), None)
    if kind is None:
        return
    raise TypeError(
        f"X of {owner} is a {kind.called}, whose rows are not in memory. Pass"
        f" {kind.read} if they fit into it; else ChunkedFit({owner}(...)) fits and"
        " predicts them in chunks."
    )
