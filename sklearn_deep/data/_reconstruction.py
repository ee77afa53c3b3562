"""Rows of X as the targets of their own network."""

from dataclasses import dataclass

import numpy as np

from sklearn_deep.data._targets import RealTargets


@dataclass(frozen=True)
class Reconstruction(RealTargets):
    """Columns of X, centred each by itself, and divided by one number for all.

    So the loss weighs the columns as X itself does, and is of a size that trains well.
    """

    @classmethod
    def learn(
        cls, y: np.ndarray, weight: np.ndarray | None, scaling: str | None = None
    ) -> "Reconstruction":
        """Learn centre and scale from rows of shape (n, n_values)."""
        top = np.abs(y).max(initial=0.0) or 1.0  # the square of a quotient is finite
        columns = y.astype(np.float64) / top
        mean = np.average(columns, axis=0, weights=weight)
        variance = np.average((columns - mean) ** 2, axis=0, weights=weight)
        # Deviations of a large constant column are rounding errors, not spread.
        variance[np.sqrt(variance) <= 1e-12 * np.abs(mean)] = 0.0
        spread = np.sqrt(variance.mean()) * top
        scale = spread if spread >= np.finfo(np.float64).tiny else 1.0
        return cls(mean * top, np.full_like(mean, scale), False, y.dtype.name, None)
