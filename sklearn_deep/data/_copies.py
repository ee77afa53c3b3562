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
    X : ndarray of shape (n_all, ...), CSR matrix or Ragged
    y : ndarray of shape (n_rows,) or (n_rows, n_targets), or Ragged
        Targets; those of steps (Ragged) are not compared.
    rows : ndarray of shape (n_rows,), optional
        Where the rows are in ``X``; all, in order, without it.

    Returns
    -------
    numbers : ndarray of int of shape (n_rows,)
    """
    _, first, numbers = np.unique(
        row_hashes(X, rows), return_index=True, return_inverse=True
    )
    if isinstance(y, np.ndarray):
        differs = y != y[first[numbers]]
        differs = differs if y.ndim == 1 else differs.any(1)
        of_several = np.zeros(len(first), bool)
        of_several[numbers[differs]] = True
        apart = np.flatnonzero(of_several[numbers])
        numbers[apart] = len(first) + np.arange(len(apart))
    return numbers
