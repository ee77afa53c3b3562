"""Table of importance measures of connections."""

from collections.abc import Callable

import torch
from torch import Tensor

from sklearn_deep.compression._network import rows_of
from sklearn_deep.estimators.core._base import DeepEstimator
from sklearn_deep.estimators.core._fit import copy_module
from sklearn_deep.estimators.core._fitted import fitted_of
from sklearn_deep.estimators.core._parts import FitArguments
from sklearn_deep.nn._connections import connections
from sklearn_deep.training.job._seeds import generator

Named = dict[str, Tensor]

# Rows per gradient, and rows in total.
_ROWS, _MOST_ROWS = 32, 8192


def _magnitude(network: DeepEstimator, given: FitArguments) -> Named:
    return {name: w.abs() for name, w in connections(network.module_).items()}


def _random(network: DeepEstimator, given: FitArguments) -> Named:
    # The same seed at every level, so that what was pruned once stays pruned.
    source = generator(fitted_of(network).seed, "pruning")
    return {
        name: torch.rand(w.shape, generator=source).to(w)
        for name, w in connections(network.module_).items()
    }


def _lamp(network: DeepEstimator, given: FitArguments) -> Named:
    """Square of a weight, divided by the sum of the no smaller squares in its layer."""
    importance = {}
    for name, w in connections(network.module_).items():
        squares = w.double().square().flatten()
        order = squares.argsort(descending=True, stable=True)
        no_smaller = torch.empty_like(squares)
        no_smaller[order] = squares[order].cumsum(0)
        tiny = torch.finfo(squares.dtype).tiny
        importance[name] = (squares / no_smaller.clamp_min(tiny)).view_as(w)
    return importance


def _gradient(network: DeepEstimator, given: FitArguments) -> Named:
    """First-order change of the loss if a connection is removed, over small batches.

    Over all rows at once, the gradients of a trained network cancel out.
    """
    module = copy_module(network)
    loss = fitted_of(network).loss
    weights = connections(module)
    totals = {name: torch.zeros_like(w) for name, w in weights.items()}
    rows = rows_of(network, given)
    source = generator(fitted_of(network).seed, "pruning")
    order = torch.randperm(len(rows), generator=source)[:_MOST_ROWS]
    for places in order.to(rows.device).split(_ROWS):
        batch = rows.take(places)
        module.zero_grad()
        values = loss.rows(module(batch.x), batch.y)
        if batch.weight is not None:
            values = values * batch.weight
        values.sum().backward()
        for name, total in totals.items():
            slope = module.get_parameter(name).grad
            if slope is not None:  # a layer that the module does not use has none
                total += (slope * weights[name]).abs()
    return totals


IMPORTANCES: dict[str, Callable[[DeepEstimator, FitArguments], Named]] = {
    "lamp": _lamp,
    "magnitude": _magnitude,
    "gradient": _gradient,
    "random": _random,
}
