"""Rows of a CSV as text, and results as a CSV."""

import csv
import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from sklearn_deep.serving.fields._errors import FieldError, FieldErrors
from sklearn_deep.serving.page._answers import flat

_DELIMITERS = ",;\t"


class CsvRows(NamedTuple):
    """The columns of a CSV.

    Attributes
    ----------
    columns : dict of str to list of str
        Those of the model.
    n_rows : int
    ignored : list of str
        Names of other columns.
    """

    columns: dict[str, list[str]]
    n_rows: int
    ignored: list[str]


def read_csv(
    text: str, known: Sequence[str], check_rows: Callable[[int], None]
) -> CsvRows:
    """Read a CSV whose first line has the names of columns.

    The delimiter is the one of comma, semicolon and tab that gives most known columns.

    Raises
    ------
    FieldErrors
    """
    lines = _lines(text.removeprefix("\ufeff"), known)
    if len(lines) < 2:
        raise _fault(
            "csv", "has no rows", "Paste a line of column names, and a line per row"
        )
    names, rows = [name.strip() for name in lines[0]], lines[1:]
    check_rows(len(rows))
    _check(names, rows, known)
    wanted = set(known)
    columns = {
        name: [row[j] for row in rows] for j, name in enumerate(names) if name in wanted
    }
    ignored = [name for name in names if name not in columns]
    return CsvRows(columns, len(rows), ignored)


def _lines(text: str, known: Sequence[str]) -> list[list[str]]:
    first = text.lstrip().partition("\n")[0]
    wanted = set(known)

    def n_known(delimiter: str) -> int:
        names = next(csv.reader([first], delimiter=delimiter), [])
        return len(wanted.intersection(name.strip() for name in names))

    try:
        best = max(_DELIMITERS, key=n_known)
        reader = csv.reader(io.StringIO(text.lstrip()), delimiter=best, strict=True)
        return [row for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise _fault("csv", f"cannot be read: {error}", "Check its quotes") from None


def _check(names: list[str], rows: list[list[str]], known: Sequence[str]) -> None:
    counts = Counter(names)
    doubled = [name for name in known if counts[name] > 1]
    if doubled:
        raise _fault("csv", f"has the column {doubled[0]!r} twice", "Drop one of them")
    if not set(names).intersection(known):
        listed = ", ".join(map(repr, known[:10]))
        raise _fault(
            "csv",
            "has no column of the model in its first line",
            f"Columns are {listed}",
        )
    errors = [
        FieldError(
            f"rows[{i}]",
            f"has {len(row)} cells, and the first line {len(names)}",
            "Write a cell for each column",
        )
        for i, row in enumerate(rows)
        if len(row) != len(names)
    ]
    if errors:
        raise FieldErrors(errors)


def _fault(field: str, message: str, fix: str) -> FieldErrors:
    return FieldErrors([FieldError(field, message, fix)])


def write_csv(
    inputs: Mapping[str, Sequence[str]], rows: Sequence[Mapping[str, Any]]
) -> str:
    """Results as a CSV: what was asked, and what was predicted."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    predictions = [flat(row) for row in rows]
    names = list(predictions[0])
    writer.writerow([*inputs, *names])
    for i, one in enumerate(predictions):
        cells = [_cell(one[name]) for name in names]
        writer.writerow([*(column[i] for column in inputs.values()), *cells])
    return stream.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return " ".join(map(str, value)) if isinstance(value, list) else value
