"""Dropout whose masks come from the fit's own source of random bits.

``torch.nn.Dropout`` draws from torch's global generator, so a fit would change
global state and two fits in two threads would change one another.
"""

from typing import Any, Protocol

import torch
from torch import Tensor, nn

# The value that SELU tends to for large negative inputs (arXiv:1706.02515).
_SELU_FLOOR = -1.7580993408473766

# A unit is dropped or kept by 16 random bits: rates are multiples of 1 / _STEPS.
_STEPS = 1 << 16


class BitSource(Protocol):
    """Where random bits come from."""

    def draw(self, like: Tensor) -> Tensor:
        """Uniform random int16 values in the shape of ``like``."""

    def skip(self, like: Tensor) -> None:
        """Skip the numbers that ``draw`` would return."""


class _GlobalBits:
    """Bits of torch's global generator, for modules trained outside of a fit."""

    def draw(self, like: Tensor) -> Tensor:
        bits = torch.empty(like.shape, dtype=torch.int16, device=like.device)
        return bits.random_(-_STEPS // 2, _STEPS // 2)

    def skip(self, like: Tensor) -> None:
        pass


class RandomModule(nn.Module):
    """A module that draws random numbers in training, from ``source``.

    Attributes
    ----------
    source : BitSource
        The fit's own; where none is set, torch's global generator.
    under_vmap : bool
        Whether ``torch.func.vmap`` hides the axis of networks from ``forward``.
    """

    source: BitSource = _GlobalBits()
    under_vmap: bool = False

    def __getstate__(self) -> Any:
        """Leave out the source: it belongs to a fit, which a copy does not."""
        return without_source(super().__getstate__())


def without_source(state: Any) -> Any:
    """The state of a module, which may have slots too, without its ``source``."""
    if isinstance(state, tuple):
        return tuple(without_source(part) for part in state)
    if isinstance(state, dict) and "source" in state:
        return {name: value for name, value in state.items() if name != "source"}
    return state


def set_source(module: nn.Module, source: BitSource | None) -> None:
    """Set the bit source of every random layer of ``module``; None removes it."""
    for child in module.modules():
        if not isinstance(child, RandomModule):
            continue
        if source is None:
            child.__dict__.pop("source", None)
        else:
            child.source = source


class RateModule(RandomModule):
    """Base of dropout layers; a subclass implements ``parts``.

    Attributes
    ----------
    rate : float or Tensor of shape (n_nets,)
        Stacked networks have one rate each.
    """

    rate: Any

    def __init__(self, rate: float):
        super().__init__()
        self.rate = float(rate)

    def extra_repr(self) -> str:
        """Show the rate."""
        return f"rate={self.rate:g}"

    def forward(self, x: Tensor) -> Tensor:
        """Drop units in training mode."""
        if not self.training:
            return x
        if not self.drops:
            self.source.skip(x)
            return x
        factor, *offset = (
            _PartsUnderVmap.apply(x, self) if self.under_vmap else self.parts(x)
        )
        return torch.addcmul(offset[0], x, factor) if offset else x * factor

    @property
    def drops(self) -> bool:
        """Whether there is a rate above zero."""
        return isinstance(self.rate, Tensor) or self.rate > 0

    def parts(self, x: Tensor) -> tuple[Tensor, ...]:
        """Draw the factor of ``x``, and an offset where there is one."""
        raise NotImplementedError

    def draw(self, x: Tensor) -> tuple[Tensor, Any]:
        """Draw a mask (1 keeps a unit, 0 drops it); return it and its exact rate."""
        if isinstance(self.rate, Tensor):
            of_each = self.rate.view(-1, *(1,) * (x.ndim - 1))
            steps: Any = (of_each * _STEPS).round_().clamp_max_(_STEPS - 1)
            threshold = (steps - _STEPS / 2).to(torch.int16)
        else:
            steps = min(round(self.rate * _STEPS), _STEPS - 1)
            threshold = steps - _STEPS // 2
        # The comparison writes floats directly: several times as fast as via booleans.
        kept = torch.empty_like(x, memory_format=torch.contiguous_format)
        torch.ge(self.source.draw(x), threshold, out=kept)
        return kept, steps / _STEPS


def rate_modules(module: nn.Module) -> list[RateModule]:
    """The layers of a module that have a rate, in order."""
    return [child for child in module.modules() if isinstance(child, RateModule)]


class Dropout(RateModule):
    """Zero each unit with probability ``rate`` while training.

    Shape: any; the output has the shape of the input.

    References
    ----------
    Srivastava et al., "Dropout: a simple way to prevent neural networks from
    overfitting", JMLR 15, 2014.
    """

    def parts(self, x: Tensor) -> tuple[Tensor, ...]:
        """Draw the factor of ``x``: 0, or 1 / (1 - rate)."""
        kept, rate = self.draw(x)
        return (kept.mul_(1 / (1 - rate)),)


class AlphaDropout(RateModule):
    """Dropout that keeps the mean and the variance of self-normalising layers.

    Shape: any; the output has the shape of the input.

    References
    ----------
    Klambauer et al., "Self-normalizing neural networks", arXiv:1706.02515.
    """

    def parts(self, x: Tensor) -> tuple[Tensor, ...]:
        """Draw factor and offset: units go to SELU's floor, moments are restored."""
        kept, rate = self.draw(x)
        # As tensors, of one rate and of many: powers of floats round otherwise.
        rate = torch.as_tensor(rate, dtype=torch.float64, device=x.device)
        scale = ((1 - rate) * (1 + rate * _SELU_FLOOR**2)).rsqrt()
        shift, floor = -scale * rate * _SELU_FLOOR, _SELU_FLOOR * scale
        scale, shift, floor = (part.to(x.dtype) for part in (scale, shift, floor))
        return kept * scale, (1 - kept) * floor + shift


class _PartsUnderVmap(torch.autograd.Function):
    """Draws the parts of all networks at once; under ``vmap`` a layer sees one."""

    @staticmethod
    def forward(x: Tensor, layer: RateModule) -> tuple[Tensor, ...]:
        return layer.parts(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: tuple[Tensor, ...]) -> None:
        ctx.mark_non_differentiable(*output)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, None]:
        return None, None

    @staticmethod
    def vmap(info: Any, in_dims: tuple, x: Tensor, layer: RateModule) -> tuple:
        axis = in_dims[0]
        one_by_one = (
            x.expand(info.batch_size, *x.shape) if axis is None else x.movedim(axis, 0)
        )
        parts = layer.parts(one_by_one)
        return parts, (0,) * len(parts)
