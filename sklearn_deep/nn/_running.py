"""How a network runs while we train and predict: in place, and with fast functions."""

from typing import Any

from torch import nn

from sklearn_deep.nn._fast_float64 import FastFloat64, gains
from sklearn_deep.nn._in_place import InPlace

_FAST = FastFloat64()


class Running:
    """Inside, a network works in place where it may, and on fast float64 functions.

    Parameters
    ----------
    module : torch.nn.Module
        Layers that it gets later stay as they are.
    """

    def __init__(self, module: nn.Module):
        self._in_place = InPlace(module)
        self._gains = gains(module)

    def __enter__(self) -> None:
        self._in_place.__enter__()
        if self._gains:
            _FAST.__enter__()

    def __exit__(self, *exception: Any) -> None:
        if self._gains:
            _FAST.__exit__(*exception)
        self._in_place.__exit__(*exception)
