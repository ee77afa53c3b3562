"""From the arguments of ``fit`` to a ``TrainJob``: validate, split, encode, build."""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sklearn_deep.data._batches import Rows
from sklearn_deep.data._ragged import Ragged
from sklearn_deep.data._sequence_targets import PerStepRows
from sklearn_deep.data._tasks import Targets
from sklearn_deep.estimators.core._augmenting import augmentations
from sklearn_deep.estimators.core._data import (
    FitArguments,
    Part,
    draw_seed,
    hold_out,
    task_settings,
    validate,
)
from sklearn_deep.estimators.core._fitted import Fitted
from sklearn_deep.estimators.core._hooks import NetworkHooks
from sklearn_deep.estimators.core._monitor import make_monitor
from sklearn_deep.nn._losses import LOSSES, Loss
from sklearn_deep.nn._quantization import QuantizedNetwork
from sklearn_deep.training.job._devices import resolve_device
from sklearn_deep.training.job._job import OptimizerSpec, OptimizerState, TrainJob
from sklearn_deep.training.job._optimizers import OPTIMIZERS
from sklearn_deep.training.job._schedules import ScheduleSpec
from sklearn_deep.training.job._stopping import StoppingSpec
from sklearn_deep.training.loop._lr_range import range_test

# learning_rate_scaling takes learning_rate as meant for batches of this many rows.
REFERENCE_BATCH_SIZE = 256
# max_epochs="auto" takes so many steps, within these numbers of epochs.
ENOUGH_STEPS, EPOCHS = 2_500, (12, 200)

SCALINGS = {None: 0.0, "linear": 1.0, "sqrt": 0.5}

# The range test goes from one to the other in so many steps.
RANGE_TEST = (1e-6, 10.0, 120)

_TORCH_DTYPES = {np.dtype("float32"): torch.float32, np.dtype("float64"): torch.float64}


@dataclass(frozen=True)
class Prepared:
    """A job, and what is known of the fitted network before it runs."""

    job: TrainJob
    fitted: Fitted


def prepare(
    estimator: NetworkHooks,
    given: FitArguments,
    before: Fitted | None = None,
    seed: int | None = None,
) -> Prepared:
    """Make the job of one ``fit`` or ``partial_fit``.

    Parameters
    ----------
    estimator : DeepEstimator
    given : FitArguments
    before : Fitted or None
        The network whose training continues; None for a fresh one.
    seed : int or None
        None draws one from ``random_state``.
    """
    owner = type(estimator).__name__
    device = resolve_device(owner, estimator.device)
    seed = draw_seed(estimator.random_state) if seed is None else seed

    features, whole = validate(estimator, given, device, before)
    # A network that was trained before is never judged on rows that it has seen.
    split_seed = seed if before is None else before.seed
    train, validation = hold_out(estimator, given, features, whole, split_seed)
    train, targets = _learn_targets(estimator, given, whole, train, before)
    loss = _loss(estimator, targets, before)
    rows, rows_val = _encode_parts(estimator, train, validation, targets, device)

    n_raw = targets.n_outputs * loss.raw_per_target
    layout = features.layout(whole.X)
    architecture = estimator._architecture(layout, n_raw)
    if before is not None:
        module = _same_module(estimator, before, architecture).to(device)
        history, mask = before.history, _on_device(before.weight_mask, device)
    else:
        module = estimator._initialized(architecture, loss, rows, seed)
        module = module.to(device, _TORCH_DTYPES[whole.dtype])
        history, mask = [], None
    fitted = Fitted(
        module=module,
        architecture=architecture,
        features=features,
        targets=targets,
        loss=loss,
        seed=seed if before is None else before.seed,
        dtype=whole.dtype,
        history=history,
        weight_mask=mask,
    )
    monitor = make_monitor(estimator, fitted, validation)
    job = _job(estimator, given, module, rows, rows_val, loss, seed, monitor)
    job = dataclasses.replace(
        job,
        layout=layout,
        n_outputs=n_raw,
        augmentation=augmentations(estimator, layout),
        weight_mask=mask,
        state=_resumed(estimator, before, device) if given.incremental else None,
    )
    return Prepared(estimator._with_stack_key(job, architecture), fitted)


