"""The score that the history holds beside the loss, computed where the data is.

Rows are the last axis of ``weight``; raw outputs, targets and weights may have an axis of
networks in front.
"""

import torch
from torch import Tensor


def _accuracy_softmax(raw: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    return _mean((raw.argmax(-1) == target).to(weight.dtype), weight)


def _accuracy_sigmoid(raw: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    right = ((raw > 0) == (target > 0.5)).all(-1)
    return _mean(right.to(weight.dtype), weight)


def _r2(raw: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    weight = weight.unsqueeze(-1)
    centre = (target * weight).sum(-2, keepdim=True) / weight.sum(-2, keepdim=True)
    left = (weight * (target - raw).square()).sum(-2)
    total = (weight * (target - centre).square()).sum(-2)
    one, zero = torch.ones_like(total), torch.zeros_like(total)
    constant = torch.where(left == 0, one, zero)
    ratio = left / total.clamp_min(1e-30)
    return torch.where(total > 0, 1 - ratio, constant).mean(-1)


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    return (values * weight).sum(-1) / weight.sum(-1)


SCORES = {"softmax": _accuracy_softmax, "sigmoid": _accuracy_sigmoid, "real": _r2}
