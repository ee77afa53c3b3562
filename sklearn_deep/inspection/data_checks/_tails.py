"""Values too far out for the tail that the others have.

The tail is fitted to the inner nine tenths of the absolute deviations; what lies beyond
counts as "somewhere beyond" only, so that outliers cannot make the tail heavy that they
are judged by. The family is Student's, from the normal distribution to infinite variance.
"""

import numpy as np
from scipy.stats import t as student

# Degrees of freedom: from a variance that is infinite to practically normal.
_DOF = (1.5, 100.0)
_INNER = 0.9

# Tails that are tried; those with a log likelihood within 1 of the best are not ruled out,
# about 1.4 standard errors.
_N_TAILS, _NOT_RULED_OUT = 30, 1.0

# A tail is not judged by fewer values.
FEWEST = 30


def tail_p_values(values: np.ndarray) -> np.ndarray:
    """Probability of a deviation of at least this size, for each value.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Finite; deviations are taken from the median, each side with a scale of its own.

    Returns
    -------
    ndarray of shape (n,)
        1 where there are too few values, or most are equal.
    """
    p_value = np.ones(len(values))
    if len(values) < FEWEST:
        return p_value
    deviation = values - np.median(values)
    for side in (deviation > 0, deviation < 0):
        if side.sum() >= FEWEST:
            p_value[side] = _one_side(np.abs(deviation[side]))
    return p_value


def _one_side(size: np.ndarray) -> np.ndarray:
    edge = np.quantile(size, _INNER)
    inner = size[size <= edge]
    n_beyond = len(size) - len(inner)
    half = np.median(size)
    if half <= 0:
        return np.ones(len(size))

    def cost(dof: float) -> float:
        scale = half / student.ppf(0.75, dof)
        beyond = n_beyond * np.log(2 * student.sf(edge / scale, dof))
        return -float(
            student.logpdf(inner / scale, dof).sum()
            + len(inner) * np.log(2 / scale)
            + beyond
        )

    # Few values tell the tail badly: the heaviest one that they do not rule out.
    grid = np.geomspace(*_DOF, _N_TAILS)
    costs = np.array([cost(dof) for dof in grid])
    dof = float(grid[costs <= costs.min() + _NOT_RULED_OUT][0])
    return np.minimum(2 * student.sf(size * student.ppf(0.75, dof) / half, dof), 1.0)
