"""The gradient of a plain feed-forward network, derived by hand.

Autograd spends more on its own bookkeeping than on the products of a small network. Here
the forward pass keeps what the backward pass needs, and that writes into the flat
gradient directly. Tensors may have a leading axis of networks: the same code then takes a
step of many.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sklearn_deep.data._batches import Batch
from sklearn_deep.nn._backward import ACTIVATION_BACKWARD, LOSS_BACKWARD
from sklearn_deep.nn._dropout import Dropout
from sklearn_deep.nn._losses import Loss
from sklearn_deep.nn._mlp import MLP, Block, Output

# Ways back through a layer: the gradient by its output to that by its input.
Back = Callable[[Tensor], Tensor]


def derived_gradient(module: nn.Module, loss: Loss) -> "DerivedGradient | None":
    """Give the hand-derived gradient of a network, None where it has none."""
    return DerivedGradient(module, loss) if is_plain(module) else None


def is_plain(module: nn.Module) -> bool:
    """Tell whether a network is of layers that are derived here, all of them trained."""
    return (
        type(module) is MLP
        and all(map(_is_plain_block, module.hidden))
        and type(module.output) is Output
        and not any(map(_has_hooks, module.modules()))
        and all(p.requires_grad for p in module.parameters())
    )


def _is_plain_block(block: nn.Module) -> bool:
    if type(block) is not Block:
        return False
    linear, *others = block.layers
    kinds = [type(layer) for layer in others]
    return (
        type(linear) is nn.Linear
        and kinds[:1] != []
        and kinds[0] in ACTIVATION_BACKWARD
        and kinds[1:] in ([], [Dropout])
        and type(block.shortcut) in (type(None), nn.Identity, nn.Linear)
    )


def _has_hooks(module: nn.Module) -> bool:
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
    )


@dataclass(frozen=True)
class _Linear:
    """A linear layer: its values, and where their gradients go."""

    weight: Tensor
    bias: Tensor | None
    weight_gradient: Tensor
    bias_gradient: Tensor | None

    @classmethod
    def of(cls, layer: nn.Linear) -> "_Linear":
        bias = layer.bias
        return cls(
            layer.weight.data,
            None if bias is None else bias.data,
            _gradient_of(layer.weight),
            None if bias is None else _gradient_of(bias),
        )


def _gradient_of(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad


def _affine(bias: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """Compute ``bias + left @ right``, of one network or of many."""
    return (torch.addmm if left.ndim == 2 else torch.baddbmm)(bias, left, right)


class DerivedGradient:
    """``(batch) -> (loss, raw)``, with the gradient written where it belongs.

    Parameters
    ----------
    module : MLP
        Its parameters and their gradients are views of flat tensors.
    loss : Loss
    """

    def __init__(self, module: Any, loss: Loss):
        self.loss = loss
        self.blocks = [_BlockPass(block) for block in module.hidden]
        self.output = _Linear.of(module.output)
        self._narrow = module.output.out_features < Output._NARROW
        self._loss_backward = LOSS_BACKWARD.get((loss.name, loss.kind))

    def __call__(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Compute the batch's loss and write its gradient."""
        x = batch.x
        for block in self.blocks:
            x = block.forward(x)
        raw = self._raw(x)
        loss, g = self._of_loss(raw, batch)
        out = self.output
        torch.matmul(g.mT, x, out=out.weight_gradient)
        torch.sum(g, -2, out=out.bias_gradient)
        if self.blocks:
            g = torch.matmul(g, out.weight)
        for i, block in reversed(list(enumerate(self.blocks))):
            g = block.backward(g, first=i == 0)
        return loss, raw

    def _raw(self, x: Tensor) -> Tensor:
        weight, bias = self.output.weight, self.output.bias
        assert bias is not None
        if self._narrow:  # see Output
            return _affine(bias.unsqueeze(-1), weight, x.mT).mT
        return _affine(bias.unsqueeze(-2), x, weight.mT)

    def _of_loss(self, raw: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Mean loss of the batch, and its gradient by the raw outputs."""
        if self._loss_backward is None or (
            self.loss.kind == "softmax" and batch.y.is_floating_point()
        ):
            return self._by_autograd(raw, batch)
        rows, g = self._loss_backward(raw, batch.y, self.loss.smoothing)
        n = raw.shape[-2]
        if batch.weight is None:
            return rows.mean(-1), g.div_(n)
        share = batch.weight / n
        return (rows * share).sum(-1), g.mul_(share.unsqueeze(-1))

    def _by_autograd(self, raw: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        leaf = raw.detach().requires_grad_()
        with torch.enable_grad():
            rows = self.loss.training_rows(leaf, batch.y)
            if batch.weight is not None:
                rows = rows * batch.weight
            loss = rows.mean(-1)
            (g,) = torch.autograd.grad(loss.sum(), leaf)
        return loss.detach(), g


class _BlockPass:
    """A hidden block: forward keeps what backward needs."""

    def __init__(self, block: Block):
        linear, activation, *dropout = block.layers
        assert isinstance(linear, nn.Linear)
        self.linear = _Linear.of(linear)
        self.activation = activation
        self._activate = activation.forward
        self._backward = ACTIVATION_BACKWARD[type(activation)]
        self.dropout: Any = dropout[0] if dropout else None
        self.shortcut = block.shortcut
        self._projection = (
            _Linear.of(block.shortcut)
            if isinstance(block.shortcut, nn.Linear)
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block to rows ``x``."""
        assert self.linear.bias is not None
        self._x = x
        z = _affine(self.linear.bias.unsqueeze(-2), x, self.linear.weight.mT)
        a = self._activate(z)
        self._z, self._a, self._mask = z, a, None
        if self.dropout is not None:
            self._mask = self.dropout.mask(a)
            a = a * self._mask
        if self.shortcut is None:
            return a
        if self._projection is None:
            return a + x
        return _affine(a, x, self._projection.weight.mT)

    def backward(self, g: Tensor, first: bool) -> Tensor:
        """Write the gradients; give that by ``x``, unless ``x`` is the data."""
        x, given = self._x, g
        if self._mask is not None:
            g = g * self._mask
        g = self._backward(g, self._z, self._a, self.activation)
        torch.matmul(g.mT, x, out=self.linear.weight_gradient)
        torch.sum(g, -2, out=self.linear.bias_gradient)
        if self._projection is not None:
            torch.matmul(given.mT, x, out=self._projection.weight_gradient)
        if first:
            return g
        back = torch.matmul(g, self.linear.weight)
        if self.shortcut is None:
            return back
        if self._projection is None:
            return back.add_(given)
        return _affine(back, given, self._projection.weight)
