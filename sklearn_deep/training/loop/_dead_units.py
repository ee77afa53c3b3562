"""Units of ReLU layers that are 0 on all rows: without a gradient they never recover."""

from typing import Any

import torch
from torch import Tensor, nn

# A layer counts where more than this share of its units are dead, of so many at least.
# Sound fits of the benchmark reach 0.66, without loss.
_SHARE, _FEWEST = 0.85, 8


def has_dead_layer(module: nn.Module, x: Any) -> bool:
    """Tell whether nearly all units of a ReLU layer are 0 on all of these rows.

    Parameters
    ----------
    module : torch.nn.Module
        In evaluation mode.
    x : Tensor or Padded
        Rows as the module takes them. Units are on axis 1 of what its ReLU layers give.
    """
    layers = [child for child in module.modules() if type(child) is nn.ReLU]
    if not layers:
        return False
    shares: list[Tensor] = []
    handles = [layer.register_forward_hook(_adding_to(shares)) for layer in layers]
    try:
        with torch.inference_mode():
            module(x)
    finally:
        for handle in handles:
            handle.remove()
    return bool(shares) and float(torch.stack(shares).max()) > _SHARE


def _adding_to(shares: list[Tensor]):
    """A hook that adds the share of dead units of a layer."""

    def hook(layer: nn.Module, inputs: Any, output: Tensor) -> None:
        if output.ndim < 2 or output.shape[1] < _FEWEST:
            return
        most = output.movedim(1, 0).flatten(1).amax(1)  # (units,)
        shares.append((most <= 0).float().mean())

    return hook
