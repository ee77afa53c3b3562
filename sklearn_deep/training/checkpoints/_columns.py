"""Rows of numbers, such as a history, as columns: arrays are quick to write and to read."""

from typing import Any

import numpy as np

_DTYPES = {float: np.float64, int: np.int64}

Arrays = dict[str, np.ndarray]


def split(numbers: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], Arrays]:
    """Numbers without their tables, what remains of these, and their columns.

    A table is a list of dicts with the same keys.
    """
    plain: dict[str, Any] = {}
    tables: dict[str, Any] = {}
    arrays: Arrays = {}
    for name, value in numbers.items():
        if _is_table(value):
            columns = _columns(name, value)
            arrays |= columns
            tables[name] = _rest(name, value, columns)
        else:
            plain[name] = value
    return plain, tables, arrays


def join(
    plain: dict[str, Any], tables: dict[str, Any], arrays: Arrays
) -> dict[str, Any]:
    """Invert ``split``; the columns are taken out of the arrays."""
    return {
        **plain,
        **{name: _rows(name, rest, arrays) for name, rest in tables.items()},
    }


def _is_table(value: Any) -> bool:
    if not (type(value) is list and value and all(type(row) is dict for row in value)):
        return False
    keys = list(value[0])
    of_text = bool(keys) and all(type(key) is str for key in keys)
    return of_text and all(list(row) == keys for row in value)


def _columns(name: str, rows: list[dict[str, Any]]) -> Arrays:
    """The columns whose values are all of one type that an array holds."""
    found = {}
    for key in rows[0]:
        column = [row[key] for row in rows]
        kinds = set(map(type, column))
        dtype = _DTYPES.get(kinds.pop()) if len(kinds) == 1 else None
        if dtype is not None and (dtype is np.float64 or _are_small(column)):
            found[f"{name}:{key}"] = np.array(column, dtype)
    return found


def _are_small(integers: list[int]) -> bool:
    return all(-(2**63) <= value < 2**63 for value in integers)


def _rest(name: str, rows: list[dict[str, Any]], columns: Arrays) -> list[Any]:
    """Each key in order, with its values where they are no column."""
    return [
        [key, None if f"{name}:{key}" in columns else [row[key] for row in rows]]
        for key in rows[0]
    ]


def _rows(name: str, rest: list[Any], arrays: Arrays) -> list[dict[str, Any]]:
    keys = [key for key, _ in rest]
    columns = [
        arrays.pop(f"{name}:{key}").tolist() if values is None else values
        for key, values in rest
    ]
    return [dict(zip(keys, row, strict=True)) for row in zip(*columns, strict=True)]
