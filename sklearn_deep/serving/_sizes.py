"""How many numbers each node of a graph makes for one row, as far as the file says.

Sizes are bounds, not values: what a graph computes from the numbers of a row is not
known before. Where a shape is not known, constants count as large as they can be, for
they are computed before any row comes, and rows as large as the largest of the inputs.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

Shape = tuple[int, ...]
UNBOUNDED = 2**63


class Size(NamedTuple):
    """What is known of a value.

    Attributes
    ----------
    cells : int
        Bound of the number of its elements, for one row and one step.
    constant : bool
        Whether no row has a part in it.
    shape : tuple of int or None
        For one row and one step; None where it is not known.
    numbers : ndarray or None
        The elements of a small constant.
    extent : int
        Bound of the size that it makes if it is taken for a shape; what follows from
        the number of rows or steps counts as 1.
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
    """A node: its operator, its inputs, and how to read the integers of its attributes.

    These are read where a rule asks for them: a forest has millions.
    """

    op: str
    inputs: Sequence[Size]
    attributes: Mapping[str, Callable[[], list[int]]]

    def ints(self, name: str) -> list[int]:
        """Integers of an attribute, none where it is absent."""
        return self.attributes[name]() if name in self.attributes else []


def _extent(numbers: np.ndarray) -> int:
    found = 1
    for number in np.abs(numbers.astype(float)).ravel().tolist():
        if not math.isfinite(number):
            return UNBOUNDED
        found *= max(1, math.ceil(number))
    return min(found, UNBOUNDED)


def size_of(node: Node) -> Size:
    """Bound what a node gives; every output of it is no larger."""
    constant = all(size.constant for size in node.inputs)
    shape = _shape(node)
    if shape is not None:
        cells = math.prod(max(d, 1) for d in shape)
    elif node.op in _MAKERS:
        cells = _MAKERS[node.op](node)
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
    except (ValueError, IndexError, TypeError):  # the graph will not run either
        return None


def _first(node: Node, shapes: list[Shape]) -> Shape:
    return shapes[0]


def _broadcast(node: Node, shapes: list[Shape]) -> Shape:
    return _one_shape(shapes)


