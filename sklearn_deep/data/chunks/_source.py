"""What a source of chunks is: rows in pieces, each of which can be read by itself."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sklearn_deep.data.chunks._containers import n_rows_of, part_of


class Apart(NamedTuple):
    """Rows of which some columns were read beside the others.

    Attributes
    ----------
    X : frame
        The others.
    columns : dict of str to ndarray
    """

    X: Any
    columns: dict[str, Any]


class Source(ABC):
    """Rows that are read in parts, as often as they are asked for.

    Attributes
    ----------
    sizes : sequence of int or None
        Number of rows of each piece; None for a source that is read from its beginning
        only.
    piece_bytes : int
        Memory that a piece takes while it is read.
    repeats : bool
        Whether it can be read more than once.
    apart : tuple of str
        Columns that are targets and weights; a source may give them beside the others, as
        ``Apart``.
    """

    sizes: Sequence[int] | None = None
    piece_bytes: int = 0
    repeats: bool = True
    apart: tuple[str, ...] = ()

    @abstractmethod
    def in_order(self, n_rows: int) -> Iterator[Any]:
        """All rows, in parts of at most ``n_rows``."""


class PiecedSource(Source):
    """A source whose pieces can be read in any order."""

    sizes: Sequence[int]

    @abstractmethod
    def piece(self, number: int, n_rows: int) -> Iterator[Any]:
        """The rows of one piece, in parts of at most ``n_rows``."""

    def in_order(self, n_rows: int) -> Iterator[Any]:
        """All pieces, one after the other."""
        for number in range(len(self.sizes)):
            yield from self.piece(number, n_rows)


def in_parts(X: Any, n_rows: int) -> Iterator[Any]:
    """Rows in memory, in parts of at most ``n_rows``."""
    n = n_rows_of(X)
    if n <= n_rows:
        yield X
        return
    for start in range(0, n, n_rows):
        yield part_of(X, start, min(start + n_rows, n))
