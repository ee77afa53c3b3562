"""Images, series, sequences and texts as people write them: nested lists and strings."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sklearn_deep.serving.fields._errors import FieldError, FieldErrors


def items_to_X(metadata: dict[str, Any], rows: Any, where: str = "rows") -> Any:
    """Convert rows of a model that takes no table.

    Parameters
    ----------
    metadata : dict
    rows : list
        Nested lists of numbers, lists of tokens, or strings; or objects with one value.
    where : str
        Name of ``rows`` in errors.

    Returns
    -------
    X : ndarray of shape (n, *row_shape), or list

    Raises
    ------
    FieldErrors
    """
    if not isinstance(rows, (list, tuple, np.ndarray)) or not len(rows):
        raise FieldErrors([FieldError(where, "has no rows", "Pass at least one row")])
    items = [_value(row) for row in rows]
    form = metadata["sequences"]
    if form is None:
        return _arrays(metadata["inputs"][0], items, where)
    if form["kind"] in ("text", "document"):
        return _texts(items, where)
    return _sequences(items, where)


def _value(row: Any) -> Any:
    """The value of an object such as ``{"X": value}``."""
    if isinstance(row, dict) and len(row) == 1:
        return next(iter(row.values()))
    return row


def _texts(items: Sequence[Any], where: str) -> list[str]:
    errors = [
        FieldError(f"{where}[{i}]", "must be a string", "Put the text in quotes")
        for i, item in enumerate(items)
        if not isinstance(item, str)
    ]
    if errors:
        raise FieldErrors(errors)
    return list(items)


def _sequences(items: Sequence[Any], where: str) -> list[Any]:
    errors = [
        FieldError(f"{where}[{i}]", "must be a list of steps", "Pass a list")
        for i, item in enumerate(items)
        if not isinstance(item, (list, tuple, np.ndarray))
    ]
    if errors:
        raise FieldErrors(errors)
    return [_steps(item) for item in items]


def _steps(item: Any) -> Any:
    """Steps of several channels as an array; tokens stay a list."""
    nested = len(item) and isinstance(item[0], (list, tuple))
    return np.array(item, float) if nested else list(item)


def _arrays(part: dict[str, Any], items: Sequence[Any], where: str) -> np.ndarray:
    shape, errors, found = part["row_shape"], [], []
    for i, item in enumerate(items):
        array = _numbers(item)
        if array is None or not _fits(array, part):
            wanted = " x ".join("any" if n is None else str(n) for n in shape)
            message = f"must hold numbers in the shape {wanted}"
            if part["dtype"] == "uint8":
                message += ", integers from 0 to 255"
            got = "" if array is None else f"; got {' x '.join(map(str, array.shape))}"
            errors.append(
                FieldError(f"{where}[{i}]", message + got, "Pass nested lists")
            )
        else:
            found.append(array)
    if errors:
        raise FieldErrors(errors)
    if len({array.shape for array in found}) > 1:
        fault = FieldError(
            where, "have different lengths", "Pass rows of one length in a request"
        )
        raise FieldErrors([fault])
    return np.stack(found).astype(part["dtype"])


def _numbers(item: Any) -> np.ndarray | None:
    try:
        array = np.asarray(item)
    except ValueError:  # lists of unequal lengths
        return None
    return array if array.dtype.kind in "biuf" else None


def _fits(array: np.ndarray, part: dict[str, Any]) -> bool:
    shape = part["row_shape"]
    same = array.ndim == len(shape) and all(
        wanted in (n, None) for n, wanted in zip(array.shape, shape, strict=True)
    )
    if not same or part["dtype"] != "uint8":
        return same
    return bool(((array >= 0) & (array <= 255) & (array == np.floor(array))).all())
