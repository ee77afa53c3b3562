"""Loss and score on validation rows; one transfer from the device per epoch."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sklearn_deep.data._batches import Rows
from sklearn_deep.nn._losses import Loss
from sklearn_deep.nn._running import Running
from sklearn_deep.training.job._job import TrainJob
from sklearn_deep.training.loop._run import EpochNumbers
from sklearn_deep.training.ranks._sharing import Sharing


def evaluate(job: TrainJob, rows: Rows, sharing: Sharing | None = None) -> list[Tensor]:
    """Loss and score of a job's module on some rows, as scalar tensors.

    With ``sharing`` each rank computes the outputs for a part of the rows.
    """

    def outputs(part: Rows) -> Tensor:
        return outputs_of(job.module, part)

    with torch.inference_mode():
        raw = outputs(rows) if sharing is None else sharing.outputs_of(rows, outputs)
        return judge(job.loss, raw, rows.y, rows.weight)


def outputs_of(module: nn.Module, rows: Rows) -> Tensor:
    """Raw outputs of a module for all rows, in order, on the device of the rows."""
    module.eval()
    rows = rows.to_device()
    with torch.inference_mode(), Running(module):
        return torch.cat([module(batch.x) for batch in rows.in_order()])


def judge(loss: Loss, raw: Tensor, y: Tensor, weight: Tensor | None) -> list[Tensor]:
    """Mean loss and score of raw outputs; of each network, where there are many."""
    if weight is None:
        weight = torch.ones(raw.shape[:-1], dtype=raw.dtype, device=raw.device)
    mean = (loss.rows(raw, y) * weight).sum(-1) / weight.sum(-1)
    return [mean, loss.score(raw, y, weight)]


def to_numbers(tensors: Sequence[Tensor]) -> list[EpochNumbers]:
    """Copy an epoch's tensors from the device at once; one entry per network."""
    wide = [t if t.device.type == "mps" else t.to(torch.float64) for t in tensors]
    columns = torch.stack(wide).reshape(len(wide), -1)
    return [EpochNumbers(*numbers) for numbers in columns.t().tolist()]
