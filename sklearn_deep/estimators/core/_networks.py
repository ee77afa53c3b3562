"""Networks of the package's own classes: built with initial values, or without values."""

from collections.abc import Hashable, Mapping
from functools import partial
from typing import Any

import torch
from torch import nn

from sklearn_deep.data._batches import Rows
from sklearn_deep.estimators.core._fitted import Fitted
from sklearn_deep.estimators.core._hooks import NetworkHooks
from sklearn_deep.nn._initializers import Initialization, materialize
from sklearn_deep.nn._losses import Loss
from sklearn_deep.nn._quantization import QuantizedNetwork
from sklearn_deep.training.job._seeds import generator


def initialized(
    estimator: NetworkHooks,
    architecture: dict[str, Any],
    loss: Loss,
    rows: Rows,
    seed: int,
) -> nn.Module:
    """A network of ours with initial values by the tables; in float32, on the CPU."""
    with torch.device("meta"):
        module = estimator._network(**architecture)
    how = Initialization.make(
        type(estimator).__name__,
        estimator.weight_init,
        estimator.weight_init_params,
        estimator.bias_init,
        *estimator._nonlinearity(),
    )
    prior = None
    if estimator.bias_init == "prior":
        weight = rows.weight
        if weight is None:
            n = rows.y.shape[0]
            weight = torch.ones(n, dtype=torch.float64, device=rows.device)
        n_raw = architecture["n_outputs"]
        prior = loss.prior(rows.y, weight, n_raw).cpu().float()
    try:
        return materialize(
            module, module.output, how, generator(seed, "weights"), prior
        )
    except RuntimeError as error:
        if "allocate memory" not in str(error):
            raise
        n = sum(parameter.numel() for parameter in module.parameters())
        raise MemoryError(
            f"{type(estimator).__name__}: a network of {n:.2g} parameters does not fit"
            " into memory. Make its layers smaller."
        ) from error


def without_values(network: Any, fitted: Fitted) -> nn.Module:
    """A module of a fitted network without values, of integers where it is quantized."""
    build: Any = network
    if fitted.bits is not None:
        build = partial(QuantizedNetwork.rebuilt, network, fitted.bits)
    with torch.device("meta"):
        module: nn.Module = build(**fitted.architecture)
    return module


def shape_of(estimator: NetworkHooks, architecture: dict[str, Any]) -> Hashable:
    """What networks have in common that may be trained as one; None for no others."""
    fixed = {k: v for k, v in architecture.items() if k not in estimator._of_each}
    try:
        hash(shape := (estimator._network, _frozen(fixed)))
    except TypeError:  # a parameter that cannot be compared
        return None
    return shape


def _frozen(value: Any) -> Any:
    """Dicts and lists as tuples, which have a hash."""
    if isinstance(value, Mapping):
        return tuple((key, _frozen(item)) for key, item in sorted(value.items()))
    if isinstance(value, (list, tuple)):
        return tuple(map(_frozen, value))
    return value
