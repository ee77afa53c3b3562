"""Networks for tables: embeddings of the columns before a feed-forward network."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sklearn_deep.nn._columns import Columns
from sklearn_deep.nn._initializers import Initialization, materialize
from sklearn_deep.nn._mlp import MLP


class TabularNetwork(MLP):
    """Embedded columns, blocks of hidden units and a linear output layer.

    Shape: (batch, n_columns) -> (batch, n_outputs)

    Parameters
    ----------
    n_numeric, n_plain, cardinalities, numeric_embedding, category_embedding
        As in ``Columns``.
    n_outputs : int
        Width of the raw output.
    **blocks : dict
        The other parameters of ``MLP``.
    """

    def __init__(
        self,
        n_numeric: int,
        n_plain: int,
        cardinalities: Sequence[int],
        n_outputs: int,
        *,
        numeric_embedding: str | None,
        category_embedding: int,
        **blocks: Any,
    ):
        columns = Columns(
            n_numeric, n_plain, cardinalities, numeric_embedding, category_embedding
        )
        super().__init__(columns.width, n_outputs, **blocks)
        self.columns = columns

    def stages(self) -> list[tuple[str, nn.Module]]:
        """The consecutive stages with their names."""
        return [("columns", self.columns), *super().stages()]

    def forward(self, x: Tensor) -> Tensor:
        """Map rows to raw outputs."""
        return super().forward(self.columns(x))


class Ensemble(nn.Module):
    """Networks of one architecture whose predictions are averaged.

    Its raw outputs are those from which a single network would predict the average: for
    a classifier the logits of the mean probabilities.

    Shape: (batch, n_columns) -> (batch, n_outputs)

    Parameters
    ----------
    n_networks : int
    kind : {"softmax", "sigmoid", "real"}
        Kind of raw output, as in ``LOSSES``.
    **architecture : dict
        Parameters of each ``TabularNetwork``.
    """

    def __init__(self, n_networks: int, kind: str, **architecture: Any):
        super().__init__()
        self.kind = kind
        self.networks = nn.ModuleList(
            TabularNetwork(**architecture) for _ in range(n_networks)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Raw outputs of the average."""
        return AVERAGES[self.kind](self.each(x))

    def each(self, x: Tensor) -> Tensor:
        """Raw outputs of each network, of shape (n_networks, batch, n_outputs)."""
        return torch.stack([network(x) for network in self.networks])

    def members(self) -> list["Ensemble"]:
        """Ensembles of one network each, which share their values with this one."""
        members = []
        for network in self.networks:
            alone = Ensemble.__new__(Ensemble)
            nn.Module.__init__(alone)
            alone.kind, alone.networks = self.kind, nn.ModuleList([network])
            members.append(alone.eval())
        return members

    def stages(self) -> list[tuple[str, nn.Module]]:
        """The stages of all networks, side by side, with their names."""
        networks: Any = list(self.networks)
        each = zip(*(network.stages() for network in networks), strict=True)
        stages: list[tuple[str, nn.Module]] = [
            (parts[0][0], SideBySide([part for _, part in parts], first=i == 0))
            for i, parts in enumerate(each)
        ]
        name, last = stages.pop()
        return [*stages, (name, nn.Sequential(last, Average(self.kind)))]


class SideBySide(nn.Module):
    """One stage of several networks.

    Shape: (batch, n_networks, n_in) -> (batch, n_networks, n_out)

    Parameters
    ----------
    parts : sequence of torch.nn.Module
        One per network.
    first : bool
        Whether the input is the rows themselves, (batch, n_in).
    """

    def __init__(self, parts: Sequence[nn.Module], first: bool):
        super().__init__()
        self.parts, self.first = nn.ModuleList(parts), first

    def forward(self, x: Tensor) -> Tensor:
        """Apply the part of each network to what this network has so far."""
        own = [x] * len(self.parts) if self.first else x.unbind(1)
        parts = zip(self.parts, own, strict=True)
        return torch.stack([part(each) for part, each in parts], 1)


class Average(nn.Module):
    """Raw outputs of the average: (batch, n_networks, n_outputs) -> (batch, n_outputs)."""

    def __init__(self, kind: str):
        super().__init__()
        self.kind = kind

    def forward(self, raw: Tensor) -> Tensor:
        """Average, as the ensemble does."""
        return AVERAGES[self.kind](raw.movedim(1, 0))


def drawn_ensemble(
    architecture: dict[str, Any],
    how: Initialization,
    generators: Sequence[torch.Generator],
    x: Tensor,
    prior: Tensor | None = None,
) -> Ensemble:
    """An ensemble with initial values, in float32 on the CPU.

    Parameters
    ----------
    architecture : dict
        Parameters of ``Ensemble``.
    how : Initialization
        Weights and biases of the layers behind the columns.
    generators : sequence of torch.Generator
        One per network.
    x : Tensor of shape (n_rows, n_columns)
        Training rows, from which embeddings learn what no gradient changes.
    prior : Tensor of shape (n_outputs,), optional
        Bias of the output layers.
    """
    with torch.device("meta"):
        ensemble = Ensemble(**architecture)
    x = x.cpu().float()
    networks: Any = ensemble.networks
    for network, generator in zip(networks, generators, strict=True):
        materialize(network, network.output, how, generator, prior)
        network.columns.learn(x)
    return ensemble


def _mean_of_softmax(raw: Tensor) -> Tensor:
    return F.log_softmax(raw, -1).logsumexp(0)


def _mean_of_sigmoid(raw: Tensor) -> Tensor:
    # log(mean(p) / mean(1 - p)), which is finite where a probability rounds to 1.
    return F.logsigmoid(raw).logsumexp(0) - F.logsigmoid(-raw).logsumexp(0)


def _mean(raw: Tensor) -> Tensor:
    return raw.mean(0)


# Raw outputs (n_networks, batch, n_outputs) to those of the average, by kind.
AVERAGES: dict[str, Callable[[Tensor], Tensor]] = {
    "softmax": _mean_of_softmax,
    "sigmoid": _mean_of_sigmoid,
    "real": _mean,
}
