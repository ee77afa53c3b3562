"""Importance of each unit of a network, and its mean activation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from sklearn_deep.compression._network import blocks
from sklearn_deep.compression._units import Group, InputWeight, Segments, Units
from sklearn_deep.data._batches import Rows


@dataclass
class Moments:
    """Mean and variance of each input of a layer, over the rows."""

    mean: Tensor
    variance: Tensor


class _Sums:
    """Weighted sums of values and of their squares, in double precision."""

    def __init__(self) -> None:
        self.weight = 0.0
        self.first: Any = 0.0
        self.second: Any = 0.0

    def add(self, x: Tensor, weight: Tensor | None) -> None:
        """Add values of shape (n_rows, n_values, ...)."""
        x = x.detach().double()
        if x.ndim > 2:  # (n_rows, channels, ...): each position counts as a row
            positions = x.flatten(2).shape[2]
            x = x.flatten(2).transpose(1, 2).flatten(0, 1)
            weight = None if weight is None else weight.repeat_interleave(positions)
        if weight is None or len(weight) != len(x):  # steps of sequences
            weight = x.new_ones(len(x))
        weight = weight.double()
        self.weight += float(weight.sum())
        self.first = self.first + weight @ x
        self.second = self.second + weight @ (x * x)

    def moments(self) -> Moments:
        """Compute mean and variance."""
        mean = self.first / self.weight
        return Moments(mean, (self.second / self.weight - mean * mean).clamp_min(0))


def measure(network: nn.Module, units: Units, rows: Rows) -> dict[InputWeight, Moments]:
    """Moments of the inputs of every input weight, over the rows."""
    recorder = _Recorder(network, units)
    with recorder, torch.inference_mode():
        for batch in blocks(rows):
            recorder.weight = batch.weight
            network(batch.x)
    return {w: sums.moments() for w, sums in recorder.sums.items()}


class _Recorder:
    """Context that adds up the inputs of every input weight, by hooks.

    Attributes
    ----------
    sums : dict of InputWeight to _Sums
    weight : Tensor or None
        Weights of the rows that pass through the network.
    """

    def __init__(self, network: nn.Module, units: Units):
        self._network = network
        self.sums = {input_weight: _Sums() for input_weight in units.input_weights}
        self.weight: Tensor | None = None

    def __enter__(self) -> None:
        self._handles = [self._observe(input_weight) for input_weight in self.sums]

    def __exit__(self, *exception: Any) -> None:
        for handle in self._handles:
            handle.remove()

    def _observe(self, input_weight: InputWeight) -> RemovableHandle:
        layer = self._network.get_submodule(input_weight.layer)
        of_steps = isinstance(layer, nn.RNNBase)

        def before(layer: nn.Module, inputs: Any) -> None:
            self._add(input_weight, inputs[0], of_steps)

        def after(layer: nn.Module, inputs: Any, outputs: Any) -> None:
            self._add(input_weight, _own(input_weight, outputs[0]), of_steps)

        if input_weight.recurrent:
            return layer.register_forward_hook(after)
        return layer.register_forward_pre_hook(before)

    def _add(self, input_weight: InputWeight, x: Any, of_steps: bool) -> None:
        x = x if isinstance(x, Tensor) else x.data  # of a packed sequence
        if of_steps and x.ndim == 3:
            x = x.flatten(0, 1)  # (n_rows, time, channels)
        self.sums[input_weight].add(x, self.weight)


def _own(input_weight: InputWeight, outputs: Any) -> Tensor:
    """Slice of a bidirectional output that feeds back into this direction's weight."""
    x = outputs if isinstance(outputs, Tensor) else outputs.data
    size = input_weight.segments[0].length
    start = size if input_weight.weight.endswith("_reverse") else 0
    return x[..., start : start + size]


def importance(
    values: Mapping[str, Tensor], moments: Mapping[InputWeight, Moments]
) -> dict[Group, Tensor]:
    """Importance of each unit: its share of the variance of the next layer's inputs.

    The keys are the roots of groups. The importances are the squares of std(activation)
    * ||outgoing weights||, normalised to sum to 1 within each input weight.
    """
    shares: dict[Group, Tensor] = {}
    for input_weight, of_inputs in moments.items():
        weight = values[input_weight.weight].double()
        square = weight.square().reshape(*weight.shape[:2], -1)
        seen = of_inputs.variance * square.sum((0, 2))
        seen = seen / seen.sum().clamp_min(torch.finfo(seen.dtype).tiny)
        start = 0
        for segment in input_weight.segments:
            part = seen[start : start + segment.length]
            start += segment.length
            of_units = part.view(segment.group.size, -1).sum(1)
            root = segment.group.root
            shares[root] = shares.get(root, 0.0) + of_units
    return shares


def fold_means(
    values: dict[str, Tensor],
    moments: Mapping[InputWeight, Moments],
    kept: Mapping[Group, Tensor],
) -> None:
    """Add the mean of removed units to the biases of the next layer, in place."""
    for input_weight, of_inputs in moments.items():
        if input_weight.bias_slot is None:
            continue
        removed = _removed(input_weight.segments, kept).to(of_inputs.mean)
        weight = values[input_weight.weight].double()
        weight = weight.flatten(2).sum(2) if weight.ndim > 2 else weight
        shift = weight @ (of_inputs.mean * removed)
        name, start, sign = input_weight.bias_slot
        place = values[name][start : start + len(shift)]
        place += (sign * shift).to(place.dtype)


def _removed(segments: Segments, kept: Mapping[Group, Tensor]) -> Tensor:
    """1 for values of removed units, 0 for all others."""
    parts = []
    for segment in segments:
        gone = torch.zeros(segment.group.size)
        units = kept.get(segment.group.root)
        if units is not None:
            gone += 1
            gone[units] = 0
        parts.append(gone.repeat_interleave(segment.positions))
    return torch.cat(parts)
