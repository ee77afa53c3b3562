"""The file: a checksum over its bytes, and the card in its metadata.

Nothing here needs onnx. Protobuf joins messages that are written one after the other,
so the checksum, a metadata entry of its own, is appended to the model that it is for.
"""

import hashlib
import json
from typing import Any

from sklearn_deep.exceptions import OnnxFileError
from sklearn_deep.serving._metadata_fields import first_fault

CARD = "sklearn_deep"
FORMAT = 1
_KEY = b"sklearn_deep.sha256"


def _entry(digest: bytes) -> bytes:
    """Write ``ModelProto(metadata_props=[(key, digest)])`` by hand."""
    pair = b"\x0a" + bytes([len(_KEY)]) + _KEY + b"\x12" + bytes([len(digest)]) + digest
    return b"\x72" + bytes([len(pair)]) + pair  # field 14, length-delimited


_HEAD = _entry(b"0" * 64)[:-64]
_SIZE = len(_HEAD) + 64


def with_checksum(body: bytes) -> bytes:
    """Append a digest of a serialized model to it; the result is a model still."""
    return body + _entry(hashlib.sha256(body).hexdigest().encode())


def has_checksum(data: bytes) -> bool:
    """Tell whether a file ends in a checksum."""
    return data[-_SIZE:-64] == _HEAD


def check_checksum(data: bytes) -> None:
    """Raise where a file is no longer, to the bit, what was sealed.

    Raises
    ------
    OnnxFileError
    """
    intact = hashlib.sha256(data[:-_SIZE]).hexdigest().encode() == data[-64:]
    if not (has_checksum(data) and intact):
        raise OnnxFileError(
            "The file was damaged or changed after it was compared with its estimator."
            " Export it again, or read it as it is with verify=False."
        )


# Top-level fields of ModelProto (onnx.proto3): number -> wire type, 0 a number and 2 a
# run of bytes.
_FIELDS = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}
_GRAPH = 7


def check_framing(data: bytes) -> None:
    """Tell a model from a truncated one and from something else altogether.

    Raises
    ------
    OnnxFileError
    """
    if not data:
        raise OnnxFileError("The file is empty.")
    if data[0] != 0x08:  # ir_version, the first field
        raise _no_model()
    place, seen = 0, set()
    while place < len(data):
        tag, place = _number(data, place)
        field, kind = tag >> 3, tag & 7
        if _FIELDS.get(field) != kind:
            raise _no_model()
        length, place = _number(data, place)
        if kind == 2:
            place += length
        seen.add(field)
    if place > len(data) or _GRAPH not in seen:
        raise _truncated()


def _number(data: bytes, place: int) -> tuple[int, int]:
    """Read a variable-length integer."""
    value = shift = 0
    while place < len(data):
        byte = data[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place
        if shift > 63:
            raise _no_model()
    raise _truncated()


def _no_model() -> OnnxFileError:
    return OnnxFileError(
        "This is not an ONNX model: its first bytes are something else. Give a file"
        " written by sklearn_deep.to_onnx."
    )


def _truncated() -> OnnxFileError:
    return OnnxFileError(
        "The ONNX model is truncated: it ends before its content does. Copy or export it"
        " again."
    )


def read_card(metadata: dict[str, str]) -> dict[str, Any]:
    """Read the card from a model's metadata.

    Raises
    ------
    OnnxFileError
        Where there is none, a damaged one, or one of a later format.
    """
    if CARD not in metadata:
        raise OnnxFileError(
            "The ONNX model was not written by sklearn_deep.to_onnx: it does not say how"
            " to feed it and what its outputs are. Export the estimator with to_onnx, or"
            " run the model with onnxruntime itself."
        )
    try:
        card = json.loads(metadata[CARD])
    except (ValueError, RecursionError) as error:
        raise _damaged_card("it is no JSON") from error
    version = card.get("format") if isinstance(card, dict) else None
    if isinstance(version, int) and version > FORMAT:
        raise OnnxFileError(
            f"The file was written by sklearn_deep {card.get('package_version')}, in a"
            f" format ({version}) that this version does not know ({FORMAT}). Upgrade"
            " sklearn-deep."
        )
    fault = first_fault(card)
    if fault is not None:
        raise _damaged_card(fault)
    return card


def _damaged_card(fault: str) -> OnnxFileError:
    return OnnxFileError(
        f"The card of the ONNX model, its metadata {CARD!r}, is damaged or of another"
        f" origin: {fault}. Export the estimator again with sklearn_deep.to_onnx."
    )
