"""Probe of a fitted estimator: whether it accepts some rows, and if not, why."""

import warnings
from typing import Any

import numpy as np


def predict_error(model: Any, rows: Any) -> Exception | None:
    """Return the error that an estimator raises for rows; None if it accepts them."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            (model.predict if hasattr(model, "predict") else model.transform)(rows)
    except Exception as error:  # any error means that the rows are refused
        return error
    return None


def predicts_one_axis(model: Any, width: int) -> bool:
    """Tell whether predictions for rows of this many numbers are one-dimensional."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about names that the row lacks
        return np.ndim(model.predict(np.zeros((1, width)))) == 1
