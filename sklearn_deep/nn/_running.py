"""How a network runs in training and prediction: in place, and with fast functions."""

from functools import cache
from typing import Any

import torch
from torch import nn

from sklearn_deep.nn._fast_float64 import FastFloat64, has_float64_kernels
from sklearn_deep.nn._in_place import InPlace

_FAST = FastFloat64()


@cache
def _keep_freed_memory() -> None:
    """Let the C library keep what a step frees for the next one, once per process.

    glibc returns freed memory to the system beyond a threshold, and the next step then
    waits for every page again: a tenth of a float64 step on images. The threshold grows
    with the largest block that was freed, up to 32 MiB; this block is never written to.
    """
    torch.empty((32 << 20) - (1 << 16), dtype=torch.uint8)


class Running:
    """Context in which a network works in place and on fast float64 functions.

    Parameters
    ----------
    module : torch.nn.Module
        Layers that are added later are not affected.

    Attributes
    ----------
    float64_kernels : bool
        Whether the network has any, on a CPU.
    """

    def __init__(self, module: nn.Module):
        self._in_place = InPlace(module)
        self.float64_kernels = has_float64_kernels(module)
        if self.float64_kernels:
            _keep_freed_memory()

    def __enter__(self) -> None:
        self._in_place.__enter__()
        if self.float64_kernels:
            _FAST.__enter__()

    def __exit__(self, *exception: Any) -> None:
        if self.float64_kernels:
            _FAST.__exit__(*exception)
        self._in_place.__exit__(*exception)
