"""ONNX rules of networks for tables.

The networks of an ensemble are written as one, with an axis of networks in front, and the
first layer takes each kind of column by itself: columns (n, d) to units (K, n, h).
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sklearn_deep.export.graph._graph import INT, Graph, Value
from sklearn_deep.export.layers._feed_forward import (
    LAYERS,
    SEVERAL_AXES,
    emit,
    softplus,
)
from sklearn_deep.nn._columns import (
    CYCLE,
    Columns,
    NumericEmbedding,
    PeriodicEmbedding,
    PiecewiseLinearEmbedding,
)
from sklearn_deep.nn._mlp import MLP, Block
from sklearn_deep.nn._tabular import Average, Ensemble, SideBySide, TabularNetwork


def _exact(tensor: Tensor) -> Tensor:
    """A tensor in which products lose no digits of the network's own."""
    return tensor.detach().double().cpu()


def _constant(graph: Graph, tensors: Sequence[Tensor], x: Value) -> Value:
    """Values of several networks, stacked, in the dtype of ``x``."""
    return graph.constant(torch.stack(list(tensors)).detach().cpu().numpy(), x.dtype)


def _cut(graph: Graph, x: Value, start: int, stop: int) -> Value:
    """Columns of (n, d)."""
    places = [graph.constant(np.array([i], np.int64)) for i in (start, stop, 1)]
    return graph.node("Slice", x, *places)


def _cosines(graph: Graph, layers: Sequence[PeriodicEmbedding], x: Value) -> Value:
    """Features (K, d, n_features, n) of numbers (d, 1, n).

    As sines: older versions of onnxruntime have no cosine of float64.
    """
    frequency = [(_exact(layer.frequency) * CYCLE).unsqueeze(-1) for layer in layers]
    phase = [((_exact(layer.phase) + 0.25) * CYCLE).unsqueeze(-1) for layer in layers]
    angles = graph.node("Mul", x, _constant(graph, frequency, x))
    return graph.node("Sin", graph.node("Add", angles, _constant(graph, phase, x)))


def _shares(
    graph: Graph, layers: Sequence[PiecewiseLinearEmbedding], x: Value
) -> Value:
    """Features (K, d, n_features, n) of numbers (d, 1, n)."""
    start = _constant(graph, [layer.start.unsqueeze(-1) for layer in layers], x)
    scale = _constant(graph, [layer.scale.unsqueeze(-1) for layer in layers], x)
    share = graph.node("Mul", graph.node("Sub", x, start), scale)
    n_bins = layers[0].start.shape[1]
    lowest, highest = np.zeros((n_bins, 1)), np.ones((n_bins, 1))
    lowest[0], highest[-1] = -np.inf, np.inf
    return graph.math("Min", graph.math("Max", share, lowest), highest)


FEATURES: dict[type[NumericEmbedding], Callable[..., Value]] = {
    PeriodicEmbedding: _cosines,
    PiecewiseLinearEmbedding: _shares,
}


def _learnt(graph: Graph, layers: Sequence[NumericEmbedding], x: Value) -> Value:
    """What embeddings learn of numbers (n, d): (K, n, d * (width - 1))."""
    n_columns, n_learnt, _ = layers[0].weight.shape
    # Products with the few units of a column are faster with rows as the last axis.
    columns = graph.node("Transpose", x, perm=[1, 0])
    numbers = graph.node("Unsqueeze", columns, graph.constant(np.array([1], np.int64)))
    features = FEATURES[type(layers[0])](graph, layers, numbers)
    own = graph.node(
        "MatMul", _constant(graph, [layer.weight for layer in layers], x), features
    )
    biases = _constant(graph, [layer.bias.unsqueeze(-1) for layer in layers], x)
    own = graph.node("Transpose", graph.node("Add", own, biases), perm=[0, 3, 1, 2])
    return graph.reshape(own, (0, 0, n_columns * n_learnt))


def _first_layer(
    graph: Graph,
    columns: Sequence[Columns],
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    x: Value,
) -> Value:
    """Embed rows (n, d) and apply a linear layer: (K, n, h).

    Parameters
    ----------
    columns : sequence of Columns
        One per network.
    weights, biases : sequence of Tensor
        Of shapes (h, width) and (h,).
    """
    n_numeric, n_plain, n_codes = columns[0].sizes
    direct, learnt, looked_up = zip(
        *(_parts(own, w) for own, w in zip(columns, weights, strict=True)),
        strict=True,
    )
    terms = []
    if n_numeric + n_plain:
        taken = _cut(graph, x, 0, n_numeric + n_plain)
        terms.append(graph.node("MatMul", taken, _constant(graph, direct, x)))
    numeric = [own.numeric for own in columns if own.numeric is not None]
    if numeric:
        own = _learnt(graph, numeric, _cut(graph, x, 0, n_numeric))
        terms.append(graph.node("MatMul", own, _constant(graph, learnt, x)))
    categories = [own.categories for own in columns if own.categories is not None]
    if categories:
        codes = _cut(graph, x, n_numeric + n_plain, n_numeric + n_plain + n_codes)
        rows = graph.math("Add", graph.cast(codes, INT), categories[0].first.numpy())
        table = _constant(graph, [layer.weight for layer in categories], x)
        vectors = graph.node("Gather", table, rows, axis=1)  # (K, n, columns, values)
        vectors = graph.reshape(vectors, (0, 0, categories[0].width))
        terms.append(graph.node("MatMul", vectors, _constant(graph, looked_up, x)))
    out = _constant(graph, [bias.unsqueeze(0) for bias in biases], x)
    for term in terms:
        out = graph.node("Add", term, out)
    return out


