"""How the training of one job is shared between ranks."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from sklearn_deep.data._batches import Batch, Rows
from sklearn_deep.data._sequence_targets import PerStepRows
from sklearn_deep.nn._dropout import BitSource, set_source
from sklearn_deep.nn._rnn import RNN, Layer
from sklearn_deep.training.job._job import TrainJob
from sklearn_deep.training.ranks._bits import SharedBits, SharedStepBits
from sklearn_deep.training.ranks._group import current_ranks
from sklearn_deep.training.ranks._ranks import Ranks
from sklearn_deep.training.ranks._share import Share, share_of


class Sharing:
    """The share of one rank in the training of a job.

    Parameters
    ----------
    ranks : Ranks
    job : TrainJob
    stacked : bool
        Whether batches have an axis of networks in front.
    """

    def __init__(self, ranks: Ranks, job: TrainJob, stacked: bool = False):
        self.ranks = ranks
        self._axis = 1 if stacked else 0
        self._by_step = isinstance(job.rows, PerStepRows)
        self._share: Share | None = None
        self._part: tuple[Rows, int] | None = None

    @classmethod
    def of(cls, job: TrainJob, stacked: bool = False) -> "Sharing | None":
        """The share of this process; None where it trains alone."""
        ranks = current_ranks()
        return None if ranks is None else cls(ranks, job, stacked)

    def set_source(self, module: nn.Module, bits: BitSource) -> None:
        """Let the random layers of a module draw for the rows of all ranks."""
        set_source(module, SharedBits(bits, self._current, self._axis))
        for part in module.modules():
            if isinstance(part, Layer) and part.dropout is not None:
                part.dropout.source = SharedStepBits(bits, self._current, packed=True)
            elif isinstance(part, RNN) and part.dropout is not None and self._by_step:
                part.dropout.source = SharedStepBits(bits, self._current, packed=False)

    def share(self, batch: Batch) -> Share:
        """The rows of a batch of which this rank computes the gradient."""
        self._share = share_of(
            batch, self.ranks.rank, self.ranks.size, self._axis, self._by_step
        )
        return self._share

    @property
    def n_rows(self) -> int:
        """Rows of the batch of all ranks."""
        return self._current().n_rows

    @property
    def counts(self) -> bool:
        """Whether this rank has rows of the batch."""
        return self._current().counts

    def gather(self, tensor: Tensor) -> Tensor:
        """Stack a tensor of each rank."""
        return self.ranks.gather(tensor)

    def add_up(self, tensor: Tensor) -> None:
        """Replace a tensor by its sum over the ranks."""
        self.ranks.add_up(tensor)

    def of_all_rows(self, raw: Tensor) -> Tensor:
        """Raw outputs of the whole batch, from those of the share that was used last."""
        share = self._current()
        shape = list(raw.shape)
        shape[self._axis] = share.of_all.y.shape[self._axis]
        whole = raw.new_zeros(shape)
        if share.counts:
            whole.index_copy_(self._axis, share.places, raw)
        self.ranks.add_up(whole)
        return whole

    def outputs_of(self, rows: Rows, outputs: Callable[[Rows], Tensor]) -> Tensor:
        """Raw outputs for all rows, of which each rank computes a part."""
        if self._part is None:
            self._part = share_of_rows(rows, self.ranks)
        part, place = self._part
        own = outputs(part)
        whole = own.new_zeros(len(rows.y), *own.shape[1:])
        whole[place : place + len(own)] = own[: len(whole) - place]
        self.ranks.add_up(whole)
        return whole

    def _current(self) -> Share:
        assert self._share is not None
        return self._share


def share_of_rows(rows: Rows, ranks: Ranks) -> tuple[Rows, int]:
    """The part of some rows that a rank evaluates, and its place among the targets.

    Ranks evaluate neighbouring rows. One without any evaluates the first row, behind the
    last place.
    """
    first, stop = (len(rows) * r // ranks.size for r in (ranks.rank, ranks.rank + 1))
    if first == stop:
        return rows.part(_between(rows, 0, 1)), len(rows.y)
    place = len(rows.part(_between(rows, 0, first)).y)
    return rows.part(_between(rows, first, stop)), place


def _between(rows: Rows, first: int, stop: int) -> Tensor:
    return torch.arange(first, stop, device=rows.device)
