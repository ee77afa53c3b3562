"""Pairs of rows that are nearer to one another than chance has it.

Candidates come from sorting: rows are sliced along two random directions and sorted along
a third, several times, and each is compared with those next to it. Whether a
distance is too small is judged by the density around: where rows lie as points thrown at
random, the expected number within a radius r of one is ``k * (r / r_k) ** dimension``,
with ``r_k`` the distance of its k-th neighbour (Levina and Bickel, 2004, for the
dimension).
"""

from dataclasses import dataclass

import numpy as np

_TABLES, _WINDOW, _ROWS_PER_SLICE = 12, 8, 60

# Fewer rows tell nothing about the density around one.
_FEWEST = 40

# Up to so many rows are compared with all others.
_FEW = 3000

_N_REFERENCE, _K = 2000, 10
_BLOCK = 1000


@dataclass(frozen=True)
class NearPairs:
    """The nearest other row found for each row, and how surprising its distance is.

    Attributes
    ----------
    other : ndarray of shape (n_rows,), int
        -1 where none was compared.
    distance : ndarray of shape (n_rows,)
        Infinite where none was compared.
    expected : ndarray of shape (n_rows,)
        Rows within that distance where rows lie as points thrown at random.
    """

    other: np.ndarray
    distance: np.ndarray
    expected: np.ndarray


def near_pairs(
    places: np.ndarray,
    part: np.ndarray | None,
    rng: np.random.Generator,
    cells: np.ndarray | None = None,
) -> NearPairs:
    """Find the nearest neighbours of distinct rows.

    Parameters
    ----------
    places : ndarray of shape (n_rows, n_dimensions), float32
    part : ndarray of shape (n_rows,) or None
        Rows are compared with those of the other part only.
    cells : ndarray of shape (n_rows,) or None
        Rows are compared with those of the same cell only.
    rng : numpy.random.Generator
    """
    n = len(places)
    if n < _FEWEST:
        return NearPairs(np.full(n, -1), np.full(n, np.inf), np.full(n, 1.0 * n))
    part = np.arange(n) if part is None else part  # apart from itself only
    cells = np.zeros(n, int) if cells is None else cells
    find = _all_pairs if n <= _FEW else _sorted_pairs
    other, distance = find(places, part, cells, rng)
    reference = np.sort(rng.choice(n, min(n, _N_REFERENCE), replace=False))
    radii = _radii(places, reference)
    k = radii.shape[1]
    dimension = _dimension(radii)
    radius = np.maximum(radii[:, -1], 1e-30)
    with np.errstate(over="ignore"):
        expected = k * n / len(reference) * (distance / radius) ** dimension
    return NearPairs(other, distance, np.minimum(expected, n))


def _dimension(radii: np.ndarray) -> float:
    """Intrinsic dimension of the data, from distances of the nearest neighbours."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(radii[:, -1:] / radii[:, :-1])
    logs = logs[np.isfinite(logs).all(1)]
    if not len(logs) or not logs.any():
        return 1.0
    return float(max((logs.shape[1] - 1) / logs.sum(1).mean(), 0.5))


def _radii(places: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Distances of each row to its nearest rows of a sample, (n_rows, k)."""
    near = places[reference]
    k = min(_K, len(reference) - 1)
    found = np.empty((len(places), k))
    for start in range(0, len(places), _BLOCK):
        block = slice(start, start + _BLOCK)
        square = _squares(places[block], near)
        itself = reference == np.arange(len(places))[block][:, None]
        square[itself] = np.inf
        found[block] = np.sqrt(np.sort(np.partition(square, k - 1, axis=1)[:, :k], 1))
    return found


def _squares(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    square = (one**2).sum(1)[:, None] + (other**2).sum(1) - 2 * one @ other.T
    return np.maximum(square, 0.0)


def _exact(places: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    difference = places[one].astype(np.float64) - places[other]
    return np.sqrt((difference**2).sum(-1))


def _all_pairs(
    places: np.ndarray, part: np.ndarray, cells: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    other = np.empty(len(places), int)
    for start in range(0, len(places), _BLOCK):
        numbers = np.arange(len(places))[start : start + _BLOCK]
        square = _squares(places[numbers], places)
        square[part[numbers][:, None] == part] = np.inf
        square[cells[numbers][:, None] != cells] = np.inf
        other[numbers] = square.argmin(1)
    distance = _exact(places, np.arange(len(places)), other)
    none = (part[other] == part) | (cells[other] != cells)
    return np.where(none, -1, other), np.where(none, np.inf, distance)


def _sorted_pairs(
    places: np.ndarray, part: np.ndarray, cells: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    n, width = places.shape
    other, best = np.full(n, -1), np.full(n, np.inf)
    _, n_rows = np.unique(cells, return_counts=True)
    n_slices = max(1, round(np.sqrt(n_rows.max() / _ROWS_PER_SLICE)))
    for _ in range(_TABLES):
        along = places @ rng.normal(size=(width, 3)).astype(np.float32)
        slices = [_slices(along[:, i], n_slices, rng) for i in range(2)]
        order = np.lexsort((along[:, 2], *slices, cells))
        for step in range(1, _WINDOW + 1):
            one, two = order[:-step], order[step:]
            compared = (part[one] != part[two]) & (cells[one] == cells[two])
            one, two = one[compared], two[compared]
            distance = _exact(places, one, two)
            for mine, theirs in ((one, two), (two, one)):
                nearer = distance < best[mine]
                best[mine[nearer]] = distance[nearer]
                other[mine[nearer]] = theirs[nearer]
    return other, best


def _slices(along: np.ndarray, n_slices: int, rng: np.random.Generator) -> np.ndarray:
    """Slices of equal numbers of rows, with edges that differ between the tables."""
    rank = np.empty(len(along))
    rank[np.argsort(along)] = np.arange(len(along)) / len(along)
    return np.floor(rank * n_slices + rng.random()).astype(int)
