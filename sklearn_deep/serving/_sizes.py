"""Upper bounds of the number of elements that each node of a graph outputs per row.

The bounds follow from the file alone: values computed from a row are unknown. If the shape
of an output is unknown, the output of constant inputs is bounded by the product of their
sizes (it is computed when the file is loaded), and that of other inputs by the largest one.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

Shape = tuple[int, ...]
UNBOUNDED = 2**63


class Size(NamedTuple):
    """What is known about the size of a value.

    Attributes
    ----------
    cells : int
        Upper bound of the number of elements, for one row and one time step.
    constant : bool
        Whether the value is independent of the input rows.
    shape : tuple of int or None
        Shape for one row and one time step; None if unknown.
    numbers : ndarray or None
        Elements of a small constant.
    extent : int
        Upper bound of the number of elements of an array that has this value as its
        shape; the number of rows and of time steps counts as 1.
    """

    cells: int
    constant: bool = False
    shape: Shape | None = None
    numbers: np.ndarray | None = None
    extent: int = UNBOUNDED

    @classmethod
    def of_shape(cls, shape: Shape, constant: bool = False) -> "Size":
        """Size of an array."""
        return cls(math.prod(max(d, 1) for d in shape), constant, shape)

    @classmethod
    def of_numbers(cls, numbers: np.ndarray) -> "Size":
        """Size of a constant whose elements are known."""
        return cls(max(numbers.size, 1), True, numbers.shape, numbers, _extent(numbers))


class Node(NamedTuple):
    """A node: its operator, its inputs, and functions that read its integer attributes.

    Attributes are read only if a rule needs them: a forest has millions of integers.
    """

    op: str
    inputs: Sequence[Size]
    attributes: Mapping[str, Callable[[], list[int]]]

    def ints(self, name: str) -> list[int]:
        """Integers of an attribute; an empty list if the node does not have it."""
        return self.attributes[name]() if name in self.attributes else []


def _extent(numbers: np.ndarray) -> int:
    found = 1
    for number in np.abs(numbers.astype(float)).ravel().tolist():
        if not math.isfinite(number):
            return UNBOUNDED
        found *= max(1, math.ceil(number))
    return min(found, UNBOUNDED)


def size_of(node: Node) -> Size:
    """Upper bound of the size of every output of a node."""
    constant = all(size.constant for size in node.inputs)
    shape = _shape(node)
    if shape is not None:
        cells = math.prod(max(d, 1) for d in shape)
    elif node.op in _OUTPUT_CELLS:
        cells = _OUTPUT_CELLS[node.op](node)
    else:
        cells = _unknown(node, constant)
    cells = min(max(cells, 1), UNBOUNDED)
    return Size(cells, constant, shape, extent=_extent_of(node))


def _unknown(node: Node, constant: bool) -> int:
    sizes = [size.cells for size in node.inputs] or [1]
    if node.op in ("Concat", "SequenceConstruct", "FeatureVectorizer"):
        return sum(sizes)
    return math.prod(sizes) if constant else max(sizes)


# Shapes


def _shape(node: Node) -> Shape | None:
    rule = _SHAPES.get(node.op)
    shapes = [size.shape for size in node.inputs]
    if rule is None or not shapes or any(shape is None for shape in shapes):
        return None
    try:
        return rule(node, [shape for shape in shapes if shape is not None])
    except (ValueError, IndexError, TypeError):  # such a graph cannot run
        return None


def _first(node: Node, shapes: list[Shape]) -> Shape:
    return shapes[0]


def _broadcast(node: Node, shapes: list[Shape]) -> Shape:
    return _one_shape(shapes)


def _one_shape(shapes: list[Shape]) -> Shape:
    """Broadcast shapes. Unlike ``numpy.broadcast_shapes`` this has no limit on sizes."""
    rank = max(map(len, shapes))
    padded = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    return tuple(max(lengths) for lengths in zip(*padded, strict=True))


def _matmul(node: Node, shapes: list[Shape]) -> Shape:
    left, right = shapes
    left, right = left if left[1:] else (1, *left), right if right[1:] else (*right, 1)
    return (*_one_shape([left[:-2], right[:-2]]), left[-2], right[-1])


def _gemm(node: Node, shapes: list[Shape]) -> Shape:
    left, right = shapes[:2]
    rows = left[1 if node.ints("transA") == [1] else 0]
    return rows, right[0 if node.ints("transB") == [1] else 1]


def _concat(node: Node, shapes: list[Shape]) -> Shape:
    (axis,) = node.ints("axis")
    first = list(shapes[0])
    first[axis] = sum(shape[axis] for shape in shapes)
    return tuple(first)


def _gather(node: Node, shapes: list[Shape]) -> Shape:
    data, indices = shapes
    axis = (node.ints("axis") or [0])[0] % len(data)
    return data[:axis] + indices + data[axis + 1 :]


def _transpose(node: Node, shapes: list[Shape]) -> Shape:
    order = node.ints("perm") or range(len(shapes[0]))[::-1]
    return tuple(shapes[0][j] for j in order)


def _reshape(node: Node, shapes: list[Shape]) -> Shape | None:
    numbers = node.inputs[1].numbers
    if numbers is None:
        return None
    wanted = [int(d) or shapes[0][j] for j, d in enumerate(numbers.ravel())]
    rest = -math.prod(wanted) or 1
    return tuple(math.prod(shapes[0]) // rest if d < 0 else d for d in wanted)


def _spatial(node: Node, shapes: list[Shape]) -> Shape:
    """Output shape of convolutions and pools: (n, channels, *lengths)."""
    lengths = shapes[0][2:]
    n, ones, none = len(lengths), [1] * len(lengths), [0] * len(lengths)
    kernel = node.ints("kernel_shape") or list(shapes[1][2:])
    strides = node.ints("strides") or ones
    dilations = node.ints("dilations") or ones
    pads = np.array(node.ints("pads") or none * 2, object).reshape(2, n).sum(0)
    if "auto_pad" in node.attributes:  # an upper bound of the padding
        pads = [k * d for k, d in zip(kernel, dilations, strict=True)]
    if node.op == "ConvTranspose":
        more = node.ints("output_padding") or none
        return (
            shapes[0][0],
            shapes[1][1] * (node.ints("group") or [1])[0],
            *(
                length * s + k * d + abs(p) + m
                for length, s, k, d, p, m in zip(
                    lengths, strides, kernel, dilations, pads, more, strict=True
                )
            ),
        )
    channels = shapes[0][1] if node.op in _POOLS else shapes[1][0]
    out = [
        max(1, (length + p - d * (k - 1) - 1) // s + 2)
        for length, p, d, k, s in zip(
            lengths, pads, dilations, kernel, strides, strict=True
        )
    ]
    return (shapes[0][0], channels, *out)


def _global_pool(node: Node, shapes: list[Shape]) -> Shape:
    return (*shapes[0][:2], *[1] * len(shapes[0][2:]))


def _padded_shape(node: Node, shapes: list[Shape]) -> Shape | None:
    numbers = node.inputs[1].numbers if len(node.inputs) > 1 else None
    if numbers is None or len(node.inputs) > 3:
        return None
    sides = numbers.reshape(2, -1).astype(object).sum(0)
    return tuple(max(0, d + int(s)) for d, s in zip(shapes[0], sides, strict=True))


_POOLS = ("AveragePool", "LpPool", "MaxPool")
_SAME_SHAPE = """
Abs BatchNormalization Cast Ceil Celu Clip CumSum DequantizeLinear Dropout Elu Erf Exp Floor
Gelu HardSigmoid HardSwish Hardmax Identity IsInf IsNaN LayerNormalization LeakyRelu Log
LogSoftmax LpNormalization Mish Neg Not QuantizeLinear Reciprocal Relu Round Selu Shrink
Sigmoid Sign Sin Softmax Softplus Softsign Sqrt Tan Tanh ThresholdedRelu Normalizer Scaler
Imputer Binarizer LabelEncoder
"""
_BROADCASTING = """
Add And BitwiseAnd BitwiseOr BitwiseXor Div Equal Greater GreaterOrEqual Less LessOrEqual
Max Mean Min Mod Mul Or PRelu Pow Sub Sum Where Xor
"""
_SHAPES: dict[str, Callable[[Node, list[Shape]], Shape | None]] = {
    **dict.fromkeys(_SAME_SHAPE.split(), _first),
    **dict.fromkeys(_BROADCASTING.split(), _broadcast),
    **dict.fromkeys(("Conv", "ConvInteger", "ConvTranspose", *_POOLS), _spatial),
    **dict.fromkeys(
        ("GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool"), _global_pool
    ),
    "Concat": _concat,
    "Gather": _gather,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Pad": _padded_shape,
    "Reshape": _reshape,
    "Transpose": _transpose,
}


# Extents: a graph may compute a shape from Shape(x), by slicing, arithmetic and joining.


def _extent_of(node: Node) -> int:
    extents = [size.extent for size in node.inputs]
    if node.op in ("Shape", "Size"):
        (operand,) = node.inputs
        return operand.cells if operand.constant else 1
    if node.op in ("Mul", "Concat", "Add", "Sub", "Where", "Max", "Pow"):
        chosen = extents[1:] if node.op == "Where" else extents
        sums = 2 if node.op in ("Add", "Sub") else 1
        if node.op == "Pow":
            return UNBOUNDED
        return min(sums * math.prod(chosen), UNBOUNDED)
    if node.op in _KEEPS_EXTENT and extents:
        return extents[0]
    return 1 if node.op in ("Equal", "Greater", "Less", "Not") else UNBOUNDED


_KEEPS_EXTENT_NAMES = """
Abs Cast Ceil Div Flatten Floor Gather Identity Min Mod Neg ReduceMax ReduceMin ReduceProd
ReduceSum Reshape Slice Split Squeeze Transpose Unsqueeze
"""
_KEEPS_EXTENT = frozenset(_KEEPS_EXTENT_NAMES.split())


# Operators whose output can have more elements than their inputs


def _constant_of_shape(node: Node) -> int:
    return node.inputs[0].extent


def _times(index: int) -> Callable[[Node], int]:
    return lambda node: node.inputs[0].cells * node.inputs[index].extent


def _range(node: Node) -> int:
    start, stop, step = node.inputs
    if step.numbers is None or not abs(float(step.numbers.ravel()[0])) >= 1:
        return UNBOUNDED
    return start.extent + stop.extent


def _padded(node: Node) -> int:
    """Bound for a convolution, pool or padding whose input has an unknown shape."""
    pads = node.ints("pads")
    if node.op == "Pad":
        if len(node.inputs) < 2 or node.inputs[1].numbers is None:
            return UNBOUNDED
        pads = [int(n) for n in node.inputs[1].numbers.ravel()]
    if node.op == "ConvTranspose":
        pads = [*pads, *node.ints("strides"), *node.ints("output_padding")]
    largest = max(size.cells for size in node.inputs)
    # Stacked layers with a usual padding do not grow: their factors must not multiply.
    grown = math.prod(1 + abs(side) for side in pads)
    return largest if grown <= _USUAL_PADDING else largest * grown


_USUAL_PADDING = 2**16


def _resized(node: Node) -> int:
    scales, sizes = [*node.inputs, None, None, None][2:4]
    by = 1
    for wanted in (scales, sizes):
        if wanted is not None and wanted.shape != (0,):
            by *= wanted.extent
    return node.inputs[0].cells * by


def _by_attribute(*names: str) -> Callable[[Node], int]:
    """Bound for an operator whose output width is given by an attribute."""

    def cells(node: Node) -> int:
        wide = max([abs(n) for name in names for n in node.ints(name)], default=0)
        return max(size.cells for size in node.inputs) + wide + 1

    return cells


_OUTPUT_CELLS: dict[str, Callable[[Node], int]] = {
    "ConstantOfShape": _constant_of_shape,
    "Expand": _times(1),
    "OneHot": _times(1),
    "Tile": _times(1),
    "Range": _range,
    **dict.fromkeys(("Pad", "Conv", "ConvInteger", "QLinearConv", *_POOLS), _padded),
    "ConvTranspose": _padded,
    "Resize": _resized,
    **dict.fromkeys(("GRU", "LSTM", "RNN"), _by_attribute("hidden_size")),
    "FeatureVectorizer": _by_attribute("inputdimensions"),
    "LinearRegressor": _by_attribute("targets"),
    "TfIdfVectorizer": _by_attribute("ngram_indexes"),
    **dict.fromkeys(
        ("TreeEnsemble", "TreeEnsembleRegressor"), _by_attribute("n_targets")
    ),
}
