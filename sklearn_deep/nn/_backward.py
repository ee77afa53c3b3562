"""Derivatives of activations and losses, written out.

Each is a function beside its row in ``ACTIVATIONS`` or ``LOSSES``; what has none here is
differentiated by autograd. They take tensors with leading axes, as the rows do.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sklearn_deep.nn import _gaussian
from sklearn_deep.nn._losses import smooths

aten = torch.ops.aten

# From here on log(1 + exp(z)) is z to the last bit of float64.
_EXACT = 40.0

# ``(gradient, before, after, module) -> gradient`` with respect to what goes in.
ActivationBackward = Callable[[Tensor, Tensor, Tensor, Any], Tensor]

# SELU's numbers, arXiv:1706.02515.
_ALPHA, _SCALE = 1.6732632423543772, 1.0507009873554805

ACTIVATION_BACKWARD: dict[type[nn.Module], ActivationBackward] = {
    nn.ReLU: lambda g, z, a, m: aten.threshold_backward.default(g, a, 0),
    nn.LeakyReLU: lambda g, z, a, m: aten.leaky_relu_backward.default(
        g, z, m.negative_slope, False
    ),
    nn.ELU: lambda g, z, a, m: aten.elu_backward.default(g, m.alpha, 1, 1, True, a),
    nn.SELU: lambda g, z, a, m: aten.elu_backward.default(
        g, _ALPHA, _SCALE, 1, True, a
    ),
    nn.GELU: lambda g, z, a, m: aten.gelu_backward.default(
        g, z, approximate=m.approximate
    ),
    nn.SiLU: lambda g, z, a, m: aten.silu_backward.default(g, z),
    nn.Mish: lambda g, z, a, m: aten.mish_backward.default(g, z),
    nn.Sigmoid: lambda g, z, a, m: aten.sigmoid_backward.default(g, a),
    nn.Tanh: lambda g, z, a, m: aten.tanh_backward.default(g, a),
    nn.Identity: lambda g, z, a, m: g,
}

# ``(raw, target, smoothing) -> (loss of each row, its gradient by raw)``.
LossBackward = Callable[[Tensor, Tensor, Any], tuple[Tensor, Tensor]]


def _log_loss_softmax(
    raw: Tensor, target: Tensor, smoothing: Any
) -> tuple[Tensor, Tensor]:
    # Along the rows: over a short last axis torch is ten times as slow.
    log_p = torch.log_softmax(raw.mT, -2)  # (..., n_classes, n)
    if target.is_floating_point():  # labels that an augmentation has mixed
        soft = target.mT
        if smooths(smoothing):
            soft = soft * (1 - smoothing) + smoothing / raw.shape[-1]
        loss = -(soft * log_p).sum(-2)
        return loss, (log_p.exp_() - soft).mT
    row = target.unsqueeze(-2)  # (..., 1, n)
    loss = -log_p.gather(-2, row)
    gradient = log_p.exp()
    if smooths(smoothing):
        spread = smoothing / raw.shape[-1]
        loss = loss * (1 - smoothing) - spread * log_p.sum(-2, keepdim=True)
        gradient -= spread
    right = smoothing - 1
    if not isinstance(right, Tensor):
        right = gradient.new_full((), right)
    gradient.scatter_add_(-2, row, right.expand(row.shape))
    return loss.squeeze(-2), gradient.mT


def _log_loss_sigmoid(
    raw: Tensor, target: Tensor, smoothing: Any
) -> tuple[Tensor, Tensor]:
    if smooths(smoothing):
        target = target * (1 - smoothing) + smoothing / 2
    # log(1 + exp(raw)) - target * raw: a third of the passes of torch's own form.
    loss = F.softplus(raw, threshold=_EXACT).addcmul_(raw, target, value=-1)
    gradient = torch.sigmoid(raw).sub_(target)
    if raw.shape[-1] == 1:
        return loss.squeeze(-1), gradient
    return loss.mean(-1), gradient.div_(raw.shape[-1])


def _squared_error(
    raw: Tensor, target: Tensor, smoothing: Any
) -> tuple[Tensor, Tensor]:
    error = raw - target
    return error.square().mean(-1), error.mul_(2 / raw.shape[-1])


LOSS_BACKWARD: dict[tuple[str, str], LossBackward] = {
    ("log_loss", "softmax"): _log_loss_softmax,
    ("log_loss", "sigmoid"): _log_loss_sigmoid,
    ("squared_error", "real"): _squared_error,
    ("gaussian", "real"): lambda raw, target, _: _gaussian.backward(raw, target),
}
