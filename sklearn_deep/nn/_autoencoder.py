"""Feed-forward autoencoders."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from sklearn_deep.nn._mlp import MLP
from sklearn_deep.nn._stages import Stages


class Autoencoder(MLP):
    """Blocks that become narrower, a linear code, and the same blocks backwards.

    Shape: (batch, n_features) -> (batch, n_outputs)

    Parameters
    ----------
    n_features, n_outputs : int
        Width of the input and of the reconstruction.
    hidden_layer_sizes : sequence of int
        Units of each layer of the encoder; may be empty.
    code_size : int
        Width of the code.
    activation, activation_params, normalization
        As in ``MLP``.
    dropout : sequence of float
        Rate after each encoder layer, and after the decoder layer that mirrors it.
    """

    def __init__(
        self,
        n_features: int,
        n_outputs: int,
        *,
        hidden_layer_sizes: Sequence[int],
        code_size: int,
        activation: str,
        activation_params: Mapping[str, Any],
        dropout: Sequence[float],
        normalization: str | None,
    ):
        super().__init__(
            n_features,
            n_outputs,
            hidden_layer_sizes=[
                *hidden_layer_sizes,
                code_size,
                *reversed(hidden_layer_sizes),
            ],
            activation=activation,
            activation_params=activation_params,
            dropout=[*dropout, 0.0, *reversed(dropout)],
            normalization=normalization,
            residual=False,
        )
        self.depth = len(hidden_layer_sizes)
        code: Any = self.hidden[self.depth]
        code.layers = nn.Sequential(code.layers[0], nn.Identity())

    def encoder(self) -> Stages:
        """The stages up to the code."""
        return self.stages()[: self.depth + 1]

    def decoder(self) -> Stages:
        """The stages from the code on."""
        return self.stages()[self.depth + 1 :]
