"""ONNX files become fitted estimators with weights that can be trained."""

import pickle
import warnings

import numpy as np
import onnx
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from onnx import TensorProto, helper, numpy_helper
from sklearn import neural_network
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from torch import nn

import sklearn_deep
from sklearn_deep import (
    CNNAutoencoder,
    CNNClassifier,
    CNNRegressor,
    InvalidParameterError,
    MLPAutoencoder,
    MLPClassifier,
    MLPRegressor,
    ModuleClassifier,
    OnnxFileError,
    OnnxImportError,
    Pruned,
    Quantized,
    RNNClassifier,
    RNNRegressor,
    TabularClassifier,
    TabularRegressor,
    from_onnx,
    to_onnx,
)
from sklearn_deep.estimators.core._base import DeepEstimator
from sklearn_deep.nn._activations import ACTIVATIONS
from sklearn_deep.transfer.conversion._operators import OPERATORS

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 4)).astype(np.float32)
THREE = np.array(["low", "mid", "top"])[np.digitize(X[:, 0], [-0.5, 0.5])]
TWO = X[:, 0] > 0
NUMBERS = X[:, :2] * [3, 40] + [1, -5]
IMAGES = RNG.normal(size=(40, 8, 8)).astype(np.float32)
SERIES = RNG.normal(size=(40, 5, 2)).astype(np.float32)
SHORT = {"max_epochs": 2, "random_state": 0}


def there(model, X, **params):
    return from_onnx(to_onnx(model, X).to_bytes(), **params)


def predicted(model, X):
    if hasattr(model, "predict_proba"):
        return model.predict_proba(X)
    return model.predict(X) if hasattr(model, "predict") else model.transform(X)


def network_of(model):
    return model[-1] if hasattr(model, "steps") else model


def file_of(nodes, inputs, outputs, arrays, opset=18):
    """A model of nodes, with shapes of float inputs."""
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info(n, t, s) for n, t, s in inputs],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in outputs],
        [numpy_helper.from_array(a, n) for n, a in arrays.items()],
    )
    ids = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=ids, ir_version=9)


def linear(op="MatMul", **params):
    """A linear layer of three outputs."""
    nodes = [helper.make_node(op, ["x", "w"], ["y"], **params)]
    arrays = {"w": RNG.normal(size=(4, 3)).astype(np.float32)}
    return file_of(nodes, [("x", TensorProto.FLOAT, ["n", 4])], ["y"], arrays)


# There and back.

MODELS = {
    "CNNAutoencoder": (CNNAutoencoder(conv_channels=(4,), **SHORT), IMAGES, None),
    "CNNClassifier": (CNNClassifier(conv_channels=(4,), **SHORT), IMAGES, THREE),
    "CNNRegressor": (CNNRegressor(conv_channels=(4,), **SHORT), IMAGES, NUMBERS),
    "MLPAutoencoder": (MLPAutoencoder(**SHORT), X, None),
    "MLPClassifier": (MLPClassifier((7, 5), **SHORT), X, THREE),
    "MLPRegressor": (MLPRegressor((7, 5), **SHORT), X, NUMBERS),
    "RNNClassifier": (RNNClassifier(hidden_size=4, **SHORT), SERIES, THREE),
    "RNNRegressor": (RNNRegressor(hidden_size=4, **SHORT), SERIES, NUMBERS),
    "TabularClassifier": (
        TabularClassifier(n_networks=2, hidden_layer_sizes=8, **SHORT),
        X,
        THREE,
    ),
    "TabularRegressor": (
        TabularRegressor(n_networks=2, hidden_layer_sizes=8, **SHORT),
        X,
        NUMBERS[:, 0],
    ),
}


def test_every_network_of_ours_is_among_the_models():
    public = (getattr(sklearn_deep, name) for name in sklearn_deep.__all__)
    networks = {
        value.__name__
        for value in public
        if isinstance(value, type) and issubclass(value, DeepEstimator)
    }
    assert networks - {"ModuleClassifier", "ModuleRegressor"} == set(MODELS)


