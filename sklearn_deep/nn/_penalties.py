"""The table of penalties on weights, by value and by gradient.

They act on one flat tensor of the penalised weights (never biases or normalisation
parameters). The gradient is written down rather than derived: adding it is one
pass over the weights, where autograd would need three.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Penalty:
    """A row of the table.

    Attributes
    ----------
    value : callable ``(weights, strength) -> Tensor``
        Penalty that is added to the loss, summed over the last axis.
    add_gradient : callable ``(gradient, weights, strength) -> None``
        Adds its gradient in place.
    """

    value: Callable[[Tensor, float], Tensor]
    add_gradient: Callable[[Tensor, Tensor, float], object]


PENALTIES: dict[str, Penalty] = {
    "l1": Penalty(
        lambda weights, strength: strength * weights.abs().sum(-1),
        lambda gradient, weights, strength: gradient.add_(
            torch.sign(weights), alpha=strength
        ),
    ),
    "l2": Penalty(
        lambda weights, strength: 0.5 * strength * weights.square().sum(-1),
        lambda gradient, weights, strength: gradient.add_(weights, alpha=strength),
    ),
}
