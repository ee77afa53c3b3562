"""Rules of networks over frames: columns of any kind become the rows of a network.

The parts of an encoded row are written kind by kind, each from all columns of its kind,
and then brought into the order of ``FrameEncoding``.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from sklearn_deep.data._column_codes import Categories
from sklearn_deep.data._frame_encoding import FrameEncoding
from sklearn_deep.data._learnt_columns import (
    BooleanColumn,
    CategoryColumn,
    LearntColumn,
    NumberColumn,
    TimeColumn,
)
from sklearn_deep.data._scaling import FARTHEST
from sklearn_deep.estimators.core._fitted import fitted_of
from sklearn_deep.estimators.families._tabular import TabularEstimator
from sklearn_deep.exceptions import OnnxExportError
from sklearn_deep.export.graph._graph import BOOL, DOUBLE, INT, STRING, Graph, Value
from sklearn_deep.export.graph._refusals import refuse_non_finite, refuse_where
from sklearn_deep.export.graph._registry import rule
from sklearn_deep.export.graph._table import Table
from sklearn_deep.export.inputs._placeholder import placeholder_of
from sklearn_deep.export.networks._networks import NetworkRows, compute_dtype
from sklearn_deep.export.networks._times import phases, with_numbers

# Parts of an encoded row.
_NUMERIC, _PLAIN, _CODES = range(3)


class _Part(NamedTuple):
    """Some columns of an encoded row: where they go, and their values (n, width).

    A place is the part of the row, the column of X, and the number within that column.
    """

    places: list[tuple[int, int, int]]
    values: Value


@rule("rows", TabularEstimator)
def _rows(graph: Graph, model: Any, table: Table) -> NetworkRows:
    """Encode columns as ``FrameEncoding.encode`` does: numbers in float64, then cast."""
    encoding = fitted_of(model).features.encoding
    dtype = compute_dtype(graph, model, fitted_of(model).dtype)
    table = with_numbers(graph, encoding, table)
    parts = [part for write in _WRITERS for part in write(graph, encoding, table)]
    if not parts:
        return NetworkRows(_nothing(graph, table, dtype), (1,))
    places = [place for part in parts for place in part.places]
    x = graph.concat([graph.cast(part.values, dtype) for part in parts])
    order = sorted(range(len(places)), key=places.__getitem__)
    if order != list(range(len(places))):
        x = graph.node("Gather", x, graph.constant(np.array(order)), axis=1)
    return NetworkRows(x, (len(places),))


def _nothing(graph: Graph, table: Table, dtype: np.dtype) -> Value:
    """A column of zeros, which a network gets where all columns are dropped."""
    n_rows = graph.node("Shape", table.blocks[0][0], dtype=INT, start=0, end=1)
    one = graph.constant(np.array([1]))
    shape = graph.concat([n_rows, one], axis=0)
    return graph.node("Expand", graph.constant(np.zeros((1, 1)), dtype), shape)


def _columns_of(encoding: FrameEncoding, kind: type[LearntColumn]) -> list[Any]:
    return [column for column in encoding.columns if isinstance(column, kind)]


def _matrix(graph: Graph, table: Table, columns: Iterable[LearntColumn]) -> Value:
    """Columns of numbers or booleans, (n, n_columns), as floats."""
    return table.select(graph, [c.place for c in columns]).matrix(graph, DOUBLE)


def _numbers(graph: Graph, encoding: FrameEncoding, table: Table) -> Iterable[_Part]:
    """Scaled numbers, and indicators of missing ones."""
    columns = _readable(graph, table, _columns_of(encoding, NumberColumn))
    if columns:
        every = _matrix(graph, table, columns)
        refuse_non_finite(graph, every, (len(columns),), nan=False)
    indicated = [c for c in columns if c.scaling.has_indicator]
    if indicated:
        values = _matrix(graph, table, indicated)
        missing = graph.node("IsNaN", values, dtype=BOOL)
        places = [(_PLAIN, c.place, 0) for c in indicated]
        yield _Part(places, graph.cast(missing, DOUBLE))
    scaled = [c for c in columns if c.n_numeric]
    if scaled:
        places = [(_NUMERIC, c.place, 0) for c in scaled]
        values = _matrix(graph, table, scaled)
        yield _Part(places, _scaled(graph, scaled, values, encoding.clip))


def _readable(
    graph: Graph, table: Table, columns: Iterable[NumberColumn]
) -> list[NumberColumn]:
    """Columns of numbers; without constant ones that no input can hold, such as dates."""
    return [
        column
        for column in columns
        if not column.dropped
        or not table.select(graph, [column.place]).blocks[0][0].refusal
    ]


def _scaled(
    graph: Graph, columns: list[NumberColumn], values: Value, clip: float
) -> Value:
    scalings = [column.scaling for column in columns]
    center, scale, median = (
        np.array([[getattr(s, name) for s in scalings]])
        for name in ("center", "scale", "median")
    )
    missing = graph.node("IsNaN", values, dtype=BOOL)
    values = graph.node("Where", missing, graph.constant(median), values, dtype=DOUBLE)
    z = graph.math("Div", graph.math("Sub", values, center), scale)
    z = graph.math("Max", graph.math("Min", z, FARTHEST * clip), -FARTHEST * clip)
    share = graph.math("Div", z, clip)
    size = graph.node("Sqrt", graph.math("Add", graph.node("Mul", share, share), 1.0))
    return graph.node("Div", z, size)


def _cycles(graph: Graph, encoding: FrameEncoding, table: Table) -> Iterable[_Part]:
    """Phases of the calendar, from days since 1970; behind the indicator of a column."""
    for column in _columns_of(encoding, TimeColumn):
        if column.dropped:
            continue
        days = _matrix(graph, table, [column])
        first = int(column.scaling.has_indicator)
        for i, cycle in enumerate(column.cycles):
            places = [(_PLAIN, column.place, first + 2 * i + k) for k in range(2)]
            yield _Part(places, phases(graph, cycle, days))


def _booleans(graph: Graph, encoding: FrameEncoding, table: Table) -> Iterable[_Part]:
    """1 for true, -1 for false, 0 for a missing value; other numbers are refused."""
    columns = _columns_of(encoding, BooleanColumn)
    if not columns:
        return
    values = _matrix(graph, table, columns)
    missing = graph.node("IsNaN", values, dtype=BOOL)
    signs = graph.math("Sub", graph.math("Mul", values, 2.0), 1.0)
    filled = graph.node("Where", missing, graph.constant(0.0), signs, dtype=DOUBLE)
    boolean = graph.compare("Equal", graph.node("Abs", filled), 1.0)
    known = graph.node("Or", missing, boolean)
    refuse_where(graph, graph.node("Not", known), (len(columns),))
    used = [i for i, column in enumerate(columns) if not column.constant]
    if used:
        taken = graph.node("Gather", filled, graph.constant(np.array(used)), axis=1)
        yield _Part([(_PLAIN, columns[i].place, 0) for i in used], taken)


def _categories(graph: Graph, encoding: FrameEncoding, table: Table) -> Iterable[_Part]:
    """Codes of large categories, and one column per value of small ones."""
    for column in _columns_of(encoding, CategoryColumn):
        if column.constant:
            continue
        value = table.select(graph, [column.place]).blocks[0][0]
        codes = _codes(graph, column, value)
        if column.embedded:
            yield _Part([(_CODES, column.place, 0)], graph.cast(codes, DOUBLE))
            continue
        known = np.arange(1, len(column.categories) + 1)[None]
        ones = graph.cast(graph.compare("Equal", codes, known), DOUBLE)
        places = [(_PLAIN, column.place, k) for k in range(known.size)]
        yield _Part(places, ones)


def _codes(graph: Graph, column: CategoryColumn, value: Value) -> Value:
    """Codes of a column (n, 1): 0 for values that are missing or unknown."""
    value.check_readable()
    values = column.categories.values
    texts = [isinstance(item, str) for item in values]
    if all(texts) != (value.dtype == STRING) or any(texts) != all(texts):
        raise OnnxExportError(
            f"The column {column.place if column.name is None else repr(column.name)} was"
            f" fitted on categories such as {values[0]!r}, but X contains"
            f" {'strings' if value.dtype == STRING else 'numbers or no values'} there."
            " Pass rows like those of the fit; a column may hold text or numbers."
        )
    write = _codes_of_texts if all(texts) else _codes_of_numbers
    return write(graph, column.categories, value)


def _codes_of_texts(graph: Graph, categories: Categories, value: Value) -> Value:
    if placeholder_of(graph) in categories.values:
        raise OnnxExportError(
            f"A category is the string {placeholder_of(graph)!r}, which represents a"
            " missing value in ONNX. Export with sklearn_deep.to_onnx, which chooses"
            " another string for missing values."
        )
    return _looked_up(graph, "strings", list(map(str, categories.values)), value)


def _looked_up(graph: Graph, kind: str, keys: list[Any], value: Value) -> Value:
    codes = {"values_int64s": list(range(1, len(keys) + 1)), "default_int64": 0}
    return graph.ml_node(
        "LabelEncoder", value, dtype=INT, **{f"keys_{kind}": keys}, **codes
    )


def _codes_of_numbers(graph: Graph, categories: Categories, value: Value) -> Value:
    """Look up integers, to which numbers with a fraction are never rounded."""
    numbers = np.array(list(map(float, categories.values)))
    if not all(float(v).is_integer() and abs(v) < 2**53 for v in numbers):
        return _codes_by_comparison(graph, numbers, value)
    integers = graph.cast(value, INT)
    codes = _looked_up(graph, "int64s", [int(v) for v in numbers], integers)
    if value.dtype in (INT, BOOL):
        return codes
    exact = graph.node("Equal", graph.cast(integers, value.dtype), value, dtype=BOOL)
    return graph.node("Where", exact, codes, graph.constant(np.int64(0)), dtype=INT)


def _codes_by_comparison(graph: Graph, numbers: np.ndarray, value: Value) -> Value:
    equal = graph.compare("Equal", graph.cast(value, DOUBLE), numbers[None])
    known = graph.constant(np.arange(1, len(numbers) + 1, dtype=np.float64)[:, None])
    return graph.cast(graph.node("MatMul", graph.cast(equal, DOUBLE), known), INT)


_Writer = Callable[[Graph, FrameEncoding, Table], Iterable[_Part]]
_WRITERS: list[_Writer] = [_numbers, _cycles, _booleans, _categories]
