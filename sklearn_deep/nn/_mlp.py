"""The feed-forward network."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sklearn_deep.nn._across import has_variance
from sklearn_deep.nn._activations import ACTIVATIONS
from sklearn_deep.nn._dropout import AlphaDropout, Dropout


class BatchNorm(nn.BatchNorm1d):
    """Batch normalisation that uses running moments for a single value per channel.

    A single value has no variance, and torch refuses it. With the running moments, a
    data set of ``k * batch_size + 1`` rows can be trained on.

    Shape: (batch, channels, ...); the output has the shape of the input.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each channel of rows, series or images."""
        assert self.num_batches_tracked is not None  # by the defaults, which are used
        assert self.momentum is not None
        learns = self.training and has_variance(x)
        if learns:
            self.num_batches_tracked.add_(1)
        return F.batch_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            learns,
            self.momentum,
            self.eps,
        )


NORMALIZATIONS: dict[str, type[nn.Module]] = {
    "batch": BatchNorm,
    "layer": nn.LayerNorm,
}


class Block(nn.Module):
    """Linear layer, normalisation, activation, dropout, and perhaps a shortcut.

    Shape: (batch, n_in) -> (batch, n_out)
    """

    def __init__(self, n_in: int, n_out: int, layers: list[nn.Module], residual: bool):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(n_in, n_out), *layers)
        self.shortcut: nn.Module | None = None
        if residual:
            same = n_in == n_out
            self.shortcut = (
                nn.Identity() if same else nn.Linear(n_in, n_out, bias=False)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layers, and add the input where there is a shortcut."""
        out = self.layers(x)
        return out if self.shortcut is None else out + self.shortcut(x)


class Output(nn.Linear):
    """A linear layer that is fast for few outputs.

    Matrix products with a handful of columns take three times as long as those with a
    handful of rows, so the narrow product is taken transposed.

    Shape: (batch, n_in) -> (batch, n_out)
    """

    _NARROW = 16

    def forward(self, x: Tensor) -> Tensor:
        """Map features to raw outputs."""
        if not self.is_narrow:
            return super().forward(x)
        return torch.addmm(self.bias[:, None], self.weight, x.t()).t()

    @property
    def is_narrow(self) -> bool:
        """Whether the product is taken transposed."""
        return self.out_features < self._NARROW


class MLP(nn.Module):
    """Blocks of hidden units and a linear output layer.

    Shape: (batch, n_features) -> (batch, n_outputs)

    Parameters
    ----------
    n_features, n_outputs : int
        Width of the input and of the raw output.
    hidden_layer_sizes : sequence of int
        Units of each hidden layer; may be empty (a linear model).
    activation : str
        A name in ``ACTIVATIONS``, with its parameters in ``activation_params``.
    dropout : sequence of float
        Rate after each hidden layer, in [0, 1).
    normalization : {None, "batch", "layer"}
        Between the linear layer and the activation.
    residual : bool
        Add each block's input to its output, through a linear map where the two
        differ in width (He et al., arXiv:1512.03385).
    """

    def __init__(
        self,
        n_features: int,
        n_outputs: int,
        *,
        hidden_layer_sizes: Sequence[int],
        activation: str,
        activation_params: Mapping[str, Any],
        dropout: Sequence[float],
        normalization: str | None,
        residual: bool,
    ):
        super().__init__()
        row = ACTIVATIONS[activation]
        drop = AlphaDropout if row.alpha_dropout else Dropout
        blocks, width = [], n_features
        drops = any(rate > 0 for rate in dropout)
        for size, rate in zip(hidden_layer_sizes, dropout, strict=True):
            layers: list[nn.Module] = []
            if normalization is not None:
                layers.append(NORMALIZATIONS[normalization](size))
            layers.append(row.module(**activation_params))
            if drops:  # in every block: networks with other rates have the same layers
                layers.append(drop(rate))
            blocks.append(Block(width, size, layers, residual))
            width = size
        self.hidden = nn.Sequential(*blocks)
        self.output = Output(width, n_outputs)

    def stages(self) -> list[tuple[str, nn.Module]]:
        """The consecutive stages with their names."""
        hidden = [(f"hidden.{i}", block) for i, block in enumerate(self.hidden)]
        return [*hidden, ("output", self.output)]

    def forward(self, x: Tensor) -> Tensor:
        """Map features to raw outputs."""
        return self.output(self.hidden(x))
