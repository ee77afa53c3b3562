"""ReLU layers that overwrite their input in training and prediction, and only then.

Allocating memory costs more than the ReLU itself. Hooks, though, would see overwritten
values, and torch refuses full backward hooks on them: outside of our own training and
prediction, a network works out of place.
"""

from typing import Any

from torch import nn

from sklearn_deep.nn._hooks import hooks


def rectifier() -> nn.ReLU:
    """A ReLU of our networks, whose input nothing else needs."""
    layer = nn.ReLU()
    layer.owns_input = True  # type: ignore[assignment]
    return layer


class InPlace:
    """Context in which the ReLU layers of our networks work in place, unless hooked.

    Parameters
    ----------
    module : torch.nn.Module
        Layers that are added later are not affected.
    """

    def __init__(self, module: nn.Module):
        children = list(module.modules())
        # Attributes are set without torch's own check of each, which takes longer.
        self._rectifiers: list[dict[str, Any]] = [
            vars(child)  # type: ignore[misc]
            for child in children
            if type(child) is nn.ReLU and getattr(child, "owns_input", False)
        ]
        self._hooks = [each for child in children for each in hooks(child)]

    def __enter__(self) -> None:
        if self._rectifiers and not any(self._hooks):
            self._set(True)

    def __exit__(self, *exception: Any) -> None:
        self._set(False)

    def _set(self, value: bool) -> None:
        for state in self._rectifiers:
            state["inplace"] = value
