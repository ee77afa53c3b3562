"""Rules of autoencoders."""

from sklearn_deep.estimators.core._fitted import fitted_of
from sklearn_deep.estimators.tasks._reconstructor import DeepReconstructor
from sklearn_deep.export.graph._graph import Graph, Value
from sklearn_deep.export.graph._registry import rule
from sklearn_deep.export.graph._table import Table
from sklearn_deep.export.networks._networks import (
    finite_outputs,
    in_units,
    network_outputs,
)
from sklearn_deep.nn._stages import half_of


@rule("transform", DeepReconstructor)
def _encode(graph: Graph, model: DeepReconstructor, table: Table) -> Table:
    """Compute the codes, (n, code_size)."""
    code = network_outputs(graph, model, half_of(model.module_, "encoder"), table)
    return Table.of(code, fitted_of(model).architecture["code_size"])


@rule("inverse_transform", DeepReconstructor)
def _decode(graph: Graph, model: DeepReconstructor, table: Table) -> Table:
    """Reconstruct rows in the units of X, (n, n_features)."""
    raw = network_outputs(graph, model, half_of(model.module_, "decoder"), table)
    decoded = in_units(graph, fitted_of(model).targets, raw)
    width = model.n_features_in_
    return Table.of(finite_outputs(graph, model, decoded, width), width)


@rule("score_samples", DeepReconstructor)
def _score(graph: Graph, model: DeepReconstructor, table: Table) -> Value:
    """Compute the negative mean squared error of the reconstruction, (n,)."""
    raw = network_outputs(graph, model, model.module_, table)
    x, row_shape = table.rows(graph, raw.dtype)
    if len(row_shape) > 1:
        x = graph.reshape(x, (0, -1))
    decoded = finite_outputs(
        graph,
        model,
        in_units(graph, fitted_of(model).targets, raw),
        fitted_of(model).targets.n_outputs,
    )
    error = graph.node("Sub", decoded, x)
    return graph.node("Neg", graph.mean(graph.node("Mul", error, error), [1]))
