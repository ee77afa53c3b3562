"""Rows of a fit: all in memory where they fit, else what passes over them tell."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import is_classifier

from sklearn_deep.data.chunks._containers import bytes_of, n_rows_of, rows_at
from sklearn_deep.data.chunks._data import (
    ChunkedData,
    column_names,
    together,
    without_columns,
)
from sklearn_deep.data.chunks._membership import Membership
from sklearn_deep.data.chunks._open import is_lazy, open_source
from sklearn_deep.data.chunks._prefetch import prefetched
from sklearn_deep.scale.chunked._memory import memory_limit


class Held(NamedTuple):
    """Rows that are all in memory."""

    X: Any
    y: Any
    weight: Any


def open_rows(
    X: Any, y: Any, weight: Any, owner: str, buffer_rows: int, prefetch: int
) -> Held | ChunkedData:
    """Rows in memory, if the buffer can hold all of them; else their source.

    Raises
    ------
    TypeError
        For a generator of more rows than the buffer holds.
    """
    if hasattr(X, "__array__") and not hasattr(X, "shape"):
        X = np.asarray(X)
    source = open_source(X, owner)
    if source is None:
        return Held(X, y, weight)
    in_memory = not is_lazy(X) and not isinstance(X, np.memmap)
    if in_memory and not column_names(y, weight) and _fits(X, buffer_rows):
        return Held(X, y, weight)
    data = ChunkedData(source, y, weight, owner)
    return _gathered(data, buffer_rows, prefetch) or data


def _fits(X: Any, buffer_rows: int) -> bool:
    return n_rows_of(X) <= buffer_rows and bytes_of(X) <= memory_limit()


def _gathered(data: ChunkedData, buffer_rows: int, prefetch: int) -> Held | None:
    """All rows, if they fit; else None, with their number known."""
    if data.n_rows is not None and data.n_rows > buffer_rows:
        return None
    chunks, n, size, limit = [], 0, 0, memory_limit()
    step = min(8192, buffer_rows)
    reading = prefetched(data.in_order(step), prefetch)
    for chunk in reading:
        n, size = n + len(chunk), size + bytes_of(chunk.X)
        if n <= buffer_rows and size <= limit:
            chunks.append(chunk)
            continue
        chunks = []
        if data.n_rows is not None:
            break
        _check_repeats(data, n)
    reading.close()  # type: ignore[attr-defined]
    if chunks:
        whole = together(chunks)
        return Held(whole.X, whole.y, whole.weight)
    if not n:
        raise ValueError(f"The source of {data.owner} has no rows.")
    return None


def _check_repeats(data: ChunkedData, n: int) -> None:
    if data.source.repeats:
        return
    raise TypeError(
        f"{data.owner} got a generator, which gives its rows once, and it has more rows"
        f" than the buffer holds ({n} so far). Training passes over them several times:"
        " pass the function that makes the generator, without calling it, or raise"
        " buffer_rows."
    )


def share_of(network: Any, n: int, classes: Any) -> float:
    """Share of the rows that the network would hold out of as many."""
    strata = classes if is_classifier(network) else None
    return network._validation_share(n, strata) or 0.0


def split_held(
    held: Held, n_validation: int, seed: int, strata: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the training rows and of the validation rows."""
    n = n_rows_of(held.X)
    validation, train, _ = Membership.of(n, n_validation, 0, seed).split(0, n)
    if strata is None:
        return train, validation
    # A class that only validation rows have could not be learnt.
    known = np.isin(strata[validation], strata[train])
    train = np.sort(np.concatenate([train, validation[~known]]))
    return train, validation[known]


def some(held: Held, rows: np.ndarray) -> Held:
    """Some of the rows."""
    return Held(*(None if part is None else rows_at(part, rows) for part in held))


def chunks_to_predict(
    X: Any, owner: str, left_out: Sequence[str], prefetch: int
) -> Iterator[Any]:
    """Chunks of X, without the columns that were targets and weights in the fit."""
    source = open_source(X, owner)
    assert source is not None
    data = ChunkedData(source, None, None, owner)
    for chunk in prefetched(data.in_order(8192), prefetch):
        yield features_of(chunk.X, left_out)


def features_of(X: Any, left_out: Sequence[str]) -> Any:
    """X without the columns that were targets and weights in the fit."""
    given = [name for name in left_out if name in getattr(X, "columns", ())]
    return without_columns(X, given) if given else X
