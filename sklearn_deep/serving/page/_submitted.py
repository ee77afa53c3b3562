"""What a form sends: its values, and the row they make."""

import json
from collections.abc import Mapping
from email.message import Message
from email.parser import Parser
from typing import Any
from urllib.parse import parse_qsl

from sklearn_deep.serving.fields._errors import FieldError, FieldErrors
from sklearn_deep.serving.fields._fields import fields_of
from sklearn_deep.serving.fields._images import ImageForm, image_form, read_image
from sklearn_deep.serving.fields._rows import rows_to_X
from sklearn_deep.serving.page._form import input_name

_MAX_VALUES = 1000
_MAX_PARTS = 100
_MAX_HEAD = 4096  # bytes of the header of a part
_MAX_ECHOED = 2**20  # characters of a value that a form is filled with again

Values = dict[str, Any]


def read_form(body: bytes, content_type: str) -> Values:
    """Values of a form by the name of the input: text, and bytes of files.

    Raises
    ------
    ValueError
        If the body is no form.
    """
    if content_type.partition(";")[0].strip().lower() == "multipart/form-data":
        return _read_multipart(body, content_type)
    pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MAX_VALUES)
    return dict(pairs)


def _read_multipart(body: bytes, content_type: str) -> Values:
    boundary = _header(f"Content-Type: {content_type}").get_boundary()
    if not boundary:
        raise ValueError("The form has no boundary.")
    # The first delimiter has no line before it.
    parts = (b"\r\n" + body).split(b"\r\n--" + boundary.encode(), _MAX_PARTS + 1)
    if len(parts) > _MAX_PARTS:
        raise ValueError("The form has too many parts.")
    found: Values = {}
    for part in parts[1:]:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        header = _header(head[:_MAX_HEAD].decode())
        name = header.get_param("name", header="content-disposition")
        if isinstance(name, str):
            is_file = header.get_filename() is not None
            found[name] = content if is_file else content.decode()
    return found


def _header(text: str) -> Message:
    return Parser().parsestr(text.strip() + "\r\n\r\n", headersonly=True)


def submitted_row(metadata: dict[str, Any], values: Values) -> Any:
    """The row of a form, as the readers of a file take it.

    Raises
    ------
    FieldErrors
        Their fields are names of inputs; "" is the whole form.
    """
    fields, image = fields_of(metadata), image_form(metadata)
    if fields is not None:
        return _table_row(metadata, fields, values)
    if image is not None:
        return _image_row(image, values)
    try:
        return rows_to_X(metadata, [_from_text(metadata, str(values.get("text", "")))])
    except FieldErrors as error:
        raise _renamed(error, lambda field: "text") from None


def _table_row(
    metadata: dict[str, Any], fields: list[dict[str, Any]], values: Values
) -> Any:
    row = {
        field["name"]: str(values.get(input_name(j), ""))
        for j, field in enumerate(fields)
    }
    inputs = {f"rows[0].{f['name']}": input_name(j) for j, f in enumerate(fields)}
    try:
        return rows_to_X(metadata, [row], from_text=True)
    except FieldErrors as error:
        raise _renamed(error, lambda field: inputs.get(field, "")) from None


def _renamed(error: FieldErrors, name: Any) -> FieldErrors:
    return FieldErrors(
        [FieldError(name(e.field), e.message, e.fix) for e in error.errors]
    )


def _image_row(form: ImageForm, values: Values) -> Any:
    content = values.get("image") or values.get("file")
    if not content:
        raise FieldErrors(
            [FieldError("", "There is no image", "Draw one, or choose a file")]
        )
    try:
        row = read_image(content, form, "", None if form.bytes else _range(values))
    except FieldError as error:
        text = FieldError("", f"The image {error.message}", error.fix)
        raise FieldErrors([text]) from None
    return row[None]


def _range(values: Values) -> tuple[float, float]:
    try:
        found = float(values.get("black", "0")), float(values.get("white", "1"))
    except ValueError:
        found = float("nan"), 0.0
    if not all(abs(number) < 1e30 for number in found):
        fault = FieldError("", "Black and white must be numbers", "Such as 0 and 1")
        raise FieldErrors([fault])
    return found


def _from_text(metadata: dict[str, Any], text: str) -> Any:
    """The row that a text area holds."""
    sequences, part = metadata["sequences"], metadata["inputs"][0]
    kind = "" if sequences is None else sequences["kind"]
    if kind in ("text", "document"):
        return text.replace("\r\n", "\n")
    if kind == "tokens":
        tokens = text.split()
        return tokens if part["dtype"] == "string" else [_int(t) for t in tokens]
    if kind == "" and len(part["row_shape"]) > 2:
        return _of_json(text)
    lines = [
        line.replace(",", " ").split() for line in text.splitlines() if line.strip()
    ]
    steps = [[_float(cell) for cell in line] for line in lines]
    single = kind == "" and len(part["row_shape"]) == 1
    return [number for step in steps for number in step] if single else steps


def _of_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise _not_read("must be nested lists", "Such as [[1, 2], [3, 4]]") from None


def _int(text: str) -> int:
    if not text.lstrip("-").isdigit() or len(text) > 18:
        raise _not_read(f"has the token {text[:40]!r}", "Pass integers")
    return int(text)


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise _not_read(
            f"has {text[:40]!r}, which is no number", "Pass numbers"
        ) from None


def _not_read(message: str, fix: str) -> FieldErrors:
    return FieldErrors([FieldError("text", message, fix)])


def echoed(values: Mapping[str, Any]) -> dict[str, str]:
    """What the form is filled with again: text, not files, and not the longest."""
    return {
        name: value
        for name, value in values.items()
        if isinstance(value, str) and len(value) <= _MAX_ECHOED
    }
