"""Statistics as text between machines: JSON, perhaps compressed, and no code."""

import json
import zlib
from typing import Any

import numpy as np

_ARRAY = "array"


def to_text(value: Any) -> str:
    """Statistics as JSON; floats keep all their digits."""
    return json.dumps(_plain(value))


def from_text(text: str) -> Any:
    """Invert ``to_text``."""
    return json.loads(text, object_hook=_restored)


def to_bytes(text: str) -> bytes:
    """Text as bytes, compressed by zlib."""
    return zlib.compress(text.encode())


def from_bytes(data: bytes) -> str:
    """Invert ``to_bytes``."""
    return zlib.decompress(data).decode()


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, np.ndarray):
        return {_ARRAY: value.tolist(), "dtype": value.dtype.name}
    return value.item() if isinstance(value, np.generic) else value


def _restored(value: dict[str, Any]) -> Any:
    if value.keys() == {_ARRAY, "dtype"}:
        return np.array(value[_ARRAY], dtype=value["dtype"])
    return value
