"""The table of activation functions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from sklearn_deep._params import INITIAL_VALUE, Number, OneOf, Rules, merge_named
from sklearn_deep.nn._in_place import rectifier


@dataclass(frozen=True)
class Activation:
    """A row of the table.

    Attributes
    ----------
    module : callable that makes a torch.nn.Module
        Built once per layer, so that activations with parameters have their own.
    init : str
        Initialiser that ``weight_init="auto"`` means for layers in front of it.
    nonlinearity : str
        Name by which ``torch.nn.init.calculate_gain`` knows its gain.
    rules, defaults : dict
        Its own parameters, given by the user as ``activation_params``.
    slope : str or None
        The parameter, if any, that ``calculate_gain`` takes as negative slope.
    alpha_dropout : bool
        Whether dropout must keep mean and variance (self-normalising nets).
    """

    module: Callable[..., nn.Module]
    init: str = "kaiming_uniform"
    nonlinearity: str = "relu"
    rules: Rules = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    slope: str | None = None
    alpha_dropout: bool = False


ACTIVATIONS: dict[str, Activation] = {
    "relu": Activation(rectifier),
    "leaky_relu": Activation(
        nn.LeakyReLU,
        nonlinearity="leaky_relu",
        rules={"negative_slope": (Number(low=0, high=INITIAL_VALUE.high),)},
        defaults={"negative_slope": 0.01},
        slope="negative_slope",
    ),
    "elu": Activation(
        nn.ELU,
        rules={"alpha": (Number(low=0, high=INITIAL_VALUE.high, open_low=True),)},
        defaults={"alpha": 1.0},
    ),
    "selu": Activation(
        nn.SELU, init="lecun_normal", nonlinearity="linear", alpha_dropout=True
    ),
    "gelu": Activation(
        nn.GELU,
        rules={"approximate": (OneOf("none", "tanh"),)},
        defaults={"approximate": "none"},
    ),
    "silu": Activation(nn.SiLU),
    "mish": Activation(nn.Mish),
    "prelu": Activation(
        nn.PReLU,
        nonlinearity="leaky_relu",
        rules={"init": (INITIAL_VALUE,)},
        defaults={"init": 0.25},
        slope="init",
    ),
    "sigmoid": Activation(nn.Sigmoid, init="xavier_uniform", nonlinearity="sigmoid"),
    "tanh": Activation(nn.Tanh, init="xavier_uniform", nonlinearity="tanh"),
    "identity": Activation(nn.Identity, init="xavier_uniform", nonlinearity="linear"),
}


def activation_params(owner: str, name: str, given: Mapping | None) -> dict[str, Any]:
    """Check ``activation_params`` against the activation's row and add the defaults."""
    row = ACTIVATIONS[name]
    return merge_named(owner, "activation_params", given, row.rules, row.defaults)
