"""The loss of several tasks at once, over the raw outputs of all side by side."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from sklearn_deep.nn._losses import Loss
from sklearn_deep.nn._scores import SCORES


@dataclass(frozen=True)
class AlikeTasks:
    """Tasks with the same loss and number of outputs, whose outputs are adjacent.

    Attributes
    ----------
    loss : Loss
        The loss of each.
    n_tasks : int
    n_raw : int
        Raw outputs of each task.
    n_values : int
        Encoded values of each target.
    """

    loss: Loss
    n_tasks: int
    n_raw: int
    n_values: int

    @property
    def key(self) -> tuple:
        """What decides the loss, with a hash."""
        loss = self.loss
        params = tuple(sorted(loss.params.items()))
        sizes = self.n_tasks, self.n_raw, self.n_values
        return (loss.name, loss.kind, params, loss.smoothing, *sizes)


class _Block(NamedTuple):
    """Outputs and targets of tasks that are alike.

    Attributes
    ----------
    alike : AlikeTasks
    raw : Tensor of shape (..., n, n_tasks, n_raw)
    target : Tensor of shape (..., n, n_tasks, n_values)
    tasks : slice
        Which tasks they are.
    """

    alike: AlikeTasks
    raw: Tensor
    target: Tensor
    tasks: slice


@dataclass(frozen=True)
class SeveralLoss(Loss):
    """The weighted sum of the losses of several tasks.

    Targets are of shape (..., n, n_values + n_tasks): the encoded targets of all tasks,
    classes as one-hot rows, then one weight per task. A missing target has weight 0. Raw
    outputs are those of all tasks in the same order; if weights are learnt, log-variances
    of the tasks follow, one per task (Kendall et al., arXiv:1705.07115).

    Parameters
    ----------
    alike : tuple of AlikeTasks
    learns_weights : bool
    """

    alike: tuple[AlikeTasks, ...] = ()
    learns_weights: bool = False

    @classmethod
    def of(cls, alike: Sequence[AlikeTasks], learns_weights: bool) -> "SeveralLoss":
        """The loss of these tasks."""
        # Jobs are stacked by name, kind and parameters.
        params = {"tasks": (*(each.key for each in alike), learns_weights)}
        rest: dict[str, Any] = {"smoothing": 0.0, "calibrate": False}
        alike = tuple(alike)
        return cls(
            "several",
            "real",
            params,
            **rest,
            alike=alike,
            learns_weights=learns_weights,
        )

    @property
    def n_tasks(self) -> int:
        """Number of tasks."""
        return sum(each.n_tasks for each in self.alike)

    @property
    def raw_per_target(self) -> int:
        """One: outputs are counted themselves."""
        return 1

    def rows(self, raw: Tensor, target: Tensor) -> Tensor:
        """Loss of each row: the sum over its tasks, of weight times loss."""
        values = [b.alike.loss.rows(b.raw, b.target) for b in self._blocks(raw, target)]
        of_each = torch.cat(values, -1)
        if self.learns_weights:
            of_each = self._by_uncertainty(of_each, raw[..., -self.n_tasks :])
        return (of_each * target[..., -self.n_tasks :]).sum(-1)

    def _by_uncertainty(self, values: Tensor, log_variance: Tensor) -> Tensor:
        """Losses of tasks as negative log-likelihoods with learnt variances."""
        halves = [0.5 if each.loss.kind == "real" else 1.0 for each in self.alike]
        counts = [each.n_tasks for each in self.alike]
        of_task = [h for h, n in zip(halves, counts, strict=True) for _ in range(n)]
        factor = torch.tensor(of_task).to(values) * torch.exp(-log_variance)
        return factor * values + log_variance / 2

    def training_rows(self, raw: Tensor, target: Tensor) -> Tensor:
        """Loss of each row, with the label smoothing of each task."""
        return self.rows(raw, self.smooth(raw, target, self.smoothing))

    def smooth(self, raw: Tensor, target: Tensor, smoothing: Any) -> Tensor:
        """Spread a share of each label evenly; every task has a share of its own."""
        if all(each.loss.smoothing == 0 for each in self.alike):
            return target
        smoothed = [
            b.alike.loss.smooth(b.raw, b.target, b.alike.loss.smoothing).flatten(-2)
            for b in self._blocks(raw, target)
        ]
        return torch.cat([*smoothed, target[..., -self.n_tasks :]], -1)

    def score(self, raw: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Mean of the accuracies and R^2 of the tasks, over their known targets."""
        known = (target[..., -self.n_tasks :] > 0).to(weight.dtype)
        by_task = (known * weight.unsqueeze(-1)).mT  # (..., n_tasks, n)
        scores = [
            _score(block, by_task[..., block.tasks, :])
            for block in self._blocks(raw, target)
        ]
        there = by_task.sum(-1) > 0
        of_each = torch.where(there, torch.cat(scores, -1), 0.0)
        return of_each.sum(-1) / there.sum(-1).clamp_min(1)

    def prior(self, target: Tensor, weight: Tensor, n_outputs: int) -> Tensor:
        """Best constant raw outputs, those of each task from its known targets."""
        priors = []
        for alike, _, values, tasks in self._blocks(None, target):
            for k, j in enumerate(range(tasks.start, tasks.stop)):
                own = weight * (target[:, j - self.n_tasks] > 0)
                priors.append(best_constant(alike, values[:, k], own))
        found = torch.cat(priors)
        return torch.cat([found, found.new_zeros(n_outputs - len(found))])

    def _blocks(self, raw: Tensor | None, target: Tensor) -> Iterator[_Block]:
        start = values = tasks = 0
        for each in self.alike:
            n_raw, n_values = each.n_raw * each.n_tasks, each.n_values * each.n_tasks
            own = target[..., values : values + n_values]
            out: Any = raw
            if raw is not None:
                part = raw[..., start : start + n_raw]
                out = part.unflatten(-1, (each.n_tasks, each.n_raw))
            yield _Block(
                each,
                out,
                own.unflatten(-1, (each.n_tasks, each.n_values)),
                slice(tasks, tasks + each.n_tasks),
            )
            start, values, tasks = (
                start + n_raw,
                values + n_values,
                tasks + each.n_tasks,
            )


def best_constant(alike: AlikeTasks, target: Tensor, weight: Tensor) -> Tensor:
    """Best constant raw output of one task for targets of shape (n, n_values)."""
    if alike.loss.kind == "softmax":
        target = target.argmax(-1)
    return alike.loss.prior(target, weight, alike.n_raw)


def loss_of_constant(alike: AlikeTasks, target: Tensor, weight: Tensor) -> float:
    """Mean loss of the best constant prediction of one task; 1 where it is no scale."""
    raw = best_constant(alike, target, weight).to(target).expand(len(target), -1)
    mean = float((alike.loss.rows(raw, target) * weight).sum() / weight.sum())
    return mean if math.isfinite(mean) and mean > 1e-6 else 1.0


def _score(block: _Block, weight: Tensor) -> Tensor:
    """Scores of tasks that are alike, from weights of shape (..., n_tasks, n)."""
    loss, kind = block.alike.loss, block.alike.loss.kind
    target = block.target.transpose(-2, -3)
    found = loss.location(block.raw.transpose(-2, -3))
    return SCORES[kind](
        found, target.argmax(-1) if kind == "softmax" else target, weight
    )
