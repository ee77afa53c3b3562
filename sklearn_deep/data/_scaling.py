"""Scaling of one column of numbers, and what stands in for missing ones."""

from dataclasses import dataclass

import numpy as np

# Scaled numbers beyond this multiple of the clip are as good as infinite.
FARTHEST = 1e6


@dataclass(frozen=True)
class Scaling:
    """Learnt from the numbers that are there, each counted by its weight.

    Attributes
    ----------
    center, scale : float
        Mean and standard deviation.
    median : float
        In place of missing numbers.
    has_indicator : bool
        Whether the training rows had missing numbers.
    constant : bool
        Whether all numbers of the training rows are equal, or there are none.
    """

    center: float
    scale: float
    median: float
    has_indicator: bool
    constant: bool

    @classmethod
    def learn(cls, values: np.ndarray, weight: np.ndarray | None) -> "Scaling":
        """Learn from the training rows.

        A row of weight 2 counts as two rows, to the last bit: all sums are over the
        sorted, distinct values. The order of rows does not matter either.

        Parameters
        ----------
        values : ndarray of shape (n_rows,)
            NaN for missing numbers.
        weight : ndarray of shape (n_rows,) or None
        """
        values = values.astype(np.float64)
        present = ~np.isnan(values)
        complete = bool(present.all())
        if not complete:
            values = values[present]
            weight = None if weight is None else weight[present]
        if not len(values):
            return cls(0.0, 1.0, 0.0, has_indicator=False, constant=True)
        distinct, mass = _counted(values, weight)
        center, scale = _mean_and_deviation(distinct, mass)
        return cls(
            center,
            scale if 0 < scale < np.inf else 1.0,
            _median(distinct, mass),
            has_indicator=not complete,
            constant=len(distinct) == 1 or not 0 < scale < np.inf,
        )


def _counted(
    values: np.ndarray, weight: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Give the distinct values, sorted, and the weight of each."""
    if weight is None:
        distinct, counts = np.unique(values, return_counts=True)
        return distinct, counts.astype(np.float64)
    distinct, place = np.unique(values, return_inverse=True)
    return distinct, np.bincount(place.reshape(-1), weight)


def _mean_and_deviation(values: np.ndarray, mass: np.ndarray) -> tuple[float, float]:
    # In units of a power of two near the largest value: no sum or square overflows.
    exponent = int(np.frexp(np.abs(values).max())[1])
    scaled, total = np.ldexp(values, -exponent), mass.sum()
    mean = (scaled * mass).sum() / total
    variance = (np.square(scaled - mean) * mass).sum() / total
    mean, deviation = np.ldexp([mean, np.sqrt(variance)], exponent).tolist()
    return mean, deviation


def _median(values: np.ndarray, mass: np.ndarray) -> float:
    """Give the middle of sorted values; between two of them, their mean."""
    below = np.cumsum(mass)
    half = below[-1] / 2
    low, high = (
        values[np.searchsorted(below, half, side)] for side in ("left", "right")
    )
    return float(low / 2 + high / 2)


def squash(z: np.ndarray, clip: float) -> np.ndarray:
    """Bring scaled numbers smoothly into (-clip, clip): z / sqrt(1 + (z / clip)^2).

    Small ones change little. ``z`` may be infinite.
    """
    z = np.clip(z, -FARTHEST * clip, FARTHEST * clip)
    return z / np.sqrt(1 + np.square(z / clip))
