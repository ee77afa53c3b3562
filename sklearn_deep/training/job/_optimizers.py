"""The table of optimizers: one update rule per row, over flat tensors.

A rule changes ``weights`` in place from ``gradient`` and its slots (state tensors). Its
coefficients are computed before, from ``Hyper``, in double precision: floats for one
network, or arrays for many, which reach the rule as tensors that broadcast against the
weights. Results agree with ``torch.optim`` up to rounding; that package is not used
because it imports the compiler, which takes seconds, and loops over parameters in
Python.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from sklearn_deep.private._torch import fused_adamw

_EPS = 1e-8

# A step so late that moving averages need no bias correction.
_NO_BIAS = torch.tensor(torch.finfo(torch.float32).max)


# NumPy's powers of arrays may differ from those of Python in the last bit.
_POWERS = np.frompyfunc(math.pow, 2, 1)


class Hyper(NamedTuple):
    """Hyperparameters of one step; floats, or arrays over networks."""

    learning_rate: Any
    momentum: Any
    beta1: Any
    beta2: Any
    step: Any


Number = float | Tensor
Update = Callable[..., None]  # (weights, gradient, slots, *numbers)


@dataclass(frozen=True)
class Optimizer:
    """A row of the table.

    Attributes
    ----------
    update : callable ``(weights, gradient, slots, *numbers)`` or None
        The rule; None where another loop trains (lbfgs).
    numbers : callable ``Hyper -> tuple``
        Computes the coefficients ``numbers`` of the rule; the first is the learning rate
        or a multiple of it.
    n_slots : int
        Number of state tensors of the weights' size.
    full_batch : bool
        Whether every step sees all rows.
    fused : callable or None
        Weight decay and the rule in a single pass over networks on a CPU:
        ``(keep, weights, gradients, slots, *numbers)``, of lists over the networks.
    weight_decay : float
        What ``weight_decay="auto"`` means.
    """

    update: Update | None
    numbers: Callable[[Hyper], tuple] = lambda h: (h.learning_rate,)
    n_slots: int = 0
    full_batch: bool = False
    fused: Update | None = None
    weight_decay: float = 0.0


def _sgd(w: Tensor, g: Tensor, slots: list[Tensor], rate: Number) -> None:
    _subtract(w, g, rate)


def _momentum(
    w: Tensor, g: Tensor, slots: list[Tensor], rate: Number, momentum: Number
) -> None:
    (velocity,) = slots
    velocity.mul_(momentum).add_(g)
    _subtract(w, velocity, rate)


def _nesterov(
    w: Tensor, g: Tensor, slots: list[Tensor], rate: Number, momentum: Number
) -> None:
    (velocity,) = slots
    velocity.mul_(momentum).add_(g)
    _subtract(w, g + momentum * velocity, rate)


def _momentum_numbers(h: Hyper) -> tuple:
    return h.learning_rate, h.momentum


def _rmsprop(
    w: Tensor, g: Tensor, slots: list[Tensor], rate: Number, share: Number
) -> None:
    (square,) = slots
    square.lerp_(g * g, share)
    _subtract_ratio(w, g, square.sqrt().add_(_EPS), rate)


def _rmsprop_numbers(h: Hyper) -> tuple:
    return h.learning_rate, 1 - h.beta2


def _adam(
    w: Tensor,
    g: Tensor,
    slots: list[Tensor],
    rate: Number,
    share1: Number,
    share2: Number,
    eps: Number,
) -> None:
    mean, square = slots
    mean.lerp_(g, share1)
    square.lerp_(g * g, share2)
    _subtract_ratio(w, mean, square.sqrt().add_(eps), rate)


def _adam_fused(
    keep: float,
    weights: list[Tensor],
    gradients: list[Tensor],
    slots: list[list[Tensor]],
    rate: float,
    share1: float,
    share2: float,
    eps: float,
) -> None:
    """Do what ``_adam`` does, for networks on a CPU, in a single pass over each.

    The weights are multiplied by ``keep`` before.
    """
    mean, square = slots
    fused_adamw(
        weights,
        gradients,
        mean,
        square,
        [],
        # ``numbers`` hold the bias corrections: this step makes none.
        [_NO_BIAS] * len(weights),
        lr=rate,
        beta1=1 - share1,
        beta2=1 - share2,
        weight_decay=(1 - keep) / rate if rate else 0.0,
        eps=eps,
        amsgrad=False,
        maximize=False,
    )


def _adam_numbers(h: Hyper) -> tuple:
    unbias1, unbias2 = 1 - _power(h.beta1, h.step), 1 - _power(h.beta2, h.step)
    # Both bias corrections are part of two scalars: that saves two passes over the
    # weights.
    # A float of Python: torch takes scalars of NumPy several times as slowly.
    root = math.sqrt(unbias2) if isinstance(unbias2, float) else np.sqrt(unbias2)
    return h.learning_rate * root / unbias1, 1 - h.beta1, 1 - h.beta2, _EPS * root


def _power(base: Any, exponent: Any) -> Any:
    """Raise to a power; each number of an array gets the bits that it gets alone.

    Most steps of a stack are equal: each distinct power is computed once.
    """
    if isinstance(base, float) and isinstance(exponent, (int, float)):
        return base**exponent
    if np.ndim(base) and np.ndim(exponent):
        return _POWERS(base, exponent).astype(float)
    varied = exponent if np.ndim(exponent) else base
    distinct, place = np.unique(varied, return_inverse=True)
    pair = (base, distinct) if np.ndim(exponent) else (distinct, exponent)
    return _POWERS(*pair).astype(float)[place].reshape(np.shape(varied))


def _subtract(w: Tensor, step: Tensor, rate: Number) -> None:
    """Do ``w -= rate * step``: in two passes, which round alike for every kind of rate."""
    w.sub_(step * rate)


def _subtract_ratio(
    w: Tensor, numerator: Tensor, denominator: Tensor, rate: Number
) -> None:
    """Do ``w -= rate * numerator / denominator``."""
    w.addcdiv_(numerator * rate, denominator, value=-1)


_FUSED_IF_THERE = None if fused_adamw is None else _adam_fused

OPTIMIZERS: dict[str, Optimizer] = {
    "adam": Optimizer(_adam, _adam_numbers, n_slots=2, fused=_FUSED_IF_THERE),
    "adamw": Optimizer(
        _adam, _adam_numbers, n_slots=2, fused=_FUSED_IF_THERE, weight_decay=0.1
    ),
    "sgd": Optimizer(_sgd),
    "momentum": Optimizer(_momentum, _momentum_numbers, n_slots=1),
    "nesterov": Optimizer(_nesterov, _momentum_numbers, n_slots=1),
    "rmsprop": Optimizer(_rmsprop, _rmsprop_numbers, n_slots=1),
    "gd": Optimizer(_sgd, full_batch=True),
    "lbfgs": Optimizer(None, full_batch=True),
}


def clip_(gradient: Tensor, norm: Number) -> None:
    """Scale each network's gradient down to at most ``norm``, in place, without a sync."""
    size = torch.linalg.vector_norm(gradient, dim=-1, keepdim=True)
    # Not ``norm / size``: a float and a tensor in its place would round otherwise.
    gradient.mul_((size + 1e-6).reciprocal_().mul_(norm).clamp_max_(1.0))
