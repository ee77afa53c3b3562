"""Rows of a learning curve: read out of a source, and put into an order of subsets."""

from typing import Any

import numpy as np
from sklearn.utils import indexable

from sklearn_deep.data.chunks._containers import rows_at
from sklearn_deep.data.chunks._data import Chunk, ChunkedData, together
from sklearn_deep.data.chunks._membership import Membership
from sklearn_deep.data.chunks._open import is_lazy, open_source
from sklearn_deep.data.chunks._survey import take

_OWNER = "more_data_curve"


def rows_in_memory(X: Any, y: Any, max_rows: int, seed: int) -> tuple[Any, Any]:
    """X and y, or a random sample of the rows of a source.

    Parameters
    ----------
    X : source or array-like
    y : array-like, str or None
    max_rows : int
        Rows that are read of a source.
    seed : int
    """
    if not is_lazy(X) and not isinstance(y, str):
        if y is None:
            raise ValueError(f"{_OWNER} requires y to be passed, but y is None.")
        return tuple(indexable(X, y))  # type: ignore[return-value]
    source = open_source(X, _OWNER)
    assert source is not None
    sampled = _sampled(ChunkedData(source, y, None, _OWNER), max_rows, seed)
    if sampled.y is None:
        raise ValueError(
            f"{_OWNER} requires y to be passed, but the target y is None: name the"
            " column of the source, or let each chunk be (X, y)."
        )
    return sampled.X, sampled.y


def _sampled(data: ChunkedData, max_rows: int, seed: int) -> Chunk:
    if data.n_rows is None:
        for _ in data.in_order(8192):  # the number of rows follows
            pass
    assert data.n_rows is not None
    if not data.n_rows:
        raise ValueError(f"The source of {_OWNER} has no rows.")
    chosen = Membership.of(data.n_rows, min(max_rows, data.n_rows), 0, seed)
    parts = []
    for chunk in data.in_order(8192):
        rows, _, _ = chosen.split(chunk.start, len(chunk))
        if len(rows):
            parts.append(take(chunk, rows))
    return together(parts)


def nested_order(labels: np.ndarray | None, n: int, seed: int) -> np.ndarray:
    """Order of rows of which each beginning is a random subset, stratified by class."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(n)
    if labels is None:
        return order
    _, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    shuffled = codes[order]
    by_class = np.argsort(shuffled, kind="stable")
    starts = np.cumsum(counts) - counts
    rank = np.empty(n)
    rank[by_class] = np.arange(n) - starts[shuffled[by_class]]
    # The k-th row of a class of c rows comes where a share of k / c of all have come; the
    # first one of each class comes first.
    return order[np.argsort(rank / counts[shuffled], kind="stable")]


def first_of(X: Any, y: Any, rows: np.ndarray) -> tuple[Any, Any]:
    """Some rows of X and y."""
    return rows_at(X, rows), rows_at(y, rows)
