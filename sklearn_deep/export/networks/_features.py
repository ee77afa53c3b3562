"""Rule of ``NetworkFeatures``, the outputs of a hidden layer."""

from sklearn_deep.export.graph._graph import Graph
from sklearn_deep.export.graph._limits import skip_probing
from sklearn_deep.export.graph._registry import rule
from sklearn_deep.export.graph._table import Table
from sklearn_deep.export.networks._networks import network_outputs
from sklearn_deep.transfer._features import NetworkFeatures, up_to_layer

skip_probing(NetworkFeatures)


@rule("transform", NetworkFeatures)
def _features(graph: Graph, model: NetworkFeatures, table: Table) -> Table:
    """Compute the outputs of the layer, (n, n_features_new)."""
    out = network_outputs(graph, model.estimator_, up_to_layer(model), table)
    return Table.of(out, len(model.get_feature_names_out()))
