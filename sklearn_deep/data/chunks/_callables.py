"""Functions that give chunks anew for each pass, and generators that give them once."""

from collections.abc import Callable, Iterator
from typing import Any

from sklearn_deep.data.chunks._containers import n_rows_of, part_of
from sklearn_deep.data.chunks._source import Source


class CallableSource(Source):
    """A callable that returns an iterable of chunks, the same at every call."""

    def __init__(self, make: Callable[[], Any], owner: str):
        self._make, self._owner = make, owner

    def in_order(self, n_rows: int) -> Iterator[Any]:
        """Call it, and pass its chunks on in smaller parts."""
        given = self._make()
        if not hasattr(given, "__iter__") or isinstance(given, (str, dict)):
            raise TypeError(
                f"The source of {self._owner} is a callable that returned a"
                f" {type(given).__name__}. It must return an iterable of chunks: (X, y),"
                " (X, y, sample_weight), or frames with y named by its column."
            )
        for chunk in given:
            yield from _in_parts(chunk, n_rows)


class IteratorSource(Source):
    """An iterator or generator, which gives its chunks only once."""

    repeats = False

    def __init__(self, chunks: Iterator[Any]):
        self._chunks = chunks

    def in_order(self, n_rows: int) -> Iterator[Any]:
        """What is left of it."""
        for chunk in self._chunks:
            yield from _in_parts(chunk, n_rows)


def _in_parts(chunk: Any, n_rows: int) -> Iterator[Any]:
    """A chunk, or tuple of X, y and weights, in parts."""
    of_several = isinstance(chunk, tuple)
    n = n_rows_of(chunk[0] if of_several else chunk)
    for start in range(0, n, n_rows):
        stop = min(start + n_rows, n)
        if of_several:
            yield tuple(
                None if each is None else part_of(each, start, stop) for each in chunk
            )
        else:
            yield part_of(chunk, start, stop)
