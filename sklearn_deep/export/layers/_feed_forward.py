"""The table of layers: one ONNX rule per class of torch module.

A rule takes the graph, the module in evaluation mode and the input value, and returns
the output value. Constants have the dtype of the input. Some operators have no float64
kernel in onnxruntime; in float64 they are composed of others.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from sklearn_deep.exceptions import OnnxExportError
from sklearn_deep.export.graph._graph import FLOAT, INT, Graph, Value
from sklearn_deep.export.layers._torch_export import export_module
from sklearn_deep.nn._dropout import AlphaDropout, Dropout
from sklearn_deep.nn._hooks import forward_hooks
from sklearn_deep.nn._mlp import MLP, BatchNorm, Block, Output

LayerRule = Callable[[Graph, Any, Value], Value]

# Keys of a graph's memo: whether the input of a layer may have more than two axes; and the
# lengths of sequences, (n,), None if all are equal.
SEVERAL_AXES, LENGTHS = "several axes", "lengths"

# Layers whose outputs have more axes than their inputs.
_ADDS_AXES = (nn.Unflatten, nn.Embedding)
# Layers that onnxruntime computes in float32 only.
FLOAT32_LAYERS: set[type[nn.Module]] = set()
# Conditions on a layer's settings for its rule to apply.
CONDITIONS: dict[type[nn.Module], Callable[[Any], bool]] = {
    nn.Flatten: lambda m: m.start_dim >= 0 and m.end_dim == -1,
}


class NoRule(LookupError):
    """A module has no rule; the argument is the name of its class."""


def emit_network(
    graph: Graph,
    network: nn.Module,
    x: Value,
    row_shape: Sequence[Any],
    lengths: Value | None = None,
) -> Value:
    """Write a network by the rules, or else with ``torch.onnx.export``.

    Raises
    ------
    OnnxExportError
        For a layer that neither supports.
    """
    adds_axes = any(isinstance(m, _ADDS_AXES) for m in network.modules())
    graph.memo[SEVERAL_AXES] = len(row_shape) > 1 or adds_axes
    graph.memo[LENGTHS] = lengths
    start = graph.checkpoint()
    try:
        return emit(graph, network, x)
    except NoRule as error:
        unknown = str(error)
    graph.rollback(start)
    if lengths is not None:
        raise OnnxExportError(
            f"{unknown} has no ONNX form for series of unequal length."
        )
    return export_module(graph, network, x, row_shape, unknown)


def emit(graph: Graph, module: nn.Module, x: Value) -> Value:
    """Write a module by its rule.

    Raises
    ------
    NoRule
        If it has none.
    """
    found = _rule_of(module)
    if found is None:
        raise NoRule(type(module).__name__)
    out = found(graph, module, x)
    graph.memo[id(module)] = out, graph.checkpoint()
    return out


def emit_stages(graph: Graph, module: Any, x: Value) -> Value:
    """Write the ``stages`` of a network one after the other."""
    for _, stage in module.stages():
        x = emit(graph, stage, x)
    return x


def has_float32_layers(network: nn.Module) -> bool:
    """Tell whether a network has layers that onnxruntime computes in float32 only."""
    kinds = tuple(FLOAT32_LAYERS)
    return any(isinstance(layer, kinds) for layer in network.modules())


def _rule_of(module: nn.Module) -> LayerRule | None:
    """Look up the rule of a module; None if it has hooks or its own ``forward``."""
    if any(forward_hooks(module)):
        return None
    for cls in type(module).__mro__:
        if cls in LAYERS:
            same = type(module).forward is cls.forward
            fits = cls not in CONDITIONS or CONDITIONS[cls](module)
            return LAYERS[cls] if same and fits else None
    return None


def _constant(graph: Graph, tensor: Any, x: Value) -> Value:
    return graph.constant(tensor.detach().cpu().numpy(), x.dtype)


def _identity(graph: Graph, module: nn.Module, x: Value) -> Value:
    return x


def _sequence(graph: Graph, module: nn.Sequential, x: Value) -> Value:
    for child in module:
        x = emit(graph, child, x)
    return x


def _flatten(graph: Graph, module: nn.Flatten, x: Value) -> Value:
    if module.start_dim == 0:
        raise OnnxExportError(
            "Flatten(0) has no ONNX form: it joins all rows to one. Set start_dim to 1 or"
            " more."
        )
    return graph.reshape(x, (*(0,) * module.start_dim, -1))


def _linear(graph: Graph, module: nn.Linear, x: Value) -> Value:
    bias = [] if module.bias is None else [_constant(graph, module.bias, x)]
    if not graph.memo.get(SEVERAL_AXES):
        return graph.node(
            "Gemm", x, _constant(graph, module.weight, x), *bias, transB=1
        )
    # Gemm needs 2-D inputs; onnxruntime fuses MatMul and Add to a Gemm if they are 2-D.
    out = graph.node("MatMul", x, _constant(graph, module.weight.T, x))
    return graph.node("Add", out, *bias) if bias else out


def _block(graph: Graph, module: Block, x: Value) -> Value:
    out = emit(graph, module.layers, x)
    if module.shortcut is None:
        return out
    return graph.node("Add", out, emit(graph, module.shortcut, x))


def _mlp(graph: Graph, module: MLP, x: Value) -> Value:
    return emit(graph, module.output, emit(graph, module.hidden, x))


def batch_norm(graph: Graph, module: Any, x: Value) -> Value:
    """Write a batch normalisation over the second axis."""
    mean, var = module.running_mean, module.running_var
    if mean is None or var is None:
        raise OnnxExportError(
            f"{type(module).__name__} with track_running_stats=False normalises by the rows"
            " of the batch, which has no ONNX form. Set track_running_stats=True."
        )
    ones = torch.ones_like(mean)
    weight = ones if module.weight is None else module.weight
    bias = 0 * ones if module.bias is None else module.bias
    numbers = [_constant(graph, t, x) for t in (weight, bias, mean, var)]
    return graph.node("BatchNormalization", x, *numbers, epsilon=module.eps)


def _layer_norm(graph: Graph, module: nn.LayerNorm, x: Value) -> Value:
    ones = torch.ones(module.normalized_shape)
    weight = ones if module.weight is None else module.weight
    operands = [_constant(graph, weight, x)]
    if module.bias is not None:
        operands.append(_constant(graph, module.bias, x))
    axis = -len(module.normalized_shape)
    return graph.node("LayerNormalization", x, *operands, axis=axis, epsilon=module.eps)


def _plain(op: str) -> LayerRule:
    return lambda graph, module, x: graph.node(op, x)


def _leaky_relu(graph: Graph, module: nn.LeakyReLU, x: Value) -> Value:
    if x.dtype == FLOAT:
        return graph.node("LeakyRelu", x, alpha=float(module.negative_slope))
    below = graph.math("Mul", graph.math("Min", x, 0.0), float(module.negative_slope))
    return graph.node("Add", graph.math("Max", x, 0.0), below)


def _prelu(graph: Graph, module: nn.PReLU, x: Value) -> Value:
    slope: torch.Tensor = module.weight
    shape = None
    if module.num_parameters > 1 and graph.memo.get(SEVERAL_AXES):
        shape = graph.node("Shape", x, dtype=INT)
        slope, x = slope[:, None], graph.reshape(x, (0, module.num_parameters, -1))
    out = _two_slopes(graph, x, _constant(graph, slope, x))
    return out if shape is None else graph.node("Reshape", out, shape)


def _two_slopes(graph: Graph, x: Value, slope: Value) -> Value:
    if x.dtype == FLOAT:
        return graph.node("PRelu", x, slope)
    below = graph.node("Mul", graph.math("Min", x, 0.0), slope)
    return graph.node("Add", graph.math("Max", x, 0.0), below)


def _elu(graph: Graph, module: nn.ELU, x: Value) -> Value:
    if x.dtype == FLOAT:
        return graph.node("Elu", x, alpha=float(module.alpha))
    return _elu_written_out(graph, x, module.alpha)


# Klambauer et al., arXiv:1706.02515.
_SELU_ALPHA, _SELU_GAMMA = 1.6732632423543772, 1.0507009873554805


def _selu(graph: Graph, module: nn.SELU, x: Value) -> Value:
    if x.dtype == FLOAT:
        return graph.node("Selu", x, alpha=_SELU_ALPHA, gamma=_SELU_GAMMA)
    return graph.math("Mul", _elu_written_out(graph, x, _SELU_ALPHA), _SELU_GAMMA)


def _elu_written_out(graph: Graph, x: Value, alpha: float) -> Value:
    below = graph.node("Exp", graph.math("Min", x, 0.0))  # Min keeps exp finite
    below = graph.math("Mul", graph.math("Sub", below, 1.0), alpha)
    return graph.node(
        "Where", graph.compare("Greater", x, 0.0), x, below, dtype=x.dtype
    )


def softplus(graph: Graph, x: Value) -> Value:
    """Write log(1 + exp(x)), finite for every x."""
    if x.dtype == FLOAT:
        return graph.node("Softplus", x)
    decay = graph.node("Exp", graph.node("Neg", graph.node("Abs", x)))
    rest = graph.node("Log", graph.math("Add", decay, 1.0))
    return graph.node("Add", graph.math("Max", x, 0.0), rest)


def _softplus_layer(graph: Graph, module: nn.Softplus, x: Value) -> Value:
    scaled = graph.math("Mul", x, float(module.beta))
    return graph.math("Div", softplus(graph, scaled), float(module.beta))


def _silu(graph: Graph, module: nn.SiLU, x: Value) -> Value:
    if x.dtype == FLOAT:
        return graph.node("Mul", x, graph.node("Sigmoid", x))
    # onnxruntime before 1.24 fuses x * Sigmoid(x) to an operator without float64 kernel.
    decay = graph.node("Exp", graph.node("Neg", x))
    return graph.node("Div", x, graph.math("Add", decay, 1.0))


def _mish(graph: Graph, module: nn.Mish, x: Value) -> Value:
    return graph.node("Mul", x, graph.node("Tanh", softplus(graph, x)))


def _gelu(graph: Graph, module: nn.GELU, x: Value) -> Value:
    if module.approximate == "tanh":
        cube = graph.node("Mul", x, graph.node("Mul", x, x))
        inner = graph.node("Add", x, graph.math("Mul", cube, 0.044715))
        inner = graph.math("Mul", inner, math.sqrt(2 / math.pi))
        share = graph.math("Add", graph.node("Tanh", inner), 1.0)
    else:
        # Erf has only a float32 kernel: its error is 6e-8 for outputs of size 1.
        inner = graph.cast(graph.math("Mul", x, math.sqrt(0.5)), FLOAT)
        erf = graph.cast(graph.node("Erf", inner), x.dtype)
        share = graph.math("Add", erf, 1.0)
    return graph.math("Mul", graph.node("Mul", x, share), 0.5)


LAYERS: dict[type[nn.Module], LayerRule] = {
    MLP: _mlp,
    Block: _block,
    Output: _linear,
    Dropout: _identity,
    AlphaDropout: _identity,
    BatchNorm: batch_norm,
    nn.Sequential: _sequence,
    nn.Flatten: _flatten,
    nn.Linear: _linear,
    nn.BatchNorm1d: batch_norm,
    nn.LayerNorm: _layer_norm,
    nn.Dropout: _identity,
    nn.AlphaDropout: _identity,
    nn.Identity: _identity,
    nn.ReLU: _plain("Relu"),
    nn.LeakyReLU: _leaky_relu,
    nn.ELU: _elu,
    nn.SELU: _selu,
    nn.GELU: _gelu,
    nn.SiLU: _silu,
    nn.Mish: _mish,
    nn.PReLU: _prelu,
    nn.Sigmoid: _plain("Sigmoid"),
    nn.Tanh: _plain("Tanh"),
    nn.Softplus: _softplus_layer,
}


def register_onnx_layer(module_class, rule):
    """Register an ONNX rule for a layer of your own.

    Networks whose layers all have a rule are written layer by layer. Others are exported
    by ``torch.onnx.export``, which is slower and does not support every operation.

    Parameters
    ----------
    module_class : type of torch.nn.Module
        The layer. The rule also applies to its subclasses, unless they define
        ``forward``.
    rule : callable ``(graph, module, x) -> value``
        Function that writes the layer in evaluation mode. ``graph.node(op, *values,
        **attributes)`` adds an ONNX operator, ``graph.constant(array, x.dtype)`` a
        constant, and ``graph.math(op, value, number)`` an operation with a number.

    Examples
    --------
    >>> from torch import nn
    >>> from sklearn_deep import register_onnx_layer
    >>> class Square(nn.Module):
    ...     def forward(self, x):
    ...         return x * x
    >>> register_onnx_layer(Square, lambda graph, module, x: graph.node("Mul", x, x))
    """
    if not (isinstance(module_class, type) and issubclass(module_class, nn.Module)):
        raise TypeError(
            f"module_class must be a class of torch.nn.Module; got {module_class!r}."
        )
    if not callable(rule):
        raise TypeError(f"rule must be callable; got {rule!r}.")
    LAYERS[module_class] = rule
