"""Parser of ONNX files, used before a file is passed to onnxruntime.

It implements the part of protobuf's wire format that ONNX uses: a message is a sequence
of fields, each with a tag (field number and wire type) and a value; a submessage is a
field of bytes. The readers run without onnx and protobuf, and do not trust the file: a
field that is not in ``FIELDS`` is refused, and so is a repeated field that ONNX defines as
single, which protobuf would merge.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from sklearn_deep.exceptions import OnnxFileError


class Field(NamedTuple):
    """A field that a file may contain.

    Attributes
    ----------
    name : str
    wire : int
        Wire type: 0 for an integer, 1 and 5 for numbers of 8 and 4 bytes, 2 for bytes.
    many : bool
        Whether the field may be repeated.
    message : str
        Kind of the submessage, if its fields are parsed too.
    """

    name: str
    wire: int
    many: bool = False
    message: str = ""


_ENTRY = Field("metadata_props", 2, True, "entry")

# Fields of onnx.proto3 by message and field number. Fields that are not listed are refused:
# functions, training, sparse tensors, external data and multiple devices.
FIELDS: dict[str, dict[int, Field]] = {
    "model": {
        1: Field("ir_version", 0),
        2: Field("producer_name", 2),
        3: Field("producer_version", 2),
        4: Field("domain", 2),
        5: Field("model_version", 0),
        6: Field("doc_string", 2),
        7: Field("graph", 2, False, "graph"),
        8: Field("opset_import", 2, True),
        14: _ENTRY,
    },
    # Only the outermost fields; others are not parsed.
    "envelope": {
        **{n: Field(f"field {n}", 0, True) for n in (1, 5)},
        **{n: Field(f"field {n}", 2, True) for n in (2, 3, 4, 6, 7, 8, 20, 25, 26)},
        14: _ENTRY,
    },
    "entry": {1: Field("key", 2), 2: Field("value", 2)},
    "graph": {
        1: Field("node", 2, True, "node"),
        2: Field("name", 2),
        5: Field("initializer", 2, True, "tensor"),
        10: Field("doc_string", 2),
        11: Field("input", 2, True, "info"),
        12: Field("output", 2, True, "info"),
        13: Field("value_info", 2, True),
        14: Field("quantization_annotation", 2, True),
        16: Field("metadata_props", 2, True),
    },
    "info": {
        1: Field("name", 2),
        2: Field(
            "type", 2
        ),  # parsed as "type" for inputs; outputs may have other types
        3: Field("doc_string", 2),
        4: Field("metadata_props", 2, True),
    },
    "type": {
        1: Field("tensor_type", 2, False, "tensor_type"),
        6: Field("denotation", 2),
    },
    "tensor_type": {
        1: Field("elem_type", 0),
        2: Field("shape", 2, False, "shape"),
    },
    "shape": {1: Field("dim", 2, True, "dim")},
    "dim": {
        1: Field("dim_value", 0),
        2: Field("dim_param", 2),
        3: Field("denotation", 2),
    },
    "node": {
        1: Field("input", 2, True),
        2: Field("output", 2, True),
        3: Field("name", 2),
        4: Field("op_type", 2),
        5: Field("attribute", 2, True, "attribute"),
        6: Field("doc_string", 2),
        7: Field("domain", 2),
        8: Field("overload", 2),
        9: Field("metadata_props", 2, True),
    },
    "attribute": {
        1: Field("name", 2),
        2: Field("f", 5),
        3: Field("i", 0),
        4: Field("s", 2),
        5: Field("t", 2, False, "tensor"),
        6: Field("g", 2, False, "graph"),
        9: Field("strings", 2, True),
        10: Field("tensors", 2, True, "tensor"),
        13: Field("doc_string", 2),
        20: Field("type", 0),
    },
    "tensor": {
        2: Field("data_type", 0),
        4: Field("float_data", 2),
        5: Field("int32_data", 2),
        6: Field("string_data", 2, True),
        7: Field("int64_data", 2),
        8: Field("name", 2),
        9: Field("raw_data", 2),
        10: Field("double_data", 2),
        11: Field("uint64_data", 2),
        12: Field("doc_string", 2),
        14: Field("data_location", 0),
    },
}

# Names of refused fields, for the error message.
_REFUSED = {
    ("model", 20): "training_info",
    ("model", 25): "functions",
    ("graph", 15): "sparse_initializer",
    ("attribute", 11): "graphs",
    ("attribute", 22): "sparse_tensor",
    ("tensor", 13): "external_data",
}

# Repeated values by their tag. onnx writes a tag for each value: a forest has millions.
_SHORT = b"|".join(rb"\x%02x[\x00-\xff]{%d}" % (n, n) for n in range(1, 32))
_INTS = rb"(?:\x%02x[\x80-\xff]{0,9}[\x00-\x7f])++"
_RUNS: dict[str, dict[int, tuple[str, re.Pattern[bytes]]]] = {
    "attribute": {
        0x3D: ("floats", re.compile(rb"(?:\x3d[\x00-\xff]{4})++")),
        0x40: ("ints", re.compile(_INTS % 0x40)),
        0x4A: ("strings", re.compile(rb"(?:\x4a(?:%b))++" % _SHORT)),
    },
    "tensor": {0x08: ("dims", re.compile(_INTS % 0x08))},
}
_NOTHING = re.compile(b"(?!)")
_PACKED = {("attribute", 7): "floats", ("attribute", 8): "ints", ("tensor", 1): "dims"}
_MAX_FIELDS = 4_000_000  # each takes about 100 bytes of memory, and 2 in the file
_MAX_DEPTH = 8  # of nested messages; a subgraph takes three levels


class Span(NamedTuple):
    """Range of bytes of the file; ``packed`` tells whether numbers in it have no tags."""

    start: int
    stop: int
    packed: bool = True


Message = dict[str, list[Any]]


def parse(data: bytes, kind: str = "model", span: Span | None = None) -> Message:
    """Parse a message and its submessages.

    Parameters
    ----------
    data : bytes
        The whole file.
    kind : str
        Key of ``FIELDS``.
    span : Span, default=None
        Range of the message; all of ``data`` by default.

    Returns
    -------
    dict of str to list
        Values of each field in the message: integers, spans and messages.

    Raises
    ------
    OnnxFileError
        If the bytes are not ONNX, or contain a field that is not allowed.
    """
    return _Parser(data).message(kind, span or Span(0, len(data)), 0)


class _Parser:
    """Parser of messages that counts the fields of the file."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.left = _MAX_FIELDS

    def message(self, kind: str, span: Span, depth: int) -> Message:
        data, (offset, stop, _) = self.data, span
        if depth > _MAX_DEPTH:
            raise untrusted("graphs that are nested too deeply")
        found: Message = {}
        runs = _RUNS.get(kind, {})
        while offset < stop:
            self.left -= 1
            if self.left < 0:
                raise untrusted(f"more than {_MAX_FIELDS:,} fields")
            name, pattern = runs.get(data[offset], ("", _NOTHING))
            match = pattern.match(data, offset, stop)
            if match is not None:
                value, offset = Span(offset, match.end(), False), match.end()
                found.setdefault(name, []).append(value)
                continue
            tag, offset = varint(data, offset, stop)
            value, offset = _value(data, offset, stop, tag & 7)
            self.add(found, kind, tag, value, depth)
        return found

    def add(self, found: Message, kind: str, tag: int, value: Any, depth: int) -> None:
        """Store a value under the name of its field."""
        number, wire = tag >> 3, tag & 7
        if (kind, number) in _PACKED and wire == 2:
            found.setdefault(_PACKED[kind, number], []).append(value)
            return
        field = FIELDS[kind].get(number)
        if field is None or field.wire != wire:
            name = _REFUSED.get((kind, number), f"field {number} of a {kind}")
            raise untrusted(f"{name!r}")
        if field.message:
            value = self.message(field.message, value, depth + 1)
        values = found.setdefault(field.name, [])
        if values and not field.many:
            raise untrusted(f"a second {field.name!r} in one {kind}")
        values.append(value)


