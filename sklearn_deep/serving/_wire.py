"""The parts of an ONNX file, read before any library is given it.

A few lines of protobuf's wire format: a message is a run of fields, each a tag (number
and wire type) and a value; a submessage is a field that holds bytes. The readers need
this where neither onnx nor protobuf is installed, and they trust nothing that they read:
a field that ``FIELDS`` does not list is refused, and so is a second one where ONNX has
one, which protobuf would merge with the first.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from sklearn_deep.exceptions import OnnxFileError


class Field(NamedTuple):
    """A field that may be in a file.

    Attributes
    ----------
    name : str
    wire : int
        Wire type: 0 an integer, 1 and 5 numbers of 8 and 4 bytes, 2 bytes.
    many : bool
        Whether it may be there several times.
    message : str
        Kind of the submessage, if its fields are to be read too.
    """

    name: str
    wire: int
    many: bool = False
    message: str = ""


_ENTRY = Field("metadata_props", 2, True, "entry")

# onnx.proto3 by message and number of the field. What is not here is not taken:
# functions, training, sparse tensors, tensors in other files and several devices.
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
    # The outermost fields alone, whatever else is in the file.
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
        2: Field("type", 2),  # of an input a "type", of an output also others
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

# Names of fields that are refused, for the message.
_REFUSED = {
    ("model", 20): "training_info",
    ("model", 25): "functions",
    ("graph", 15): "sparse_initializer",
    ("attribute", 11): "graphs",
    ("attribute", 22): "sparse_tensor",
    ("tensor", 13): "external_data",
}

# Repeated values by their tag. onnx writes them one by one: a forest has millions.
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
_MOST_FIELDS = 4_000_000  # they take a hundred bytes each here, and two in the file
_DEEPEST = 8  # messages within messages; a graph within a graph takes three


class Span(NamedTuple):
    """Bytes of the file, from ``start`` to ``stop``; ``packed`` of repeated numbers."""

    start: int
    stop: int
    packed: bool = True


Message = dict[str, list[Any]]


def parse(data: bytes, kind: str = "model", span: Span | None = None) -> Message:
    """Read a message, and those in it.

    Parameters
    ----------
    data : bytes
        The whole file.
    kind : str
        Key of ``FIELDS``.
    span : Span, default=None
        Where the message is; all of ``data`` by default.

    Returns
    -------
    dict of str to list
        Values of each field that is there: integers, spans, and messages.

    Raises
    ------
    OnnxFileError
        For what is no ONNX, or holds fields that are not taken.
    """
    return _Parser(data).message(kind, span or Span(0, len(data)), 0)


class _Parser:
    """Reads messages, of which there may be so many in one file."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.left = _MOST_FIELDS

    def message(self, kind: str, span: Span, depth: int) -> Message:
        data, (place, stop, _) = self.data, span
        if depth > _DEEPEST:
            raise untrusted("graphs that are nested too deeply")
        found: Message = {}
        runs = _RUNS.get(kind, {})
        while place < stop:
            self.left -= 1
            if self.left < 0:
                raise untrusted(f"more than {_MOST_FIELDS:,} fields")
            name, pattern = runs.get(data[place], ("", _NOTHING))
            match = pattern.match(data, place, stop)
            if match is not None:
                value, place = Span(place, match.end(), False), match.end()
                found.setdefault(name, []).append(value)
                continue
            tag, place = varint(data, place, stop)
            value, place = _value(data, place, stop, tag & 7)
            self.add(found, kind, tag, value, depth)
        return found

    def add(self, found: Message, kind: str, tag: int, value: Any, depth: int) -> None:
        """Enter a value under the name of its field."""
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


def _value(data: bytes, place: int, stop: int, wire: int) -> tuple[Any, int]:
    if wire == 0:
        return varint(data, place, stop)
    if wire == 2:
        length, place = varint(data, place, stop)
    elif wire in (1, 5):
        length = 8 if wire == 1 else 4
    else:
        raise damaged()
    if place + length > stop:
        raise damaged()
    return Span(place, place + length), place + length


def varint(data: bytes, place: int, stop: int) -> tuple[int, int]:
    """Read an integer of variable length; return it, and the place behind it."""
    value = shift = 0
    while place < stop and shift < 70:
        byte = data[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value & (2**64 - 1), place
    raise damaged()


def integers(data: bytes, spans: list[Span]) -> Iterator[int]:
    """Read repeated integers, with their sign."""
    for span in spans:
        place = span.start
        while place < span.stop:
            if not span.packed:  # each has its tag, of one byte
                place += 1
            value, place = varint(data, place, span.stop)
            yield value - 2**64 if value >= 2**63 else value


def text(data: bytes, message: Message, name: str) -> str:
    """Read a string; empty where it is not there.

    Raises
    ------
    OnnxFileError
        Where it is no text.
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
    """Error for bytes that are no ONNX."""
    return OnnxFileError(
        "The ONNX model is damaged: its parts do not fit together. Copy or export it"
        " again."
    )


def untrusted(what: str) -> OnnxFileError:
    """Error for what no export holds, though onnxruntime may run it."""
    return OnnxFileError(
        f"The ONNX model holds {what}, which a reader takes from nobody whom it does not"
        " know. If you trust the file, read it with verify=False."
    )
