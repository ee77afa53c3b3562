"""Observers: the ranges of activations that 8-bit integers have to cover."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

# Unsigned 8-bit integers.
LEVELS = 255

# Bins of the histogram that a clipped range is chosen by, and clips that are tried: down
# to an eighth of the range.
_BINS, _TRIED, _PER_HALF = 8192, 97, 32

# "percentile" clips this share of the values other than 0, on either side.
_SHARE = 2e-5

# A value is an outlier where it is more than _FENCE times as large as the largest values
# of all but 2 % of the rows. Heavy tails, as of log-normal values, are within the fence.
_USUAL, _FENCE = 0.98, 10.0

# The upper 13 bits of a positive float32 number: bins whose edges differ by 3 % at most.
_SHORT_FLOATS, _LOW_BITS = 1 << 13, 18
_FLOAT_MAX = np.finfo(np.float32).max

# Binary digits of a scale: so few that the product of two scales is exact in float32, and
# that rounding errors in the values that a scale is computed from do not change it.
_DIGITS = 10


def short(scale: Tensor) -> Tensor:
    """The next larger numbers of few binary digits; 1 for zeros."""
    mantissa, exponent = torch.frexp(scale.double())
    steps = torch.ceil(mantissa * 2**_DIGITS) / 2**_DIGITS
    rounded = torch.ldexp(steps, exponent).float()
    # A product of two scales must not vanish.
    return torch.where(scale > 0, rounded, 1.0).clamp(1e-15, 1e15)


class RowExtremes:
    """The distribution of the largest values of rows, in bins of equal ratio.

    Memory does not depend on the number of rows, and one outlier does not change the
    width of the other bins.
    """

    def __init__(self) -> None:
        self.counts = np.zeros(_SHORT_FLOATS)

    def add(self, largest: Tensor, weight: Tensor | None) -> None:
        """Count rows by their largest values, (n,), not negative."""
        bins = largest.contiguous().view(torch.int32) >> _LOW_BITS
        weight = None if weight is None else weight.double()
        counts = torch.bincount(bins, weight, minlength=_SHORT_FLOATS)
        self.counts += counts.cpu().numpy()

    def quantile(self, share: float) -> float:
        """A number that ``share`` of the rows with a value other than 0 do not exceed."""
        total = np.cumsum(self.counts[1:])
        if not total.size or total[-1] <= 0:
            return 0.0
        place = int(np.searchsorted(total, share * total[-1] * (1 - 1e-9)))
        return _edge(place + 2)

    def largest_below(self, limit: float) -> float:
        """The largest value of a row up to ``limit``, rounded up; 0 without one."""
        filled = np.flatnonzero(self.counts)
        # Bins that end below the limit, or that it is in.
        filled = filled[filled <= _bin(limit)]
        return _edge(int(filled[-1]) + 1) if filled.size and filled[-1] else 0.0


def _edge(place: int) -> float:
    """The lower edge of a bin of ``RowExtremes``."""
    bits = np.array([place << _LOW_BITS], dtype=np.int32)
    return float(min(bits.view(np.float32)[0], _FLOAT_MAX))


def _bin(value: float) -> int:
    """The bin of ``RowExtremes`` that holds a value."""
    bits = np.array([min(value, _FLOAT_MAX)], dtype=np.float32).view(np.int32)
    return int(bits[0]) >> _LOW_BITS


class Range:
    """Observer of the weighted distribution of the values at one place of a network.

    A first pass over the rows finds the extremes. A clipped range leaves outliers out of
    them, and counts the values between them in a second pass.

    Parameters
    ----------
    clipped : bool, default=True
        Whether there is a second pass.

    Attributes
    ----------
    low, high : float
        Smallest and largest value, or 0; after ``start_counting``, of the rows that are
        no outliers.
    counts : ndarray of shape (n_bins,) or None
        Weight of the values other than 0, in equal bins from ``low`` to ``high``.
    """

    def __init__(self, *, clipped: bool = True) -> None:
        self.low = self.high = 0.0
        self.counts: np.ndarray | None = None
        self._clipped = clipped
        self._negative, self._positive, self._either = (RowExtremes() for _ in "123")

    def start_counting(self) -> None:
        """End the first pass: leave the outliers out."""
        fence = _FENCE * self._either.quantile(_USUAL)
        self.low = max(self.low, -self._negative.largest_below(fence))
        self.high = min(self.high, self._positive.largest_below(fence))
        self.counts = np.zeros(_BINS)

    def observe(self, x: Tensor, weight: Tensor | None) -> None:
        """Take the values of some rows, (n, ...), each of a weight, (n,)."""
        x = x.detach().flatten(1)
        if self.counts is None:
            self._see_extremes(x, weight)
        elif self.high > self.low:
            self.counts += self._counted(x.double(), weight)

    def _see_extremes(self, x: Tensor, weight: Tensor | None) -> None:
        # Without a sign: -0.0 is no bin.
        below, above = x.amin(1).clamp_max(0).abs(), x.amax(1).clamp_min(0).abs()
        self.low = min(self.low, -float(below.max()))
        self.high = max(self.high, float(above.max()))
        if self._clipped:
            self._negative.add(below, weight)
            self._positive.add(above, weight)
            self._either.add(torch.maximum(below, above), weight)

    def _counted(self, x: Tensor, weight: Tensor | None) -> np.ndarray:
        """Weights of the bins, without zeros and what is outside."""
        per_unit = _BINS * (1 - 1e-12) / (self.high - self.low)
        place = ((x - self.low) * per_unit).floor_().clamp_(-1, _BINS).long() + 1
        zeros = (x == 0).sum(1, dtype=torch.float64)
        each = None
        if weight is not None:
            weight = weight.double()
            each = weight.unsqueeze(1).expand_as(x).reshape(-1)
            zeros = zeros * weight
        found = torch.bincount(place.reshape(-1), each, minlength=_BINS + 2)
        counts: np.ndarray = found[1:-1].cpu().numpy().astype(np.float64)
        of_zero = int(np.floor(-self.low * per_unit))
        counts[of_zero] = max(0.0, counts[of_zero] - float(zeros.sum()))
        return counts

    @property
    def middles(self) -> np.ndarray:
        """Middle of each bin."""
        return self.low + (np.arange(_BINS) + 0.5) * (self.high - self.low) / _BINS


def _whole(observed: Range) -> tuple[float, float]:
    return observed.low, observed.high


def _percentile(observed: Range) -> tuple[float, float]:
    """Leave the rarest values out, on either side."""
    assert observed.counts is not None
    below = np.cumsum(observed.counts) / max(observed.counts.sum(), 1e-300)
    width = (observed.high - observed.low) / _BINS
    first = int(np.searchsorted(below, _SHARE))
    last = int(np.searchsorted(below, 1 - _SHARE))
    low, high = observed.low + first * width, observed.low + (last + 1) * width
    return min(low, 0.0), max(min(high, observed.high), 0.0)


def _least_squares(observed: Range) -> tuple[float, float]:
    """The clipped range with the least squared error of clipping and rounding."""
    assert observed.counts is not None
    values, best, least = observed.middles, _whole(observed), np.inf
    for share in 2.0 ** -(np.arange(_TRIED) / _PER_HALF):
        low, high = observed.low * share, observed.high * share
        step = (high - low) / LEVELS or 1.0
        clipped = np.clip(values, low, high)
        rounded = low + np.rint((clipped - low) / step) * step
        error = float((observed.counts * (values - rounded) ** 2).sum())
        if error < least * (1 - 1e-9):
            best, least = (low, high), error
    return best


# Calibration methods: how the range of activations is chosen from an observer.
CALIBRATIONS: dict[str, Callable[[Range], tuple[float, float]]] = {
    "minmax": _whole,
    "percentile": _percentile,
    "mse": _least_squares,
}


def scale_and_zero(low: float, high: float) -> tuple[Tensor, Tensor]:
    """Scale and zero point of a range."""
    scale = short(torch.tensor((high - low) / LEVELS, dtype=torch.float64))
    zero = torch.round(-low / scale.double()).clamp(0, LEVELS)
    return scale, zero.to(torch.uint8)
