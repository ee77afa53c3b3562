"""Which values of a network's tensors belong to which units.

A network is traversed layer by layer. Each layer with weights defines a group of units:
rows of a matrix, channels, recurrent units. The traversal records on which axis of
which tensor the units of a group lie, and which weights take them as inputs, so that
units can be scored and removed in the same way for every family of networks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

from sklearn_deep.nn._columns import Columns
from sklearn_deep.nn._conv_autoencoder import Restore
from sklearn_deep.nn._convolutions import (
    CHANNEL_NORMALIZATIONS,
    Branches,
    Flatten,
    Residual,
)
from sklearn_deep.nn._mlp import NORMALIZATIONS, Block
from sklearn_deep.nn._rnn import Attention, Embed, Layer
from sklearn_deep.nn._stages import stages_of
from sklearn_deep.nn._tabular import SideBySide


class Group:
    """Output units of one layer.

    Attributes
    ----------
    name : str
        Name of the layer.
    size : int
    fixed : bool
        Whether the units cannot be removed: inputs, outputs, codes.
    """

    def __init__(self, name: str, size: int, fixed: bool = False):
        self.name, self.size, self.fixed = name, size, fixed
        self.tied_to: Group | None = None

    @property
    def root(self) -> "Group":
        """Representative of all groups that are tied to this one."""
        return self if self.tied_to is None else self.tied_to.root

    def tie(self, other: "Group") -> None:
        """Remove units of both groups together, because their values are added up."""
        one, two = self.root, other.root
        if one is not two:
            two.tied_to = one
            one.fixed = one.fixed or two.fixed


@dataclass(eq=False)
class Segment:
    """Part of an axis: a group's units, each with ``positions`` adjacent values."""

    group: Group
    positions: int = 1

    @property
    def length(self) -> int:
        """Number of values."""
        return self.group.size * self.positions


Segments = list[Segment]


@dataclass(eq=False)
class InputWeight:
    """A weight that has units as inputs.

    Attributes
    ----------
    layer : str
        Name of the module whose input, or with ``recurrent`` output, the weight is
        applied to.
    weight : str
        Name of the tensor.
    segments : Segments
        Units along its axis 1.
    bias_slot : tuple or None
        Where a constant output of the weight can be added: the name of a tensor, the
        index at which the weight's outputs begin, and the sign, 1 or -1.
    """

    layer: str
    weight: str
    segments: Segments
    bias_slot: tuple[str, int, int] | None
    recurrent: bool = False


