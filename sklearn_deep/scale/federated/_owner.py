"""One owner of rows: what it trains in a round, and how it judges a network."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sklearn_deep.data._batches import Rows
from sklearn_deep.data._split import validation_split
from sklearn_deep.estimators.core._fit import prepare
from sklearn_deep.estimators.core._fitted import with_fitted
from sklearn_deep.estimators.core._parts import FitArguments
from sklearn_deep.estimators.core._specs import optimizer_spec, schedule_spec
from sklearn_deep.estimators.core._state import pack_module
from sklearn_deep.nn._losses import Loss
from sklearn_deep.scale.federated._agreement import Agreement
from sklearn_deep.scale.federated._plan import Plan
from sklearn_deep.training.job._job import OptimizerState, Proximal, TrainJob
from sklearn_deep.training.job._seeds import owner_seed
from sklearn_deep.training.job._stopping import StoppingSpec
from sklearn_deep.training.loop._evaluation import outputs_of

# Values of a network by name, as ``state_dict`` has them.
Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Judgement:
    """How well a network predicts some rows, as sums that add up over owners.

    Attributes
    ----------
    weight : float
        Sum of the weights of the rows.
    sums : ndarray
        Of the loss; for classes of right rows; for numbers of squared errors, targets and
        squared targets, of each target in turn.
    """

    weight: float
    sums: np.ndarray


@dataclass
class Owner:
    """Rows of one owner, ready for training.

    Attributes
    ----------
    job : TrainJob
        Its training, but for the weights and the round.
    aside : Rows
        Rows to judge networks by: those held out, or else the training rows.
    per_row : float
        Mean weight of a row.
    plan : Plan
    own : dict
        Values of batch normalisation that stay with the owner.
    """

    job: TrainJob
    aside: Rows
    per_row: float
    plan: Plan
    own: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def weight(self) -> float:
        """Weight of the owner in a mean: its training rows, or the sum of their weights."""
        return self.per_row * len(self.job.rows)

    @classmethod
    def of(
        cls,
        agreement: Agreement,
        plan: Plan,
        k: int,
        X: Any,
        y: Any,
        weight: Any = None,
    ) -> "Owner":
        """Prepare the training of the ``k``-th owner.

        Parameters
        ----------
        X : rows as the user gives them
        y : ndarray of shape (n_rows, ...)
        weight : ndarray of shape (n_rows,) or None
            Positive weights.
        """
        n_epochs = plan.rounds * plan.local_epochs
        network = agreement.network
        network.set_params(max_epochs=n_epochs)
        seed, template = owner_seed(plan.seed, k), agreement.template
        given = FitArguments(agreement.transformed(X), y, weight, incremental=True)
        job = prepare(with_fitted(network, template), given, template, seed).job
        per_row = 1.0 if weight is None else float(np.mean(weight))
        train, aside = _held_out(job.rows, plan.validation_fraction, seed)
        batch = agreement.batch_size
        job = dataclasses.replace(
            job,
            rows=train,
            batch_size=batch,
            optimizer=optimizer_spec(network, batch),
            schedule=schedule_spec(network, len(train), incremental=False),
            stopping=StoppingSpec(plan.local_epochs),
        )
        return cls(job, aside, per_row, plan)

    def job_of(
        self, arrays: Arrays, number: int, epochs: int | None = None
    ) -> TrainJob:
        """The training of one round, from 1, that begins with these weights.

        It is that of all rounds but for the optimizer, which begins anew.
        """
        module = self._load(arrays)
        proximal = None
        if self.plan.proximal_mu:
            center = {n: p.detach().clone() for n, p in module.named_parameters()}
            proximal = Proximal(self.plan.proximal_mu, center)
        done = (number - 1) * self.plan.local_epochs
        return dataclasses.replace(
            self.job,
            state=OptimizerState(epoch=done),
            stopping=StoppingSpec(epochs or self.plan.local_epochs),
            proximal=proximal,
        )

    def take_over(self, module: nn.Module) -> dict[str, np.ndarray]:
        """Values of the trained network, to be sent."""
        if module is not self.job.module:  # it was trained in another place
            self.job.module.load_state_dict(module.state_dict())
        values = {k: v.copy() for k, v in pack_module(self.job.module).items()}
        if self.plan.local_norm:
            self.own = {k: values[k] for k in norm_names(self.job.module)}
        return values

    def judge(self, arrays: Arrays) -> Judgement:
        """How well the network of these weights predicts the owner's rows."""
        rows = self.aside
        raw = outputs_of(self._load(arrays), rows)
        weight = torch.ones(len(rows)) if rows.weight is None else rows.weight
        weight = weight.to(raw.device, torch.float64) * self.per_row
        loss = self.job.loss
        parts = [loss.rows(raw, rows.y)[:, None], *_parts(loss, raw, rows.y)]
        values = torch.cat([part.double() for part in parts], 1)
        sums = (values * weight[:, None]).sum(0)
        return Judgement(float(weight.sum()), sums.cpu().numpy())

    def _load(self, arrays: Arrays) -> nn.Module:
        values = {**arrays, **self.own}
        tensors = {name: torch.from_numpy(np.array(v)) for name, v in values.items()}
        self.job.module.load_state_dict(tensors)
        return self.job.module


def _held_out(rows: Rows, fraction: float, seed: int) -> tuple[Rows, Rows]:
    """Training rows, and rows to judge by; both are all rows where few are there."""
    n_aside = round(fraction * len(rows))
    if not 0 < n_aside < len(rows):
        return rows, rows
    classes = None if rows.y.is_floating_point() else rows.y.cpu().numpy()
    where = validation_split(len(rows), fraction, seed, classes)
    train, aside = (rows.part(torch.from_numpy(w).to(rows.device)) for w in where)
    return train, aside


def _parts(loss: Loss, raw: Tensor, y: Tensor) -> list[Tensor]:
    """What a score is made of, by row: columns."""
    location = loss.location(raw)
    if loss.kind == "softmax":
        return [(location.argmax(-1) == y)[:, None]]
    if loss.kind == "sigmoid":
        return [((location > 0) == (y > 0.5)).all(-1, keepdim=True)]
    return [(location - y).square(), y, y.square()]


def joint_judgement(kind: str, parts: list[Judgement]) -> tuple[float, float]:
    """Loss and score (accuracy or R^2) over the rows of several owners."""
    weight = sum(part.weight for part in parts)
    loss, *of_score = np.sum([part.sums for part in parts], 0) / weight
    if kind != "real":
        return float(loss), float(of_score[0])
    error, mean, square = np.reshape(of_score, (3, -1))
    spread = square - np.square(mean)
    with np.errstate(divide="ignore", invalid="ignore"):
        r2 = np.where(spread > 0, 1 - error / spread, np.where(error > 0, 0.0, 1.0))
    return float(loss), float(r2.mean())


def norm_names(module: nn.Module) -> list[str]:
    """Names of the parameters and moments of batch normalisation."""
    return [
        f"{name}.{inner}" if name else inner
        for name, part in module.named_modules()
        if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d))
        for inner in part.state_dict()
    ]
