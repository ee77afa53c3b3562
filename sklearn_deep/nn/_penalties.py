"""The table of penalties on weights, by value and by gradient.

They act on one flat tensor of the penalised weights (never biases or normalisation
parameters). The gradient is written down rather than derived: adding it is one
pass over the weights, where autograd would need three.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Strength = float | Tensor


@dataclass(frozen=True)
class Penalty:
    """A row of the table.

    Attributes
    ----------
    value : callable ``(weights, strength) -> Tensor``
        Penalty that is added to the loss, summed over the last axis; a strength of
        each network is of shape (n_nets,).
    add_gradient : callable ``(gradient, weights, strength) -> None``
        Adds its gradient in place; a strength of each network is of shape (n_nets, 1).
    """

    value: Callable[[Tensor, Strength], Tensor]
    add_gradient: Callable[[Tensor, Tensor, Strength], object]


def _add(gradient: Tensor, slope: Tensor, strength: Strength) -> None:
    if isinstance(strength, Tensor):
        gradient.addcmul_(slope, strength)
    else:
        gradient.add_(slope, alpha=strength)


PENALTIES: dict[str, Penalty] = {
    "l1": Penalty(
        lambda weights, strength: strength * weights.abs().sum(-1),
        lambda gradient, weights, strength: _add(
            gradient, torch.sign(weights), strength
        ),
    ),
    "l2": Penalty(
        lambda weights, strength: 0.5 * strength * weights.square().sum(-1),
        _add,
    ),
}