@pytest.mark.parametrize("name", MODELS)
def test_every_network_goes_there_and_back_and_there_again(name):
    model, X, y = MODELS[name]
    model = clone(model).fit(X, y)
    twin = there(model, X, X_check=X)
    scale = max(1.0, np.abs(predicted(model, X)).max())
    assert_allclose(predicted(twin, X), predicted(model, X), atol=1e-5 * scale)
    assert network_of(twin).receipt_["difference"] < 1e-5
    again = there(twin, X, X_check=X)
    assert_allclose(predicted(again, X), predicted(model, X), atol=2e-5 * scale)


@pytest.mark.parametrize("y", [TWO, THREE, (X[:, :3] > 0).astype(int)])
def test_an_mlp_stays_one_with_its_labels(y):
    network = MLPClassifier((7, 5), **SHORT).fit(X, y)
    twin = there(network, X)
    assert type(twin) is MLPClassifier
    assert_array_equal(twin.predict(X), network.predict(X))
    assert_array_equal(twin.classes_, network.classes_)
    n_values = sum(p.numel() for p in network.module_.parameters())
    assert twin.receipt_["trainable_parameters"] == n_values
    assert twin.receipt_["rows"] == 16


@pytest.mark.parametrize("y", [NUMBERS, NUMBERS[:, 0]])
def test_a_regressor_has_its_units_beside_the_network(y):
    network = MLPRegressor((7,), **SHORT).fit(X, y)
    twin = there(network, X)
    assert type(twin) is MLPRegressor
    before, after = network.module_.output.weight, twin.module_.output.weight
    assert_allclose(after.detach(), before.detach(), rtol=1e-6)
    assert_allclose(twin.predict(X), network.predict(X), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_is_recognised(activation):
    network = MLPClassifier((7, 5), activation=activation, **SHORT).fit(X, THREE)
    twin = there(network, X)
    assert twin.activation == activation


@pytest.mark.parametrize(
    ("activation", "params"),
    [
        ("leaky_relu", {"negative_slope": 0.2}),
        ("elu", {"alpha": 0.7}),
        ("gelu", {"approximate": "tanh"}),
    ],
)
def test_parameters_of_activations_are_recognised(activation, params):
    network = MLPClassifier(
        (7,), activation=activation, activation_params=params, **SHORT
    ).fit(X, THREE)
    assert there(network, X).activation_params == pytest.approx(params)


@pytest.mark.parametrize("normalization", ["batch", "layer"])
def test_normalisation_is_recognised(normalization):
    network = MLPClassifier((7, 5), normalization=normalization, **SHORT)
    twin = there(network.fit(X, THREE), X)
    assert twin.normalization == normalization
    assert_allclose(predicted(twin, X), predicted(network, X), atol=1e-6)


def test_residual_layers_are_a_module():
    network = MLPClassifier((7, 5), residual=True, **SHORT).fit(X, THREE)
    assert type(there(network, X)) is ModuleClassifier


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("readout", ["last", "mean", "max", "attention"])
def test_every_recurrent_layer_and_readout(cell, bidirectional, readout):
    network = RNNClassifier(
        hidden_size=3, cell=cell, bidirectional=bidirectional, readout=readout, **SHORT
    ).fit(SERIES, THREE)
    twin = there(network, SERIES, X_check=SERIES)
    assert_allclose(predicted(twin, SERIES), predicted(network, SERIES), atol=1e-5)


@pytest.mark.parametrize("architecture", ["plain", "resnet", "fcn", "inception_time"])
def test_every_convolutional_architecture(architecture):
    network = CNNClassifier(architecture=architecture, max_epochs=1, random_state=0)
    network.fit(SERIES, THREE)
    twin = there(network, SERIES)
    assert_allclose(predicted(twin, SERIES), predicted(network, SERIES), atol=1e-5)


# From scikit-learn, by skl2onnx.


def their_file(model, y, **options):
    from skl2onnx import to_onnx as convert

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y)
    return convert(model, X, **options).SerializeToString()


