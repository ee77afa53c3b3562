"""SciPy's L-BFGS, and a record of a search by which it can continue.

SciPy keeps the memory of a search to itself. But the search is a function of the values
and gradients that it is told: told the same ones again, it comes to the same point.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult, minimize

# SciPy's own stopping tests are off: the run decides, by the same rules as for the
# other optimizers.
_OPTIONS = {"ftol": 0.0, "gtol": 1e-12, "maxls": 50}

# A record takes this much memory at most: a longer search cannot be continued.
_MOST_BYTES = 64 << 20

Objective = Callable[[np.ndarray], tuple[float, np.ndarray]]


def search(
    objective: Objective,
    start: np.ndarray,
    max_iterations: int,
    after_iteration: Callable[[OptimizeResult], None],
) -> np.ndarray:
    """Minimise by L-BFGS; return the point.

    Parameters
    ----------
    objective : callable ``point -> (value, gradient)``
    start : ndarray of shape (n_values,)
    max_iterations : int
    after_iteration : callable
        It gets the accepted point as the ``x`` of its argument, and raises
        ``StopIteration`` to end the search.
    """

    # SciPy passes the result by this name.
    def callback(intermediate_result: OptimizeResult) -> None:
        after_iteration(intermediate_result)

    result = minimize(
        objective,
        start,
        jac=True,
        method="L-BFGS-B",
        options={**_OPTIONS, "maxiter": max_iterations, "maxfun": 10**9},
        callback=callback,
    )
    return result.x


class Evaluations:
    """What a search was told so far.

    Parameters
    ----------
    start : ndarray of shape (n_values,)
        Where it began.
    dtype : numpy.dtype
        That of the network: gradients are stored in it.

    Attributes
    ----------
    n_iterations : int
        Number of iterations so far.
    complete : bool
        Whether they all are here: a long search takes too much memory.
    """

    def __init__(self, start: np.ndarray, dtype: np.dtype):
        self.start, self.n_iterations, self.complete = start, 0, True
        self._dtype = dtype
        self._losses: list[float] = []
        self._gradients: list[np.ndarray] = []

    def __len__(self) -> int:
        return len(self._losses)

    def __getitem__(self, i: int) -> tuple[float, np.ndarray]:
        return self._losses[i], self._gradients[i].astype(np.float64)

    def add(self, value: float, gradient: np.ndarray) -> None:
        """Note an evaluation."""
        size = (len(self) + 1) * len(self.start) * self._dtype.itemsize
        self.complete = self.complete and size <= _MOST_BYTES
        if not self.complete:
            self._losses, self._gradients = [], []
            return
        self._losses.append(value)
        self._gradients.append(gradient.astype(self._dtype))

    def arrays(self) -> dict[str, np.ndarray]:
        """The record as arrays, if it is complete."""
        if not self.complete:
            return {}
        gradients = np.empty((len(self), len(self.start)), self._dtype)
        for row, gradient in zip(gradients, self._gradients, strict=True):
            row[:] = gradient
        return {
            "evaluated.start": self.start,
            "evaluated.values": np.array(self._losses),
            "evaluated.gradients": gradients,
        }

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, np.ndarray], n_iterations: int
    ) -> "Evaluations":
        """Invert ``arrays``."""
        gradients = arrays["evaluated.gradients"]
        record = cls(np.array(arrays["evaluated.start"]), gradients.dtype)
        record._losses = arrays["evaluated.values"].tolist()
        record._gradients = list(gradients)
        record.n_iterations = n_iterations
        return record

    def lead_to(self, point: np.ndarray) -> bool:
        """Tell whether SciPy comes to this point of the network when told them again."""
        told = iter(range(len(self)))
        reached: list[Any] = [None]
        n_left = iter(range(self.n_iterations - 1, -1, -1))

        def after_iteration(result: OptimizeResult) -> None:
            if not next(n_left):
                reached[0] = result.x.astype(point.dtype)
                raise StopIteration

        def objective(_: np.ndarray) -> tuple[float, np.ndarray]:
            return self[next(told, len(self))]

        try:
            search(objective, self.start, self.n_iterations + 1, after_iteration)
        except IndexError:  # it asks for more: another version, or another machine
            return False
        return reached[0] is not None and np.array_equal(reached[0], point)
