"""Manipulated files with a valid checksum are refused before onnxruntime runs them.

Anybody can compute a checksum, so a reader trusts nothing in a file.
"""

import json
import random
from itertools import pairwise

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from onnx.numpy_helper import from_array
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from torch import hann_window, nn

from sklearn_deep import (
    MLPClassifier,
    ModuleClassifier,
    OnnxClassifier,
    OnnxFileError,
    OnnxRegressor,
    OnnxTransformer,
    to_onnx,
)
from sklearn_deep.export.layers._feed_forward import LAYERS
from sklearn_deep.serving._metadata import with_checksum

X = np.random.default_rng(0).normal(size=(20, 3))
Y = X[:, 0] > 0
HUGE = 2**30


@pytest.fixture(scope="module")
def content():
    network = MLPClassifier((4,), max_epochs=1, random_state=0).fit(X, Y)
    return to_onnx(network, X).to_bytes()


@pytest.fixture
def model(content):
    """A valid model, for tests to manipulate."""
    model = onnx.load_from_string(content)
    del model.metadata_props[-1]  # the checksum
    return model


def with_new_checksum(model):
    return with_checksum(
        model if isinstance(model, bytes) else model.SerializeToString()
    )


def refused(model, match):
    with pytest.raises(OnnxFileError, match=match):
        OnnxClassifier(with_new_checksum(model)).predict(X)


def ints(*numbers):
    return from_array(np.array(numbers, np.int64), "numbers")


def floats(*numbers):
    return from_array(np.array(numbers, np.float32), "numbers")


def constant(name, tensor):
    return helper.make_node("Constant", [], [name], value=tensor)


def node(op, *inputs, domain="", **attributes):
    return helper.make_node(op, list(inputs), ["big"], domain=domain, **attributes)


def body(*nodes):
    """A subgraph for a node."""
    out = helper.make_tensor_value_info("o", TensorProto.DOUBLE, None)
    return helper.make_graph(list(nodes), "body", [], [out])


def long_loop():
    go = constant("go", from_array(np.array(True), "go"))
    inner = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["d"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info("d", TensorProto.BOOL, [])],
    )
    return [go, helper.make_node("Loop", ["", "go"], [], body=inner)]


def doubled(op, times, *more, **attributes):
    """A chain of nodes, each with the output of the previous one as both inputs."""
    names = ["X", *(f"x{k}" for k in range(times))]
    return [
        helper.make_node(op, [a, a, *more], [b], **attributes)
        for a, b in pairwise(names)
    ]


