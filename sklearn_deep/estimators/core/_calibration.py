"""Corrects predicted spreads by rows that the network was not trained on.

A network that knows its training rows by heart thinks that it is sure of others too, and
one that is trained with dropout allows for noise that ``predict`` does not have. Where a
fit holds no rows out, a second network is trained without some of them: its correction is
that of the network that all rows have trained.
"""

import copy
import dataclasses
import math
import time
from typing import Any

import torch
from torch import nn

from sklearn_deep.data._batches import Rows
from sklearn_deep.data._split import validation_split
from sklearn_deep.nn._losses import Loss
from sklearn_deep.training._train import train
from sklearn_deep.training.job._ensemble import ensemble_networks
from sklearn_deep.training.job._job import TrainJob
from sklearn_deep.training.job._stopping import StoppingSpec
from sklearn_deep.training.loop._evaluation import outputs_of

# The second network is trained without so many targets at least, and with twice as many.
FEWEST = 20
# Small sets give more: as many targets as this, up to a quarter of the rows. The 0.9
# quantile of 30 errors is mostly noise.
_ENOUGH, _MOST = 200, 0.25
# Targets of a validation part that a correction is learnt from, at least.
_FEWEST_VALIDATED = 10


def with_learnt_correction(job: TrainJob, module: nn.Module) -> Loss:
    """The loss of a trained job, with the correction of rows not trained on, if any.

    Where each network of an ensemble leaves out rows of its own, these are taken, each
    with the outputs of the network that has not seen it.
    """
    left_out = [(net.module, net.left_out) for net in job.networks if net.left_out]
    if job.validation is not None or not (job.loss.calibrate and left_out):
        return corrected(job.loss, module, job.validation)
    x = job.to_device().rows.x  # of all networks
    raw = torch.cat([outputs_of(part, rows.to_device(x)) for part, rows in left_out])
    y = torch.cat([rows.y for _, rows in left_out])
    if len(y) < _FEWEST_VALIDATED:
        return job.loss
    weights = [rows.weight for _, rows in left_out if rows.weight is not None]
    return job.loss.calibrated(raw, y, torch.cat(weights) if weights else None)


def corrected(loss: Loss, module: nn.Module, rows: Rows | None) -> Loss:
    """The loss with the correction that these rows call for, where it takes one."""
    if not loss.calibrate or rows is None or len(rows.y) < _FEWEST_VALIDATED:
        return loss
    return loss.calibrated(outputs_of(module, rows), rows.y, rows.weight)


def with_correction(job: TrainJob, fraction: float) -> TrainJob:
    """The job, with the correction of a network that is trained without some rows.

    Parameters
    ----------
    job : TrainJob
        Before its training; its module stays as it is.
    fraction : float
        Share of the rows that the second network is trained without.

    Returns
    -------
    TrainJob
        With what is left of its time limit.
    """
    start = time.monotonic()
    n_aside = _rows_aside(job.rows, fraction)
    if job.validation is not None or job.stopping.on_validation or not n_aside:
        return job
    limit = job.stopping.time_limit
    job = job.to_device()
    n_rows = len(job.rows)
    where = validation_split(n_rows, n_aside / n_rows, job.seed)
    some, aside = (
        job.rows.part(torch.from_numpy(part).to(job.rows.device)) for part in where
    )
    module: Any = copy.deepcopy(job.module)
    networks = (
        ensemble_networks(module.networks, some, job.seed) if job.networks else ()
    )
    second = dataclasses.replace(
        job,
        module=module,
        networks=networks,
        rows=some,
        stopping=_within(job, limit and limit / 2),
        batch_size=min(job.batch_size, len(some)),
    )
    loss = corrected(job.loss, train(second).module, aside)
    left = limit and max(limit - (time.monotonic() - start), 0.0)
    return dataclasses.replace(job, loss=loss, stopping=_within(job, left))


def _within(job: TrainJob, limit: float | None) -> StoppingSpec:
    return dataclasses.replace(job.stopping, time_limit=limit)


def _rows_aside(rows: Rows, fraction: float) -> int:
    """Number of rows to set aside; 0 where there are too few."""
    per_row = len(rows.y) / len(rows)  # 1, or the mean number of steps of a sequence
    enough = min(math.ceil(_ENOUGH / per_row), round(_MOST * len(rows)))
    fewest = math.ceil(FEWEST / per_row)
    n_aside = max(round(fraction * len(rows)), enough, fewest)
    return n_aside if 3 * n_aside <= len(rows) else 0
