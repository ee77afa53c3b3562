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
from sklearn_deep.private._torch import (
    elu_backward,
    gelu_backward,
    leaky_relu_backward,
    mish_backward,
    sigmoid_backward,
    silu_backward,
    tanh_backward,
    threshold_backward,
)

# From here on log(1 + exp(z)) is z to the last bit of float64.
_EXACT = 40.0

# ``(gradient, before, after, module) -> gradient`` with respect to what goes in.
ActivationBackward = Callable[[Tensor, Tensor, Tensor, Any], Tensor]

# SELU's numbers, arXiv:1706.02515.
_ALPHA, _SCALE = 1.6732632423543772, 1.0507009873554805

_BACKWARD: dict[type[nn.Module], tuple[Any, ActivationBackward]] = {
    nn.ReLU: (
        threshold_backward,
        lambda g, z, a, m: threshold_backward(g, a, 0),
    ),
    nn.LeakyReLU: (
        leaky_relu_backward,
        lambda g, z, a, m: leaky_relu_backward(g, z, m.negative_slope, False),
    ),
    nn.ELU: (
        elu_backward,
        lambda g, z, a, m: elu_backward(g, m.alpha, 1, 1, True, a),
    ),
    nn.SELU: (
        elu_backward,
        lambda g, z, a, m: elu_backward(g, _ALPHA, _SCALE, 1, True, a),
    ),
    nn.GELU: (
        gelu_backward,
        lambda g, z, a, m: gelu_backward(g, z, approximate=m.approximate),
    ),
    nn.SiLU: (silu_backward, lambda g, z, a, m: silu_backward(g, z)),
    nn.Mish: (mish_backward, lambda g, z, a, m: mish_backward(g, z)),
    nn.Sigmoid: (sigmoid_backward, lambda g, z, a, m: sigmoid_backward(g, a)),
    nn.Tanh: (tanh_backward, lambda g, z, a, m: tanh_backward(g, a)),
    nn.Identity: (nn.Identity, lambda g, z, a, m: g),
}

# Those whose operator the installed torch has.
ACTIVATION_BACKWARD: dict[type[nn.Module], ActivationBackward] = {
    kind: backward
    for kind, (operator, backward) in _BACKWARD.items()
    if operator is not None
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
