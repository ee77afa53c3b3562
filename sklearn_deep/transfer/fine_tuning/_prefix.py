"""The frozen first part of a network, computed once, and the rest as a network."""

import dataclasses
import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn

from sklearn_deep.data._batches import Rows
from sklearn_deep.data._ragged import Ragged
from sklearn_deep.nn._dropout import RandomModule
from sklearn_deep.nn._mlp import MLP, Block, Output
from sklearn_deep.nn._stages import stages_of
from sklearn_deep.training.job._devices import device_of
from sklearn_deep.training.job._job import TrainJob
from sklearn_deep.training.loop._forward import raw_outputs

# Bytes of outputs of frozen parts that are kept for later fits, per pretrained network.
_KEPT_BYTES = 512 << 20

# A first part is computed once if its outputs are at most this many times its inputs.
_LARGEST_GROWTH = 4

# Layers from elsewhere may draw random numbers that we do not see.
_KNOWN = ("torch.nn.", "sklearn_deep.")


@dataclass(frozen=True)
class Cut:
    """A network in two: the first part is applied once, the rest is trained.

    Attributes
    ----------
    place : int
        Number of stages of the first part.
    first, rest : torch.nn.Module
        They share the layers of the network.
    """

    place: int
    first: nn.Module
    rest: nn.Module


def cut_of(job: TrainJob, frozen: frozenset[str]) -> Cut | None:
    """Cut a network behind its frozen first stages; None where nothing can be cut.

    Parameters
    ----------
    job : TrainJob
    frozen : frozenset of str
        Names of parameters and buffers that stay as they are in all epochs.
    """
    if job.augmentation or job.networks or isinstance(job.rows.x, Ragged):
        return None
    stages = [part for _, part in stages_of(job.module)]
    named = [*job.module.named_parameters(), *job.module.named_buffers()]
    fixed = {id(tensor) for name, tensor in named if name in frozen}
    place = 0
    while place < len(stages) - 1 and _is_fixed(stages[place], fixed):
        place += 1
    if not any(True for part in stages[:place] for _ in part.parameters()):
        return None
    first = nn.Sequential(*stages[:place]).eval()
    return Cut(place, _with_sizes(first, job.module), _rest(stages[place:], job.module))


def _is_fixed(stage: nn.Module, fixed: set[int]) -> bool:
    """Whether the outputs of a stage are the same in all epochs."""
    tensors = [*stage.parameters(), *stage.buffers()]
    if tensors:  # in evaluation mode, if all are frozen
        return fixed.issuperset(map(id, tensors))
    return not any(map(_may_draw, stage.modules()))


def _may_draw(layer: nn.Module) -> bool:
    known = type(layer).__module__.startswith(_KNOWN)
    return (
        not known
        or isinstance(layer, RandomModule)
        or "Dropout" in type(layer).__name__
    )


def _rest(stages: Sequence[nn.Module], module: nn.Module) -> nn.Module:
    """The last stages as a network; of linear layers, one with a derived gradient."""
    *hidden, output = [s for s in stages if not isinstance(s, nn.Identity)]
    if type(output) is Output and all(type(stage) is Block for stage in hidden):
        rest = MLP.__new__(MLP)
        nn.Module.__init__(rest)
        rest.hidden, rest.output = nn.Sequential(*hidden), output
        return rest
    rest_of_all = nn.Sequential(*stages)
    convolves = any(
        isinstance(m, (nn.Conv1d, nn.Conv2d)) for m in rest_of_all.modules()
    )
    return _with_sizes(rest_of_all, module) if convolves else rest_of_all


def _with_sizes(part: nn.Module, module: nn.Module) -> nn.Module:
    for name in ("multiply_adds", "units", "positions"):
        if hasattr(module, name):
            setattr(part, name, getattr(module, name))
    return part


def rest_of_job(job: TrainJob, cut: Cut, owner: nn.Module) -> TrainJob | None:
    """The job of the rest, on the outputs of the first part; None where these are large.

    Parameters
    ----------
    job : TrainJob
    cut : Cut
    owner : torch.nn.Module
        The pretrained network: outputs are kept for later fits as long as it is.
    """
    n_rows = job.rows.x.shape[0]
    one = raw_outputs(cut.first, _rows(job.rows.x)[: min(2, n_rows)])
    n_in = max(1, int(np.prod(job.rows.x.shape[1:])))
    if one[0].numel() > _LARGEST_GROWTH * n_in:
        return None
    rows = _of_part(job.rows, cut, owner)
    validation = job.validation
    if validation is not None:
        shared = rows.x if validation.x is job.rows.x else None
        validation = _of_part(validation, cut, owner, shared)
    key, monitor, whole = job.architecture_key, job.monitor, job.module
    return job.with_part(
        cut.rest,
        rows=rows,
        validation=validation,
        architecture_key=None if key is None else (key, "from", cut.place),
        monitor=None if monitor is None else lambda _: monitor(whole.eval()),
    )


def _of_part(rows: Rows, cut: Cut, owner: nn.Module, shared: Any = None) -> Rows:
    x = outputs(cut, _rows(rows.x), owner) if shared is None else shared
    return dataclasses.replace(rows, x=x)


def _rows(x: Any) -> Any:
    return x.cpu().numpy() if isinstance(x, Tensor) else x


# By pretrained network, by first part and by row: outputs, the oldest first.
_kept: WeakKeyDictionary[nn.Module, dict[bytes, dict[bytes, Tensor]]]
_kept = WeakKeyDictionary()
_lock = threading.Lock()


def outputs(cut: Cut, x: Any, owner: nn.Module) -> Tensor:
    """Outputs of the first part, (n_rows, ...); of rows seen before, those kept."""
    if not isinstance(x, np.ndarray):
        return raw_outputs(cut.first, x).clone()
    keys = [hashlib.blake2b(row, digest_size=16).digest() for row in _bytes(x)]
    with _lock:
        store = _kept.setdefault(owner, {}).setdefault(_digest(cut.first), {})
        known = {key: store[key] for key in keys if key in store}
        missing = {key: i for i, key in enumerate(keys) if key not in known}
        if missing:
            new = raw_outputs(cut.first, x[list(missing.values())]).clone()
            known.update(zip(missing, new, strict=True))
            size = new[0].numel() * new.element_size()
            if (len(store) + len(missing)) * size <= _KEPT_BYTES:
                store.update({key: known[key] for key in missing})
    return torch.stack([known[key] for key in keys])


def _bytes(x: np.ndarray) -> Any:
    flat = np.ascontiguousarray(x).reshape(len(x), -1)
    return flat.view(np.uint8)


def _digest(first: nn.Module) -> bytes:
    """What a first part computes: its layers and values, in its dtype."""
    digest = hashlib.blake2b(repr(first).encode(), digest_size=16)
    for name, value in first.state_dict().items():
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(value.cpu().numpy()).tobytes())
    digest.update(str(device_of(first)).encode())
    return digest.digest()
