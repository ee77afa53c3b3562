"""Hand-written backward passes of the embeddings of columns.

As inside ``Columns``, rows are the last axis here; tensors and parameters may have an axis
of networks in front.
"""

from typing import Any

import torch
from torch import Tensor

from sklearn_deep.nn._columns import (
    CYCLE,
    CategoryEmbedding,
    Columns,
    NumericEmbedding,
    PeriodicEmbedding,
    PiecewiseLinearEmbedding,
)
from sklearn_deep.training.step._layer_gradients import gradient_of, values_of
from sklearn_deep.training.step._products import product


class ColumnsGradient:
    """All columns: (..., n_rows, n_columns) -> (..., n_rows, width).

    Parameters
    ----------
    layer : Columns
        Its parameters and their gradients may have an axis of networks in front.
    """

    def __init__(self, layer: Columns):
        self.layer, self.numeric, self.categories = layer, None, None
        if layer.numeric is not None:
            self.numeric = NUMERIC_GRADIENTS[type(layer.numeric)](layer.numeric)
        if layer.categories is not None:
            self.categories = CategoryGradient(layer.categories)

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """Embed rows."""
        numbers, plain, codes = self.layer.split(x)
        parts = [numbers.mT, plain.mT]
        if self.numeric is not None:
            parts.insert(1, self.numeric.forward(numbers.mT))
        if self.categories is not None:
            parts.append(self.categories.forward(codes))
        self._widths = [part.shape[-2] for part in parts]
        return torch.cat(parts, -2).mT

    @torch.no_grad()
    def backward(self, g: Tensor) -> None:
        """Write the gradients, from that by the embedded rows."""
        parts = g.mT.split(self._widths, -2)
        if self.numeric is not None:
            self.numeric.backward(parts[1])
        if self.categories is not None:
            self.categories.backward(parts[-1])


class NumericGradient:
    """The linear map of the features of each number.

    Shape: (..., n_columns, n_rows) -> (..., n_columns * (width - 1), n_rows)
    """

    def __init__(self, layer: NumericEmbedding):
        self.layer: Any = layer
        self.weight = values_of(layer.weight, 3)
        self.bias = values_of(layer.bias, 2).unsqueeze(-1)

    def features(self, x: Tensor) -> Tensor:
        """Features, and what ``backward_features`` needs."""
        return self.layer.features(x.mT)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the linear map to the features."""
        self._features = self.features(x)
        own = _by_column(self.weight, self._features)
        return own.add_(self.bias).flatten(-3, -2)

    def backward(self, g: Tensor) -> None:
        """Write the gradients."""
        g = g.unflatten(-2, self.weight.shape[-3:-1])
        gradient_of(self.layer.weight, 3).copy_(_by_column(g, self._features.mT))
        torch.sum(g, -1, out=gradient_of(self.layer.bias, 2))
        self.backward_features(g)

    def backward_features(self, g: Tensor) -> None:
        """Write the gradients of parameters that the features have."""


class PeriodicGradient(NumericGradient):
    """Cosines with frequencies and phases."""

    def features(self, x: Tensor) -> Tensor:
        """Cosines."""
        self._x = x
        self._angles = self.layer.angles(x.mT)
        return torch.cos(self._angles)

    def backward_features(self, g: Tensor) -> None:
        """Write the gradients of frequencies and phases."""
        slope = _by_column(self.weight.mT, g).mul_(self._angles.sin_())
        torch.mul(slope.sum(-1), -CYCLE, out=gradient_of(self.layer.phase, 2))
        slope.mul_(self._x.unsqueeze(-2))
        torch.mul(slope.sum(-1), -CYCLE, out=gradient_of(self.layer.frequency, 2))


class CategoryGradient:
    """The table of vectors: (..., n_rows, n_columns) -> (..., n_columns * width, n_rows)."""

    def __init__(self, layer: CategoryEmbedding):
        self.layer: Any = layer
        self.weight = values_of(layer.weight, 2)
        self._networks = torch.arange(len(self.weight), device=self.weight.device)

    def forward(self, codes: Tensor) -> Tensor:
        """Look up the vectors."""
        first = self.layer.first
        rows = codes.long() + (first.unsqueeze(-2) if first.ndim == 2 else first)
        self._where = self._networks.view(-1, 1, 1), rows
        return self.weight[self._where].flatten(-2).mT

    def backward(self, g: Tensor) -> None:
        """Add up the gradients of each vector."""
        place = gradient_of(self.layer.weight, 2).zero_()
        of_each = g.mT.unflatten(-1, (-1, place.shape[-1]))
        place.index_put_(self._where, of_each, accumulate=True)


def _by_column(left: Tensor, right: Tensor) -> Tensor:
    """Products of the matrices of each column of each network.

    What is on the left is copied where it is no dense block: as a part of a stack it would
    be, and its layout has to be one.
    """
    left = left.contiguous()
    of_all = product(left.flatten(0, 1), right.flatten(0, 1))
    return of_all.unflatten(0, left.shape[:2])


NUMERIC_GRADIENTS: dict[type[NumericEmbedding], type[NumericGradient]] = {
    PeriodicEmbedding: PeriodicGradient,
    PiecewiseLinearEmbedding: NumericGradient,
}
