"""The table of initial weights, and the rules for initial biases.

Values are drawn in float32 on the CPU and then copied, so that one seed gives the
same network on every device and, to rounding, in every dtype.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from numbers import Real
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import init

from sklearn_deep._params import INITIAL_VALUE, Number, Rules, merge_named
from sklearn_deep.exceptions import InvalidParameterError
from sklearn_deep.nn._activations import ACTIVATIONS
from sklearn_deep.nn._columns import (
    CategoryEmbedding,
    PeriodicEmbedding,
    PiecewiseLinearEmbedding,
    draw_embedding,
)

_POSITIVE = (Number(low=0, high=INITIAL_VALUE.high, open_low=True),)


@dataclass(frozen=True)
class Initializer:
    """A row of the table: how a weight is drawn, in place.

    ``fill(weight, generator=..., **params)``; a row with ``takes_gain`` is handed
    the activation's gain unless the user gives one.
    """

    fill: Callable[..., Any]
    rules: Rules = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    takes_gain: bool = False


def _kaiming_uniform(weight: Tensor, gain: float, generator: torch.Generator) -> None:
    bound = gain * math.sqrt(3 / _fan_in(weight))
    init.uniform_(weight, -bound, bound, generator=generator)


def _kaiming_normal(weight: Tensor, gain: float, generator: torch.Generator) -> None:
    init.normal_(weight, 0, gain / math.sqrt(_fan_in(weight)), generator=generator)


def _orthogonal(weight: Tensor, gain: float, generator: torch.Generator) -> None:
    init.orthogonal_(weight, gain, generator=generator)


def _uniform(
    weight: Tensor, low: float, high: float, generator: torch.Generator
) -> None:
    init.uniform_(weight, low, high, generator=generator)


def _normal(
    weight: Tensor, mean: float, std: float, generator: torch.Generator
) -> None:
    init.normal_(weight, mean, std, generator=generator)


def _fan_in(weight: Tensor) -> int:
    return max(1, weight[0].numel())


_GAIN: dict[str, Any] = {"rules": {"gain": _POSITIVE}, "takes_gain": True}

INITIALIZERS: dict[str, Initializer] = {
    "xavier_uniform": Initializer(init.xavier_uniform_, **_GAIN),
    "xavier_normal": Initializer(init.xavier_normal_, **_GAIN),
    "kaiming_uniform": Initializer(_kaiming_uniform, **_GAIN),
    "kaiming_normal": Initializer(_kaiming_normal, **_GAIN),
    "orthogonal": Initializer(_orthogonal, **_GAIN),
    "lecun_uniform": Initializer(partial(_kaiming_uniform, gain=1.0)),
    "lecun_normal": Initializer(partial(_kaiming_normal, gain=1.0)),
    "uniform": Initializer(
        _uniform,
        rules={"low": (INITIAL_VALUE,), "high": (INITIAL_VALUE,)},
        defaults={"low": -0.05, "high": 0.05},
    ),
    "normal": Initializer(
        _normal,
        rules={"mean": (INITIAL_VALUE,), "std": _POSITIVE},
        defaults={"mean": 0.0, "std": 0.05},
    ),
}


@dataclass(frozen=True)
class Initialization:
    """How the parameters of a new network are initialised."""

    fill: Callable[..., Any]
    hidden: dict[str, Any]
    output: dict[str, Any]
    bias: str | float

    @classmethod
    def make(
        cls,
        owner: str,
        weight_init: str,
        params: Mapping | None,
        bias_init: str | float,
        activation: str,
        slope: float | None,
    ) -> "Initialization":
        """Resolve the user's names against the tables."""
        row = ACTIVATIONS[activation]
        rule = INITIALIZERS[row.init if weight_init == "auto" else weight_init]
        values = merge_named(
            owner, "weight_init_params", params, rule.rules, rule.defaults
        )
        if values.get("low", 0) > values.get("high", 0):
            raise InvalidParameterError(
                f"The 'weight_init_params' parameter of {owner} must have low <= high."
                f" Got {values} instead."
            )
        hidden, output = dict(values), dict(values)
        if rule.takes_gain:
            gain = init.calculate_gain(row.nonlinearity, slope)  # type: ignore[arg-type]
            hidden = {"gain": gain, **values}
            output = {"gain": 1.0, **values}  # the output layer has no activation
        bias = float(bias_init) if isinstance(bias_init, Real) else bias_init
        return cls(rule.fill, hidden, output, bias)  # type: ignore[arg-type]


