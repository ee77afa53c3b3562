"""A warning where training ended far worse than a constant prediction."""

import dataclasses
import math
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sklearn_deep.data._batches import Batch
from sklearn_deep.data._padded import Padded
from sklearn_deep.exceptions import TrainingWarning
from sklearn_deep.training.job._job import TrainJob, TrainResult

# A loss is far above that of a constant prediction from this factor on; R^2 is then
# below -29. Networks that have had a few steps reach 15 on standardised features.
_FAR = 30.0
# After fewer steps than this, unscaled features explain a loss of the order of their
# squares: training has hardly begun.
_FEW_STEPS = 100
# A call of partial_fit whose loss is this many times that of the best call has not just
# begun.
_FALLEN_BACK = 10.0

_SAMPLE_ROWS = 1_000


def check_outcome(
    job: TrainJob, result: TrainResult, earlier: Sequence[float] = ()
) -> TrainResult:
    """Warn of a network whose loss is far above that of a constant prediction.

    A training loss that is not high, the usual case, costs one comparison. It is a mean
    over an epoch, with dropout and augmentation; where it is high, a sample of the
    training rows is predicted to tell whether the network itself is that bad.

    Parameters
    ----------
    job : TrainJob
    result : TrainResult
    earlier : sequence of float
        Training losses of earlier calls of ``partial_fit``.

    Returns
    -------
    TrainResult
        With ``stop_reason`` "diverged" in place of "converged", after a warning.

    Warns
    -----
    TrainingWarning
        No error: a classifier with a huge loss may still rank classes well.
    """
    kept = result.history[result.best_epoch - 1]["train_loss"]
    if kept <= _FAR:
        return result
    batch = sample(job)
    network, constant = _losses(job, result.module, batch)
    begun = _has_begun(job, result, kept, earlier)
    explained = 1.0 if begun else _mean_square(batch.x)
    if network <= _FAR * max(1.0, constant, explained):
        return result
    warnings.warn(
        f"The training of {job.owner} ended with a network of no use: its loss on the"
        f" training rows is {network:.3g}, and that of a constant prediction"
        f" {constant:.3g}. Scale the features, e.g. with a StandardScaler in a Pipeline,"
        " lower learning_rate (learning_rate='auto' picks one), set gradient_clip=1.0,"
        " or train for more epochs.",
        TrainingWarning,
        stacklevel=2,
    )
    if result.stop_reason != "converged":
        return result
    return dataclasses.replace(result, stop_reason="diverged")


def _has_begun(
    job: TrainJob, result: TrainResult, kept: float, earlier: Sequence[float]
) -> bool:
    """Tell whether training had enough steps for a high loss to be its own fault."""
    if job.state is not None:
        return len(earlier) > 0 and kept > _FALLEN_BACK * min(earlier)
    n_steps = len(result.history) * math.ceil(len(job.rows) / job.batch_size)
    return n_steps >= _FEW_STEPS or result.stop_reason in (
        "converged",
        "early_stopping",
    )


def sample(job: TrainJob, n_rows: int = _SAMPLE_ROWS) -> Batch:
    """Some training rows, from the first to the last."""
    step = math.ceil(len(job.rows) / n_rows)
    rows = torch.arange(0, len(job.rows), step, device=job.rows.device)
    return job.rows.to_device().take(rows)


def _losses(job: TrainJob, module: nn.Module, batch: Batch) -> tuple[float, float]:
    """Mean loss of the network, and of raw outputs of zero.

    Zero is the mean of standardised targets, and equal probabilities of all classes.
    """
    with torch.inference_mode():
        raw = module.eval()(batch.x)
        return _mean(job, raw, batch), _mean(job, torch.zeros_like(raw), batch)


def constant_loss(job: TrainJob, batch: Batch) -> float:
    """Mean loss of raw outputs of zero, as ``_losses`` has it."""
    like = next(job.module.parameters())
    zeros = like.new_zeros(len(batch.y), job.n_outputs)
    return _mean(job, zeros, batch)


def _mean_square(x: Any) -> float:
    """Mean square of features; 1 for tokens, which have no size."""
    values = x.x if isinstance(x, Padded) else x
    return float(values.square().mean()) if values.is_floating_point() else 1.0


def _mean(job: TrainJob, raw: Tensor, batch: Batch) -> float:
    values = job.loss.rows(raw, batch.y)
    if batch.weight is None:
        return float(values.mean())
    return float((values * batch.weight).sum() / batch.weight.sum())
