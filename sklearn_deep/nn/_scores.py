"""The score that the history holds beside the loss, computed where the data is."""

import torch
from torch import Tensor


def _accuracy_softmax(raw: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    return _mean((raw.argmax(-1) == target).to(weight.dtype), weight)


def _accuracy_sigmoid(raw: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    right = ((raw > 0) == (target > 0.5)).all(-1)
    return _mean(right.to(weight.dtype), weight)


def _r2(raw: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    centre = (target * weight[:, None]).sum(0) / weight.sum()
    left = (weight[:, None] * (target - raw).square()).sum(0)
    total = (weight[:, None] * (target - centre).square()).sum(0)
    one, zero = torch.ones_like(total), torch.zeros_like(total)
    constant = torch.where(left == 0, one, zero)
    return torch.where(total > 0, 1 - left / total.clamp_min(1e-30), constant).mean()


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    return (values * weight).sum() / weight.sum()


SCORES = {"softmax": _accuracy_softmax, "sigmoid": _accuracy_sigmoid, "real": _r2}
