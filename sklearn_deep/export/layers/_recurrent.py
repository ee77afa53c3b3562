"""Rules of recurrent layers, their readouts, and embeddings.

Padded steps are ignored: the graph's memo contains the lengths of the rows while a network
is written. Rows without steps have states of zero, and their readouts are zero, even if
the whole batch has no step. onnxruntime has recurrent layers in float32 only.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from onnx import TensorProto
from torch import nn

from sklearn_deep.export.graph._graph import BOOL, FLOAT, INT, Graph, Value
from sklearn_deep.export.layers._feed_forward import (
    CONDITIONS,
    FLOAT32_LAYERS,
    LAYERS,
    LENGTHS,
    SEVERAL_AXES,
    emit,
    emit_stages,
)
from sklearn_deep.nn._rnn import (
    RNN,
    Arrive,
    Attention,
    Embed,
    Every,
    Last,
    Layer,
    Max,
    Mean,
)

# Keys of a graph's memo: shape (rows, steps) of the last network; last states of a layer.
BY_STEP = "rows and steps"
_STATES = "states"

_INT32 = np.dtype(np.int32)

# Attention score of padded steps: finite in float32, and 0 after the softmax.
_MASKED_SCORE = -1e38

# The operator, and the indices of torch's gates in ONNX's order.
_CELLS: dict[type[nn.RNNBase], tuple[str, list[int]]] = {
    nn.LSTM: ("LSTM", [0, 3, 1, 2]),
    nn.GRU: ("GRU", [1, 0, 2]),
    nn.RNN: ("RNN", [0]),
}


def _arrive(graph: Graph, module: Arrive, x: Value) -> Value:
    if module.tokens or graph.memo.get(LENGTHS) is not None:
        return x
    if not graph.memo.get(SEVERAL_AXES):
        return graph.reshape(x, (0, -1, 1))
    return graph.node("Transpose", x, perm=[0, 2, 1]) if module.channels_first else x


def _embedding(graph: Graph, module: nn.Embedding, x: Value) -> Value:
    dtype = np.dtype(graph.settings.get("dtype") or FLOAT)
    table = graph.constant(module.weight.detach().cpu().numpy(), dtype)
    return graph.gather(table, graph.cast(x, INT))


def _embed(graph: Graph, module: Embed, x: Value) -> Value:
    return emit(graph, module.table, x)


def _layer(graph: Graph, module: Layer, x: Value) -> Value:
    return emit(graph, module.cell, x)


def _recurrent(graph: Graph, module: nn.RNNBase, x: Value) -> Value:
    values = {name: p.detach().cpu().numpy() for name, p in module.named_parameters()}

    def weight(name: str) -> Value:
        return graph.constant(by_direction(module, values, name), FLOAT)

    return recurrent(graph, module, x, weight, values)


def recurrent(
    graph: Graph,
    module: nn.RNNBase,
    x: Value,
    weight: Callable[[str], Value],
    values: Mapping[str, np.ndarray],
) -> Value:
    """Write the outputs of all steps (n, time, width); the memo gets the last states.

    Parameters
    ----------
    graph : Graph
    module : torch.nn.RNNBase
        The layer that gives the kind of cell and its sizes.
    x : Value
    weight : callable
        Function of the prefix of a parameter name that writes the weights of all
        directions.
    values : mapping of str to ndarray
        Parameters by name; the biases are read.
    """
    op, _ = _CELLS[type(module)]
    lengths: Any = graph.memo.get(LENGTHS)
    known_lengths = lengths
    may_lack_steps = op == "RNN" and lengths is not None
    by_time = graph.node("Transpose", graph.cast(x, FLOAT), perm=[1, 0, 2])
    if may_lack_steps:
        by_time, known_lengths = _with_one_step(graph, by_time, lengths)
    operands = [by_time, *_weights(graph, module, weight, values)]
    if known_lengths is not None:
        to = TensorProto.INT32
        operands.append(graph.node("Cast", known_lengths, dtype=_INT32, to=to))
    steps, states = graph.node_of_two(
        op, *operands, dtypes=(FLOAT, FLOAT), **_attributes(op, module)
    )
    out, last = _by_row(graph, module, steps, states, x.dtype)
    if may_lack_steps:
        out = _zero_without_steps(graph, _without_last_step(graph, out), lengths, 3)
        last = _zero_without_steps(graph, last, lengths, 2)
    graph.memo[_STATES, out.name] = last
    return out


def _weights(
    graph: Graph,
    module: nn.RNNBase,
    weight: Callable[[str], Value],
    values: Mapping[str, np.ndarray],
) -> list[Value]:
    """Operands of the weights, and of the biases of inputs and states side by side."""
    biases = [by_direction(module, values, name) for name in ("bias_ih", "bias_hh")]
    joint = graph.constant(np.concatenate(biases, 1), FLOAT)
    return [weight("weight_ih"), weight("weight_hh"), joint]


def _attributes(op: str, module: nn.RNNBase) -> dict[str, Any]:
    """Attributes of the operator of a kind of cell."""
    attributes: dict[str, Any] = {
        "hidden_size": module.hidden_size,
        "direction": "bidirectional" if module.bidirectional else "forward",
    }
    if op == "GRU":
        attributes["linear_before_reset"] = 1
    if op == "RNN":
        activation = str(module.nonlinearity).capitalize()
        attributes["activations"] = [activation] * (1 + module.bidirectional)
    return attributes


def _by_row(
    graph: Graph, module: nn.RNNBase, steps: Value, states: Value, dtype: np.dtype
) -> tuple[Value, Value]:
    """Outputs of steps as (n, time, width), and last states as (n, width), in the dtype.

    The operator gives (time, directions, n, units) and (directions, n, units).
    """
    width = (1 + module.bidirectional) * module.hidden_size
    by_row = graph.node("Transpose", steps, perm=[2, 0, 1, 3])
    out = graph.cast(graph.reshape(by_row, (0, 0, width)), dtype)
    of_row = graph.node("Transpose", states, perm=[1, 0, 2])
    return out, graph.cast(graph.reshape(of_row, (0, -1)), dtype)


# The plain RNN of onnxruntime 1.23 crashes for rows without steps: such rows get one step
# of zeros, and their outputs are set to zero, as those of the other cells are.


def _with_one_step(graph: Graph, x: Value, lengths: Value) -> tuple[Value, Value]:
    """Append a step of zeros to (time, n, width), and make each length at least 1."""
    pads = graph.constant(np.array([0, 0, 0, 1, 0, 0]))
    return graph.node("Pad", x, pads), graph.math("Max", lengths, 1)


def _without_last_step(graph: Graph, x: Value) -> Value:
    start, stop, axis = (graph.constant(np.array([k])) for k in (0, -1, 1))
    return graph.node("Slice", x, start, stop, axis)


def _zero_without_steps(graph: Graph, x: Value, lengths: Value, n_axes: int) -> Value:
    some = graph.reshape(
        graph.compare("Greater", lengths, 0), (-1, *[1] * (n_axes - 1))
    )
    zero = graph.constant(np.array(0.0), x.dtype)
    return graph.node("Where", some, x, zero, dtype=x.dtype)


def by_direction(
    module: nn.RNNBase, values: Mapping[str, np.ndarray], name: str
) -> np.ndarray:
    """Stack a parameter by direction, (directions, gates, ...), with ONNX's gate order."""
    _, order = _CELLS[type(module)]
    endings = ["_l0", "_l0_reverse"][: 2 if module.bidirectional else 1]
    found = []
    for ending in endings:
        gates = values[name + ending]
        by_gate = gates.reshape(len(order), module.hidden_size, *gates.shape[1:])
        found.append(by_gate[order].reshape(gates.shape))
    return np.stack(found)


