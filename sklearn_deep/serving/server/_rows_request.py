"""Requests of rows: strict JSON, and the rows in it in the form that a model takes."""

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sklearn_deep.serving.fields._errors import FieldError, FieldErrors
from sklearn_deep.serving.fields._fields import fields_of
from sklearn_deep.serving.fields._images import ImageForm, image_form, read_image
from sklearn_deep.serving.fields._rows import columns_to_X, rows_to_X
from sklearn_deep.serving.server._errors import BadRequestError

_KEYS = ("rows", "columns", "image_range")
# Numbers that may be infinite as a float: only then every number is looked at.
_MAY_OVERFLOW = re.compile(rb"[0-9]{300}|[eE]\+?[0-9]{3}")


@dataclass(frozen=True)
class RowsRequest:
    """Rows in the form that a model takes.

    Parameters
    ----------
    X : Columns, ndarray or list
    n_rows : int
    by_column : bool
        Whether they came as columns.
    """

    X: Any
    n_rows: int
    by_column: bool


def parse_strictly(body: bytes) -> dict[str, Any]:
    """Parse a JSON object; NaN, infinite numbers and doubled keys are errors.

    Raises
    ------
    BadRequestError
    """
    hooks: dict[str, Any] = {
        "object_pairs_hook": _as_object,
        "parse_constant": _refuse_constant,
    }
    if _MAY_OVERFLOW.search(body):
        hooks["parse_float"] = _finite
    try:
        request = json.loads(body.decode(), **hooks)
    except RecursionError:
        raise BadRequestError("The body is nested too deeply.") from None
    except UnicodeDecodeError:
        raise BadRequestError("The body is not valid UTF-8.") from None
    except ValueError as error:
        raise BadRequestError(f"The body is not valid JSON: {error}"[:300]) from None
    if not isinstance(request, dict):
        raise BadRequestError(
            'The body must be a JSON object, such as {"rows": [...]}.'
        )
    return request


def _as_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        doubled = next(key for key, n in counts.items() if n > 1)
        raise BadRequestError(
            f"An object of the body has the key {doubled!r:.100} twice."
        )
    return found


def _refuse_constant(text: str) -> float:
    raise BadRequestError(f"{text} is not JSON. Pass null for a missing value.")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise BadRequestError(f"The number {text!r:.40} is too large.")
    return value


def read_rows(
    body: bytes, metadata: dict[str, Any], check_rows: Callable[[int], None]
) -> RowsRequest:
    """Read the rows of a request.

    Parameters
    ----------
    body : bytes
        ``{"rows": [...]}`` or ``{"columns": {...}}`` in JSON.
    metadata : dict
        Of the model.
    check_rows : callable
        Raises for too many rows; called before they are converted.

    Raises
    ------
    BadRequestError
        If the body is not such JSON.
    FieldErrors
        All faults of the rows.
    """
    request = parse_strictly(body)
    _check_keys(request)
    by_column = "columns" in request
    given = request["columns" if by_column else "rows"]
    n_rows = _count(given, by_column)
    check_rows(n_rows)
    given = _with_images(given, request.get("image_range"), metadata)
    given = given if by_column else _by_name(given, metadata)
    X = (columns_to_X if by_column else rows_to_X)(metadata, given)
    return RowsRequest(X, n_rows, by_column)


def _check_keys(request: dict[str, Any]) -> None:
    errors = [
        FieldError(f"{key:.100}", "is no part of a request", f"Leave it out; {_FORM}")
        for key in request
        if key not in _KEYS
    ]
    if ("rows" in request) == ("columns" in request):
        what = "stand beside columns" if "rows" in request else "are missing"
        errors.append(FieldError("rows", what, f"Pass either of them; {_FORM}"))
    if errors:
        raise FieldErrors(errors)


_FORM = 'a request is {"rows": [{"age": 31}]} or {"columns": {"age": [31]}}'


def _count(given: Any, by_column: bool) -> int:
    if not by_column:
        return len(given) if isinstance(given, list) else 0
    columns = given.values() if isinstance(given, dict) else ()
    return max((len(c) for c in columns if isinstance(c, list)), default=0)


def _by_name(rows: Any, metadata: dict[str, Any]) -> Any:
    """Rows of a table that are lists of values, in the order of the columns, by name."""
    fields = fields_of(metadata)
    if fields is None or not isinstance(rows, list) or not _are_lists(rows):
        return rows
    names = [field["name"] for field in fields]
    errors = [
        FieldError(
            f"rows[{i}]",
            f"has {len(row)} values; the model has {len(names)} columns",
            f"Pass a value for each of {', '.join(names[:10])}, or an object by name",
        )
        for i, row in enumerate(rows)
        if len(row) != len(names)
    ]
    if errors:
        raise FieldErrors(errors)
    return [dict(zip(names, row, strict=True)) for row in rows]


def _are_lists(rows: list[Any]) -> bool:
    return bool(rows) and all(isinstance(row, list) for row in rows)


def _with_images(given: Any, value_range: Any, metadata: dict[str, Any]) -> Any:
    """The rows with image files decoded, for a model of images."""
    form = image_form(metadata)
    if value_range is not None:
        _check_range(value_range, form)
    if form is None:
        return given
    if isinstance(given, dict):
        return {
            name: _decoded(items, f"columns.{name:.100}", form, value_range)
            for name, items in given.items()
        }
    return _decoded(given, "rows", form, value_range)


def _check_range(given: Any, form: ImageForm | None) -> None:
    numbers = (
        isinstance(given, list)
        and len(given) == 2
        and all(type(n) in (int, float) and abs(n) < 1e300 for n in given)
    )
    if form is None or form.bytes or not numbers:
        fix = (
            "Pass two numbers, what black and what white are"
            if form is not None and not form.bytes
            else "Leave it out: this model takes no image files with another range"
        )
        raise FieldErrors([FieldError("image_range", "does not fit the model", fix)])


def _decoded(items: Any, where: str, form: ImageForm, value_range: Any) -> Any:
    if not isinstance(items, list):
        return items
    errors, found = [], []
    for i, item in enumerate(items):
        value = next(iter(item.values())) if _is_single(item) else item
        if not isinstance(value, str):
            found.append(value)
            continue
        try:
            found.append(read_image(value, form, f"{where}[{i}]", value_range))
        except FieldError as error:
            errors.append(error)
    if errors:
        raise FieldErrors(errors)
    return found


def _is_single(item: Any) -> bool:
    return isinstance(item, dict) and len(item) == 1
