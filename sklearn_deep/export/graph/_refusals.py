"""Rows that the estimator refuses: in the file, every float output is NaN for them.

An ONNX model cannot raise. Rules and the limits of estimators say which rows are refused;
at the end all of that becomes one column, 0 or NaN, that is added to the outputs. So it
does not matter what follows: layers that drop NaN, clipping, selected columns, votes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sklearn_deep.export.graph._graph import BOOL, DOUBLE, FLOAT, INT, Graph, Value

_FLOATS = (FLOAT, DOUBLE)


@dataclass(frozen=True)
class Check:
    """A value that marks rows as refused.

    Attributes
    ----------
    value : Value
        Floats, or booleans that mark what is refused; of shape (n, ...).
    n_axes : int
        Number of axes of the value.
    width : int or None
        Number of columns of a value of shape (n, width).
    nan : bool
        Whether NaN is refused too, or infinity only.
    lengths : Value or None
        Of sequences of unequal length: what stands behind their ends is not looked at.
    """

    value: Value
    n_axes: int
    width: int | None = None
    nan: bool = True
    lengths: Value | None = None

    @property
    def is_product(self) -> bool:
        """Tell whether a product with zeros is the whole check."""
        return self.nan and self.width is not None and self.value.dtype != BOOL


# What is refused


def refuse_non_finite(
    graph: Graph,
    value: Value,
    row_shape: Sequence[int | None],
    *,
    nan: bool = True,
    lengths: Value | None = None,
) -> None:
    """Refuse rows with NaN (unless ``nan`` is False) or infinity; integers have none."""
    if value.dtype not in _FLOATS:
        return
    _add(graph, _check(value, row_shape, nan, lengths))


def refuse_where(graph: Graph, mask: Value, row_shape: Sequence[int | None]) -> None:
    """Refuse rows with a mark, in booleans of shape (n, *row_shape)."""
    _add(graph, _check(mask, row_shape))


def _check(value: Value, row_shape: Sequence[int | None], *more: Any) -> Check:
    width = row_shape[0] if len(row_shape) == 1 else None
    return Check(value, 1 + len(row_shape), width, *more)


def _add(graph: Graph, check: Check) -> None:
    if check not in graph.checks:
        graph.checks.append(check)


def carries(graph: Graph, value: Value, out: Value, *, nan_only: bool = False) -> None:
    """Declare that a row with NaN or infinity in ``value`` has one in ``out`` as well.

    A check of ``out`` then is one of ``value`` too. With ``nan_only`` that holds for
    NaN alone, in the estimator that the graph mirrors.
    """
    if value.name != out.name:
        kind = graph.carried_nan if nan_only else graph.carried
        kind.setdefault(value.name, set()).add(out.name)


# The column


def refusal_column(graph: Graph) -> Value | None:
    """Give (n, 1) floats, NaN for the rows that are refused; None where none can be."""
    return _column(graph, _needed(graph))


def _needed(graph: Graph) -> list[Check]:
    """Make the checks as simple as may be, and leave out those that others imply."""
    key = "needed checks", len(graph.checks)
    if key not in graph.memo:
        needed = [_simplest(graph, check) for check in graph.checks]
        for check in list(needed):
            others = {c.value.name for c in needed if c.nan and c is not check}
            faults = _reached([graph.carried], check.value.name)
            if check.value.dtype != BOOL and not faults.isdisjoint(others):
                needed.remove(check)
        graph.memo[key] = needed
    return graph.memo[key]


def _simplest(graph: Graph, check: Check) -> Check:
    """Refuse NaN as well where a later check does: that is one operation less."""
    strict = {c.value.name for c in graph.checks if c.nan}
    kinds = [graph.carried, graph.carried_nan]
    if check.nan or _reached(kinds, check.value.name).isdisjoint(strict):
        return check
    return replace(check, nan=True)


def _reached(carried: Sequence[dict[str, set[str]]], name: str) -> set[str]:
    """Values that a fault in the named one reaches, itself among them."""
    found, waiting = {name}, [name]
    while waiting:
        last = waiting.pop()
        new = set().union(*(edges.get(last, ()) for edges in carried)) - found
        found |= new
        waiting.extend(new)
    return found


def _column(graph: Graph, checks: Sequence[Check]) -> Value | None:
    key = "refusals", *checks
    if key not in graph.memo:
        by_dtype: dict[np.dtype, Value] = {}
        for check in _masks_joined(graph, checks):
            dtype = check.value.dtype if check.is_product else FLOAT
            by_dtype[dtype] = _joined(graph, by_dtype.get(dtype), check)
        graph.memo[key] = _total(graph, list(by_dtype.values()))
    return graph.memo[key]


def _masks_joined(graph: Graph, checks: Sequence[Check]) -> list[Check]:
    """Join booleans of columns, such as those of many encoded ones, to one check."""
    masks = [c for c in checks if c.value.dtype == BOOL and c.width is not None]
    if len(masks) < 2:
        return list(checks)
    value = graph.concat([check.value for check in masks])
    width = sum(check.width or 0 for check in masks)
    return [*(c for c in checks if c not in masks), Check(value, 2, width)]


def _total(graph: Graph, columns: Sequence[Value]) -> Value | None:
    if not columns:
        return None
    total, *others = columns
    for other in others:
        total = graph.node("Add", total, graph.cast(other, total.dtype))
    return total


def _joined(graph: Graph, before: Value | None, check: Check) -> Value:
    """Add what one check finds to what others have found."""
    x = check.value
    if check.is_product:
        return _with_product(graph, x, check.width, before, 1)
    if check.nan and x.dtype != BOOL:
        column = _summed(graph, _true_steps(graph, check), check, 0.0)
        column = graph.cast(column, FLOAT)
    else:
        mask = x if x.dtype == BOOL else graph.node("IsInf", x, dtype=BOOL)
        minus = _summed(graph, graph.cast(mask, FLOAT), check, -1.0)
        column = graph.node("Sqrt", minus)  # of less than 0: NaN
    return column if before is None else graph.node("Add", before, column)


def _with_product(
    graph: Graph, x: Value, n_columns: Any, to: Value | None, width: int
) -> Value:
    """Add ``x`` (n, n_columns) times zeros, which is NaN for NaN and infinity."""
    zeros = graph.constant(np.zeros((n_columns, width)), x.dtype)
    if to is None:
        return graph.node("MatMul", x, zeros)
    return graph.node("Gemm", x, zeros, to)


def _true_steps(graph: Graph, check: Check) -> Value:
    """Put zeros behind the ends of sequences of unequal length, (n, time, ...)."""
    if check.lengths is None:
        return check.value
    x = check.value
    bounds = graph.constant(np.int64(0)), graph.column_of_shape(x, 1)
    steps = graph.node("Range", *bounds, graph.constant(np.int64(1)), dtype=INT)
    ends = graph.reshape(check.lengths, (-1, 1))
    mask = graph.node("Less", graph.reshape(steps, (1, -1)), ends, dtype=BOOL)
    mask = graph.reshape(mask, (0, 0, *[1] * (check.n_axes - 2)))
    return graph.node("Where", mask, x, graph.constant(0.0, x.dtype), dtype=x.dtype)


def _summed(graph: Graph, marks: Value, check: Check, times: float) -> Value:
    """Add up the numbers of each row, multiplied, (n, 1)."""
    if check.width is not None:
        factors = graph.constant(np.full((check.width, 1), times), marks.dtype)
        return graph.node("MatMul", marks, factors)
    marks = graph.math("Mul", marks, times)
    axes = graph.constant(np.arange(1, check.n_axes), INT)
    total = graph.node("ReduceSum", marks, axes, keepdims=0)
    return graph.reshape(total, (-1, 1))


# The outputs

_FEW = 8  # columns of an output that a product fills as quickly as one
_SOME = 32  # columns beyond which the zeros take room in the file


def guarded(
    graph: Graph, outputs: Sequence[tuple[Any, list[int | None]]]
) -> list[tuple[Any, list[int | None]]]:
    """Give outputs with NaN in the rows that are refused.

    Parameters
    ----------
    graph : Graph
    outputs : sequence of (Value or list of Value, dimensions)
        Labels that are no floats stay as they are.
    """
    single = sum(isinstance(v, list) or v.dtype in _FLOATS for v, _ in outputs) == 1

    def guard(value: Any, dimensions: list[int | None]) -> Any:
        if isinstance(value, list):
            return [guard(part, dimensions) for part in value]
        if value.dtype not in _FLOATS:
            return value
        return _guarded(graph, value, dimensions, single)

    return [(guard(value, dimensions), dimensions) for value, dimensions in outputs]


def _guarded(
    graph: Graph, out: Value, dimensions: list[int | None], single: bool
) -> Value:
    width = dimensions[1] if len(dimensions) == 2 else None
    rest = []
    for check in _needed(graph):
        # A product goes into the only output at once, without a column of its own.
        at_once = single and width is not None and width <= _FEW
        if at_once and check.is_product and check.value.dtype == out.dtype:
            out = _with_product(graph, check.value, check.width, out, width or 0)
        else:
            rest.append(check)
    column = _column(graph, rest)
    if column is None:
        return out
    column = graph.cast(column, out.dtype)
    if width is not None and width <= _SOME:  # several times as quick as an Add
        return _with_product(graph, column, 1, out, width)
    if len(dimensions) != 2:
        column = graph.reshape(column, (-1, *[1] * (len(dimensions) - 1)))
    return graph.node("Add", out, column)


def refusal_marks(graph: Graph, rows: Value) -> Value:
    """Mark the rows that are refused, (n,) booleans; ``rows`` is any value of n rows."""
    column = refusal_column(graph)
    if column is not None:
        return graph.node("IsNaN", graph.reshape(column, (-1,)), dtype=BOOL)
    n_rows = graph.node("Shape", rows, dtype=INT, start=0, end=1)
    return graph.node("Expand", graph.constant(np.array([False])), n_rows)
