"""Rule of the transformer that gives a network's features."""

from sklearn_deep.export._graph import Graph
from sklearn_deep.export._layers import emit_network
from sklearn_deep.export._networks import compute_dtype
from sklearn_deep.export._rules import rule
from sklearn_deep.export._table import Table
from sklearn_deep.transfer._features import NetworkFeatures


@rule("transform", NetworkFeatures)
def _features(graph: Graph, model: NetworkFeatures, table: Table) -> Table:
    """Outputs of the layer, (n, n_features_new)."""
    dtype = compute_dtype(graph, model.estimator_, table)
    x = table.matrix(graph, dtype)
    out = emit_network(graph, model._part(), x, table.width)
    return Table.of(out, model._n_features_out)
