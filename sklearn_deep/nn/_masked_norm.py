"""Batch normalisation over the true positions of series of unequal length.

Autograd would make three times as many passes over the values as the formula.
"""

from typing import Any

import torch
from torch import Tensor


class NormalizedBatch(torch.autograd.Function):
    """Normalise each channel over the true positions of all rows, scale and shift it.

    ``apply(x, weight, bias, running_mean, running_var, inside, number, eps)``, with x
    (n, channels, time), inside (n, 1, time) 1 at true positions and 0 elsewhere, and
    number () of them, gives the normalised values, mean and variance of each channel,
    and what ``backward`` needs. A single position has no variance: the running moments
    stand in for those of the batch. The gradient at padding has to be zero.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        running_mean: Tensor,
        running_var: Tensor,
        inside: Tensor,
        number: Tensor,
        eps: float,
    ) -> tuple[Tensor, ...]:
        """Normalise."""
        few, at_least_1 = number < 2, number.clamp(min=1)
        mean = torch.matmul(x, inside.mT).sum((0, 2)) / at_least_1
        centred = (x - mean.unsqueeze(-1)) * inside
        var = torch.linalg.vector_norm(centred, dim=(0, 2)).square() / at_least_1
        # How far the mean is from what is subtracted.
        offset = torch.where(few, mean - running_mean, 0.0)
        inverse = torch.rsqrt(torch.where(few, running_var, var) + eps)
        scale = weight * inverse
        shift = bias + offset * scale
        out = torch.addcmul(shift.unsqueeze(-1), centred, scale.unsqueeze(-1))
        return out, mean, var, centred, scale, inverse, offset

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: tuple[Tensor, ...]) -> None:
        """Keep what the gradient needs."""
        *_, inside, number, _ = inputs
        _, mean, var, *needed = output
        ctx.mark_non_differentiable(mean, var, *needed)
        ctx.save_for_backward(*needed, inside, number)

    @staticmethod
    def backward(ctx: Any, g: Tensor, *others: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """Map the gradient by the output to those by values, weight and bias."""
        centred, scale, inverse, offset, inside, number = ctx.saved_tensors
        by_shift = g.sum((0, 2))
        by_scale = (g * centred).sum((0, 2))
        # Moments of the batch depend on its values, running moments do not.
        share = torch.where(number < 2, 0.0, scale / number.clamp(min=1))
        by_mean = (share * by_shift).unsqueeze(-1)
        by_spread = (share * inverse.square() * by_scale).unsqueeze(-1)
        back = torch.addcmul(g * scale.unsqueeze(-1), centred, by_spread, value=-1)
        back = torch.addcmul(back, by_mean, inside, value=-1)
        by_weight = (by_scale + offset * by_shift) * inverse
        return back, by_weight, by_shift, None, None, None, None, None