class Units:
    """The units of a network, and the tensors that they belong to.

    Parameters
    ----------
    network : torch.nn.Module
        Network of this package.

    Attributes
    ----------
    groups : list of Group
        In the order of the layers.
    axes : dict of str to list of Segments
        For each tensor, the units along each of its first axes.
    input_weights : list of InputWeight

    Raises
    ------
    TypeError
        If the network has a layer of an unknown class.
    """

    def __init__(self, network: nn.Module):
        self._names = {id(m): name for name, m in network.named_modules()}
        self.groups: list[Group] = []
        self.axes: dict[str, list[Segments]] = {}
        self.input_weights: list[InputWeight] = []
        self.without_bias: dict[Group, InputWeight] = {}
        segments: Segments = []
        for _, stage in stages_of(network):
            segments = self.walk(stage, segments)
        for segment in segments:  # outputs of the network
            segment.group.root.fixed = True

    def walk(self, layer: nn.Module, inputs: Segments) -> Segments:
        """Traverse a layer and return its output units."""
        for cls in type(layer).__mro__:
            if cls in _WALKS:
                return _WALKS[cls](self, layer, inputs)
        if any(True for _ in layer.parameters()):
            raise TypeError(
                f"a layer of class {type(layer).__name__}, whose units are not known"
            )
        return inputs

    def name(self, layer: nn.Module) -> str:
        """Dotted name of a layer."""
        return self._names[id(layer)]

    def prefix(self, layer: nn.Module) -> str:
        """Prefix of the names of a layer's tensors."""
        return self.name(layer) + "."

    def group(self, layer: nn.Module, size: int, suffix: str = "") -> Group:
        """Add a new group."""
        self.groups.append(Group(self.name(layer) + suffix, size))
        return self.groups[-1]

    def arriving(self, size: int, inputs: Segments) -> Segments:
        """Inputs with ``size`` values in all; without any, the columns of a row."""
        if not inputs:
            return [Segment(Group("input", size, fixed=True))]
        known = sum(segment.group.size for segment in inputs)
        if size != sum(segment.length for segment in inputs):  # flattened before this
            return [Segment(s.group, size // known) for s in inputs]
        return inputs

    def tie(self, one: Segments, other: Segments) -> None:
        """Tie units that are added up; fix them if their segments do not match."""
        self._divide(one, other)
        self._divide(other, one)
        if [s.length for s in one] == [s.length for s in other]:
            for a, b in zip(one, other, strict=True):
                a.group.tie(b.group)
        else:
            for segment in [*one, *other]:
                segment.group.root.fixed = True

    def _divide(self, one: Segments, other: Segments) -> None:
        """Split a new layer's group to align with the groups that it is added to."""
        whole = one[0].group
        if len(one) > 1 or len(other) < 2 or whole not in self.groups:
            return
        if whole.size == sum(segment.length for segment in other):
            self.groups.remove(whole)
            parts = [Group(f"{whole.name}.{i}", s.length) for i, s in enumerate(other)]
            self.groups += parts
            one[:] = map(Segment, parts)  # in place: ``axes`` holds this list


def _matrix(units: Units, layer: Any, inputs: Segments) -> Segments:
    """A linear layer or a convolution."""
    prefix = units.prefix(layer)
    inputs = units.arriving(layer.weight.shape[1], inputs)
    group = units.group(layer, layer.weight.shape[0])
    out = [Segment(group)]
    units.axes[prefix + "weight"] = [out, inputs]
    bias_slot = None
    if layer.bias is not None:
        units.axes[prefix + "bias"] = [out]
        bias_slot = prefix + "bias", 0, 1
    input_weight = InputWeight(units.name(layer), prefix + "weight", inputs, bias_slot)
    units.input_weights.append(input_weight)
    if bias_slot is None:
        units.without_bias[group] = input_weight
    return out


def _normalization(units: Units, layer: Any, inputs: Segments) -> Segments:
    prefix, start = units.prefix(layer), 0
    for tensor in ("weight", "bias", "running_mean", "running_var"):
        if getattr(layer, tensor, None) is not None:
            units.axes[prefix + tensor] = [inputs]
    for segment in inputs:
        input_weight = units.without_bias.pop(segment.group, None)
        if input_weight is not None and hasattr(layer, "running_mean"):
            input_weight.bias_slot = prefix + "running_mean", start, -1
        start += segment.length
    return inputs


def _in_order(units: Units, layer: Any, inputs: Segments) -> Segments:
    for part in layer:
        inputs = units.walk(part, inputs)
    return inputs


def _added(units: Units, layer: Any, inputs: Segments) -> Segments:
    """Layers with an optional shortcut that is added to their output."""
    out = units.walk(layer.layers, inputs)
    if layer.shortcut is not None:
        around = units.walk(layer.shortcut, inputs)
        if not around:  # the input row itself
            around = units.arriving(sum(s.length for s in out), [])
        units.tie(out, around)
    after = getattr(layer, "after", None)
    return out if after is None else units.walk(after, out)


def _side_by_side(units: Units, layer: Any, inputs: Segments) -> Segments:
    return [s for branch in layer.branches for s in units.walk(branch, inputs)]


def _of_networks(units: Units, layer: Any, inputs: Segments) -> Segments:
    """One stage of several networks: the inputs of each are an equal share of ``inputs``."""
    parts = list(layer.parts)
    n = len(inputs) // len(parts)
    each = [inputs[k * n : (k + 1) * n] for k in range(len(parts))]
    walked = [units.walk(part, own) for part, own in zip(parts, each, strict=True)]
    return [segment for segments in walked for segment in segments]


def _columns(units: Units, layer: Any, inputs: Segments) -> Segments:
    """Embedded columns of a table keep their width."""
    return [Segment(Group(units.name(layer), layer.width, fixed=True))]


def _unflatten(units: Units, layer: Any, inputs: Segments) -> Segments:
    """Rows of a matrix become channels of several positions."""
    (segment,) = inputs
    channels = layer.unflattened_size[0]
    segment.positions = segment.group.size // channels
    segment.group.size = channels
    return [Segment(segment.group)]


def _embedding(units: Units, layer: Any, inputs: Segments) -> Segments:
    """Embeddings keep their width."""
    width = layer.table.embedding_dim
    return [Segment(Group(units.name(layer), width, fixed=True))]


def _recurrent(units: Units, layer: Layer, inputs: Segments) -> Segments:
    cell: Any = layer.cell
    prefix = units.prefix(cell)
    inputs = units.arriving(cell.input_size, inputs)
    out = []
    for direction in ("", "_reverse") if cell.bidirectional else ("",):
        group = units.group(cell, cell.hidden_size, direction)
        own = [Segment(group)]
        gates = own * (cell.weight_ih_l0.shape[0] // cell.hidden_size)
        for kind, taken in (("ih", inputs), ("hh", own)):
            weight, bias = (
                f"{prefix}{t}_{kind}_l0{direction}" for t in ("weight", "bias")
            )
            units.axes[weight], units.axes[bias] = [gates, taken], [gates]
            units.input_weights.append(
                InputWeight(units.name(cell), weight, taken, (bias, 0, 1), kind == "hh")
            )
        out += own
    return out


def _attention(units: Units, layer: Any, inputs: Segments) -> Segments:
    for segment in units.walk(layer.score, inputs):
        segment.group.fixed = True
    return inputs


def _flatten(units: Units, layer: Any, inputs: Segments) -> Segments:
    return inputs  # the next matrix tells the number of values per channel


_WALKS: dict[type, Callable[[Units, Any, Segments], Segments]] = {
    nn.Linear: _matrix,
    nn.Conv1d: _matrix,
    nn.Conv2d: _matrix,
    **dict.fromkeys(NORMALIZATIONS.values(), _normalization),
    **dict.fromkeys(CHANNEL_NORMALIZATIONS.values(), _normalization),
    nn.PReLU: lambda units, layer, inputs: inputs,
    nn.Sequential: _in_order,
    Block: _added,
    Residual: _added,
    Branches: _side_by_side,
    SideBySide: _of_networks,
    Columns: _columns,
    Flatten: _flatten,
    nn.Unflatten: _unflatten,
    Embed: _embedding,
    Layer: _recurrent,
    Attention: _attention,
    Restore: _flatten,
}
