"""Dropout whose masks come from the fit's own generator.

``torch.nn.Dropout`` draws from torch's global generator, so a fit would change
global state and two fits in two threads would change one another.
"""

import math

import torch
from torch import Tensor, nn

# The value that SELU tends to for large negative inputs (arXiv:1706.02515).
_SELU_FLOOR = -1.7580993408473766


class RandomModule(nn.Module):
    """A module that draws random numbers in training, from ``generator``."""

    generator: torch.Generator | None = None


def set_generator(module: nn.Module, generator: torch.Generator | None) -> None:
    """Let every random layer of ``module`` draw from ``generator``."""
    for child in module.modules():
        if isinstance(child, RandomModule):
            child.generator = generator


class _RateModule(RandomModule):
    def __init__(self, rate: float):
        super().__init__()
        self.rate = float(rate)

    def extra_repr(self) -> str:
        return f"rate={self.rate:g}"

    def _draw(self, x: Tensor) -> Tensor:
        mask = torch.empty_like(x, memory_format=torch.contiguous_format)
        return mask.bernoulli_(1 - self.rate, generator=self.generator)


class Dropout(_RateModule):
    """Zero each unit with probability ``rate`` while training.

    Shape: any; the output has the shape of the input.

    References
    ----------
    Srivastava et al., "Dropout: a simple way to prevent neural networks from
    overfitting", JMLR 15, 2014.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Drop units in training mode, and scale the rest by ``1 / (1 - rate)``."""
        if not self.training or self.rate == 0:
            return x
        return x * self.mask(x)

    def mask(self, x: Tensor) -> Tensor:
        """Draw what ``x`` is multiplied by: 0, or 1 / (1 - rate)."""
        return self._draw(x).div_(1 - self.rate)


class AlphaDropout(_RateModule):
    """Dropout that keeps the mean and the variance of self-normalising layers.

    Shape: any; the output has the shape of the input.

    References
    ----------
    Klambauer et al., "Self-normalizing neural networks", arXiv:1706.02515.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Set units to SELU's floor in training mode, and mend the moments."""
        if not self.training or self.rate == 0:
            return x
        factor, offset = self.parts(x)
        return x * factor + offset

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Draw what ``x`` is multiplied by, and what is added then."""
        keep = 1 - self.rate
        scale = 1 / math.sqrt(keep * (1 + self.rate * _SELU_FLOOR**2))
        shift = -scale * self.rate * _SELU_FLOOR
        mask = self._draw(x)
        return mask * scale, (1 - mask) * (_SELU_FLOOR * scale) + shift
