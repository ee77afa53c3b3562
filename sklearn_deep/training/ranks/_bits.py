"""Random bits of a rank's rows: those that the rows get where one process has them all."""

from collections.abc import Callable

import torch
from torch import Tensor

from sklearn_deep.data._padded import Padded
from sklearn_deep.nn._dropout import BitSource
from sklearn_deep.nn._rnn import pack
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


class SharedStepBits(SharedBits):
    """The same for layers inside a recurrent network, which see single steps.

    Parameters
    ----------
    source, share : as in ``SharedBits``
    packed : bool
        Whether steps are in the order of packed sequences, rather than row by row.
    """

    def __init__(self, source: BitSource, share: Callable[[], Share], packed: bool):
        super().__init__(source, share, 0)
        self._packed = packed

    def draw(self, like: Tensor) -> Tensor:
        """Numbers of int16 in the shape of ``like``, whose last axis has the units."""
        share = self._share()
        x = share.of_all.x
        if not isinstance(x, Padded):
            return super().draw(like)
        numbers = _numbers(x, torch.arange(share.n_rows))
        of_all = self._steps(numbers, x.lengths)
        rows = share.rows.to(x.lengths.device)
        own = self._steps(numbers[rows], x.lengths[rows])
        place = torch.zeros(numbers.numel(), dtype=torch.long)
        place[of_all] = torch.arange(len(of_all))
        every = torch.empty(len(of_all), like.shape[-1], device="meta")
        bits = self._source.draw(every)
        return bits.index_select(0, place[own].to(bits.device)).view(like.shape)

    def skip(self, like: Tensor) -> None:
        """Skip the numbers that ``draw`` would return."""
        share = self._share()
        x = share.of_all.x
        if not isinstance(x, Padded):
            return super().skip(like)
        numbers = _numbers(x, torch.arange(share.n_rows))
        n_steps = len(self._steps(numbers, x.lengths))
        return self._source.skip(torch.empty(n_steps, like.shape[-1], device="meta"))

    def _steps(self, numbers: Tensor, lengths: Tensor) -> Tensor:
        """Numbers of the steps in the order in which a layer sees them."""
        longest = numbers.shape[1]
        if 0 < longest <= int(lengths.min()):
            return numbers.flatten()
        if self._packed:
            return pack(numbers, lengths).data
        return numbers[torch.arange(longest) < lengths.unsqueeze(1)]


def _numbers(x: Padded, rows: Tensor) -> Tensor:
    """A number for each step of some rows, padding included."""
    longest = x.x.shape[1]
    return rows.unsqueeze(1) * longest + torch.arange(longest)
