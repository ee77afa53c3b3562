"""Ranges of activations, learnt from rows: what 8 bits have to span."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

# Whole numbers of 8 bits without a sign.
LEVELS = 255

# Bins of the histogram that a clipped range is chosen by, and clips that are tried.
_BINS, _TRIED = 2048, 64

# What lies beyond, on either side, is clipped.
_SHARE = 1e-4

# Scales have so few digits in base 2 that a product of two is exact in float32; and
# that the last bits of what they were made of do not show in them.
_DIGITS = 10


def short(scale: Tensor) -> Tensor:
    """The next larger numbers of few binary digits; 1 for zeros."""
    mantissa, exponent = torch.frexp(scale.double())
    steps = torch.ceil(mantissa * 2**_DIGITS) / 2**_DIGITS
    rounded = torch.ldexp(steps, exponent).float()
    # A product of two scales must not vanish.
    return torch.where(scale > 0, rounded, 1.0).clamp(1e-15, 1e15)


class Range:
    """The weighted distribution of the values at one place of a network.

    A first pass over the rows finds the extremes, a second one counts between them.

    Attributes
    ----------
    low, high : float
        Smallest and largest value, zero among them.
    counts : ndarray of shape (n_bins,) or None
        Weight of the values in equal bins from ``low`` to ``high``.
    """

    def __init__(self) -> None:
        self.low = self.high = 0.0
        self.counts: np.ndarray | None = None

    def start_counting(self) -> None:
        """End the first pass."""
        self.counts = np.zeros(_BINS)

    def see(self, x: Tensor, weight: Tensor | None) -> None:
        """Take the values of some rows, (n, ...), each of a weight, (n,)."""
        if self.counts is None:
            self.low = min(self.low, float(x.min()))
            self.high = max(self.high, float(x.max()))
            return
        if self.high == self.low:
            return
        flat = x.detach().flatten(1).double()
        place = (flat - self.low) * (_BINS / (self.high - self.low))
        place = place.long().clamp_(0, _BINS - 1)
        each = None
        if weight is not None:
            each = weight.double().unsqueeze(1).expand_as(flat).reshape(-1)
        found = torch.bincount(place.reshape(-1), each, minlength=_BINS)
        self.counts += found.cpu().numpy()

    @property
    def middles(self) -> np.ndarray:
        """Middle of each bin."""
        return self.low + (np.arange(_BINS) + 0.5) * (self.high - self.low) / _BINS


def _whole(seen: Range) -> tuple[float, float]:
    return seen.low, seen.high


def _percentile(seen: Range) -> tuple[float, float]:
    """Leave the rarest values out, on either side."""
    assert seen.counts is not None
    below = np.cumsum(seen.counts) / max(seen.counts.sum(), 1e-300)
    width = (seen.high - seen.low) / _BINS
    first = int(np.searchsorted(below, _SHARE))
    last = int(np.searchsorted(below, 1 - _SHARE))
    low, high = seen.low + first * width, seen.low + (last + 1) * width
    return min(low, 0.0), max(min(high, seen.high), 0.0)


def _least_squares(seen: Range) -> tuple[float, float]:
    """The share of the range whose clipping and rounding cost least."""
    assert seen.counts is not None
    values, best, least = seen.middles, _whole(seen), np.inf
    for k in range(_TRIED, _TRIED // 4, -1):
        low, high = seen.low * k / _TRIED, seen.high * k / _TRIED
        step = (high - low) / LEVELS or 1.0
        clipped = np.clip(values, low, high)
        rounded = low + np.rint((clipped - low) / step) * step
        error = float((seen.counts * (values - rounded) ** 2).sum())
        if error < least * (1 - 1e-9):
            best, least = (low, high), error
    return best


# How the range is chosen by which activations are rounded.
CALIBRATIONS: dict[str, Callable[[Range], tuple[float, float]]] = {
    "minmax": _whole,
    "percentile": _percentile,
    "mse": _least_squares,
}


def scale_and_zero(low: float, high: float) -> tuple[Tensor, Tensor]:
    """What a step of a range is, and which whole number stands for zero."""
    scale = short(torch.tensor((high - low) / LEVELS, dtype=torch.float64))
    zero = torch.round(-low / scale.double()).clamp(0, LEVELS)
    return scale, zero.to(torch.uint8)
