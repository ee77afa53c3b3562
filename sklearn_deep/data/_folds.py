"""Division of rows into folds, of which each network of an ensemble leaves out one."""

import numpy as np


def fold_numbers(
    n_rows: int,
    n_folds: int,
    seed: int,
    stratify: np.ndarray | None = None,
    groups: np.ndarray | None = None,
) -> np.ndarray:
    """Draw a fold for each row.

    Parameters
    ----------
    n_rows, n_folds : int
    seed : int
    stratify : ndarray of shape (n_rows,) or None
        Classes, or numeric targets: each fold gets about the same distribution of them.
    groups : ndarray of shape (n_rows,) or None
        Rows of one group, copies of a row say, come into one fold.

    Returns
    -------
    ndarray of shape (n_rows,)
        Numbers from 0 to ``n_folds - 1``. The numbers of rows, or of groups, differ by at
        most 1 between folds.
    """
    if groups is not None:
        _, first, numbers = np.unique(groups, return_index=True, return_inverse=True)
        alike = None if stratify is None else stratify[first]
        return fold_numbers(len(first), n_folds, seed, alike)[numbers]
    order = np.random.default_rng(seed).permutation(n_rows)
    if stratify is not None:
        order = order[np.argsort(stratify[order], kind="stable")]
    folds = np.empty(n_rows, dtype=np.int64)
    folds[order] = np.arange(n_rows) % n_folds
    return folds
