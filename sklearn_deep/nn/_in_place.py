"""Rectifiers that overwrite their input while we train and predict, and only then.

A fresh block of memory costs more than the rectifier itself. Hooks, though, would see
values that are overwritten, and torch refuses full backward hooks on them: a network in
other hands works out of place.
"""

from typing import Any

from torch import nn

_HOOKS = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_backward_hooks",
    "_backward_pre_hooks",
)


def rectifier() -> nn.ReLU:
    """A rectifier of our networks, whose input nobody else needs."""
    layer = nn.ReLU()
    layer.owns_input = True  # type: ignore[assignment]
    return layer


class InPlace:
    """Inside, the rectifiers of our networks work in place, unless there is a hook.

    Parameters
    ----------
    module : torch.nn.Module
        Layers that it gets later stay as they are.
    """

    def __init__(self, module: nn.Module):
        children = list(module.modules())
        # Attributes are set without torch's own check of each, which takes longer.
        self._rectifiers: list[dict[str, Any]] = [
            vars(child)  # type: ignore[misc]
            for child in children
            if type(child) is nn.ReLU and getattr(child, "owns_input", False)
        ]
        self._hooks = [vars(child)[name] for child in children for name in _HOOKS]

    def __enter__(self) -> None:
        if self._rectifiers and not any(self._hooks):
            self._set(True)

    def __exit__(self, *exception: Any) -> None:
        self._set(False)

    def _set(self, value: bool) -> None:
        for state in self._rectifiers:
            state["inplace"] = value
