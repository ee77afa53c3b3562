"""Steps that use rows without a label: their targets come from the network itself.

The seam is the augmentation of a job: it gets each batch before the network does. Rows
whose target is NaN get another copy of themselves and a target of the teacher: the
network itself (FixMatch) or the average of its weights (Mean Teacher).
"""

import copy
import dataclasses
import math
from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import clone
from torch import Tensor, nn

from sklearn_deep.augmentation._base import Augmentation, check_augmentation
from sklearn_deep.data._batches import Batch, Rows
from sklearn_deep.estimators.core._calibration import corrected
from sklearn_deep.estimators.core._fit import Prepared, prepare
from sklearn_deep.estimators.core._fitted import with_fitted
from sklearn_deep.estimators.core._parts import FitArguments
from sklearn_deep.nn._losses import probabilities
from sklearn_deep.training._train import train
from sklearn_deep.training.job._job import NetSettings, TrainJob
from sklearn_deep.training.loop._progress import ProgressLine
from sklearn_deep.transfer.semi_supervised._learning import Method

# What max_epochs="auto" comes to: so many steps.
_STEPS = 2_500

# Rows with a label in a batch, for batch_size="auto".
_LABELLED = 32

# Mean Teacher: weight of the earlier steps in the average, and the share of the training
# during which the weight of rows without a label grows.
_DECAY, _RAMP = 0.99, 0.3


class Teaching(Augmentation):
    """Gives rows without a target one of the teacher; subclasses say which.

    Parameters
    ----------
    job : TrainJob
        Its module is the student.
    weak, strong : tuple of Augmentation
    n_steps : int
        Length of the training.
    threshold : float
        Probability from which a label is sure.
    """

    kinds: ClassVar[frozenset[str]] = frozenset({"table", "series", "images"})

    def __init__(
        self, job: TrainJob, weak: Any, strong: Any, n_steps: int, threshold: float
    ):
        self.module: nn.Module = job.module
        assert job.layout is not None
        self.layout, self.kind = job.layout, job.loss.kind
        self.weak, self.strong = weak, strong
        self.n_steps, self.threshold = n_steps, threshold
        self.step = 0

    @abstractmethod
    def taught(self, p: Tensor) -> tuple[Tensor, Tensor]:
        """Targets from probabilities of the teacher, and the weight of each row."""

    def teacher(self) -> nn.Module:
        """The network whose predictions are targets."""
        return self.module

    def augment(self, batch: Batch, generator: torch.Generator) -> Batch:
        """Augment a batch, and fill in the targets that are NaN."""
        asks = batch.y.isnan().any(-1)
        weak = _through(self.weak, batch, generator)
        strong = _through(self.strong, batch, generator)
        target, trust = self.taught(self._predicted(weak.x))
        self.step += 1
        weight = torch.ones_like(trust) if batch.weight is None else batch.weight
        return Batch(
            _where(asks, strong.x, weak.x),
            torch.where(asks[:, None], target, batch.y),
            weight * torch.where(asks, trust, torch.ones_like(trust)),
        )

    def _predicted(self, x: Any) -> Tensor:
        """Probabilities by the teacher in evaluation mode, without gradients."""
        teacher = self.teacher()
        modes = [(module, module.training) for module in teacher.modules()]
        teacher.eval()
        with torch.no_grad():
            raw = teacher(self.layout.restore(x) if isinstance(x, Tensor) else x)
        for module, mode in modes:
            module.training = mode
        return probabilities(raw, self.kind)


class FixMatchTeaching(Teaching):
    """Targets are the network's own labels of weakly augmented copies, if it is sure."""

    def taught(self, p: Tensor) -> tuple[Tensor, Tensor]:
        """Hard labels; rows below the threshold have no weight."""
        if self.kind == "sigmoid":
            sure = torch.maximum(p, 1 - p).amin(-1)
            return p.round(), (sure >= self.threshold).to(p)
        top, label = p.max(-1)
        hard = torch.nn.functional.one_hot(label, p.shape[-1]).to(p)
        return hard, (top >= self.threshold).to(p)


class MeanTeaching(Teaching):
    """Targets are probabilities of a network with averaged weights."""

    def __init__(self, job: TrainJob, *settings: Any):
        super().__init__(job, *settings)
        self.average = copy.deepcopy(job.module).eval()

    def teacher(self) -> nn.Module:
        """The average of the weights after each step so far."""
        self.update()
        return self.average

    def update(self) -> None:
        """Let the weights of now into the average."""
        decay = min(_DECAY, 1 - 1 / (self.step + 1))
        mine, theirs = self.average.state_dict(), self.module.state_dict()
        with torch.no_grad():
            for name, value in mine.items():
                now = theirs[name].detach()
                if value.is_floating_point():
                    value.lerp_(now, 1 - decay)
                else:
                    value.copy_(now)

    def taught(self, p: Tensor) -> tuple[Tensor, Tensor]:
        """Soft targets, whose weight grows at first."""
        done = min(1.0, self.step / max(1.0, _RAMP * self.n_steps))
        return p, p.new_full((len(p),), math.exp(-5 * (1 - done) ** 2))


