"""What a fit takes over from the one before it, and what may not change between them."""

import dataclasses
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sklearn_deep.data._tasks import Targets
from sklearn_deep.estimators.core._fitted import Fitted
from sklearn_deep.estimators.core._hooks import NetworkHooks
from sklearn_deep.nn._losses import LOSSES, Loss
from sklearn_deep.nn._quantization import QuantizedNetwork
from sklearn_deep.training.job._job import OptimizerState
from sklearn_deep.training.job._optimizers import OPTIMIZERS


def resumed_dtype(estimator: NetworkHooks, before: Fitted) -> np.dtype:
    """The dtype of the network that is trained further."""
    dtype = before.dtype
    if estimator.dtype not in ("auto", dtype.name):
        raise ValueError(
            f"{type(estimator).__name__} has a {dtype.name} network and cannot go on"
            f" training it with dtype={estimator.dtype!r}. Set warm_start=False, or"
            " clone the estimator, to begin anew."
        )
    return dtype


def check_architecture(
    owner: str, before: Fitted, architecture: dict[str, Any]
) -> None:
    """Raise where a network cannot be trained further with these parameters."""
    if isinstance(before.module, QuantizedNetwork):
        raise ValueError(
            f"{owner} cannot go on training a quantized network: it"
            " has integers in place of parameters. Set warm_start=False, or clone"
            " the estimator, to begin anew; Quantized(..., fine_tune_epochs=10) trains"
            " for the rounding."
        )
    if architecture != before.architecture:
        changed = sorted(
            k for k, v in architecture.items() if v != before.architecture.get(k)
        )
        raise ValueError(
            f"{owner} cannot go on training a network of another"
            f" architecture: {', '.join(changed)} changed since it was built. Set"
            " warm_start=False, or clone the estimator, to begin anew."
        )


def check_same_classes(owner: str, targets: Any, classes: Any) -> None:
    """Raise where ``partial_fit`` names other classes than the call before."""
    if classes is not None and not np.array_equal(np.unique(classes), targets.classes):
        raise ValueError(
            f"{owner}.partial_fit got classes {np.unique(classes).tolist()}, and"
            f" {targets.classes.tolist()} in an earlier call. They cannot change."
        )


def resumed_loss(owner: str, loss: Loss, targets: Targets, before: Loss) -> Loss:
    """The loss of a training that goes on, with the correction learnt before."""
    rows = [LOSSES[each, targets.kind] for each in (loss.name, before.name)]
    if rows[0].scaling != rows[1].scaling:
        raise ValueError(
            f"{owner} cannot go on training with loss={loss.name!r}: its targets are scaled"
            " for another loss. Set warm_start=False, or clone the estimator, to begin"
            " anew."
        )
    if before != loss:
        return loss
    # The training rows are not new to this network: no new correction.
    return dataclasses.replace(loss, calibration=before.calibration)


def mask_on(
    device: torch.device, mask: dict[str, Tensor] | None
) -> dict[str, Tensor] | None:
    """A mask of weights on a device."""
    return mask and {name: kept.to(device) for name, kept in mask.items()}


def optimizer_state(
    estimator: NetworkHooks, before: Fitted | None, device: torch.device
) -> OptimizerState:
    """The optimizer's state to resume from; a copy, for a call that may fail."""
    if before is None or before.optimizer_state is None or before.optimizer is None:
        return OptimizerState()
    state, name = before.optimizer_state, before.optimizer
    if OPTIMIZERS[name].update is not OPTIMIZERS[estimator.optimizer].update:
        return OptimizerState(epoch=state.epoch)  # no state of one is that of another
    return state.copy(device)
