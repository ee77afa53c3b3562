"""Training mode of a network of which some parts stay as they are."""

from collections.abc import Collection

from torch import nn


def begin_training(module: nn.Module, frozen: Collection[str] = ()) -> nn.Module:
    """Set training mode, and evaluation mode in layers that stay as they are.

    Parameters
    ----------
    module : torch.nn.Module
    frozen : collection of str
        Names of parameters and buffers that stay as they are. A layer is in evaluation
        mode if these are all of its own and of its parts, so that it draws nothing at
        random, or if they are all of its own buffers, such as the moments of a batch
        normalisation.
    """
    module.train()
    if frozen:
        named = [*module.named_parameters(), *module.named_buffers()]
        _freeze(module, {id(tensor) for name, tensor in named if name in frozen})
    return module


def _freeze(module: nn.Module, frozen: set[int]) -> None:
    everything = [*module.parameters(), *module.buffers()]
    if everything and frozen.issuperset(map(id, everything)):
        module.eval()
        return
    buffers = list(module.buffers(recurse=False))
    if buffers and frozen.issuperset(map(id, buffers)):
        module.training = False
    for part in module.children():
        _freeze(part, frozen)
