"""The module of an imported network: its ONNX operations, computed by torch."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sklearn_deep.transfer.conversion._graph import OnnxGraph, Step
from sklearn_deep.transfer.conversion._operators import run_step


class ImportedNetwork(nn.Module):
    """A network read from an ONNX file.

    Weights and biases are parameters; other arrays, the running moments of batch
    normalisation among them, are buffers that no training changes.

    Shape: (batch, *row_shape) -> (batch, n_outputs)

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
        """Map rows to raw outputs."""
        dtype, graph = x.dtype, self.graph
        values: dict[str, Any] = {
            name: getattr(self, attribute) for name, attribute in self.names.items()
        }
        values[graph.input] = x.long() if graph.of_integers else x
        for step, done in zip(graph.steps, self.last_uses, strict=True):
            inputs = [values[name] if name else None for name in step.inputs]
            try:
                outs = run_step(step, inputs, dtype)
            except (RuntimeError, IndexError, TypeError) as error:
                raise ValueError(_failed(step, inputs, error)) from error
            values.update(zip(step.outputs, outs, strict=False))
            for name in done:
                values.pop(name, None)
        return values[graph.output]


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
