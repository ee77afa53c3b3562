"""JSON whose floats come back to the same bits, those that are not finite included."""

import json
import math
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

# Key of a dict that stands for a float by the bits of its IEEE 754 form.
_BITS = "float64"


def to_json(value: Any) -> bytes:
    """A value of numbers, strings, booleans, None, lists and dicts as JSON.

    Raises
    ------
    TypeError
        For a value of another type.
    """
    return json.dumps(_plain(value), allow_nan=False, separators=(",", ":")).encode()


def from_json(text: bytes) -> Any:
    """The value; tuples are lists now.

    Raises
    ------
    ValueError
        Where it is no such JSON.
    """
    return json.loads(text, object_hook=_restored)


# Types that JSON has, but for those in other values.
_AS_THEY_ARE = {type(None), bool, int, str}


def _plain(value: Any) -> Any:
    kind = type(value)
    if kind in _AS_THEY_ARE or (kind is float and math.isfinite(value)):
        return value  # nearly all values: a history has hundreds
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return {_BITS: struct.pack(">d", value).hex()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _plain(item) for key, item in value.items()}
    raise TypeError(f"a state holds no {type(value).__name__}: {value!r}")


def _restored(found: dict[str, Any]) -> Any:
    if set(found) != {_BITS}:
        return found
    (number,) = struct.unpack(">d", bytes.fromhex(found[_BITS]))
    return number
