"""Where a fit computes, in which dtype, and on how many threads."""

import math
import os
import re
import threading
from contextlib import AbstractContextManager, nullcontext
from itertools import chain
from typing import Any

import torch
from torch import nn

from sklearn_deep.data._ragged import Ragged
from sklearn_deep.exceptions import InvalidParameterError

DEVICES = ("auto", "cpu", "cuda", "mps")

# Devices of several processes. torch reads "cpu:2" as one device with a number, so a
# number of them is written as a product.
SEVERAL = "'cuda:all', or 'cpu*N' or 'cuda*N' for N >= 2 processes"
_ALL = "cuda:all"
_PRODUCT = re.compile(r"(cpu|cuda)\*([1-9]\d{0,3})")

# Below this many multiply-adds per step, a second thread saves little time and changes
# the last bits of float32 products.
_SMALL_STEP = 2e8


def device_of(module: nn.Module) -> torch.device:
    """The device of a module's first parameter or buffer."""
    return next(chain(module.parameters(), module.buffers())).device


def is_several(name: Any) -> bool:
    """Whether ``device=`` names several processes."""
    if not isinstance(name, str):
        return False
    product = _PRODUCT.fullmatch(name)
    return name == _ALL or (product is not None and int(product[2]) > 1)


def n_ranks_of(owner: str, name: str) -> int:
    """Number of processes that ``device=`` asks a fit to start, with this one; 1 for none.

    Raises
    ------
    InvalidParameterError
        For more GPUs than there are.
    """
    if not is_several(name):
        return 1
    n_gpus = torch.cuda.device_count()
    product = _PRODUCT.fullmatch(name)
    n_ranks = n_gpus if product is None else int(product[2])
    if name.startswith("cuda") and n_ranks > n_gpus:
        raise InvalidParameterError(
            f"The 'device' parameter of {owner} is {name!r}, and torch sees {n_gpus} GPUs"
            " here. device='cuda:all' takes all of them, one for each process."
        )
    return max(1, n_ranks)


def resolve_device(owner: str, name: str) -> torch.device:
    """The device that ``device=`` names; ``"auto"`` takes an accelerator if any.

    Where torchrun has started several processes, each has its own GPU.
    """
    name = re.split("[*:]", name)[0] if is_several(name) else name
    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        name = next(kind for kind, here in there.items() if here)
    if not there[name]:
        have = ", ".join(repr(kind) for kind, here in there.items() if here)
        raise InvalidParameterError(
            f"The 'device' parameter of {owner} is {name!r}, and torch sees no such"
            f" device here. There is: {have}. device='auto' takes the best of them."
        )
    local = int(os.environ.get("LOCAL_RANK") or 0)
    if name != "cuda" or not local:
        return torch.device(name)
    if local >= torch.cuda.device_count():
        raise InvalidParameterError(
            f"{owner} cannot use a GPU for each process: this is process {local}, counted"
            f" from 0, and torch sees {torch.cuda.device_count()} GPUs here. Start as many"
            " processes as there are GPUs (torchrun --nproc-per-node), or set"
            " device='cpu'."
        )
    return torch.device("cuda", local)


class _OneThread:
    """Limits torch to one thread while at least one fit in this process needs that."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._before = 1

    def __enter__(self) -> None:
        with self._lock:
            if self._users == 0:
                self._before = torch.get_num_threads()
            self._users += 1
            torch.set_num_threads(1)

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                torch.set_num_threads(self._before)


one_thread = _OneThread()

# Another thread may hold the lock when a process is forked, and is not in the child.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=one_thread.__init__)  # type: ignore[misc]


def threads_for(
    multiply_adds: float, device: torch.device, float64_kernels: bool = False
) -> AbstractContextManager[None]:
    """Context that limits torch to one thread if a step has few multiply-adds.

    For small steps one thread is as fast, and float32 results then do not depend on the
    number of torch's threads (joblib's workers have fewer than the main process).
    Float64 convolutions are computed as many small matrix products, in which threads
    would wait longer than they compute.
    """
    if device.type == "cpu" and (multiply_adds < _SMALL_STEP or float64_kernels):
        return one_thread
    return nullcontext()


def step_multiply_adds(module: nn.Module, batch_size: int, x: Any) -> float:
    """Approximate multiply-adds of a training step: three forward passes."""
    return 3.0 * batch_size * _row_multiply_adds(module, x)


def _row_multiply_adds(module: nn.Module, x: Any) -> float:
    """Approximate multiply-adds of the forward pass for one row of ``x``."""
    positions = int_attribute(module, "positions")
    if positions is None or not isinstance(x, Ragged):
        return multiply_adds(module)
    return multiply_adds(module) * float(x.lengths.mean()) / positions


def multiply_adds(module: nn.Module) -> int:
    """Multiply-adds per row: the network's attribute, else its number of parameters."""
    said = int_attribute(module, "multiply_adds")
    return said if said is not None else sum(p.numel() for p in module.parameters())


def int_attribute(module: nn.Module, name: str) -> int | None:
    """An attribute if it is an integer; a user's module may have anything there."""
    value = getattr(module, name, None)
    return value if isinstance(value, int) else None


# Files with a container's memory limit and usage: cgroups version 2, then version 1.
_CGROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
    ),
)


def available_memory() -> float:
    """Bytes of main memory that are free; infinite where the system does not tell."""
    try:
        free = float(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, OSError, ValueError):
        free = math.inf
    return min([free, *(_left_in_container(*files) for files in _CGROUPS)])


def _left_in_container(limit: str, used: str) -> float:
    """Bytes that a container may still use; infinite where it has no limit."""
    try:
        with open(limit) as most, open(used) as now:
            return max(0.0, float(most.read()) - float(now.read()))
    except (OSError, ValueError):  # no such file, or "max"
        return math.inf