def _learn_targets(
    estimator: NetworkHooks,
    given: FitArguments,
    whole: Part,
    train: Part,
    before: Fitted | None,
) -> tuple[Part, Any]:
    """The training rows, equal ones merged where a step sees all, and their targets."""
    task, settings = estimator._task, task_settings(estimator)
    if before is not None:
        targets = before.targets
        _same_classes(settings.owner, targets, given.classes)
    else:
        classes = whole.labels if given.classes is None else given.classes
        targets = task.learn(settings, train.y, train.weight, classes)
    if given.incremental or not takes_all_rows(estimator, len(train)):
        return train, targets
    train = train.merged(_each(targets.codes, train.y))
    if before is None:
        # From rows in canonical order: a mean of repeated rows has other last bits than
        # that of weighted ones, and both have to give the same network.
        targets = task.learn(settings, train.y, train.weight, classes)
    return train, targets


def _encode_parts(
    estimator: NetworkHooks,
    train: Part,
    validation: Part | None,
    targets: Targets,
    device: torch.device,
) -> tuple[Rows, Rows | None]:
    """Training rows of mean weight 1, and validation rows; both may share features."""
    rows = encode(estimator, train, targets, device)
    if rows.weight is not None:
        rows = dataclasses.replace(rows, weight=rows.weight / rows.weight.mean())
    if validation is None:
        return rows, None
    shared = rows.x if validation.X is train.X else None
    return rows, encode(estimator, validation, targets, device, shared)


def _on_device(
    mask: dict[str, Tensor] | None, device: torch.device
) -> dict[str, Tensor] | None:
    return mask and {name: kept.to(device) for name, kept in mask.items()}


def _resumed(
    estimator: NetworkHooks, before: Fitted | None, device: torch.device
) -> OptimizerState:
    """The optimizer's state to resume from; a copy, for a call that may fail."""
    if before is None or before.optimizer_state is None or before.optimizer is None:
        return OptimizerState()
    state, name = before.optimizer_state, before.optimizer
    if OPTIMIZERS[name].update is not OPTIMIZERS[estimator.optimizer].update:
        return OptimizerState(epoch=state.epoch)  # no state of one is that of another
    slots = [slot.to(device, copy=True) for slot in state.slots]
    return OptimizerState(slots, state.step, state.epoch)


def _loss(estimator: NetworkHooks, targets: Targets, before: Fitted | None) -> Loss:
    owner, name = type(estimator).__name__, estimator.loss
    smoothing = getattr(estimator, "label_smoothing", 0.0)
    loss = Loss.make(owner, name, targets.kind, estimator.loss_params, smoothing)
    if before is None:
        return loss
    rows = [LOSSES[each, targets.kind] for each in (name, before.loss.name)]
    if rows[0].scaling != rows[1].scaling:
        raise ValueError(
            f"{owner} cannot go on training with loss={name!r}: its targets are scaled"
            " for another loss. Set warm_start=False, or clone the estimator, to begin"
            " anew."
        )
    if before.loss != loss:
        return loss
    # The training rows are not new to this network: no new correction.
    return dataclasses.replace(loss, calibration=before.loss.calibration)


def with_found_rate(
    estimator: NetworkHooks, job: TrainJob, before: Fitted | None
) -> TrainJob:
    """The job, with the learning rate of a range test where the user wants one."""
    if estimator.learning_rate != "auto" or job.optimizer.name == "lbfgs":
        return job
    if job.state is not None and before is not None:
        rate = before.learning_rate  # partial_fit: the first call has found it
    else:
        rate = range_test(job, *RANGE_TEST).suggestion
    optimizer = dataclasses.replace(job.optimizer, learning_rate=rate)
    return dataclasses.replace(job, optimizer=optimizer)


def auto_batch_size(n_rows: int, smallest: int = 32) -> int:
    """What ``batch_size="auto"`` means: the power of two near n / 20, up to 256.

    A small data set gets small batches, for an epoch to have enough steps; up to 32
    rows a step takes them all.
    """
    if n_rows <= 32:
        return n_rows
    return min(256, max(smallest, 1 << round(math.log2(n_rows / 20))))


def batch_rows(estimator: NetworkHooks, n_rows: int) -> int:
    """Rows of a step."""
    if OPTIMIZERS[estimator.optimizer].full_batch:
        return n_rows
    if estimator.batch_size == "auto":
        return auto_batch_size(n_rows, estimator._smallest_batch)
    return min(estimator.batch_size, n_rows)


def n_epochs(estimator: NetworkHooks, n_rows: int) -> int:
    """What ``max_epochs`` means; ``"auto"`` takes about ``ENOUGH_STEPS`` steps."""
    if estimator.max_epochs != "auto":
        return estimator.max_epochs
    steps = math.ceil(n_rows / batch_rows(estimator, n_rows))
    fewest, most = EPOCHS
    return min(most, max(fewest, math.ceil(ENOUGH_STEPS / steps)))


