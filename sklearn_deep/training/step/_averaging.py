"""Exponential averages of the weights after each epoch."""

from collections.abc import Sequence

import torch
from torch import Tensor

from sklearn_deep.training.job._job import TrainJob
from sklearn_deep.training.job._optimizers import OPTIMIZERS


class AveragedWeights:
    """Weights of networks in training, and their averages over the epochs.

    While an epoch trains, ``values`` are the weights; between epochs, when networks are
    evaluated, recorded and returned, they are the averages.

    Parameters
    ----------
    values : Tensor of shape (n_values,) or (n_nets, n_values)
    shares : sequence of float
        Weight of the earlier average, per network.
    trained : sequence of (Tensor or None)
        Per network: the weights from which training continues, where ``values`` are an
        average already.
    """

    def __init__(
        self,
        values: Tensor,
        shares: Sequence[float],
        trained: Sequence[Tensor | None],
    ):
        self._weights, self._average = values, values.clone()
        rows = values.unsqueeze(0) if values.ndim == 1 else values
        own = [row if w is None else w for row, w in zip(rows, trained, strict=True)]
        self.trained = torch.stack(own).view_as(values)
        # The first epoch of a network has nothing to be averaged with.
        begun = [w is not None for w in trained]
        first = [1.0 if not b else 1 - s for b, s in zip(begun, shares, strict=True)]
        self._next = self._new_share(first)
        self._later = self._new_share([1 - share for share in shares])

    def begin_epoch(self) -> None:
        """Put the weights in training in the place of the averages."""
        self._average.copy_(self._weights)
        self._weights.copy_(self.trained)

    def end_epoch(self) -> None:
        """Put the averages in the place of the weights."""
        self.trained.copy_(self._weights)
        torch.lerp(self._average, self.trained, self._next, out=self._weights)
        self._next = self._later

    def _new_share(self, shares: list[float]) -> Tensor:
        column = torch.tensor(shares, dtype=self._weights.dtype)
        column = column.to(self._weights.device)
        return column[0] if self._weights.ndim == 1 else column.unsqueeze(-1)


def averages(job: TrainJob) -> bool:
    """Tell whether the weights of a job are averaged."""
    return (
        job.optimizer.averaging > 0
        and OPTIMIZERS[job.optimizer.name].update is not None
    )


def averaged_weights(
    values: Tensor, jobs: Sequence[TrainJob], trained: Sequence[Tensor | None]
) -> AveragedWeights | None:
    """Averages of the networks of some jobs; None where none has any."""
    if not any(map(averages, jobs)):
        return None
    shares = [job.optimizer.averaging for job in jobs]
    return AveragedWeights(values, shares, trained)