THEN = body(constant("o", floats(1)))
NODES = {
    "endless loop": long_loop(),
    "if": [
        constant("yes", from_array(np.array(True), "yes")),
        node("If", "yes", then_branch=THEN, else_branch=THEN),
    ],
    "scan in a scan": [
        node("Scan", "X", num_scan_inputs=1, body=body(
            helper.make_node("Scan", ["X"], ["o"], num_scan_inputs=1, body=THEN)
        ))
    ],
    "loop in a scan": [node("Scan", "X", num_scan_inputs=1, body=body(*long_loop()))],
    "constant of 8 GB": [constant("s", ints(HUGE)), node("ConstantOfShape", "s")],
    "constant of two axes": [
        constant("s", ints(2**15, 2**15)), node("ConstantOfShape", "s")
    ],
    "shape from the numbers of a row": [
        helper.make_node("Cast", ["X"], ["s"], to=TensorProto.INT64),
        node("ConstantOfShape", "s"),
    ],
    "shape times a constant": [
        helper.make_node("Shape", ["X"], ["t"]),
        constant("k", ints(HUGE)),
        helper.make_node("Mul", ["t", "k"], ["s"]),
        node("ConstantOfShape", "s"),
    ],
    "expand": [constant("s", ints(HUGE, 1)), node("Expand", "X", "s")],
    "tile": [constant("s", ints(1, HUGE)), node("Tile", "X", "s")],
    "range": [
        constant("a", from_array(np.array(0), "a")),
        constant("b", from_array(np.array(HUGE), "b")),
        constant("c", from_array(np.array(1), "c")),
        node("Range", "a", "b", "c"),
    ],
    "range of small steps": [
        constant("a", from_array(np.array(0.0), "a")),
        constant("b", from_array(np.array(1.0), "b")),
        constant("c", from_array(np.array(1e-12), "c")),
        node("Range", "a", "b", "c"),
    ],
    "pad": [constant("s", ints(0, 0, 0, HUGE)), node("Pad", "X", "s")],
    "resize": [
        constant("s", floats(1, float(HUGE))), node("Resize", "X", "", "s")
    ],
    "one-hot": [
        helper.make_node("Cast", ["X"], ["i"], to=TensorProto.INT64),
        constant("d", ints(HUGE)),
        constant("v", ints(0, 1)),
        node("OneHot", "i", "d", "v"),
    ],
    "outer product": [
        constant("a", from_array(np.zeros((5000, 1), np.float32), "a")),
        constant("b", from_array(np.zeros((1, 5000), np.float32), "b")),
        node("MatMul", "a", "b"),
    ],
    "broadcasting": [
        constant("a", from_array(np.zeros((5000, 1), np.float32), "a")),
        constant("b", from_array(np.zeros((1, 5000), np.float32), "b")),
        node("Add", "a", "b"),
    ],
    "gathered again and again": [
        constant("a", from_array(np.zeros((1, 5000), np.float32), "a")),
        constant("i", from_array(np.zeros(5000, np.int64), "i")),
        node("Gather", "a", "i"),
    ],
    "rows joined to themselves": doubled("Concat", 40, axis=1),
    "constants joined to themselves": [
        constant("X2", floats(1, 2)),
        helper.make_node("Concat", ["X2"] * 2**10, ["x"], axis=0),
        helper.make_node("Concat", ["x"] * 2**10, ["y"], axis=0),
        helper.make_node("Concat", ["y"] * 2**10, ["z"], axis=0),
    ],
    "convolution of great padding": [
        constant("r", ints(0, 1, -1)),
        helper.make_node("Reshape", ["X", "r"], ["x"]),
        constant("w", from_array(np.ones((1, 1, 1)), "w")),
        node("Conv", "x", "w", pads=[HUGE, HUGE]),
    ],
    "convolution of great steps": [
        constant("r", ints(0, 1, -1)),
        helper.make_node("Reshape", ["X", "r"], ["x"]),
        constant("w", from_array(np.ones((1, 1, 1)), "w")),
        node("ConvTranspose", "x", "w", strides=[HUGE]),
    ],
    "words of great number": [
        helper.make_node("Cast", ["X"], ["i"], to=TensorProto.INT64),
        node(
            "TfIdfVectorizer", "i", max_gram_length=1, max_skip_count=0,
            min_gram_length=1, mode="TF", ngram_counts=[0], ngram_indexes=[HUGE],
            pool_int64s=[1],
        ),
    ],
    "trees of many targets": [
        node("TreeEnsembleRegressor", "X", domain="ai.onnx.ml", n_targets=HUGE)
    ],
    "linear model of many targets": [
        node("LinearRegressor", "X", domain="ai.onnx.ml", targets=HUGE)
    ],
    "numbers at random": [node("RandomNormal", shape=[2])],
    "other libraries' operators": [node("Shell", "X", domain="evil")],
    "contributed operators": [node("MatMulNBits", "X", domain="com.microsoft")],
    "nodes in disorder": [
        helper.make_node("Neg", ["later"], ["big"]),
        helper.make_node("Neg", ["X"], ["later"]),
    ],
    "sparse constant": [
        helper.make_node("Constant", [], ["big"], sparse_value=helper.make_sparse_tensor(
            floats(1), ints(0), [HUGE]
        ))
    ],
}  # fmt: skip


