"""Check of an ONNX file before it is passed to onnxruntime.

A checksum is not a signature: whoever changes a file can compute it again. So a verifying
reader accepts only what exports consist of: known operators, constants stored in the file,
and sizes that follow from the file and the rows.
"""

import math
from functools import partial
from typing import Any

import numpy as np

from sklearn_deep.serving._operators import OPERATORS, SCAN
from sklearn_deep.serving._sizes import Node, Size, size_of
from sklearn_deep.serving._wire import (
    Message,
    damaged,
    decoded,
    integers,
    parse,
    text,
    untrusted,
)

# Largest number of elements per row that a node may output; for larger files, the file's
# size in bytes.
MAX_CELLS = 2**24
_MAX_NUMBERS = 64  # of a constant whose elements are read


def read_metadata_props(data: bytes) -> dict[str, str]:
    """Read all metadata entries of a model.

    Raises
    ------
    OnnxFileError
        If the file is not an ONNX model.
    """
    return {
        text(data, entry, "key"): text(data, entry, "value")
        for entry in parse(data, "envelope").get("metadata_props", [])
    }


def check_graph(data: bytes) -> None:
    """Raise if a model contains anything that exports do not.

    Parameters
    ----------
    data : bytes
        The file.

    Raises
    ------
    OnnxFileError
        For an unknown operator or one that may not terminate, and for sizes that follow
        neither from the file nor from the rows.
    """
    (graph,) = parse(data)["graph"]
    _Guard(data).graph(graph, {}, within=None)


class _Guard:
    """Checks the nodes of a graph in the order in which they are computed."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.most = max(MAX_CELLS, len(data))
        self.constant_cells = 0

    def graph(
        self, graph: Message, outside: dict[str, Size], within: str | None
    ) -> None:
        sizes = dict(outside)
        for info in graph.get("input", []):
            sizes[text(self.data, info, "name")] = self.input(info)
        for tensor in graph.get("initializer", []):
            sizes[text(self.data, tensor, "name")] = self.tensor(tensor)
        for node in graph.get("node", []):
            self.node(node, sizes, within)

    def input(self, info: Message) -> Size:
        """Size of an input for one row; axes of any length count as 1."""
        if "type" not in info:  # the input of a subgraph
            return Size(1)
        kind = parse(self.data, "type", info["type"][0])
        tensor = kind.get("tensor_type", [{}])[0]
        if "shape" not in tensor:
            return Size(1)
        dims = [
            dim.get("dim_value", [1])[0] for dim in tensor["shape"][0].get("dim", [])
        ]
        return Size.of_shape(tuple(dims))

    def tensor(self, tensor: Message) -> Size:
        """Size of a constant, whose elements must be in the file."""
        if tensor.get("data_location", [0]) != [0]:
            raise untrusted("numbers that are stored in another file")
        shape = tuple(integers(self.data, tensor.get("dims", [])))
        if any(d < 0 for d in shape):
            raise damaged()
        held = 0
        for name, values in tensor.items():
            if name == "string_data":
                held += len(values)
            elif name.endswith("_data"):  # a byte holds at most two 4-bit numbers
                held += sum(2 * (span.stop - span.start) for span in values)
        size = Size.of_shape(shape, constant=True)
        if math.prod(shape) > held or size.cells > self.most:
            raise untrusted(f"a constant of shape {shape} that is not in the file")
        numbers = self.numbers(tensor, shape)
        return size if numbers is None else Size.of_numbers(numbers)

    def numbers(self, tensor: Message, shape: tuple[int, ...]) -> np.ndarray | None:
        """Elements of a small constant of integers or floats."""
        dtype = _DTYPES.get(tensor.get("data_type", [0])[0])
        count = math.prod(shape)
        if dtype is None or count > _MAX_NUMBERS:
            return None
        for name, spans in tensor.items():
            if name in ("int64_data", "int32_data"):
                values: Any = list(integers(self.data, spans))
            elif name in ("raw_data", "float_data", "double_data"):
                raw = self.data[spans[0].start : spans[0].stop]
                if len(raw) != count * dtype.itemsize:
                    raise damaged()
                values = np.frombuffer(raw, dtype)
            else:
                continue
            if len(values) != count:
                raise damaged()
            return np.array(values, dtype).reshape(shape)
        return np.empty(shape, dtype) if count == 0 else None

    def node(self, node: Message, sizes: dict[str, Size], within: str | None) -> None:
        """Check one node, and store the sizes of its outputs."""
        op, domain = text(self.data, node, "op_type"), text(self.data, node, "domain")
        if op not in OPERATORS.get("" if domain == "ai.onnx" else domain, ()):
            raise untrusted(f"the operator {domain}{'.' if domain else ''}{op}")
        names = [decoded(self.data, span) for span in node.get("input", [])]
        unknown = [name for name in names if name and name not in sizes]
        if unknown:
            raise untrusted(
                f"a node {op} whose input {unknown[0]!r} is not computed before it"
            )
        inputs = [sizes[name] if name else _OMITTED for name in names]
        attributes = {text(self.data, a, "name"): a for a in node.get("attribute", [])}
        size = self.node_size(op, inputs, attributes)
        for name, attribute in attributes.items():
            for graph in attribute.get("g", []):
                if op != SCAN or within is not None or name != "body":
                    raise untrusted(f"a subgraph in a node {op}")
                self.graph(graph, sizes, within=op)
        if size.constant:
            self.constant_cells += size.cells
        if size.cells > self.most or self.constant_cells > 4 * self.most:
            raise untrusted(
                f"a node {op} whose output is larger than follows from the file and the rows"
            )
        for span in node.get("output", []):
            sizes[decoded(self.data, span)] = size

    def node_size(
        self, op: str, inputs: list[Size], attributes: dict[str, Message]
    ) -> Size:
        tensors = [t for a in attributes.values() for t in _tensors(a)]
        held = [self.tensor(tensor) for tensor in tensors]
        if op == "Constant":
            return held[0] if held else self.listed(attributes)
        numbers = {name: partial(self.ints, a) for name, a in attributes.items()}
        return size_of(Node(op, inputs, numbers))

    def ints(self, attribute: Message) -> list[int]:
        ones = [v - 2**64 if v >= 2**63 else v for v in attribute.get("i", [])]
        return ones or list(integers(self.data, attribute.get("ints", [])))

    def listed(self, attributes: dict[str, Message]) -> Size:
        """Size of a Constant given by a number, or by a list of numbers or strings."""
        for attribute in attributes.values():
            ints = self.ints(attribute)
            if ints:
                shape: tuple[int, ...] = () if "i" in attribute else (len(ints),)
                return Size.of_numbers(np.array(ints, np.int64).reshape(shape))
        return Size(len(self.data), constant=True)


_OMITTED = Size(1, True, (0,))
_DTYPES: dict[int, np.dtype[Any]] = {
    1: np.dtype("<f4"),
    6: np.dtype("<i4"),
    7: np.dtype("<i8"),
    11: np.dtype("<f8"),
}


def _tensors(attribute: Message) -> list[Message]:
    return [*attribute.get("t", []), *attribute.get("tensors", [])]
