"""Embeddings of the columns of a table: what stands before the first layer of a network.

A row has numbers first, then plain columns (indicators, one-hot), then codes of
categories, as floats; all may have leading axes. Inside, rows are the last axis: products
with the few units of a column are faster so.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import init

CYCLE = 2 * math.pi

# Standard deviation of the frequencies at the start, in cycles per unit (arXiv:2407.04491).
_FREQUENCY = 0.1


class NumericEmbedding(nn.Module):
    """Features of each number, a linear map of these, and the number itself.

    Shape: (..., n_rows, n_columns) -> (..., n_columns * width, n_rows)

    Parameters
    ----------
    n_columns : int
    n_features : int
        Features of a number, which a subclass computes.
    width : int
        Outputs per column: the number itself, and ``width - 1`` of the linear map.
    """

    def __init__(self, n_columns: int, n_features: int, width: int = 4):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_columns, width - 1, n_features))
        self.bias = nn.Parameter(torch.empty(n_columns, width - 1))
        self.width = n_columns * width

    def features(self, x: Tensor) -> Tensor:
        """Features of numbers, of shape (..., n_columns, n_features, n_rows)."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Numbers, and then the outputs of the linear map."""
        own = torch.matmul(self.weight, self.features(x)) + self.bias.unsqueeze(-1)
        return torch.cat([x.mT, own.flatten(-3, -2)], -2)

    def draw(self, generator: torch.Generator) -> None:
        """Draw initial values."""
        bound = 1 / math.sqrt(self.weight.shape[-1])
        for parameter in (self.weight, self.bias):
            init.uniform_(parameter, -bound, bound, generator=generator)

    def learn(self, x: Tensor) -> None:
        """Learn from the training rows what no gradient changes."""


class PeriodicEmbedding(NumericEmbedding):
    """Cosines of each number, whose frequencies and phases are learnt.

    Both are in cycles, and not in radians: steps of one learning rate then change them
    about as fast as other weights.

    References
    ----------
    Gorishniy et al., "On embeddings for numerical features in tabular deep learning",
    arXiv:2203.05556; Holzmueller et al., "Better by default", arXiv:2407.04491.
    """

    def __init__(self, n_columns: int, n_features: int = 16, width: int = 4):
        super().__init__(n_columns, n_features, width)
        self.frequency = nn.Parameter(torch.empty(n_columns, n_features))
        self.phase = nn.Parameter(torch.empty(n_columns, n_features))

    def angles(self, x: Tensor) -> Tensor:
        """Arguments of the cosines."""
        frequency = (self.frequency * CYCLE).unsqueeze(-1)
        phase = (self.phase * CYCLE).unsqueeze(-1)
        return torch.addcmul(phase, frequency, x.mT.unsqueeze(-2))

    def features(self, x: Tensor) -> Tensor:
        """Cosines."""
        return torch.cos(self.angles(x))

    def draw(self, generator: torch.Generator) -> None:
        """Draw initial values."""
        super().draw(generator)
        init.normal_(self.frequency, 0.0, _FREQUENCY, generator=generator)
        init.uniform_(self.phase, -0.5, 0.5, generator=generator)


class PiecewiseLinearEmbedding(NumericEmbedding):
    """How far each number has come through each of some bins.

    A feature goes from 0 to 1 within its bin; the first and the last one continue beyond
    the training rows.

    References
    ----------
    Gorishniy et al., "On embeddings for numerical features in tabular deep learning",
    arXiv:2203.05556.
    """

    start: Tensor
    scale: Tensor

    def __init__(self, n_columns: int, n_features: int = 16, width: int = 4):
        super().__init__(n_columns, n_features, width)
        for name in ("start", "scale"):
            self.register_buffer(name, torch.empty(n_columns, n_features))

    def features(self, x: Tensor) -> Tensor:
        """Shares of the bins."""
        share = (x.mT.unsqueeze(-2) - self.start.unsqueeze(-1)) * self.scale.unsqueeze(
            -1
        )
        first, inner, last = share[..., :1, :], share[..., 1:-1, :], share[..., -1:, :]
        return torch.cat([first.clamp(max=1), inner.clamp(0, 1), last.clamp(min=0)], -2)

    @torch.no_grad()
    def learn(self, x: Tensor) -> None:
        """Place the bins at quantiles; bins without a width have no effect."""
        n_bins = self.start.shape[1]
        shares = torch.linspace(0, 1, n_bins + 1, dtype=torch.float64)
        edges = torch.quantile(x.double(), shares.to(x.device), dim=0).mT
        widths = edges.diff(dim=1)
        self.start.copy_(edges[:, :-1])
        self.scale.copy_(torch.where(widths > 0, 1 / widths, 0.0))


