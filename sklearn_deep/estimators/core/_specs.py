"""Parameters of an estimator as the specifications of a job."""

import math
from typing import Any

import numpy as np
from sklearn.base import clone

from sklearn_deep.data._tasks import Targets
from sklearn_deep.estimators.core._hooks import AutoBatch, NetworkHooks
from sklearn_deep.exceptions import InvalidParameterError
from sklearn_deep.nn._losses import Loss
from sklearn_deep.training.job._job import OptimizerSpec
from sklearn_deep.training.job._optimizers import OPTIMIZERS
from sklearn_deep.training.job._schedules import ScheduleSpec
from sklearn_deep.training.job._stopping import StoppingSpec

# learning_rate_scaling takes learning_rate as meant for batches of this many rows.
REFERENCE_BATCH_SIZE = 256

# early_stopping="auto" holds rows out above this many, as HistGradientBoosting does; a
# classifier also below, see ``NetworkHooks._auto_keeps_best_epoch``.
MANY_ROWS = 10_000

# batch_size="auto" takes up to so many rows at once.
FEW_ROWS = 32

# Below this many rows a tenth of them is too few to choose an epoch by; the decay of
# ``auto_decay`` is what keeps such networks from overfitting.
_TOO_FEW_TO_JUDGE = 1_000

# Largest weight decay that "auto" means at the usual learning rate; at higher ones a step
# shrinks the weights by no more.
_MOST_DECAY, _USUAL_RATE = 4.0, 5e-3

# n_iter_no_change="auto" waits for this share of the epochs, and for so many at least.
_SHARE_WAITED, _FEWEST_WAITED = 0.2, 10

SCALINGS = {None: 0.0, "linear": 1.0, "sqrt": 0.5}


def check_repeatable(estimator: NetworkHooks) -> None:
    """Raise where no fit could find the state that another one has stored."""
    if estimator.checkpoint is None or estimator.random_state is not None:
        return
    raise InvalidParameterError(
        f"The 'checkpoint' parameter of {type(estimator).__name__} needs a random_state:"
        " with None each fit draws other initial weights, and none continues another."
        " Set random_state to an integer."
    )


def auto_batch_size(n_rows: int, rule: AutoBatch) -> int:
    """What ``batch_size="auto"`` means: the power of two near ``n_rows / n_steps``.

    A small data set gets small batches, for an epoch to have enough steps; up to 32
    rows a step takes them all.
    """
    if n_rows <= FEW_ROWS:
        return n_rows
    near = 1 << max(0, round(math.log2(n_rows / rule.n_steps)))
    return min(rule.largest, max(rule.smallest, near))


def batch_rows(estimator: NetworkHooks, n_rows: int) -> int:
    """Rows of a step."""
    if OPTIMIZERS[estimator.optimizer].full_batch:
        return n_rows
    if estimator.batch_size == "auto":
        return min(auto_batch_size(n_rows, estimator._auto_batch), n_rows)
    return min(estimator.batch_size, n_rows)


def n_epochs(estimator: NetworkHooks, n_rows: int) -> int:
    """What ``max_epochs`` means; ``"auto"`` takes about so many steps as are enough."""
    if estimator.max_epochs != "auto":
        return estimator.max_epochs
    steps = math.ceil(n_rows / batch_rows(estimator, n_rows))
    fewest, most = estimator._epoch_range
    return min(most, max(fewest, math.ceil(estimator._enough_steps / steps)))


def make_loss(estimator: NetworkHooks, targets: Targets) -> Loss:
    """The loss of these targets."""
    return Loss.make(
        type(estimator).__name__,
        estimator.loss,
        targets.kind,
        estimator.loss_params,
        getattr(estimator, "label_smoothing", 0.0),
    )


def validation_share(
    estimator: NetworkHooks,
    n_rows: int,
    strata: np.ndarray | None,
    fresh: bool = True,
) -> float | None:
    """Share of the rows that a fit holds out for early stopping; None for none.

    A fit that is not ``fresh`` begins with a trained network, or has several tasks: its
    decay does not depend on the number of rows.
    """
    stops = estimator.early_stopping
    if stops == "auto":
        few = fresh and n_rows < _TOO_FEW_TO_JUDGE and _decays_by_rows(estimator)
        keeps = not few and _keeps_best_epoch(estimator, n_rows, strata)
        stops = n_rows > MANY_ROWS or keeps
    return estimator.validation_fraction if stops else None


