"""Rules of encoders: a lookup of each category's encoding.

The encodings come from the fitted encoder itself, which transforms each of its categories,
an unknown one and a missing one. So all its options are included, such as grouping of
infrequent categories and dropping.
"""

import warnings
from typing import Any

import numpy as np
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, TargetEncoder

from sklearn_deep.data._missing import is_missing
from sklearn_deep.exceptions import OnnxExportError
from sklearn_deep.export.graph._graph import DOUBLE, INT, STRING, Graph, Value
from sklearn_deep.export.graph._limits import refuse_floats, skip_probing
from sklearn_deep.export.graph._refusals import refuse_where
from sklearn_deep.export.graph._registry import rule
from sklearn_deep.export.graph._table import Table
from sklearn_deep.export.inputs._placeholder import placeholder_of
from sklearn_deep.export.sklearn._imputers import where_equal

skip_probing(OneHotEncoder, OrdinalEncoder, TargetEncoder)


@rule("transform", OneHotEncoder, OrdinalEncoder, TargetEncoder)
def _encode(graph: Graph, model: Any, table: Table) -> Table:
    widths = _widths(model)
    ends = np.cumsum(widths)
    parts = []
    refuse_floats(graph, table, nan=False)
    for j, column in enumerate(table.columns(graph)):
        categories = list(model.categories_[j])
        rows, accepts_unknown = _rows(model, j, categories)
        rows = rows[:, ends[j] - widths[j] : ends[j]]
        index = _category_index(graph, column, categories)
        if not accepts_unknown:
            unknown = graph.compare("Equal", index, len(categories))
            refuse_where(graph, graph.reshape(unknown, (-1, 1)), (1,))
        look_up = _look_up_ones if isinstance(model, OneHotEncoder) else _look_up
        parts.append((look_up(graph, rows, index), widths[j]))
    out = Table(tuple(part for part in parts if part[1]))
    return Table.of(out.matrix(graph), out.width)


def _look_up(graph: Graph, rows: np.ndarray, index: Value) -> Value:
    return graph.gather(graph.constant(rows), index)


def _look_up_ones(graph: Graph, rows: np.ndarray, index: Value) -> Value:
    """Look up one-hot rows by the index of the 1, without storing a matrix of zeros."""
    width = rows.shape[1]
    columns = np.where((rows == 1).any(1), rows.argmax(1) if width else 0, width)
    column = graph.gather(graph.constant(columns.reshape(-1, 1)), index)
    ones = graph.compare("Equal", column, np.arange(width)[None])
    return graph.cast(ones, rows.dtype)


def _widths(model: Any) -> list[int]:
    """Number of output columns of each feature."""
    if isinstance(model, OrdinalEncoder):
        return [1] * len(model.categories_)
    if isinstance(model, TargetEncoder):
        classes = getattr(model, "classes_", None)
        n_classes = 0 if classes is None else len(classes)
        return [n_classes if n_classes > 2 else 1] * len(model.categories_)
    return [_one_hot_width(model, j) for j in range(len(model.categories_))]


def _one_hot_width(model: OneHotEncoder, j: int) -> int:
    width = len(model.categories_[j])
    rare = getattr(model, "infrequent_categories_", None)
    if rare is not None and rare[j] is not None:
        width -= len(rare[j]) - 1
    dropped = model.drop_idx_ is not None and model.drop_idx_[j] is not None
    return width - dropped


def _rows(model: Any, j: int, categories: list) -> tuple[np.ndarray, bool]:
    """Encodings of each category of feature j and of an unknown one.

    Also tells whether the encoder accepts unknown categories; if not, their encoding is 0.
    """
    first = [c[0] for c in model.categories_]
    X = np.empty((len(categories), len(first)), object)
    X[:] = np.array(first, object)
    for i, category in enumerate(categories):
        X[i, j] = category
    known = _transform_rows(model, X)
    unseen = X[:1].copy()
    unseen[0, j] = _unseen_category(categories)
    try:
        unknown = _transform_rows(model, unseen)
    except ValueError:  # handle_unknown="error"
        return np.concatenate([known, np.zeros_like(known[:1])]), False
    return np.concatenate([known, unknown]), True


def _transform_rows(model: Any, X: np.ndarray) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about names, and about the stranger
        out = model.transform(_as_fitted_on(model, X))
    out = out.toarray() if hasattr(out, "toarray") else np.asarray(out)
    return out if out.dtype == np.float32 else out.astype(np.float64)


def _as_fitted_on(model: Any, X: np.ndarray) -> np.ndarray:
    """Convert to the dtype of the fit: numbers if all features have one numeric type."""
    kinds = {np.asarray(c).dtype.kind for c in model.categories_}
    if kinds <= {"i", "u"}:
        return X.astype(np.int64)
    return X.astype(float) if kinds == {"f"} else X


def _unseen_category(categories: list) -> Any:
    """Make a value of the categories' type that is none of them."""
    present = [c for c in categories if not is_missing(c)]
    if present and not isinstance(present[0], (str, bool, np.bool_)):
        return max(present) + 1
    return "".join(map(str, present)) + "?"


def _category_index(graph: Graph, column: Value, categories: list) -> Value:
    """Places of a column (n, 1) in the categories, their number for others; (n,)."""
    if column.dtype == STRING:
        return _string_index(graph, column, categories)
    if any(isinstance(c, str) for c in categories):
        raise OnnxExportError(
            f"An encoder was fitted on strings such as {categories[0]!r}, but its column of X"
            " contains numbers or only missing values. Pass rows with strings; with"
            " skl2onnx.to_onnx, declare the column as strings."
        )
    as_integers = column.dtype == INT and np.asarray(categories).dtype.kind in "iu"
    # Large integers are not exact as floats: they are compared as integers.
    numbers = graph.cast(column, INT if as_integers else DOUBLE)
    missing = [c for c in categories if is_missing(c)]
    marks = [where_equal(graph, numbers, np.nan) for _ in missing]
    present = np.array([c for c in categories if not is_missing(c)], numbers.dtype)
    if len(present):
        marks.insert(0, graph.compare("Equal", numbers, present[None]))
    found = graph.cast(graph.concat(marks), INT)
    not_found = graph.compare("Equal", graph.sum(found, 1, keepdims=True), np.int64(0))
    return graph.argmax(graph.concat([found, graph.cast(not_found, INT)]))


def _string_index(graph: Graph, column: Value, categories: list) -> Value:
    placeholder = placeholder_of(graph)
    texts = [placeholder if is_missing(c) else str(c) for c in categories]
    if len(set(texts)) < len(texts):
        raise OnnxExportError(
            f"An encoder has several categories that are the string {placeholder!r} in ONNX,"
            " which represents None, NaN and NA. Use one kind of missing value per column;"
            f" if {placeholder!r} is a category, export with sklearn_deep.to_onnx, which"
            " chooses another string for missing values."
        )
    found = graph.ml_node(
        "LabelEncoder",
        column,
        dtype=INT,
        keys_strings=texts,
        values_int64s=list(range(len(texts))),
        default_int64=len(texts),
    )
    return graph.reshape(found, (-1,))
