"""Rows of X: what dense arrays, CSR matrices and sequences have in common for us."""

import math

import numpy as np
import scipy.sparse as sp

from sklearn_deep.data._column_table import ColumnTable
from sklearn_deep.data._ragged import Ragged

# A chunk of rows is densified, cast or hashed at a time, never the whole of X.
CHUNK_BYTES = 1 << 22


def chunks(n_rows: int, row_bytes: int, n_bytes: int | None = None) -> list[slice]:
    """Slices of rows that cover ``n_rows``, each of ``n_bytes`` or ``CHUNK_BYTES``."""
    size = max(32, (n_bytes or CHUNK_BYTES) // max(1, row_bytes))
    return [slice(i, min(i + size, n_rows)) for i in range(0, n_rows, size)]


def dense(X, rows) -> np.ndarray:
    """Some rows of X as a dense array (n_rows, n_values)."""
    part = X[rows]
    if isinstance(part, ColumnTable):
        return part.comparable()
    part = part.toarray() if sp.issparse(part) else part
    return part.reshape(len(part), -1)


def row_values(X) -> int:
    """Numbers that a row takes in a batch."""
    longest = int(X.lengths.max(initial=1)) if isinstance(X, Ragged) else 1
    return longest * math.prod(X.shape[1:])


def mean_steps(X) -> float:
    """Mean length of sequences; 1 for other rows, whose length is in their shape."""
    return float(X.lengths.mean()) if isinstance(X, Ragged) else 1.0


def merge_equal_rows(
    X, y: np.ndarray, weight: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Find equal rows of (X, y), and an order that depends on their content only.

    On a full batch, three copies of a row and one row of weight 3 are one problem;
    giving both the same rows in the same order makes them the same to the last bit,
    in every dtype.

    Parameters
    ----------
    X : ndarray of shape (n_samples, ...), CSR matrix or Ragged
    y : ndarray of shape (n_samples,) or (n_samples, n_targets), or Ragged
    weight : ndarray of shape (n_samples,) or None

    Returns
    -------
    index : ndarray of shape (n_unique,)
        Rows to keep, in order.
    weight : ndarray of shape (n_unique,)
        Sum of the weights of the rows that each stands for.
    """
    if not isinstance(y, Ragged):
        y = np.ascontiguousarray(y.reshape(len(y), -1), dtype=np.float64)
    keys = row_hashes(X, seed=0) ^ row_hashes(y, seed=1)
    order = np.argsort(keys, kind="stable")
    candidates = np.flatnonzero(keys[order[1:]] == keys[order[:-1]]) + 1
    same = np.zeros(len(order), bool)
    here, before = order[candidates], order[candidates - 1]
    equal = np.zeros(len(here), bool)
    for part in chunks(len(here), row_values(X) * 16):
        one, other = here[part], before[part]
        equal[part] = _same_rows(y, one, other) & _same_rows(X, one, other)
    same[candidates] = equal
    group = np.cumsum(~same) - 1
    mass = None if weight is None else weight[order]
    return order[~same], np.bincount(group, mass).astype(np.float64)


def _same_rows(X, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    if not isinstance(X, Ragged):
        return (dense(X, one) == dense(X, other)).all(1)
    same = X.lengths[one] == X.lengths[other]
    if same.any():
        left, right = X[one[same]], X[other[same]]
        equal = left.values == right.values
        steps = equal.all(tuple(range(1, equal.ndim)))
        n_same = np.add.reduceat(np.append(steps, False), left.offsets[:-1], dtype=int)
        same[same] = (n_same == left.lengths) | (left.lengths == 0)
    return same


def row_hashes(X, rows: np.ndarray | None = None, seed: int = 0) -> np.ndarray:
    """A 64-bit hash of the content of each row, or of some rows; equal rows share it."""
    if isinstance(X, Ragged):
        return _sequence_hashes(X if rows is None else X[rows], seed)
    n_rows = X.shape[0] if rows is None else len(rows)
    parts = chunks(n_rows, row_values(X) * 8)
    return np.concatenate(
        [_hash(dense(X, part if rows is None else rows[part]), seed) for part in parts]
    )


def _sequence_hashes(X: Ragged, seed: int) -> np.ndarray:
    """Hash of each sequence: a sum over steps, with an odd factor per position."""
    # The hash of zeros is 0: a constant distinguishes such steps from missing ones.
    width = math.prod(X.shape[1:])
    steps = _hash(X.values.reshape(len(X.values), width), seed) + np.uint64(1)
    rng = np.random.default_rng(seed + 2)
    longest = int(X.lengths.max())
    odd = rng.integers(0, 2**63, longest, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    time = np.arange(len(steps)) - X.repeat(X.offsets[:-1])
    # A number behind the end, for rows without a step there; and zero for all of them.
    terms = np.append(steps * odd[time], np.uint64(0))
    return np.where(X.lengths, np.add.reduceat(terms, X.offsets[:-1]), np.uint64(0))


def _hash(block: np.ndarray, seed: int) -> np.ndarray:
    """A 64-bit hash of each row: its bits, mixed, times fixed odd numbers, summed."""
    # + 0.0 makes -0.0 and 0.0 one number.
    bits = (block.astype(np.float64) + 0.0).view(np.uint64)
    bits = (bits ^ (bits >> np.uint64(32))) * np.uint64(0x9E3779B97F4A7C15)
    bits ^= bits >> np.uint64(29)
    rng = np.random.default_rng(seed)
    odd = rng.integers(0, 2**63, bits.shape[1], dtype=np.uint64) * np.uint64(2)
    return (bits * (odd + np.uint64(1))).sum(1, dtype=np.uint64)
