"""Recurrent layers and embeddings whose weights are stored as integers.

onnxruntime has no recurrent kernels for integers, so only stored weights are quantized:
the computation is in floats.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from sklearn_deep.nn._quantized import Stored, fake_quantize_weight
from sklearn_deep.nn._rnn import Embed, Layer, Steps, over_steps


class FakeQuantizeEmbed(nn.Module):
    """An embedding with fake quantization of the vectors of tokens.

    Shape: that of ``Embed``
    """

    def __init__(self, embed: Embed, limit: int):
        super().__init__()
        self.table = nn.Embedding.from_pretrained(
            embed.table.weight.detach().clone(), freeze=False
        )
        self.limit = limit

    def forward(self, steps: Steps) -> Steps:
        """Look tokens up."""
        table = fake_quantize_weight(self.table.weight, self.limit)
        return over_steps(lambda codes: F.embedding(codes, table), steps)


class StoredEmbed(nn.Module):
    """An embedding with a scale for each token.

    Shape: that of ``Embed``

    Attributes
    ----------
    table : Stored
    """

    def __init__(self, layer: FakeQuantizeEmbed):
        super().__init__()
        self.table = Stored(layer.table.weight, layer.limit)

    def forward(self, steps: Steps) -> Steps:
        """Look tokens up."""
        whole, scale = self.table.integers, self.table.scale.unsqueeze(1)

        def vectors(codes: Tensor) -> Tensor:
            return F.embedding(codes, whole).float() * F.embedding(codes, scale)

        return over_steps(vectors, steps)


def _without_values(cell: nn.RNNBase) -> nn.RNNBase:
    """The cell as a function of its weights."""
    kind: Callable[..., nn.RNNBase] = type(cell)
    with torch.device("meta"):
        return kind(
            cell.input_size,
            cell.hidden_size,
            batch_first=True,
            bidirectional=cell.bidirectional,
        )


class FakeQuantizeRecurrent(nn.Module):
    """A recurrent layer with fake quantization of its weights.

    Shape: that of ``Layer``
    """

    def __init__(self, layer: Layer, limit: int):
        super().__init__()
        values = layer.cell.named_parameters()
        self.values = nn.ParameterDict({k: v.detach().clone() for k, v in values})
        # In a tuple, so that it is no submodule: its parameters have no values.
        self.cell = (_without_values(layer.cell),)
        self.dropout, self.limit = layer.dropout, limit

    def forward(self, steps: Steps) -> Steps:
        """Run through time."""
        values = {
            name: value if value.ndim == 1 else fake_quantize_weight(value, self.limit)
            for name, value in self.values.items()
        }
        steps = over_steps(Tensor.float, steps)
        out = functional_call(self.cell[0], values, (steps,))[0]
        return out if self.dropout is None else over_steps(self.dropout, out)


class StoredLayer(nn.Module):
    """A recurrent layer with a scale for each row of its weights.

    Shape: that of ``Layer``

    Attributes
    ----------
    weights : ModuleDict of Stored
        By their names in the cell.
    cell : tuple of torch.nn.RNNBase
        One, without values.
    """

    def __init__(self, layer: FakeQuantizeRecurrent):
        super().__init__()
        self.cell, weights = layer.cell, {}
        for name, value in layer.values.items():
            if value.ndim > 1:
                weights[name] = Stored(value, layer.limit)
            else:
                self.register_buffer(name, value.detach().clone())
        self.weights = nn.ModuleDict(weights)

    def values(self) -> dict[str, Tensor]:
        """The dequantized weights of the cell, by name."""
        values: dict[str, Any] = {name: w() for name, w in self.weights.items()}
        return {**values, **dict(self.named_buffers(recurse=False))}

    def forward(self, steps: Steps) -> Steps:
        """Run through time."""
        steps = over_steps(Tensor.float, steps)
        out: Steps = functional_call(self.cell[0], self.values(), (steps,))[0]
        return out
