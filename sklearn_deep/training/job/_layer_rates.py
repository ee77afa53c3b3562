"""The table of factors on the learning rate, one per parameter of a network."""

import math
from collections.abc import Callable

from torch import nn

# Factor of parameters that are not multiplied with the output of a layer: biases,
# weights of normalisations and of embeddings.
_SLOW = 0.1


def _by_fan_in(module: nn.Module) -> dict[str, float]:
    """Smaller steps for wider layers.

    With a layer of ``n`` inputs, a step of Adam changes each weight by about the learning
    rate, and an output by up to ``n`` times that. Divided by the root of ``n``, one rate
    suits layers of every width (neural tangent parametrisation, as in Holzmueller et al.,
    arXiv:2407.04491).
    """
    factors = dict.fromkeys((name for name, _ in module.named_parameters()), _SLOW)
    for path, layer in module.named_modules():
        if isinstance(layer, nn.Linear):
            name = f"{path}.weight" if path else "weight"
            factors[name] = 1 / math.sqrt(max(layer.in_features, 1))
    return factors


def _equal(module: nn.Module) -> dict[str, float]:
    return dict.fromkeys((name for name, _ in module.named_parameters()), 1.0)


LAYER_RATES: dict[str, Callable[[nn.Module], dict[str, float]]] = {
    "equal": _equal,
    "fan_in": _by_fan_in,
}
