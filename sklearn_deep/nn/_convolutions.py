"""Parts of convolutional networks, over one or two axes.

Every part is made by a ``Kit``, which knows the number of axes, the activation and the
normalisation, and counts what the network costs.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sklearn_deep.nn._activations import ACTIVATIONS
from sklearn_deep.nn._mlp import BatchNorm


class Convolution2d(nn.Conv2d):
    """A convolution whose weights stay in the memory format ``channels_last``.

    torch then computes in that format, which on a CPU is 1.5 times as fast in float32.

    Shape: (batch, n_in, height, width) -> (batch, n_out, height, width)

    Attributes
    ----------
    under_vmap : bool
        Whether ``torch.func.vmap``, which has orders of its own, calls ``forward``.
    """

    under_vmap: bool = False

    def forward(self, x: Tensor) -> Tensor:
        """Convolve."""
        weight = self.weight
        if weight.dtype == torch.float32 and not self.under_vmap:
            weight = weight.movedim(1, -1).contiguous().movedim(-1, 1)
            if (
                self.in_channels == 1
            ):  # of which torch knows no order, unless it is told
                height, width = weight.shape[2:]
                strides = (height * width, 1, width, 1)
                weight = weight.as_strided(weight.shape, strides)
        return F.conv2d(
            x,
            weight,
            self.bias,
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
        )


CONVOLUTIONS: dict[int, Any] = {1: nn.Conv1d, 2: Convolution2d}
MAX_POOLS: dict[int, Any] = {1: nn.MaxPool1d, 2: nn.MaxPool2d}
AVERAGE_POOLS: dict[int, Any] = {1: nn.AvgPool1d, 2: nn.AvgPool2d}
PADS: dict[int, Any] = {1: nn.ConstantPad1d, 2: nn.ConstantPad2d}

# Max pooling before these layers gives the same values, and costs a fourth.
_MONOTONE = (nn.ReLU,)


class ChannelNorm(nn.Module):
    """Layer normalisation over the channels and positions of a row.

    Shape: (batch, channels, ...); the output has the shape of the input.
    """

    eps = 1e-5

    def __init__(self, n_channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_channels))
        self.bias = nn.Parameter(torch.empty(n_channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Reset to normalisation without scale and shift."""
        nn.init.ones_(self.weight)
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each row."""
        normal = F.layer_norm(x, x.shape[1:], eps=self.eps)
        shape = (-1,) + (1,) * (x.ndim - 2)
        return normal * self.weight.view(shape) + self.bias.view(shape)


CHANNEL_NORMALIZATIONS: dict[str, type[nn.Module]] = {
    "batch": BatchNorm,
    "layer": ChannelNorm,
}


class GlobalPool(nn.Module):
    """The mean or the largest value of each channel.

    Shape: (batch, channels, ...) -> (batch, channels)
    """

    def __init__(self, how: str):
        super().__init__()
        self.how = how

    def extra_repr(self) -> str:
        """Show which."""
        return self.how

    def forward(self, x: Tensor) -> Tensor:
        """Pool over all positions."""
        flat = x.flatten(2)
        return flat.mean(-1) if self.how == "average" else flat.amax(-1)


class Flatten(nn.Module):
    """All values of a row. Shape: (batch, ...) -> (batch, n_values)."""

    def forward(self, x: Tensor) -> Tensor:
        """Flatten the rows."""
        return x.flatten(1)


class Subsample(nn.Module):
    """Every ``stride``-th position along each axis.

    In front of a convolution of size 1 it replaces the stride of that convolution:
    torch 2.13 writes out of bounds in the backward pass of strided ones on
    channels-last rows.

    Shape: (batch, channels, ...) -> (batch, channels, ...)
    """

    def __init__(self, stride: int, n_axes: int):
        super().__init__()
        self.stride, self.n_axes = stride, n_axes

    def extra_repr(self) -> str:
        """Show the stride."""
        return str(self.stride)

    def forward(self, x: Tensor) -> Tensor:
        """Leave the other positions out."""
        every = slice(None, None, self.stride)
        return x[:, :, every] if self.n_axes == 1 else x[:, :, every, every]


class Residual(nn.Module):
    """Layers, their input added to their output, and perhaps an activation.

    Shape: (batch, n_in, ...) -> (batch, n_out, ...)

    References
    ----------
    He et al., "Deep residual learning for image recognition", arXiv:1512.03385.
    """

    def __init__(
        self, layers: nn.Module, shortcut: nn.Module, after: nn.Module | None = None
    ):
        super().__init__()
        self.layers, self.shortcut = layers, shortcut
        self.after = nn.Identity() if after is None else after

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layers and add the shortcut."""
        return self.after(self.layers(x) + self.shortcut(x))


