"""The gradient of a plain feed-forward network, derived by hand.

For a small network, autograd spends more time on bookkeeping than on matrix products.
Here the forward pass stores what the backward pass needs, and the backward pass writes
into the flat gradient directly. With a leading axis of networks the same code computes
the gradients of a stack.
"""

from typing import Any

import torch
from torch import Tensor, nn

from sklearn_deep.data._batches import Batch
from sklearn_deep.nn._autoencoder import Autoencoder
from sklearn_deep.nn._backward import LOSS_BACKWARD
from sklearn_deep.nn._dropout import Dropout
from sklearn_deep.nn._hooks import hooks
from sklearn_deep.nn._losses import Loss
from sklearn_deep.nn._mlp import MLP, Block, Output
from sklearn_deep.nn._tabular import Ensemble, TabularNetwork
from sklearn_deep.training.step._column_gradients import ColumnsGradient
from sklearn_deep.training.step._layer_gradients import (
    LAYER_GRADIENTS,
    LayerGradient,
    LinearGradient,
    RectifiedDropoutGradient,
    gradient_of,
    values_of,
)
from sklearn_deep.training.step._products import affine, product


def derived_gradient(module: nn.Module, loss: Loss) -> "DerivedGradient | None":
    """The hand-derived gradient of a network; None where a layer has none."""
    return DerivedGradient(module, loss) if is_plain(module) else None


def is_plain(module: nn.Module) -> bool:
    """Tell whether all layers have a hand-derived gradient and are trained.

    Of an ensemble: whether those of its networks have.
    """
    if isinstance(module, Ensemble):
        return all(map(is_plain, module.networks))
    return (
        isinstance(module, MLP)
        and type(module) in (MLP, Autoencoder, TabularNetwork)
        and all(map(_is_plain_block, module.hidden))
        and type(module.output) is Output
        and not any(any(hooks(layer)) for layer in module.modules())
        and all(p.requires_grad for p in module.parameters())
    )


def _is_plain_block(block: nn.Module) -> bool:
    return (
        type(block) is Block
        and type(block.layers[0]) is nn.Linear
        and all(
            type(layer) in LAYER_GRADIENTS and LAYER_GRADIENTS[type(layer)].takes(layer)
            for layer in block.layers
        )
        and type(block.shortcut) in (type(None), nn.Identity, nn.Linear)
    )


class DerivedGradient:
    """``(batch, share) -> (loss, raw)``; writes the gradient into the flat gradient.

    Loss and gradient are those of the batch, times the share that it is of a larger one.

    Parameters
    ----------
    module : MLP
        Its parameters and their gradients are views of flat tensors.
    loss : Loss
    """

    def __init__(self, module: Any, loss: Loss):
        self.loss = loss
        columns = getattr(module, "columns", None)
        self.columns = None if columns is None else ColumnsGradient(columns)
        # In place, where nothing else needs the values.
        in_place = all(block.shortcut is None for block in module.hidden)
        self.blocks = [
            _BlockGradient(block, i == 0 and self.columns is None, in_place)
            for i, block in enumerate(module.hidden)
        ]
        output = module.output
        self._alone = output.weight.ndim == 2
        self._weight, self._bias = (
            values_of(output.weight, 2),
            values_of(output.bias, 1),
        )
        self._weight_gradient = gradient_of(output.weight, 2)
        self._bias_gradient = gradient_of(output.bias, 1)
        self._narrow = module.output.is_narrow
        self._loss_backward = LOSS_BACKWARD.get((loss.name, loss.kind))

    def __call__(self, batch: Batch, share: float = 1.0) -> tuple[Tensor, Tensor]:
        """Compute the batch's loss and write its gradient."""
        x = batch.x.unsqueeze(0) if self._alone else batch.x
        if self.columns is not None:
            x = self.columns.forward(x)
        for block in self.blocks:
            x = block.forward(x)
        raw = self._raw(x).squeeze(0) if self._alone else self._raw(x)
        loss, g = self._of_loss(raw, batch)
        if share != 1.0:
            loss, g = loss * share, g.mul_(share)
        g = g.unsqueeze(0) if self._alone else g
        product(g.mT, x, out=self._weight_gradient)
        torch.sum(g, -2, out=self._bias_gradient)
        if self.blocks or self.columns is not None:
            g = product(g, self._weight)
        for block in reversed(self.blocks):
            g = block.backward(g)
        if self.columns is not None:
            self.columns.backward(g)
        return loss, raw

    def _raw(self, x: Tensor) -> Tensor:
        if self._narrow:  # see Output
            return affine(self._bias.unsqueeze(-1), self._weight, x.mT).mT
        return affine(self._bias.unsqueeze(-2), x, self._weight.mT)

    def _of_loss(self, raw: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Mean loss of the batch, and its gradient by the raw outputs."""
        soft = self.loss.kind == "softmax" and batch.y.is_floating_point()
        if self._loss_backward is None or soft:
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


class _BlockGradient:
    """A hidden block: its layers, and perhaps a shortcut around them."""

    def __init__(self, block: Block, first: bool, in_place: bool):
        linear, *others = block.layers
        assert isinstance(linear, nn.Linear)
        last: list[LayerGradient] = []
        if in_place and RectifiedDropoutGradient.replaces(others):
            dropout = others[-1] if isinstance(others[-1], Dropout) else None
            others = others[: -1 if dropout is None else -2]
            last.append(RectifiedDropoutGradient(dropout))
        self.passes: list[LayerGradient] = [LinearGradient(linear, first)]
        self.passes += [LAYER_GRADIENTS[type(layer)](layer) for layer in others]
        self.passes += last
        self.first = first
        self.adds_input = block.shortcut is not None
        self.projection = (
            LinearGradient(block.shortcut, first)
            if isinstance(block.shortcut, nn.Linear)
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block."""
        y = x
        for layer in self.passes:
            y = layer.forward(y)
        if not self.adds_input:
            return y
        return y + (x if self.projection is None else self.projection.forward(x))

    def backward(self, g: Tensor) -> Tensor:
        """Write the gradients; what the first block returns is not used."""
        back = g
        for layer in reversed(self.passes):
            back = layer.backward(back)
        around = g if self.projection is None else self.projection.backward(g)
        return back + around if self.adds_input and not self.first else back
