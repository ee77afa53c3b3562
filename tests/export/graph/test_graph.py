"""Graphs are inlined without name conflicts, and columns are selected from tables."""

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from sklearn_deep import OnnxExportError
from sklearn_deep.export.graph._graph import (
    BOOL,
    DOUBLE,
    FLOAT,
    INT,
    STRING,
    Graph,
    Value,
)
from sklearn_deep.export.graph._table import Table

OPSET = 18


def info(name, kind=TensorProto.DOUBLE, shape=(None, 2)):
    return helper.make_tensor_value_info(name, kind, shape)


def branching(opset=OPSET):
    """A model whose branches read outer values: x + two, or x - two."""
    two = numpy_helper.from_array(np.array(2.0), "two")
    one = numpy_helper.from_array(np.array(1.0), "inner")

    def branch(op):
        nodes = [
            helper.make_node("Mul", ["two", "inner"], ["shift"]),
            helper.make_node(op, ["x", "shift"], ["y"]),
        ]
        return helper.make_graph(nodes, op, [], [info("y")], [one])

    nodes = [
        helper.make_node("ReduceSum", ["x"], ["sum"], keepdims=0),
        helper.make_node("Greater", ["sum", "two"], ["large"]),
        helper.make_node(
            "If",
            ["large"],
            ["out"],
            then_branch=branch("Add"),
            else_branch=branch("Sub"),
        ),
    ]
    graph = helper.make_graph(nodes, "branching", [info("x")], [info("out")], [two])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


def with_a_function():
    """A model that calls a function that it defines: x * 3."""
    three = helper.make_node(
        "Constant", [], ["three"], value=numpy_helper.from_array(np.array(3.0))
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("own", 1)]
    triple = helper.make_function(
        "own",
        "Triple",
        ["a"],
        ["b"],
        [three, helper.make_node("Mul", ["a", "three"], ["b"])],
        opsets[:1],
    )
    call = helper.make_node("Triple", ["x"], ["out"], domain="own")
    graph = helper.make_graph([call], "calling", [info("x")], [info("out")])
    return helper.make_model(graph, opset_imports=opsets, functions=[triple])


def run(graph, given, *outputs, **feeds):
    model = graph.model([(given, (2,))], outputs)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, feeds)


@pytest.mark.parametrize("x", [[[5.0, 1.0]], [[-5.0, 1.0]]])
def test_a_model_with_branches_is_inlined_twice(x):
    graph, given = Graph(OPSET), Value("x", DOUBLE)
    (once,) = graph.splice(branching(), {"x": given})
    (twice,) = graph.splice(branching(), {"x": once})
    assert once.dtype == DOUBLE
    shift = 2.0 if np.sum(x) > 2 else -2.0
    first, second = run(graph, given, once, twice, x=np.array(x))
    np.testing.assert_allclose(first, np.add(x, shift))
    np.testing.assert_allclose(second, np.add(x, 2 * shift))


def test_functions_of_a_model_are_inlined():
    graph, given = Graph(OPSET), Value("x", DOUBLE)
    (out,) = graph.splice(with_a_function(), {"x": given})
    (got,) = run(graph, given, out, x=np.array([[1.0, 2.0]]))
    np.testing.assert_allclose(got, [[3.0, 6.0]])
    assert "own" not in {node.domain for node in graph.nodes}


def test_the_error_for_a_model_of_a_newer_opset_names_the_fix():
    with pytest.raises(OnnxExportError, match=r"opset 18.*target_opset=17. Raise"):
        Graph(17).splice(branching(), {"x": Value("x", DOUBLE)})


def test_names_of_values_are_unique():
    graph = Graph(OPSET)
    x = Value("x", FLOAT)
    named = [graph.node("Neg", x), *graph.node_of_two("TopK", x, dtypes=(FLOAT, INT))]
    named += [graph.constant([1.0]), graph.node("Neg", x)]
    assert len({value.name for value in named}) == 5


@pytest.mark.parametrize(
    ("array", "dtype"),
    [
        (np.array(["a", "b"]), STRING),
        (np.array(["a", "b"], object), STRING),
        (np.array([1, 2]), INT),
        (np.array([1.5]), DOUBLE),
        (np.array([1.5], np.float32), FLOAT),
        (np.array([True]), BOOL),
    ],
)
def test_constants_keep_their_dtype(array, dtype):
    graph = Graph(OPSET)
    assert graph.constant(array).dtype == dtype
    stored = numpy_helper.to_array(graph.constants[0])
    assert [s.decode() if isinstance(s, bytes) else s for s in stored.tolist()] == (
        array.tolist()
    )


def test_strings_are_not_cast_to_numbers():
    with pytest.raises(OnnxExportError, match="column of strings cannot be used as"):
        Graph(OPSET).cast(Value("x", STRING), DOUBLE)


# Tables


BLOCKS = ((Value("a", INT), 2), (Value("b", FLOAT), 1), (Value("c", DOUBLE), 3))


def test_a_table_has_the_dtype_of_the_numpy_array():
    assert Table(BLOCKS[:1]).dtype == INT
    assert Table(BLOCKS[1:2]).dtype == FLOAT
    assert Table(BLOCKS[:2]).dtype == DOUBLE
    assert Table(BLOCKS).width == 6


def test_strings_and_numbers_in_one_array_are_refused():
    with pytest.raises(
        OnnxExportError, match="strings and of numbers are in one array"
    ):
        _ = Table(((Value("a", INT), 1), (Value("b", STRING), 1))).dtype


@pytest.mark.parametrize(
    "places", [[0, 1, 2], [5, 0, 3, 3], [2], [4, 5], [], [1, 0], list(range(6))]
)
def test_columns_are_selected_across_blocks(places):
    graph = Graph(OPSET)
    table = Table(BLOCKS).select(graph, places)
    assert table.width == len(places)
    if not places:
        return
    out = graph.node("Identity", table.matrix(graph, DOUBLE))
    feeds = {
        "a": np.array([[0, 1]]),
        "b": np.array([[2]], np.float32),
        "c": np.array([[3.0, 4.0, 5.0]]),
    }
    read = {name for node in graph.nodes for name in node.input}
    inputs = [(value, (width,)) for value, width in BLOCKS if value.name in read]
    session = onnxruntime.InferenceSession(
        graph.model(inputs, [out]).SerializeToString()
    )
    names = {value.name for value, _ in inputs}
    (got,) = session.run(None, {k: v for k, v in feeds.items() if k in names})
    assert got.tolist() == [places]


def test_a_selected_block_is_not_copied():
    graph = Graph(OPSET)
    assert Table(BLOCKS).select(graph, [0, 1, 2]).blocks == BLOCKS[:2]
    assert not graph.nodes


def test_a_table_is_split_into_columns():
    graph = Graph(OPSET)
    assert [c.dtype for c in Table(BLOCKS).columns(graph)] == [INT] * 2 + [FLOAT] + [
        DOUBLE
    ] * 3
