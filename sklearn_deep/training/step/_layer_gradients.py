"""Hand-written backward passes, one class per kind of layer.

``forward`` stores what ``backward`` needs. Gradients of parameters are written into
``parameter.grad``, which is a view of the flat gradient. Tensors are (networks, rows,
units); parameters of one network alone have no axis of networks.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sklearn_deep.nn._across import (
    current_across,
    gradient_by_input,
    has_variance,
    moments_of_all,
    update_running,
)
from sklearn_deep.nn._backward import ACTIVATION_BACKWARD
from sklearn_deep.nn._dropout import AlphaDropout, Dropout
from sklearn_deep.nn._mlp import BatchNorm
from sklearn_deep.private._torch import (
    batch_norm,
    batch_norm_backward,
    layer_norm,
    layer_norm_backward,
    threshold_backward_into,
)
from sklearn_deep.training.step._products import affine, product


class LayerGradient:
    """Forward and backward pass of one kind of layer."""

    def __init__(self, layer: Any):
        self.layer = layer

    @staticmethod
    def takes(layer: Any) -> bool:
        """Tell whether the options of a layer are supported."""
        return True

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer in training mode."""
        raise NotImplementedError

    def backward(self, g: Tensor) -> Tensor:
        """Map the gradient by the output to the gradient by the input."""
        raise NotImplementedError


def values_of(parameter: Tensor, n_axes: int) -> Tensor:
    """The values of a parameter that has so many axes in one network, with one more."""
    values = parameter.data
    return values.unsqueeze(0) if values.ndim == n_axes else values


def gradient_of(parameter: Tensor, n_axes: int) -> Tensor:
    """The gradient of a parameter likewise, to be written in place."""
    assert parameter.grad is not None
    return values_of(parameter.grad, n_axes)


