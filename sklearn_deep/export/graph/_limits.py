"""Values that an estimator refuses, found by probing the fitted estimator.

Whether NaN, infinity, numbers beyond float32, or negative numbers are refused depends on
the class, its parameters and the version of the library. So the export calls the method
with a row that contains nothing else. Meta-estimators that pass their rows on are not
probed, since the estimators inside are; nor are estimators whose rules check each column.
"""

import warnings
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import get_tags

from sklearn_deep.export.graph._graph import BOOL, DOUBLE, FLOAT, Graph
from sklearn_deep.export.graph._refusals import refuse_non_finite, refuse_where
from sklearn_deep.export.graph._table import Table

# Classes that are not probed, including their subclasses.
NOT_PROBED: set[type] = set()

_METHODS = (
    "transform",
    "inverse_transform",
    "predict",
    "predict_proba",
    "decision_function",
)
# Just below and above the largest float32.
_BELOW_FLOAT32_MAX, _ABOVE_FLOAT32_MAX = 3.4e38, 3.5e38
_OPEN_LENGTH = 8
# Kinds of dtypes: strings, and dates and durations, which a step may pass on.
_NO_NUMBERS = "UMm"


def skip_probing(*classes: type) -> None:
    """Register classes that pass rows on, or whose rules add their own checks."""
    NOT_PROBED.update(classes)


class Limits(NamedTuple):
    """Kinds of values that a method refuses."""

    nan: bool = False
    infinite: bool = False
    beyond_float32: bool = False
    negative: bool = False
    zero: bool = False


def refuse_by_limits(graph: Graph, model: Any, method: str, table: Table) -> None:
    """Refuse the rows that a method of a fitted estimator refuses."""
    if method not in _METHODS or isinstance(model, tuple(NOT_PROBED)):
        return
    numbers = Table(
        tuple(
            block for block in table.blocks if block[0].dtype.kind not in _NO_NUMBERS
        ),
        table.row_shape,
    )
    if not numbers.blocks or numbers.dtype == BOOL:
        return
    limits = _limits(graph, model, method, table, float32=numbers.dtype == FLOAT)
    if limits.infinite:
        refuse_floats(graph, numbers, limits.nan, limits.beyond_float32)
    elif limits.nan:
        _refuse_nan(graph, numbers)
    if limits.negative or limits.zero:
        x, row_shape = numbers.rows(graph, numbers.dtype)
        mask = graph.compare(_OPERATORS[limits.negative, limits.zero], x, 0.0)
        refuse_where(graph, mask, row_shape)


# Comparison with 0 by (negative numbers are refused, zero is refused).
_OPERATORS = {
    (True, False): "Less",
    (True, True): "LessOrEqual",
    (False, True): "Equal",
}


def refuse_floats(
    graph: Graph, table: Table, nan: bool, beyond_float32: bool = False
) -> None:
    """Refuse rows with infinity, and optionally with NaN or numbers beyond float32."""
    floats = _floats(table)
    if floats.blocks:
        dtype = FLOAT if beyond_float32 else floats.dtype
        refuse_non_finite(graph, *floats.rows(graph, dtype), nan=nan)


def _refuse_nan(graph: Graph, table: Table) -> None:
    floats = _floats(table)
    if floats.blocks:
        x, row_shape = floats.rows(graph, floats.dtype)
        refuse_where(graph, graph.node("IsNaN", x, dtype=BOOL), row_shape)


def _floats(table: Table) -> Table:
    blocks = (block for block in table.blocks if block[0].dtype in (FLOAT, DOUBLE))
    return Table(tuple(blocks), table.row_shape)


def _limits(
    graph: Graph, model: Any, method: str, table: Table, float32: bool
) -> Limits:
    key = "limits", id(model), method, float32
    if key not in graph.memo:
        # Storing the model keeps it alive, so that its id is not reused.
        graph.memo[key] = model, _probe(model, method, table, float32)
    return graph.memo[key][1]


def _probe(model: Any, method: str, table: Table, float32: bool) -> Limits:
    def accepts(number: float) -> bool:
        return _accepts(model, method, _row(table, number, float32))

    if not accepts(1.0) and not accepts(0.0):
        return Limits(nan=not _allows_nan(model), infinite=True)
    beyond = (
        not float32 and accepts(_BELOW_FLOAT32_MAX) and not accepts(_ABOVE_FLOAT32_MAX)
    )
    return Limits(
        nan=not accepts(np.nan),
        infinite=not accepts(np.inf),
        beyond_float32=beyond,
        negative=not accepts(-1.0),
        zero=not accepts(0.0),
    )


def _row(table: Table, number: float, float32: bool) -> np.ndarray:
    shape: tuple[int, ...] = (table.width,)
    if table.row_shape is not None:
        shape = tuple(n or _OPEN_LENGTH for n in table.row_shape)
    return np.full((1, *shape), number, FLOAT if float32 else DOUBLE)


def _accepts(model: Any, method: str, row: np.ndarray) -> bool:
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # about missing feature names
            getattr(model, method)(row)
    except Exception:  # any error means that the row is refused
        return False
    return True


def _allows_nan(model: Any) -> bool:
    try:
        return get_tags(model).input_tags.allow_nan
    except Exception:  # not a scikit-learn estimator, or without tags
        return False