class CategoryEmbedding(nn.Module):
    """A vector for each category of each column; code 0 starts as a vector of zeros.

    Shape: (..., n_rows, n_columns) -> (..., n_columns * width, n_rows)

    Parameters
    ----------
    cardinalities : sequence of int
        Number of codes of each column, with code 0: a missing or unseen category.
    width : int
        Values per category.
    """

    first: Tensor

    def __init__(self, cardinalities: Sequence[int], width: int):
        super().__init__()
        self.cardinalities, self.width = (
            tuple(cardinalities),
            width * len(cardinalities),
        )
        self.weight = nn.Parameter(torch.empty(sum(cardinalities), width))
        self.register_buffer("first", self._first())

    def rows_of(self, codes: Tensor) -> Tensor:
        """Rows of ``weight``, by codes as floats."""
        return codes.long() + self.first

    def forward(self, codes: Tensor) -> Tensor:
        """Look up the vectors."""
        vectors = self.weight[self.rows_of(codes)]  # (n_rows, n_columns, width)
        return vectors.flatten(-2).mT

    def draw(self, generator: torch.Generator) -> None:
        """Draw initial values."""
        init.normal_(self.weight, generator=generator)
        self.first = self._first()  # no value: it was built on the meta device
        with torch.no_grad():
            self.weight[self.first] = 0.0

    def _first(self) -> Tensor:
        ends = torch.tensor(self.cardinalities, device="cpu").cumsum(0)
        return ends - torch.tensor(self.cardinalities, device="cpu")


NUMERIC_EMBEDDINGS: dict[str, Callable[[int], NumericEmbedding]] = {
    "periodic": PeriodicEmbedding,
    "piecewise_linear": PiecewiseLinearEmbedding,
}


class Columns(nn.Module):
    """Embeddings of numbers and categories, side by side with the plain columns.

    Shape: (..., n_rows, n_columns) -> (..., n_rows, width)

    Parameters
    ----------
    n_numeric, n_plain : int
    cardinalities : sequence of int
        Number of codes of each column of codes.
    numeric_embedding : {"periodic", "piecewise_linear", None}
        A name in ``NUMERIC_EMBEDDINGS``.
    category_embedding : int
        Values per category.
    """

    numeric: NumericEmbedding | None
    categories: CategoryEmbedding | None

    def __init__(
        self,
        n_numeric: int,
        n_plain: int,
        cardinalities: Sequence[int],
        numeric_embedding: str | None,
        category_embedding: int,
    ):
        super().__init__()
        self.sizes = [n_numeric, n_plain, len(cardinalities)]
        self.numeric = self.categories = None
        self.width = n_numeric + n_plain
        if numeric_embedding is not None and n_numeric:
            self.numeric = NUMERIC_EMBEDDINGS[numeric_embedding](n_numeric)
            self.width += self.numeric.width - n_numeric
        if cardinalities:
            self.categories = CategoryEmbedding(cardinalities, category_embedding)
            self.width += self.categories.width

    def split(self, x: Tensor) -> Sequence[Tensor]:
        """Numbers, plain columns and codes of rows."""
        return x.split(self.sizes, -1)

    def forward(self, x: Tensor) -> Tensor:
        """Embed the columns."""
        numbers, plain, codes = self.split(x)
        parts = [
            numbers.mT if self.numeric is None else self.numeric(numbers),
            plain.mT,
        ]
        if self.categories is not None:
            parts.append(self.categories(codes))
        return torch.cat(parts, -2).mT

    def learn(self, x: Tensor) -> None:
        """Learn from the training rows what no gradient changes."""
        if self.numeric is not None:
            self.numeric.learn(self.split(x)[0])


def draw_embedding(layer: Any, how: Any, generator: torch.Generator) -> None:
    """Draw the initial values of an embedding of this module."""
    layer.draw(generator)
