"""Hooks of torch modules: functions that run beside ``forward`` or ``backward``."""

from typing import Any

from torch import nn

# torch has no public list of a module's hooks; its attributes that hold them say so.
_NAMES = [name for name in vars(nn.Module()) if name.endswith("hooks")]
_FORWARD = [name for name in _NAMES if name.startswith("_forward")]
_OF_PASSES = [*_FORWARD, *(name for name in _NAMES if name.startswith("_backward"))]


def forward_hooks(module: nn.Module) -> list[dict[Any, Any]]:
    """The mappings that hold the forward hooks of one module, filled or empty."""
    return [vars(module)[name] for name in _FORWARD]


def hooks(module: nn.Module) -> list[dict[Any, Any]]:
    """The mappings that hold the hooks of one module's passes, filled or empty."""
    return [vars(module)[name] for name in _OF_PASSES]


def all_hooks(module: nn.Module) -> list[dict[Any, Any]]:
    """The mappings of all hooks of one module, those of its state included."""
    return [vars(module)[name] for name in _NAMES]
