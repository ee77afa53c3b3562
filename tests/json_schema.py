"""The part of JSON Schema that the server writes, checked value by value."""

TYPES = {
    "null": lambda v: v is None,
    "boolean": lambda v: isinstance(v, bool),
    "string": lambda v: isinstance(v, str),
    "array": lambda v: isinstance(v, list),
    "object": lambda v: isinstance(v, dict),
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    "integer": lambda v: (
        isinstance(v, (int, float)) and not isinstance(v, bool) and v == int(v)
    ),
}
NOTES = {"description", "default", "examples", "format", "contentEncoding"}


def same(a, b):
    return a == b and isinstance(a, bool) == isinstance(b, bool)


def is_valid(value, schema, root):
    """Whether a value fits a schema; an unknown keyword is an error of the test."""
    if isinstance(schema, bool):
        return schema
    return all(RULES[key](value, schema, root) for key in schema if key not in NOTES)


def _type(value, schema, root):
    kinds = schema["type"]
    kinds = [kinds] if isinstance(kinds, str) else kinds
    return any(TYPES[kind](value) for kind in kinds)


def _ref(value, schema, root):
    found = root
    for part in schema["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return is_valid(value, found, root)


def _properties(value, schema, root):
    if not isinstance(value, dict):
        return True
    known = schema.get("properties", {})
    other = schema.get("additionalProperties", True)
    return all(is_valid(v, known.get(k, other), root) for k, v in value.items())


def _items(value, schema, root):
    if not isinstance(value, list):
        return True
    first, rest = schema.get("prefixItems", []), schema.get("items", True)
    return all(
        is_valid(v, first[i] if i < len(first) else rest, root)
        for i, v in enumerate(value)
    )


def _bound(kinds, measure, fits):
    return lambda key: (
        lambda value, schema, root: (
            not isinstance(value, kinds)
            or isinstance(value, bool)
            or fits(measure(value), schema[key])
        )
    )


_of_numbers = (int, float)
RULES = {
    "type": _type,
    "$ref": _ref,
    "enum": lambda v, s, root: any(same(v, one) for one in s["enum"]),
    "const": lambda v, s, root: same(v, s["const"]),
    "anyOf": lambda v, s, root: any(is_valid(v, one, root) for one in s["anyOf"]),
    "oneOf": lambda v, s, root: sum(is_valid(v, one, root) for one in s["oneOf"]) == 1,
    "properties": _properties,
    "additionalProperties": _properties,
    "items": _items,
    "prefixItems": _items,
    "required": lambda v, s, root: (
        not isinstance(v, dict) or all(name in v for name in s["required"])
    ),
    "minItems": _bound(list, len, int.__ge__)("minItems"),
    "maxItems": _bound(list, len, int.__le__)("maxItems"),
    "minProperties": _bound(dict, len, int.__ge__)("minProperties"),
    "maxProperties": _bound(dict, len, int.__le__)("maxProperties"),
    "minimum": _bound(_of_numbers, lambda v: v, lambda a, b: a >= b)("minimum"),
    "maximum": _bound(_of_numbers, lambda v: v, lambda a, b: a <= b)("maximum"),
}
