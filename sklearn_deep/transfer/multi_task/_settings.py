"""What several tasks share: the network, with the layers of their heads, and their weights."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import clone

from sklearn_deep._params import check_params
from sklearn_deep.exceptions import InvalidParameterError


def shared_network(
    owner: str, estimator: Any, head_sizes: Sequence[int], n_tasks: int
) -> Any:
    """A copy of an estimator, with the hidden layers of the heads.

    Raises
    ------
    InvalidParameterError
        For parameters of the estimator that belong to one task, and for a network whose
        heads can have no hidden layers.
    """
    network = clone(estimator)
    check_params(network, network._rules)
    _check_network(owner, network)
    return _with_heads(owner, network, head_sizes, n_tasks) if head_sizes else network


def _check_network(owner: str, network: Any) -> None:
    """Raise for parameters of the network that have no meaning here."""
    augmentation = network.augmentation
    steps = augmentation if isinstance(augmentation, (list, tuple)) else []
    mixes = any(getattr(a, "mixes", False) for a in [augmentation, *steps])
    wrong = {
        "callbacks": bool(network.callbacks),
        "warm_start": bool(network.warm_start),
        "return_sequences": bool(getattr(network, "return_sequences", False)),
        "monitor": network.monitor != "loss",
        "augmentation": mixes,
    }
    for name in (name for name, is_wrong in wrong.items() if is_wrong):
        raise InvalidParameterError(
            f"The {name!r} parameter of the estimator of {owner} must keep its default,"
            f" for it belongs to one task. Got {getattr(network, name)!r} instead."
        )


def _with_heads(
    owner: str, network: Any, head_sizes: Sequence[int], n_tasks: int
) -> Any:
    trunk = getattr(network, "hidden_layer_sizes", "auto")
    if isinstance(trunk, str) or getattr(network, "normalization", 0) == "layer":
        raise InvalidParameterError(
            f"The 'head_layer_sizes' parameter of {owner} needs a network with"
            " hidden_layer_sizes that are numbers, and without normalization='layer'. Got"
            f" {network!r}: set hidden_layer_sizes, or head_layer_sizes=()."
        )
    trunk = [int(n) for n in np.atleast_1d(trunk)]
    params = {"hidden_layer_sizes": (*trunk, *(n_tasks * n for n in head_sizes))}
    if np.ndim(network.dropout):
        rates = list(network.dropout)
        params["dropout"] = (*rates, *[(rates or [0.0])[-1]] * len(head_sizes))
    return network.set_params(**params)


def task_weights(owner: str, given: Any, names: Sequence[Any]) -> Any:
    """Weights of the tasks: a name, or one number per task.

    Raises
    ------
    InvalidParameterError
        For numbers that do not belong to the tasks.
    """
    if isinstance(given, str):
        return given
    if isinstance(given, Mapping):
        if unknown := [name for name in given if name not in names]:
            raise InvalidParameterError(
                f"The 'task_weight' parameter of {owner} must name tasks among"
                f" {list(names)}. Got {unknown} instead."
            )
        return tuple(float(given.get(name, 1.0)) for name in names)
    if len(given) != len(names):
        raise InvalidParameterError(
            f"The 'task_weight' parameter of {owner} must have one number per task,"
            f" here {len(names)}. Got {len(given)} instead."
        )
    return tuple(map(float, given))
