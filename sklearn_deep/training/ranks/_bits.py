"""Random bits of a rank's rows: those that the rows get where one process has them all."""

from collections.abc import Callable

import torch
from torch import Tensor

from sklearn_deep.nn._dropout import BitSource
from sklearn_deep.training.ranks._share import Share


class SharedBits:
    """Draws for the rows of all ranks, and gives those of one rank.

    Parameters
    ----------
    source : BitSource
        Bits of the batch of all ranks.
    share : callable ``() -> Share``
        The share that is in use.
    axis : int
        Axis of the rows: 1 where networks of a stack come first.
    """

    def __init__(self, source: BitSource, share: Callable[[], Share], axis: int):
        self._source, self._share, self._axis = source, share, axis

    def draw(self, like: Tensor) -> Tensor:
        """Numbers of int16 in the shape of ``like``."""
        share = self._share()
        axis, n_each = self._place_of_rows(like, share)
        if axis is None:  # no axis of rows: each rank draws for itself
            return self._source.draw(like) ^ share.rows[0].to(torch.int16)
        bits = self._source.draw(_of_all(like, share, axis, n_each))
        if n_each == 1:
            return bits.index_select(axis, share.rows)
        of_row = bits.unflatten(axis, (share.n_rows, n_each))
        return of_row.index_select(axis, share.rows).flatten(axis, axis + 1)

    def skip(self, like: Tensor) -> None:
        """Skip the numbers that ``draw`` would return."""
        share = self._share()
        axis, n_each = self._place_of_rows(like, share)
        self._source.skip(like if axis is None else _of_all(like, share, axis, n_each))

    def _place_of_rows(self, like: Tensor, share: Share) -> tuple[int | None, int]:
        """Axis of the rows, and places per row on it: a user's layer may have more."""
        n_own, first = len(share.rows), self._axis
        for axis in (first, first + 1):
            if axis < like.ndim and like.shape[axis] == n_own:
                return axis, 1
        if first < like.ndim and like.shape[first] % n_own == 0 < like.shape[first]:
            return first, like.shape[first] // n_own
        return None, 1


def _of_all(like: Tensor, share: Share, axis: int, n_each: int) -> Tensor:
    """A tensor without values, as ``like`` is where one process has all rows."""
    shape = list(like.shape)
    shape[axis] = share.n_rows * n_each
    return torch.empty(shape, device="meta")