def _keeps_best_epoch(
    estimator: NetworkHooks, n_rows: int, strata: np.ndarray | None
) -> bool:
    """Whether few rows are enough to choose an epoch by, with one of each class."""
    n_aside = round(estimator.validation_fraction * n_rows)
    n_classes = 1 if strata is None else len(np.unique(strata))
    return (
        estimator._auto_keeps_best_epoch
        and n_aside >= n_classes
        and batch_rows(estimator, n_rows) < n_rows
    )


def _decays_by_rows(estimator: NetworkHooks) -> bool:
    """Whether ``weight_decay="auto"`` depends on the number of rows."""
    return (
        estimator.weight_decay == "auto"
        and estimator.learning_rate != "auto"
        and OPTIMIZERS[estimator.optimizer].weight_decay > 0
        and estimator._rows_of_decay > 0
    )


def auto_decay(estimator: NetworkHooks, n_rows: int | None) -> float:
    """What ``weight_decay="auto"`` means.

    A prior of the weights counts as so many rows, however many there are: its share in
    the loss falls with their number. Steps that use all rows are excepted, as there an
    integer weight equals a repeated row.

    Parameters
    ----------
    estimator : DeepEstimator
    n_rows : int or None
        None where it is not known, as in ``partial_fit``.
    """
    usual = OPTIMIZERS[estimator.optimizer].weight_decay
    if n_rows is None or not _decays_by_rows(estimator):
        return usual
    if batch_rows(estimator, n_rows) == n_rows:
        return usual
    factor = min(1.0, _USUAL_RATE / estimator.learning_rate)
    return max(usual, factor * min(_MOST_DECAY, estimator._rows_of_decay / n_rows))


def with_usual_decay(network: Any) -> Any:
    """A network whose ``weight_decay="auto"`` is the same for any number of rows.

    For fits that begin with a trained network, or learn from other rows too.
    """
    if getattr(network, "weight_decay", None) != "auto":
        return network
    return clone(network).set_params(weight_decay=auto_decay(network, None))


def optimizer_spec(
    estimator: NetworkHooks, batch_size: int, n_rows: int | None = None
) -> OptimizerSpec:
    """The optimizer; a learning rate of 0 where a range test is to find it.

    Parameters
    ----------
    estimator : DeepEstimator
    batch_size : int
    n_rows : int or None
        Rows of a fresh fit, where ``weight_decay="auto"`` depends on them.
    """
    decay, rate = estimator.weight_decay, estimator.learning_rate
    if decay == "auto":
        decay = auto_decay(estimator, n_rows)
    if rate == "auto":
        rate = 0.0
    else:
        ratio = batch_size / REFERENCE_BATCH_SIZE
        rate = rate * ratio ** SCALINGS[estimator.learning_rate_scaling]
    return OptimizerSpec(
        estimator.optimizer,
        float(rate),
        float(estimator.momentum),
        (float(estimator.betas[0]), float(estimator.betas[1])),
        float(decay),
        estimator.gradient_clip,
        getattr(estimator, "layer_rates", "equal"),
        getattr(estimator, "averaging", 0.0),
    )


def schedule_spec(
    estimator: NetworkHooks, n_rows: int, incremental: bool
) -> ScheduleSpec:
    """The schedule; a stream of ``partial_fit`` has no end that one could lead to."""
    owner = type(estimator).__name__
    if incremental:
        return ScheduleSpec.make(owner, "constant", None, 0.0, 1)
    return ScheduleSpec.make(
        owner,
        estimator.learning_rate_schedule,
        estimator.schedule_params,
        estimator.warmup,
        n_epochs(estimator, n_rows),
    )


def stopping_spec(
    estimator: NetworkHooks, n_rows: int, on_validation: bool, incremental: bool
) -> StoppingSpec:
    """When the training ends; ``partial_fit`` is one epoch."""
    max_epochs = 1 if incremental else n_epochs(estimator, n_rows)
    return StoppingSpec(
        max_epochs=max_epochs,
        n_iter_no_change=None if incremental else _patience(estimator, max_epochs),
        tol=estimator.tol,
        restore_best=estimator.restore_best,
        time_limit=estimator.time_limit,
        on_validation=on_validation,
    )


def _patience(estimator: NetworkHooks, max_epochs: int) -> int | None:
    """What ``n_iter_no_change`` means; ``"auto"`` is a share of the epochs."""
    patience = estimator.n_iter_no_change
    if patience == "auto":
        return max(_FEWEST_WAITED, round(_SHARE_WAITED * max_epochs))
    return patience
