"""Sizes of a network to be compared, as parameters of the estimator around it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.model_selection import ParameterGrid

from sklearn_deep.estimators.core._base import DeepEstimator
from sklearn_deep.inspection._named_network import named_network

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
    widths = scaled_widths(network, architecture, 1.0)
    if not widths or not any(np.sum(w) for w in widths.values()):
        raise ValueError(
            f"{type(network).__name__} has no parameter that holds the widths of its"
            " layers. Name what to vary, e.g."
            " sizes={'module__n_hidden': [16, 32, 64, 128]}."
        )
    settings = [
        {name + key: v for key, v in scaled_widths(network, architecture, f).items()}
        for f in factors
    ]
    return [s for i, s in enumerate(settings) if s not in settings[:i]]


def scaled_widths(
    network: DeepEstimator, architecture: Mapping[str, Any], factor: float
) -> dict[str, Any]:
    """The parameters that hold the widths of a network's layers, times a factor."""
    own = network.get_params(deep=False)
    names = [name for name in _WIDTHS if name in architecture and name in own]
    return {name: _scaled(architecture[name], factor) for name in names}


def _scaled(width: Any, factor: float) -> Any:
    """Widths times a factor, at least one unit each."""
    scaled = np.maximum(1, np.rint(np.multiply(width, factor))).astype(int)
    return tuple(scaled.tolist()) if np.ndim(width) else int(scaled)
