"""Every operator of the importer's table computes what onnxruntime computes."""

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.testing import assert_allclose
from onnx import TensorProto, helper, numpy_helper

from sklearn_deep.transfer.conversion._graph import OnnxGraph, Step
from sklearn_deep.transfer.conversion._network import ImportedNetwork
from sklearn_deep.transfer.conversion._operators import OPERATORS
from sklearn_deep.transfer.conversion._reading import read_drawing

RNG = np.random.default_rng(0)


def real(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def ints(*values):
    return np.array(values, np.int64)


ROWS, IMAGES, SERIES = (3, 4), (2, 3, 7, 6), (5, 2, 3)
FIELDS = "op", "shape", "arrays", "attributes"

# What comes in, further inputs ("" for one that is left out), attributes.
PLAIN = {
    op: [(ROWS, [], {})]
    for op in [
        "Abs",
        "ArgMax",
        "ArgMin",
        "Ceil",
        "Celu",
        "Clip",
        "Cos",
        "Elu",
        "Erf",
        "Exp",
        "Flatten",
        "Floor",
        "Gelu",
        "HardSigmoid",
        "HardSwish",
        "Identity",
        "IsInf",
        "IsNaN",
        "LeakyRelu",
        "LogSoftmax",
        "LpNormalization",
        "Mish",
        "Neg",
        "Reciprocal",
        "ReduceL1",
        "ReduceL2",
        "ReduceLogSumExp",
        "ReduceMax",
        "ReduceMean",
        "ReduceMin",
        "ReduceProd",
        "ReduceSum",
        "ReduceSumSquare",
        "Relu",
        "Round",
        "Selu",
        "Shape",
        "Sigmoid",
        "Sign",
        "Sin",
        "Size",
        "Softmax",
        "Softplus",
        "Softsign",
        "Tanh",
        "ThresholdedRelu",
        "Transpose",
    ]
}
SPECIAL = {
    "Add": [(ROWS, [real(4)], {}), (ROWS, [real(3, 1)], {})],
    "AveragePool": [
        (IMAGES, [], {"kernel_shape": [3, 2], "strides": [2, 1]}),
        (IMAGES, [], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
        (
            IMAGES,
            [],
            {
                "kernel_shape": [3, 3],
                "pads": [1, 0, 1, 1],
                "count_include_pad": 1,
                "strides": [2, 2],
            },
        ),
        (IMAGES, [], {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}),
        (IMAGES, [], {"kernel_shape": [3, 3], "auto_pad": "SAME_UPPER"}),
    ],
    "BatchNormalization": [
        (IMAGES, [real(3), real(3), real(3), real(3) ** 2 + 0.1], {"epsilon": 1e-3})
    ],
    "Concat": [(ROWS, [real(3, 2)], {"axis": 1})],
    "Conv": [
        (IMAGES, [real(4, 3, 3, 3), real(4)], {"pads": [1, 1, 1, 1]}),
        (IMAGES, [real(4, 3, 3, 2)], {"pads": [1, 0, 0, 1], "strides": [2, 1]}),
        (IMAGES, [real(6, 1, 3, 3)], {"group": 3, "dilations": [2, 1]}),
        (IMAGES, [real(4, 3, 3, 3)], {"auto_pad": "SAME_LOWER", "strides": [2, 2]}),
        (SERIES, [real(4, 2, 2)], {}),
    ],
    "ConvTranspose": [
        (IMAGES, [real(3, 4, 3, 3), real(4)], {"strides": [2, 2]}),
        (
            IMAGES,
            [real(3, 4, 3, 3)],
            {"strides": [2, 2], "pads": [1, 0, 1, 1], "output_padding": [1, 0]},
        ),
        (IMAGES, [real(3, 4, 3, 3)], {"strides": [2, 2], "auto_pad": "SAME_UPPER"}),
        (IMAGES, [real(3, 2, 3, 3)], {"group": 3, "dilations": [1, 2]}),
    ],
    "CumSum": [(ROWS, [ints(1)[0]], {}), (ROWS, [ints(0)[0]], {"reverse": 1})],
    "DepthToSpace": [
        ((2, 8, 3, 2), [], {"blocksize": 2, "mode": mode}) for mode in ("DCR", "CRD")
    ],
    "Div": [(ROWS, [real(4)], {})],
    "Einsum": [(ROWS, [real(4, 5)], {"equation": "ij,jk->ki"})],
    "Expand": [(ROWS, [ints(2, 3, 1)], {})],
    "GRU": [
        (
            SERIES,
            [real(1, 12, 3), real(1, 12, 4), real(1, 24)],
            {"hidden_size": 4, "linear_before_reset": after},
        )
        for after in (0, 1)
    ],
    "Gather": [(ROWS, [ints(2, 0, -1)], {"axis": axis}) for axis in (0, 1)],
    "GatherElements": [(ROWS, [np.array([[1, 0, 2, 0]])], {"axis": 0})],
    "GatherND": [(ROWS, [np.array([[0, 1], [2, 3]])], {})],
    "Gemm": [
        (ROWS, [real(4, 2), real(2)], {"alpha": 0.5, "beta": 2.0}),
        (ROWS, [real(2, 3)], {"transA": 1, "transB": 1}),
    ],
    "GlobalAveragePool": [(IMAGES, [], {})],
    "GlobalMaxPool": [(IMAGES, [], {})],
    "InstanceNormalization": [(IMAGES, [real(3), real(3)], {})],
    "LRN": [(IMAGES, [], {"size": 3, "alpha": 0.1})],
    "LSTM": [
        (SERIES, [real(1, 16, 3), real(1, 16, 4), real(1, 32)], {"hidden_size": 4}),
        (
            SERIES,
            [real(2, 16, 3), real(2, 16, 4)],
            {"hidden_size": 4, "direction": "bidirectional"},
        ),
        (
            SERIES,
            [real(1, 16, 3), real(1, 16, 4), real(1, 32)],
            {"hidden_size": 4, "direction": "reverse"},
        ),
        (
            SERIES,
            [
                real(1, 16, 3),
                real(1, 16, 4),
                real(1, 32),
                np.array([5, 3], np.int32),
                real(1, 2, 4),
                real(1, 2, 4),
                real(1, 12),
            ],
            {"hidden_size": 4, "direction": "reverse"},
        ),
    ],
    "LayerNormalization": [
        (SERIES, [real(3), real(3)], {}),
        (SERIES, [real(2, 3)], {"axis": 1, "epsilon": 0.1}),
    ],
    "MatMul": [(ROWS, [real(4, 2)], {}), (SERIES, [real(5, 3, 2)], {})],
    "Max": [(ROWS, [real(4), real(3, 1)], {})],
    "MaxPool": [
        (IMAGES, [], {"kernel_shape": [3, 2], "strides": [2, 1]}),
        (IMAGES, [], {"kernel_shape": [3, 3], "pads": [1, 0, 1, 1], "strides": [2, 2]}),
        (IMAGES, [], {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}),
        (IMAGES, [], {"kernel_shape": [2, 2], "dilations": [2, 2]}),
        (IMAGES, [], {"kernel_shape": [3, 3], "auto_pad": "SAME_LOWER"}),
    ],
    "Mean": [(ROWS, [real(3, 4), real(3, 4)], {})],
    "Min": [(ROWS, [real(4)], {})],
    "Mod": [(ROWS, [np.abs(real(4)) + 0.3], {"fmod": 1})],
    "Mul": [(ROWS, [real(4)], {})],
    "PRelu": [(ROWS, [real(4)], {})],
    "Pad": [
        (IMAGES, [ints(0, 0, 1, 2, 0, 0, 0, 1), np.float32(0.5)], {"mode": "constant"}),
        (IMAGES, [ints(0, 0, 1, 2, 0, 0, 0, 1)], {"mode": "reflect"}),
        (IMAGES, [ints(0, 0, 1, 2, 0, 0, 0, 1)], {"mode": "edge"}),
        (IMAGES, [ints(1, -1), np.float32(0), ints(2)], {}),
    ],
    "Pow": [(ROWS, [np.float32(2)], {})],
    "RNN": [
        (SERIES, [real(1, 4, 3), real(1, 4, 4), real(1, 8)], {"hidden_size": 4}),
        (
            SERIES,
            [real(1, 4, 3), real(1, 4, 4)],
            {"hidden_size": 4, "activations": ["Relu"]},
        ),
    ],
    "Reshape": [
        (SERIES, [ints(0, -1)], {}),
        (SERIES, [ints(3, 10)], {}),
        (SERIES, [ints(-1, 1, 5)], {}),
    ],
    "Resize": [
        (IMAGES, ["", np.array([1, 1, 2, 1.5], np.float32)], {"mode": mode, **more})
        for mode in ("nearest", "linear")
        for more in (
            {},
            {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
            {"coordinate_transformation_mode": "align_corners"},
        )
    ]
    + [(IMAGES, ["", "", ints(2, 3, 4, 9)], {"mode": "linear"})],
    "Slice": [
        (ROWS, [ints(1), ints(9), ints(1), ints(2)], {}),
        (ROWS, [ints(-1), ints(-9), ints(1), ints(-1)], {}),
        (ROWS, [ints(0, 1), ints(2, -1)], {}),
        (ROWS, [ints(2), ints(1), ints(0)], {}),
    ],
    "SpaceToDepth": [((2, 3, 4, 6), [], {"blocksize": 2})],
    "Split": [(ROWS, [ints(1, 3)], {"axis": 1})],
    "Squeeze": [((3, 1, 4, 1), [ints(1)], {}), ((3, 1, 4, 1), [], {})],
    "Sub": [(ROWS, [real(4)], {})],
    "Sum": [(ROWS, [real(4), real(3, 1)], {})],
    "Tile": [(ROWS, [ints(2, 3)], {})],
    "Trilu": [(ROWS, [], {}), (ROWS, [ints(1)[0]], {"upper": 0})],
    "Unsqueeze": [(ROWS, [ints(0, -1)], {})],
    **{
        f"Reduce{kind}": [
            (SERIES, [ints(0, 2)], {"keepdims": 0}),
            (SERIES, [ints(-1)], {}),
        ]
        for kind in ("L1", "L2", "LogSumExp", "Max", "Mean", "Min", "Sum")
    },
}
# Operators that take other values than numbers, or need other ones: in formulas below.
ELSEWHERE = {
    "And",
    "ArrayFeatureExtractor",
    "Binarizer",
    "Cast",
    "CastLike",
    "ConstantOfShape",
    "Equal",
    "FusedMatMul",
    "Greater",
    "GreaterOrEqual",
    "GroupNormalization",
    "Imputer",
    "Less",
    "LessOrEqual",
    "Log",
    "Normalizer",
    "Not",
    "OneHot",
    "Or",
    "RMSNormalization",
    "Range",
    "ReduceLogSum",
    "Scaler",
    "Sqrt",
    "Swish",
    "Where",
    "Xor",
}
CASES = [
    pytest.param(op, *case, id=f"{op}{i}")
    for op in {**PLAIN, **SPECIAL}
    for i, case in enumerate([*PLAIN.get(op, []), *SPECIAL.get(op, [])])
]


def test_every_operator_of_the_table_is_compared():
    assert set(PLAIN) | set(SPECIAL) | ELSEWHERE == set(OPERATORS)
    assert not (set(PLAIN) | set(SPECIAL)) & ELSEWHERE


def model_of(nodes, shape, arrays, outputs, opset):
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in outputs],
        [numpy_helper.from_array(np.asarray(a), n) for n, a in arrays.items()],
    )
    for out in graph.output:
        out.ClearField("type")
    ids = {"": opset, "ai.onnx.ml": 3, "com.microsoft": 1}
    ids = [helper.make_opsetid(domain, version) for domain, version in ids.items()]
    return helper.make_model(graph, opset_imports=ids, ir_version=10)


def compare(nodes, x, arrays, output, opset=20):
    """Our value of an output, and onnxruntime's."""
    model = model_of(nodes, x.shape, arrays, [output], opset)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (theirs,) = session.run([output], {"x": x})
    drawing = read_drawing(model)
    graph = OnnxGraph(drawing.steps, "x", output, drawing.arrays, ())
    with torch.no_grad():
        ours = ImportedNetwork(graph)(torch.from_numpy(x)).numpy()
    assert ours.shape == theirs.shape
    assert_allclose(ours, theirs, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize(("op", "shape", "given", "attributes"), CASES)
def test_an_operator_gives_what_onnxruntime_gives(op, shape, given, attributes):
    arrays = {f"a{i}": a for i, a in enumerate(given) if not isinstance(a, str)}
    names = ["" if isinstance(a, str) else f"a{i}" for i, a in enumerate(given)]
    outputs = [f"y{i}" for i in range(2 if op == "Split" else 1)]
    node = helper.make_node(op, ["x", *names], outputs, **attributes)
    compare([node], real(*shape), arrays, outputs[-1])


def node(op, inputs, output, domain="", **attributes):
    return helper.make_node(op, inputs.split(), [output], domain=domain, **attributes)


ML = "ai.onnx.ml"
FORMULAS = {
    "truth values": (
        [
            node("Greater", "x a", "b"),
            node("LessOrEqual", "x c", "d"),
            node("And", "b d", "e"),
            node("Or", "b d", "f"),
            node("Xor", "e f", "g"),
            node("Not", "g", "h"),
            node("Where", "h x c", "y"),
        ],
        {"a": real(4), "c": real(3, 1)},
    ),
    "comparisons": (
        [
            node("Less", "x a", "b"),
            node("GreaterOrEqual", "x a", "c"),
            node("Equal", "b c", "d"),
            node("Cast", "d", "e", to=TensorProto.FLOAT),
            node("Cast", "b", "f", to=TensorProto.INT64),
            node("CastLike", "f x", "g"),
            node("Add", "e g", "y"),
        ],
        {"a": real(4)},
    ),
    "roots": (
        [
            node("Mul", "x x", "s"),
            node("Sqrt", "s", "r"),
            node("Log", "r", "l"),
            node("ReduceLogSum", "s", "t", keepdims=1),
            node("Add", "l t", "y"),
        ],
        {},
    ),
    "shapes": (
        [
            node("Shape", "x", "s", start=0, end=1),
            node("ConstantOfShape", "s", "zeros"),
            node("Squeeze", "s", "n"),
            node("Range", "zero n one", "r"),
            node("OneHot", "r three values", "h"),
            node("MatMul", "h x", "p"),
            node("Unsqueeze", "zeros axis", "z"),
            node("Add", "p z", "y"),
        ],
        {
            "zero": np.int64(0),
            "one": np.int64(1),
            "three": np.int64(3),
            "values": np.array([0, 2], np.float32),
            "axis": ints(1),
        },
    ),
    "tables": (
        [
            node(
                "Imputer",
                "x",
                "i",
                ML,
                imputed_value_floats=[1.0],
                replaced_value_float=0.0,
            ),
            node("Scaler", "i", "s", ML, offset=[1.0, 2, 3, 4], scale=[2.0, 1, 3, 1]),
            node("Normalizer", "s", "n", ML, norm="L2"),
            node("ArrayFeatureExtractor", "n w", "e", ML),
            node("Binarizer", "e", "b", ML, threshold=0.1),
            node("Add", "b e", "y"),
        ],
        {"w": ints(2, 0)},
    ),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_a_formula_gives_what_onnxruntime_gives(name):
    nodes, arrays = FORMULAS[name]
    compare(nodes, real(*ROWS), arrays, "y")


@pytest.mark.parametrize("opset", [18, 21])
def test_group_normalisation_has_a_number_per_group_or_per_channel(opset):
    n = 2 if opset == 18 else 4
    nodes = [node("GroupNormalization", "x a b", "y", num_groups=2)]
    compare(nodes, real(2, 4, 3), {"a": real(n), "b": real(n)}, "y", opset)


def test_newer_operators_and_those_of_onnxruntime():
    nodes = [
        node("FusedMatMul", "x w", "p", "com.microsoft", transB=1, alpha=0.5),
        node("RMSNormalization", "p a", "r", axis=-1),
        node("Add", "r p", "y"),
    ]
    compare(nodes, real(*ROWS), {"w": real(5, 4), "a": real(5)}, "y", 23)


@pytest.mark.parametrize(
    ("op", "inputs"),
    [
        ("Range", [torch.tensor(0), torch.tensor(10**12), torch.tensor(1)]),
        ("Tile", [torch.ones(1), torch.tensor([10**12])]),
    ],
)
def test_a_step_that_would_fill_the_memory_is_refused(op, inputs):
    with pytest.raises(ValueError, match=r"\(y\) makes 1e\+12 values"):
        OPERATORS[op].run(Step(op, ("x",), ("y",)), *inputs)


def test_swish_is_the_product_with_a_sigmoid():
    x = torch.from_numpy(real(3, 4))
    ours = OPERATORS["Swish"].run(Step("Swish", ("x",), ("y",), {"alpha": 2.0}), x)
    assert_allclose(ours, x * torch.sigmoid(2 * x))
