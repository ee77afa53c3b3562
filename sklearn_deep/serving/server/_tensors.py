"""Tensors of the Open Inference Protocol, in JSON and in bytes, as arrays and back."""

import struct
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from sklearn_deep.serving.server._errors import BadRequestError
from sklearn_deep.serving.server._scope import Buffer
from sklearn_deep.serving.server._specs import DTYPES, TensorSpec

# Kinds of NumPy's guess that a datatype takes without loss.
_KINDS = {"b": "b", "i": "iu", "u": "iu", "f": "fiu"}
_LENGTH = struct.Struct("<I")


def check_shape(spec: TensorSpec, datatype: Any, shape: Any) -> tuple[int, ...]:
    """Compare a tensor of a request with an input of the model.

    Returns
    -------
    shape : tuple of int
        A column may come without its axis of length 1.

    Raises
    ------
    BadRequestError
    """
    if datatype != spec.datatype:
        raise BadRequestError(
            f"The input {spec.name!r} has datatype {datatype!r:.40}; the model takes"
            f" {spec.datatype}."
        )
    sides = isinstance(shape, Sequence) and not isinstance(shape, str)
    if not sides or not all(type(n) is int and 0 <= n < 2**31 for n in shape):
        raise BadRequestError(
            f"The shape of the input {spec.name!r} must be a list of integers from 0, got"
            f" {shape!r:.80}."
        )
    found = tuple(shape)
    if spec.shape == (-1, 1) and len(found) == 1:
        found = (found[0], 1)
    fits = len(found) == len(spec.shape) and all(
        wanted in (-1, n) for n, wanted in zip(found, spec.shape, strict=True)
    )
    if not fits:
        raise BadRequestError(
            f"The input {spec.name!r} has shape {list(shape)!r:.80}; the model takes"
            f" {list(spec.shape)}, where -1 is any length."
        )
    return found


# JSON


def array_of_json(
    spec: TensorSpec, shape: tuple[int, ...], data: Any, missing: str
) -> np.ndarray:
    """Make an array from flat or nested lists.

    Parameters
    ----------
    missing : str
        What null becomes in a tensor of strings; in one of floats it becomes NaN.

    Raises
    ------
    BadRequestError
    """
    if not isinstance(data, list):
        raise BadRequestError(f"The input {spec.name!r} lacks a list, its data.")
    dtype = DTYPES[spec.datatype]
    if dtype.kind == "O":
        found = _strings(spec, data, missing)
    else:
        found = _numbers(spec, data, dtype)
    if found.size != prod(shape):
        raise BadRequestError(
            f"The input {spec.name!r} has {found.size} elements, but the shape"
            f" {list(shape)}."
        )
    return found.reshape(shape)


def _numbers(spec: TensorSpec, data: list[Any], dtype: np.dtype) -> np.ndarray:
    try:
        guess = np.array(data)
        if guess.dtype.kind == "O" and dtype.kind == "f":
            guess = np.array([_number_or_nan(v) for v in guess.ravel()], float)
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise _not_of_type(spec) from None
    if guess.dtype.kind not in _KINDS[dtype.kind] and guess.size:
        raise _not_of_type(spec)
    if dtype.kind in "iu" and guess.size:
        _check_range(spec, guess, np.iinfo(dtype))
    with np.errstate(over="ignore"):  # infinite in float32, as in an estimator's rows
        return np.ascontiguousarray(guess, dtype)


def _number_or_nan(value: Any) -> float:
    if value is None:
        return np.nan
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError
    return float(value)


def _check_range(spec: TensorSpec, values: np.ndarray, limits: np.iinfo) -> None:
    if int(values.max()) > limits.max or int(values.min()) < limits.min:
        raise BadRequestError(
            f"The input {spec.name!r} has numbers that do not fit into {spec.datatype}."
        )


def _not_of_type(spec: TensorSpec) -> BadRequestError:
    return BadRequestError(
        f"The data of the input {spec.name!r} must be a list, flat or of its shape, of"
        f" values of {spec.datatype}."
    )


def _strings(spec: TensorSpec, data: list[Any], missing: str) -> np.ndarray:
    try:
        values = np.array(data, object).ravel()
    except (ValueError, RecursionError):
        raise _not_of_type(spec) from None
    for k, value in enumerate(values):
        if value is None:
            values[k] = missing
        elif not isinstance(value, str):
            raise _not_of_type(spec)
    return values


def json_of_array(array: np.ndarray) -> list[Any]:
    """A flat list; NaN and infinite numbers, which JSON lacks, become null."""
    flat = array.ravel()
    if flat.dtype.kind != "f" or np.isfinite(flat).all():
        return flat.tolist()
    return [value if np.isfinite(value) else None for value in flat.tolist()]


# Bytes


def array_of_bytes(
    spec: TensorSpec, shape: tuple[int, ...], data: Buffer
) -> np.ndarray:
    """View bytes as an array, without a copy; strings are decoded.

    Raises
    ------
    BadRequestError
    """
    dtype = DTYPES[spec.datatype]
    if dtype.kind == "O":
        return strings_of_bytes(spec, data, prod(shape)).reshape(shape)
    if len(data) != prod(shape) * dtype.itemsize:
        raise BadRequestError(
            f"The input {spec.name!r} has {len(data)} bytes; its shape {list(shape)} of"
            f" {spec.datatype} takes {prod(shape) * dtype.itemsize}."
        )
    array = np.frombuffer(data, dtype)
    if dtype.kind == "b" and (array.view(np.uint8) > 1).any():
        raise BadRequestError(f"The input {spec.name!r} has bytes other than 0 and 1.")
    array = array.reshape(shape)
    return array if array.flags.aligned else array.copy()


def strings_of_bytes(spec: TensorSpec, data: Buffer, n: int) -> np.ndarray:
    """Decode strings, each behind its length in 4 bytes."""
    if 4 * n > len(data):
        raise _bad_strings(spec)
    out, offset, view = np.empty(n, object), 0, memoryview(data)
    try:
        for k in range(n):
            (length,) = _LENGTH.unpack_from(view, offset)
            offset += 4
            if offset + length > len(view):
                raise _bad_strings(spec)
            out[k] = str(view[offset : offset + length], "utf-8")
            offset += length
    except (struct.error, UnicodeDecodeError):
        raise _bad_strings(spec) from None
    if offset != len(view):
        raise _bad_strings(spec)
    return out


def _bad_strings(spec: TensorSpec) -> BadRequestError:
    return BadRequestError(
        f"The bytes of the input {spec.name!r} must be strings in UTF-8, each behind its"
        " length in 4 bytes, little-endian, and as many as its shape has."
    )


def bytes_of_array(array: np.ndarray) -> Buffer:
    """The bytes of an array; without a copy, but for strings."""
    if array.dtype.kind != "O":
        return np.ascontiguousarray(array).data.cast("B")
    parts = []
    for value in array.ravel():
        encoded = str(value).encode()
        parts += [_LENGTH.pack(len(encoded)), encoded]
    return b"".join(parts)


def datatype_of(array: np.ndarray) -> str:
    """Datatype of an array that a graph has computed."""
    return _DATATYPES.get(array.dtype, "BYTES")


_DATATYPES = {dtype: name for name, dtype in DTYPES.items()}