def materialize(
    module: nn.Module,
    output: nn.Module | Tensor,
    how: Initialization,
    generator: torch.Generator,
    prior: Tensor | None = None,
) -> nn.Module:
    """Give real, freshly drawn values to a module that was built on ``meta``.

    Parameters
    ----------
    module : torch.nn.Module
        Network on the meta device.
    output : torch.nn.Module
        Its output layer; takes gain 1 and, where given, ``prior`` as its bias.
    how : Initialization
        Weights and biases.
    generator : torch.Generator
        On the CPU.
    prior : Tensor of shape (n_outputs,), optional
        Bias of the output layer.
    """
    module = module.to_empty(device="cpu").float()
    for layer in module.modules():
        weight, bias = getattr(layer, "weight", None), getattr(layer, "bias", None)
        if type(layer) in LAYERS:
            with torch.no_grad():
                LAYERS[type(layer)](layer, how, generator)
        elif weight is not None and weight.ndim > 1:
            params = how.output if layer is output else how.hidden
            with torch.no_grad():
                how.fill(weight, generator=generator, **params)
                _fill_bias(bias, weight, how.bias, generator)
        elif hasattr(layer, "reset_parameters"):
            # Normalisation and PReLU start from constants: nothing is drawn.
            cast("Any", layer).reset_parameters()
    if prior is not None:
        with torch.no_grad():
            cast("nn.Linear", output).bias.copy_(prior)
    return module


def _fill_bias(
    bias: Tensor | None, weight: Tensor, how: str | float, generator: torch.Generator
) -> None:
    if bias is None:
        return
    if how == "uniform":
        bound = 1 / math.sqrt(_fan_in(weight))
        bias.uniform_(-bound, bound, generator=generator)
    else:
        bias.fill_(how if isinstance(how, float) else 0.0)


def _embedding(
    layer: nn.Module, how: Initialization, generator: torch.Generator
) -> None:
    init.normal_(cast("nn.Embedding", layer).weight, generator=generator)


def _recurrent(
    layer: nn.Module,
    how: Initialization,
    generator: torch.Generator,
    n_gates: int,
    forget_gate: int | None = None,
) -> None:
    """Draw the weights of each gate separately.

    Input weights are drawn by the user's initialiser. Recurrent weights are orthogonal
    matrices, which neither amplify nor damp the state over time (Saxe et al.,
    arXiv:1312.6120). The forget gate of an LSTM has a bias of 1, so that it starts by
    remembering (Jozefowicz et al., ICML 2015).
    """
    for name, parameter in layer.named_parameters():
        for i, part in enumerate(parameter.chunk(n_gates)):
            if name.startswith("weight_ih"):
                how.fill(part, generator=generator, **how.hidden)
            elif name.startswith("weight_hh"):
                _orthogonal(part, 1.0, generator)
            elif name.startswith("bias_hh"):
                part.zero_()
            else:
                _fill_bias(part, _weight_of(layer, name, i), how.bias, generator)
                if i == forget_gate:
                    part.add_(1.0)


def _weight_of(layer: nn.Module, bias: str, gate: int) -> Tensor:
    weight = layer.get_parameter(bias.replace("bias", "weight"))
    return weight[gate : gate + 1]  # its fan-in is that of every gate


# Layers that hold weights of several kinds, or need another start than linear ones.
LAYERS: dict[type[nn.Module], Callable[..., None]] = {
    nn.Embedding: _embedding,
    PeriodicEmbedding: draw_embedding,
    PiecewiseLinearEmbedding: draw_embedding,
    CategoryEmbedding: draw_embedding,
    nn.RNN: partial(_recurrent, n_gates=1),
    nn.GRU: partial(_recurrent, n_gates=3),
    nn.LSTM: partial(_recurrent, n_gates=4, forget_gate=1),
}
