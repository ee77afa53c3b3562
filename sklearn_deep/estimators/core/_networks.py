"""Networks of the package's own classes: built with initial values, or without values."""

from collections.abc import Callable, Collection, Hashable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from sklearn_deep.data._batches import Rows
from sklearn_deep.estimators.core._fitted import Fitted
from sklearn_deep.nn._initializers import Initialization, materialize
from sklearn_deep.nn._losses import Loss
from sklearn_deep.nn._quantization import QuantizedNetwork
from sklearn_deep.training.job._seeds import generator


def initialized(
    owner: str,
    network: Callable[..., nn.Module],
    architecture: dict[str, Any],
    how: Initialization,
    bias: Tensor | None,
    seed: int,
) -> nn.Module:
    """A network of ours with initial values by the tables; in float32, on the CPU.

    Parameters
    ----------
    owner : str
        Name of the estimator, for errors.
    network : callable
        The class of the module; its output layer is the attribute ``output``.
    architecture : dict
        Its arguments.
    how : Initialization
    bias : Tensor of shape (n_outputs,) or None
        Biases of the output layer.
    seed : int
        Seed of the fit.
    """
    with torch.device("meta"):
        module = network(**architecture)
    try:
        return materialize(module, module.output, how, generator(seed, "weights"), bias)
    except RuntimeError as error:
        if "allocate memory" not in str(error):
            raise
        n = sum(parameter.numel() for parameter in module.parameters())
        raise MemoryError(
            f"{owner}: a network of {n:.2g} parameters does not fit"
            " into memory. Make its layers smaller."
        ) from error


def prior_bias(loss: Loss, rows: Rows, n_outputs: int) -> Tensor:
    """Biases of the output layer with which a network of zeros predicts the mean."""
    weight = rows.weight
    if weight is None:
        n = rows.y.shape[0]
        weight = torch.ones(n, dtype=torch.float64, device=rows.device)
    return loss.prior(rows.y, weight, n_outputs).cpu().float()


def without_values(network: Any, fitted: Fitted) -> nn.Module:
    """A module of a fitted network without values, of integers where it is quantized."""
    build: Any = network
    if fitted.bits is not None:
        build = partial(QuantizedNetwork.rebuilt, network, fitted.bits)
    with torch.device("meta"):
        module: nn.Module = build(**fitted.architecture)
    return module


def architecture_key(
    network: Callable[..., nn.Module],
    of_each: Collection[str],
    architecture: dict[str, Any],
) -> Hashable:
    """What networks have in common that may be trained as one; None for no others.

    Networks of one stack may differ in the arguments ``of_each``.
    """
    fixed = {k: v for k, v in architecture.items() if k not in of_each}
    try:
        hash(key := (network, _frozen(fixed)))
    except TypeError:  # a parameter that cannot be compared
        return None
    return key


def _frozen(value: Any) -> Any:
    """Dicts and lists as tuples, which have a hash."""
    if isinstance(value, Mapping):
        return tuple((key, _frozen(item)) for key, item in sorted(value.items()))
    if isinstance(value, (list, tuple)):
        return tuple(map(_frozen, value))
    return value
