"""Rows in arrays, frames, sparse matrices and lists: how many, some of them, together."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils import _safe_indexing


def n_rows_of(X: Any) -> int:
    """Number of rows."""
    return int(X.shape[0]) if hasattr(X, "shape") else len(X)


def part_of(X: Any, start: int, stop: int) -> Any:
    """Adjacent rows; a view where the container has views."""
    return X.iloc[start:stop] if hasattr(X, "iloc") else X[start:stop]


def rows_at(X: Any, rows: np.ndarray) -> Any:
    """Some rows, by their numbers."""
    return _safe_indexing(X, rows)


def joined(parts: Sequence[Any]) -> Any:
    """The rows of several containers of one kind as one."""
    first = parts[0]
    if len(parts) == 1:
        return first
    if sp.issparse(first):
        return sp.vstack(parts, format="csr")
    if hasattr(first, "iloc"):
        return _pandas().concat(parts, ignore_index=True)
    if hasattr(first, "get_columns"):
        return _polars().concat(parts, how="vertical_relaxed")
    if isinstance(first, list):
        return [row for part in parts for row in part]
    return np.concatenate(parts)


def bytes_of(X: Any) -> int:
    """Bytes that rows take; an estimate where the container does not tell."""
    if sp.issparse(X):
        return X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
    if hasattr(X, "memory_usage"):
        return int(X.memory_usage(index=False).sum())
    if hasattr(X, "estimated_size"):
        return int(X.estimated_size())
    return int(np.asarray(X).nbytes) if not isinstance(X, list) else 64 * len(X)


def _pandas() -> Any:
    import pandas

    return pandas


def _polars() -> Any:
    import polars

    return polars
