"""The gaussian loss: a mean and a bounded standard deviation.

Raw outputs are the means of all targets, then one number per target that the standard
deviation is computed from. Maximum likelihood (Nix and Weigend, 1994) divides the squared
error by the variance: rows that are predicted well count thousands of times more than
others, and the mean is wrong. Here the mean has the squared error; a tenth of Huber's loss
for location and scale is added, the standard deviation plus the squared error divided by
it (Huber and Ronchetti, "Robust statistics", 2009, section 7.7). Its gradient by the
standard deviation is that of beta = 0.5 in Seitzer et al., arXiv:2203.09168. The sum is
convex in both, and the true mean and the true standard deviation minimise it.
"""

import math

import torch
from torch import Tensor

from sklearn_deep.nn._quantiles import weighted_quantile

# Bounds of a standard deviation, in standard deviations of the target itself.
SMALLEST_STD, LARGEST_STD = 1e-4, 5.0

# A raw output of 0 is the target's own standard deviation.
SHIFT = math.log(LARGEST_STD - 1)

# The calibrated interval and its half width in standard deviations of a gaussian.
_COVERAGE, _HALF_WIDTH = 0.9, 1.6448536269514722

# Weight of the loss for location and scale beside the squared error.
_JOINT = 0.1


def decode(raw: Tensor, calibration: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation; the latter times ``calibration``, within bounds."""
    mean, spread = raw.chunk(2, -1)
    std = _std(spread)
    if calibration is not None:
        std = (std * calibration).clamp(SMALLEST_STD, LARGEST_STD)
    return mean, std


def _std(spread: Tensor) -> Tensor:
    span = LARGEST_STD - SMALLEST_STD
    return span * torch.sigmoid(spread - SHIFT) + SMALLEST_STD


def rows(raw: Tensor, target: Tensor) -> Tensor:
    """Half of the squared error, and of the loss for location and scale."""
    mean, std = decode(raw)
    squared = (target - mean).square()
    return 0.5 * (squared + _JOINT * (std + squared / std)).mean(-1)


def backward(raw: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """``rows`` and its gradient by the raw outputs."""
    mean, spread = raw.chunk(2, -1)
    share = torch.sigmoid(spread - SHIFT)
    span = LARGEST_STD - SMALLEST_STD
    std = span * share + SMALLEST_STD
    error = mean - target
    quotient = error / std
    loss = 0.5 * (error.square() + _JOINT * (std + error * quotient)).mean(-1)
    by_mean = error + _JOINT * quotient
    by_std = 0.5 * _JOINT * (1 - quotient.square())
    gradient = torch.cat([by_mean, by_std * span * share * (1 - share)], -1)
    return loss, gradient.div_(mean.shape[-1])


def calibration(raw: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Factor of each target's standard deviation, of shape (n_targets,).

    With it, nine in ten of these rows lie within 1.64 standard deviations of the mean
    (split conformal prediction: Lei et al., arXiv:1604.04173).
    """
    mean, std = decode(raw)
    z = (target - mean).abs() / std
    return weighted_quantile(z, weight, _COVERAGE) / _HALF_WIDTH
