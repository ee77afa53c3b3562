"""Copies of rows, which a validation split keeps on one side.

A network that has seen one copy of a held-out row knows the other: the validation loss
then falls with overfitting, and early stopping restores a late epoch.
"""

from typing import Any

import numpy as np

from sklearn_deep.data._rows import row_hashes


def copies(X: Any, y: Any, rows: np.ndarray | None = None) -> np.ndarray:
    """Number the rows so that copies have the same number.

    Equal rows of X are copies if their targets are equal too. Equal rows of several
    targets are not: in a table of few categories rows are equal by coincidence, and
    their targets have a distribution that a validation part has to sample.

    Parameters
    ----------
    X : ndarray of shape (n_all, ...), sparse matrix, frame or Ragged
    y : ndarray of shape (n_rows,) or (n_rows, n_targets), or Ragged
        Targets; those of steps (Ragged) are not compared.
    rows : ndarray of shape (n_rows,), optional
        Where the rows are in ``X``, an array or sparse; all, in order, without it.

    Returns
    -------
    numbers : ndarray of int of shape (n_rows,)
    """
    keys = _numbers_of_objects(X) if _holds_objects(X) else row_hashes(X, rows)
    _, first, numbers = np.unique(keys, return_index=True, return_inverse=True)
    if isinstance(y, np.ndarray):
        differs = y != y[first[numbers]]
        differs = differs if y.ndim == 1 else differs.any(1)
        of_several = np.zeros(len(first), bool)
        of_several[numbers[differs]] = True
        apart = np.flatnonzero(of_several[numbers])
        numbers[apart] = len(first) + np.arange(len(apart))
    return numbers


def _holds_objects(X: Any) -> bool:
    return hasattr(X, "columns") or X.dtype.kind not in "biuf"


def _numbers_of_objects(X: Any) -> np.ndarray:
    """Equal rows of a frame, or of an array of strings, by one number."""
    if hasattr(X, "itertuples"):  # pandas
        rows = X.itertuples(index=False, name=None)
    else:
        rows = X.iter_rows() if hasattr(X, "iter_rows") else X.tolist()
    seen: dict[str, int] = {}
    # Written out: a missing value is not equal to itself.
    return np.array([seen.setdefault(repr(row), len(seen)) for row in rows])
