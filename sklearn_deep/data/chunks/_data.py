"""Chunks of X with their targets and weights, in order or shuffled."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from sklearn_deep.data.chunks._containers import joined, n_rows_of, part_of
from sklearn_deep.data.chunks._source import Apart, PiecedSource, Source


@dataclass(frozen=True, eq=False)
class Chunk:
    """Adjacent rows of a source.

    Attributes
    ----------
    X, y, weight : containers of n rows, or None
    start : int
        Place of the first row among all rows.
    """

    X: Any
    y: Any
    weight: Any
    start: int

    def __len__(self) -> int:
        return n_rows_of(self.X)

    def each(self, change: Callable[[Any], Any], start: int) -> "Chunk":
        """The chunk with a function of X, of y and of weights in their place."""
        parts = self.X, self.y, self.weight
        X, y, weight = (None if part is None else change(part) for part in parts)
        return Chunk(X, y, weight, start)


class ChunkedData:
    """X, y and weights of a fit, read in chunks.

    Parameters
    ----------
    source : Source
        Rows of X, or tuples of X, y and weights.
    y : str, sequence of str, array-like or None
        Targets: names of columns, or one value per row of all; None where the chunks
        have them.
    weight : str, array-like or None
        Weights likewise.
    owner : str
        Name of the estimator, for errors.

    Attributes
    ----------
    n_rows : int or None
        Number of rows; None as long as it is unknown.
    """

    def __init__(self, source: Source, y: Any, weight: Any, owner: str):
        self.source, self.owner = source, owner
        self._y, self._weight = _values(y), _values(weight)
        source.apart = column_names(self._y, self._weight)
        sizes = source.sizes
        self.n_rows = None if sizes is None else int(sum(sizes))
        if self.n_rows is not None:
            self.check_length(self.n_rows)

    def check_length(self, n: int) -> None:
        """Raise where y or weights have another number of rows."""
        for name, values in (("y", self._y), ("sample_weight", self._weight)):
            if values is None or _is_name(values):
                continue
            if n_rows_of(values) != n:
                raise ValueError(
                    f"Found input variables with inconsistent numbers of samples:"
                    f" {self.owner} got a source of {n} rows and"
                    f" {n_rows_of(values)} rows of {name}."
                )

    def first(self, n_rows: int) -> Iterator[Chunk]:
        """The first rows, if the source can be read again; for a look at them."""
        if self.source.repeats:
            for raw in self.source.in_order(n_rows):
                yield self._chunk(raw, 0)

    def in_order(self, n_rows: int) -> Iterator[Chunk]:
        """All rows in order, in chunks of at most ``n_rows``."""
        start = 0
        for raw in self.source.in_order(n_rows):
            chunk = self._chunk(raw, start)
            start += len(chunk)
            yield chunk
        if self.n_rows is None:
            self.check_length(start)
            self.n_rows = start
        elif start != self.n_rows:
            raise ValueError(
                f"The source of {self.owner} gave {start} rows in this pass and"
                f" {self.n_rows} in the first one. It must give the same rows in every"
                " pass."
            )

    def blocks(self, n_rows: int) -> Iterator[Chunk]:
        """All rows in order, in chunks of exactly ``n_rows``, the last of up to twice.

        What is learnt from them does not depend on how the source cuts its chunks.
        """
        return _blocks(self.in_order(n_rows), n_rows)

    def shuffled(
        self, rng: np.random.Generator, n_rows: int, n_open: int
    ) -> Iterator[Chunk]:
        """All rows, in chunks of at most ``n_rows`` whose order is random.

        A source without pieces is read in order.

        Parameters
        ----------
        rng : numpy.random.Generator
        n_rows : int
        n_open : int
            Number of pieces that are read side by side.
        """
        source = self.source
        if not isinstance(source, PiecedSource):
            yield from self.in_order(n_rows)
            return
        starts = np.cumsum([0, *source.sizes]).tolist()
        numbers = rng.permutation(len(source.sizes)).tolist()
        waiting = (self._of_piece(k, starts[k], n_rows) for k in numbers)
        yield from _taking_turns(list(islice(waiting, n_open)), waiting, rng)

    def _of_piece(self, number: int, start: int, n_rows: int) -> Iterator[Chunk]:
        assert isinstance(self.source, PiecedSource)
        for raw in self.source.piece(number, n_rows):
            chunk = self._chunk(raw, start)
            start += len(chunk)
            yield chunk

    def _chunk(self, raw: Any, start: int) -> Chunk:
        apart: Any = {}
        if isinstance(raw, Apart):
            (X, apart), y, weight = raw, None, None
        else:
            X, y, weight = self._unpacked(raw)
            if self.source.apart:
                apart = self._columns_of(X)
                X = without_columns(X, self.source.apart)
        stop = start + n_rows_of(X)
        y = _values_of(self._y, y, apart, start, stop)
        weight = _values_of(self._weight, weight, apart, start, stop)
        return Chunk(X, y, weight, start)

    def _unpacked(self, raw: Any) -> tuple[Any, Any, Any]:
        if not isinstance(raw, tuple):
            return raw, None, None
        if not 2 <= len(raw) <= 3:
            raise ValueError(
                f"A chunk of the source of {self.owner} is a tuple of {len(raw)} items."
                " It must be (X, y) or (X, y, sample_weight)."
            )
        X, y, *weight = raw
        if y is not None and n_rows_of(y) != n_rows_of(X):
            raise ValueError(
                "Found input variables with inconsistent numbers of samples: a chunk of"
                f" the source of {self.owner} has {n_rows_of(X)} rows of X and"
                f" {n_rows_of(y)} of y."
            )
        return X, y, weight[0] if weight else None

    def _columns_of(self, X: Any) -> dict[str, np.ndarray]:
        """The columns that are targets and weights."""
        columns = list(getattr(X, "columns", ()))
        missing = [name for name in self.source.apart if name not in columns]
        if missing:
            what = columns[:20] if columns else "no columns with names"
            raise ValueError(
                f"{self.owner} got the column name {missing[0]!r}, and its source has"
                f" {what}."
            )
        return {name: np.asarray(X[name]) for name in self.source.apart}


def _values_of(named: Any, own: Any, columns: Any, start: int, stop: int) -> Any:
    """Targets or weights of a chunk: of columns, of an array of all, or its own."""
    if named is None:
        return own
    if isinstance(named, str):
        return columns[named]
    if _is_name(named):
        return np.column_stack([columns[name] for name in named])
    return _slice(named, start, stop)


def _taking_turns(
    readers: list[Iterator[Chunk]],
    waiting: Iterator[Iterator[Chunk]],
    rng: np.random.Generator,
) -> Iterator[Chunk]:
    """Chunks of several readers, one of them at random; the next one for an empty one."""
    while readers:
        k = int(rng.integers(len(readers)))
        chunk = next(readers[k], None)
        if chunk is not None:
            yield chunk
            continue
        following = next(waiting, None)
        if following is None:
            readers.pop(k)
        else:
            readers[k] = following


def _blocks(chunks: Iterable[Chunk], n_rows: int) -> Iterator[Chunk]:
    parts: list[Chunk] = []
    n = 0
    for chunk in chunks:
        parts.append(chunk)
        n += len(chunk)
        while n >= 2 * n_rows:
            whole = together(parts)
            yield _cut(whole, 0, n_rows)
            parts, n = [_cut(whole, n_rows, n)], n - n_rows
    if parts:
        yield together(parts)


def together(chunks: Sequence[Chunk]) -> Chunk:
    """Adjacent chunks as one."""
    if len(chunks) == 1:
        return chunks[0]
    first = chunks[0]
    return Chunk(
        joined([chunk.X for chunk in chunks]),
        None if first.y is None else joined([chunk.y for chunk in chunks]),
        None if first.weight is None else joined([chunk.weight for chunk in chunks]),
        first.start,
    )


def _cut(chunk: Chunk, start: int, stop: int) -> Chunk:
    return chunk.each(lambda part: part_of(part, start, stop), chunk.start + start)


def _is_name(value: Any) -> bool:
    if isinstance(value, str):
        return True
    return isinstance(value, tuple) and all(isinstance(name, str) for name in value)


def _values(given: Any) -> Any:
    """Names of columns, or values of which a slice can be taken."""
    if given is None or isinstance(given, str):
        return given
    if isinstance(given, os.PathLike):
        raise TypeError("y is a path. Pass an array, or the name of a column of X.")
    if hasattr(given, "compute") and not hasattr(given, "chunks"):  # a frame of Dask
        given = given.compute()
    if hasattr(given, "collect"):
        given = given.collect()
    if hasattr(given, "iloc") or hasattr(given, "to_numpy"):
        given = np.asarray(given)
        return given[:, 0] if given.ndim == 2 and given.shape[1] == 1 else given
    if isinstance(given, (list, tuple)):
        names = len(given) > 0 and all(isinstance(name, str) for name in given)
        return tuple(given) if names and isinstance(given, tuple) else np.asarray(given)
    return given if hasattr(given, "shape") else np.asarray(given)


def _slice(values: Any, start: int, stop: int) -> np.ndarray:
    part = values[start:stop]
    return np.asarray(part.compute() if hasattr(part, "compute") else part)


def column_names(*given: Any) -> tuple[str, ...]:
    """Names of columns among the targets and weights that ``fit`` takes, each once."""
    names = (value for value in given if _is_name(value))
    found = (n for name in names for n in ([name] if isinstance(name, str) else name))
    return tuple(dict.fromkeys(found))


def without_columns(X: Any, names: Iterable[str]) -> Any:
    """A frame without some of its columns."""
    keep = [name for name in X.columns if name not in names]
    return X[keep] if hasattr(X, "iloc") else X.select(keep)
