"""Rows as people write them, converted to what the readers of a file take."""

import difflib
from collections.abc import Iterator, Sequence, Set
from itertools import islice
from typing import Any

import numpy as np

from sklearn_deep.serving.fields._errors import FieldError, FieldErrors
from sklearn_deep.serving.fields._fields import fields_of
from sklearn_deep.serving.fields._items import items_to_X
from sklearn_deep.serving.fields._values import (
    KINDS,
    ValueFault,
    as_column,
    missing,
    plain_column,
    read_text,
)

__all__ = ["Columns", "FieldError", "FieldErrors", "columns_to_X", "rows_to_X"]

# Faults of a request that are collected, and unknown columns that are compared with all
# names: a hostile request may have millions.
MAX_FAULTS = 1000
_MAX_COMPARED = 20

# In place of a value that a row does not have.
_ABSENT = object()


class Columns:
    """Columns by name, in the form in which the readers take a data frame.

    Parameters
    ----------
    arrays : dict of str to ndarray of shape (n_rows,)
    n_rows : int
    """

    def __init__(self, arrays: dict[str, np.ndarray], n_rows: int) -> None:
        self.columns = list(arrays)
        self._arrays, self._n_rows = arrays, n_rows

    def __len__(self) -> int:
        """Return the number of rows."""
        return self._n_rows

    def __getitem__(self, name: str) -> "_Column":
        """Return one column."""
        return _Column(self._arrays[name])


class _Column:
    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def to_numpy(self) -> np.ndarray:
        return self.values


def rows_to_X(
    metadata: dict[str, Any], rows: Sequence[Any], *, from_text: bool = False
) -> Any:
    """Convert rows, each a dictionary of values by column name.

    Parameters
    ----------
    metadata : dict
        The metadata of a file.
    rows : list of dict
        A value may be absent or None where the model accepts a missing one. For images,
        series, sequences and texts, a list of nested lists or strings.
    from_text : bool
        Whether values are text, as in a form or a CSV file.

    Returns
    -------
    X : Columns, or ndarray, or list
        What ``OnnxSession.run`` and ``make_feeds`` take.

    Raises
    ------
    FieldErrors
        All faults of the rows.
    """
    fields = fields_of(metadata)
    if fields is None:
        return items_to_X(metadata, rows)
    if not isinstance(rows, (list, tuple)) or not rows:
        raise FieldErrors([_no_rows("rows")])
    known = {field["name"] for field in fields}
    errors = list(islice(_row_faults(rows, known), MAX_FAULTS))
    kept = [row if isinstance(row, dict) else {} for row in rows]
    table = {
        field["name"]: [row.get(field["name"], _ABSENT) for row in kept]
        for field in fields
    }
    broken = {i for i, row in enumerate(rows) if not isinstance(row, dict)}
    return _to_columns(
        fields, table, len(rows), "rows[{i}].{name}", from_text, errors, broken
    )


def columns_to_X(
    metadata: dict[str, Any], columns: dict[str, Any], *, from_text: bool = False
) -> Any:
    """Convert columns, each a list of values.

    Parameters
    ----------
    metadata : dict
        The metadata of a file.
    columns : dict of str to list
        Lists of equal length. A column that may be missing can be left out. For images,
        series, sequences and texts, one entry.
    from_text : bool
        Whether values are text, as in a form or a CSV file.

    Returns
    -------
    X : Columns, or ndarray, or list

    Raises
    ------
    FieldErrors
        All faults of the columns.
    """
    fields = fields_of(metadata)
    if not isinstance(columns, dict) or not columns:
        raise FieldErrors([_no_rows("columns")])
    if fields is None:
        return items_to_X(metadata, next(iter(columns.values())), "columns")
    known = {field["name"] for field in fields}
    errors = list(islice(_column_faults(columns, known), MAX_FAULTS))
    if errors:
        raise FieldErrors(errors)
    n_rows = len(next(iter(columns.values())))
    table = {
        field["name"]: list(columns.get(field["name"], [_ABSENT] * n_rows))
        for field in fields
    }
    return _to_columns(fields, table, n_rows, "columns.{name}[{i}]", from_text, errors)