@pytest.mark.parametrize("y", [TWO.astype(int), THREE, (X[:, :3] > 0).astype(int)])
def test_a_file_of_scikit_learns_mlp_has_its_labels(y):
    mlp = neural_network.MLPClassifier((6, 5), max_iter=20, random_state=0)
    twin = from_onnx(their_file(mlp, y))
    assert type(twin) is MLPClassifier
    assert_array_equal(twin.predict(X), mlp.predict(X))
    assert_allclose(twin.predict_proba(X), mlp.predict_proba(X), atol=1e-6)


def test_imputer_and_scaler_become_steps():
    mlp = neural_network.MLPClassifier((6,), max_iter=20, random_state=0)
    pipe = make_pipeline(SimpleImputer(), StandardScaler(), mlp)
    twin = from_onnx(their_file(pipe, THREE))
    names = [type(step).__name__ for step in twin]
    assert names == ["SimpleImputer", "StandardScaler", "MLPClassifier"]
    assert_allclose(twin[1].mean_, pipe[1].mean_, rtol=1e-5, atol=1e-7)
    holes = np.where(X > 1.5, np.nan, X)
    assert_allclose(twin.predict_proba(holes), pipe.predict_proba(holes), atol=1e-5)


def test_a_scaler_to_a_range_becomes_a_step():
    mlp = neural_network.MLPRegressor(hidden_layer_sizes=(6,), max_iter=20)
    pipe = make_pipeline(MinMaxScaler(), mlp)
    twin = from_onnx(their_file(pipe, NUMBERS))
    assert_allclose(twin.predict(X), pipe.predict(X), rtol=1e-4, atol=1e-4)
    assert type(twin[-1]) is MLPRegressor


# What can be done with it.


def test_a_module_clones_pickles_and_is_trained_further():
    network = RNNClassifier(hidden_size=4, **SHORT).fit(SERIES, THREE)
    twin = there(network, SERIES, X_check=SERIES)
    assert_array_equal(
        pickle.loads(pickle.dumps(twin)).predict_proba(SERIES),
        twin.predict_proba(SERIES),
    )
    before = [p.detach().clone() for p in twin.module_.parameters()]
    twin.partial_fit(SERIES, THREE)
    changes = [
        float((p.detach() - b).abs().max())
        for p, b in zip(twin.module_.parameters(), before, strict=True)
    ]
    assert min(changes) > 0
    assert max(changes) < 0.1
    assert twin.net_.history


def test_a_clone_of_a_module_begins_with_the_weights_of_the_file():
    network = CNNClassifier(conv_channels=(4,), max_epochs=30, learning_rate=0.01)
    network.fit(IMAGES, THREE)
    twin = there(network, IMAGES)
    fresh = clone(twin).set_params(max_epochs=1, learning_rate=1e-7)
    fresh.fit(IMAGES, THREE)
    assert_allclose(predicted(fresh, IMAGES), predicted(twin, IMAGES), atol=1e-3)
    search = GridSearchCV(twin, {"learning_rate": [1e-6, 1e-7]}, cv=2)
    search.set_params(estimator__max_epochs=1).fit(IMAGES, THREE)
    assert search.best_score_ == pytest.approx(twin.score(IMAGES, THREE))


def test_running_moments_stay_as_they_are():
    network = CNNClassifier(conv_channels=(4,), **SHORT).fit(IMAGES, THREE)
    twin = there(network, IMAGES)
    before = {n: b.clone() for n, b in twin.module_.named_buffers()}
    twin.partial_fit(IMAGES, THREE)
    for name, buffer in twin.module_.named_buffers():
        assert_array_equal(buffer, before[name])


def test_its_layers_are_stages_and_its_last_one_is_linear():
    network = CNNClassifier(conv_channels=(4, 6), **SHORT).fit(IMAGES, THREE)
    twin = there(network, IMAGES)
    names = [name for name, _ in twin.module_.named_children()]
    assert [name.partition("_")[0] for name in names[:2]] == ["conv", "conv"]
    assert names[-1] == "output"
    assert type(twin.module_.output) is nn.Linear
    assert_allclose(
        twin.module_.output.weight.detach(),
        network.module_.output.weight.detach(),
        rtol=1e-6,
    )


