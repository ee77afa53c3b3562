"""The weights between units, and which of them a pruned network has."""

from torch import Tensor, nn


def connections(module: nn.Module) -> dict[str, Tensor]:
    """The weights of a network by name, without biases, normalisation and embeddings."""
    tables = {
        f"{name}.weight"
        for name, layer in module.named_modules()
        if isinstance(layer, (nn.Embedding, nn.EmbeddingBag))
    }
    return {
        name: parameter.detach()
        for name, parameter in module.named_parameters()
        if parameter.ndim >= 2 and name not in tables
    }


def mask_of_nonzero(module: nn.Module) -> dict[str, Tensor]:
    """By weight: 1 where it is not 0. In a pruned network these are trained further."""
    return {name: (w != 0).to(w) for name, w in connections(module).items()}