def _value(data: bytes, offset: int, stop: int, wire: int) -> tuple[Any, int]:
    if wire == 0:
        return varint(data, offset, stop)
    if wire == 2:
        length, offset = varint(data, offset, stop)
    elif wire in (1, 5):
        length = 8 if wire == 1 else 4
    else:
        raise damaged()
    if offset + length > stop:
        raise damaged()
    return Span(offset, offset + length), offset + length


def varint(data: bytes, offset: int, stop: int) -> tuple[int, int]:
    """Read a variable-length integer; return it and the offset after it."""
    value = shift = 0
    while offset < stop and shift < 70:
        byte = data[offset]
        value |= (byte & 0x7F) << shift
        offset, shift = offset + 1, shift + 7
        if byte < 0x80:
            return value & (2**64 - 1), offset
    raise damaged()


def integers(data: bytes, spans: list[Span]) -> Iterator[int]:
    """Read repeated signed integers."""
    for span in spans:
        offset = span.start
        while offset < span.stop:
            if not span.packed:  # skip the tag of one byte
                offset += 1
            value, offset = varint(data, offset, span.stop)
            yield value - 2**64 if value >= 2**63 else value


def text(data: bytes, message: Message, name: str) -> str:
    """Read a string; empty if the message does not have the field.

    Raises
    ------
    OnnxFileError
        If it is not valid UTF-8.
    """
    spans = message.get(name)
    return "" if not spans else decoded(data, spans[0])


def decoded(data: bytes, span: Span) -> str:
    """Read a span as a string."""
    try:
        return data[span.start : span.stop].decode()
    except UnicodeDecodeError as error:
        raise damaged() from error


def damaged() -> OnnxFileError:
    """Make the error for bytes that are not ONNX."""
    return OnnxFileError(
        "The ONNX model is damaged: its structure is invalid. Copy or export it again."
    )


def untrusted(what: str) -> OnnxFileError:
    """Make the error for content that exports never have, though onnxruntime may run it."""
    return OnnxFileError(
        f"The ONNX model contains {what}, which a reader does not accept from an unknown"
        " source. If you trust the file, read it with verify=False."
    )
