"""A rank's share of a batch."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from sklearn_deep.data._batches import Batch
from sklearn_deep.data._padded import Padded


class Share(NamedTuple):
    """The rows of a batch that one rank uses.

    Attributes
    ----------
    batch : Batch
        Every ``n_ranks``-th row. A rank that has none gets the first row, for its network
        to have an input; the row then counts nowhere.
    rows : Tensor
        Their numbers in the batch of all ranks.
    places : Tensor
        Places of their targets among all, where each step has one; else the rows.
    n_rows : int
        Number of rows of that batch.
    weight : float
        What the mean over the own rows counts in the mean over all; 0 for no rows.
    of_all : Batch
        The batch of all ranks.
    """

    batch: Batch
    rows: Tensor
    places: Tensor
    n_rows: int
    weight: float
    of_all: Batch

    @property
    def counts(self) -> bool:
        """Whether this rank has rows of its own."""
        return self.weight > 0


def share_of(batch: Batch, rank: int, size: int, axis: int, by_step: bool) -> Share:
    """The share of one rank.

    Parameters
    ----------
    batch : Batch
    rank, size : int
    axis : int
        Axis of the rows: 1 where networks of a stack come first.
    by_step : bool
        Whether rows have a target for each of their steps.
    """
    n_rows = _n_rows(batch.x, axis)
    rows = torch.arange(rank, n_rows, size, device=batch.y.device)
    empty = len(rows) == 0
    rows = rows.new_zeros(1) if empty else rows
    places = _steps_of(batch.x, rows) if by_step else rows
    own = Batch(
        _some(batch.x, rows, axis),
        batch.y.index_select(axis, places),
        None if batch.weight is None else batch.weight.index_select(axis, places),
    )
    weight = 0.0 if empty else len(places) / max(1, batch.y.shape[axis])
    return Share(own, rows, places, n_rows, weight, batch)


def _n_rows(x: Any, axis: int) -> int:
    features = x.x if isinstance(x, Padded) else x
    return int(features.shape[axis])


def _some(x: Any, rows: Tensor, axis: int) -> Any:
    """Some rows; sequences stay as long as the longest of all."""
    if isinstance(x, Padded):
        lengths = x.lengths.index_select(axis, rows.to(x.lengths.device))
        return Padded(x.x.index_select(axis, rows), lengths)
    return x.index_select(axis, rows)


def _steps_of(x: Padded, rows: Tensor) -> Tensor:
    """Places of the steps of some rows among those of all, one row behind the other."""
    return steps_of(x.lengths, rows.to(x.lengths.device)).to(rows.device)


def steps_of(lengths: Tensor, rows: Tensor) -> Tensor:
    """Places of the steps of some rows among those of all, one row behind the other."""
    starts = (lengths.cumsum(0) - lengths)[rows]
    own = lengths[rows]
    within = torch.arange(int(own.sum())) - torch.repeat_interleave(
        own.cumsum(0) - own, own
    )
    return torch.repeat_interleave(starts, own) + within
