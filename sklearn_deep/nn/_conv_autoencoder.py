"""Convolutional autoencoders."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from sklearn_deep.data._layout import Layout
from sklearn_deep.nn._convolutions import CONVOLUTIONS, Flatten, Kit
from sklearn_deep.nn._layout import Arrange
from sklearn_deep.nn._stages import Stages

# Kernel size of the last convolution, whose outputs are the channels of the row.
_KERNEL = 3


class Restore(nn.Module):
    """Bring (batch, channels, ...) into the user's order, as rows of numbers.

    Shape: (batch, n_channels, *spatial) -> (batch, n_values)

    Parameters
    ----------
    layout : Layout
    """

    def __init__(self, layout: Layout):
        super().__init__()
        self.layout = layout

    def forward(self, x: Tensor) -> Tensor:
        """Rearrange the axes, and flatten the rows."""
        return self.layout.restore(x).reshape(x.shape[0], -1)


class ConvAutoencoder(nn.Module):
    """Convolutions and pooling to a linear code, and the same steps backwards.

    Shape: (batch, *row_shape) -> (batch, n_values)

    Parameters
    ----------
    layout : mapping
        Plain form of a ``Layout``.
    n_outputs : int
        Number of values of a row.
    conv_channels, kernel_size : sequence of int
        One per block of the encoder.
    pool_size : int
        Adjacent positions that are pooled to one after each block.
    code_size : int
    activation, activation_params, normalization
        As in ``CNN``.

    Attributes
    ----------
    multiply_adds, units : int
        Multiply-adds and output values per row of the forward pass.
    """

    def __init__(
        self,
        *,
        layout: Mapping[str, Any],
        n_outputs: int,
        conv_channels: Sequence[int],
        kernel_size: Sequence[int],
        pool_size: int,
        code_size: int,
        activation: str,
        activation_params: Mapping[str, Any],
        normalization: str | None,
    ):
        super().__init__()
        where = Layout(**layout)
        self.arrange = Arrange(where)
        kit = Kit(where.spatial, normalization, activation, activation_params)
        width, blocks, sizes = where.n_channels, [], []
        for channels, kernel in zip(conv_channels, kernel_size, strict=True):
            sizes.append(kit.spatial)
            block = kit.block(width, channels, kernel)
            blocks.append(kit.pooled(block, "max", pool_size))
            width = channels
        self.narrowing = nn.Sequential(*blocks)
        narrow = width * math.prod(kit.spatial)
        self.code = nn.Sequential(Flatten(), nn.Linear(narrow, code_size))
        self.spread = nn.Sequential(
            nn.Linear(code_size, narrow),
            kit.activation(),
            nn.Unflatten(1, (width, *kit.spatial)),
        )
        blocks = []
        widths = [conv_channels[0], *conv_channels[:-1]]
        for channels, kernel, size in zip(
            reversed(widths), reversed(kernel_size), reversed(sizes), strict=True
        ):
            kit.spatial = size
            larger = nn.Upsample(size=size if len(size) > 1 else size[0])
            blocks.append(nn.Sequential(larger, *kit.block(width, channels, kernel)))
            width = channels
        self.widening = nn.Sequential(*blocks)
        self.output = CONVOLUTIONS[len(where.spatial)](
            width, where.n_channels, _KERNEL, padding=_KERNEL // 2
        )
        self.restore = Restore(where)
        self.multiply_adds = kit.multiply_adds + 2 * narrow * code_size
        self.units = kit.units + 2 * narrow + n_outputs

    def encoder(self) -> Stages:
        """The stages up to the code."""
        blocks = [(f"narrowing.{i}", block) for i, block in enumerate(self.narrowing)]
        return [("arrange", self.arrange), *blocks, ("code", self.code)]

    def decoder(self) -> Stages:
        """The stages from the code on."""
        blocks = [(f"widening.{i}", block) for i, block in enumerate(self.widening)]
        last = [("output", self.output), ("restore", self.restore)]
        return [("spread", self.spread), *blocks, *last]

    def stages(self) -> Stages:
        """The consecutive stages with their names."""
        return [*self.encoder(), *self.decoder()]

    def forward(self, x: Tensor) -> Tensor:
        """Map rows to their reconstruction."""
        code = self.code(self.narrowing(self.arrange(x)))
        return self.restore(self.output(self.widening(self.spread(code))))
