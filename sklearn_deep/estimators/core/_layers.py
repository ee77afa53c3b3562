"""The layers of a network as a table."""

from collections.abc import Collection, Sequence
from typing import Any

from torch import Tensor, nn


def layers_of(module: nn.Module, frozen: Collection[str]) -> list[dict[str, Any]]:
    """One row per layer that has parameters or buffers of its own.

    Parameters
    ----------
    module : torch.nn.Module
    frozen : collection of str
        Names of parameters and buffers that training leaves as they are.

    Returns
    -------
    list of dict
        layer (dotted name), kind (class), shape (of its first parameter or buffer),
        parameters (their number), trainable (whether training changes any).
    """
    named = [(name, layer) for name, layer in module.named_modules()]
    return [row for name, layer in named if (row := _row(name, layer, frozen))]


def _row(name: str, layer: nn.Module, frozen: Collection[str]) -> dict[str, Any] | None:
    before = f"{name}." if name else ""
    parameters = dict(layer.named_parameters(recurse=False))
    tensors = [*parameters.values(), *layer.buffers(recurse=False)]
    if not tensors:
        return None
    return {
        "layer": name,
        "kind": type(layer).__name__,
        "shape": tuple(tensors[0].shape),
        "parameters": sum(p.numel() for p in parameters.values()),
        "trainable": any(before + own not in frozen for own in parameters),
    }


def n_values(module: nn.Module) -> int:
    """Number of parameters; of a quantized network, which has none, of its buffers."""
    values: list[Tensor] = [*module.parameters()] or [*module.buffers()]
    return sum(value.numel() for value in values)


def n_bytes(module: nn.Module) -> int:
    """Bytes of the same values."""
    values: list[Tensor] = [*module.parameters()] or [*module.buffers()]
    return sum(value.numel() * value.element_size() for value in values)


def as_frame(rows: Sequence[dict[str, Any]]) -> Any:
    """A DataFrame where pandas is installed, else a list of dicts."""
    try:
        import pandas as pd
    except ImportError:
        return [dict(row) for row in rows]
    return pd.DataFrame(rows)
