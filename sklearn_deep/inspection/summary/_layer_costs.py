"""The layers of a module, with what each gives, holds and computes for one row."""

import math
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from sklearn_deep.data._padded import Padded
from sklearn_deep.training.loop._forward import raw_outputs

# Layers that hold others, also where they hold none.
_HOLDERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)

# Layers that look values up, and multiply nothing.
_LOOKUPS = (nn.Embedding, nn.EmbeddingBag)

# Networks of an ensemble lie side by side in a list of this name.
_MEMBER = re.compile(r"\bnetworks\.\d+\b")


@dataclass(frozen=True)
class LayerCost:
    """One layer, or the layers of one name in all networks of an ensemble.

    Attributes
    ----------
    layer : str
        Dotted name in the module; a star stands for every network of an ensemble.
    kind : str
        Name of its class.
    settings : str
        What torch shows of it.
    output_shape : tuple of int
        Shape of what it gives for one row.
    parameters, trainable : int
        Numbers of parameters, and of those that training changes.
    multiply_adds : int
        Multiply-adds of the forward pass for one row, those of weights.
    bytes : int
        Size of the parameters and buffers.
    count : int
        Number of layers.
    """

    layer: str
    kind: str
    settings: str
    output_shape: tuple[int, ...]
    parameters: int
    trainable: int
    multiply_adds: int
    bytes: int
    count: int = 1

    def __add__(self, other: "LayerCost") -> "LayerCost":
        names = ("parameters", "trainable", "multiply_adds", "bytes", "count")
        total = {name: getattr(self, name) + getattr(other, name) for name in names}
        return replace(self, **total)


def layer_costs(module: nn.Module, row: Any, frozen: frozenset[str]) -> list[LayerCost]:
    """The layers in the order in which one row passes through them.

    Parameters
    ----------
    module : torch.nn.Module
    row : ndarray of shape (1, ...), CSR matrix or Ragged
        As ``raw_outputs`` takes it.
    frozen : frozenset of str
        Names of parameters and buffers that training leaves as they are.
    """
    found: dict[str, LayerCost] = {}
    with ExitStack() as hooks:
        for name, layer in _leaves(module):
            hook = layer.register_forward_hook(_note(found, name, frozen))
            hooks.callback(hook.remove)
        raw_outputs(module, row)
    return _together(found)


def _leaves(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Layers without layers in them, and those that hold values of their own."""
    for name, layer in module.named_modules():
        own = [*layer.parameters(recurse=False), *layer.buffers(recurse=False)]
        if own or not (list(layer.children()) or isinstance(layer, _HOLDERS)):
            yield name, layer


def _note(found: dict[str, LayerCost], name: str, frozen: frozenset[str]) -> Any:
    def hook(layer: nn.Module, inputs: Any, output: Any) -> None:
        if name not in found:  # a layer that is used twice is listed once
            found[name] = _cost(name, layer, _shape_of(output), frozen)

    return hook


def _cost(
    name: str, layer: nn.Module, shape: tuple[int, ...], frozen: frozenset[str]
) -> LayerCost:
    before = f"{name}." if name else ""
    parameters = dict(layer.named_parameters(recurse=False))
    values = [*parameters.values(), *layer.buffers(recurse=False)]
    return LayerCost(
        layer=name,
        kind=type(layer).__name__,
        settings=layer.extra_repr(),
        output_shape=shape,
        parameters=sum(p.numel() for p in parameters.values()),
        trainable=sum(
            p.numel() for own, p in parameters.items() if before + own not in frozen
        ),
        multiply_adds=_multiply_adds(layer, values, shape),
        bytes=sum(value.numel() * value.element_size() for value in values),
    )


def _shape_of(output: Any) -> tuple[int, ...]:
    """Shape of an output without the axis of rows."""
    if isinstance(output, tuple) and not isinstance(output, (Padded, PackedSequence)):
        output = output[0]  # of a recurrent layer: the outputs, then its state
    if isinstance(output, PackedSequence):
        return tuple(output.data.shape)  # of one row: its steps
    if isinstance(output, Padded):
        output = output.x
    return tuple(output.shape[1:]) if isinstance(output, Tensor) else ()


def _multiply_adds(
    layer: nn.Module, values: list[Tensor], shape: tuple[int, ...]
) -> int:
    """Every weight once at every position of the output."""
    if isinstance(layer, _LOOKUPS):
        return 0
    weights = [value for value in values if value.ndim >= 2]
    return sum(weight.numel() for weight in weights) * _positions(layer, weights, shape)


def _positions(layer: nn.Module, weights: list[Tensor], shape: tuple[int, ...]) -> int:
    if isinstance(layer, nn.RNNBase):
        return math.prod(shape[:-1])
    n_out = getattr(layer, "out_features", getattr(layer, "out_channels", None))
    if n_out is None and weights and hasattr(layer, "multiply_adds"):  # of integers
        n_out = weights[0].shape[0]
    return max(1, math.prod(shape) // n_out) if n_out else 1


def _together(found: dict[str, LayerCost]) -> list[LayerCost]:
    """Layers of one name in all networks of an ensemble as one."""
    merged: dict[str, LayerCost] = {}
    for name, cost in found.items():
        common = _MEMBER.sub("networks.*", name)
        cost = replace(cost, layer=common)
        merged[common] = merged[common] + cost if common in merged else cost
    return list(merged.values())
