"""Rows divided among owners: as groups say, or drawn for an experiment."""

from collections.abc import Hashable
from typing import Any

import numpy as np
from sklearn.utils.validation import check_consistent_length, column_or_1d

from sklearn_deep.exceptions import FederatedError


def by_groups(groups: Any, n_rows: int) -> dict[Hashable, np.ndarray]:
    """Rows of each owner, in the order in which owners first appear.

    So nothing depends on what owners are called.
    """
    if np.ndim(groups) != 1:
        raise FederatedError(
            f"groups must name the owner of each row, of shape ({n_rows},); got shape"
            f" {np.shape(groups)}."
        )
    groups = column_or_1d(groups)
    check_consistent_length(np.empty(n_rows), groups)
    if any(group is None or group != group for group in groups.tolist()):
        raise FederatedError(
            "groups has rows without an owner (None or NaN). Name each."
        )
    _, first, codes = np.unique(groups, return_index=True, return_inverse=True)
    return {
        groups[first[k]].item()
        if hasattr(groups[first[k]], "item")
        else groups[first[k]]: np.flatnonzero(codes == k)
        for k in np.argsort(first)
    }


def drawn(
    n_rows: int, clients: int, concentration: float | None, labels: Any, seed: int
) -> dict[Hashable, np.ndarray]:
    """Rows of drawn owners, numbered from 0, at least one row each.

    Parameters
    ----------
    n_rows, clients : int
    concentration : float or None
        Of the Dirichlet distribution of each label's rows over owners; None divides rows
        evenly.
    labels : ndarray of shape (n_rows,)
        Labels, or numbers that are divided into ten bins.
    seed : int
    """
    generator = np.random.default_rng([seed, clients])
    clients = min(clients, n_rows)
    order = generator.permutation(n_rows)
    if concentration is None:
        parts = np.array_split(order, clients)
    else:
        parts = _dirichlet(order, clients, concentration, labels, generator)
    return {k: np.sort(part) for k, part in enumerate(parts)}


def _dirichlet(
    order: np.ndarray,
    clients: int,
    concentration: float,
    labels: Any,
    generator: np.random.Generator,
) -> list[np.ndarray]:
    parts: list[list[int]] = [[] for _ in range(clients)]
    codes = _codes(labels)[order]
    for code in np.unique(codes):
        rows = order[codes == code]
        shares = generator.dirichlet(np.full(clients, concentration))
        cuts = np.round(np.cumsum(shares)[:-1] * len(rows)).astype(int)
        for part, own in zip(parts, np.split(rows, cuts), strict=True):
            part.extend(own.tolist())
    for part in parts:
        if not part:  # an owner has a row, from the one who has most
            part.append(max(parts, key=len).pop())
    return [np.array(part) for part in parts]


def _codes(labels: np.ndarray) -> np.ndarray:
    """Labels as numbers; of multilabel rows the first, numbers by tenths."""
    first = labels if labels.ndim == 1 else labels[:, 0]
    if first.dtype.kind != "f":
        return np.unique(first, return_inverse=True)[1]
    edges = np.quantile(first, np.linspace(0, 1, 11)[1:-1])
    return np.searchsorted(edges, first)
