"""The widths of a network's layers: which units go together, and which it can lose."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from sklearn_deep.compression._units import Group, Units
from sklearn_deep.estimators._base import DeepEstimator
from sklearn_deep.nn._autoencoder import Autoencoder
from sklearn_deep.nn._cnn import CNN
from sklearn_deep.nn._conv_autoencoder import ConvAutoencoder
from sklearn_deep.nn._convolutions import Residual
from sklearn_deep.nn._mlp import MLP
from sklearn_deep.nn._rnn import RNN

# Where a width comes from: the name of a constructor argument, and the place in it.
Slot = tuple[str, int]
Slots = dict[str, Slot]


def _of_mlp(network: Any) -> Slots:
    return {
        f"hidden.{i}.": ("hidden_layer_sizes", i) for i in range(len(network.hidden))
    }


def _of_autoencoder(network: Any) -> Slots:
    depth = network.depth
    slots = {f"hidden.{i}.": ("hidden_layer_sizes", i) for i in range(depth)}
    mirrored = {
        f"hidden.{2 * depth - i}.": slot for i, (_, slot) in enumerate(slots.items())
    }
    return slots | mirrored


def _of_cnn(network: Any) -> Slots:
    slots, place = _of_mlp(network), 0
    for k, block in enumerate(network.blocks):
        if isinstance(block, Residual):  # around several blocks
            layers: Any = block.layers
            n = len(layers)
            for j in range(n):
                slots[f"blocks.{k}.layers.{j}."] = "conv_channels", place + j
            slots[f"blocks.{k}.shortcut."] = "conv_channels", place + n - 1
            place += n
        else:
            slots[f"blocks.{k}."] = "conv_channels", place
            place += 1
    return slots


def _of_conv_autoencoder(network: Any) -> Slots:
    n = len(network.narrowing)
    slots = {f"narrowing.{i}.": ("conv_channels", i) for i in range(n)}
    slots["spread."] = "conv_channels", n - 1
    for j in range(n):
        slots[f"widening.{j}."] = "conv_channels", max(0, n - 2 - j)
    return slots


def _of_rnn(network: Any) -> Slots:
    return {"layers.": ("hidden_size", 0)}


SLOTS: dict[type[nn.Module], Callable[[Any], Slots]] = {
    MLP: _of_mlp,
    Autoencoder: _of_autoencoder,
    CNN: _of_cnn,
    ConvAutoencoder: _of_conv_autoencoder,
    RNN: _of_rnn,
}


@dataclass(eq=False)
class Width:
    """Groups of one size, which have to stay of one size.

    Attributes
    ----------
    name : str
        Of the first layer.
    roots : list of Group
        Those that lose units of their own choice; others are tied to them.
    slots : list of Slot
    size : int
    """

    name: str
    roots: list[Group]
    slots: list[Slot]
    size: int


class Widths:
    """What can be removed from a network.

    Parameters
    ----------
    network : DeepEstimator
        Fitted.

    Attributes
    ----------
    units : Units
    free : list of Width
        Those that can shrink.

    Raises
    ------
    TypeError
        For a network that cannot be built anew with other widths.
    """

    def __init__(self, network: DeepEstimator):
        module = network.module_
        if type(module) not in SLOTS:
            raise TypeError("its network cannot be built anew with fewer units")
        self._network = network
        self.units = Units(module)
        self._slots = SLOTS[type(module)](module)
        self.free = _free(_together(self.units.groups, self._slot_of))

    def _slot_of(self, group: Group) -> Slot | None:
        name = group.name + "."
        return next(
            (slot for start, slot in self._slots.items() if name.startswith(start)),
            None,
        )

    def built_as(self, counts: Mapping[Width, int]) -> dict[str, Any]:
        """Constructor arguments of the network with so many units."""
        before = self._network._built_as
        changes: dict[str, Any] = {}
        for width, count in counts.items():
            for parameter, place in width.slots:
                value = changes.get(parameter, before[parameter])
                if isinstance(value, int):
                    changes[parameter] = count
                else:
                    changes[parameter] = [*value[:place], count, *value[place + 1 :]]
        return changes

    def on_meta(self, counts: Mapping[Width, int]) -> nn.Module:
        """The network with so many units, without values."""
        with torch.device("meta"):
            arguments = {**self._network._built_as, **self.built_as(counts)}
            return self._network._network(**arguments)

    def feasible(self, counts: dict[Width, int]) -> dict[Width, int]:
        """Counts that leave the layers what they are.

        A shortcut between layers of one width is no layer: two that differ in width may
        not become alike.
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
        """The network's values without those of removed units."""
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
    slots: list[Slot] = field(default_factory=list)
    fixed: bool = False


def _together(
    groups: list[Group], slot_of: Callable[[Group], Slot | None]
) -> list[_Gathering]:
    """Groups that share a slot, or units, with one another."""
    found: list[_Gathering] = []
    for group in groups:
        root, slot = group.root, slot_of(group)
        alike = [g for g in found if root in g.roots or (slot and slot in g.slots)]
        found = [g for g in found if g not in alike]
        one = _Gathering()
        for gathering in (*alike, _Gathering([root], [slot] if slot else [])):
            one.roots += [r for r in gathering.roots if r not in one.roots]
            one.slots += [s for s in gathering.slots if s not in one.slots]
            one.fixed = one.fixed or gathering.fixed
        one.fixed = one.fixed or slot is None or root.fixed
        found.append(one)
    return found


def _free(found: list[_Gathering]) -> list[Width]:
    free = []
    for gathering in found:
        sizes = {root.size for root in gathering.roots}
        fixed = gathering.fixed or any(root.fixed for root in gathering.roots)
        if not fixed and len(sizes) == 1:
            first = gathering.roots[0]
            free.append(Width(first.name, gathering.roots, gathering.slots, first.size))
    return free