# Readouts, (n, time, width) -> (n, width)


def _mask(graph: Graph, x: Value, lengths: Value) -> Value:
    """Compute a mask of the steps without padding, (n, time)."""
    time = graph.column_of_shape(x, 1)
    zero, one = graph.constant(np.int64(0)), graph.constant(np.int64(1))
    indices = graph.node("Range", zero, time, one)
    return graph.node("Less", indices, graph.reshape(lengths, (-1, 1)), dtype=BOOL)


def _mask_padding(
    graph: Graph, x: Value, lengths: Value, n_axes: int, lowest: float
) -> Value:
    """Set padded steps to ``lowest``."""
    mask = _mask(graph, x, lengths)
    if n_axes == 3:
        mask = graph.reshape(mask, (0, 0, 1))
    below = graph.constant(np.array(lowest), x.dtype)
    return graph.node("Where", mask, x, below, dtype=x.dtype)


def _last(graph: Graph, module: Last, x: Value) -> Value:
    return graph.memo[_STATES, x.name]


def _mean(graph: Graph, module: Mean, x: Value) -> Value:
    lengths = graph.memo.get(LENGTHS)
    if lengths is None:
        return graph.mean(x, [1])
    lengths = graph.math("Max", lengths, 1)  # the sum over no step is zero
    n_steps = graph.cast(graph.reshape(lengths, (-1, 1)), x.dtype)
    return graph.node("Div", graph.sum(x, 1), n_steps)  # padding is zero