def _no_rows(where: str) -> FieldError:
    return FieldError(where, "has no rows", "Pass at least one row")


def _row_faults(rows: Sequence[Any], known: set[str]) -> Iterator[FieldError]:
    unknown = _Unknown(known)
    for i, row in enumerate(rows):
        if not isinstance(row, dict):
            yield FieldError(
                f"rows[{i}]",
                "must be an object with a value for each column",
                'Pass rows such as {"age": 31, "town": "Bonn"}',
            )
            continue
        if not known.issuperset(row):
            yield from (
                unknown.fault(f"rows[{i}].{name}", name)
                for name in row
                if name not in known
            )


def _column_faults(columns: dict[str, Any], known: set[str]) -> Iterator[FieldError]:
    unknown = _Unknown(known)
    yield from (
        unknown.fault(f"columns.{name}", name) for name in columns if name not in known
    )
    lists = {name: v for name, v in columns.items() if isinstance(v, (list, tuple))}
    for name in columns:
        if name not in lists:
            yield FieldError(
                f"columns.{name}", "must be a list", "Pass a list of values"
            )
    if len({len(values) for values in lists.values()}) > 1:
        yield FieldError(
            "columns",
            "have different lengths",
            "Pass a value of each column for each row",
        )
    if lists and not max(map(len, lists.values())):
        yield _no_rows("columns")


class _Unknown:
    """Makes the faults of unknown columns; the first get the name that is nearest."""

    def __init__(self, known: set[str]) -> None:
        self.known, self.compared = known, 0
        self.listed = ", ".join(map(repr, sorted(known)[:10]))

    def fault(self, where: str, name: Any) -> FieldError:
        near = self._nearest(str(name))
        fix = f"Leave it out; columns are {self.listed}"
        if near is not None:
            fix = f"Did you mean {near!r}?"
        return FieldError(where, "is no column of the model", fix)

    def _nearest(self, name: str) -> str | None:
        self.compared += 1
        if self.compared > _MAX_COMPARED or len(name) > 100:
            return None
        return next(iter(difflib.get_close_matches(name, self.known, 1)), None)


def _to_columns(
    fields: list[dict[str, Any]],
    table: dict[str, list[Any]],
    n_rows: int,
    place: str,
    from_text: bool,
    errors: list[FieldError],
    broken: Set[int] = frozenset(),
) -> Columns:
    arrays = {}
    for field in fields:
        column = _ColumnReader(field, place, from_text)
        arrays[field["name"]] = column.read(table[field["name"]], broken)
        errors += column.errors
    if errors:
        raise FieldErrors(errors)
    return Columns(arrays, n_rows)


class _ColumnReader:
    """Conversion of one column, and its faults."""

    def __init__(self, field: dict[str, Any], place: str, from_text: bool) -> None:
        self.field, self.place, self.from_text = field, place, from_text
        self.check, _, self.blank = KINDS[field["kind"]]
        self.errors: list[FieldError] = []

    def read(self, values: list[Any], skipped: Set[int]) -> np.ndarray:
        kind = self.field["kind"]
        if not self.field.get("used", True):
            return np.full(len(values), None, object)
        if self.from_text:
            values = [read_text(value, kind) for value in values]
        found = None if skipped else plain_column(values, self.field)
        if found is not None:
            return found
        checked = [
            self.blank if i in skipped else self.value(i, value)
            for i, value in enumerate(values)
        ]
        return as_column(checked, kind)

    def value(self, i: int, value: Any) -> Any:
        if value is _ABSENT or missing(value):
            if not self.field["missing"]:
                self.fault(
                    i, "is missing, which the model does not accept", "Fill it in"
                )
            return self.blank
        try:
            return self.check(value, self.field)
        except ValueFault as fault:
            self.fault(i, *fault.args)
            return self.blank

    def fault(self, i: int, message: str, fix: str) -> None:
        where = self.place.format(i=i, name=self.field["name"])
        self.errors.append(FieldError(where, message, fix))
        if len(self.errors) >= MAX_FAULTS:
            raise FieldErrors(self.errors)
