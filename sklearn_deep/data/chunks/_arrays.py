"""NumPy arrays and memory maps, zarr arrays, and frames in memory."""

import mmap
from collections.abc import Iterator
from typing import Any

import numpy as np

from sklearn_deep.data.chunks._containers import bytes_of, n_rows_of, part_of
from sklearn_deep.data.chunks._source import PiecedSource, in_parts

# A piece is long enough for a disk to read it at full speed, and short enough for many
# of them to meet in a buffer.
_PIECE_BYTES = 1 << 20
_FEWEST, _MOST = 64, 4096


class SlicedSource(PiecedSource):
    """An array or frame of which any slice of rows can be read."""

    def __init__(self, X: Any):
        self._X, n = X, n_rows_of(X)
        row_bytes = max(1, bytes_of(part_of(X, 0, min(n, 64))) // max(1, min(n, 64)))
        size = min(max(_FEWEST, _PIECE_BYTES // row_bytes), _MOST)
        self._starts = range(0, n, size)
        self.sizes = [min(size, n - start) for start in self._starts]
        self.piece_bytes = size * row_bytes
        self._map = _map_of(X)

    def piece(self, number: int, n_rows: int) -> Iterator[Any]:
        """A slice."""
        start = self._starts[number]
        yield from in_parts(self._read(start, start + self.sizes[number]), n_rows)

    def _read(self, start: int, stop: int) -> Any:
        part = part_of(self._X, start, stop)
        if self._map is None:
            return part
        part = np.array(part)
        # Pages that were read stay with the process until it is told to let them go.
        self._map.madvise(mmap.MADV_DONTNEED)
        return part


def _map_of(X: Any) -> Any:
    """The map of a file that an array lies in, if its pages can be read again."""
    if not isinstance(X, np.memmap) or X.mode not in ("r", "r+"):
        return None
    base: Any = X
    while base is not None and not isinstance(base, mmap.mmap):
        base = getattr(base, "base", None)
    return base if hasattr(mmap, "MADV_DONTNEED") else None


class ZarrSource(PiecedSource):
    """A zarr array: its chunks along the first axis."""

    def __init__(self, X: Any):
        self._X, n, size = X, X.shape[0], max(1, int(X.chunks[0]))
        self._starts = range(0, n, size)
        self.sizes = [min(size, n - start) for start in self._starts]
        row_bytes = int(np.prod(X.shape[1:], dtype=np.int64)) * X.dtype.itemsize
        self.piece_bytes = size * row_bytes

    def piece(self, number: int, n_rows: int) -> Iterator[Any]:
        """A chunk."""
        start = self._starts[number]
        rows = np.asarray(self._X[start : start + self.sizes[number]])
        yield from in_parts(rows, n_rows)
