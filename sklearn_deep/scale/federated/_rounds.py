"""Training by rounds of owners in this process: in a stack where their networks allow."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.utils.parallel import Parallel, delayed
from torch import nn

from sklearn_deep.scale.federated._owner import (
    Arrays,
    Judgement,
    Owner,
    joint_judgement,
)
from sklearn_deep.scale.federated._plan import Plan
from sklearn_deep.scale.federated._sampling import chosen, epochs_done, lost
from sklearn_deep.scale.federated._strategies import Server
from sklearn_deep.training._train import train
from sklearn_deep.training.job._job import TrainJob
from sklearn_deep.training.job._stopping import Stopper, StoppingSpec
from sklearn_deep.training.stacking._backend import stacked_by_default


@dataclass
class Simulation:
    """Owners and a server in one process.

    Attributes
    ----------
    owners : list of Owner
    labels : list
        What the user calls the owners.
    server : Server
    plan : Plan
    fraction, drop_out, stragglers : float
        Shares of owners, in [0, 1].
    history : list of dict
        One row per round.
    """

    owners: list[Owner]
    labels: list[Any]
    server: Server
    plan: Plan
    fraction: float = 1.0
    drop_out: float = 0.0
    stragglers: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)

    def run(self, stopping: StoppingSpec, verbose: int = 0) -> int:
        """Train; return the round, from 1, whose network is kept."""
        start, stopper = time.monotonic(), Stopper(stopping)
        best = self.server.arrays
        for number in range(1, stopping.max_epochs + 1):
            row = {"round": number, **self._round(number)}
            self.history.append({**row, "seconds": time.monotonic() - start})
            if verbose:
                print(_line(self.history[-1]))
            if stopper.observe(row["loss"], number) and stopping.restore_best:
                best = dict(self.server.arrays)
            if stopper.reason(number, 0.0) is not None:
                break
        if stopping.restore_best:
            self.server.arrays = dict(best)
            return stopper.best_epoch
        return number

    def _round(self, number: int) -> dict[str, Any]:
        plan, n = self.plan, len(self.owners)
        asked = chosen(plan.seed, number, n, self.fraction)
        missing = lost(plan.seed, number, asked, self.drop_out)
        epochs = epochs_done(
            plan.seed, number, asked, self.stragglers, plan.local_epochs
        )
        taking = [k for k in asked if k not in missing]
        sent, arrays = _n_bytes(self.server.arrays), self.server.arrays
        jobs = [self.owners[k].job_of(arrays, number, epochs[k]) for k in taking]
        trained = train_alike(jobs)
        replies = [
            self.owners[k].take_over(module)
            for k, (module, _) in zip(taking, trained, strict=True)
        ]
        weights = [self.owners[k].weight for k in taking]
        losses = [loss for _, loss in trained]
        if taking:
            self.server.take(replies, weights, number)
        loss, score = self._judged()
        return {
            "train_loss": float(np.average(losses, weights=weights))
            if taking
            else np.nan,
            "loss": loss,
            "score": score,
            "owners": [self.labels[k] for k in taking],
            "bytes_down": sent * len(asked),
            "bytes_up": sum(map(_n_bytes, replies)),
        }

    def _judged(self) -> tuple[float, float]:
        """Loss and score of the server's network on the rows of all owners."""
        parts: list[Judgement] = [o.judge(self.server.arrays) for o in self.owners]
        return joint_judgement(self.owners[0].job.loss.kind, parts)


def train_alike(jobs: Sequence[TrainJob]) -> list[tuple[nn.Module, float]]:
    """Train jobs, in stacks where they are alike; the module and last loss of each."""
    if len(jobs) == 1:
        return [_trained(jobs[0])]
    with stacked_by_default():
        return Parallel(require="sharedmem")(delayed(_trained)(job) for job in jobs)


def _trained(job: TrainJob) -> tuple[nn.Module, float]:
    result = train(job)
    return result.module, result.history[-1]["train_loss"]


def _n_bytes(arrays: Arrays) -> int:
    return sum(value.nbytes for value in arrays.values())


def _line(row: dict[str, Any]) -> str:
    return (
        f"round {row['round']}: loss {row['loss']:.4g}, score {row['score']:.4g},"
        f" {len(row['owners'])} owners"
    )
