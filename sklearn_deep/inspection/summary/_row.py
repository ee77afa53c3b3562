"""One row that a fitted network takes, where the user gives none: of zeros."""

from collections.abc import Callable
from typing import Any

import numpy as np

from sklearn_deep.data._ragged import Ragged
from sklearn_deep.estimators.core._fitted import Fitted


def row_of_zeros(fitted: Fitted, n_steps: int) -> Any:
    """One encoded row; a sequence has ``n_steps`` steps.

    Raises
    ------
    ValueError
        For a module whose input only its author knows.
    """
    for key, make in _ROWS.items():
        if key in fitted.architecture:
            return make(fitted.architecture, fitted.dtype, n_steps)
    raise ValueError(
        f"summary cannot tell what a row of {fitted.features.owner} looks like. Give"
        " rows: summary(estimator, X); one is enough."
    )


def _arranged(architecture: dict[str, Any], dtype: np.dtype, n_steps: int) -> Any:
    layout = architecture["layout"]
    if len(layout["arranged"]) == 1:  # series of unequal length: the layout of a step
        values = np.zeros((n_steps, *layout["row_shape"]), dtype)
        return Ragged.of_lengths(values, [n_steps])
    dtype = np.dtype(np.uint8) if layout.get("pixels") else dtype
    return np.zeros((1, *layout["row_shape"]), dtype)


def _table(architecture: dict[str, Any], dtype: np.dtype, n_steps: int) -> Any:
    return np.zeros((1, architecture["n_features"]), dtype)


def _columns(architecture: dict[str, Any], dtype: np.dtype, n_steps: int) -> Any:
    codes = len(architecture["cardinalities"])
    n_columns = architecture["n_numeric"] + architecture["n_plain"] + codes
    return np.zeros((1, n_columns), dtype)


def _sequence(architecture: dict[str, Any], dtype: np.dtype, n_steps: int) -> Any:
    tokens = architecture["embedding_dim"] is not None
    shape = (n_steps,) if tokens else (n_steps, architecture["n_channels"])
    values = np.zeros(shape, np.int64 if tokens else dtype)
    return Ragged.of_lengths(values, [n_steps])


# Makers by a name that only architectures of the kind have.
_ROWS: dict[str, Callable[[dict[str, Any], np.dtype, int], Any]] = {
    "layout": _arranged,
    "cardinalities": _columns,
    "cell": _sequence,
    "n_features": _table,
}
