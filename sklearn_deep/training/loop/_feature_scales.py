"""Whether the columns of X have sizes that a network learns well from."""

import math
from typing import Any

import torch
from torch import Tensor

from sklearn_deep.data._layout import Layout
from sklearn_deep.data._padded import Padded

# Limits of what a StandardScaler makes 0 (the mean) and 1 (the spread). Beyond them the
# default networks lost accuracy on the tables of the benchmark, more with every factor;
# below, as with pixels from 0 to 16, they did not. One column outweighs n others from a
# root mean square of 2 sqrt(n) on; the other limits are those of the column in the middle.
_LARGE, _OF_MANY = 8.0, 2.0
_SPREAD, _MEAN, _MEAN_IN_SPREADS = 7.0, 5.0, 2.0
# Tables all of whose columns are smaller than this are hardly seen.
_SMALL = 0.03


def unscaled_columns(x: Any, layout: Layout) -> list[int]:
    """Places of columns, or channels, that are too large or too small; empty for none.

    Parameters
    ----------
    x : Tensor of shape (n_rows, ...), or Padded
        Some training rows.
    layout : Layout

    Returns
    -------
    list of int
        The largest first.
    """
    columns = _columns(x, layout)
    if columns is None:
        return []
    spread, mean = torch.std_mean(columns, 1, correction=0)
    size = torch.hypot(spread, mean)
    largest = torch.argsort(size, descending=True, stable=True).tolist()
    large = max(_LARGE, _OF_MANY * math.sqrt(len(size)))
    wrong = size.max() > large or _middle_is_off(spread, mean.abs())
    tiny = 0.0 < size.max() < _SMALL
    limit = 0.0 if tiny else min(_MEAN, float(size.max()) / 2)
    above = (size > limit).tolist()
    return [i for i in largest if above[i]] if wrong or tiny else []


def _middle_is_off(spread: Tensor, mean: Tensor) -> bool:
    """Whether most columns are widely spread, or far from 0 for their spread."""
    middle, far = float(spread.median()), float(mean.median())
    return middle > _SPREAD or (far > _MEAN and far > _MEAN_IN_SPREADS * middle)


def _columns(x: Any, layout: Layout) -> Tensor | None:
    """Values of each column or channel, (n_columns, n); None for what is not numbers."""
    values = x.x if isinstance(x, Padded) else x
    if not values.is_floating_point() or values.ndim < 2 or not values.numel():
        return None
    at_end = isinstance(x, Padded) or layout.kind == "table"
    arranged = values if at_end else layout.canonical(values)
    return arranged.movedim(-1 if at_end else 1, 0).flatten(1)
