"""Convolutional networks on series of unequal length: how layers treat padding.

A batch of such series is filled up with zeros to the longest. Each kind of layer has a
rule here by which padding changes nothing: convolutions see zeros behind the end of a
series, as they do at its edges, and normalisation and pooling use true positions only.
The layers themselves stay as they are, so that a network takes series of one length and
of many, and is trained, pruned, stored and exported in one form.

Nothing depends on the values of lengths in Python: the rules run under ``torch.func.vmap``.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sklearn_deep.data._padded import Padded
from sklearn_deep.nn._across import (
    Across,
    Moments,
    NormalizedAcross,
    current_across,
    moments_of_all,
    update_running,
)
from sklearn_deep.nn._activations import ACTIVATIONS
from sklearn_deep.nn._convolutions import (
    Branches,
    ChannelNorm,
    Flatten,
    GlobalPool,
    Residual,
    Subsample,
)
from sklearn_deep.nn._layout import Arrange
from sklearn_deep.nn._masked_norm import NormalizedBatch
from sklearn_deep.nn._mlp import BatchNorm


class Series(NamedTuple):
    """A batch of series inside a network.

    Attributes
    ----------
    x : Tensor of shape (n_rows, n_channels, longest)
        Values after the end of a series have no meaning.
    lengths : Tensor of shape (n_rows,) or None
        True lengths, on the device of ``x``; None where all series are as long as ``x``.
    edged : bool
        Whether ``x`` has zeros for padding and more of them at both ends, for a
        convolution of an even size.
    """

    x: Tensor
    lengths: Tensor | None
    edged: bool = False

    def with_x(self, x: Tensor) -> "Series":
        """Other values of the same positions."""
        return self._replace(x=x)

    def inside(self) -> Tensor:
        """1 at true positions and 0 at padding, (n_rows, 1, longest)."""
        return self.outside().logical_not_().to(self.x.dtype)

    def outside(self) -> Tensor:
        """Mark the padding, (n_rows, 1, longest)."""
        assert self.lengths is not None
        place = torch.arange(self.x.shape[-1], device=self.x.device)
        return (place >= self.lengths.unsqueeze(1)).unsqueeze(1)

    def filled(self, value: float) -> Tensor:
        """The values, with ``value`` for padding."""
        if self.lengths is None or self.edged:
            return self.x
        if not value:  # several times as quick
            return self.x * self.inside()
        return self.x.masked_fill(self.outside(), value)

    def n_positions(self) -> Tensor:
        """Number of true positions of each row, (n_rows, 1, 1), 1 for empty rows."""
        assert self.lengths is not None
        return self.lengths.clamp(min=1).to(self.x.dtype).view(-1, 1, 1)


Rule = Callable[[Any, Any], Series | Tensor]


def masked_forward(stages: Iterable[nn.Module], x: Padded) -> Tensor:
    """Apply the stages of a convolutional network to series of unequal length.

    Parameters
    ----------
    stages : iterable of nn.Module
        The first is an ``Arrange``, or holds nothing else.
    x : Padded

    Returns
    -------
    Tensor of shape (n_rows, ...)

    Raises
    ------
    ValueError
        Where the last stage gives every position an output.
    """
    out: Any = x
    for stage in stages:
        out = apply(stage, out)
    if isinstance(out, Series):
        raise ValueError(NO_WIDTH)
    given: Tensor = out
    return given


NO_WIDTH = (
    "it gives each time step an output, and the series have lengths of their own. Choose a"
    " layer after the global pooling, such as layer='pool'"
)


def apply(layer: nn.Module, given: Series | Tensor) -> Series | Tensor:
    """Apply a layer by its rule; behind the global pooling as it is."""
    if isinstance(given, Tensor):
        out: Tensor = layer(given)
        return out
    for kind in type(layer).__mro__:
        if kind in RULES:
            return RULES[kind](layer, given)
    raise TypeError(
        f"{type(layer).__name__} has no rule for series of unequal length: give it one in"
        " sklearn_deep.nn._masked.RULES."
    )


def _arranged(layer: Arrange, given: Padded) -> Series:
    x, lengths = given.x, given.lengths
    if not x.shape[1]:  # layers need a position, even if no row has one
        x = F.pad(x, (0, 0, 0, 1))
    equal = not layer.under_vmap and bool((lengths == x.shape[1]).all())
    x = x.transpose(1, 2)  # (n, time, channels) -> (n, channels, time)
    return Series(x, None if equal else lengths.to(x.device))


# Layers that treat every position by itself, or only hold others.


def _pointwise(layer: nn.Module, given: Series) -> Series:
    return given.with_x(layer(given.x))


def _sequence(layer: nn.Sequential, given: Series) -> Series | Tensor:
    out: Series | Tensor = given
    for child in layer:
        out = apply(child, out)
    return out


def _residual(layer: Residual, given: Series) -> Series | Tensor:
    out, around = _of_series(layer.layers, given), _of_series(layer.shortcut, given)
    return apply(layer.after, out.with_x(out.x + around.x))


def _branches(layer: Branches, given: Series) -> Series:
    parts = [_of_series(branch, given) for branch in layer.branches]
    return parts[0].with_x(torch.cat([part.x for part in parts], 1))


def _flatten(layer: nn.Module, given: Series) -> Series:
    raise ValueError(NO_WIDTH)


def _of_series(layer: nn.Module, given: Series) -> Series:
    out = apply(layer, given)
    assert isinstance(out, Series)
    return out


# Convolutions.


def _edges(layer: nn.ConstantPad1d, given: Series) -> Series:
    return Series(layer(given.filled(0.0)), given.lengths, edged=True)


def _convolution(layer: Any, given: Series) -> Series:
    x = layer(given.filled(0.0))
    return Series(x, strided(given.lengths, layer.stride[0]))


def _subsample(layer: Subsample, given: Series) -> Series:
    return Series(layer(given.x), strided(given.lengths, layer.stride))


def strided(lengths: Tensor | None, stride: int) -> Tensor | None:
    """Lengths after a convolution with a stride."""
    if lengths is None or stride == 1:
        return lengths
    return (lengths + stride - 1) // stride


# Normalisation.


def _batch_norm(layer: BatchNorm, given: Series) -> Series:
    if given.lengths is None or not layer.training:
        return given.with_x(layer(given.x))
    across = current_across()
    if across is not None:
        return given.with_x(_batch_norm_across(layer, given, across))
    inside, number = given.inside(), given.lengths.sum().to(given.x.dtype)
    running = layer.running_mean, layer.running_var
    x, mean, var, *_ = NormalizedBatch.apply(  # type: ignore[no-untyped-call]
        given.x, layer.weight, layer.bias, *running, inside, number, layer.eps
    )
    share = (number >= 2).to(number.dtype) * (layer.momentum or 0.0)
    unbiased = var * (number / (number - 1).clamp(min=1))
    for moment, found in zip(running, (mean, unbiased), strict=True):
        moment.add_(share * (found - moment))  # type: ignore[union-attr]
    layer.num_batches_tracked.add_(torch.where(number < 2, 0, 1))  # type: ignore[union-attr]
    return given.with_x(x)


def _batch_norm_across(layer: BatchNorm, given: Series, across: Across) -> Tensor:
    inside = given.inside()
    moments = moments_of_all(given.x, inside, across)
    if moments.number < 2:  # a single position has no variance
        assert layer.running_mean is not None
        assert layer.running_var is not None
        moments = Moments(
            torch.full_like(moments.number, torch.inf),
            layer.running_mean,
            layer.running_var,
        )
    else:
        layer.num_batches_tracked.add_(1)  # type: ignore[union-attr]
        running = layer.running_mean, layer.running_var
        update_running(moments, *running, layer.momentum or 0.0)
    x: Tensor = NormalizedAcross.apply(  # type: ignore[no-untyped-call]
        given.x, layer.weight, layer.bias, moments, inside, layer.eps, across
    )
    return x


def _channel_norm(layer: ChannelNorm, given: Series) -> Series:
    if given.lengths is None:
        return given.with_x(layer(given.x))
    inside, n_channels = given.inside(), given.x.shape[1]
    number = n_channels * given.n_positions()
    mean = given.filled(0.0).sum((1, 2), keepdim=True) / number
    centred = (given.x - mean) * inside
    var = centred.square().sum((1, 2), keepdim=True) / number
    normal = centred * torch.rsqrt(var + layer.eps)
    return given.with_x(normal * layer.weight.view(-1, 1) + layer.bias.view(-1, 1))


# Pooling. A series that is shorter than the window is pooled to one position, as ``Kit``
# makes windows no longer than series of one length.


def _max_pool(layer: nn.MaxPool1d, given: Series) -> Series:
    return _pooled(layer, given, -torch.inf)


def _average_pool(layer: nn.AvgPool1d, given: Series) -> Series:
    out, size = _pooled(layer, given, 0.0), _size(layer)
    n = given.x.shape[-1] if given.lengths is None else given.n_positions()
    if isinstance(n, int):
        return out.with_x(out.x * (size / n)) if n < size else out
    # The window of a short series is filled up with zeros.
    return out.with_x(out.x * torch.where(n < size, size / n, 1.0))


def _pooled(layer: Any, given: Series, filler: float) -> Series:
    size, longest = _size(layer), given.x.shape[-1]
    x, lengths = given.filled(filler), given.lengths
    if layer.stride != 1:  # else of neighbours on both sides
        if longest < size:
            x = F.pad(x, (0, size - longest), value=filler)
        if lengths is not None:
            short = lengths < size
            lengths = torch.where(short, lengths.clamp(max=1), lengths // size)
    out = Series(layer(x), lengths)
    if lengths is None:
        return out
    # Infinite padding would make NaNs.
    return out.with_x(out.x.masked_fill(out.outside(), 0.0))


def _size(layer: Any) -> int:
    size = layer.kernel_size
    return int(size[0] if isinstance(size, tuple) else size)


def _global_pool(layer: GlobalPool, given: Series) -> Tensor:
    """Pool true positions; rows without one give zeros."""
    if given.lengths is None:
        out: Tensor = layer(given.x)
        return out
    if layer.how == "average":
        return given.filled(0.0).sum(-1) / given.n_positions().squeeze(-1)
    empty = (given.lengths == 0).unsqueeze(1)
    return given.filled(-torch.inf).amax(-1).masked_fill(empty, 0.0)


_ACTIVATIONS = {type(row.module(**row.defaults)) for row in ACTIVATIONS.values()}

RULES: dict[type[nn.Module], Rule] = {
    **dict.fromkeys(_ACTIVATIONS, _pointwise),
    Arrange: _arranged,
    nn.Identity: _pointwise,
    nn.Sequential: _sequence,
    Residual: _residual,
    Branches: _branches,
    nn.ConstantPad1d: _edges,
    nn.Conv1d: _convolution,
    Subsample: _subsample,
    BatchNorm: _batch_norm,
    ChannelNorm: _channel_norm,
    nn.MaxPool1d: _max_pool,
    nn.AvgPool1d: _average_pool,
    GlobalPool: _global_pool,
    nn.Flatten: _flatten,
    Flatten: _flatten,
}