class Branches(nn.Module):
    """Several layers on the same input, their channels side by side.

    Shape: (batch, n_in, ...) -> (batch, sum of the branches' channels, ...)
    """

    def __init__(self, branches: Sequence[nn.Module]):
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        """Apply every branch."""
        return torch.cat([branch(x) for branch in self.branches], 1)


class Kit:
    """Builds layers of one style, and counts their cost.

    Parameters
    ----------
    spatial : tuple of int
        Positions of the input; updated as layers are built.
    normalization : {None, "batch", "layer"}
    activation : str
        A name in ``ACTIVATIONS``.
    activation_params : mapping

    Attributes
    ----------
    multiply_adds, units : int
        Multiply-adds and output values per row of the forward pass, so far.
    """

    def __init__(
        self,
        spatial: tuple[int, ...],
        normalization: str | None,
        activation: str,
        activation_params: Mapping[str, Any],
    ):
        self.spatial = tuple(spatial)
        self.normalization = normalization
        self._activation = ACTIVATIONS[activation].module
        self._params = activation_params
        self.multiply_adds = self.units = 0

    def activation(self) -> nn.Module:
        """A new activation module."""
        return self._activation(**self._params)

    def normalized(self, n_channels: int) -> list[nn.Module]:
        """Normalisation, if there is any."""
        if self.normalization is None:
            return []
        return [CHANNEL_NORMALIZATIONS[self.normalization](n_channels)]

    def convolution(
        self, n_in: int, n_out: int, size: int, stride: int = 1
    ) -> list[nn.Module]:
        """A convolution from every ``stride``-th position, the edges padded with zeros."""
        n_axes = len(self.spatial)
        self.spatial = tuple(-(-n // stride) for n in self.spatial)
        if size == 1 and stride > 1:
            return [Subsample(stride, n_axes), *self.convolution(n_in, n_out, 1)]
        layers: list[nn.Module] = []
        padding = size // 2
        if size % 2 == 0:  # one more at the end than at the start
            layers, padding = (
                [PADS[n_axes]((size // 2 - 1, size // 2) * n_axes, 0.0)],
                0,
            )
        # Batch normalisation subtracts what a bias would add.
        bias = self.normalization != "batch"
        convolution = CONVOLUTIONS[n_axes](
            n_in, n_out, size, stride=stride, padding=padding, bias=bias
        )
        positions = math.prod(self.spatial)
        self.multiply_adds += positions * convolution.weight.numel()
        self.units += positions * n_out * (2 if self.normalization else 1)
        return [*layers, convolution]

    def block(self, n_in: int, n_out: int, size: int, stride: int = 1) -> nn.Sequential:
        """Convolution, normalisation, activation."""
        return nn.Sequential(
            *self.convolution(n_in, n_out, size, stride),
            *self.normalized(n_out),
            self.activation(),
        )

    def shortcut(self, n_in: int, n_out: int, stride: int = 1) -> nn.Module:
        """The shortcut around the next layers: identity, or a convolution of size 1."""
        if n_in == n_out and stride == 1:
            return nn.Identity()
        before = self.spatial
        layers = self.convolution(n_in, n_out, 1, stride)
        self.spatial = before
        return nn.Sequential(*layers, *self.normalized(n_out))

    def pool(self, how: str | None, size: int) -> list[nn.Module]:
        """Pooling of neighbours; axes shorter than ``size`` are pooled to one."""
        if how is None:
            return []
        window = tuple(min(size, n) for n in self.spatial)
        self.spatial = tuple(n // w for n, w in zip(self.spatial, window, strict=True))
        pools = MAX_POOLS if how == "max" else AVERAGE_POOLS
        shape: Any = window if len(window) == 2 else window[0]
        layer: nn.Module = pools[len(window)](shape)
        return [layer]

    def pooled(
        self, layers: nn.Sequential, how: str | None, size: int
    ) -> nn.Sequential:
        """Layers that end in an activation, with pooling of adjacent positions."""
        pool = self.pool(how, size)
        if how == "max" and isinstance(layers[-1], _MONOTONE):
            return nn.Sequential(*list(layers)[:-1], *pool, layers[-1])
        return nn.Sequential(*layers, *pool)
