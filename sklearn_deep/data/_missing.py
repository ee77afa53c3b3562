"""Missing values among labels, tokens and cells: None, NaN, NaT and pandas.NA."""

from collections.abc import Sequence
from typing import Any

import numpy as np


def is_missing(value: Any) -> bool:
    """Tell whether a scalar is None, NaN, NaT or pandas.NA."""
    if value is None:
        return True
    try:
        return bool(value != value)
    except (TypeError, ValueError):  # pandas.NA has no truth value
        return type(value).__name__ == "NAType"


def refuse_missing_targets(y: Any, owner: str, name: str = "y") -> None:
    """Raise where a target is missing that no check of finite numbers finds.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Targets as the user gives them: a list, an array, a column or a frame.

    Raises
    ------
    ValueError
        Names the first such row, and their number.
    """
    values = _objects(y)
    if values is None:
        return
    missing = [i for i, value in enumerate(values.ravel()) if is_missing(value)]
    if not missing:
        return
    place = np.unravel_index(missing[0], values.shape)
    where = "".join(f"[{i}]" for i in place)
    more = f", and so are {len(missing) - 1} more" if len(missing) > 1 else ""
    raise ValueError(
        f"{name}{where} of {owner} is missing ({values[place]!r}){more}. Leave out the"
        " rows without a target, or fill it."
    )


def _objects(y: Any) -> np.ndarray | None:
    """The values as objects; None for an array whose dtype has no missing values.

    Floats are left to the check of finite numbers.
    """
    dtype = getattr(y, "dtype", None)
    if isinstance(y, np.ndarray):
        return y if y.dtype.kind in "OMm" else None
    if hasattr(y, "to_numpy"):  # a column or a frame
        if isinstance(dtype, np.dtype) and dtype.kind in "biufc":
            return None
        values = y.to_numpy()
        return values if values.dtype.kind in "OMm" else None
    if not isinstance(y, (list, tuple)):
        return None
    # NumPy would make the text "nan" of a missing label among strings.
    if any(isinstance(value, (list, tuple, np.ndarray)) for value in y):
        return None
    values = np.empty(len(y), object)
    values[:] = y
    return values


def refuse_missing_sequences(items: Sequence, owner: str, name: str = "X") -> None:
    """Raise where a whole sequence or text is missing.

    Raises
    ------
    ValueError
        Names the first such row, and their number.
    """
    missing = [
        i
        for i, item in enumerate(items)
        if not isinstance(item, (str, list, tuple, np.ndarray)) and is_missing(item)
    ]
    if not missing:
        return
    more = f", and so are {len(missing) - 1} more" if len(missing) > 1 else ""
    raise ValueError(
        f"{name}[{missing[0]}] of {owner} is missing ({items[missing[0]]!r}){more}: fill"
        " it, with '' or [] for an empty sequence, or leave out the row."
    )
