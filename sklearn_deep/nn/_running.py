"""How a network runs while we train and predict: in place, and with fast functions."""

from typing import Any

from torch import nn

from sklearn_deep.nn._fast_float64 import FastFloat64, has_float64_kernels
from sklearn_deep.nn._in_place import InPlace

_FAST = FastFloat64()


class Running:
    """Inside, a network works in place where it may, and on fast float64 functions.

    Parameters
    ----------
    module : torch.nn.Module
        Layers that it gets later stay as they are.

    Attributes
    ----------
    float64_kernels : bool
        Whether the network has any, on a CPU.
    """

    def __init__(self, module: nn.Module):
        self._in_place = InPlace(module)
        self.float64_kernels = has_float64_kernels(module)

    def __enter__(self) -> None:
        self._in_place.__enter__()
        if self.float64_kernels:
            _FAST.__enter__()

    def __exit__(self, *exception: Any) -> None:
        if self.float64_kernels:
            _FAST.__exit__(*exception)
        self._in_place.__exit__(*exception)
