"""Rules of autoencoders."""

from sklearn_deep.estimators._reconstructor import DeepReconstructor
from sklearn_deep.export._graph import Graph
from sklearn_deep.export._layers import emit_network
from sklearn_deep.export._networks import compute_dtype
from sklearn_deep.export._rules import rule
from sklearn_deep.export._table import Table


@rule("transform", DeepReconstructor)
def _encode(graph: Graph, model: DeepReconstructor, table: Table) -> Table:
    """Codes, (n, code_size)."""
    x = table.matrix(graph, compute_dtype(graph, model, table))
    code = emit_network(graph, model._half("encoder"), x, table.width)
    return Table.of(code, model._n_features_out)


@rule("inverse_transform", DeepReconstructor)
def _decode(graph: Graph, model: DeepReconstructor, table: Table) -> Table:
    """Rows in the units of X, (n, n_features)."""
    code = table.matrix(graph, compute_dtype(graph, model, table))
    raw = emit_network(graph, model._half("decoder"), code, table.width)
    rows = graph.math("Mul", raw, model._targets.scale)
    return Table.of(
        graph.math("Add", rows, model._targets.center), model.n_features_in_
    )
