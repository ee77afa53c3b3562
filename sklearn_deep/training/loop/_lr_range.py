"""The learning-rate range test (Smith, arXiv:1506.01186)."""

import dataclasses
from typing import NamedTuple

import numpy as np
import torch

from sklearn_deep.nn._dropout import set_source
from sklearn_deep.nn._fast_float64 import has_float64_kernels
from sklearn_deep.nn._frozen import begin_training
from sklearn_deep.nn._randomness import copy_to_train
from sklearn_deep.training.job._devices import step_multiply_adds, threads_for
from sklearn_deep.training.job._job import OptimizerState, TrainJob
from sklearn_deep.training.job._seeds import generator
from sklearn_deep.training.ranks._sharing import Sharing
from sklearn_deep.training.step._augmenting import Augmenter
from sklearn_deep.training.step._random_bits import RandomBits
from sklearn_deep.training.step._step import SingleStep

_SMOOTHING = 0.9
_LOOK = 10  # steps between two reads of the losses, which synchronise with the device


class RangeTest(NamedTuple):
    """Learning rates, their smoothed losses, and the suggested rate."""

    learning_rates: np.ndarray
    losses: np.ndarray
    suggestion: float


def range_test(job: TrainJob, low: float, high: float, n_steps: int) -> RangeTest:
    """Train a copy of the module at ever larger learning rates.

    Parameters
    ----------
    job : TrainJob
        Its module and state are not changed. Of an ensemble the first network is trained:
        the others are of the same architecture.
    low, high : float
        First and last learning rate; they grow geometrically.
    n_steps : int
        Number of steps.

    Raises
    ------
    ValueError
        When not even the lowest rates give a finite loss.
    """
    if job.networks:
        first = job.networks[0]
        job = job.with_part(first.module, rows=first.rows, networks=())
    trial = dataclasses.replace(
        job.to_device(),
        module=begin_training(copy_to_train(job.module), job.frozen),
        state=OptimizerState(),
    )
    sharing = Sharing.of(trial)
    stepper = SingleStep(trial, sharing=sharing)
    bits = RandomBits([job.seed], job.rows.device, "range_test")
    if sharing is None:
        set_source(trial.module, bits)
    else:
        sharing.set_source(trial.module, bits)
    rates = np.geomspace(low, high, n_steps)
    raw: list[float] = []
    pending: list[torch.Tensor] = []
    multiply_adds = step_multiply_adds(trial.module, job.batch_size, job.rows.x)
    float64 = has_float64_kernels(trial.module)
    with threads_for(multiply_adds, job.rows.device, float64):
        for i, batch in enumerate(_forever(trial, n_steps)):
            pending.append(stepper.step(batch, float(rates[i])))
            if len(pending) == _LOOK or i == n_steps - 1:
                raw += torch.stack(pending).tolist()
                pending = []
                if _diverged(_smooth(raw)).any():
                    break
    return _judge(job.owner, rates, _smooth(raw))


def _forever(job: TrainJob, n_steps: int):
    """The first ``n_steps`` shuffled batches, over as many epochs as that takes."""
    taken, epoch = 0, 0
    augmenter = Augmenter(job) if job.augmentation else None
    while True:
        order = generator(job.seed, "range_test", epoch + 1)
        if augmenter is not None:
            augmenter.begin(epoch)
        for batch in job.rows.epoch(job.batch_size, order):
            if taken == n_steps:
                return
            yield batch if augmenter is None else augmenter(batch)
            taken += 1
        epoch += 1


def _smooth(losses: list[float]) -> np.ndarray:
    """Exponential moving average with bias correction."""
    mean, smooth = 0.0, []
    for i, loss in enumerate(losses, start=1):
        mean = _SMOOTHING * mean + (1 - _SMOOTHING) * loss
        smooth.append(mean / (1 - _SMOOTHING**i))
    return np.asarray(smooth)


def _diverged(losses: np.ndarray) -> np.ndarray:
    """Which smoothed losses are NaN, or more than twice what they were at first."""
    first = losses[:_LOOK].mean()
    return ~(losses <= first + abs(first))


def _judge(owner: str, rates: np.ndarray, losses: np.ndarray) -> RangeTest:
    """Suggest the rate at which the loss has fallen half the way to its minimum.

    Smith suggests a rate on the falling part of the curve. Its steepest point, the
    usual choice, is dominated by noise where batches are small; its middle is not.
    """
    # Losses are read every few steps only: those after the divergence are dropped.
    blown_up = _diverged(losses)
    if blown_up.any():
        losses = losses[: int(blown_up.argmax())]
    if len(losses) < 3:
        raise ValueError(
            f"The learning-rate range test of {owner} saw no finite loss, not even at"
            f" {rates[0]:.1e}. Scale the features, e.g. with a"
            " StandardScaler in a Pipeline."
        )
    rates = rates[: len(losses)]
    bottom = int(losses.argmin())
    half = (losses[:_LOOK].mean() + losses[bottom]) / 2
    suggestion = rates[int(np.argmax(losses <= half))]
    return RangeTest(rates, losses, float(suggestion))
