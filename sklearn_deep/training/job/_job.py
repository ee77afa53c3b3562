"""The seam between estimators and training: a job in, a result out."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from sklearn_deep.data._batches import Rows
from sklearn_deep.data._layout import Layout
from sklearn_deep.nn._losses import Loss
from sklearn_deep.training.job._checkpoint import Checkpoint
from sklearn_deep.training.job._schedules import ScheduleSpec
from sklearn_deep.training.job._stopping import StoppingSpec


@dataclass(frozen=True)
class OptimizerSpec:
    """A row of ``OPTIMIZERS`` with the values of its parameters.

    Attributes
    ----------
    name : str
        Key into ``OPTIMIZERS``.
    learning_rate, momentum, betas, weight_decay, gradient_clip
        As the estimators take them.
    layer_rates : str
        Key into ``LAYER_RATES``: factors on the learning rate, one per parameter.
    averaging : float
        Weight of the earlier epochs, in [0, 1), in the exponential average of the
        weights after each epoch; 0 uses the weights of the epoch itself.
    """

    name: str
    learning_rate: float
    momentum: float = 0.9
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    gradient_clip: float | None = None
    layer_rates: str = "equal"
    averaging: float = 0.0


@dataclass
class OptimizerState:
    """What an optimizer remembers between two calls of ``partial_fit``.

    Attributes
    ----------
    slots : list of Tensor
        State tensors of the optimizer, each as large as the flat weights.
    step, epoch : int
        Number of steps and epochs so far.
    weights : Tensor or None
        The weights from which training continues, where the module has averages.
    """

    slots: list[Tensor] = field(default_factory=list)
    step: int = 0
    epoch: int = 0
    weights: Tensor | None = None

    def copy(self, device: torch.device | None = None) -> "OptimizerState":
        """A copy that a training may modify, on a device or where the tensors are."""
        slots = [slot.to(device, copy=True) for slot in self.slots]
        weights = self.weights
        weights = None if weights is None else weights.to(device, copy=True)
        return OptimizerState(slots, self.step, self.epoch, weights)


@dataclass(frozen=True)
class Proximal:
    """A pull towards given weights: ``strength / 2 * |weights - centre|^2`` in the loss.

    Attributes
    ----------
    strength : float
    center : mapping of str to Tensor
        Values of parameters by name; of all that are trained.
    """

    strength: float
    center: Mapping[str, Tensor]


@dataclass(frozen=True)
class JobNetwork:
    """A network of a job that trains several at once.

    Attributes
    ----------
    module : torch.nn.Module
        A part of the job's module; all networks of a job have one architecture.
    seed : int
        Its batch order and dropout masks follow from it.
    rows : Rows
        Its training rows.
    left_out : Rows or None
        Rows that it is validated on.
    """

    module: nn.Module
    seed: int
    rows: Rows
    left_out: Rows | None = None


@dataclass(frozen=True)
class TrainJob:
    """Everything a training needs; plain data, and no estimator in it.

    Attributes
    ----------
    owner : str
        Name of the estimator, for errors.
    module : torch.nn.Module
        Initialised, on the device, in the compute dtype. It is trained in place.
    rows : Rows
        Training rows.
    loss : Loss
    optimizer, schedule, stopping : specs
    penalties : dict of str to float
        Strength of each penalty, by its name in ``PENALTIES``; without zeros.
    batch_size : int
    seed : int
        Seed of the fit: initial weights were drawn from it; batch order and dropout
        masks follow from it.
    validation : Rows or None
    monitor : callable ``module -> float`` or None
        A score, higher when better, in place of the validation loss.
    state : OptimizerState or None
        State to continue from.
    architecture_key : hashable or None
        Key of the network's architecture: jobs with different keys are not stacked.
        None equals no other key.
    layout : Layout or None
        Layout of a row, read by augmentations.
    n_outputs : int
        Number of raw outputs.
    augmentation : tuple of augmentations
        Applied to each training batch, in order.
    weight_mask : mapping of str to Tensor, or None
        By name of a parameter: 1 where a value is trained, 0 where it stays zero.
    networks : tuple of JobNetwork
        For an ensemble, of which ``module`` holds all networks and ``rows`` are those of
        all: its networks, trained at once and stopped at one epoch. The monitored loss is
        that of ``validation`` by the whole ensemble, or the mean of the networks' losses
        on the rows that each leaves out.
    checkpoint : Checkpoint or None
        Where the state of the training is stored; None for nowhere. It changes no result.
    frozen : frozenset of str
        Names of parameters and buffers that stay as they are. Layers without others are
        in evaluation mode.
    rates : mapping of str to float, or None
        By name of a parameter: factor on its learning rate and weight decay, beside
        those of ``optimizer.layer_rates``; 1 for others.
    proximal : Proximal or None
        A pull towards given weights; it is in no loss that is reported.
    n_ranks : int
        Number of processes that train it together, where this one has to start the others.
    """

    owner: str
    module: nn.Module
    rows: Rows
    loss: Loss
    optimizer: OptimizerSpec
    schedule: ScheduleSpec
    stopping: StoppingSpec
    penalties: dict[str, float]
    batch_size: int
    seed: int
    validation: Rows | None = None
    monitor: Callable[[nn.Module], float] | None = None
    state: OptimizerState | None = None
    architecture_key: Hashable = None
    layout: Layout | None = None
    n_outputs: int = 0
    augmentation: tuple[Any, ...] = ()
    weight_mask: Mapping[str, Tensor] | None = None
    networks: tuple[JobNetwork, ...] = ()
    checkpoint: Checkpoint | None = None
    frozen: frozenset[str] = frozenset()
    rates: Mapping[str, float] | None = None
    proximal: Proximal | None = None
    n_ranks: int = 1

    def each_network(self) -> "list[TrainJob]":
        """The job of each network of an ensemble; for other jobs the job itself."""
        if not self.networks:
            return [self]
        return [
            self.with_part(
                network.module,
                seed=network.seed,
                rows=network.rows,
                validation=network.left_out,
                monitor=None,
                networks=(),
                checkpoint=None,  # the ensemble has one state
            )
            for network in self.networks
        ]

    def with_part(self, part: nn.Module, **changes: Any) -> "TrainJob":
        """The job of a part of its module, with what belongs to its parameters."""
        return replace(
            self,
            module=part,
            weight_mask=self._by_part(self.weight_mask, part),
            frozen=self._names_in(part),
            rates=self._by_part(self.rates, part),
            proximal=self._pull_on(part),
            **changes,
        )

    def _pull_on(self, part: nn.Module) -> Proximal | None:
        """The pull on the parameters of a part of the module."""
        if self.proximal is None:
            return None
        center = self._by_part(self.proximal.center, part)
        return replace(self.proximal, center=center or {})

    def _by_part(
        self, named: Mapping[str, Any] | None, part: nn.Module
    ) -> Mapping[str, Any] | None:
        """Values by the names that parameters have in a part of the module."""
        if named is None:
            return None
        of = {
            id(p): named[name]
            for name, p in self.module.named_parameters()
            if name in named
        }
        return {name: of[id(p)] for name, p in part.named_parameters() if id(p) in of}

    def _names_in(self, part: nn.Module) -> frozenset[str]:
        """What is frozen, by the names that it has in a part of the module."""
        if not self.frozen:
            return self.frozen
        those = {id(t) for name, t in _tensors(self.module) if name in self.frozen}
        return frozenset(name for name, t in _tensors(part) if id(t) in those)

    def to_device(self) -> "TrainJob":
        """The job with its features on the device of its targets."""
        rows, validation = self.rows.to_device(), self.validation
        if validation is not None:
            shares = validation.x is self.rows.x
            validation = validation.to_device(rows.x if shares else None)
        return replace(self, rows=rows, validation=validation)


def _tensors(module: nn.Module) -> list[tuple[str, Tensor]]:
    return [*module.named_parameters(), *module.named_buffers()]


@dataclass(frozen=True)
class NetSettings:
    """Parameters of training that skorch's ``NeuralNet`` shows beside module and loss.

    Attributes
    ----------
    owner : str
        Name of the estimator, for errors.
    optimizer : OptimizerSpec
    max_epochs, batch_size, n_outputs : int
    valid_batch_size : int or None
        Batch size of validation; None without validation rows.
    verbose : int
    warm_start : bool
    """

    owner: str
    optimizer: OptimizerSpec
    max_epochs: int
    batch_size: int
    n_outputs: int
    valid_batch_size: int | None = None
    verbose: int = 0
    warm_start: bool = False

    @classmethod
    def of(cls, job: TrainJob, verbose: int, warm_start: bool) -> "NetSettings":
        """The settings of a job."""
        rows = job.validation
        at_once = None if rows is None else rows.parts()[0].stop
        return cls(
            job.owner,
            job.optimizer,
            job.stopping.max_epochs,
            job.batch_size,
            job.n_outputs,
            at_once,
            verbose,
            warm_start,
        )


@dataclass(frozen=True)
class TrainResult:
    """Result of training a job.

    Attributes
    ----------
    module : torch.nn.Module
        The trained module, in evaluation mode.
    history : list of dict
        One row per epoch: epoch (from 1), train_loss, valid_loss, valid_score,
        learning_rate, seconds (since the start).
    best_epoch : int
        Epoch, from 1, whose weights the module has.
    stop_reason : str
        "max_epochs", "early_stopping", "converged", "diverged", "time_limit" or
        "callback".
    state : OptimizerState
        State to continue from.
    """

    module: nn.Module
    history: list[dict[str, Any]]
    best_epoch: int
    stop_reason: str
    state: OptimizerState
