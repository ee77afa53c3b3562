"""A batch whose rows several processes share, and normalisation over all of its rows.

Each process has some rows of a batch. Layers that treat rows one by one need not know;
batch normalisation has to take the moments of all rows, and its gradient the sums over all.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode


class Across(Protocol):
    """The batch of which this process has some rows.

    Attributes
    ----------
    n_rows : int
        Rows of all processes.
    counts : bool
        Whether this process has rows of its own. If not, its layers see a row that belongs
        to another process.
    """

    @property
    def n_rows(self) -> int: ...

    @property
    def counts(self) -> bool: ...

    def gather(self, tensor: Tensor) -> Tensor:
        """Stack a tensor of each process, (n_processes, ...)."""

    def add_up(self, tensor: Tensor) -> None:
        """Replace a tensor by its sum over the processes."""


class _Here(threading.local):
    across: Across | None = None


_here = _Here()


def current_across() -> Across | None:
    """The shared batch that this thread computes a gradient of, if any."""
    return _here.across


@contextmanager
def sharing_batch(across: Across) -> Iterator[None]:
    """Let the layers that are used within know that the batch is shared."""
    _here.across = across
    try:
        yield
    finally:
        _here.across = None


def has_variance(x: Tensor) -> bool:
    """Whether each channel has two values, in the rows of all processes."""
    across = _here.across
    if across is None:
        return x.numel() > x.shape[1]
    return across.n_rows * x[:1].numel() > x.shape[1]


class Moments(NamedTuple):
    """Number of values per channel in all rows, (); mean and variance, (n_channels,)."""

    number: Tensor
    mean: Tensor
    var: Tensor


@torch.no_grad()
def moments_of_all(x: Tensor, inside: Tensor | None, across: Across) -> Moments:
    """Moments of each channel over the rows of all processes, in one message.

    Parameters
    ----------
    x : Tensor of shape (n_rows, n_channels, ...)
    inside : Tensor or None
        1 for the values that count, 0 for others; it is broadcast to ``x``.
    across : Across
    """
    dims, n_channels = _but_channels(x), x.shape[1]
    of_all = torch.ones_like(x) if inside is None else inside.expand_as(x)
    number = of_all.sum(dims)[0] * float(across.counts)
    mean = (x * of_all).sum(dims) / number.clamp(min=1)
    squares = ((x - _over(mean, x)) * of_all).square().sum(dims)
    parts = across.gather(torch.cat([number[None], mean, squares]))
    numbers, means, squares = parts.split([1, n_channels, n_channels], 1)
    counted = numbers > 0  # a process without rows has another one's mean
    means, squares = means.where(counted, 0.0), squares.where(counted, 0.0)
    total = numbers.sum()
    mean = (numbers * means).sum(0) / total.clamp(min=1)
    # Chan, Golub and LeVeque: moments of parts give those of the whole, without a
    # difference of large numbers.
    spread = (squares + numbers * (means - mean).square()).sum(0)
    return Moments(total, mean, spread / total.clamp(min=1))


def update_running(
    moments: Moments, mean: Tensor | None, var: Tensor | None, momentum: float
) -> None:
    """Move running moments towards those of a batch, as torch does."""
    if mean is None or var is None:
        return
    number = moments.number
    unbiased = moments.var * (number / (number - 1).clamp(min=1))
    mean.lerp_(moments.mean, momentum)
    var.lerp_(unbiased, momentum)


def gradient_by_input(
    g: Tensor, normal: Tensor, scale: Tensor, number: Tensor, across: Across
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of a normalisation by its input, weight and bias.

    Parameters
    ----------
    g : Tensor of shape (n_rows, n_channels, ...)
        Gradient by the output.
    normal : Tensor of the same shape
        Normalised values.
    scale : Tensor of shape (n_channels,)
        By which a centred value is multiplied.
    number : Tensor of shape ()
    across : Across

    Returns
    -------
    by_input : Tensor of the shape of ``g``
    by_weight, by_bias : Tensor of shape (n_channels,)
        From the own rows only.
    """
    dims = _but_channels(g)
    by_bias, by_weight = g.sum(dims), (g * normal).sum(dims)
    sums = torch.stack([by_bias, by_weight]) * float(across.counts)
    across.add_up(sums)
    mean_g, mean_product = sums / number
    back = g - _over(mean_g, g) - normal * _over(mean_product, g)
    return back * _over(scale, g), by_weight, by_bias


class NormalizedAcross(torch.autograd.Function):
    """Normalise each channel over the rows of all processes, scale and shift it.

    ``apply(x, weight, bias, moments, inside, eps, across)`` with x (n, channels, ...).
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        moments: Moments,
        inside: Tensor | None,
        eps: float,
        across: Across,
    ) -> Tensor:
        """Normalise."""
        inverse = torch.rsqrt(moments.var + eps)
        normal = (x - _over(moments.mean, x)) * _over(inverse, x)
        normal = normal if inside is None else normal * inside
        scale = inverse if weight is None else inverse * weight
        ctx.save_for_backward(normal, scale, moments.number, inside)
        ctx.across, ctx.affine = across, (weight is not None, bias is not None)
        out = normal if weight is None else normal * _over(weight, x)
        return out if bias is None else out + _over(bias, x)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """Map the gradient by the output to those by values, weight and bias."""
        normal, scale, number, inside = ctx.saved_tensors
        g = g if inside is None else g * inside
        back, by_weight, by_bias = gradient_by_input(
            g, normal, scale, number, ctx.across
        )
        back = back if inside is None else back * inside
        has_weight, has_bias = ctx.affine
        own = by_weight if has_weight else None, by_bias if has_bias else None
        return back, *own, None, None, None, None


class NormalizesAcross(TorchFunctionMode):
    """Context in which every batch normalisation takes the moments of all processes.

    It works for the layers of this package, and for those of a user's module.
    """

    def __init__(self, across: Across):
        super().__init__()
        self._across = across

    def __torch_function__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        """Run a function; a batch normalisation in training over all rows."""
        kwargs = kwargs or {}
        if func is not F.batch_norm:
            return func(*args, **kwargs)
        out = self._normalized(*args, **kwargs)
        return func(*args, **kwargs) if out is None else out

    def _normalized(
        self,
        x: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor | None:
        """The normalised values; None where torch's own function is the right one."""
        if not training:
            return None
        moments = moments_of_all(x, None, self._across)
        if moments.number < 2:  # torch's error says so
            return None
        update_running(moments, running_mean, running_var, momentum)
        own: Tensor = NormalizedAcross.apply(  # type: ignore[no-untyped-call]
            x, weight, bias, moments, None, eps, self._across
        )
        return own


def _but_channels(x: Tensor) -> list[int]:
    return [axis for axis in range(x.ndim) if axis != 1]


def _over(of_channel: Tensor, x: Tensor) -> Tensor:
    """A value per channel, to be broadcast to ``x``."""
    return of_channel.view(-1, *(1,) * (x.ndim - 2))
