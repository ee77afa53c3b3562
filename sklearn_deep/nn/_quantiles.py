"""The quantile loss: one quantile, or several that never cross.

For several quantiles a target has one raw output per quantile. That of the *middle*
quantile, the one nearest to the median, is the quantile itself; the others are distances
to the neighbour on the side of the middle, positive through a softplus. Raw outputs of 0
are the quantiles of the normal distribution with the target's mean and variance.
"""

import math
from statistics import NormalDist

import torch
import torch.nn.functional as F
from torch import Tensor

Quantiles = float | tuple[float, ...]

# softplus(UNIT) = 1
UNIT = math.log(math.expm1(1))

# Calibration does not enlarge distances below this one.
_SMALLEST_GAP = 1e-6


def n_raw(quantile: Quantiles) -> int:
    """Number of raw outputs per target."""
    return len(quantile) if isinstance(quantile, tuple) else 1


def rows(raw: Tensor, target: Tensor, quantile: Quantiles) -> Tensor:
    """Pinball loss, the mean over targets and quantiles."""
    if not isinstance(quantile, tuple):
        error = target - raw
        return torch.maximum(quantile * error, (quantile - 1) * error).mean(-1)
    (values,) = decode(raw, quantile)
    error = target.unsqueeze(-1) - values
    shares = error.new_tensor(quantile)
    return torch.maximum(shares * error, (shares - 1) * error).mean((-2, -1))


def decode(
    raw: Tensor, quantile: Quantiles, calibration: Tensor | None = None
) -> tuple[Tensor]:
    """Raw outputs as they are; several quantiles of shape (..., n_targets, n_quantiles).

    Sums of non-negative numbers are rounded in order: no two quantiles ever cross.
    """
    if not isinstance(quantile, tuple):
        return (raw,)
    middle, below, above = _parts(raw, quantile)
    if calibration is not None:
        m = middle_of(quantile)
        below = below * calibration[..., :m]
        middle = middle + calibration[..., m : m + 1]
        above = above * calibration[..., m + 1 :]
    down = middle - below.flip(-1).cumsum(-1).flip(-1)
    return (torch.cat([down, middle, middle + above.cumsum(-1)], -1),)


def location(values: Tensor, quantile: Quantiles) -> Tensor:
    """The middle quantile, of shape (..., n_targets)."""
    if not isinstance(quantile, tuple):
        return values
    return values[..., middle_of(quantile)]


def middle_of(quantile: tuple[float, ...]) -> int:
    """The place of the quantile nearest to the median; the lower one of two."""
    return min(range(len(quantile)), key=lambda i: abs(quantile[i] - 0.5))


def normal_quantiles(quantile: tuple[float, ...]) -> list[float]:
    """Quantiles of the standard normal distribution."""
    return [NormalDist().inv_cdf(q) for q in quantile]


def scales_of(quantile: tuple[float, ...]) -> list[float]:
    """Distance of each quantile of a normal distribution to the next inner one."""
    z, m = normal_quantiles(quantile), middle_of(quantile)
    return [abs(z[i] - z[i + 1 if i < m else i - 1]) for i in range(len(z)) if i != m]


def _parts(raw: Tensor, quantile: tuple[float, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """The middle quantile, and the distances below and above it."""
    m = middle_of(quantile)
    raw = raw.unflatten(-1, (-1, len(quantile)))  # (..., n_targets, n_quantiles)
    scales = raw.new_tensor(scales_of(quantile))
    below = F.softplus(raw[..., :m] + UNIT) * scales[:m]
    above = F.softplus(raw[..., m + 1 :] + UNIT) * scales[m:]
    return raw[..., m : m + 1] + normal_quantiles(quantile)[m], below, above


def prior(target: Tensor, weight: Tensor, quantile: Quantiles) -> Tensor:
    """Raw outputs of the quantiles of all rows."""
    if not isinstance(quantile, tuple):
        return _order_statistic(target, weight, quantile)
    values = torch.stack([_order_statistic(target, weight, q) for q in quantile], -1)
    m = middle_of(quantile)
    gaps = values.diff(dim=-1) / values.new_tensor(scales_of(quantile))
    raw = torch.log(torch.expm1(gaps.clamp_min(1e-3))) - UNIT
    middle = values[..., m : m + 1] - normal_quantiles(quantile)[m]
    return torch.cat([raw[..., :m], middle, raw[..., m:]], -1).flatten()


def _order_statistic(target: Tensor, weight: Tensor, quantile: float) -> Tensor:
    values, order = target.sort(0)
    mass = weight[order].cumsum(0)  # (n, n_targets)
    first = (mass >= quantile * mass[-1:]).int().argmax(0)
    return values.gather(0, first[None])[0]


def weighted_quantile(values: Tensor, weight: Tensor, share: float) -> Tensor:
    """Quantile of each column, such that a new row is below it with this probability.

    Between order statistics, of which the i-th of n stands for i / (n + 1).

    Shape: (n, n_targets), (n,) -> (n_targets,)
    """
    values, order = values.sort(0)
    mass = weight[order].cumsum(0)
    places = (share * (weight.sum() + weight.mean())).expand(1, values.shape[1])
    high = torch.searchsorted(mass.T.contiguous(), places.T.contiguous()).T
    high = high.clamp(0, len(values) - 1)
    low = (high - 1).clamp_min(0)
    a, b = mass.gather(0, low), mass.gather(0, high)
    part = ((places - a) / (b - a).clamp_min(1e-30)).clamp(0, 1)
    return torch.lerp(values.gather(0, low), values.gather(0, high), part)[0]


def calibration(
    raw: Tensor, target: Tensor, weight: Tensor, quantile: tuple[float, ...]
) -> Tensor:
    """Correction of each quantile, of shape (n_targets, n_quantiles).

    The middle quantile is shifted, unless it is the median; the distances get a factor
    each, from the middle outwards. Then the share of these rows below each quantile is
    what it should be (conformalized quantile regression, arXiv:1905.03222).
    """
    m = middle_of(quantile)
    middle, below, above = (part.clone() for part in _parts(raw, quantile))
    inner, shift = middle[..., 0], torch.zeros_like(middle[0, :, 0])
    if quantile[m] != 0.5:
        shift = weighted_quantile(target - inner, weight, quantile[m])
        inner = inner + shift
    corrections = {m: shift}
    for i in range(m + 1, len(quantile)):
        distance = above[..., i - m - 1]
        factor = _factor(target - inner, distance, weight, quantile[i])
        inner, corrections[i] = inner + distance * factor, factor
    inner = middle[..., 0] + shift
    for i in reversed(range(m)):
        distance = below[..., i]
        factor = _factor(inner - target, distance, weight, 1 - quantile[i])
        inner, corrections[i] = inner - distance * factor, factor
    return torch.stack([corrections[i] for i in range(len(quantile))], -1)


def _factor(beyond: Tensor, distance: Tensor, weight: Tensor, share: float) -> Tensor:
    ratio = beyond / distance.clamp_min(_SMALLEST_GAP)
    return weighted_quantile(ratio, weight, share).clamp_min(0)
