"""ONNX operators that compute each value from those at its place."""

import math
from collections.abc import Callable
from functools import reduce
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from sklearn_deep.transfer.conversion._graph import Step

Run = Callable[..., Any]

# Element types of ONNX (TensorProto.DataType) that are not floating.
_INTEGER_TYPES = {
    2: torch.uint8,
    3: torch.int8,
    5: torch.int16,
    6: torch.int32,
    7: torch.int64,
    9: torch.bool,
    12: torch.int32,
    13: torch.int64,
}
FLOATING_TYPES = (1, 10, 11, 16)


def _of_one(function: Callable[[Tensor], Tensor]) -> Run:
    return lambda step, x: function(x)


def _of_two(function: Callable[[Tensor, Tensor], Tensor]) -> Run:
    return lambda step, x, y: function(x, y)


def _of_all(function: Callable[[Tensor, Tensor], Tensor]) -> Run:
    return lambda step, *xs: reduce(function, xs)


def _with(function: Callable[..., Tensor], **defaults: float) -> Run:
    """An activation with attributes, in the order of ``defaults``."""

    def run(step: Step, x: Tensor) -> Tensor:
        given = (float(step.attributes.get(n, v)) for n, v in defaults.items())
        return function(x, *given)

    return run


def _elu(x: Tensor, alpha: float) -> Tensor:
    return torch.where(x > 0, x, alpha * torch.expm1(x.clamp(max=0)))


def _celu(x: Tensor, alpha: float) -> Tensor:
    return x.clamp(min=0) + (alpha * torch.expm1(x / alpha)).clamp(max=0)


def _selu(x: Tensor, alpha: float, gamma: float) -> Tensor:
    return gamma * _elu(x, alpha)


def _hard_sigmoid(x: Tensor, alpha: float, beta: float) -> Tensor:
    return (alpha * x + beta).clamp(0, 1)


def _hard_swish(x: Tensor) -> Tensor:
    return x * _hard_sigmoid(x, 1 / 6, 0.5)


def _thresholded(x: Tensor, alpha: float) -> Tensor:
    return torch.where(x > alpha, x, torch.zeros_like(x))


def _prelu(step: Step, x: Tensor, slope: Tensor) -> Tensor:
    return torch.where(x >= 0, x, x * slope)


def _gelu(step: Step, x: Tensor) -> Tensor:
    return F.gelu(x, approximate=step.attributes.get("approximate", "none"))


def _swish(step: Step, x: Tensor) -> Tensor:
    return x * torch.sigmoid(step.attributes.get("alpha", 1.0) * x)


def _divide(x: Tensor, y: Tensor) -> Tensor:
    if x.is_floating_point() or y.is_floating_point():
        return x / y
    return torch.div(x, y, rounding_mode="trunc")


def _mod(step: Step, x: Tensor, y: Tensor) -> Tensor:
    return torch.fmod(x, y) if step.attributes.get("fmod") else torch.remainder(x, y)


def _power(x: Tensor, y: Tensor) -> Tensor:
    return torch.pow(x, y.to(x.dtype)) if x.is_floating_point() else torch.pow(x, y)


def _clip(
    step: Step, x: Tensor, low: Tensor | None = None, high: Tensor | None = None
) -> Tensor:
    bounds = [step.attributes.get("min"), step.attributes.get("max")]
    for bound, given, cut in zip(
        bounds, (low, high), (torch.maximum, torch.minimum), strict=True
    ):
        if bound is not None:
            given = x.new_tensor(bound).reshape(())
        if given is not None:
            x = cut(x, given.to(x.dtype))
    return x


def cast(step: Step, x: Tensor, dtype: torch.dtype) -> Tensor:
    """Convert values; floating types of any width are the network's own."""
    to = int(step.attributes["to"])
    return x.to(dtype if to in FLOATING_TYPES else _INTEGER_TYPES[to])


def _cast_like(step: Step, x: Tensor, like: Tensor) -> Tensor:
    return x.to(like.dtype)


def _mean(step: Step, *xs: Tensor) -> Tensor:
    return reduce(torch.add, xs) / len(xs)


def _is_inf(step: Step, x: Tensor) -> Tensor:
    above = torch.isposinf(x) if step.attributes.get("detect_positive", 1) else None
    below = torch.isneginf(x) if step.attributes.get("detect_negative", 1) else None
    found = [marks for marks in (above, below) if marks is not None]
    return reduce(torch.logical_or, found, torch.zeros_like(x, dtype=torch.bool))


