"""pyarrow: datasets, tables, and Parquet files and folders; pyarrow is optional."""

from collections.abc import Iterator
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np

from sklearn_deep.data.chunks._source import Apart, PiecedSource
from sklearn_deep.exceptions import MissingDependencyError

# A reader of a Parquet file holds a page per column, of this size as a rule.
_PAGE_BYTES = 1 << 20

_NUMBERS = {"double", "float", "int8", "int16", "int32", "int64", "uint8"}

FEATURE = "Reading rows with ChunkedFit"


class ArrowSource(PiecedSource):
    """A dataset of pyarrow: its row groups, or its files where they have none."""

    def __init__(self, dataset: Any):
        self._columns, self._pieces = dataset.schema, list(_pieces(dataset))
        self.sizes = [_n_rows(piece) for piece in self._pieces]
        widest = max((_bytes(piece) for piece in self._pieces), default=0)
        self.piece_bytes = min(widest, _PAGE_BYTES * len(self._columns.names))

    def piece(self, number: int, n_rows: int) -> Iterator[Any]:
        """A row group as frames."""
        batches = self._pieces[number].to_batches(
            self._columns,
            batch_size=n_rows,
            batch_readahead=0,
            fragment_readahead=0,
            fragment_scan_options=_options(self._pieces[number]),
            use_threads=False,
        )
        return (self._read(batch) for batch in batches if batch.num_rows)

    def _read(self, batch: Any) -> Any:
        names = batch.schema.names
        if not self.apart or not set(self.apart) <= set(names):
            return frame_of(batch)
        columns = {name: np.asarray(batch.column(name)) for name in self.apart}
        others = [name for name in names if name not in columns]
        return Apart(frame_of(batch.select(others)), columns)


def _pieces(dataset: Any) -> Iterator[Any]:
    for fragment in dataset.get_fragments():
        if hasattr(fragment, "split_by_row_group"):
            yield from fragment.split_by_row_group()
        else:
            yield fragment


def _n_rows(piece: Any) -> int:
    groups = getattr(piece, "row_groups", None)
    if groups is None:
        return piece.count_rows()
    # A part of a Parquet file counts the rows of the whole file.
    return sum(group.num_rows for group in groups)


def _bytes(piece: Any) -> int:
    groups = getattr(piece, "row_groups", None) or ()
    return sum(group.total_byte_size for group in groups)


def _options(piece: Any) -> Any:
    """Read a row group page by page: by default all of it comes at once."""
    if not hasattr(piece, "split_by_row_group"):
        return None
    return _dataset_module().ParquetFragmentScanOptions(
        use_buffered_stream=True, pre_buffer=False
    )


def of_path(path: str | PathLike) -> ArrowSource:
    """A Parquet file, or a folder of them."""
    where = Path(fspath(path)).expanduser()
    if not where.exists():
        raise FileNotFoundError(
            f"There is no file or folder {str(where)!r}. A source that is a path is a"
            " Parquet file or a folder of them."
        )
    dataset = _dataset_module()
    try:
        return ArrowSource(dataset.dataset(where, format="parquet"))
    except Exception as error:
        if type(error).__module__.partition(".")[0] != "pyarrow":
            raise
        raise ValueError(
            f"{str(where)!r} is no Parquet file, and no folder of them: {error} For"
            " files of another format pass a pyarrow.dataset.dataset(path, format=...)."
        ) from error


def of_table(table: Any) -> ArrowSource:
    """A table in memory."""
    return ArrowSource(_dataset_module().dataset(table))


def frame_of(batch: Any) -> Any:
    """A batch or table as a frame of pandas, or of polars where pandas is missing."""
    try:
        import pandas
    except ImportError:
        return _polars().from_arrow(batch)
    matrix = _matrix_of(batch)
    if matrix is None:
        return batch.to_pandas()
    return pandas.DataFrame(matrix, columns=batch.schema.names, copy=False)


def _matrix_of(batch: Any) -> np.ndarray | None:
    """Numbers of one dtype as a matrix: a frame of it costs no copy, nor its values."""
    kinds = {str(kind) for kind in batch.schema.types}
    if len(kinds) != 1 or not kinds <= _NUMBERS:
        return None
    columns = batch.columns
    if any(column.null_count for column in columns):
        return None
    first = columns[0].to_numpy(zero_copy_only=False)
    matrix = np.empty((len(first), len(columns)), first.dtype)
    for place, column in zip(matrix.T, columns, strict=True):
        place[:] = column.to_numpy(zero_copy_only=False)
    return matrix


def _polars() -> Any:
    try:
        import polars
    except ImportError as error:
        raise MissingDependencyError(FEATURE, "pandas", "chunks") from error
    return polars


def _dataset_module() -> Any:
    try:
        import pyarrow.dataset
    except ImportError as error:
        raise MissingDependencyError(FEATURE, "pyarrow", "chunks") from error
    return pyarrow.dataset
