"""The convolutional networks, and the table of their architectures."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from sklearn_deep.data._layout import Layout
from sklearn_deep.data._padded import Padded
from sklearn_deep.nn._activations import ACTIVATIONS
from sklearn_deep.nn._convolutions import (
    MAX_POOLS,
    Branches,
    Flatten,
    GlobalPool,
    Kit,
    Residual,
)
from sklearn_deep.nn._dropout import AlphaDropout, Dropout
from sklearn_deep.nn._layout import Arrange
from sklearn_deep.nn._masked import masked_forward
from sklearn_deep.nn._mlp import NORMALIZATIONS, Block, Output


@dataclass(frozen=True)
class Style:
    """Parameters of a network's blocks.

    Attributes
    ----------
    channels, kernel_size, stride : sequence of int
        One per block.
    pooling : {None, "max", "average"}
        Pooling after each block; without it strides take its place.
    pool_size : int
    residual : bool
        Whether a plain block's input is added to its output.
    """

    channels: Sequence[int]
    kernel_size: Sequence[int]
    stride: Sequence[int]
    pooling: str | None
    pool_size: int
    residual: bool


def _plain(kit: Kit, n_in: int, style: Style, i: int) -> nn.Sequential:
    n_out, stride, size = style.channels[i], style.stride[i], style.kernel_size[i]
    if not style.residual:
        block = kit.block(n_in, n_out, size, stride)
        return kit.pooled(block, style.pooling, style.pool_size)
    shortcut = kit.shortcut(n_in, n_out, stride)
    *layers, activation = kit.block(n_in, n_out, size, stride)
    # The activation is applied to the sum.
    block = nn.Sequential(Residual(nn.Sequential(*layers), shortcut), activation)
    return kit.pooled(block, style.pooling, style.pool_size)


# Kernels of the three convolutions of a residual block over a series.
_SERIES_KERNELS = (8, 5, 3)


def _resnet(kit: Kit, n_in: int, style: Style, i: int) -> nn.Sequential:
    """Wang et al. (arXiv:1611.06455) over series, He et al. over images."""
    n_out, stride, size = style.channels[i], style.stride[i], style.kernel_size[i]
    sizes = [size] * 2
    if len(kit.spatial) == 1:
        sizes = [max(1, round(size * k / _SERIES_KERNELS[0])) for k in _SERIES_KERNELS]
    shortcut = kit.shortcut(n_in, n_out, stride)
    layers: list[nn.Module] = []
    width = n_in
    for j, of_layer in enumerate(sizes):
        layers += kit.block(width, n_out, of_layer, stride if j == 0 else 1)
        width = n_out
    last = layers.pop()
    block = Residual(nn.Sequential(*layers), shortcut, last)
    return nn.Sequential(block, *kit.pool(style.pooling, style.pool_size))


def _inception_time(kit: Kit, n_in: int, style: Style, i: int) -> nn.Sequential:
    """Ismail Fawaz et al., arXiv:1909.04939: kernels of three lengths side by side."""
    n_out, size = style.channels[i], style.kernel_size[i]
    narrow: list[nn.Module] = []
    width = n_in
    if n_in > 1:
        narrow, width = kit.convolution(n_in, n_out, 1), n_out
    lengths = [max(1, size >> k) for k in range(3)]
    kernels = [nn.Sequential(*kit.convolution(width, n_out, k)) for k in lengths]
    pooled = [MAX_POOLS[len(kit.spatial)](3, stride=1, padding=1)]
    branches = [
        nn.Sequential(*narrow, Branches(kernels)),
        nn.Sequential(*pooled, *kit.convolution(n_in, n_out, 1)),
    ]
    return nn.Sequential(
        Branches(branches), *kit.normalized(4 * n_out), kit.activation()
    )


@dataclass(frozen=True)
class Architecture:
    """A row of the table.

    Attributes
    ----------
    block : callable ``(kit, n_in, style, i) -> nn.Sequential``
        Makes block ``i``.
    channels, kernel_size : dict of int to value
        Defaults by number of axes.
    pooling, global_pooling : dict of int to value
        Likewise.
    stride, hidden : dict of int to value
        Likewise; ``hidden`` are units between pooling and output.
    widths : int
        Channels that leave a block, as a multiple of its own.
    residual_blocks : int
        Number of blocks that one residual connection goes around; 0 for none.
    """

    block: Callable[[Kit, int, Style, int], nn.Sequential]
    channels: Mapping[int, Sequence[int]]
    kernel_size: Mapping[int, Any]
    pooling: Mapping[int, str | None]
    global_pooling: Mapping[int, str | None]
    stride: Mapping[int, Any]
    hidden: Mapping[int, Sequence[int]]
    widths: int = 1
    residual_blocks: int = 0


_NO = {1: None, 2: None}
_AVERAGE = {1: "average", 2: "average"}
_ONES = {1: 1, 2: 1}
_NO_HIDDEN: dict[int, Sequence[int]] = {1: (), 2: ()}

ARCHITECTURES: dict[str, Architecture] = {
    "plain": Architecture(
        _plain,
        channels={1: (64, 128), 2: (32, 64)},
        kernel_size={1: 5, 2: 3},
        pooling={1: "max", 2: "max"},
        global_pooling={1: "average", 2: None},
        stride=_ONES,
        hidden={1: (), 2: (128,)},
    ),
    "resnet": Architecture(
        _resnet,
        channels={1: (64, 128, 128), 2: (32, 64, 128)},
        kernel_size={1: 8, 2: 3},
        pooling=_NO,
        global_pooling=_AVERAGE,
        stride={1: 1, 2: (1, 2, 2)},
        hidden=_NO_HIDDEN,
    ),
    "fcn": Architecture(
        _plain,
        channels={1: (128, 256, 128), 2: (32, 64, 32)},
        kernel_size={1: (8, 5, 3), 2: (5, 3, 3)},
        pooling=_NO,
        global_pooling=_AVERAGE,
        stride=_ONES,
        hidden=_NO_HIDDEN,
    ),
    "inception_time": Architecture(
        _inception_time,
        channels={1: (32,) * 6, 2: (16,) * 3},
        kernel_size={1: 40, 2: 7},
        pooling=_NO,
        global_pooling=_AVERAGE,
        stride=_ONES,
        hidden=_NO_HIDDEN,
        widths=4,
        residual_blocks=3,
    ),
}


def _blocks(
    kit: Kit, row: Architecture, style: Style, width: int
) -> tuple[nn.Sequential, int]:
    """All blocks of a network, and the channels that leave the last."""
    blocks: list[nn.Module] = []
    start, n_in = 0, width  # where the open residual connection begins
    for i, channels in enumerate(style.channels):
        blocks.append(row.block(kit, width, style, i))
        width = channels * row.widths
        if row.residual_blocks and (i + 1) % row.residual_blocks == 0:
            layers = nn.Sequential(*blocks[start:])
            around = Residual(layers, kit.shortcut(n_in, width), kit.activation())
            blocks[start:] = [around]
            start, n_in = len(blocks), width
    return nn.Sequential(*blocks), width


# Assumed number of positions of series of unequal length, for windows and costs.
_ANY_LENGTH = 1 << 20


class CNN(nn.Module):
    """Convolutional blocks, pooling of all positions, hidden units, a linear output.

    Shape: (batch, *row_shape), or with global pooling over series padded ones
    -> (batch, n_outputs)

    Parameters
    ----------
    layout : mapping
        Plain form of a ``Layout``; of series of unequal length that of a step.
    n_outputs : int
    architecture : str
        A name in ``ARCHITECTURES``.
    conv_channels, kernel_size, stride : sequence of int
        One per block.
    pooling, global_pooling : {None, "max", "average"}
    pool_size : int
    residual : bool
    hidden_layer_sizes : sequence of int
        Units between pooling and output.
    activation : str
    activation_params : mapping
    dropout : sequence of float
        Rates in front of each linear layer, the output included.
    normalization : {None, "batch", "layer"}

    Attributes
    ----------
    multiply_adds, units : int
        Multiply-adds and output values per row of the forward pass.
    positions : int
        Positions per row that these numbers refer to; 1 for series of unequal length.
    """

    def __init__(
        self,
        *,
        layout: Mapping[str, Any],
        n_outputs: int,
        architecture: str,
        conv_channels: Sequence[int],
        kernel_size: Sequence[int],
        stride: Sequence[int],
        pooling: str | None,
        pool_size: int,
        global_pooling: str | None,
        residual: bool,
        hidden_layer_sizes: Sequence[int],
        activation: str,
        activation_params: Mapping[str, Any],
        dropout: Sequence[float],
        normalization: str | None,
    ):
        super().__init__()
        where = Layout(**layout)
        self.arrange = Arrange(where)
        spatial = where.spatial or (_ANY_LENGTH,)
        kit = Kit(spatial, normalization, activation, activation_params)
        style = Style(conv_channels, kernel_size, stride, pooling, pool_size, residual)
        width = where.n_channels
        self.blocks, width = _blocks(kit, ARCHITECTURES[architecture], style, width)
        self.pool: nn.Module = Flatten()
        if global_pooling is None:
            width *= math.prod(kit.spatial)
        else:
            self.pool = GlobalPool(global_pooling)
        drop = AlphaDropout if ACTIVATIONS[activation].alpha_dropout else Dropout
        drops = any(rate > 0 for rate in dropout)
        self.dropout = drop(dropout[0]) if drops else nn.Identity()
        hidden = []
        for size, rate in zip(hidden_layer_sizes, dropout[1:], strict=True):
            after = (
                [] if normalization is None else [NORMALIZATIONS[normalization](size)]
            )
            after += [kit.activation(), drop(rate)] if drops else [kit.activation()]
            hidden.append(Block(width, size, after, residual))
            width = size
        self.hidden = nn.Sequential(*hidden)
        self.output = Output(width, n_outputs)
        dense = [*self.hidden.parameters(), *self.output.parameters()]
        counted = 1 if where.spatial else _ANY_LENGTH
        self.multiply_adds = kit.multiply_adds // counted
        self.multiply_adds += sum(p.numel() for p in dense)
        self.units = kit.units // counted + sum(hidden_layer_sizes) + width
        self.positions = math.prod(where.spatial)

    def stages(self) -> list[tuple[str, nn.Module]]:
        """The consecutive stages with their names."""
        blocks = [(f"blocks.{i}", block) for i, block in enumerate(self.blocks)]
        hidden = [(f"hidden.{i}", block) for i, block in enumerate(self.hidden)]
        return [
            ("arrange", self.arrange),
            *blocks,
            ("pool", self.pool),
            ("dropout", self.dropout),
            *hidden,
            ("output", self.output),
        ]

    def forward(self, x: Tensor | Padded) -> Tensor:
        """Map rows to raw outputs."""
        if isinstance(x, Padded):
            return masked_forward((stage for _, stage in self.stages()), x)
        x = self.pool(self.blocks(self.arrange(x)))
        return self.output(self.hidden(self.dropout(x)))
