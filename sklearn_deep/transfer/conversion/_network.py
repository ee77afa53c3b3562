"""The module of an imported network: its ONNX operations, computed by torch."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sklearn_deep.transfer.conversion._chain import find_chain
from sklearn_deep.transfer.conversion._graph import OnnxGraph, Step
from sklearn_deep.transfer.conversion._operators import run_step
from sklearn_deep.transfer.conversion._segments import segments_of


class Segment(nn.Module):
    """A part of an imported network.

    Weights and biases are parameters; other arrays, the running moments of batch
    normalisation among them, are buffers that no training changes.

    Shape: (batch, ...) -> (batch, ...)

    Parameters
    ----------
    graph : OnnxGraph
        What is computed, and the values that training begins from.
    """

    def __init__(self, graph: OnnxGraph):
        super().__init__()
        self.graph = graph
        self.names = _attribute_names(graph.arrays)
        for name, array in graph.arrays.items():
            tensor = torch.from_numpy(np.array(array))
            if name in graph.trainable:
                self.register_parameter(self.names[name], nn.Parameter(tensor))
            else:
                self.register_buffer(self.names[name], tensor, persistent=False)
        self.last_uses = _last_uses(graph)

    def forward(self, x: Tensor) -> Tensor:
        """Map the outputs of the part before, or rows, to outputs of this one."""
        graph = self.graph
        weights = [getattr(self, self.names[name]) for name in graph.trainable[:1]]
        dtype = weights[0].dtype if weights else x.dtype
        values: dict[str, Any] = {
            name: getattr(self, attribute) for name, attribute in self.names.items()
        }
        values[graph.input] = x.long() if graph.of_integers else x
        for step, done in zip(graph.steps, self.last_uses, strict=True):
            inputs = [values[name] if name else None for name in step.inputs]
            try:
                outs = run_step(step, inputs, dtype)
            except Exception as error:  # a file may hold any attributes
                raise ValueError(_failed(step, inputs, error)) from error
            values.update(zip(step.outputs, outs, strict=False))
            for name in done:
                values.pop(name, None)
        return values[graph.output]


class ImportedNetwork(nn.Sequential):
    """A network read from an ONNX file, part by part; a linear layer at its end is one.

    Shape: (batch, *row_shape) -> (batch, n_outputs)

    Parameters
    ----------
    graph : OnnxGraph
        What is computed, and the values that training begins from.
    new_head : int or None
        Number of outputs of an output layer that is drawn anew; None for that of the
        graph.

    Raises
    ------
    ValueError
        If it has to be drawn anew, and the network does not end in a linear layer.
    """

    def __init__(self, graph: OnnxGraph, new_head: int | None = None):
        super().__init__()
        *body, last = segments_of(graph)
        for place, part in enumerate(body):
            self.add_module(f"{_kind_of(part)}_{place}", Segment(part))
        self.add_module("output", _head(last, new_head))


@dataclass(frozen=True)
class NetworkMaker:
    """What makes the module of an imported network: the parameter ``module``.

    It is plain data, so that files can hold it without naming a class of modules.

    Attributes
    ----------
    graph : OnnxGraph
    n_outputs : int
        Number of outputs of the graph.
    new_head : bool
        Whether the output layer is drawn anew where their number is the same too.
    """

    graph: OnnxGraph
    n_outputs: int
    new_head: bool = False

    def __call__(self, n_outputs: int) -> ImportedNetwork:
        """Make a module with the weights of the graph."""
        new = self.new_head or n_outputs != self.n_outputs
        return ImportedNetwork(self.graph, n_outputs if new else None)

    def __repr__(self) -> str:
        """Show the network."""
        return repr(self.graph)


def _kind_of(graph: OnnxGraph) -> str:
    """The operator that reads its first weight, in small letters."""
    weights = set(graph.trainable)
    readers = (step.op for step in graph.steps if not weights.isdisjoint(step.inputs))
    return next(readers).lower()


def _head(graph: OnnxGraph, new: int | None) -> nn.Module:
    """The last part: a linear layer, where it is one."""
    found = _linear(graph)
    if found is None and new is None:
        return Segment(graph)
    if found is None:
        raise ValueError(
            f"the network ends in {graph.steps[-1].op}, not in a linear layer, so that it"
            " has the outputs of its file only. FineTuned keeps them with"
            " reset='new_classes'; for other outputs, take NetworkFeatures in a Pipeline"
        )
    weight, bias = found
    layer = nn.Linear(weight.shape[1], len(weight) if new is None else new)
    if new is None:
        values = {"weight": torch.from_numpy(weight), "bias": torch.from_numpy(bias)}
        layer.to(values["weight"].dtype).load_state_dict(values)
    return layer


def _linear(graph: OnnxGraph) -> tuple[np.ndarray, np.ndarray] | None:
    """Weight (n_out, n_in) and bias of linear layers without anything between them."""
    chain = find_chain(graph.steps, graph.arrays, graph.input, graph.output)
    if chain is None or not graph.trainable:
        return None
    n_hidden, values = len(chain.params["hidden_layer_sizes"]), chain.values
    plain = (
        chain.params["activation"] == "identity" and not chain.params["normalization"]
    )
    if n_hidden and not plain:
        return None
    places = [*(f"hidden.{i}.layers.0" for i in range(n_hidden)), "output"]
    weight, bias = (values[f"{places[0]}.{name}"] for name in ("weight", "bias"))
    for place in places[1:]:
        after = values[f"{place}.weight"]
        weight, bias = after @ weight, after @ bias + values[f"{place}.bias"]
    return weight.copy(), bias.copy()


def _failed(step: Step, inputs: Sequence[Any], error: Exception) -> str:
    shapes = [tuple(x.shape) if isinstance(x, Tensor) else None for x in inputs]
    return f"{step.op} ({step.outputs[0]}) fails on shapes {shapes}: {error}"


def _attribute_names(names: Any) -> dict[str, str]:
    """A name without dots for each array, none twice and none that a module has."""
    found: dict[str, str] = {}
    taken = set(dir(nn.Module)) | {"graph", "names", "last_uses"}
    for name in names:
        plain = re.sub(r"\W+", "_", name).strip("_") or "array"
        free = plain if not plain[0].isdigit() else f"array_{plain}"
        n = 1
        while free in taken:
            n += 1
            free = f"{plain}_{n}"
        taken.add(free)
        found[name] = free
    return found


def _last_uses(graph: OnnxGraph) -> list[tuple[str, ...]]:
    """Per step, the values that no later one needs."""
    seen, done = {graph.output}, []
    for step in reversed(graph.steps):
        names = {*step.inputs, *step.outputs} - {""}
        done.append(tuple(sorted(names - seen)))
        seen |= names
    return done[::-1]
