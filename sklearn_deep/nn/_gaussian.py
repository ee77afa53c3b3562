"""The gaussian loss: a mean and a bounded standard deviation.

Raw outputs are the means of all targets, then one number per target that the standard
deviation is computed from. Maximum likelihood (Nix and Weigend, 1994) divides the error
of the mean by the variance: rows that are predicted well count thousands of times more
than others, and the mean is wrong. The loss here is half the squared error plus the
continuous ranked probability score (Gneiting and Raftery, 2007), which grows linearly in
the error. Both are in units of the target; the true distribution minimises their sum.
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

_ROOT_2, _ROOT_PI, _ROOT_2_PI = math.sqrt(2), math.sqrt(math.pi), math.sqrt(2 * math.pi)


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
    """Half the squared error plus the continuous ranked probability score."""
    mean, std = decode(raw)
    error = target - mean
    z = error / std
    density = torch.exp(-0.5 * z.square()) / _ROOT_2_PI
    score = std * (z * torch.erf(z / _ROOT_2) + 2 * density - 1 / _ROOT_PI)
    return (0.5 * error.square() + score).mean(-1)


def backward(raw: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """``rows`` and its gradient by the raw outputs."""
    mean, spread = raw.chunk(2, -1)
    share = torch.sigmoid(spread - SHIFT)
    span = LARGEST_STD - SMALLEST_STD
    std = span * share + SMALLEST_STD
    error = target - mean
    z = error / std
    erf = torch.erf(z / _ROOT_2)
    # The derivative of the score by the standard deviation; that of z cancels out.
    by_std = torch.exp(-0.5 * z.square()) * (2 / _ROOT_2_PI) - 1 / _ROOT_PI
    loss = (0.5 * error.square() + std * by_std + error * erf).mean(-1)
    gradient = torch.cat([-(error + erf), by_std * span * share * (1 - share)], -1)
    return loss, gradient.div_(mean.shape[-1])


def calibration(raw: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Factor of each target's standard deviation, of shape (n_targets,).

    With it, nine in ten of these rows lie within 1.64 standard deviations of the mean
    (split conformal prediction: Lei et al., arXiv:1604.04173).
    """
    mean, std = decode(raw)
    z = (target - mean).abs() / std
    return weighted_quantile(z, weight, _COVERAGE) / _HALF_WIDTH