@pytest.mark.oldest
@pytest.mark.parametrize("kind", NODES)
def test_nodes_that_loop_or_use_unlimited_memory_are_refused(kind, model):
    first = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*NODES[kind], *first])
    refused(model, r"contains .*verify=False")


def outside(tensor):
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")


def located(tensor):
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL


def enlarged(tensor):
    tensor.dims[0] = 2**31


def shortened(tensor):
    tensor.raw_data = tensor.raw_data[:-1]


@pytest.mark.parametrize("change", [outside, located, enlarged, shortened])
def test_constants_that_are_not_in_the_file_are_refused(change, model):
    change(model.graph.initializer[0])
    with pytest.raises(OnnxFileError):
        OnnxClassifier(with_new_checksum(model)).predict(X)
    inner = from_array(np.zeros(4), "c")
    change(inner)
    del model.graph.initializer[:]
    model.graph.node.insert(0, constant("c", inner))
    with pytest.raises(OnnxFileError):
        OnnxClassifier(with_new_checksum(model)).predict(X)


def test_functions_and_training_and_sparse_constants_are_refused(model):
    changed = onnx.ModelProto.FromString(model.SerializeToString())
    changed.functions.append(
        helper.make_function(
            "evil", "F", ["x"], ["y"], [], [helper.make_opsetid("", 17)]
        )
    )
    refused(changed, "'functions'.*verify=False")
    changed = onnx.ModelProto.FromString(model.SerializeToString())
    changed.training_info.add()
    refused(changed, "'training_info'.*verify=False")
    changed = onnx.ModelProto.FromString(model.SerializeToString())
    sparse = helper.make_sparse_tensor(floats(1), ints(0), [HUGE])
    changed.graph.sparse_initializer.append(sparse)
    refused(changed, "'sparse_initializer'.*verify=False")


def test_repeated_fields_that_protobuf_would_merge_are_refused(model):
    """Protobuf adds the nodes of a second graph, or the dimensions of a second tensor."""
    more = onnx.ModelProto(graph=helper.make_graph(long_loop(), "more", [], []))
    refused(model.SerializeToString() + more.SerializeToString(), "a second 'graph'")


def test_deeply_nested_graphs_are_refused(model):
    inner = THEN
    for _ in range(20):
        inner = body(
            helper.make_node("Scan", ["X"], ["o"], num_scan_inputs=1, body=inner)
        )
    model.graph.node.extend(inner.node)
    refused(model, "nested too deeply")


def test_a_file_of_too_many_fields_is_refused(model, monkeypatch):
    monkeypatch.setattr("sklearn_deep.serving._wire._MAX_FIELDS", 1000)
    assert OnnxClassifier(with_new_checksum(model)).predict(X).shape == (20,)
    model.graph.node[0].input.extend([""] * 1000)
    refused(model, "more than 1,000 fields")


def test_verify_false_runs_a_refused_file(model):
    model.graph.node.extend(NODES["if"])
    refused(model, "the operator If.*verify=False")
    reader = OnnxClassifier(with_new_checksum(model), verify=False)
    assert reader.predict(X).shape == (20,)


def test_an_error_of_onnxruntime_is_raised_as_a_file_error(model):
    model.graph.initializer[0].dims[:] = [
        3,
        4,
    ]  # the shapes of the product no longer match
    with pytest.raises(OnnxFileError):
        OnnxClassifier(with_new_checksum(model)).predict(X)


def test_nearest_neighbours_with_their_scan_are_accepted():
    neighbours = make_pipeline(KNeighborsClassifier(2)).fit(X, Y)
    export = to_onnx(neighbours, X)
    assert "Scan" in {n.op_type for n in export.model.graph.node}
    reader = OnnxClassifier(export.to_bytes())
    np.testing.assert_array_equal(reader.predict(X), neighbours.predict(X))


class Window(nn.Module):
    """A layer whose rule writes an operator that the readers refuse."""

    def forward(self, x):
        return x * hann_window(x.shape[1], dtype=x.dtype)


