"""What an estimator refuses in its rows: the fitted estimator itself is asked.

Whether NaN, infinity, numbers beyond float32, or negative ones are refused depends on
the class, its parameters and the version of the library. So its method is called at the
export, on one row that holds nothing else. Estimators that hand their rows on to others
are not asked, as these are; nor are those whose rules know column from column.
"""

import warnings
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import get_tags

from sklearn_deep.export.graph._graph import BOOL, DOUBLE, FLOAT, STRING, Graph
from sklearn_deep.export.graph._refusals import refuse_non_finite, refuse_where
from sklearn_deep.export.graph._table import Table

# The classes that are not asked; subclasses are not either.
NOT_ASKED: set[type] = set()

_METHODS = (
    "transform",
    "inverse_transform",
    "predict",
    "predict_proba",
    "decision_function",
)
# On either side of the largest number of float32.
_WITHIN, _BEYOND = 3.4e38, 3.5e38
_OPEN_LENGTH = 8


def not_asked(*classes: type) -> None:
    """Enter classes whose rules say themselves what is refused, or hand rows on."""
    NOT_ASKED.update(classes)


class Limits(NamedTuple):
    """What a method refuses: each field is True where it does."""

    nan: bool = False
    infinite: bool = False
    beyond_float32: bool = False
    negative: bool = False
    zero: bool = False


def refuse_by_limits(graph: Graph, model: Any, method: str, table: Table) -> None:
    """Refuse the rows that a fitted estimator's method would refuse."""
    if method not in _METHODS or isinstance(model, tuple(NOT_ASKED)):
        return
    numbers = Table(
        tuple(block for block in table.blocks if block[0].dtype != STRING),
        table.row_shape,
    )
    if not numbers.blocks or numbers.dtype == BOOL:
        return
    limits = _limits(graph, model, method, table, single=numbers.dtype == FLOAT)
    if limits.infinite:
        refuse_floats(graph, numbers, limits.nan, limits.beyond_float32)
    elif limits.nan:
        _refuse_nan(graph, numbers)
    if limits.negative or limits.zero:
        x, row_shape = numbers.rows(graph, numbers.dtype)
        mask = graph.compare(_OPERATORS[limits.negative, limits.zero], x, 0.0)
        refuse_where(graph, mask, row_shape)


# What to compare with 0, by whether negative numbers and whether 0 are refused.
_OPERATORS = {
    (True, False): "Less",
    (True, True): "LessOrEqual",
    (False, True): "Equal",
}


def refuse_floats(
    graph: Graph, table: Table, nan: bool, beyond_float32: bool = False
) -> None:
    """Refuse rows with infinity, and with NaN or numbers beyond float32 if told."""
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
    graph: Graph, model: Any, method: str, table: Table, single: bool
) -> Limits:
    key = "limits", id(model), method, single
    if key not in graph.memo:
        # The model is kept with the result, so that no other takes its id.
        graph.memo[key] = model, _asked(model, method, table, single)
    return graph.memo[key][1]


def _asked(model: Any, method: str, table: Table, single: bool) -> Limits:
    def takes(number: float) -> bool:
        return _takes(model, method, _row(table, number, single))

    if not takes(1.0) and not takes(0.0):
        return Limits(nan=not _allows_nan(model), infinite=True)
    beyond = not single and takes(_WITHIN) and not takes(_BEYOND)
    return Limits(
        nan=not takes(np.nan),
        infinite=not takes(np.inf),
        beyond_float32=beyond,
        negative=not takes(-1.0),
        zero=not takes(0.0),
    )


def _row(table: Table, number: float, single: bool) -> np.ndarray:
    shape: tuple[int, ...] = (table.width,)
    if table.row_shape is not None:
        shape = tuple(n or _OPEN_LENGTH for n in table.row_shape)
    return np.full((1, *shape), number, FLOAT if single else DOUBLE)


def _takes(model: Any, method: str, row: np.ndarray) -> bool:
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # about names that the row lacks
            getattr(model, method)(row)
    except Exception:  # whatever it raises, it is not a row that it takes
        return False
    return True


def _allows_nan(model: Any) -> bool:
    try:
        return get_tags(model).input_tags.allow_nan
    except Exception:  # no scikit-learn estimator, or one without tags
        return False