def _parts(columns: Columns, weight: Tensor) -> Sequence[Tensor]:
    """Transposed weights of columns as they are, of embedded numbers, and of categories."""
    n_numeric, n_plain, _ = columns.sizes
    n_learnt = 0 if columns.numeric is None else columns.numeric.width - n_numeric
    n_looked_up = 0 if columns.categories is None else columns.categories.width
    sizes = [n_numeric, n_learnt, n_plain, n_looked_up]
    numbers, learnt, plain, looked_up = weight.mT.split(sizes)
    return torch.cat([numbers, plain]), learnt, looked_up


def _columns(graph: Graph, module: Columns, x: Value) -> Value:
    """Write embeddings alone: before a linear layer that changes nothing."""
    weight = torch.eye(module.width)
    out = _first_layer(graph, [module], [weight], [torch.zeros(module.width)], x)
    return graph.reshape(out, (-1, module.width))


def _tabular(graph: Graph, module: TabularNetwork, x: Value) -> Value:
    return LAYERS[MLP](graph, module, emit(graph, module.columns, x))


def _ensemble(graph: Graph, module: Ensemble, x: Value) -> Value:
    networks: list[Any] = list(module.networks)
    if _alike(networks):
        raw = _together(graph, networks, x)
    else:
        each = [emit(graph, network, x) for network in networks]
        n_outputs = networks[0].output.out_features
        raw = graph.concat([graph.reshape(y, (1, -1, n_outputs)) for y in each], 0)
    return AVERAGES[module.kind](graph, raw)


def _side_by_side(graph: Graph, module: SideBySide, x: Value) -> Value:
    """Write the parts one by one, and put their outputs (n, h) side by side."""
    axis = graph.constant(np.array([1], np.int64))
    outputs = [
        emit(graph, part, x if module.first else graph.column(x, k))
        for k, part in enumerate(module.parts)
    ]
    return graph.concat([graph.node("Unsqueeze", out, axis) for out in outputs])


def _average(graph: Graph, module: Average, x: Value) -> Value:
    raw = graph.node("Transpose", x, perm=[1, 0, 2])
    return AVERAGES[module.kind](graph, raw)


def _alike(networks: Sequence[Any]) -> bool:
    """Tell whether networks differ in the values of linear layers alone."""
    shapes = {tuple(p.shape for p in network.parameters()) for network in networks}
    return len(shapes) == 1 and all(map(_is_plain, networks[0].hidden))


def _is_plain(block: Block) -> bool:
    linear, *others = block.layers
    has_values = any(True for layer in others for _ in layer.parameters())
    return type(linear) is nn.Linear and not has_values and block.shortcut is None


def _together(graph: Graph, networks: Sequence[Any], x: Value) -> Value:
    """Write networks of one architecture as one: rows (n, d) to raw outputs (K, n, m)."""
    before, graph.memo[SEVERAL_AXES] = graph.memo.get(SEVERAL_AXES), True
    linear = [[*(b.layers[0] for b in net.hidden), net.output] for net in networks]
    after = [*(block.layers[1:] for block in networks[0].hidden), []]
    for i, (layers, others) in enumerate(
        zip(zip(*linear, strict=True), after, strict=True)
    ):
        weights, biases = [m.weight for m in layers], [m.bias for m in layers]
        if i == 0:
            columns = [network.columns for network in networks]
            x = _first_layer(graph, columns, weights, biases, x)
        else:
            product = graph.node(
                "MatMul", x, _constant(graph, [w.mT for w in weights], x)
            )
            x = graph.node(
                "Add", product, _constant(graph, [b[None] for b in biases], x)
            )
        for layer in others:
            x = emit(graph, layer, x)
    graph.memo[SEVERAL_AXES] = before
    return x


def _mean_of_softmax(graph: Graph, raw: Value) -> Value:
    log_p = graph.node("LogSoftmax", raw, axis=-1)
    return graph.log_sum_exp(log_p, [0])


def _mean_of_sigmoid(graph: Graph, raw: Value) -> Value:
    missed = softplus(graph, graph.node("Neg", raw))  # -log(p)
    false = softplus(graph, raw)  # -log(1 - p)
    logs = [graph.log_sum_exp(graph.node("Neg", each), [0]) for each in (missed, false)]
    return graph.node("Sub", *logs)


# The average of raw outputs (K, n, m), by kind, as in ``nn``.
AVERAGES: dict[str, Callable[[Graph, Value], Value]] = {
    "softmax": _mean_of_softmax,
    "sigmoid": _mean_of_sigmoid,
    "real": lambda graph, raw: graph.mean(raw, [0]),
}

LAYERS[Columns] = _columns
LAYERS[TabularNetwork] = _tabular
LAYERS[Ensemble] = _ensemble
LAYERS[SideBySide] = _side_by_side
LAYERS[Average] = _average
