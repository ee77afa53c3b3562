"""The format of a state file.

.. code-block:: text

    8 bytes   magic number
    32 bytes  SHA-256 of all that follows
    4 bytes   version of the format, little-endian like all integers
    8 bytes   length of the header
    header    JSON: key, owner, numbers; what the columns of tables are; name, dtype and
              shape of each array; then spaces
    arrays    raw bytes, C-contiguous, each at a multiple of 64 bytes from the beginning

Nothing in it is code, and nothing is parsed before the checksum has been compared.
"""

import hashlib
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from sklearn_deep.training.checkpoints._columns import join, split
from sklearn_deep.training.checkpoints._json import from_json, to_json
from sklearn_deep.training.checkpoints._run_state import RunState

MAGIC = b"\x93SKDFIT\n"
VERSION = 1
_SIZES = struct.Struct("<IQ")
_START = len(MAGIC) + 32
_ALIGNMENT = 64
_KINDS = "biufc"


class StateFileError(ValueError):
    """A state file cannot be used; the message says why, without its name."""


@dataclass(frozen=True)
class StateHeader:
    """What a state file holds beside its arrays.

    Attributes
    ----------
    key : str
        Fingerprint of the fit.
    owner : str
        Name of the estimator.
    numbers : dict of str
        As in ``RunState``, without tables.
    tables : dict of str
        Tables among the numbers, without the columns that are arrays.
    arrays : list of (name, dtype, shape)
    """

    key: str
    owner: str
    numbers: dict[str, Any]
    tables: dict[str, Any]
    arrays: list[tuple[str, np.dtype, tuple[int, ...]]]


def is_state(file: BinaryIO) -> bool:
    """Whether a file begins as a state file does; the position is not moved."""
    begin = file.read(len(MAGIC))
    file.seek(0)
    return begin == MAGIC


def encode(key: str, owner: str, state: RunState) -> list[Any]:
    """The pieces of a state file, to be written one behind the other.

    Raises
    ------
    TypeError
        For an array of objects or strings, or a number that JSON does not hold.
    """
    numbers, tables, columns = split(state.numbers)
    arrays = {name: np.asarray(a, order="C") for name, a in state.arrays.items()}
    arrays |= columns
    for name, array in arrays.items():
        if array.dtype.kind not in _KINDS:
            raise TypeError(f"a state holds no array of {array.dtype}: {name!r}")
    described = [[name, a.dtype.str, list(a.shape)] for name, a in arrays.items()]
    header = to_json(
        {
            "key": key,
            "owner": owner,
            "numbers": numbers,
            "tables": tables,
            "arrays": described,
        }
    )
    header += b" " * (-(_START + _SIZES.size + len(header)) % _ALIGNMENT)
    body = [_SIZES.pack(VERSION, len(header)), header, *_aligned(arrays.values())]
    return [MAGIC, _sha256(body), *body]


def decode(content: bytearray) -> tuple[StateHeader, RunState]:
    """The state in the content of a state file; arrays are views of the content.

    Raises
    ------
    StateFileError
        Where it is damaged or of another version.
    """
    view = memoryview(content)
    if _sha256([view[_START:]]) != view[len(MAGIC) : _START]:
        raise StateFileError("it is damaged: its checksum differs")
    try:
        return _parse(view[_START:])
    except StateFileError:
        raise
    except Exception as error:
        raise StateFileError(f"its content is invalid: {error}") from error


def _parse(body: memoryview) -> tuple[StateHeader, RunState]:
    header, start = _header(body)
    arrays, place = {}, 0
    for name, dtype, shape in header.arrays:
        place += -place % _ALIGNMENT
        count = int(np.prod(shape, dtype=object))
        flat = np.frombuffer(body, dtype, count, start + place)
        arrays[name] = flat.reshape(shape)
        place += flat.nbytes
    if start + place != len(body):
        raise StateFileError("its length does not fit its content")
    return header, RunState(join(header.numbers, header.tables, arrays), arrays)


def _header(body: memoryview) -> tuple[StateHeader, int]:
    version, length = _SIZES.unpack_from(body)
    if version != VERSION:
        raise StateFileError(
            f"it has format {version}, and this version of sklearn_deep reads {VERSION}"
        )
    end = _SIZES.size + length
    found = from_json(bytes(body[_SIZES.size : end]))
    arrays = [
        (str(name), _dtype(dtype), tuple(map(int, shape)))
        for name, dtype, shape in found["arrays"]
    ]
    header = StateHeader(
        found["key"], found["owner"], found["numbers"], found["tables"], arrays
    )
    negative = any(size < 0 for _, _, shape in arrays for size in shape)
    mappings = header.numbers, header.tables
    if negative or not all(isinstance(each, dict) for each in mappings):
        raise StateFileError("its header is invalid")
    return header, end


def _dtype(name: str) -> np.dtype:
    dtype = np.dtype(name)
    if dtype.kind not in _KINDS:
        raise StateFileError(f"it holds an array of {dtype}")
    return dtype


def _aligned(arrays: Any) -> Iterator[Any]:
    """The bytes of the arrays, with zeros between them."""
    place = 0
    for array in arrays:
        yield bytes(-place % _ALIGNMENT)
        yield array.reshape(-1).view(np.uint8)
        place += -place % _ALIGNMENT + array.nbytes


def _sha256(pieces: Sequence[Any]) -> bytes:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.digest()
