"""The estimator of a fine-tuning: layers of the pretrained network, training of the user's."""

import dataclasses
import inspect
from typing import Any

import numpy as np
from sklearn.base import clone

from sklearn_deep.estimators.core._base import DeepEstimator
from sklearn_deep.estimators.families._rules import CLASSIFIER_RULES, TRAINING_RULES
from sklearn_deep.exceptions import InvalidParameterError
from sklearn_deep.transfer.conversion._network import NetworkMaker

# Parameters that say how to train, beside those that all families share.
_OF_TRAINING = {
    *TRAINING_RULES,
    *CLASSIFIER_RULES,
    "averaging",
    "bias_init",
    "checkpoint",
    "dropout",
    "importance_repeats",
    "layer_rates",
    "loss",
    "validation",
    "weight_init",
    "weight_init_params",
}


def with_layers_of(
    owner: str, estimator: Any, network: DeepEstimator | None, *, new_head: bool
) -> Any:
    """A clone of an estimator with the layers of a pretrained network.

    Parameters
    ----------
    owner : str
        For errors.
    estimator : DeepEstimator
    network : DeepEstimator or None
        The pretrained one, where it is an estimator.
    new_head : bool
        Whether its output layer is drawn anew.

    Raises
    ------
    InvalidParameterError
        For an estimator of another family, or one that asks for other layers.
    """
    fresh = clone(estimator)
    if network is None:
        return fresh
    if _family(fresh) is not _family(network):
        raise InvalidParameterError(
            f"{owner} cannot train a {type(fresh).__name__} that begins as the pretrained"
            f" {type(network).__name__}: their networks differ. Take an estimator of the"
            " same family."
        )
    theirs, ours = network.get_params(deep=False), fresh.get_params(deep=False)
    layers = {k: v for k, v in theirs.items() if k not in _OF_TRAINING}
    for name, value in layers.items():
        chosen = name in ours and not _is_left_out(fresh, name, ours[name])
        if chosen and not _alike(ours[name], value):
            raise InvalidParameterError(
                f"The {name!r} parameter of the estimator of {owner} is {ours[name]!r},"
                f" and the pretrained network has {value!r}. Leave it out: the layers are"
                " those of the pretrained network."
            )
    maker = layers.get("module")
    if isinstance(maker, NetworkMaker) and new_head:
        layers["module"] = dataclasses.replace(maker, new_head=True)
    return fresh.set_params(**layers)


def _is_left_out(estimator: Any, name: str, value: Any) -> bool:
    """Whether a parameter has its default, or None where it has none."""
    default = _default(estimator, name)
    needed = default is inspect.Parameter.empty
    return value is None if needed else _alike(value, default)


def _family(estimator: Any) -> Any:
    """What makes the modules of an estimator."""
    return getattr(type(estimator), "_network", None)


def _default(estimator: Any, name: str) -> Any:
    parameters = inspect.signature(type(estimator)).parameters
    known = parameters.get(name)
    return inspect.Parameter.empty if known is None else known.default


def _alike(one: Any, other: Any) -> bool:
    """Whether two values of a parameter mean the same."""
    if one is other:
        return True
    sequences = (list, tuple, np.ndarray)
    if isinstance(one, sequences) or isinstance(other, sequences):
        return np.array_equal(np.atleast_1d(one), np.atleast_1d(other))
    return bool(one == other)
