"""Training in phases, each with other frozen parameters, as one training."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from torch import nn

from sklearn_deep.training._train import train
from sklearn_deep.training.job._job import OptimizerState, TrainJob, TrainResult
from sklearn_deep.training.loop._run import Watcher
from sklearn_deep.transfer.fine_tuning._freezing import Phase
from sklearn_deep.transfer.fine_tuning._prefix import cut_of, rest_of_job


def train_in_phases(
    job: TrainJob,
    phases: Sequence[Phase],
    owner: nn.Module,
    watchers: Sequence[Watcher] = (),
) -> TrainResult:
    """Train a network; what is frozen in all phases is computed once, where it comes first.

    Early stopping and the best epoch count in the last phase. The optimizer begins anew
    in each; the schedule and the random numbers go on.

    Parameters
    ----------
    job : TrainJob
        Of the whole network, which is trained in place.
    phases : sequence of Phase
    owner : torch.nn.Module
        The pretrained network.
    watchers : sequence of Watcher
    """
    history: list[dict[str, Any]] = []
    for phase in phases:
        last = phase is phases[-1]
        part = _of_phase(job, phase, history, last)
        result = train(_without_first(part, phase.frozen, owner), watchers)
        n, seconds = len(history), history[-1]["seconds"] if history else 0.0
        history += [
            {**row, "epoch": row["epoch"] + n, "seconds": row["seconds"] + seconds}
            for row in result.history
        ]
        if result.stop_reason in ("time_limit", "callback"):
            break
    return dataclasses.replace(
        result,
        module=job.module.eval(),
        history=history,
        best_epoch=result.best_epoch + n,
    )


def _without_first(job: TrainJob, frozen: frozenset[str], owner: nn.Module) -> TrainJob:
    """The job of what comes behind the frozen first part, if that can be cut off."""
    cut = cut_of(job, frozen)
    rest = None if cut is None else rest_of_job(job, cut, owner)
    return job if rest is None else rest


def _of_phase(
    job: TrainJob, phase: Phase, history: list[dict[str, Any]], last: bool
) -> TrainJob:
    stopping = job.stopping
    limit = stopping.time_limit
    if limit is not None and history:
        limit = max(limit - history[-1]["seconds"], 1e-3)
    stopping = dataclasses.replace(
        stopping,
        max_epochs=phase.epochs,
        n_iter_no_change=stopping.n_iter_no_change if last else None,
        restore_best=stopping.restore_best and last,
        time_limit=limit,
    )
    state = OptimizerState(epoch=len(history)) if history else job.state
    return dataclasses.replace(job, frozen=phase.frozen, stopping=stopping, state=state)
