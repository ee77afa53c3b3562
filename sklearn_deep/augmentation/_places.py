"""Shifts and resampling along an axis of images and series."""

import torch
from torch import Tensor


def moved(x: Tensor, axis: int, steps: Tensor, padding_mode: str) -> Tensor:
    """Shift each row along an axis by its own integer number of steps.

    Parameters
    ----------
    x : Tensor of shape (n, ...)
    axis : int
        Any axis but the first.
    steps : Tensor of shape (n,), integers
        Steps towards the end.
    padding_mode : {"zeros", "border", "reflection", "circular"}
        How values from outside are filled.
    """
    size = x.shape[axis]
    place = torch.arange(size, device=x.device) - steps[:, None]  # (n, size)
    found = gathered(x, axis, _INSIDE[padding_mode](place, size))
    if padding_mode != "zeros":
        return found
    outside = (place < 0) | (place >= size)
    return found.masked_fill(_along(outside, x, axis), 0)


def gathered(x: Tensor, axis: int, place: Tensor) -> Tensor:
    """Gather values along an axis at indices (n, size) that differ per row."""
    shape = list(x.shape)
    shape[axis] = place.shape[1]
    return x.gather(axis, _along(place, x, axis).expand(shape))


def resampled(x: Tensor, place: Tensor) -> Tensor:
    """Read series (n, channel, time) at fractional positions (n, time).

    Interpolates linearly, and is differentiable in ``place``.
    """
    left = place.floor().clamp(0, max(x.shape[-1] - 2, 0))
    share = (place - left)[:, None]  # (n, 1, time)
    start = left.long()
    after = (start + 1).clamp_max(x.shape[-1] - 1)
    return torch.lerp(gathered(x, 2, start), gathered(x, 2, after), share)


def _along(values: Tensor, x: Tensor, axis: int) -> Tensor:
    """Reshape (n, size) to broadcast against ``x``, with ``size`` along the axis."""
    shape = [1] * x.ndim
    shape[0], shape[axis] = values.shape
    return values.view(shape)


def _clamped(place: Tensor, size: int) -> Tensor:
    return place.clamp(0, size - 1)


def _reflected(place: Tensor, size: int) -> Tensor:
    # Mirrored at the outermost values, which are not repeated.
    period = max(2 * (size - 1), 1)
    place = place.remainder(period)
    return torch.minimum(place, (period - place).clamp_min(0)).clamp_max(size - 1)


_INSIDE = {
    "zeros": _clamped,
    "border": _clamped,
    "reflection": _reflected,
    "circular": lambda place, size: place.remainder(size),
}