def test_branches_are_in_one_stage():
    network = CNNClassifier(architecture="resnet", max_epochs=1, random_state=0)
    twin = there(network.fit(SERIES, THREE), SERIES)
    blocks = [part for part in twin.module_ if hasattr(part, "graph")]
    assert [part.graph.operators.get("Conv") >= 3 for part in blocks] == [True] * 3


def test_a_weight_of_two_layers_keeps_them_in_one_stage():
    arrays = {"w": RNG.normal(size=(4, 4)).astype(np.float32)}
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("Tanh", ["a"], ["b"]),
        helper.make_node("Transpose", ["w"], ["v"]),
        helper.make_node("Sin", ["b"], ["c"]),
        helper.make_node("MatMul", ["c", "v"], ["y"]),
    ]
    twin = from_onnx(
        file_of(nodes, [("x", TensorProto.FLOAT, ["n", 4])], ["y"], arrays)
    )
    assert [name for name, _ in twin.module_.named_children()] == ["output"]
    assert sum(p.numel() for p in twin.module_.parameters()) == 16


def test_what_it_gives_is_pruned_and_quantized():
    network = there(MLPClassifier((16,), **SHORT).fit(X, THREE), X)
    assert Quantized(network, prefit=True).fit(X, THREE).predict(X).shape == (40,)
    module = there(
        CNNClassifier(conv_channels=(4,), **SHORT).fit(IMAGES, THREE), IMAGES
    )
    pruned = Pruned(module, prefit=True, amount=0.5, fine_tune_epochs=1)
    pruned.fit(IMAGES, THREE)
    weights = [p for p in pruned.estimator_.module_.parameters() if p.ndim > 1]
    assert sum(int((w == 0).sum()) for w in weights) > 100


# Tasks, outputs, classes.


def test_numbers_are_a_regression_and_labels_make_a_classifier():
    model = linear()
    assert type(from_onnx(model)) is MLPRegressor
    assert type(from_onnx(model, task="classifier")) is MLPClassifier
    raw = from_onnx(model).predict(X)
    network = from_onnx(model, classes=["c", "a", "b"])
    assert network.classes_.tolist() == ["a", "b", "c"]
    assert_array_equal(network.predict(X), np.array(["c", "a", "b"])[raw.argmax(1)])


def test_two_outputs_are_one_logit():
    model = file_of(
        [
            helper.make_node("Gemm", ["x", "w", "b"], ["raw"]),
            helper.make_node("Softmax", ["raw"], ["p"]),
        ],
        [("x", TensorProto.FLOAT, ["n", 4])],
        ["p"],
        {
            "w": RNG.normal(size=(4, 2)).astype(np.float32),
            "b": np.array([0.5, -1], np.float32),
        },
    )
    for labels in (["a", "b"], ["b", "a"]):
        network = from_onnx(model, classes=labels)
        assert network.module_.output.weight.shape == (1, 4)
        logits = X @ numpy_helper.to_array(model.graph.initializer[0]) + [0.5, -1]
        assert_array_equal(network.predict(X), np.array(labels)[logits.argmax(1)])


def test_an_output_is_chosen_by_name():
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["y"]),
        helper.make_node("Relu", ["y"], ["z"]),
    ]
    arrays = {"w": RNG.normal(size=(4, 3)).astype(np.float32)}
    model = file_of(nodes, [("x", TensorProto.FLOAT, ["n", 4])], ["y", "z"], arrays)
    with pytest.raises(OnnxImportError, match="several outputs: y, z"):
        from_onnx(model)
    assert (from_onnx(model, output="z").predict(X) >= 0).all()
    with pytest.raises(InvalidParameterError, match="must be an output of the model"):
        from_onnx(model, output="label")


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"task": "clustering"}, "must be None, 'classifier' or 'regressor'"),
        ({"classes": ["a", "b"]}, "must have 3 different labels"),
        ({"classes": ["a", "a", "b"]}, "must have 3 different labels"),
    ],
)
def test_a_parameter_that_is_not_allowed_is_named(params, words):
    with pytest.raises(InvalidParameterError, match=words):
        from_onnx(linear(), **params)