def windowed_module(n_features, n_outputs):
    return nn.Sequential(nn.Linear(n_features, 4), Window(), nn.Linear(4, n_outputs))


def windowed(graph, module, x):
    width = graph.constant(np.int64(4))
    window = graph.node("HannWindow", width, dtype=np.dtype(np.float32))
    return graph.node("Mul", x, graph.cast(window, x.dtype))


def test_an_export_with_an_operator_that_readers_refuse_warns(monkeypatch):
    monkeypatch.setitem(LAYERS, Window, windowed)
    network = ModuleClassifier(windowed_module, max_epochs=1, random_state=0)
    network.fit(X.astype(np.float32), Y)
    with pytest.warns(UserWarning, match="verify=False only.*HannWindow"):
        content = to_onnx(network, X.astype(np.float32)).to_bytes()
    with pytest.raises(OnnxFileError, match="the operator HannWindow"):
        OnnxClassifier(content).predict(X)
    reader = OnnxClassifier(content, verify=False)
    np.testing.assert_array_equal(reader.predict(X), network.predict(X))


# Metadata

BROKEN = {
    "nested": "[" * 100_000 + "]" * 100_000,
    "nested dictionaries": '{"format":' * 100_000,
    "no dictionary": "[1]",
    "a huge number": "1" * 10_000,
    "no JSON": "{",
}


def with_metadata(model, text):
    model.metadata_props[0].value = text
    return model


@pytest.mark.parametrize("kind", BROKEN)
def test_invalid_metadata_are_refused(kind, model):
    refused(with_metadata(model, BROKEN[kind]), "metadata entry 'sklearn_deep'")


def test_metadata_that_are_not_text_are_refused(content):
    place = content.index(b'"format"')
    refused(content[:place] + b"\xff\xfe" + content[place + 2 :], "damaged")


# path in the metadata -> an invalid value there
FAULTS = {
    "format": [None, "1", 0, True, [1]],
    "package_version": [None, 1],
    "estimator": [None, []],
    "task": [None, "clusterer", ["classifier"], "regressor"],
    "n_features_in": [None, "3", 2, 4.0, -1, 2**70],
    "feature_names_in": ["abc", ["a"], [1, 2, 3], {}],
    "optional_columns": [None, [9], ["a"], [-1], "0"],
    "missing_is_looked_up": [None, 1, "yes"],
    "sequences": [{}, [], True, {"kind": "numbers"}],
    "pixels": [1, "yes", True],
    "by_step": [None, 0],
    "inputs": [None, [], {}, [[]], [{"name": "X"}]],
    "inputs/0/name": [None, "Y", 1],
    "inputs/0/columns": [None, [], [0, 1], [0, 1, 1], [0, 1, 9], [0, 1, "2"], "012"],
    "inputs/0/dtype": [None, "float32", "string", "<f8", []],
    "inputs/0/row_shape": [[3], "3", 3],
    "missing": [None, 0],
    "classes": [None, [], {}, {"dtype": "bool"}, [{"dtype": "bool", "values": [True]}]],
    "classes/dtype": [None, "V9", "i4,i4", "M8[s]", "<U999999999", "(2,)f8", "é"],
    "classes/values": [None, "ab", [None], [[0], [1]], ["a", 1], [1e400], ["a", "b"]],
    "class_numbers": [None, "no"],
    "multilabel": [None, 1],
    "outputs": [None, [], {}, {"predict": {}}, {"transform": {"name": "label"}}],
    "outputs/predict/name": [None, "none", [], "probabilities\ud800"],
    "outputs/predict_proba/form": [None, "table", "sequence", "zipmap", "columns"],
    "outputs/predict_proba/names": [["probabilities"], []],
    "target": [{}, {"ndim": 1, "dtype": "float64"}],
    "feature_names_out": ["abc", [1]],
    "refusals": [[], {}, {"name": "none"}, {"name": "probabilities", "form": "zipmap"}],
    "receipt": [None, [], {"a": [[[[[[]]]]]]}],
}


