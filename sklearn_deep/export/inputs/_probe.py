"""What a fitted estimator says to rows: whether it takes them, and if not, why."""

import warnings
from typing import Any


def predict_error(model: Any, rows: Any) -> Exception | None:
    """Give the error with which an estimator refuses rows, None where it takes them."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            (model.predict if hasattr(model, "predict") else model.transform)(rows)
    except Exception as error:  # whatever a step raises, the row is not one it takes
        return error
    return None