def test_columns_that_are_inputs_become_one_table():
    names = ["age", "height"]
    nodes = [
        helper.make_node("Concat", names, ["x"], axis=1),
        helper.make_node("MatMul", ["x", "w"], ["y"]),
    ]
    inputs = [(n, TensorProto.FLOAT, ["n", 1]) for n in names]
    model = file_of(nodes, inputs, ["y"], {"w": np.ones((2, 1), np.float32)})
    network = from_onnx(model)
    assert network.feature_names_in_.tolist() == names
    assert type(network) is MLPRegressor


def test_rows_of_any_length_need_an_example():
    network = RNNClassifier(hidden_size=4, **SHORT).fit(SERIES, THREE)
    content = to_onnx(network, SERIES).to_bytes()
    with pytest.raises(OnnxImportError, match=r"\(any, 2\).* as X_check"):
        from_onnx(content)
    with pytest.raises(OnnxImportError, match="X_check has rows of shape"):
        from_onnx(content, X_check=SERIES[:, :, :1])


# Files that cannot be read.


def test_all_unknown_operators_are_named_at_once():
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["y"]),
        helper.make_node("Det", ["y"], ["z"]),
        helper.make_node("NonZero", ["y"], ["q"]),
        helper.make_node("Magic", ["y"], ["r"], domain="my.own"),
    ]
    arrays = {"w": np.ones((4, 3), np.float32)}
    model = file_of(
        nodes, [("x", TensorProto.FLOAT, ["n", 4])], ["z", "q", "r"], arrays
    )
    model.opset_import.append(helper.make_opsetid("my.own", 1))
    with pytest.raises(OnnxImportError, match=r"Det, NonZero, my\.own\.Magic"):
        from_onnx(model)


def test_control_flow_is_named():
    body = helper.make_graph(
        [helper.make_node("Identity", ["w"], ["out"])],
        "branch",
        [],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)],
    )
    nodes = [helper.make_node("If", ["c"], ["y"], then_branch=body, else_branch=body)]
    arrays = {"w": np.ones((4, 3), np.float32), "c": np.array(True)}
    model = file_of(nodes, [("x", TensorProto.FLOAT, ["n", 4])], ["y"], arrays)
    with pytest.raises(OnnxImportError, match="If: control flow"):
        from_onnx(model)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"not an ONNX model", "is not an ONNX model, or it is damaged"),
        (onnx.ModelProto(ir_version=9).SerializeToString(), "has no operations"),
        (linear().SerializeToString()[:-20], "ONNX model"),
    ],
)
def test_a_damaged_file_is_an_error_that_says_so(content, words, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    for file in (content, path, str(path)):
        with pytest.raises(OnnxFileError, match=words):
            from_onnx(file)


def test_every_truncation_and_flipped_byte_is_an_error_or_another_network():
    content = linear("Gemm").SerializeToString()
    for place in range(0, len(content), 3):
        damaged = bytearray(content)
        damaged[place] ^= 0x5A
        for variant in (content[:place], bytes(damaged)):
            try:
                network = from_onnx(variant)
            except (OnnxFileError, OnnxImportError):
                continue
            assert network_of(network).receipt_["difference"] <= 1e-5


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(TypeError, match="takes the path of an ONNX file"):
        from_onnx(3)
    with pytest.raises(OnnxFileError, match="is a directory"):
        from_onnx(tmp_path)
    with pytest.raises(FileNotFoundError):
        from_onnx(tmp_path / "none.onnx")


def with_external(location, offset=0, length=48):
    model = linear()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {
        "location": location,
        "offset": offset,
        "length": length,
    }.items():
        tensor.external_data.add(key=key, value=str(value))
    return model.SerializeToString()


def test_arrays_are_read_from_the_folder_of_the_model(tmp_path):
    weight = RNG.normal(size=(4, 3)).astype(np.float32)
    (tmp_path / "weights.bin").write_bytes(bytes(8) + weight.tobytes())
    (tmp_path / "model.onnx").write_bytes(with_external("weights.bin", 8))
    network = from_onnx(tmp_path / "model.onnx")
    assert_allclose(network.predict(X), X @ weight, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "location",
    ["../secret", "a/../../secret", "/etc/hostname", "C:\\secret", "link", "..", ""],
)
def test_no_file_outside_of_the_folder_is_read(location, tmp_path):
    (tmp_path / "secret").write_bytes(bytes(48))
    folder = tmp_path / "folder"
    (folder / "a").mkdir(parents=True)
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "model.onnx").write_bytes(with_external(location))
    with pytest.raises(OnnxFileError, match="outside of the folder"):
        from_onnx(folder / "model.onnx")


