"""The fields of a card, and what each may hold: checked before anything reads them.

Whoever can write a file can give it a checksum, so a card is not to be trusted: a reader
that follows one takes types, shapes and names from it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

# A check takes a value and the path that leads to it, and raises _Wrong.
Check = Callable[[Any, str], None]


class _Wrong(Exception):
    """A field that does not hold what it must."""


def first_fault(card: Any) -> str | None:
    """Describe the first field of a card that is wrong; None where all are right."""
    try:
        _card(card, "card")
        for relation in _RELATIONS:
            relation(card)
    except _Wrong as wrong:
        return str(wrong)
    return None


def _fail(path: str, wanted: str, got: Any) -> None:
    shown = repr(got)[:80] if isinstance(got, (str, int, float)) else type(got).__name__
    raise _Wrong(f"{path} must be {wanted}, got {shown}")


# Kinds of checks


def _text(value: Any, path: str) -> None:
    if not isinstance(value, str):
        _fail(path, "a string", value)


def _truth(value: Any, path: str) -> None:
    if not isinstance(value, bool):
        _fail(path, "true or false", value)


def _count(low: int = 0, high: int = 2**31 - 1) -> Check:
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


def _maybe(inner: Check) -> Check:
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
    """Check a dictionary by its keys; others than these are not read by anything."""

    def check(value: Any, path: str) -> None:
        if not isinstance(value, dict):
            _fail(path, "a dictionary", value)
        for name, inner in needed.items():
            if name not in value:
                raise _Wrong(f"{path} lacks {name!r}")
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


def _plain(value: Any, path: str, depth: int = 4) -> None:
    """Numbers and strings, in lists and dictionaries of a few levels."""
    if depth == 0:
        raise _Wrong(f"{path} is nested too deeply")
    if isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            _plain(item, path, depth - 1)


# Kinds of values

_MOST_CHARACTERS = 1024  # of a dtype, beyond the longest label


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
    widest = 4 * max(longest, _MOST_CHARACTERS)
    # Some versions of NumPy count a huge width as a negative one.
    if dtype.kind == "U" and not 0 <= dtype.itemsize <= widest:
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


# The table. Fields that later versions add are optional, so that older files are read.

_INPUT = _fields(
    {
        "name": _text,
        "columns": _list(_count()),
        "dtype": _one_of("float32", "float64", "int64", "bool", "uint8", "string"),
    },
    {"row_shape": _list(_maybe(_count()))},
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
        "channels": _maybe(_one_of("first", "last")),
        "analyzer": _maybe(_text),
        "n_channels": _maybe(_count()),
    }
)
_METHODS = {
    "classifier": ("predict", "predict_proba", "decision_function"),
    "regressor": ("predict", "std"),
    "transformer": ("transform", "predict", "score_samples"),
}
_card = _fields(
    {
        "format": _count(1),
        "package_version": _text,
        "estimator": _text,
        "task": _one_of(*_METHODS),
        "n_features_in": _maybe(_count()),
        "feature_names_in": _maybe(_list(_text)),
        "sequences": _maybe(_SEQUENCES),
        "pixels": _maybe(_truth),
        "by_step": _truth,
        "inputs": _list(_INPUT, at_least=1),
        "missing": _text,
        "classes": _maybe(_either(_list(_classes, at_least=1), _classes)),
        "class_numbers": _truth,
        "multilabel": _truth,
        "outputs": _mapping(_ROLE),
        "target": _maybe(
            _fields(
                {"ndim": _count(1, 3), "dtype": _dtype("biuf")},
                {"quantiles": _maybe(_list(_scalar))},
            )
        ),
        "feature_names_out": _maybe(_list(_text)),
        "receipt": _mapping(_plain),
    },
    {
        "optional_columns": _list(_count()),
        "refusals": _maybe(_ROLE),
        "missing_is_looked_up": _truth,
    },
)


# What fields say of one another


def _check_features(card: dict[str, Any]) -> None:
    width, names = card["n_features_in"], card["feature_names_in"]
    if (width is None) != (card["sequences"] is not None):
        raise _Wrong(
            "card.n_features_in must be missing for sequences, and for these only"
        )
    if names is not None and len(names) != width:
        raise _Wrong(
            f"card.feature_names_in has {len(names)} names for {width} features"
        )
    places = [j for part in card["inputs"] for j in part["columns"]]
    places += card.get("optional_columns", [])
    if places and max(places) >= (width or 0):
        raise _Wrong(f"card.inputs takes column {max(places)} of {width} features")


def _check_inputs(card: dict[str, Any]) -> None:
    parts = card["inputs"]
    names = [part["name"] for part in parts]
    if len(set(names)) < len(names):
        raise _Wrong("card.inputs has a name twice")
    form = card["sequences"]
    if form is not None:
        whole = form["kind"] in ("text", "document")
        wanted = ["X"] if whole else ["X", "lengths"]
        if names != wanted or (wanted[1:] and parts[1]["dtype"] != "int64"):
            raise _Wrong(f"card.inputs of sequences must be {', '.join(wanted)}")
        return
    flat = [bool(part["columns"]) for part in parts]
    several = len(parts) == 1 and "row_shape" in parts[0] and not flat[0]
    if not several and (not all(flat) or any("row_shape" in part for part in parts)):
        raise _Wrong("card.inputs must have columns, or be one input with a row_shape")
    places = [j for part in parts for j in part["columns"]]
    if len(set(places)) < len(places):
        raise _Wrong("card.inputs takes a column twice")
    pixels = card["pixels"]
    if pixels is not None and pixels != (parts[0]["dtype"] == "uint8"):
        raise _Wrong("card.pixels must say whether the input is of uint8")


def _check_outputs(card: dict[str, Any]) -> None:
    task, roles = card["task"], card["outputs"]
    strange = sorted(set(roles) - set(_METHODS[task]))
    if strange or _METHODS[task][0] not in roles:
        raise _Wrong(f"card.outputs must hold methods of a {task}, got {sorted(roles)}")
    for name, role in roles.items():
        if ("names" in role) != (role.get("form") == "columns"):
            raise _Wrong(f"card.outputs.{name} must have names for the form columns")
    if roles.get("predict", {}).get("form", "tensor") != "tensor":
        raise _Wrong("card.outputs.predict must have the form tensor")


def _check_task(card: dict[str, Any]) -> None:
    for field, task in {"classes": "classifier", "target": "regressor"}.items():
        if (card[field] is not None) != (card["task"] == task):
            raise _Wrong(f"card.{field} must belong to a {task}, and to it only")
    lists = isinstance(card["classes"], list)
    form = card["outputs"].get("predict_proba", {}).get("form", "tensor")
    if lists != (form == "sequence") and "predict_proba" in card["outputs"]:
        raise _Wrong("card.classes must be a list where probabilities are one")


_RELATIONS: Sequence[Callable[[dict[str, Any]], None]] = (
    _check_features,
    _check_inputs,
    _check_outputs,
    _check_task,
)
