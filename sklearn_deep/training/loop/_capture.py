"""The state of a run between two epochs as plain data, and a run that continues from it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sklearn_deep.training.checkpoints._run_state import RunState
from sklearn_deep.training.job._job import OptimizerState
from sklearn_deep.training.step._flat import FlatParameters

Arrays = Mapping[str, np.ndarray]


def as_arrays(name: str, tensors: Sequence[Tensor]) -> dict[str, np.ndarray]:
    """Tensors as arrays, named by their places; on a CPU they share memory."""
    return {f"{name}.{i}": t.detach().cpu().numpy() for i, t in enumerate(tensors)}


def as_tensors(name: str, arrays: Arrays) -> list[Tensor]:
    """Invert ``as_arrays``."""
    tensors: list[Tensor] = []
    while (key := f"{name}.{len(tensors)}") in arrays:
        tensors.append(torch.from_numpy(np.array(arrays[key])))
    return tensors


def weights_as_arrays(
    name: str, snapshots: Sequence[Sequence[Tensor]]
) -> dict[str, np.ndarray]:
    """Snapshots of the networks of a job as arrays."""
    return {
        key: array
        for k, snapshot in enumerate(snapshots)
        for key, array in as_arrays(f"{name}.{k}", snapshot).items()
    }


def weights_as_tensors(name: str, arrays: Arrays) -> list[list[Tensor]]:
    """Invert ``weights_as_arrays``."""
    snapshots: list[list[Tensor]] = []
    while f"{name}.{len(snapshots)}.0" in arrays:
        snapshots.append(as_tensors(f"{name}.{len(snapshots)}", arrays))
    return snapshots


def are_like(tensors: Sequence[Tensor], others: Sequence[Tensor]) -> bool:
    """Whether tensors agree in number, shapes and dtypes."""
    return len(tensors) == len(others) and all(
        a.shape == b.shape and a.dtype == b.dtype
        for a, b in zip(tensors, others, strict=True)
    )


def captured(
    numbers: dict[str, Any],
    state: OptimizerState,
    flat: FlatParameters,
    nets: Sequence[int],
    best: Sequence[Sequence[Tensor]] | None,
    *,
    with_optimizer: bool,
) -> RunState:
    """Numbers of a run, with copies of its weights and of what the optimizer remembers."""
    arrays = weights_as_arrays("weights", [flat.snapshot(k) for k in nets])
    arrays |= weights_as_arrays("best", best or [])
    if with_optimizer:
        remembered = state.copy()
        arrays |= as_arrays("slot", remembered.slots)
        if remembered.weights is not None:
            arrays |= as_arrays("trained", [remembered.weights])
    return RunState({**numbers, "step": state.step, "epoch": state.epoch}, arrays)


def put_back(
    found: RunState, state: OptimizerState, flat: FlatParameters, nets: Sequence[int]
) -> bool:
    """Give weights and optimizer what was captured; tell whether it fits them."""
    weights = weights_as_tensors("weights", found.arrays)
    slots = as_tensors("slot", found.arrays)
    here = [flat.snapshot(k) for k in nets]
    fits = len(weights) == len(here) and all(map(are_like, weights, here))
    if not fits or (slots and not are_like(slots, state.slots)):
        return False
    for k, snapshot in zip(nets, weights, strict=True):
        flat.restore(snapshot, k)
    for slot, saved in zip(state.slots, slots, strict=False):
        slot.copy_(saved)
    trained = [t.to(flat.values.device) for t in as_tensors("trained", found.arrays)]
    state.weights = trained[0] if trained else state.weights
    state.step, state.epoch = found.numbers["step"], found.numbers["epoch"]
    return True