@pytest.mark.parametrize(
    ("offset", "length"), [(0, 1000), (40, 48), (-8, 48), ("x", 48), (0, "1e9")]
)
def test_an_array_that_is_not_where_it_should_be_is_an_error(offset, length, tmp_path):
    (tmp_path / "weights.bin").write_bytes(bytes(48))
    content = with_external("weights.bin", offset, length)
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(OnnxFileError, match="does not lie where the model says"):
        from_onnx(tmp_path / "model.onnx")


def test_a_file_that_is_missing_or_has_no_folder_is_named(tmp_path):
    (tmp_path / "model.onnx").write_bytes(with_external("weights.bin"))
    with pytest.raises(OnnxFileError, match="not beside the model"):
        from_onnx(tmp_path / "model.onnx")
    with pytest.raises(OnnxFileError, match="Pass the path"):
        from_onnx(with_external("weights.bin"))


def test_a_model_without_weights_or_with_texts_is_refused():
    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    model = file_of(nodes, [("x", TensorProto.FLOAT, ["n", 4])], ["y"], {})
    with pytest.raises(OnnxImportError, match="no weights"):
        from_onnx(model)
    model = file_of(
        [helper.make_node("Identity", ["x"], ["y"])],
        [("x", TensorProto.STRING, ["n", 1])],
        ["y"],
        {},
    )
    with pytest.raises(OnnxImportError, match="takes texts"):
        from_onnx(model)


def test_a_constant_of_absurd_size_is_refused_before_it_is_made():
    nodes = [
        helper.make_node("Range", ["zero", "many", "one"], ["r"]),
        helper.make_node("MatMul", ["x", "w"], ["y"]),
        helper.make_node("Cast", ["r"], ["c"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["y", "c"], ["z"]),
    ]
    arrays = {
        "w": np.ones((4, 3), np.float32),
        **{n: np.int64(v) for n, v in (("zero", 0), ("many", 10**13), ("one", 1))},
    }
    arrays = {n: np.asarray(a) for n, a in arrays.items()}
    model = file_of(nodes, [("x", TensorProto.FLOAT, ["n", 4])], ["z"], arrays)
    with pytest.raises(OnnxFileError, match="makes 1e\\+13 values"):
        from_onnx(model)


def test_an_old_operator_set_is_named():
    model = linear()
    model.opset_import[0].version = 6
    with pytest.raises(OnnxFileError, match="has operator set 6"):
        from_onnx(model)


def test_a_network_that_differs_from_onnxruntime_is_not_given_out(monkeypatch):
    wrong = OPERATORS["MatMul"]
    monkeypatch.setitem(
        OPERATORS, "MatMul", type(wrong)(lambda step, a, b: a @ b * 1.001, (0, 1))
    )
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["y"]),
        helper.make_node("Sin", ["y"], ["z"]),
    ]
    arrays = {"w": RNG.normal(size=(4, 3)).astype(np.float32)}
    model = file_of(nodes, [("x", TensorProto.FLOAT, ["n", 4])], ["z"], arrays)
    with pytest.raises(OnnxImportError, match="differs from onnxruntime by"):
        from_onnx(model)
