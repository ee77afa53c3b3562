"""How probable it is that independent rows are equal.

Rows of few categories repeat one another by chance, rows of many measured numbers do not.
The probability that a new row equals a given one is estimated as if columns were
independent among the rows near it: a product of frequencies, each counted among
neighbours, with the frequency among all rows for values that no neighbour has.
"""

import numpy as np
from scipy.stats import poisson

from sklearn_deep.inspection.data_checks._rows import TABLE, Rows

_N_REFERENCE, _N_NEIGHBOURS = 2000, 50

# Rows whose distances are computed at a time.
_BLOCK = 250


def probability_of_copies(
    rows: Rows, asked: np.ndarray, n_copies: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Probability that chance alone repeats each row that often.

    Parameters
    ----------
    rows : Rows
    asked : ndarray of int
        Row numbers.
    n_copies : ndarray of int
        How many other rows equal each.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (n_asked,)
        0 for images, series and texts, which have too many values to repeat.
    """
    if rows.kind != TABLE or not len(asked):
        return np.zeros(len(asked))
    every = np.ones(rows.n_columns, bool)
    expected = expected_copies(rows, asked, every, rng)
    return poisson.sf(n_copies - 1, expected)


def expected_copies(
    rows: Rows, asked: np.ndarray, columns: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Other rows that chance makes equal to each one in some columns, (n_asked,)."""
    n = len(rows)
    reference = rng.choice(n, min(n, _N_REFERENCE), replace=False)
    blocks = [asked[i : i + _BLOCK] for i in range(0, len(asked), _BLOCK)]
    everywhere = _frequency(rows, asked)
    nearby = np.concatenate([_agreement(rows, part, reference) for part in blocks])
    n_near = min(_N_NEIGHBOURS, len(reference))
    log_share = np.log((nearby + everywhere) / (n_near + 1))
    return (n - 1) * np.exp(log_share[:, columns].sum(1))


def _frequency(rows: Rows, asked: np.ndarray) -> np.ndarray:
    """Share of the other rows with the value of each column, (n_asked, n_columns)."""
    _, member, size = np.unique(rows.keys, return_inverse=True, return_counts=True)
    own = size[member[asked]]
    found = np.empty((len(asked), rows.n_columns))
    for j in range(rows.n_columns):
        _, value, count = np.unique(
            rows.columns[:, j], return_inverse=True, return_counts=True
        )
        found[:, j] = (count[value[asked]] - own + 1) / (len(rows) + 1)
    return found


def _agreement(rows: Rows, asked: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Neighbours that have the value of each column, (n_asked, n_columns)."""
    near, all_values = rows.positions[reference], rows.columns
    place = rows.positions[asked]
    distance = (place**2).sum(1)[:, None] + (near**2).sum(1) - 2 * place @ near.T
    distance[rows.keys[asked][:, None] == rows.keys[reference]] = np.inf
    k = min(_N_NEIGHBOURS, len(reference))
    nearest = np.argpartition(distance, k - 1, axis=1)[:, :k]
    there = np.isfinite(np.take_along_axis(distance, nearest, axis=1))[..., None]
    values = all_values[reference[nearest]]
    mine = all_values[asked][:, None]
    equal = (values == mine) | (np.isnan(values) & np.isnan(mine))
    return (equal & there).sum(1)