def _max(graph: Graph, module: Max, x: Value) -> Value:
    lengths = graph.memo.get(LENGTHS)
    if lengths is None:
        return graph.max(x, [1])
    # The last state belongs to a real step, or is zero for rows without steps.
    states = graph.reshape(graph.memo[_STATES, x.name], (0, 1, -1))
    steps = _mask_padding(graph, x, lengths, 3, -np.inf)
    return graph.max(graph.concat([steps, states]), [1])


def _attention(graph: Graph, module: Attention, x: Value) -> Value:
    score, lengths = module.score, graph.memo.get(LENGTHS)
    weight, bias = (p.detach().cpu().numpy() for p in (score.weight, score.bias))
    scores = graph.node("MatMul", x, graph.constant(weight.T, x.dtype))
    scores = graph.reshape(graph.math("Add", scores, bias), (0, -1))
    if lengths is not None:
        # Rows without steps get equal weights of padding, whose values are zero.
        scores = _mask_padding(graph, scores, lengths, 2, _MASKED_SCORE)
    weights = graph.reshape(graph.node("Softmax", scores, axis=1), (0, 1, -1))
    return graph.reshape(graph.node("MatMul", weights, x), (0, -1))


def _every(graph: Graph, module: Every, x: Value) -> Value:
    """Reshape to all steps of all rows, including padding, (n * time, width)."""
    graph.memo[BY_STEP] = graph.node("Shape", x, dtype=INT, start=0, end=2)
    width = 2 * module.forwards if module.both else module.forwards
    return graph.reshape(x, (-1, width))


def _plain(module: nn.RNNBase) -> bool:
    """Tell whether a layer has the settings that ``nn._rnn`` uses."""
    return (
        module.batch_first
        and module.bias
        and module.num_layers == 1
        and not module.proj_size
    )


FLOAT32_LAYERS.update(_CELLS)

CONDITIONS.update(dict.fromkeys(_CELLS, _plain))

LAYERS.update(
    {
        RNN: emit_stages,
        Arrive: _arrive,
        nn.Embedding: _embedding,
        Embed: _embed,
        Layer: _layer,
        nn.LSTM: _recurrent,
        nn.GRU: _recurrent,
        nn.RNN: _recurrent,
        Last: _last,
        Mean: _mean,
        Max: _max,
        Attention: _attention,
        Every: _every,
    }
)
