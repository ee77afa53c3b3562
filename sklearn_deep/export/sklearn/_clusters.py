"""Rules of clusterers: distances to the centres, and the label of the nearest one."""

from typing import Any

import numpy as np
from sklearn.cluster import Birch, BisectingKMeans, KMeans, MiniBatchKMeans

from sklearn_deep.export.graph._graph import DOUBLE, INT, Graph, Value, real
from sklearn_deep.export.graph._registry import apply, rule
from sklearn_deep.export.graph._table import Table


@rule("transform", KMeans, MiniBatchKMeans, BisectingKMeans)
def _distances(graph: Graph, model: Any, table: Table) -> Table:
    return _distances_from(graph, model.cluster_centers_, table)


@rule("transform", Birch)
def _distances_of_subclusters(graph: Graph, model: Birch, table: Table) -> Table:
    return _distances_from(graph, model.subcluster_centers_, table)


def _distances_from(graph: Graph, centers: np.ndarray, table: Table) -> Table:
    x = table.matrix(graph, DOUBLE)
    columns = []
    for center in np.asarray(centers, float):
        gap = graph.math("Sub", x, center[None])
        square = graph.sum(graph.node("Mul", gap, gap), 1, keepdims=True)
        columns.append(graph.node("Sqrt", square))
    out = graph.cast(graph.concat(columns), real(table.dtype))
    return Table.of(out, len(columns))


# BisectingKMeans has no rule for predict: it descends a tree of clusters, which does not
# always lead to the nearest centre.


@rule("predict", KMeans, MiniBatchKMeans)
def _nearest(graph: Graph, model: Any, table: Table) -> Value:
    distances = apply(graph, model, "transform", table).matrix(graph)
    return graph.node("ArgMin", distances, dtype=INT, axis=1, keepdims=0)


@rule("predict", Birch)
def _label_of_nearest(graph: Graph, model: Birch, table: Table) -> Value:
    labels = graph.constant(np.asarray(model.subcluster_labels_, np.int64))
    return graph.gather(labels, _nearest(graph, model, table))
