"""A network up to one of its stages or layers."""

import threading
from typing import Any

from torch import Tensor, nn

from sklearn_deep.data._padded import Padded
from sklearn_deep.nn._layout import Arrange
from sklearn_deep.nn._masked import NO_WIDTH, masked_forward

Stages = list[tuple[str, nn.Module]]


def stages_of(module: nn.Module) -> Stages:
    """The stages of a network; empty for a module without ``stages``."""
    if isinstance(module, nn.Sequential):
        return list(module.named_children())
    return list(getattr(module, "stages", list)())


class UpTo(nn.Sequential):
    """The first stages of a network, with rows of numbers as their outputs.

    Shape: (batch, ...) -> (batch, n_features)
    """

    def __init__(self, stages: Stages):
        super().__init__(*(stage for _, stage in stages), nn.Flatten())

    def forward(self, x: Any) -> Any:
        """Apply the stages; beside padding, those of a convolutional network."""
        if isinstance(x, Padded) and isinstance(self[0], Arrange):
            return masked_forward(self, x)
        return super().forward(x)


def half_of(network: Any, name: str) -> nn.Module:
    """The ``"encoder"`` or the ``"decoder"`` of an autoencoder."""
    return UpTo(getattr(network, name)()).eval()


class Tapped(nn.Module):
    """The output of a layer inside a network, as rows of numbers.

    Shape: (batch, ...) -> (batch, n_features)
    """

    def __init__(self, network: nn.Module, name: str):
        super().__init__()
        self.network, self.name = network, name

    def forward(self, x: Any) -> Tensor:
        """Apply the network, and return the output of the layer."""
        here, seen = threading.get_ident(), []

        def note(layer: nn.Module, inputs: Any, output: Any) -> None:
            if threading.get_ident() == here:  # another thread may use the network too
                # A later layer may overwrite this output in place.
                copies = isinstance(output, Tensor)
                seen.append(output.clone() if copies else output)

        handle = self.network.get_submodule(self.name).register_forward_hook(note)
        try:
            self.network(x)
        finally:
            handle.remove()
        if isinstance(x, Padded) and _has_time(seen):
            raise ValueError(NO_WIDTH)
        if not seen:
            raise ValueError(f"the layer {self.name!r} is not used by the network")
        if not isinstance(seen[-1], Tensor):
            raise ValueError(
                f"the layer {self.name!r} gives a {type(seen[-1]).__name__}, not a tensor"
            )
        return seen[-1].flatten(1)


def _has_time(seen: list[Any]) -> bool:
    """Tell whether a layer gave an output per time step, or is only a part of others."""
    return not seen or (isinstance(seen[-1], Tensor) and seen[-1].ndim > 2)


def cut(network: nn.Module, layer: int | str) -> nn.Module:
    """The network up to a stage, by index or name, or to any layer, by dotted name.

    Raises
    ------
    LookupError
        Where there is no such layer; the message names those there are.
    """
    stages = stages_of(network)
    names = [name for name, _ in stages]
    if not isinstance(layer, str):
        if not -len(stages) <= layer < len(stages):
            raise LookupError(_none_such(network, stages))
        layer = names[layer]
    if layer in names:
        return UpTo(stages[: names.index(layer) + 1])
    if not layer or layer not in dict(network.named_modules()):
        raise LookupError(_none_such(network, stages))
    return Tapped(network, layer)


def _none_such(network: nn.Module, stages: Stages) -> str:
    layers = ", ".join(repr(name) for name, _ in network.named_modules() if name)
    if not stages:
        return f"it has no stages in a row, only layers by name: {layers}"
    listed = ", ".join(f"{i} ({name!r})" for i, (name, _) in enumerate(stages))
    return f"its {len(stages)} stages are {listed}, and its layers {layers}"