def takes_all_rows(estimator: NetworkHooks, n_rows: int) -> bool:
    """Whether a step sees every row."""
    return batch_rows(estimator, n_rows) >= n_rows


def encode(
    estimator: NetworkHooks,
    part: Part,
    targets: Any,
    device: torch.device,
    shared: Any = None,
) -> Rows:
    """Rows as the network is fed them; ``shared`` are the features, if encoded."""
    dtype = part.dtype
    y = _each(targets.encode, part.y, dtype, part.name)
    make = PerStepRows.of if isinstance(y, Ragged) else Rows.make
    rows = make(
        part.X if shared is None else shared,
        y,
        estimator._task.row_weights(
            task_settings(estimator), targets, part.y, part.weight
        ),
        part.index,
        _TORCH_DTYPES[dtype],
        device,
    )
    if not estimator._batches_by_length:
        return rows
    return dataclasses.replace(rows, by_length=True)


def _each(function: Callable, y: Any, *args: Any) -> Any:
    """Apply a function of targets; to those of all steps, where rows have many."""
    if isinstance(y, Ragged):
        return y.with_values(function(y.values, *args))
    return function(y, *args)


def _same_module(
    estimator: NetworkHooks, before: Fitted, architecture: dict[str, Any]
) -> nn.Module:
    if isinstance(before.module, QuantizedNetwork):
        raise ValueError(
            f"{type(estimator).__name__} cannot go on training a quantized network: it"
            " has integers in place of parameters. Set warm_start=False, or clone"
            " the estimator, to begin anew; Quantized(..., fine_tune_epochs=10) trains"
            " for the rounding."
        )
    if architecture != before.architecture:
        changed = sorted(
            k for k, v in architecture.items() if v != before.architecture.get(k)
        )
        raise ValueError(
            f"{type(estimator).__name__} cannot go on training a network of another"
            f" architecture: {', '.join(changed)} changed since it was built. Set"
            " warm_start=False, or clone the estimator, to begin anew."
        )
    return estimator._load_module(before, before.module.state_dict())


def _same_classes(owner: str, targets: Any, classes: Any) -> None:
    if classes is not None and not np.array_equal(np.unique(classes), targets.classes):
        raise ValueError(
            f"{owner}.partial_fit got classes {np.unique(classes).tolist()}, and"
            f" {targets.classes.tolist()} in an earlier call. They cannot change."
        )


def _schedule(estimator: NetworkHooks, given: FitArguments, max_epochs: int) -> tuple:
    if given.incremental:  # a stream has no end that a schedule could lead to
        return "constant", None, 0.0, 1
    return (
        estimator.learning_rate_schedule,
        estimator.schedule_params,
        estimator.warmup,
        max_epochs,
    )


def _job(
    estimator: NetworkHooks,
    given: FitArguments,
    module: nn.Module,
    rows: Rows,
    rows_val: Rows | None,
    loss: Loss,
    seed: int,
    monitor: Any,
) -> TrainJob:
    owner = type(estimator).__name__
    batch_size = batch_rows(estimator, len(rows))
    decay = estimator.weight_decay
    if decay == "auto":
        decay = OPTIMIZERS[estimator.optimizer].weight_decay
    rate = estimator.learning_rate
    if rate != "auto":
        ratio = batch_size / REFERENCE_BATCH_SIZE
        rate = rate * ratio ** SCALINGS[estimator.learning_rate_scaling]
    stops = rows_val is not None and estimator.early_stopping is not False
    max_epochs = n_epochs(estimator, len(rows))
    return TrainJob(
        owner=owner,
        module=module,
        rows=rows,
        loss=loss,
        optimizer=OptimizerSpec(
            estimator.optimizer,
            0.0 if rate == "auto" else float(rate),
            float(estimator.momentum),
            (float(estimator.betas[0]), float(estimator.betas[1])),
            float(decay),
            estimator.gradient_clip,
        ),
        schedule=ScheduleSpec.make(
            owner,
            *_schedule(estimator, given, max_epochs),
        ),
        stopping=StoppingSpec(
            max_epochs=1 if given.incremental else max_epochs,
            n_iter_no_change=None if given.incremental else estimator.n_iter_no_change,
            tol=estimator.tol,
            restore_best=estimator.restore_best,
            time_limit=estimator.time_limit,
            on_validation=stops,
        ),
        penalties={k: float(v) for k in ("l1", "l2") if (v := getattr(estimator, k))},
        batch_size=batch_size,
        seed=seed,
        validation=rows_val,
        monitor=monitor,
    )
