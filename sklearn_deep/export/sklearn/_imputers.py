"""Rules of imputers, and the detection of missing values in a graph."""

from typing import Any

import numpy as np
from sklearn.impute import MissingIndicator, SimpleImputer

from sklearn_deep.data._missing import is_missing
from sklearn_deep.exceptions import OnnxExportError
from sklearn_deep.export.graph._graph import (
    BOOL,
    DOUBLE,
    FLOAT,
    INT,
    STRING,
    Graph,
    Value,
    real,
)
from sklearn_deep.export.graph._limits import refuse_floats, skip_probing
from sklearn_deep.export.graph._refusals import refuse_where
from sklearn_deep.export.graph._registry import apply, rule
from sklearn_deep.export.graph._table import Table
from sklearn_deep.export.inputs._placeholder import placeholder_of


def where_equal(graph: Graph, column: Value, wanted: Any) -> Value:
    """Compute a mask of the elements equal to ``wanted``, or missing if it is missing."""
    if column.dtype == STRING:
        text = placeholder_of(graph) if is_missing(wanted) else str(wanted)
        found = graph.ml_node(
            "LabelEncoder",
            column,
            dtype=INT,
            keys_strings=[text],
            values_int64s=[1],
            default_int64=0,
        )
        return graph.cast(found, BOOL)
    if not is_missing(wanted):
        return graph.compare("Equal", column, np.asarray(wanted))
    if column.dtype in (FLOAT, DOUBLE):
        return graph.node("IsNaN", column, dtype=BOOL)
    return graph.compare("Less", graph.cast(column, INT), np.int64(-(2**63)))


@rule("transform", SimpleImputer)
def _impute(graph: Graph, model: SimpleImputer, table: Table) -> Table:
    texts = table.dtype == STRING
    # Means and medians convert integers to floats; the other statistics do not.
    averages = model.strategy in ("mean", "median")
    dtype = real(table.dtype) if averages or not texts else STRING
    if not averages and table.dtype == INT:
        dtype = INT
    x = table.matrix(graph, STRING if texts else dtype)
    columns = Table.of(x, table.width).columns(graph)
    filled = []
    for column, statistic in zip(columns, model.statistics_, strict=True):
        if is_missing(statistic):
            continue  # columns without any value are dropped
        fill = graph.constant(np.array([[statistic]]), column.dtype)
        absent = where_equal(graph, column, model.missing_values)
        filled.append(graph.node("Where", absent, fill, column, dtype=column.dtype))
    parts = [Table.of(graph.concat(filled), len(filled))] if filled else []
    if model.add_indicator:
        parts.append(apply(graph, model.indicator_, "transform", table))
    if texts and len(parts) > 1:
        raise OnnxExportError(
            "SimpleImputer(add_indicator=True) makes one array of strings and"
            " numbers, which has no ONNX form. Use a separate MissingIndicator in the"
            " ColumnTransformer."
        )
    out = Table.join(parts)
    return Table.of(out.matrix(graph), out.width)


skip_probing(MissingIndicator)


@rule("transform", MissingIndicator)
def _indicate(graph: Graph, model: MissingIndicator, table: Table) -> Table:
    indices = [int(j) for j in model.features_]
    refuse_floats(graph, table, nan=not is_missing(model.missing_values))
    if model.features == "missing-only" and model.error_on_new:
        _refuse_new(graph, model, table)
    if not indices:  # no value was missing in the fit
        return Table(())
    columns = table.select(graph, indices).columns(graph)
    marks = [where_equal(graph, column, model.missing_values) for column in columns]
    return Table.of(graph.concat(marks), len(marks))


def _refuse_new(graph: Graph, model: MissingIndicator, table: Table) -> None:
    """Refuse missing values in columns that had none in the fit."""
    others = [j for j in range(table.width) if j not in set(model.features_)]
    for column in table.select(graph, others).columns(graph):
        if column.dtype in (FLOAT, DOUBLE, STRING):
            refuse_where(graph, where_equal(graph, column, model.missing_values), (1,))
