"""Rules of encoders: each category has a row of numbers, and the row is looked up.

The rows are not computed here: the fitted encoder itself is asked what it gives for
each of its categories, for one it has not seen, and for a missing one. So every
option it has, grouping of rare categories and dropping included, is what it does.
"""

import warnings
from typing import Any

import numpy as np
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, TargetEncoder

from sklearn_deep.data._missing import is_missing
from sklearn_deep.exceptions import OnnxExportError
from sklearn_deep.export.graph._graph import DOUBLE, INT, STRING, Graph, Value
from sklearn_deep.export.graph._limits import not_asked, refuse_floats
from sklearn_deep.export.graph._refusals import refuse_where
from sklearn_deep.export.graph._registry import rule
from sklearn_deep.export.graph._table import Table
from sklearn_deep.export.inputs._missing_mark import mark_of
from sklearn_deep.export.sklearn._imputers import where_equal

not_asked(OneHotEncoder, OrdinalEncoder, TargetEncoder)


@rule("transform", OneHotEncoder, OrdinalEncoder, TargetEncoder)
def _encode(graph: Graph, model: Any, table: Table) -> Table:
    widths = _widths(model)
    ends = np.cumsum(widths)
    parts = []
    refuse_floats(graph, table, nan=False)
    for j, column in enumerate(table.columns(graph)):
        categories = list(model.categories_[j])
        rows, takes_others = _rows(model, j, categories)
        rows = rows[:, ends[j] - widths[j] : ends[j]]
        place = _place(graph, column, categories)
        if not takes_others:
            unknown = graph.compare("Equal", place, len(categories))
            refuse_where(graph, graph.reshape(unknown, (-1, 1)), (1,))
        look_up = _look_up_ones if isinstance(model, OneHotEncoder) else _look_up
        parts.append((look_up(graph, rows, place), widths[j]))
    out = Table(tuple(part for part in parts if part[1]))
    return Table.of(out.matrix(graph), out.width)


def _look_up(graph: Graph, rows: np.ndarray, place: Value) -> Value:
    return graph.gather(graph.constant(rows), place)


def _look_up_ones(graph: Graph, rows: np.ndarray, place: Value) -> Value:
    """Look up rows with a single one by its column: thousands of zeros take no room."""
    width = rows.shape[1]
    columns = np.where((rows == 1).any(1), rows.argmax(1) if width else 0, width)
    column = graph.gather(graph.constant(columns.reshape(-1, 1)), place)
    ones = graph.compare("Equal", column, np.arange(width)[None])
    return graph.cast(ones, rows.dtype)


def _widths(model: Any) -> list[int]:
    """Number of columns that each feature becomes."""
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
    """What the encoder gives for each category of feature j, and for an unknown one.

    Beside it stands whether it takes unknown ones; where not, zeros stand for them.
    """
    first = [c[0] for c in model.categories_]
    X = np.empty((len(categories), len(first)), object)
    X[:] = np.array(first, object)
    for i, category in enumerate(categories):
        X[i, j] = category
    known = _ask(model, X)
    stranger = X[:1].copy()
    stranger[0, j] = _stranger(categories)
    try:
        unknown = _ask(model, stranger)
    except ValueError:  # handle_unknown="error"
        return np.concatenate([known, np.zeros_like(known[:1])]), False
    return np.concatenate([known, unknown]), True


def _ask(model: Any, X: np.ndarray) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about names, and about the stranger
        out = model.transform(_as_fitted_on(model, X))
    out = out.toarray() if hasattr(out, "toarray") else np.asarray(out)
    return out if out.dtype == np.float32 else out.astype(np.float64)


def _as_fitted_on(model: Any, X: np.ndarray) -> np.ndarray:
    """Objects for strings, numbers where every feature has numbers of one kind."""
    kinds = {np.asarray(c).dtype.kind for c in model.categories_}
    if kinds <= {"i", "u"}:
        return X.astype(np.int64)
    return X.astype(float) if kinds == {"f"} else X


def _stranger(categories: list) -> Any:
    """A value that is none of the categories, of their kind."""
    present = [c for c in categories if not is_missing(c)]
    if present and not isinstance(present[0], (str, bool, np.bool_)):
        return max(present) + 1
    return "".join(map(str, present)) + "?"


def _place(graph: Graph, column: Value, categories: list) -> Value:
    """Places of a column (n, 1) in the categories, their number for others; (n,)."""
    if column.dtype == STRING:
        return _place_of_texts(graph, column, categories)
    if any(isinstance(c, str) for c in categories):
        raise OnnxExportError(
            f"An encoder was fitted on strings such as {categories[0]!r} and is given"
            " numbers here, or a column without any value. Give rows that hold strings;"
            " to skl2onnx, declare the column as strings."
        )
    whole = column.dtype == INT and np.asarray(categories).dtype.kind in "iu"
    # Large integers are other floats; they are compared as they are.
    numbers = graph.cast(column, INT if whole else DOUBLE)
    absent = [c for c in categories if is_missing(c)]
    marks = [where_equal(graph, numbers, np.nan) for _ in absent]
    present = np.array([c for c in categories if not is_missing(c)], numbers.dtype)
    if len(present):
        marks.insert(0, graph.compare("Equal", numbers, present[None]))
    found = graph.cast(graph.concat(marks), INT)
    nowhere = graph.compare("Equal", graph.sum(found, 1, keepdims=True), np.int64(0))
    return graph.argmax(graph.concat([found, graph.cast(nowhere, INT)]))


def _place_of_texts(graph: Graph, column: Value, categories: list) -> Value:
    mark = mark_of(graph)
    texts = [mark if is_missing(c) else str(c) for c in categories]
    if len(set(texts)) < len(texts):
        raise OnnxExportError(
            f"An encoder has several categories that are the text {mark!r} in ONNX, which"
            " stands for None, NaN and NA. Use one kind of missing value in a column; where"
            f" {mark!r} is a category, export with sklearn_deep.to_onnx, which chooses"
            " another text for missing values."
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