class _Consistency(Method):
    """A training in steps that hold labelled rows and others."""

    families: ClassVar = ("MLPClassifier", "CNNClassifier", "RNNClassifier")
    _teaching: ClassVar[type[Teaching]]

    def fit(self, rows: np.ndarray, y: np.ndarray, others: np.ndarray) -> Any:
        """Train on labelled rows and on others, some of each in every step."""
        if not len(others):
            return self.fit_labelled(self.network, rows, y)
        copies = max(
            1, round(len(others) / (self.settings.unlabelled_ratio * len(rows)))
        )
        n_rows = copies * len(rows) + len(others)
        network = self._network(n_rows, len(rows))
        prepared = self._prepared(network, rows, y)
        job = self._job(prepared, network, rows, others, copies)
        teaching = self._teach(job, math.ceil(n_rows / job.batch_size))
        watchers = [ProgressLine(int(network.verbose))] if network.verbose else []
        result = train(dataclasses.replace(job, augmentation=(teaching,)), watchers)
        self._finish(teaching)
        settings = NetSettings.of(job, int(network.verbose), warm_start=False)
        fitted = prepared.fitted.trained(job, result, settings)
        loss = corrected(job.loss, fitted.module, job.validation)
        return with_fitted(self.network, dataclasses.replace(fitted, loss=loss))

    def _network(self, n_rows: int, n_labelled: int) -> Any:
        """The network with the epochs and batches of this training."""
        network = clone(self.network)
        batch = network.batch_size
        if isinstance(batch, str):
            share = min(_LABELLED, n_labelled)
            batch = share * (1 + self.settings.unlabelled_ratio)
        epochs = network.max_epochs
        if isinstance(epochs, str):
            epochs = max(1, math.ceil(_STEPS * batch / n_rows))
        stops = network.early_stopping
        return network.set_params(
            batch_size=batch,
            max_epochs=epochs,
            early_stopping=False if isinstance(stops, str) else stops,
        )

    def _prepared(self, network: Any, rows: np.ndarray, y: np.ndarray) -> Prepared:
        """The job on labelled rows, in their order: full batches would be sorted."""
        weight = None if self.weight is None else self.weight[rows]
        small = max(1, min(int(network.batch_size), len(rows) - 1))
        partial = clone(network).set_params(batch_size=small)
        return prepare(partial, FitArguments(self.take(rows), y, weight))

    def _job(
        self,
        prepared: Prepared,
        network: Any,
        rows: np.ndarray,
        others: np.ndarray,
        copies: int,
    ) -> TrainJob:
        """The job with the other rows beside the labelled ones."""
        job = prepared.job
        all_rows = self._rows(prepared, job, rows, others, copies)
        return dataclasses.replace(
            job,
            rows=all_rows,
            batch_size=min(int(network.batch_size), len(all_rows)),
            architecture_key=None,  # a teacher belongs to one network
            checkpoint=None,
            augmentation=(),
        )

    def _rows(
        self,
        prepared: Prepared,
        job: TrainJob,
        rows: np.ndarray,
        others: np.ndarray,
        copies: int,
    ) -> Rows:
        fitted, labelled = prepared.fitted, job.rows
        x = fitted.features.encode(
            self.take(np.concatenate([rows, others])), fitted.dtype
        )
        places = np.arange(len(rows))
        if labelled.index is not None:
            places = labelled.index.cpu().numpy()
        n_labelled = copies * len(places)
        index = np.concatenate(
            [np.tile(places, copies), len(rows) + np.arange(len(others))]
        )
        dtype = next(job.module.parameters()).dtype
        y = _as_rows(labelled.y, job).to(dtype).repeat(copies, 1)
        nothing = y.new_full((len(others), y.shape[1]), math.nan)
        weight = torch.ones(len(index), dtype=dtype, device=y.device)
        if labelled.weight is not None:
            weight[:n_labelled] = labelled.weight.repeat(copies)
        # The loss of a step is that of its labelled rows and, weighted, that of the others.
        weight[:n_labelled] *= len(index) / n_labelled
        weight[n_labelled:] *= (
            self.settings.unlabelled_weight * len(index) / len(others)
        )
        made = Rows.make(
            x, torch.cat([y, nothing]).cpu().numpy(), None, index, dtype, y.device
        )
        return dataclasses.replace(made, weight=weight)

    def _teach(self, job: TrainJob, steps_per_epoch: int) -> Teaching:
        owner, kind = self.settings.owner, job.layout.kind  # type: ignore[union-attr]
        weak = check_augmentation(owner, self.weak(kind), kind)
        strong = check_augmentation(owner, self.strong(kind), kind)
        n_steps = steps_per_epoch * job.stopping.max_epochs
        return self._teaching(job, weak, strong, n_steps, self.settings.threshold)

    def _finish(self, teaching: Teaching) -> None:
        """Do what is left when the training has ended."""


class FixMatch(_Consistency):
    """Consistency with sure labels of weakly augmented copies (arXiv:2001.07685)."""

    _teaching = FixMatchTeaching


class MeanTeacher(_Consistency):
    """Consistency with a network of averaged weights (arXiv:1703.01780)."""

    _teaching = MeanTeaching

    def _finish(self, teaching: Teaching) -> None:
        """Take the averaged network, which is the better one."""
        assert isinstance(teaching, MeanTeaching)
        teaching.update()
        teaching.module.load_state_dict(teaching.average.state_dict())


def _through(items: Any, batch: Batch, generator: torch.Generator) -> Batch:
    for item in items:
        batch = item.augment(batch, generator)
    return batch


def _where(asks: Tensor, one: Any, other: Any) -> Any:
    """Rows of one batch of features, where asked for, else of another."""
    if isinstance(one, Tensor):
        return torch.where(asks.reshape(-1, *[1] * (one.ndim - 1)), one, other)
    return type(one)(_where(asks, one.x, other.x), one.lengths)


def _as_rows(y: Tensor, job: TrainJob) -> Tensor:
    """Targets as floats, one column per output."""
    if y.is_floating_point():
        return y.reshape(len(y), -1)
    return torch.nn.functional.one_hot(y, job.n_outputs)
