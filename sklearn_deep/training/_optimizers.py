"""The table of optimizers: one update rule a row, over flat tensors.

A rule changes ``weights`` in place from ``gradient`` and its own slots. It reads
its numbers from ``Hyper``, whose fields are floats or tensors that broadcast against
the weights, so the same rule can update many networks at once. It
agrees with ``torch.optim`` to rounding; that package is not used because its first
import of the compiler costs seconds and its step a Python loop over parameters.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

_EPS = 1e-8


class Hyper(NamedTuple):
    """The numbers of one step."""

    learning_rate: float | Tensor
    momentum: float | Tensor
    beta1: float | Tensor
    beta2: float | Tensor
    step: int


Update = Callable[[Tensor, Tensor, list[Tensor], Hyper], None]


@dataclass(frozen=True)
class Optimizer:
    """A row of the table.

    Attributes
    ----------
    update : callable or None
        The rule; None where another loop trains (lbfgs).
    n_slots : int
        Tensors of the weights' size that it keeps between steps.
    full_batch : bool
        Whether every step sees all rows.
    weight_decay : float
        What ``weight_decay="auto"`` means.
    """

    update: Update | None
    n_slots: int = 0
    full_batch: bool = False
    weight_decay: float = 0.0


def _sgd(w: Tensor, g: Tensor, slots: list[Tensor], h: Hyper) -> None:
    w.sub_(h.learning_rate * g)


def _momentum(w: Tensor, g: Tensor, slots: list[Tensor], h: Hyper) -> None:
    (velocity,) = slots
    velocity.mul_(h.momentum).add_(g)
    w.sub_(h.learning_rate * velocity)


def _nesterov(w: Tensor, g: Tensor, slots: list[Tensor], h: Hyper) -> None:
    (velocity,) = slots
    velocity.mul_(h.momentum).add_(g)
    w.sub_(h.learning_rate * (g + h.momentum * velocity))


def _rmsprop(w: Tensor, g: Tensor, slots: list[Tensor], h: Hyper) -> None:
    (square,) = slots
    square.lerp_(g * g, 1 - h.beta2)
    _subtract_ratio(w, g, square.sqrt().add_(_EPS), h.learning_rate)


def _adam(w: Tensor, g: Tensor, slots: list[Tensor], h: Hyper) -> None:
    mean, square = slots
    mean.lerp_(g, 1 - h.beta1)
    square.lerp_(g * g, 1 - h.beta2)
    unbias1, unbias2 = 1 - h.beta1**h.step, 1 - h.beta2**h.step
    # Both corrections go into two scalars: two passes over the weights fewer.
    root = unbias2**0.5
    denominator = square.sqrt().add_(_EPS * root)
    _subtract_ratio(w, mean, denominator, h.learning_rate * root / unbias1)


def _subtract_ratio(
    w: Tensor, numerator: Tensor, denominator: Tensor, rate: float | Tensor
) -> None:
    """Do ``w -= rate * numerator / denominator``; in one pass for one network."""
    if isinstance(rate, Tensor):
        w.sub_((numerator / denominator).mul_(rate))
    else:
        w.addcdiv_(numerator, denominator, value=-rate)


OPTIMIZERS: dict[str, Optimizer] = {
    "adam": Optimizer(_adam, n_slots=2),
    "adamw": Optimizer(_adam, n_slots=2, weight_decay=0.1),
    "sgd": Optimizer(_sgd),
    "momentum": Optimizer(_momentum, n_slots=1),
    "nesterov": Optimizer(_nesterov, n_slots=1),
    "rmsprop": Optimizer(_rmsprop, n_slots=1),
    "gd": Optimizer(_sgd, full_batch=True),
    "lbfgs": Optimizer(None, full_batch=True),
}


def decay_(
    weights: Tensor, learning_rate: float | Tensor, rate: float | Tensor
) -> None:
    """Decoupled weight decay (Loshchilov & Hutter, arXiv:1711.05101), in place."""
    weights.mul_(1 - learning_rate * rate)


def clip_(gradient: Tensor, norm: float) -> None:
    """Scale a gradient down to at most ``norm``, in place, without a sync."""
    scale = norm / (torch.linalg.vector_norm(gradient) + 1e-6)
    gradient.mul_(scale.clamp_max_(1.0))
