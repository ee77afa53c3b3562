"""Fitted state as NumPy arrays and plain Python, for pickling.

A pickled torch module runs torch's own unpickling code, ties the file to a device
and, for parameters that share memory, stores it once a parameter. Arrays do not.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sklearn_deep.training.job._job import OptimizerState


def pack_module(module: nn.Module) -> dict[str, np.ndarray]:
    """The parameters and buffers of a module as arrays."""
    return {name: t.detach().cpu().numpy() for name, t in module.state_dict().items()}


def fill_module(module: nn.Module, arrays: dict[str, Any]) -> nn.Module:
    """Give a module built on ``meta`` these values; a copy of them."""
    tensors = {name: as_tensor(value) for name, value in arrays.items()}
    module.load_state_dict(tensors, assign=True)
    for parameter in module.parameters():
        parameter.requires_grad_(True)
    return module.eval()


def pack_optimizer(state: OptimizerState) -> dict[str, Any]:
    """An optimizer's memory as arrays and integers."""
    weights = state.weights
    return {
        "slots": [slot.cpu().numpy() for slot in state.slots],
        "step": state.step,
        "epoch": state.epoch,
        "weights": None if weights is None else weights.cpu().numpy(),
    }


def unpack_optimizer(packed: dict[str, Any]) -> OptimizerState:
    """The inverse of ``pack_optimizer``."""
    slots = [as_tensor(slot) for slot in packed["slots"]]
    weights = packed["weights"]
    weights = None if weights is None else as_tensor(weights)
    return OptimizerState(slots, packed["step"], packed["epoch"], weights)


def as_tensor(value: Any) -> Tensor:
    """A copy of an array or tensor, as a tensor."""
    return value.detach().clone() if isinstance(value, Tensor) else torch.tensor(value)
