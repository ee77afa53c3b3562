"""A chain of linear layers and activations, as the parameters of an MLP of ours."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sklearn_deep.nn._activations import ACTIVATIONS
from sklearn_deep.transfer.conversion._graph import Step, needed_for, uses_of
from sklearn_deep.transfer.conversion._operators import run_step

# An activation is recognised by its values here, within this.
_GRID = np.concatenate([np.linspace(-8, 8, 161), [-30.0, -1.0, 0.0, 1.0, 30.0]])
_CLOSE = 1e-6


@dataclass(frozen=True)
class Chain:
    """An MLP.

    Attributes
    ----------
    params : dict
        Parameters of ``MLPClassifier`` and ``MLPRegressor``.
    values : dict of str to ndarray
        Parameters and buffers of its module.
    n_features, n_outputs : int
    """

    params: dict[str, Any]
    values: dict[str, np.ndarray]
    n_features: int
    n_outputs: int


@dataclass
class _Layer:
    """A linear layer with what follows it, up to the next one."""

    weight: np.ndarray  # (n_out, n_in)
    bias: np.ndarray
    norm: str | None = None
    norm_values: dict[str, np.ndarray] | None = None
    activation: tuple[str, dict[str, Any]] | None = None
    slope: np.ndarray | None = None


def find_chain(
    steps: Sequence[Step], arrays: Mapping[str, np.ndarray], start: str, end: str
) -> Chain | None:
    """The network between two values as an MLP; None where it is none."""
    walk = _Chain(steps, arrays)
    layers, name = list[_Layer](), start
    while name != end:
        linear = walk.linear(name)
        if linear is None:
            return None
        layer, name = linear
        layers.append(layer)
        if name == end:
            break
        name = walk.normalized(layer, name)
        name = walk.activated(layer, name)
        if not name:
            return None
    return _assembled(layers) if layers else None


class _Chain:
    """Reads one layer after the other."""

    def __init__(self, steps: Sequence[Step], arrays: Mapping[str, np.ndarray]):
        self.steps, self.arrays, self.uses = steps, arrays, uses_of(steps)

    def only_use(self, name: str, *ops: str) -> Step | None:
        """The step that reads a value as its first input, if it is the only one."""
        uses = self.uses.get(name, [])
        fits = len(uses) == 1 and uses[0][1] == 0 and uses[0][0].op in ops
        return uses[0][0] if fits else None

    def array(self, name: str, ndim: int) -> np.ndarray | None:
        """An array of the file with so many axes, leading ones of length 1 left out."""
        array = self.arrays.get(name)
        if array is None or array.dtype.kind != "f":
            return None
        while array.ndim > ndim and array.shape[0] == 1:
            array = array[0]
        return array if array.ndim == ndim else None

    def linear(self, name: str) -> tuple[_Layer, str] | None:
        """A linear layer that reads a value, and its output."""
        step = self.only_use(name, "Gemm", "MatMul")
        weight = None if step is None else self.array(step.inputs[1], 2)
        if step is None or weight is None:
            return None
        if step.op == "MatMul":
            return self._with_bias(weight.T, step.outputs[0])
        given = step.attributes
        if given.get("transA") or (given.get("alpha", 1), given.get("beta", 1)) != (
            1,
            1,
        ):
            return None
        weight = weight if given.get("transB") else weight.T
        if len(step.inputs) < 3:
            return self._with_bias(weight, step.outputs[0])
        bias = self._bias(step.inputs[2], len(weight))
        return None if bias is None else (_Layer(weight, bias), step.outputs[0])

    def _with_bias(self, weight: np.ndarray, name: str) -> tuple[_Layer, str]:
        uses = self.uses.get(name, [])
        if len(uses) == 1 and uses[0][0].op == "Add":
            step, place = uses[0]
            bias = self._bias(step.inputs[1 - place], len(weight))
            if bias is not None:
                return _Layer(weight, bias), step.outputs[0]
        return _Layer(weight, np.zeros(len(weight), weight.dtype)), name

    def _bias(self, name: str, width: int) -> np.ndarray | None:
        array = self.arrays.get(name)
        if array is None or array.dtype.kind != "f" or array.size not in (1, width):
            return None
        flat = array.reshape(-1)
        return flat if array.ndim < 2 or array.shape[-1] == array.size else None

    def normalized(self, layer: _Layer, name: str) -> str:
        """Read the normalisation behind a linear layer, where there is one."""
        step = self.only_use(name, *_NORMS)
        if step is None:
            return name
        names, norm = _NORMS[step.op]
        if abs(step.attributes.get("epsilon", 1e-5) - 1e-5) > 1e-9:
            return name  # ours has this one
        arrays = [self.array(given, 1) for given in step.inputs[1:]]
        if len(arrays) != len(names) or any(a is None for a in arrays):
            return name
        layer.norm, layer.norm_values = norm, dict(zip(names, arrays, strict=True))  # type: ignore[arg-type]
        return step.outputs[0]

    def activated(self, layer: _Layer, name: str) -> str:
        """Read the activation behind a layer; "" where it is none of ours."""
        end = self._next_linear(name)
        if end == name:
            layer.activation = "identity", {}
            return name
        steps = needed_for([s for s in self.steps if name not in s.outputs], [end])
        inner = _between(steps, name)
        if not end or inner is None:
            return ""
        slope = self._slope(inner, name)
        if slope is not None:
            layer.activation, layer.slope = ("prelu", {}), slope
            return end
        layer.activation = recognized(inner, self.arrays, name, end)
        return end if layer.activation else ""

    def _slope(self, steps: Sequence[Step], name: str) -> np.ndarray | None:
        if len(steps) != 1 or steps[0].op != "PRelu" or steps[0].inputs[0] != name:
            return None
        slope = self.arrays.get(steps[0].inputs[1])
        return slope.reshape(-1) if slope is not None and slope.size == 1 else None

    def _next_linear(self, name: str) -> str:
        """The value that the next linear layer reads."""
        seen = {name}
        for step in self.steps:
            if not seen.intersection(step.inputs):
                continue
            if step.op in ("Gemm", "MatMul"):
                return step.inputs[0]
            seen.update(step.outputs)
        return ""


_NORMS: dict[str, tuple[tuple[str, ...], str]] = {
    "BatchNormalization": (("weight", "bias", "running_mean", "running_var"), "batch"),
    "LayerNormalization": (("weight", "bias"), "layer"),
}


def _between(steps: Sequence[Step], name: str) -> list[Step] | None:
    """The steps that compute a function of one value; None where they read others."""
    seen, inner = {name}, list[Step]()
    for step in steps:
        if seen.intersection(step.inputs):
            seen.update(step.outputs)
            inner.append(step)
    made = {out for step in steps if step not in inner for out in step.outputs}
    foreign = any(n in made for step in inner for n in step.inputs)
    return None if foreign else inner


def recognized(
    steps: Sequence[Step], arrays: Mapping[str, np.ndarray], start: str, end: str
) -> tuple[str, dict[str, Any]] | None:
    """The activation of our table that some steps compute, with its parameters.

    It is recognised by its values: libraries write one function in many ways.
    """
    read = {n for step in steps for n in step.inputs if n in arrays}
    if any(arrays[n].size != 1 for n in read):
        return None
    values: dict[str, Any] = {n: torch.tensor(arrays[n]).double() for n in read}
    values[start] = torch.from_numpy(_GRID).reshape(-1, 1)
    try:
        for step in steps:
            inputs = [values[n] if n else None for n in step.inputs]
            outs = run_step(step, inputs, torch.float64)
            values.update(zip(step.outputs, outs, strict=False))
    except (RuntimeError, KeyError, ValueError, IndexError):
        return None
    return _like(values[end])


def _like(values: Tensor) -> tuple[str, dict[str, Any]] | None:
    if values.shape != (len(_GRID), 1):
        return None
    at_minus_one = float(values[list(_GRID).index(-1.0)])
    for name, guesses in _GUESSES.items():
        for params in guesses(at_minus_one):
            module = ACTIVATIONS[name].module(**params).double()
            with torch.no_grad():
                ours = module(torch.from_numpy(_GRID).reshape(-1, 1))
            size = ours.abs().clamp(min=1.0)
            if float(((ours - values).abs() / size).max()) < _CLOSE:
                return name, params
    return None


# The parameters that an activation has where it gives this at -1.
_GUESSES: dict[str, Callable[[float], list[dict[str, Any]]]] = {
    "identity": lambda y: [{}],
    "relu": lambda y: [{}],
    "sigmoid": lambda y: [{}],
    "tanh": lambda y: [{}],
    "silu": lambda y: [{}],
    "gelu": lambda y: [{"approximate": "none"}, {"approximate": "tanh"}],
    "selu": lambda y: [{}],
    "mish": lambda y: [{}],
    "leaky_relu": lambda y: [{"negative_slope": round(-y, 7)}] if y <= 0 else [],
    "elu": lambda y: [{"alpha": round(y / np.expm1(-1), 6)}] if y < 0 else [],
}


def _assembled(layers: Sequence[_Layer]) -> Chain | None:
    """The layers as one MLP; None where its hidden layers are not all of one kind."""
    *hidden, last = layers
    activations = [layer.activation for layer in hidden]
    norms = {layer.norm for layer in hidden}
    if len(norms) > 1 or any(a != activations[0] for a in activations):
        return None
    name, params = (activations[0] if hidden else None) or ("relu", {})
    values = dict[str, np.ndarray]()
    for i, layer in enumerate(hidden):
        values.update(_of_hidden(f"hidden.{i}.layers.", layer))
    values.update({"output.weight": last.weight, "output.bias": last.bias})
    arguments = {
        "hidden_layer_sizes": [len(layer.weight) for layer in hidden],
        "activation": name,
        "activation_params": params or None,
        "normalization": norms.pop() if norms else None,
        "dropout": 0.0,
        "residual": False,
    }
    return Chain(arguments, values, layers[0].weight.shape[1], len(last.weight))


def _of_hidden(place: str, layer: _Layer) -> dict[str, np.ndarray]:
    values = {f"{place}0.weight": layer.weight, f"{place}0.bias": layer.bias}
    for name, array in (layer.norm_values or {}).items():
        values[f"{place}1.{name}"] = array
    if layer.norm == "batch":
        values[f"{place}1.num_batches_tracked"] = np.array(0, np.int64)
    if layer.slope is not None:
        values[f"{place}{2 if layer.norm else 1}.weight"] = layer.slope
    return values
