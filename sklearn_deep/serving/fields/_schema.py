"""JSON Schema of the rows of a model, from the metadata of its file."""

from typing import Any

from sklearn_deep.serving.fields._fields import fields_of
from sklearn_deep.serving.fields._images import image_form

Schema = dict[str, Any]

_KINDS: dict[str, Schema] = {
    "number": {"type": "number"},
    "integer": {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
    "boolean": {"enum": [True, False, 0, 1]},
    "category": {"type": "string"},
    "text": {"type": "string"},
    "date": {"type": "string", "format": "date-time"},
    "duration": {"type": "number", "description": "Seconds."},
}
_NULL: Schema = {"type": "null"}


def request_schema(metadata: dict[str, Any], max_rows: int) -> Schema:
    """Schema of a request for predictions: its rows, or its columns.

    Parameters
    ----------
    metadata : dict
        Of a file.
    max_rows : int
    """
    fields = fields_of(metadata)
    # More rows are 413, for which a bound in the schema would stand as well as for 422.
    bounds = {"minItems": 1, "description": f"At most {max_rows} rows."}
    if fields is None:
        rows = {"type": "array", "items": item_schema(metadata), **bounds}
        return {"oneOf": [_with_range(_only("rows", rows), metadata)]}
    rows = {
        "anyOf": [
            {"type": "array", "items": row_schema(fields), **bounds},
            {"type": "array", "items": _list_schema(fields), **bounds},
        ]
    }
    return {"oneOf": [_only("rows", rows), _only("columns", _columns(fields, bounds))]}


def _only(name: str, schema: Schema) -> Schema:
    return {
        "type": "object",
        "properties": {name: schema},
        "required": [name],
        "additionalProperties": False,
    }


def _with_range(schema: Schema, metadata: dict[str, Any]) -> Schema:
    form = image_form(metadata)
    if form is not None and not form.bytes:
        schema["properties"]["image_range"] = {
            "type": "array",
            "items": {"type": "number", "minimum": -1e299, "maximum": 1e299},
            "minItems": 2,
            "maxItems": 2,
            "description": "What black and white are, for image files.",
        }
    return schema


# Tables


def row_schema(fields: list[dict[str, Any]]) -> Schema:
    """Schema of one row as an object with a value per column."""
    return {
        "type": "object",
        "properties": {field["name"]: value_schema(field) for field in fields},
        "required": _required(fields),
        "additionalProperties": False,
    }


def _required(fields: list[dict[str, Any]]) -> list[str]:
    return [f["name"] for f in fields if f.get("used", True) and not f["missing"]]


def _list_schema(fields: list[dict[str, Any]]) -> Schema:
    """Schema of a row as a list, in the order of the columns."""
    return {
        "type": "array",
        "prefixItems": [value_schema(field) for field in fields],
        "items": False,
        "minItems": len(fields),
        "maxItems": len(fields),
    }


def _columns(fields: list[dict[str, Any]], bounds: Schema) -> Schema:
    return {
        "type": "object",
        "description": "Lists of equal length.",
        "properties": {
            field["name"]: {"type": "array", "items": value_schema(field), **bounds}
            for field in fields
        },
        "required": _required(fields),
        "minProperties": 1,
        "additionalProperties": False,
    }


def value_schema(field: dict[str, Any]) -> Schema:
    """Schema of a value of one column."""
    if not field.get("used", True):
        return {"description": "Not used by the model."}
    schema = dict(_KINDS[field["kind"]])
    if field["kind"] == "category" and not field.get("open", True):
        schema = {"enum": list(field["choices"])}
    elif field.get("choices"):
        schema["examples"] = list(field["choices"])
    if "most" in field:
        schema |= {"minimum": field["least"], "maximum": field["most"]}
    if field["default"] is not None:
        schema["default"] = field["default"]
    if "min" in field and field["kind"] != "category":
        schema["description"] = (
            f"{field['min']} to {field['max']} in the training rows."
        )
    return {"anyOf": [schema, _NULL]} if field["missing"] else schema


# Images, series, sequences and texts


def item_schema(metadata: dict[str, Any]) -> Schema:
    """Schema of a row that is no row of a table, by itself or in an object."""
    value = _item(metadata)
    named = {
        "type": "object",
        "additionalProperties": value,
        "minProperties": 1,
        "maxProperties": 1,
    }
    return {"anyOf": [value, named]}


def _item(metadata: dict[str, Any]) -> Schema:
    form, part = metadata["sequences"], metadata["inputs"][0]
    if form is not None:
        return _SEQUENCES[form["kind"]](part)
    numbers = _nested(part["row_shape"], _number_of(part["dtype"]))
    if image_form(metadata) is None:
        return numbers
    file = {
        "type": "string",
        "contentEncoding": "base64",
        "description": "A PNG or JPEG file in base64.",
    }
    return {"anyOf": [numbers, file]}


def _tokens(part: dict[str, Any]) -> Schema:
    kind = "string" if part["dtype"] == "string" else "integer"
    return {"type": "array", "items": {"type": kind}}


def _steps(part: dict[str, Any]) -> Schema:
    channels = {"type": "array", "items": {"type": "number"}}
    return {"type": "array", "items": {"anyOf": [{"type": "number"}, channels]}}


_SEQUENCES = {
    "text": lambda part: {"type": "string"},
    "document": lambda part: {"type": "string"},
    "tokens": _tokens,
    "numbers": _steps,
}


def _number_of(dtype: str) -> Schema:
    if dtype == "uint8":
        return {"type": "integer", "minimum": 0, "maximum": 255}
    return {"type": "integer" if dtype == "int64" else "number"}


def _nested(shape: list[int | None], inner: Schema) -> Schema:
    for size in reversed(shape):
        inner = {"type": "array", "items": inner}
        if size is not None:
            inner |= {"minItems": size, "maxItems": size}
    return inner


# Answers


def prediction_schema(metadata: dict[str, Any]) -> Schema:
    """Schema of the answer for one row."""
    if metadata["task"] == "several":
        return _object({"tasks": {"type": "object"}})
    return _object(_ANSWERS[metadata["task"]](metadata))


def _object(properties: dict[str, Schema]) -> Schema:
    return {"type": "object", "properties": properties}


def _of_classifier(metadata: dict[str, Any]) -> dict[str, Schema]:
    classes = metadata["classes"]
    probabilities = {"probabilities": {"type": "object"}}
    if isinstance(classes, list) or metadata["multilabel"]:
        return {"labels": {}, **probabilities}
    label: Schema = {"enum": classes["values"]}
    steps = {"type": "array", "items": label}
    return {"label": steps if metadata["by_step"] else label, **probabilities}


def _of_regressor(metadata: dict[str, Any]) -> dict[str, Schema]:
    if metadata["by_step"]:
        return {"value": {"type": "array"}, "std": {"type": "array"}}
    number = {"type": ["number", "null"]}
    numbers = {"type": "object", "additionalProperties": number}
    return {"value": number, "std": number, "values": numbers, "stds": numbers}


def _of_transformer(metadata: dict[str, Any]) -> dict[str, Schema]:
    return {"columns": {"type": "object"}, "values": {"type": ["array", "null"]}}


_ANSWERS = {
    "classifier": _of_classifier,
    "regressor": _of_regressor,
    "transformer": _of_transformer,
}
