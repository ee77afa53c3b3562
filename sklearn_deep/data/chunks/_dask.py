"""Arrays and frames of Dask: blocks and partitions, computed one by one."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from sklearn_deep.data.chunks._source import PiecedSource, in_parts


class DaskArraySource(PiecedSource):
    """An array of Dask: its blocks along the first axis."""

    def __init__(self, X: Any):
        if np.isnan(X.shape[0]):
            X = X.compute_chunk_sizes()
        self._X, self.sizes = X, [int(n) for n in X.chunks[0]]
        row_bytes = int(np.prod(X.shape[1:], dtype=np.int64)) * X.dtype.itemsize
        self.piece_bytes = max(self.sizes, default=0) * row_bytes

    def piece(self, number: int, n_rows: int) -> Iterator[Any]:
        """A block, of all columns."""
        yield from in_parts(self._X.blocks[number].compute(), n_rows)


class DaskFrameSource(PiecedSource):
    """A frame of Dask: its partitions, whose lengths are computed once."""

    def __init__(self, X: Any):
        self._X = X
        self.sizes = [int(n) for n in X.map_partitions(len).compute()]
        self.piece_bytes = max(self.sizes, default=0) * 8 * len(X.columns)

    def piece(self, number: int, n_rows: int) -> Iterator[Any]:
        """A partition."""
        yield from in_parts(self._X.partitions[number].compute(), n_rows)