class LinearGradient(LayerGradient):
    """A linear layer; with ``first`` its input is data, and needs no gradient."""

    def __init__(self, layer: nn.Linear, first: bool = False):
        super().__init__(layer)
        self.first = first
        self.weight = values_of(layer.weight, 2)
        self.weight_gradient = gradient_of(layer.weight, 2)
        self.transposed = self.weight.mT
        self.has_bias = layer.bias is not None
        if self.has_bias:
            self.bias = values_of(layer.bias, 1).unsqueeze(-2)
            self.bias_gradient = gradient_of(layer.bias, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Multiply, and add the bias."""
        self.x = x
        if self.has_bias:
            return affine(self.bias, x, self.transposed)
        return product(x, self.transposed)

    def backward(self, g: Tensor) -> Tensor:
        """Write the gradients of weight and bias."""
        product(g.mT, self.x, out=self.weight_gradient)
        if self.has_bias:
            torch.sum(g, -2, out=self.bias_gradient)
        return g if self.first else product(g, self.weight)


class ActivationGradient(LayerGradient):
    """An activation without parameters."""

    def __init__(self, layer: nn.Module):
        super().__init__(layer)
        # In place: no layer before a rectifier needs its output for the backward pass.
        self._activate = torch.relu_ if type(layer) is nn.ReLU else layer.forward
        self._back = ACTIVATION_BACKWARD[type(layer)]

    def forward(self, x: Tensor) -> Tensor:
        """Apply the activation."""
        self.x = x
        self.y = self._activate(x)
        return self.y

    def backward(self, g: Tensor) -> Tensor:
        """Multiply by its slope."""
        return self._back(g, self.x, self.y, self.layer)


class PReLUGradient(LayerGradient):
    """A rectifier whose slope is learnt."""

    @staticmethod
    def takes(layer: Any) -> bool:
        """Supported: one slope for all units."""
        return layer.num_parameters == 1

    def forward(self, x: Tensor) -> Tensor:
        """Scale what is below zero."""
        self.x = x
        self.slope = self.layer.weight.data.unsqueeze(-1)
        return torch.where(x > 0, x, x * self.slope)

    def backward(self, g: Tensor) -> Tensor:
        """Write the slope's gradient."""
        below = torch.where(self.x > 0, 0.0, g)
        out = gradient_of(self.layer.weight, 1)
        out.copy_((below * self.x).sum((-2, -1)).view_as(out))
        return torch.where(self.x > 0, g, g * self.slope)


class BatchNormGradient(LayerGradient):
    """Normalisation over the rows; units of stacked networks are further columns."""

    @staticmethod
    def takes(layer: Any) -> bool:
        """Supported: with weights and running moments, as this package builds it."""
        if batch_norm is None or batch_norm_backward is None:
            return False
        return layer.affine and layer.track_running_stats and layer.momentum is not None

    def forward(self, x: Tensor) -> Tensor:
        """Normalise, and update the running moments."""
        layer = self.layer
        self.shape, self.x = x.shape, _columns(x)
        self.across = current_across()
        # A single row has no variance: the running moments are used.
        self.learns = has_variance(x[0])  # networks of a stack have equal batches
        if self.learns:
            layer.num_batches_tracked.add_(1)
        weight, bias, mean, var = self._flat()
        if self.learns and self.across is not None:
            return _rows(self._over_all(weight, bias, mean, var), self.shape)
        y, self.mean, self.scale = batch_norm(
            self.x, weight, bias, mean, var, self.learns, layer.momentum, layer.eps
        )
        return _rows(y, self.shape)

    def backward(self, g: Tensor) -> Tensor:
        """Write the gradients of weight and bias."""
        back, by_weight, by_bias = self._gradients(_columns(g))
        _put(self.layer.weight, by_weight)
        _put(self.layer.bias, by_bias)
        return _rows(back, self.shape)

    def _over_all(
        self, weight: Tensor, bias: Tensor, mean: Tensor, var: Tensor
    ) -> Tensor:
        """Normalise by the moments of the rows of all ranks."""
        assert self.across is not None
        self.moments = moments_of_all(self.x, None, self.across)
        update_running(self.moments, mean, var, self.layer.momentum)
        self.scale = torch.rsqrt(self.moments.var + self.layer.eps)
        self.normal = (self.x - self.moments.mean) * self.scale
        return torch.addcmul(bias, self.normal, weight)

    def _gradients(self, g: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Gradients by input, weight and bias."""
        weight, _, mean, var = self._flat()
        if self.learns and self.across is not None:
            scale, number = self.scale * weight, self.moments.number
            return gradient_by_input(g, self.normal, scale, number, self.across)
        back, by_weight, by_bias = batch_norm_backward(
            g,
            self.x,
            weight,
            mean,
            var,
            self.mean,
            self.scale,
            self.learns,
            self.layer.eps,
            [True, True, True],
        )
        return back, by_weight, by_bias

    def _flat(self) -> list[Tensor]:
        layer = self.layer
        tensors = (
            layer.weight.data,
            layer.bias.data,
            layer.running_mean,
            layer.running_var,
        )
        # Parameters are parts of a larger tensor; running moments stay what they are.
        return [tensor.reshape(-1) for tensor in tensors]


def _columns(x: Tensor) -> Tensor:
    """Networks side by side: (k, n, d) -> (n, k * d)."""
    return x.transpose(0, 1).reshape(x.shape[1], -1)


def _rows(y: Tensor, shape: torch.Size) -> Tensor:
    """The inverse of ``_columns``."""
    return y.view(shape[1], shape[0], shape[2]).transpose(0, 1)


def _put(parameter: Tensor, gradient: Tensor) -> None:
    place = gradient_of(parameter, 1)
    place.copy_(gradient.view_as(place))


class LayerNormGradient(LayerGradient):
    """Normalisation over the units of each row."""

    @staticmethod
    def takes(layer: Any) -> bool:
        """Supported: with weight and bias, over the last axis."""
        if layer_norm is None or layer_norm_backward is None:
            return False
        return len(layer.normalized_shape) == 1 and layer.bias is not None

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each row."""
        layer, self.x = self.layer, x
        size = [x.shape[-1]]
        self.y, self.mean, self.scale = layer_norm(x, size, None, None, layer.eps)
        self.weight = layer.weight.data.unsqueeze(-2)
        return torch.addcmul(layer.bias.data.unsqueeze(-2), self.y, self.weight)

    def backward(self, g: Tensor) -> Tensor:
        """Write the gradients of weight and bias."""
        torch.sum(g * self.y, -2, out=gradient_of(self.layer.weight, 1))
        torch.sum(g, -2, out=gradient_of(self.layer.bias, 1))
        back, _, _ = layer_norm_backward(
            g * self.weight,
            self.x,
            [g.shape[-1]],
            self.mean,
            self.scale,
            None,
            None,
            [True, False, False],
        )
        return back


class DropoutGradient(LayerGradient):
    """Dropout of either kind, with the masks that the layer itself would draw."""

    def forward(self, x: Tensor) -> Tensor:
        """Drop units."""
        self.drops = self.layer.drops
        if not self.drops:
            self.layer.source.skip(x)
            return x
        self.factor, *offset = self.layer.parts(x)
        return torch.addcmul(offset[0], x, self.factor) if offset else x * self.factor

    def backward(self, g: Tensor) -> Tensor:
        """Drop their gradients."""
        return g * self.factor if self.drops else g


class RectifiedDropoutGradient(LayerGradient):
    """A ReLU and the dropout after it, in place, in blocks without a shortcut.

    The gradient passes where the output is positive, so no mask is stored.
    """

    def __init__(self, dropout: Dropout | None):
        super().__init__(dropout)
        self._factor: Any = None

    @staticmethod
    def replaces(layers: Sequence[nn.Module]) -> bool:
        """Tell whether a block ends in a ReLU, or in a ReLU and dropout."""
        if threshold_backward_into is None:
            return False
        kinds = [type(layer) for layer in layers]
        return kinds[-1:] == [nn.ReLU] or kinds[-2:] == [nn.ReLU, Dropout]

    def forward(self, x: Tensor) -> Tensor:
        """Rectify, and drop units."""
        self.y = torch.relu_(x)
        self._factor = None
        if self.layer is None:
            return self.y
        if not self.layer.drops:
            self.layer.source.skip(x)
            return self.y
        kept, rate = self.layer.draw(x)
        self._factor = 1 / (1 - rate)
        return self.y.mul_(kept).mul_(self._factor)

    def backward(self, g: Tensor) -> Tensor:
        """Pass the gradient where a unit was positive and not dropped."""
        threshold_backward_into(g, self.y, 0, grad_input=g)
        return g if self._factor is None else g.mul_(self._factor)


LAYER_GRADIENTS: dict[type[nn.Module], type[LayerGradient]] = {
    **dict.fromkeys(ACTIVATION_BACKWARD, ActivationGradient),
    nn.Linear: LinearGradient,
    nn.PReLU: PReLUGradient,
    nn.LayerNorm: LayerNormGradient,
    BatchNorm: BatchNormGradient,
    Dropout: DropoutGradient,
    AlphaDropout: DropoutGradient,
}