def _where(step: Step, mask: Tensor, x: Tensor, y: Tensor) -> Tensor:
    return torch.where(mask.bool(), x, y)


# ai.onnx.ml, what scikit-learn's preprocessing becomes.


def _scaler(step: Step, x: Tensor) -> Tensor:
    zero, one = [0.0], [1.0]
    offset = x.new_tensor(step.attributes.get("offset", zero))
    return (x - offset) * x.new_tensor(step.attributes.get("scale", one))


def _imputer(step: Step, x: Tensor) -> Tensor:
    missing = float(step.attributes.get("replaced_value_float", 0.0))
    marks = torch.isnan(x) if math.isnan(missing) else x == missing
    return torch.where(marks, x.new_tensor(step.attributes["imputed_value_floats"]), x)


def _binarizer(step: Step, x: Tensor) -> Tensor:
    return (x > step.attributes.get("threshold", 0.0)).to(x.dtype)


_NORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "MAX": lambda x: x.abs().amax(-1, keepdim=True),
    "L1": lambda x: x.abs().sum(-1, keepdim=True),
    "L2": lambda x: x.square().sum(-1, keepdim=True).sqrt(),
}


def _normalizer(step: Step, x: Tensor) -> Tensor:
    norm = _NORMS[step.attributes.get("norm", "MAX")](x)
    return x / torch.where(norm == 0, torch.ones_like(norm), norm)


ELEMENTWISE: dict[str, Run] = {
    "Abs": _of_one(torch.abs),
    "Add": _of_two(torch.add),
    "And": _of_two(torch.logical_and),
    "Binarizer": _binarizer,
    "CastLike": _cast_like,
    "Ceil": _of_one(torch.ceil),
    "Celu": _with(_celu, alpha=1.0),
    "Clip": _clip,
    "Cos": _of_one(torch.cos),
    "Div": _of_two(_divide),
    "Elu": _with(_elu, alpha=1.0),
    "Equal": _of_two(torch.eq),
    "Erf": _of_one(torch.erf),
    "Exp": _of_one(torch.exp),
    "Floor": _of_one(torch.floor),
    "Gelu": _gelu,
    "Greater": _of_two(torch.gt),
    "GreaterOrEqual": _of_two(torch.ge),
    "HardSigmoid": _with(_hard_sigmoid, alpha=0.2, beta=0.5),
    "HardSwish": _of_one(_hard_swish),
    "Identity": _of_one(lambda x: x),
    "Imputer": _imputer,
    "IsInf": _is_inf,
    "IsNaN": _of_one(torch.isnan),
    "LeakyRelu": _with(F.leaky_relu, alpha=0.01),
    "Less": _of_two(torch.lt),
    "LessOrEqual": _of_two(torch.le),
    "Log": _of_one(torch.log),
    "Max": _of_all(torch.maximum),
    "Mean": _mean,
    "Min": _of_all(torch.minimum),
    "Mish": _of_one(F.mish),
    "Mod": _mod,
    "Mul": _of_two(torch.mul),
    "Neg": _of_one(torch.neg),
    "Normalizer": _normalizer,
    "Not": _of_one(torch.logical_not),
    "Or": _of_two(torch.logical_or),
    "PRelu": _prelu,
    "Pow": _of_two(_power),
    "Reciprocal": _of_one(torch.reciprocal),
    "Relu": _of_one(torch.relu),
    "Round": _of_one(torch.round),
    "Scaler": _scaler,
    # The defaults are those of the standard, Klambauer et al., arXiv:1706.02515.
    "Selu": _with(
        _selu, alpha=1.67326319217681884765625, gamma=1.05070102214813232421875
    ),
    "Sigmoid": _of_one(torch.sigmoid),
    "Sign": _of_one(torch.sign),
    "Sin": _of_one(torch.sin),
    "Softplus": _of_one(F.softplus),
    "Softsign": _of_one(F.softsign),
    "Sqrt": _of_one(torch.sqrt),
    "Sub": _of_two(torch.sub),
    "Sum": _of_all(torch.add),
    "Swish": _swish,
    "Tanh": _of_one(torch.tanh),
    "ThresholdedRelu": _with(_thresholded, alpha=1.0),
    "Where": _where,
    "Xor": _of_two(torch.logical_xor),
}
