"""The first layer of networks that read images and series."""

import torch
from torch import Tensor, nn

from sklearn_deep.data._layout import Layout

# Pixels of 8 bits become numbers in [0, 1].
_WHITE = 255


class Arrange(nn.Module):
    """Bring rows from the user's layout into (batch, channels, ...).

    Shape: (batch, *row_shape) -> (batch, n_channels, *spatial)

    Parameters
    ----------
    layout : Layout
        With ``pixels``, rows of uint8 are scaled; floats, which an augmentation has
        made of them already, are left alone.

    Attributes
    ----------
    under_vmap : bool
        Whether ``torch.func.vmap`` hides the values of lengths from ``forward``.
    """

    scale: Tensor
    under_vmap: bool = False

    def __init__(self, layout: Layout):
        super().__init__()
        self.layout = layout
        if layout.pixels:
            # A buffer: it tells the dtype of the network.
            self.register_buffer("scale", torch.empty(()))

    def reset_parameters(self) -> None:
        """Set the scale of pixels; called for a network that was built on ``meta``."""
        if self.layout.pixels:
            self.scale.fill_(1 / _WHITE)

    def extra_repr(self) -> str:
        """Show what goes in and what comes out."""
        layout = self.layout
        return f"{layout.row_shape} -> {(layout.n_channels, *layout.spatial)}"

    def forward(self, x: Tensor) -> Tensor:
        """Rearrange the axes."""
        if x.dtype == torch.uint8:
            x = x.to(self.scale.dtype) * self.scale
        return self.layout.canonical(x)


def as_floats(x: Tensor, dtype: torch.dtype) -> Tensor:
    """8-bit pixels as floats in [0, 1], as ``Arrange`` scales them."""
    if x.dtype != torch.uint8:
        return x
    return x.to(dtype) * torch.tensor(1 / _WHITE, dtype=dtype, device=x.device)
