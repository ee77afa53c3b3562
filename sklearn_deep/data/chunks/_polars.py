"""Lazy frames of polars."""

from collections.abc import Iterator
from typing import Any

from sklearn_deep.data.chunks._source import PiecedSource, Source

# A slice of a scanned file costs a look at its metadata, so slices are not small.
_SLICE = 16_384


def of_lazy_frame(frame: Any) -> Source:
    """The rows of a lazy frame: by slices where it only scans files that allow them."""
    return _ScannedFrame(frame) if _only_scans(frame) else _QueriedFrame(frame)


def _only_scans(frame: Any) -> bool:
    """Whether a slice of the frame reads no more than that slice."""
    plan = frame.explain().lstrip()
    return plan.startswith(("Parquet SCAN", "IPC SCAN")) and "SELECTION" not in plan


class _ScannedFrame(PiecedSource):
    """Slices of files that can be read from any row on."""

    def __init__(self, frame: Any):
        self._frame = frame
        n = int(frame.select(_polars().len()).collect().item())
        self.sizes = [min(_SLICE, n - start) for start in range(0, n, _SLICE)]
        self.piece_bytes = _SLICE * 8 * len(frame.collect_schema())

    def piece(self, number: int, n_rows: int) -> Iterator[Any]:
        """A slice."""
        part = self._frame.slice(number * _SLICE, self.sizes[number])
        yield from part.collect().iter_slices(n_rows)


def _polars() -> Any:
    import polars

    return polars


class _QueriedFrame(Source):
    """A query, which is run from its beginning for every pass."""

    def __init__(self, frame: Any):
        self._frame = frame

    def in_order(self, n_rows: int) -> Iterator[Any]:
        """The result of the query, as far as polars can in batches."""
        if not hasattr(self._frame, "collect_batches"):  # polars before 1.34
            yield from self._frame.collect().iter_slices(n_rows)
            return
        for batch in self._frame.collect_batches(
            chunk_size=n_rows, maintain_order=True
        ):
            yield from batch.iter_slices(n_rows)
