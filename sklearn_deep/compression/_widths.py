"""Widths of a network's layers: which groups share one, and which can shrink."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from sklearn_deep.compression._units import Group, Units
from sklearn_deep.estimators.core._base import DeepEstimator
from sklearn_deep.estimators.core._fitted import fitted_of
from sklearn_deep.nn._autoencoder import Autoencoder
from sklearn_deep.nn._cnn import CNN
from sklearn_deep.nn._conv_autoencoder import ConvAutoencoder
from sklearn_deep.nn._convolutions import Residual
from sklearn_deep.nn._mlp import MLP
from sklearn_deep.nn._rnn import RNN
from sklearn_deep.nn._tabular import Ensemble

# Constructor argument that sets a width, and the index in it.
WidthArgument = tuple[str, int]
WidthArguments = dict[str, WidthArgument]


def _of_mlp(network: Any) -> WidthArguments:
    return {
        f"hidden.{i}.": ("hidden_layer_sizes", i) for i in range(len(network.hidden))
    }


def _of_ensemble(ensemble: Any) -> WidthArguments:
    """Each network chooses its own units; all have the same number of them."""
    return {
        f"networks.{k}.{start}": argument
        for k, network in enumerate(ensemble.networks)
        for start, argument in _of_mlp(network).items()
    }


def _of_autoencoder(network: Any) -> WidthArguments:
    depth = network.depth
    arguments = {f"hidden.{i}.": ("hidden_layer_sizes", i) for i in range(depth)}
    mirrored = {
        f"hidden.{2 * depth - i}.": argument
        for i, (_, argument) in enumerate(arguments.items())
    }
    return arguments | mirrored


def _of_cnn(network: Any) -> WidthArguments:
    arguments, place = _of_mlp(network), 0
    for k, block in enumerate(network.blocks):
        if isinstance(block, Residual):  # around several blocks
            layers: Any = block.layers
            n = len(layers)
            for j in range(n):
                arguments[f"blocks.{k}.layers.{j}."] = "conv_channels", place + j
            arguments[f"blocks.{k}.shortcut."] = "conv_channels", place + n - 1
            place += n
        else:
            arguments[f"blocks.{k}."] = "conv_channels", place
            place += 1
    return arguments


def _of_conv_autoencoder(network: Any) -> WidthArguments:
    n = len(network.narrowing)
    arguments = {f"narrowing.{i}.": ("conv_channels", i) for i in range(n)}
    arguments["spread."] = "conv_channels", n - 1
    for j in range(n):
        arguments[f"widening.{j}."] = "conv_channels", max(0, n - 2 - j)
    return arguments


def _of_rnn(network: Any) -> WidthArguments:
    return {"layers.": ("hidden_size", 0)}


WIDTH_ARGUMENTS: dict[type[nn.Module], Callable[[Any], WidthArguments]] = {
    MLP: _of_mlp,
    Ensemble: _of_ensemble,
    Autoencoder: _of_autoencoder,
    CNN: _of_cnn,
    ConvAutoencoder: _of_conv_autoencoder,
    RNN: _of_rnn,
}


@dataclass(eq=False)
class Width:
    """Groups of units whose sizes must stay equal.

    Attributes
    ----------
    name : str
        Name of the first layer.
    roots : list of Group
        Groups whose units are chosen independently; other groups are tied to them.
    arguments : list of WidthArgument
    size : int
    """

    name: str
    roots: list[Group]
    arguments: list[WidthArgument]
    size: int


class Widths:
    """The widths of a fitted network that can be reduced.

    Parameters
    ----------
    network : DeepEstimator
        Fitted.

    Attributes
    ----------
    units : Units
    prunable : list of Width
        Widths that can be reduced.

    Raises
    ------
    TypeError
        If the network cannot be rebuilt with other widths.
    """

    def __init__(self, network: DeepEstimator):
        module = network.module_
        if type(module) not in WIDTH_ARGUMENTS:
            raise TypeError("its network cannot be rebuilt with fewer units")
        self._network = network
        self.units = Units(module)
        self._arguments = WIDTH_ARGUMENTS[type(module)](module)
        self.prunable = _prunable(_together(self.units.groups, self._argument_of))

    def _argument_of(self, group: Group) -> WidthArgument | None:
        name = group.name + "."
        return next(
            (
                argument
                for start, argument in self._arguments.items()
                if name.startswith(start)
            ),
            None,
        )

    def built_as(self, counts: Mapping[Width, int]) -> dict[str, Any]:
        """Constructor arguments of the network with ``counts`` units per width."""
        before = fitted_of(self._network).architecture
        changes: dict[str, Any] = {}
        for width, count in counts.items():
            for parameter, place in width.arguments:
                value = changes.get(parameter, before[parameter])
                if isinstance(value, int):
                    changes[parameter] = count
                else:
                    changes[parameter] = [*value[:place], count, *value[place + 1 :]]
        return changes

    def on_meta(self, counts: Mapping[Width, int]) -> nn.Module:
        """The network with ``counts`` units per width, on the meta device."""
        with torch.device("meta"):
            kwargs = {**fitted_of(self._network).architecture, **self.built_as(counts)}
            return self._network._network(**kwargs)

    def feasible(self, counts: dict[Width, int]) -> dict[Width, int]:
        """The nearest counts with which the network has the same layers.

        A shortcut has a layer of its own only between different widths: these must not
        become equal.
        """
        wanted = self._network.module_.state_dict().keys()
        others = [
            {**counts, width: count + change}
            for change in (1, -1, 2, -2)
            for width, count in counts.items()
            if 1 <= count + change <= width.size
        ]
        for tried in (counts, *others):
            if self.on_meta(tried).state_dict().keys() == wanted:
                return tried
        return {width: width.size for width in counts}

    def selected(
        self, values: Mapping[str, Tensor], kept: Mapping[Group, Tensor]
    ) -> dict[str, Tensor]:
        """Values of the state dict without those of removed units."""
        return {
            name: _select(value, self.units.axes.get(name, []), kept)
            for name, value in values.items()
        }


def _select(value: Tensor, axes: list, kept: Mapping[Group, Tensor]) -> Tensor:
    for axis, segments in enumerate(axes):
        where, start = [], 0
        for segment in segments:
            n = segment.positions
            units = kept.get(segment.group.root)
            if units is None:
                units = torch.arange(segment.group.size)
            inside = units[:, None] * n + torch.arange(n)  # (n_units, positions)
            where.append(start + inside.flatten())
            start += segment.length
        value = value.index_select(axis, torch.cat(where).to(value.device))
    return value


@dataclass
class _Gathering:
    roots: list[Group] = field(default_factory=list)
    arguments: list[WidthArgument] = field(default_factory=list)
    fixed: bool = False


def _together(
    groups: list[Group], argument_of: Callable[[Group], WidthArgument | None]
) -> list[_Gathering]:
    """Gather the groups that share a constructor argument or a root."""
    found: list[_Gathering] = []
    for group in groups:
        root, argument = group.root, argument_of(group)
        alike = [
            g
            for g in found
            if root in g.roots or (argument and argument in g.arguments)
        ]
        found = [g for g in found if g not in alike]
        one = _Gathering()
        for gathering in (*alike, _Gathering([root], [argument] if argument else [])):
            one.roots += [r for r in gathering.roots if r not in one.roots]
            one.arguments += [s for s in gathering.arguments if s not in one.arguments]
            one.fixed = one.fixed or gathering.fixed
        one.fixed = one.fixed or argument is None or root.fixed
        found.append(one)
    return found


def _prunable(found: list[_Gathering]) -> list[Width]:
    prunable = []
    for gathering in found:
        sizes = {root.size for root in gathering.roots}
        fixed = gathering.fixed or any(root.fixed for root in gathering.roots)
        if not fixed and len(sizes) == 1:
            first = gathering.roots[0]
            prunable.append(
                Width(first.name, gathering.roots, gathering.arguments, first.size)
            )
    return prunable
