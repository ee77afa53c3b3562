"""The fields of the metadata and their allowed values, checked before any field is used.

The metadata cannot be trusted, since anyone who writes a file can compute its checksum,
and the readers take types, shapes and names from them.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

# A check takes a value and its path in the metadata, and raises _InvalidField.
Check = Callable[[Any, str], None]


class _InvalidField(Exception):
    """A field has an invalid value."""


def find_invalid_field(metadata: Any) -> str | None:
    """Describe the first invalid field of the metadata; None if all are valid."""
    try:
        _metadata(metadata, "metadata")
        for relation in _RELATIONS:
            relation(metadata)
    except _InvalidField as error:
        return str(error)
    return None


def _fail(path: str, wanted: str, got: Any) -> None:
    shown = repr(got)[:80] if isinstance(got, (str, int, float)) else type(got).__name__
    raise _InvalidField(f"{path} must be {wanted}, got {shown}")


# Checks of single values and of containers


def _text(value: Any, path: str) -> None:
    if not isinstance(value, str):
        _fail(path, "a string", value)


def _boolean(value: Any, path: str) -> None:
    if not isinstance(value, bool):
        _fail(path, "true or false", value)


def _integer(low: int = 0, high: int = 2**31 - 1) -> Check:
    def check(value: Any, path: str) -> None:
        is_int = isinstance(value, int) and not isinstance(value, bool)
        if not is_int or not low <= value <= high:
            _fail(path, f"an integer from {low} to {high}", value)

    return check


def _one_of(*allowed: str) -> Check:
    def check(value: Any, path: str) -> None:
        if not isinstance(value, str) or value not in allowed:
            _fail(path, f"one of {', '.join(allowed)}", value)

    return check


def _optional(inner: Check) -> Check:
    def check(value: Any, path: str) -> None:
        if value is not None:
            inner(value, path)

    return check


def _list(inner: Check, at_least: int = 0) -> Check:
    def check(value: Any, path: str) -> None:
        if not isinstance(value, list) or len(value) < at_least:
            _fail(path, f"a list of {at_least} or more items", value)
        for k, item in enumerate(value):
            inner(item, f"{path}[{k}]")

    return check


def _either(is_list: Check, otherwise: Check) -> Check:
    return lambda value, path: (is_list if isinstance(value, list) else otherwise)(
        value, path
    )


def _fields(
    needed: Mapping[str, Check], optional: Mapping[str, Check] = MappingProxyType({})
) -> Check:
    """Check the values of a dictionary by key; other keys are ignored."""

    def check(value: Any, path: str) -> None:
        if not isinstance(value, dict):
            _fail(path, "a dictionary", value)
        for name, inner in needed.items():
            if name not in value:
                raise _InvalidField(f"{path} lacks {name!r}")
            inner(value[name], f"{path}.{name}")
        for name, inner in optional.items():
            if name in value:
                inner(value[name], f"{path}.{name}")

    return check


def _mapping(inner: Check) -> Check:
    def check(value: Any, path: str) -> None:
        if not isinstance(value, dict):
            _fail(path, "a dictionary", value)
        for name, item in value.items():
            inner(item, f"{path}.{name}")

    return check


def _json_value(value: Any, path: str, depth: int = 4) -> None:
    """Accept numbers and strings, in lists and dictionaries of up to ``depth`` levels."""
    if depth == 0:
        raise _InvalidField(f"{path} is nested too deeply")
    if isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            _json_value(item, path, depth - 1)


# Checks of particular fields

_MAX_CHARACTERS = 1024  # of a string dtype wider than the longest label


def _dtype(kinds: str) -> Check:
    def check(value: Any, path: str) -> None:
        _text(value, path)
        try:
            dtype = np.dtype(value)
        except (TypeError, ValueError, SyntaxError, OverflowError, MemoryError):
            dtype = np.dtype(np.void)
        if dtype.kind not in kinds or dtype.fields or dtype.shape:
            _fail(path, "the name of a dtype of numbers or strings", value)

    return check


def _classes(value: Any, path: str) -> None:
    _fields({"dtype": _dtype("biufUO"), "values": _list(_scalar)})(value, path)
    dtype, values = np.dtype(value["dtype"]), value["values"]
    longest = max([len(v) for v in values if isinstance(v, str)], default=0)
    max_itemsize = 4 * max(longest, _MAX_CHARACTERS)
    # The itemsize of a huge width overflows to a negative one in some versions of NumPy.
    if dtype.kind == "U" and not 0 <= dtype.itemsize <= max_itemsize:
        _fail(f"{path}.dtype", "no wider than its labels", value["dtype"])
    kinds = {isinstance(v, str) for v in values}
    try:
        with np.errstate(all="ignore"):
            same = len(kinds) <= 1 and np.array(values, dtype).tolist() == values
    except (TypeError, ValueError, OverflowError, MemoryError):
        same = False
    if not same:
        _fail(f"{path}.values", f"labels of dtype {dtype.name}", values)


def _scalar(value: Any, path: str) -> None:
    number = isinstance(value, (bool, int, float)) and math.isfinite(value)
    if not number and not isinstance(value, str):
        _fail(path, "a string or a finite number", value)


# The table of fields. Fields added by later versions are optional, so that older files
# can be read.

_TIMES = ("datetime64[us]", "timedelta64[us]")
_INPUT = _fields(
    {
        "name": _text,
        "columns": _list(_integer()),
        "dtype": _one_of(
            "float32", "float64", "int64", "bool", "uint8", "string", *_TIMES
        ),
    },
    {"row_shape": _list(_optional(_integer()))},
)
_ROLE = _fields(
    {"name": _text},
    {
        "form": _one_of("tensor", "columns", "sequence", "zipmap"),
        "names": _list(_text, at_least=1),
    },
)
_SEQUENCES = _fields(
    {
        "kind": _one_of("numbers", "tokens", "text", "document"),
        "owner": _text,
        "channels": _optional(_one_of("first", "last")),
        "analyzer": _optional(_text),
        "n_channels": _optional(_integer()),
    }
)
_METHODS = {
    "classifier": ("predict", "predict_proba", "decision_function"),
    "regressor": ("predict", "std"),
    "transformer": ("transform", "predict", "score_samples"),
    "several": (),  # each task has outputs of its own
}
_TASK = _fields(
    {"name": _text, "predict": _text, "classes": _optional(_classes)},
    {"predict_proba": _text, "dtype": _dtype("biuf")},
)
# One column, as a form shows it.
_FIELD = _fields(
    {
        "name": _text,
        "kind": _one_of(
            "number", "integer", "boolean", "category", "text", "date", "duration"
        ),
        "missing": _boolean,
    },
    {
        "default": _optional(_scalar),
        "min": _scalar,
        "max": _scalar,
        "least": _integer(),
        "most": _integer(),
        "choices": _list(_text),
        "open": _boolean,
        "used": _boolean,
    },
)
# A file that is half of a model; "rest" has the metadata of the other half.
_SPLIT = _fields(
    {"half": _one_of("client", "server"), "id": _text, "at": _text},
    {"rest": _fields({})},
)
_metadata = _fields(
    {
        "format": _integer(1),
        "package_version": _text,
        "estimator": _text,
        "task": _one_of(*_METHODS),
        "n_features_in": _optional(_integer()),
        "feature_names_in": _optional(_list(_text)),
        "sequences": _optional(_SEQUENCES),
        "pixels": _optional(_boolean),
        "by_step": _boolean,
        "inputs": _list(_INPUT, at_least=1),
        "missing": _text,
        "classes": _optional(_either(_list(_classes, at_least=1), _classes)),
        "class_numbers": _boolean,
        "multilabel": _boolean,
        "outputs": _mapping(_ROLE),
        "target": _optional(
            _fields(
                {"ndim": _integer(1, 3), "dtype": _dtype("biuf")},
                {"quantiles": _optional(_list(_scalar))},
            )
        ),
        "feature_names_out": _optional(_list(_text)),
        "receipt": _mapping(_json_value),
    },
    {
        "fields": _optional(_list(_FIELD)),
        "optional_columns": _list(_integer()),
        "split": _optional(_SPLIT),
        "refusals": _optional(_ROLE),
        "missing_is_looked_up": _boolean,
        "tasks": _optional(_list(_TASK, at_least=1)),
    },
)


# Relations between fields


def _check_features(metadata: dict[str, Any]) -> None:
    width, names = metadata["n_features_in"], metadata["feature_names_in"]
    if (width is None) != (metadata["sequences"] is not None):
        raise _InvalidField(
            "metadata.n_features_in must be missing for sequences, and for these only"
        )
    if names is not None and len(names) != width:
        raise _InvalidField(
            f"metadata.feature_names_in has {len(names)} names for {width} features"
        )
    indices = [j for part in metadata["inputs"] for j in part["columns"]]
    indices += metadata.get("optional_columns", [])
    if indices and max(indices) >= (width or 0):
        raise _InvalidField(
            f"metadata.inputs uses column {max(indices)} of {width} features"
        )


def _check_fields(metadata: dict[str, Any]) -> None:
    fields = metadata.get("fields")
    if fields is None:
        return
    width, names = metadata["n_features_in"], metadata["feature_names_in"]
    found = [field["name"] for field in fields]
    if found != (names or [f"x{j}" for j in range(width or 0)]):
        raise _InvalidField("metadata.fields must have one entry per feature, in order")
    for j, field in enumerate(fields):
        if ("least" in field) != ("most" in field):
            raise _InvalidField("metadata.fields must have least and most, or neither")
        if ("choices" in field) != (field["kind"] == "category"):
            raise _InvalidField(
                f"metadata.fields[{j}].choices must be set for a category, and for it only"
            )


def _check_inputs(metadata: dict[str, Any]) -> None:
    parts = metadata["inputs"]
    names = [part["name"] for part in parts]
    if len(set(names)) < len(names):
        raise _InvalidField("metadata.inputs has a duplicate name")
    form = metadata["sequences"]
    if form is not None:
        is_text = form["kind"] in ("text", "document")
        wanted = ["X"] if is_text else ["X", "lengths"]
        if names != wanted or (wanted[1:] and parts[1]["dtype"] != "int64"):
            raise _InvalidField(
                f"metadata.inputs of sequences must be {', '.join(wanted)}"
            )
        return
    flat = [bool(part["columns"]) for part in parts]
    several = len(parts) == 1 and "row_shape" in parts[0] and not flat[0]
    if not several and (not all(flat) or any("row_shape" in part for part in parts)):
        raise _InvalidField(
            "metadata.inputs must have columns, or be one input with a row_shape"
        )
    indices = [j for part in parts for j in part["columns"]]
    if len(set(indices)) < len(indices):
        raise _InvalidField("metadata.inputs uses a column twice")
    pixels = metadata["pixels"]
    if pixels is not None and pixels != (parts[0]["dtype"] == "uint8"):
        raise _InvalidField(
            "metadata.pixels must be true for an input of uint8, and for it only"
        )


def _check_outputs(metadata: dict[str, Any]) -> None:
    task, roles = metadata["task"], metadata["outputs"]
    if (task == "several") != bool(metadata.get("tasks")):
        raise _InvalidField("metadata.tasks must be set for several, and for it only")
    names = [each["name"] for each in metadata.get("tasks") or ()]
    if len(set(names)) < len(names):
        raise _InvalidField(f"metadata.tasks must have names of their own, got {names}")
    unknown = sorted(set(roles) - set(_METHODS[task]))
    if unknown or not roles.keys() >= set(_METHODS[task][:1]):
        raise _InvalidField(
            f"metadata.outputs must contain methods of a {task}, got {sorted(roles)}"
        )
    for name, role in roles.items():
        if ("names" in role) != (role.get("form") == "columns"):
            raise _InvalidField(
                f"metadata.outputs.{name} must have names for the form columns"
            )
    if roles.get("predict", {}).get("form", "tensor") != "tensor":
        raise _InvalidField("metadata.outputs.predict must have the form tensor")


def _check_task(metadata: dict[str, Any]) -> None:
    for field, task in {"classes": "classifier", "target": "regressor"}.items():
        if (metadata[field] is not None) != (metadata["task"] == task):
            raise _InvalidField(
                f"metadata.{field} must be set for a {task}, and for it only"
            )
    lists = isinstance(metadata["classes"], list)
    form = metadata["outputs"].get("predict_proba", {}).get("form", "tensor")
    if lists != (form == "sequence") and "predict_proba" in metadata["outputs"]:
        raise _InvalidField(
            "metadata.classes must be a list where probabilities are one"
        )


_RELATIONS: Sequence[Callable[[dict[str, Any]], None]] = (
    _check_features,
    _check_fields,
    _check_inputs,
    _check_outputs,
    _check_task,
)
