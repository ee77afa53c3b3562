"""Missing values in columns that have none in the rows of an export.

Where the estimator takes such a value and the file would predict otherwise, the file
refuses it: that is no reason to refuse the file.
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
    """Columns of the fitted model that have no missing value in X, but may have one."""
    if len(X.shape) != 2:
        return []
    return [
        place
        for j, place in _places(model, X)
        if _column(X, j).dtype.kind in "fUO" and not _where_missing(X, j).any()
    ]


def without_missing(model: Any, blocks: Sequence[Any], columns: Sequence[int]) -> list:
    """Rows of some blocks that have no missing value in these columns."""
    if not columns:
        return list(blocks)
    return [part for block in blocks if len(part := _kept(model, block, columns))]


def _kept(model: Any, rows: Any, columns: Sequence[int]) -> Any:
    gone = np.zeros(len(rows), bool)
    for j, place in _places(model, rows):
        if place in columns:
            gone |= _where_missing(rows, j)
    if not gone.any():
        return rows
    kept = np.flatnonzero(~gone)
    return rows.iloc[kept] if hasattr(rows, "iloc") else rows[kept]


def _places(model: Any, X: Any) -> list[tuple[int, int]]:
    """Columns of X, and which columns of the fitted model they are."""
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
    """Refuse rows with a missing value in some columns of the model's inputs."""
    for column in columns:
        value = table.select(graph, [column]).blocks[0][0]
        if value.dtype in (FLOAT, DOUBLE, STRING):
            refuse_where(graph, where_equal(graph, value, None), (1,))
