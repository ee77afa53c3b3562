"""The metadata of an exported file, and the checksum at its end.

Nothing here needs onnx. Protobuf merges messages that are concatenated, so the checksum
is appended to the serialized model as another metadata entry.
"""

import hashlib
import json
from typing import Any

from sklearn_deep.exceptions import OnnxFileError
from sklearn_deep.serving._metadata_fields import find_invalid_field

METADATA_KEY = "sklearn_deep"
FORMAT = 1
_KEY = b"sklearn_deep.sha256"


def _entry(digest: bytes) -> bytes:
    """Serialize ``ModelProto(metadata_props=[(key, digest)])`` without protobuf."""
    pair = b"\x0a" + bytes([len(_KEY)]) + _KEY + b"\x12" + bytes([len(digest)]) + digest
    return b"\x72" + bytes([len(pair)]) + pair  # field 14, length-delimited


_HEAD = _entry(b"0" * 64)[:-64]
_SIZE = len(_HEAD) + 64


def with_checksum(body: bytes) -> bytes:
    """Append a checksum to a serialized model; the result is still a valid model."""
    return body + _entry(hashlib.sha256(body).hexdigest().encode())


def has_checksum(data: bytes) -> bool:
    """Tell whether a file ends in a checksum."""
    return data[-_SIZE:-64] == _HEAD


def is_ort_format(data: bytes) -> bool:
    """Tell whether a file is in onnxruntime's own format."""
    return data[4:8] == b"ORTM"


def check_checksum(data: bytes) -> None:
    """Raise if a file differs from the content that its checksum was computed from.

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


# Top-level fields of ModelProto (onnx.proto3): field number -> wire type, 0 for an
# integer and 2 for bytes.
_FIELDS = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}
_GRAPH = 7


def check_framing(data: bytes) -> None:
    """Raise if a file is not an ONNX model, or is truncated.

    Raises
    ------
    OnnxFileError
    """
    if not data:
        raise OnnxFileError("The file is empty.")
    if data[0] != 0x08:  # ir_version, the first field
        raise _not_onnx()
    offset, seen = 0, set()
    while offset < len(data):
        tag, offset = _number(data, offset)
        field, kind = tag >> 3, tag & 7
        if _FIELDS.get(field) != kind:
            raise _not_onnx()
        length, offset = _number(data, offset)
        if kind == 2:
            offset += length
        seen.add(field)
    if offset > len(data) or _GRAPH not in seen:
        raise _truncated()


def _number(data: bytes, offset: int) -> tuple[int, int]:
    """Read a variable-length integer."""
    value = shift = 0
    while offset < len(data):
        byte = data[offset]
        value |= (byte & 0x7F) << shift
        offset, shift = offset + 1, shift + 7
        if byte < 0x80:
            return value, offset
        if shift > 63:
            raise _not_onnx()
    raise _truncated()


def _not_onnx() -> OnnxFileError:
    return OnnxFileError(
        "This is not an ONNX model: it begins with other bytes. Give a file written by"
        " sklearn_deep.to_onnx."
    )


def _truncated() -> OnnxFileError:
    return OnnxFileError(
        "The ONNX model is truncated: it ends before its content does. Copy or export it"
        " again."
    )


def read_metadata(props: dict[str, str]) -> dict[str, Any]:
    """Parse and check the entry of this package among a model's metadata.

    Raises
    ------
    OnnxFileError
        If the entry is missing, invalid, or of a later format.
    """
    if METADATA_KEY not in props:
        raise OnnxFileError(
            "The ONNX model was not written by sklearn_deep.to_onnx: it does not say how"
            " to feed it and what its outputs are. Export the estimator with to_onnx, or"
            " run the model with onnxruntime itself."
        )
    try:
        metadata = json.loads(props[METADATA_KEY])
    except (ValueError, RecursionError) as error:
        raise _damaged_metadata("it is not JSON") from error
    version = metadata.get("format") if isinstance(metadata, dict) else None
    if isinstance(version, int) and version > FORMAT:
        raise OnnxFileError(
            f"The file was written by sklearn_deep {metadata.get('package_version')}, in a"
            f" format ({version}) that this version does not know ({FORMAT}). Upgrade"
            " sklearn-deep."
        )
    invalid = find_invalid_field(metadata)
    if invalid is not None:
        raise _damaged_metadata(invalid)
    return metadata


def _damaged_metadata(reason: str) -> OnnxFileError:
    return OnnxFileError(
        f"The metadata entry {METADATA_KEY!r} of the ONNX model is damaged or was not written"
        f" by sklearn_deep: {reason}. Export the estimator again with sklearn_deep.to_onnx."
    )
