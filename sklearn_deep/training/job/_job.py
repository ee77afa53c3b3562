"""The seam between estimators and training: a job in, a result out."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor, nn

from sklearn_deep.data._batches import Rows
from sklearn_deep.data._layout import Layout
from sklearn_deep.nn._losses import Loss
from sklearn_deep.training.job._schedules import ScheduleSpec
from sklearn_deep.training.job._stopping import StoppingSpec


@dataclass(frozen=True)
class OptimizerSpec:
    """A row of ``OPTIMIZERS`` with the values of its parameters."""

    name: str
    learning_rate: float
    momentum: float = 0.9
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    gradient_clip: float | None = None


@dataclass
class OptimizerState:
    """What an optimizer remembers between two calls of ``partial_fit``."""

    slots: list[Tensor] = field(default_factory=list)
    step: int = 0
    epoch: int = 0


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

    def to_device(self) -> "TrainJob":
        """The job with its features on the device of its targets."""
        rows, validation = self.rows.to_device(), self.validation
        if validation is not None:
            shares = validation.x is self.rows.x
            validation = validation.to_device(rows.x if shares else None)
        return replace(self, rows=rows, validation=validation)


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
