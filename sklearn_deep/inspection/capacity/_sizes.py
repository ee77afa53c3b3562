"""Sizes of a network to be compared, as parameters of the estimator around it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.model_selection import ParameterGrid

from sklearn_deep.estimators.core._base import DeepEstimator

# What "auto" multiplies the widths by: from a sixteenth to four times the network at
# hand, in steps of two.
FACTORS = tuple(2.0**k for k in range(-4, 3))

# Parameters that hold the widths of a family's layers.
_WIDTHS = ("hidden_layer_sizes", "conv_channels", "hidden_size")


def size_settings(
    estimator: Any, architecture: dict[str, Any], sizes: Any
) -> list[dict[str, Any]]:
    """One setting of parameters per size.

    Parameters
    ----------
    estimator : estimator
        A network, or a Pipeline or other meta-estimator around one.
    architecture : dict
        That of the network at its present size.
    sizes : "auto", sequence of float, dict or list of dict
        Factors of the widths, or a grid of parameters.

    Raises
    ------
    ValueError
        For a network whose widths no parameter holds, or factors that leave one size.
    """
    if isinstance(sizes, Mapping) or (
        isinstance(sizes, Sequence) and sizes and isinstance(sizes[0], Mapping)
    ):
        return list(ParameterGrid(sizes))
    factors = FACTORS if isinstance(sizes, str) else tuple(map(float, sizes))
    name, network = named_network(estimator)
    widths = {
        key: architecture[key]
        for key in _WIDTHS
        if key in architecture and key in network.get_params(deep=False)
    }
    if not widths or not any(np.sum(w) for w in widths.values()):
        raise ValueError(
            f"{type(network).__name__} has no parameter that holds the widths of its"
            " layers. Name what to vary, e.g."
            " sizes={'module__n_hidden': [16, 32, 64, 128]}."
        )
    settings = [
        {name + key: _scaled(width, factor) for key, width in widths.items()}
        for factor in factors
    ]
    return [s for i, s in enumerate(settings) if s not in settings[:i]]


def _scaled(width: Any, factor: float) -> Any:
    """Widths times a factor, at least one unit each."""
    scaled = np.maximum(1, np.rint(np.multiply(width, factor))).astype(int)
    return tuple(scaled.tolist()) if np.ndim(width) else int(scaled)


def named_network(estimator: Any) -> tuple[str, DeepEstimator]:
    """The network in an estimator, and the prefix of its parameters there."""
    if isinstance(estimator, DeepEstimator):
        return "", estimator
    found = [
        (f"{name}__", value)
        for name, value in estimator.get_params().items()
        if isinstance(value, DeepEstimator)
    ]
    if not found:
        raise TypeError(
            "This needs a network of sklearn_deep, or a Pipeline or other meta-estimator"
            f" around one; got {type(estimator).__name__}."
        )
    return found[-1]