@pytest.mark.parametrize(
    ("path", "value"),
    [(path, value) for path, values in FAULTS.items() for value in values],
    ids=str,
)
def test_every_field_of_the_metadata_is_checked(path, value, model):
    metadata = json.loads(model.metadata_props[0].value)
    part = metadata
    *parents, last = [int(k) if k.isdigit() else k for k in path.split("/")]
    for key in parents:
        part = part[key]
    part[last] = value
    refused(with_metadata(model, json.dumps(metadata)), "metadata")


LATER = ("optional_columns", "refusals", "missing_is_looked_up", "fields")


def test_only_fields_of_later_versions_are_optional(model):
    whole = json.loads(model.metadata_props[0].value)
    for name in whole:
        metadata = {key: value for key, value in whole.items() if key != name}
        if name in LATER:
            content = with_new_checksum(with_metadata(model, json.dumps(metadata)))
            assert OnnxClassifier(content).predict(X).shape == (20,)
        else:
            refused(
                with_metadata(model, json.dumps(metadata)), f"metadata lacks '{name}'"
            )


# Random changes

READERS = (OnnxClassifier, OnnxRegressor, OnnxTransformer)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


def use(content):
    """Read a file in every way; only errors about the file may be raised."""
    for reader_class in READERS:
        try:
            reader = reader_class(content)
            rows = np.zeros((2, reader.n_features_in_))
            for method in (
                "predict",
                "predict_proba",
                "decision_function",
                "transform",
            ):
                if hasattr(reader, method):
                    assert len(getattr(reader, method)(rows)) == 2
            assert reader.receipt_ is not None
        except OnnxFileError:
            continue


def paths_in(value, before=()):
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        yield (*before, key)
        if isinstance(inner, (dict, list)):
            yield from paths_in(inner, (*before, key))


def with_random_metadata(content, data):
    model = onnx.load_from_string(content)
    del model.metadata_props[-1]
    metadata = json.loads(model.metadata_props[0].value)
    *parents, last = data.draw(st.sampled_from(list(paths_in(metadata))))
    part = metadata
    for key in parents:
        part = part[key]
    part[last] = data.draw(JSON)
    return with_new_checksum(with_metadata(model, json.dumps(metadata)))


@given(data=st.data())
@settings(max_examples=50)
def test_randomly_changed_metadata_are_read_or_refused(content, data):
    use(with_random_metadata(content, data))


@pytest.mark.slow
@given(data=st.data())
@settings(max_examples=max(1000, settings().max_examples))
def test_many_randomly_changed_metadata_are_read_or_refused(content, data):
    use(with_random_metadata(content, data))


def changed_bytes(body, rng):
    """Change, drop or add a few bytes of a model."""
    changed = bytearray(body)
    for _ in range(rng.choice([1, 1, 2, 4])):
        place = rng.randrange(len(changed))
        kind = rng.random()
        if kind < 0.8:
            changed[place] = rng.randrange(256)
        elif kind < 0.9:
            del changed[place]
        else:
            changed.insert(place, rng.randrange(256))
    return bytes(changed)


def sweep(content, n_files):
    body = content[: -len(with_checksum(b""))]
    rng = random.Random(0)
    for _ in range(n_files):
        use(with_new_checksum(changed_bytes(body, rng)))


def test_a_randomly_changed_graph_is_run_or_refused(content, capfd):
    sweep(content, 300)
    assert capfd.readouterr() == ("", "")  # nothing is printed either


@pytest.mark.slow
def test_many_randomly_changed_graphs_are_run_or_refused(content):
    sweep(content, 3000)
    forest = RandomForestClassifier(2, max_depth=2, random_state=0)
    vote = VotingClassifier(
        [("net", MLPClassifier((4,), max_epochs=1, random_state=0)), ("trees", forest)],
        voting="soft",
    )
    sweep(to_onnx(vote.fit(X, Y), X.astype(np.float32)).to_bytes(), 1000)
