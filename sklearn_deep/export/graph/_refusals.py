"""Rows that the estimator refuses: in the file, all their float outputs are NaN.

An ONNX model cannot raise. Rules and limits of estimators add checks to the graph. At the
end they are combined to one column, 0 or NaN, that is added to the outputs. So NaN arrives
there even if a later step drops it, such as pooling, clipping, a selector or a vote.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sklearn_deep.export.graph._graph import BOOL, DOUBLE, FLOAT, INT, Graph, Value

_FLOATS = (FLOAT, DOUBLE)


@dataclass(frozen=True)
class Check:
    """A value that decides which rows are refused.

    Attributes
    ----------
    value : Value
        Floats, or booleans that are True for refused elements; of shape (n, ...).
    n_axes : int
        Number of axes of the value.
    width : int or None
        Number of columns of a value of shape (n, width).
    nan : bool
        Whether NaN is refused, or infinity only.
    lengths : Value or None
        Lengths of sequences of unequal length; padding is not checked.
    """

    value: Value
    n_axes: int
    width: int | None = None
    nan: bool = True
    lengths: Value | None = None

    @property
    def is_product(self) -> bool:
        """Tell whether the check is a matrix product with zeros."""
        return self.nan and self.width is not None and self.value.dtype != BOOL


# Checks


def refuse_non_finite(
    graph: Graph,
    value: Value,
    row_shape: Sequence[int | None],
    *,
    nan: bool = True,
    lengths: Value | None = None,
) -> None:
    """Refuse rows with infinity, and with NaN unless ``nan`` is False."""
    if value.dtype not in _FLOATS:
        return
    _add(graph, _check(value, row_shape, nan, lengths))


def refuse_where(graph: Graph, mask: Value, row_shape: Sequence[int | None]) -> None:
    """Refuse rows with any True in booleans of shape (n, *row_shape)."""
    _add(graph, _check(mask, row_shape))


def _check(value: Value, row_shape: Sequence[int | None], *more: Any) -> Check:
    width = row_shape[0] if len(row_shape) == 1 else None
    return Check(value, 1 + len(row_shape), width, *more)


def _add(graph: Graph, check: Check) -> None:
    if check not in graph.checks:
        graph.checks.append(check)


def propagates_nan(
    graph: Graph, value: Value, out: Value, *, nan_only: bool = False
) -> None:
    """Declare that NaN or infinity in a row of ``value`` leads to one in ``out``.

    A check of ``out`` then implies a check of ``value``. With ``nan_only`` this holds for
    NaN only.
    """
    if value.name != out.name:
        kind = graph.nan_only_edges if nan_only else graph.nan_edges
        kind.setdefault(value.name, set()).add(out.name)


# The column of refused rows


def refusal_column(graph: Graph) -> Value | None:
    """Compute (n, 1) floats, NaN for refused rows; None if no row can be refused."""
    return _column(graph, _needed(graph))


def _needed(graph: Graph) -> list[Check]:
    """Simplify the checks, and drop those that are implied by others."""
    key = "needed checks", len(graph.checks)
    if key not in graph.memo:
        needed = [_simplified(graph, check) for check in graph.checks]
        for check in list(needed):
            others = {c.value.name for c in needed if c.nan and c is not check}
            reached = _reached([graph.nan_edges], check.value.name)
            if check.value.dtype != BOOL and not reached.isdisjoint(others):
                needed.remove(check)
        graph.memo[key] = needed
    return graph.memo[key]


def _simplified(graph: Graph, check: Check) -> Check:
    """Let a check include NaN if a later check refuses NaN: that saves an operation."""
    strict = {c.value.name for c in graph.checks if c.nan}
    kinds = [graph.nan_edges, graph.nan_only_edges]
    if check.nan or _reached(kinds, check.value.name).isdisjoint(strict):
        return check
    return replace(check, nan=True)


def _reached(nan_edges: Sequence[dict[str, set[str]]], name: str) -> set[str]:
    """Values that NaN or infinity in the named value propagates to, including itself."""
    found, waiting = {name}, [name]
    while waiting:
        last = waiting.pop()
        new = set().union(*(edges.get(last, ()) for edges in nan_edges)) - found
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
    """Concatenate boolean columns, such as those of several encoders, to one check."""
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
    """Add the result of one check to the sum of the previous ones."""
    x = check.value
    if check.is_product:
        return _with_product(graph, x, check.width, before, 1)
    if check.nan and x.dtype != BOOL:
        column = _summed(graph, _zero_padding(graph, check), check, 0.0)
        column = graph.cast(column, FLOAT)
    else:
        mask = x if x.dtype == BOOL else graph.node("IsInf", x, dtype=BOOL)
        minus = _summed(graph, graph.cast(mask, FLOAT), check, -1.0)
        column = graph.node("Sqrt", minus)  # NaN for negative numbers
    return column if before is None else graph.node("Add", before, column)


def _with_product(
    graph: Graph, x: Value, n_columns: Any, to: Value | None, width: int
) -> Value:
    """Add the product of ``x`` (n, n_columns) and zeros: NaN for NaN and infinity."""
    zeros = graph.constant(np.zeros((n_columns, width)), x.dtype)
    if to is None:
        return graph.node("MatMul", x, zeros)
    return graph.node("Gemm", x, zeros, to)


def _zero_padding(graph: Graph, check: Check) -> Value:
    """Set the padding of sequences of unequal length to zero, (n, time, ...)."""
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
    """Sum the elements of each row, and multiply by ``times``, (n, 1)."""
    if check.width is not None:
        factors = graph.constant(np.full((check.width, 1), times), marks.dtype)
        return graph.node("MatMul", marks, factors)
    marks = graph.math("Mul", marks, times)
    axes = graph.constant(np.arange(1, check.n_axes), INT)
    total = graph.node("ReduceSum", marks, axes, keepdims=0)
    return graph.reshape(total, (-1, 1))


# The outputs of the graph

_MAX_FUSED_COLUMNS = 8  # up to which a product takes about as long as for one column
_MAX_PRODUCT_COLUMNS = 32  # beyond which the zeros would enlarge the file


def mark_refused(
    graph: Graph, outputs: Sequence[tuple[Any, list[int | None]]]
) -> list[tuple[Any, list[int | None]]]:
    """Set the outputs of refused rows to NaN.

    Parameters
    ----------
    graph : Graph
    outputs : sequence of (Value or list of Value, dimensions)
        Labels that are not floats are left unchanged.
    """
    single = sum(isinstance(v, list) or v.dtype in _FLOATS for v, _ in outputs) == 1

    def mark(value: Any, dimensions: list[int | None]) -> Any:
        if isinstance(value, list):
            return [mark(part, dimensions) for part in value]
        if value.dtype not in _FLOATS:
            return value
        return _mark_output(graph, value, dimensions, single)

    return [(mark(value, dimensions), dimensions) for value, dimensions in outputs]


def _mark_output(
    graph: Graph, out: Value, dimensions: list[int | None], single: bool
) -> Value:
    width = dimensions[1] if len(dimensions) == 2 else None
    rest = []
    for check in _needed(graph):
        # With a single output, the product is added to it directly.
        at_once = single and width is not None and width <= _MAX_FUSED_COLUMNS
        if at_once and check.is_product and check.value.dtype == out.dtype:
            out = _with_product(graph, check.value, check.width, out, width or 0)
        else:
            rest.append(check)
    column = _column(graph, rest)
    if column is None:
        return out
    column = graph.cast(column, out.dtype)
    if (
        width is not None and width <= _MAX_PRODUCT_COLUMNS
    ):  # several times faster than Add
        return _with_product(graph, column, 1, out, width)
    if len(dimensions) != 2:
        column = graph.reshape(column, (-1, *[1] * (len(dimensions) - 1)))
    return graph.node("Add", out, column)


def refusal_marks(graph: Graph, rows: Value) -> Value:
    """Compute (n,) booleans, True for refused rows; ``rows`` is any value with n rows."""
    column = refusal_column(graph)
    if column is not None:
        return graph.node("IsNaN", graph.reshape(column, (-1,)), dtype=BOOL)
    n_rows = graph.node("Shape", rows, dtype=INT, start=0, end=1)
    return graph.node("Expand", graph.constant(np.array([False])), n_rows)


def joined_marks(graph: Graph, rows: Value) -> Value:
    """Compute the booleans of ``refusal_marks`` as a disjunction of those of every check.

    No check is left out because another one implies it, so that each can be taken by
    itself where the graph is cut.
    """
    columns = (_column(graph, [check]) for check in graph.checks)
    marks = [
        graph.node("IsNaN", graph.reshape(column, (-1,)), dtype=BOOL)
        for column in columns
        if column is not None
    ]
    if not marks:
        return refusal_marks(graph, rows)
    joined = marks[0]
    for mark in marks[1:]:
        joined = graph.node("Or", joined, mark, dtype=BOOL)
    return joined
