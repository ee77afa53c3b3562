"""Missing values in columns without any in the rows passed to ``to_onnx``.

If the estimator accepts such a value, but the file would predict something else, the export
does not fail: the file refuses rows with such a value.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sklearn_deep.data._missing import is_missing
from sklearn_deep.export.graph._graph import DOUBLE, FLOAT, STRING, Graph
from sklearn_deep.export.graph._refusals import refuse_where
from sklearn_deep.export.graph._table import Table
from sklearn_deep.export.inputs._declared import column_values, is_frame
from sklearn_deep.export.sklearn._imputers import where_equal


def unseen_missing(model: Any, X: Any) -> list[int]:
    """Columns of the fitted model that can be missing, but are not in any row of X."""
    if len(X.shape) != 2:
        return []
    return [
        index
        for j, index in _indices(model, X)
        if _column(X, j).dtype.kind in "fUO" and not _where_missing(X, j).any()
    ]


def without_missing(model: Any, blocks: Sequence[Any], columns: Sequence[int]) -> list:
    """Drop the rows with a missing value in some columns from blocks of rows."""
    if not columns:
        return list(blocks)
    return [
        part
        for block in blocks
        if len(part := _rows_without_missing(model, block, columns))
    ]


def _rows_without_missing(model: Any, rows: Any, columns: Sequence[int]) -> Any:
    dropped = np.zeros(len(rows), bool)
    for j, index in _indices(model, rows):
        if index in columns:
            dropped |= _where_missing(rows, j)
    if not dropped.any():
        return rows
    kept = np.flatnonzero(~dropped)
    return rows.iloc[kept] if hasattr(rows, "iloc") else rows[kept]


def _indices(model: Any, X: Any) -> list[tuple[int, int]]:
    """Pairs of a column index in X and its index in the fitted model."""
    names = list(getattr(model, "feature_names_in_", ()))
    if not (names and is_frame(X)):
        return [(j, j) for j in range(X.shape[1])]
    return [(j, names.index(name)) for j, name in enumerate(X.columns) if name in names]


def _column(X: Any, j: int) -> np.ndarray:
    return column_values(X, j) if is_frame(X) else X[:, j]


def _where_missing(X: Any, j: int) -> np.ndarray:
    values = _column(X, j)
    if values.dtype.kind == "f":
        return np.isnan(values)
    if values.dtype.kind != "O":
        return np.zeros(len(values), bool)
    return np.array([is_missing(value) for value in values], bool)


def refuse_missing(graph: Graph, table: Table, columns: Sequence[int]) -> None:
    """Refuse rows with a missing value in some columns of the model's input."""
    for column in columns:
        value = table.select(graph, [column]).blocks[0][0]
        if value.dtype in (FLOAT, DOUBLE, STRING):
            refuse_where(graph, where_equal(graph, value, None), (1,))
