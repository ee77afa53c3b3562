"""Columns of dates and durations in a graph: numbers, and phases of the calendar."""

from collections.abc import Callable

import numpy as np

from sklearn_deep.data._calendar import MICROSECONDS_A_DAY
from sklearn_deep.data._column_kinds import DURATION, TIME
from sklearn_deep.data._frame_encoding import FrameEncoding
from sklearn_deep.data._learnt_columns import LearntColumn
from sklearn_deep.data._times import NOT_A_TIME, TIME_DTYPES
from sklearn_deep.exceptions import OnnxExportError
from sklearn_deep.export.graph._graph import BOOL, DOUBLE, INT, Graph, Value
from sklearn_deep.export.graph._table import Table

# Microseconds of a day and of a second, the units of dates and of durations.
_UNITS = {TIME: float(MICROSECONDS_A_DAY), DURATION: 1e6}


def with_numbers(graph: Graph, encoding: FrameEncoding, table: Table) -> Table:
    """The table with days and seconds in place of the dates and durations it reads."""
    columns = {
        column.place: column
        for column in encoding.columns
        if column.kind in TIME_DTYPES and not column.dropped
    }
    blocks, place = [], 0
    for value, width in table.blocks:
        if place in columns:
            value = _numbers(graph, columns[place], value)
        blocks.append((value, width))
        place += width
    return Table(tuple(blocks))


def _numbers(graph: Graph, column: LearntColumn, value: Value) -> Value:
    """Floats of microseconds (n, 1); NaN where the value is missing."""
    if value.dtype != TIME_DTYPES[column.kind]:
        value.check_readable()
        raise OnnxExportError(
            f"The column {column.place if column.name is None else repr(column.name)} held"
            f" {column.kind}s in fit, and X has none there. Pass rows like those of the"
            " fit, with the dtypes that they had."
        )
    whole = Value(value.name, INT)
    missing = graph.compare("Equal", whole, NOT_A_TIME)
    numbers = graph.math("Div", graph.cast(whole, DOUBLE), _UNITS[column.kind])
    return graph.node("Where", missing, graph.constant(np.nan), numbers, dtype=DOUBLE)


def phases(graph: Graph, cycle: str, days: Value) -> Value:
    """Sine and cosine of a cycle, (n, 2), of days (n, 1); both are 0 where it is NaN."""
    missing = graph.node("IsNaN", days, dtype=BOOL)
    zero = graph.constant(0.0)
    filled = graph.node("Where", missing, zero, days, dtype=DOUBLE)
    angle = graph.math("Mul", _CYCLES[cycle](graph, filled), 2 * np.pi)
    # Older versions of onnxruntime have no cosine of float64.
    both = graph.node("Sin", graph.math("Add", angle, [[0.0, np.pi / 2]]))
    return graph.node("Where", missing, zero, both, dtype=DOUBLE)


def _floored(graph: Graph, number: Value, divisor: float) -> Value:
    return graph.node("Floor", graph.math("Div", number, divisor))


def _remainder(graph: Graph, number: Value, divisor: float) -> Value:
    whole = graph.math("Mul", _floored(graph, number, divisor), divisor)
    return graph.node("Sub", number, whole)


def _month(graph: Graph, days: Value) -> Value:
    """Months since January, over 12, in whole numbers that float64 holds.

    The years are those of a calendar that begins in March, so that a leap day is the last
    day of its year (Hinnant, "chrono-compatible low-level date algorithms").
    """
    since_year_0 = graph.math("Add", graph.node("Floor", days), 719_468.0)
    day_of_era = _remainder(graph, since_year_0, 146_097.0)  # of 400 years
    whole_years = graph.node(
        "Sub",
        graph.node(
            "Add",
            graph.node("Sub", day_of_era, _floored(graph, day_of_era, 1_460.0)),
            _floored(graph, day_of_era, 36_524.0),
        ),
        _floored(graph, day_of_era, 146_096.0),
    )
    year = _floored(graph, whole_years, 365.0)
    leap_days = graph.node(
        "Sub", _floored(graph, year, 4.0), _floored(graph, year, 100.0)
    )
    before = graph.node("Add", graph.math("Mul", year, 365.0), leap_days)
    day_of_year = graph.node("Sub", day_of_era, before)
    from_march = _floored(
        graph, graph.math("Add", graph.math("Mul", day_of_year, 5.0), 2.0), 153.0
    )
    month = _remainder(graph, graph.math("Add", from_march, 2.0), 12.0)
    return graph.math("Div", month, 12.0)


def _weekday(graph: Graph, days: Value) -> Value:
    from_monday = graph.math("Add", graph.node("Floor", days), 3.0)
    return graph.math("Div", _remainder(graph, from_monday, 7.0), 7.0)


def _hour(graph: Graph, days: Value) -> Value:
    return graph.node("Sub", days, graph.node("Floor", days))


# As ``CALENDAR`` has them in Python.
_CYCLES: dict[str, Callable[[Graph, Value], Value]] = {
    "month": _month,
    "weekday": _weekday,
    "hour": _hour,
}
