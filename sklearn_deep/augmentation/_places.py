"""Values taken from other places of an image or series, with no interpolation."""

import torch
from torch import Tensor


def moved(x: Tensor, axis: int, steps: Tensor, padding_mode: str) -> Tensor:
    """Rows moved along an axis, each by its own whole number of steps.

    Parameters
    ----------
    x : Tensor of shape (n, ...)
    axis : int
        Which one, not the first.
    steps : Tensor of shape (n,), integers
        How far, towards the end.
    padding_mode : {"zeros", "border", "reflection", "circular"}
        What comes in from outside.
    """
    size = x.shape[axis]
    place = torch.arange(size, device=x.device) - steps[:, None]  # (n, size)
    found = gathered(x, axis, _INSIDE[padding_mode](place, size))
    if padding_mode != "zeros":
        return found
    outside = (place < 0) | (place >= size)
    return found.masked_fill(_along(outside, x, axis), 0)


def gathered(x: Tensor, axis: int, place: Tensor) -> Tensor:
    """Values of each row from its own places (n, size) along an axis."""
    shape = list(x.shape)
    shape[axis] = place.shape[1]
    return x.gather(axis, _along(place, x, axis).expand(shape))


def resampled(x: Tensor, place: Tensor) -> Tensor:
    """Series (n, channel, time) read at places between their values (n, time).

    Differentiable in ``place``: a straight line between two values.
    """
    left = place.floor().clamp(0, max(x.shape[-1] - 2, 0))
    share = (place - left)[:, None]  # (n, 1, time)
    start = left.long()
    after = (start + 1).clamp_max(x.shape[-1] - 1)
    return torch.lerp(gathered(x, 2, start), gathered(x, 2, after), share)


def _along(values: Tensor, x: Tensor, axis: int) -> Tensor:
    """(n, size) in a shape that goes with ``x``, size along the axis."""
    shape = [1] * x.ndim
    shape[0], shape[axis] = values.shape
    return values.view(shape)


def _clamped(place: Tensor, size: int) -> Tensor:
    return place.clamp(0, size - 1)


def _reflected(place: Tensor, size: int) -> Tensor:
    # About the outermost values, which are not repeated.
    period = max(2 * (size - 1), 1)
    place = place.remainder(period)
    return torch.minimum(place, (period - place).clamp_min(0)).clamp_max(size - 1)


_INSIDE = {
    "zeros": _clamped,
    "border": _clamped,
    "reflection": _reflected,
    "circular": lambda place, size: place.remainder(size),
}
