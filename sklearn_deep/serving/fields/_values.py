"""Values of one column, of each kind of field."""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np

from sklearn_deep.data._missing import is_missing

Field = dict[str, Any]


class ValueFault(Exception):
    """A value is not of the kind of its field; the arguments are message and fix."""


def number(value: Any, field: Field) -> float:
    """Take a number; true and false are none."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise _wrong("a number", value, "Pass a number without quotes, such as 1.5")
    try:
        return float(value)
    except OverflowError:
        raise ValueFault("is too large", "Pass a number below 1e308") from None


def integer(value: Any, field: Field) -> int:
    """Take an integer of 64 bits, or a float without a fraction, within the limits."""
    fix = "Pass an integer, such as 3"
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise _wrong("an integer", value, fix)
    if not math.isfinite(value) or value != int(value):
        raise _wrong("an integer", value, fix)
    if not -(2**63) <= value < 2**63:
        raise ValueFault("does not fit into 64 bits", "Pass a smaller integer")
    if "most" in field and not field["least"] <= value <= field["most"]:
        limits = f"from {field['least']} to {field['most']}"
        raise ValueFault(f"must be {limits}, got {value}", f"Pass an integer {limits}")
    return int(value)


def boolean(value: Any, field: Field) -> bool:
    """Take a boolean, or 0 or 1."""
    if not isinstance(value, (bool, int, float)) or value not in (0, 1):
        raise _wrong("true or false", value, "Pass true or false")
    return bool(value)


def text(value: Any, field: Field) -> str:
    """Take a string."""
    if not isinstance(value, str):
        raise _wrong("a string", value, "Put it in quotes")
    return value


def category(value: Any, field: Field) -> str:
    """Take a string; a known one if the model refuses others."""
    text(value, field)
    if not field.get("open", True) and value not in field["choices"]:
        offered = ", ".join(map(repr, field["choices"][:20]))
        raise ValueFault(
            f"is {_shown(value)}, which the model does not know",
            f"Pass one of {offered}",
        )
    return value


def date(value: Any, field: Field) -> np.datetime64:
    """Take a date, or date and time, as ISO 8601 writes it."""
    fix = "Pass a date such as '2024-05-31' or '2024-05-31T18:30:00'"
    if not isinstance(value, str):
        raise _wrong("a date", value, fix)
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        raise _wrong("a date", value, fix) from None
    if found.tzinfo is not None:
        found = found.astimezone(UTC).replace(tzinfo=None)
    return np.datetime64(found, "us")


def duration(value: Any, field: Field) -> np.timedelta64:
    """Take a number of seconds."""
    seconds = number(value, field)
    if not abs(seconds) < 2**63 / 1e6:
        raise ValueFault("is too long", "Pass a number of seconds")
    return np.timedelta64(round(seconds * 1e6), "us")


def _wrong(wanted: str, value: Any, fix: str) -> ValueFault:
    return ValueFault(f"must be {wanted}, got {_shown(value)}", fix)


def _shown(value: Any) -> str:
    names = {True: "true", False: "false"}
    if isinstance(value, bool):
        return names[value]
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    shown = repr(value)
    return shown if len(shown) <= 40 else f"{shown[:37]}..."


# The check of each kind, and the dtype and the missing value of its column.
KINDS: dict[str, tuple[Callable[[Any, Field], Any], str, Any]] = {
    "number": (number, "float64", np.nan),
    "integer": (integer, "int64", 0),
    "boolean": (boolean, "bool", False),
    "text": (text, "object", None),
    "category": (category, "object", None),
    "date": (date, "datetime64[us]", np.datetime64("NaT")),
    "duration": (duration, "timedelta64[us]", np.timedelta64("NaT")),
}

# Types of values that a kind takes without a look at each.
_PLAIN: dict[str, set[type]] = {
    "number": {int, float},
    "boolean": {bool},
    "text": {str},
    "category": {str},
}


def plain_column(values: list[Any], field: Field) -> np.ndarray | None:
    """Make an array of a column whose values are all of its kind; None for others."""
    kind = field["kind"]
    if not _PLAIN.get(kind, set()).issuperset(map(type, values)):
        return None
    if kind == "category" and not field.get("open", True):
        return (
            as_column(values, kind)
            if set(field["choices"]).issuperset(values)
            else None
        )
    try:
        found = as_column(values, kind)
    except OverflowError:
        return None
    return None if kind == "number" and np.isnan(found).any() else found


def as_column(values: list[Any], kind: str) -> np.ndarray:
    """Make an array of checked values."""
    out = np.empty(len(values), KINDS[kind][1])
    out[:] = values
    return out


# Text of a form or a CSV file


def read_text(value: Any, kind: str) -> Any:
    """Read a value from text, as forms and CSV files have it; empty text is missing.

    Text that is not of the kind stays as it is, for the check to refuse.
    """
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    return _READERS.get(kind, lambda text: text)(value)


def _read_number(value: str) -> Any:
    try:
        return float(value) if "_" not in value else value
    except ValueError:
        return value


def _read_integer(value: str) -> Any:
    try:
        return int(value) if "_" not in value else value
    except ValueError:
        return _read_number(value)


def _read_boolean(value: str) -> Any:
    return {"true": True, "false": False, "1": True, "0": False}.get(
        value.strip().lower(), value
    )


_READERS: dict[str, Callable[[str], Any]] = {
    "number": _read_number,
    "integer": _read_integer,
    "boolean": _read_boolean,
    "date": str.strip,
    "duration": _read_number,
}


def missing(value: Any) -> bool:
    """Tell whether a value of a row stands for a missing one."""
    return not isinstance(value, (dict, list)) and is_missing(value)
