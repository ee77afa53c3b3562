"""How long a model takes for some rows, measured when its file is opened.

A computation that is shorter than the way to a thread and back is done where the request
is read.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sklearn_deep.exceptions import OnnxFileError
from sklearn_deep.serving._session import OnnxSession
from sklearn_deep.serving.server._specs import DTYPES, TensorSpec

# Seconds that the event loop may be kept from other requests.
QUICK = 1e-3

_ROWS = 64
_REPEATS = 5


@dataclass(frozen=True)
class Cost:
    """Seconds of a computation.

    Parameters
    ----------
    fixed : float
        Seconds of any number of rows.
    per_row : float
        Further seconds of each row.
    """

    fixed: float = math.inf
    per_row: float = 0.0

    def is_quick(self, n_rows: int) -> bool:
        """Tell whether rows are computed in less than ``QUICK`` seconds."""
        return self.fixed + n_rows * self.per_row < QUICK


def measure(session: OnnxSession, inputs: Sequence[TensorSpec]) -> Cost:
    """Measure a model with rows of zeros; rows of any length are never quick."""
    if any(-1 in spec.shape[1:] for spec in inputs):
        return Cost()
    try:
        one = _seconds(session, inputs, 1)
        if one >= QUICK:
            return Cost()
        many = _seconds(session, inputs, _ROWS)
    except (OnnxFileError, ValueError):  # the model cannot compute these rows
        return Cost()
    per_row = max(0.0, (many - one) / (_ROWS - 1))
    return Cost(one, per_row)


def _seconds(session: OnnxSession, inputs: Sequence[TensorSpec], n_rows: int) -> float:
    feeds = {spec.name: _rows(spec, n_rows) for spec in inputs}
    names = [info.name for info in session.session.get_outputs()]
    best = math.inf
    for _ in range(_REPEATS):
        start = time.perf_counter()
        session.run_feeds(feeds, names)
        best = min(best, time.perf_counter() - start)
        if best > QUICK:
            break
    return best


def _rows(spec: TensorSpec, n_rows: int) -> np.ndarray:
    dtype = DTYPES[spec.datatype]
    blank = "" if dtype.kind == "O" else 0
    return np.full((n_rows, *spec.shape[1:]), blank, dtype)