def _one_shape(shapes: list[Shape]) -> Shape:
    """Shape of arrays that are broadcast; unlike NumPy's, of any size."""
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
    data, places = shapes
    axis = (node.ints("axis") or [0])[0] % len(data)
    return data[:axis] + places + data[axis + 1 :]


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
    """Convolutions and pools: (n, channels, *lengths)."""
    lengths = shapes[0][2:]
    n, ones, none = len(lengths), [1] * len(lengths), [0] * len(lengths)
    kernel = node.ints("kernel_shape") or list(shapes[1][2:])
    strides = node.ints("strides") or ones
    dilations = node.ints("dilations") or ones
    pads = np.array(node.ints("pads") or none * 2, object).reshape(2, n).sum(0)
    if "auto_pad" in node.attributes:  # as many as there are, or less
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
_SAME = """
Abs BatchNormalization Cast Ceil Celu Clip CumSum DequantizeLinear Dropout Elu Erf Exp Floor
Gelu HardSigmoid HardSwish Hardmax Identity IsInf IsNaN LayerNormalization LeakyRelu Log
LogSoftmax LpNormalization Mish Neg Not QuantizeLinear Reciprocal Relu Round Selu Shrink
Sigmoid Sign Sin Softmax Softplus Softsign Sqrt Tan Tanh ThresholdedRelu Normalizer Scaler
Imputer Binarizer LabelEncoder
"""
_MIXING = """
Add And BitwiseAnd BitwiseOr BitwiseXor Div Equal Greater GreaterOrEqual Less LessOrEqual
Max Mean Min Mod Mul Or PRelu Pow Sub Sum Where Xor
"""
_SHAPES: dict[str, Callable[[Node, list[Shape]], Shape | None]] = {
    **dict.fromkeys(_SAME.split(), _first),
    **dict.fromkeys(_MIXING.split(), _broadcast),
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


# What becomes of a shape that is computed with: Shape(x), some of it, more beside it.


def _extent_of(node: Node) -> int:
    extents = [size.extent for size in node.inputs]
    if node.op in ("Shape", "Size"):
        (given,) = node.inputs
        return given.cells if given.constant else 1
    if node.op in ("Mul", "Concat", "Add", "Sub", "Where", "Max", "Pow"):
        chosen = extents[1:] if node.op == "Where" else extents
        sums = 2 if node.op in ("Add", "Sub") else 1
        if node.op == "Pow":
            return UNBOUNDED
        return min(sums * math.prod(chosen), UNBOUNDED)
    if node.op in _KEEPING and extents:
        return extents[0]
    return 1 if node.op in ("Equal", "Greater", "Less", "Not") else UNBOUNDED


_KEEPING_NAMES = """
Abs Cast Ceil Div Flatten Floor Gather Identity Min Mod Neg ReduceMax ReduceMin ReduceProd
ReduceSum Reshape Slice Split Squeeze Transpose Unsqueeze
"""
_KEEPING = frozenset(_KEEPING_NAMES.split())


# Operators that make more than they are given


def _constant_of_shape(node: Node) -> int:
    return node.inputs[0].extent


def _times(place: int) -> Callable[[Node], int]:
    return lambda node: node.inputs[0].cells * node.inputs[place].extent


def _range(node: Node) -> int:
    start, stop, step = node.inputs
    if step.numbers is None or not abs(float(step.numbers.ravel()[0])) >= 1:
        return UNBOUNDED
    return start.extent + stop.extent


def _padded(node: Node) -> int:
    """Of a convolution, a pool or a padding whose input has an unknown shape."""
    pads = node.ints("pads")
    if node.op == "Pad":
        if len(node.inputs) < 2 or node.inputs[1].numbers is None:
            return UNBOUNDED
        pads = [int(n) for n in node.inputs[1].numbers.ravel()]
    if node.op == "ConvTranspose":
        pads = [*pads, *node.ints("strides"), *node.ints("output_padding")]
    most = max(size.cells for size in node.inputs)
    # Layer upon layer pads a little, and each takes a little off: not to be multiplied.
    grown = math.prod(1 + abs(side) for side in pads)
    return most if grown <= _USUAL_PADDING else most * grown


_USUAL_PADDING = 2**16


def _resized(node: Node) -> int:
    scales, sizes = [*node.inputs, None, None, None][2:4]
    by = 1
    for wanted in (scales, sizes):
        if wanted is not None and wanted.shape != (0,):
            by *= wanted.extent
    return node.inputs[0].cells * by


def _told(*names: str) -> Callable[[Node], int]:
    """Of an operator whose outputs are as wide as an attribute says."""

    def cells(node: Node) -> int:
        wide = max([abs(n) for name in names for n in node.ints(name)], default=0)
        return max(size.cells for size in node.inputs) + wide + 1

    return cells


_MAKERS: dict[str, Callable[[Node], int]] = {
    "ConstantOfShape": _constant_of_shape,
    "Expand": _times(1),
    "OneHot": _times(1),
    "Tile": _times(1),
    "Range": _range,
    **dict.fromkeys(("Pad", "Conv", "ConvInteger", "QLinearConv", *_POOLS), _padded),
    "ConvTranspose": _padded,
    "Resize": _resized,
    **dict.fromkeys(("GRU", "LSTM", "RNN"), _told("hidden_size")),
    "FeatureVectorizer": _told("inputdimensions"),
    "LinearRegressor": _told("targets"),
    "TfIdfVectorizer": _told("ngram_indexes"),
    **dict.fromkeys(("TreeEnsemble", "TreeEnsembleRegressor"), _told("n_targets")),
}
