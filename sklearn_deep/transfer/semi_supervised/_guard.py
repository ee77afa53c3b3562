"""The guard: both networks on the same folds of labelled rows."""

import warnings
from typing import Any

import numpy as np
from sklearn.metrics import check_scoring
from sklearn.model_selection import StratifiedKFold

from sklearn_deep.transfer.semi_supervised._learning import Method


def cross_validated(
    method: Method,
    rows: np.ndarray,
    y: np.ndarray,
    others: np.ndarray,
    n_folds: int,
    scoring: Any,
) -> tuple[float, float] | None:
    """Scores of the network of labels only and of the method, on the same folds.

    Parameters
    ----------
    method : Method
    rows, others : ndarray
        Indices of labelled rows and others.
    y : ndarray of shape (n_labelled,)
    n_folds : int
    scoring : str, callable or None

    Returns
    -------
    scores : tuple of float, or None
        Means over the labelled rows; None where every class has one label, so that they
        cannot be split.
    """
    counts = np.unique(y, return_counts=True)[1]
    n_folds = min(n_folds, int(counts.max()))
    if n_folds < 2:
        return None
    seed = int(method.network.random_state)
    splitter = StratifiedKFold(n_folds, shuffle=True, random_state=seed % 2**31)
    with warnings.catch_warnings():  # of classes with fewer labels than folds
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        folds = list(splitter.split(rows, y))
    if any(len(np.unique(y[train])) < 2 for train, _ in folds):
        return None
    # Functions of the user may not accept sample_weight.
    weighted = method.weight is not None and not callable(scoring)
    totals = np.zeros(2)
    for train, test in folds:
        networks = (
            method.fit_labelled(method.of_labels_only, rows[train], y[train]),
            method.fit(rows[train], y[train], others),
        )
        X = method.take(rows[test])
        given = {"sample_weight": method.weight[rows[test]]} if weighted else {}
        for i, network in enumerate(networks):
            scorer = check_scoring(network, scoring=scoring)
            totals[i] += len(test) * scorer(network, X, y[test], **given)
    base, semi = totals / len(rows)
    return float(base), float(semi)
