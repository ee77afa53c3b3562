"""Tensors at which a graph can be cut: all that is predicted depends on the tensor alone."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from sklearn_deep.export.graph._runtime import open_session
from sklearn_deep.export.halves._dataflow import Dataflow

# Types that can cross, and how the metadata name them.
_DTYPES = {"float32", "float64", "uint8", "int64", "bool"}
# Nodes that change no number: their output is no other place to cut at.
_SAME_NUMBERS = {"Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose"}
# Two numbers of rows, which tell the axis of the rows.
_ROWS = (2, 3)
# Rows that the ranges of 8-bit tensors are learnt from, and rows per computation.
_RANGE_ROWS, _CHUNK = 1024, 64

Feeds = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Cut:
    """A tensor that separates a graph.

    Attributes
    ----------
    layer : str
        Name of the place: the operator, and a number.
    value : str
        Name of the tensor in the graph.
    dtype : str
    row_shape : tuple of (int or None)
        Shape of what crosses for a row; None for an axis of any length.
    n_numbers : int
        Numbers that cross for a row of those that were given.
    axis : int
        Axis of the rows in the graph; what crosses has them first.
    low, high : float
        Smallest and largest number on the rows that were given, and 0.
    """

    layer: str
    value: str
    dtype: str
    row_shape: tuple[int | None, ...]
    n_numbers: int
    axis: int
    low: float
    high: float

    def row_bytes(self, bits: int | None) -> int:
        """Bytes that cross for a row."""
        itemsize = 1 if self.quantizes(bits) else np.dtype(self.dtype).itemsize
        return self.n_numbers * itemsize

    def quantizes(self, bits: int | None) -> bool:
        """Tell whether numbers are rounded to cross."""
        return bits is not None and self.dtype in ("float32", "float64")


def find_cuts(proto: Any, metadata: dict[str, Any], feeds: Feeds) -> list[Cut]:
    """List the tensors at which a graph can be cut, from the inputs on.

    Parameters
    ----------
    proto : onnx.ModelProto
        With the output that marks refused rows.
    metadata : dict
    feeds : dict of str to ndarray of shape (n, ...)
        Inputs of the graph for some rows.
    """
    flow = Dataflow(proto.graph)
    marks = mark_leaves(flow, metadata)
    values = [
        value
        for value in _separating(flow, proto, metadata)
        if _can_mark(flow, value, marks)
    ]
    measured = _measure(proto, values, feeds)
    is_open = any(None in part.get("row_shape", ()) for part in metadata["inputs"])
    found = [m for m in measured if m is not None]
    return list(_named(flow, found, is_open, _ranges(proto, found, feeds)))


def outputs_of(metadata: dict[str, Any], proto: Any) -> list[str]:
    """Names of the outputs that predict."""
    marks = (metadata["refusals"] or {}).get("name")
    return [info.name for info in proto.graph.output if info.name != marks]


def mark_leaves(flow: Dataflow, metadata: dict[str, Any]) -> list[str]:
    """The marks of refused rows, (n,) booleans, whose disjunction is the output."""
    refusals = metadata["refusals"]
    pending, found = [refusals["name"]] if refusals else [], []
    while pending:
        name = pending.pop()
        node = flow.producer(name)
        if node is not None and node.op_type in ("Or", "Identity"):
            pending.extend(node.input)
        else:
            found.append(name)
    return found


def is_of_client(flow: Dataflow, value: str, mark: str) -> bool:
    """Tell whether a mark does not depend on a value."""
    return mark not in flow.descendants([value])


def _can_mark(flow: Dataflow, value: str, marks: list[str]) -> bool:
    """Tell whether each mark can be computed on one side of a value."""
    later = flow.descendants([value])
    return all(mark not in later or flow.separates(value, [mark]) for mark in marks)


def _separating(flow: Dataflow, proto: Any, metadata: dict[str, Any]) -> Iterator[str]:
    """Values that separate the outputs from the inputs; the outputs are none of them."""
    targets = outputs_of(metadata, proto)
    for node in flow.nodes:
        for value in node.output:
            if value in flow.varying and flow.separates(value, targets):
                yield value


@dataclass(frozen=True)
class _Measured:
    """A value as onnxruntime computes it for some rows."""

    value: str
    dtype: str
    row_shape: tuple[int, ...]
    axis: int


def _measure(proto: Any, values: list[str], feeds: Feeds) -> list[_Measured | None]:
    """Types and shapes of values; None for one that cannot cross."""
    session = _session_of(proto, values)
    results = [
        session.run(values, {k: _first_rows(v, n) for k, v in feeds.items()})
        for n in _ROWS
    ]
    return [_measured(*each) for each in zip(values, *results, strict=True)]


def _measured(value: str, few: Any, more: Any) -> _Measured | None:
    if not isinstance(few, np.ndarray) or few.dtype.name not in _DTYPES:
        return None
    if few.ndim != more.ndim or few.ndim == 0:
        return None
    pairs = zip(few.shape, more.shape, strict=True)
    differing = [k for k, (a, b) in enumerate(pairs) if a != b]
    if len(differing) != 1:
        return None
    (axis,) = differing
    if (few.shape[axis], more.shape[axis]) != _ROWS:
        return None
    others = (*few.shape[:axis], *few.shape[axis + 1 :])
    return _Measured(value, few.dtype.name, others, axis)


def _first_rows(rows: np.ndarray, n: int) -> np.ndarray:
    return rows[np.arange(n) % len(rows)]


def _session_of(proto: Any, values: list[str]) -> Any:
    """A session whose outputs are values inside the graph."""
    shown = onnx.ModelProto()
    shown.CopyFrom(proto)
    del shown.graph.output[:]
    for value in values:
        shown.graph.output.add(name=value)
    return open_session(shown.SerializeToString())


def _ranges(
    proto: Any, found: list[_Measured], feeds: Feeds
) -> dict[str, tuple[float, float]]:
    """Smallest and largest number of each value on the rows, and 0."""
    values = [m.value for m in found]
    ranges = dict.fromkeys(values, (0.0, 0.0))
    if not values:
        return ranges
    session = _session_of(proto, values)
    n_rows = len(next(iter(feeds.values())))
    rows = np.unique(np.linspace(0, n_rows - 1, _RANGE_ROWS).astype(int))
    for chunk in np.array_split(rows, -(-len(rows) // _CHUNK)):
        results = session.run(values, {k: v[chunk] for k, v in feeds.items()})
        for value, result in zip(values, results, strict=True):
            numbers = result[np.isfinite(result)].astype(float)
            low, high = ranges[value]
            ranges[value] = (
                float(numbers.min(initial=low)),
                float(numbers.max(initial=high)),
            )
    return ranges


def _named(
    flow: Dataflow,
    found: list[_Measured],
    is_open: bool,
    ranges: dict[str, tuple[float, float]],
) -> Iterator[Cut]:
    counts: Counter[str] = Counter()
    for k, one in enumerate(found):
        node = flow.producer(one.value)
        assert node is not None
        before = found[k - 1] if k else None
        same = before is None or before.dtype == one.dtype
        if node.op_type in _SAME_NUMBERS and same:
            continue
        operator = node.op_type.lower()
        counts[operator] += 1
        # Without the length of a series, all other axes may have any length.
        shape = tuple(
            None if is_open and len(one.row_shape) > 1 else n for n in one.row_shape
        )
        layer = f"{operator}_{counts[operator]}"
        n_numbers = int(np.prod(one.row_shape, dtype=int))
        yield Cut(
            layer,
            one.value,
            one.dtype,
            shape,
            n_numbers,
            one.axis,
            *ranges[one.value],
        )
