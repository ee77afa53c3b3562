"""Quantized networks in onnxruntime: the same integers, in fused kernels."""

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.testing import assert_array_equal
from onnx.numpy_helper import to_array
from sklearn.datasets import load_digits

from sklearn_deep import (
    CNNAutoencoder,
    CNNClassifier,
    MLPAutoencoder,
    MLPClassifier,
    Quantized,
    RNNClassifier,
    to_onnx,
)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return (X[:500] / 16).astype(np.float32), y[:500]


NETWORKS = {
    "mlp": MLPClassifier((32, 16), max_epochs=8, random_state=0),
    "residual": MLPClassifier(
        (16, 16), residual=True, normalization="batch", max_epochs=5, random_state=0
    ),
    "silu": MLPClassifier((16,), activation="silu", max_epochs=5, random_state=0),
    "cnn": CNNClassifier((4, 8), input_shape=(8, 8), max_epochs=2, random_state=0),
    "resnet": CNNClassifier(
        (4, 8), architecture="resnet", input_shape=(8, 8), max_epochs=2, random_state=0
    ),
}


@pytest.mark.parametrize("bits", [8, 7, 4])
@pytest.mark.parametrize("network", NETWORKS)
def test_the_file_predicts_what_python_predicts(digits, network, bits):
    X, y = digits
    whole = Quantized(NETWORKS[network], bits).fit(X, y)
    export = to_onnx(whole, X, tolerance=2e-3)
    session = onnxruntime.InferenceSession(export.to_bytes())
    label, proba = session.run(None, {"X": X})
    assert_array_equal(label, whole.predict(X))
    assert abs(proba - whole.predict_proba(X)).max() < 2e-3


SEQUENCES = {
    "lstm": {"cell": "lstm", "bidirectional": True, "num_layers": 2},
    "gru": {"cell": "gru", "readout": "attention"},
    "rnn": {"cell": "rnn", "readout": "mean"},
}


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("params", SEQUENCES.values(), ids=SEQUENCES)
def test_recurrent_weights_are_stored_as_integers(params, bits):
    draw = np.random.default_rng(0)
    X = [draw.normal(size=(int(n), 2)).astype("f4") for n in draw.integers(3, 9, 60)]
    y = np.array([int(x[:, 0].mean() > 0) for x in X])
    net = RNNClassifier(160, **params, max_epochs=3, random_state=0).fit(X, y)
    whole = Quantized(net, bits, prefit=True).fit(X, y)
    export = to_onnx(whole, X)
    assert export.receipt["differences"]["predict_proba"]["relative"] < 1e-5
    share = {8: 0.33, 4: 0.27}[bits]
    assert len(export.to_bytes()) < share * len(to_onnx(net, X).to_bytes())


@pytest.mark.parametrize("bits", [8, 4])
def test_quantized_networks_of_tokens_export(bits):
    texts = ["abab", "ba", "cdcd", "dcc", "aab", "cddc"] * 10
    y = np.array([0, 0, 1, 1, 0, 1] * 10)
    net = RNNClassifier(8, embedding_dim=6, max_epochs=5, random_state=0)
    export = to_onnx(Quantized(net, bits).fit(texts, y), texts)
    assert export.receipt["differences"]["predict_proba"]["relative"] < 1e-5


@pytest.mark.parametrize(
    "network",
    [
        MLPAutoencoder((32, 16), code_size=8, max_epochs=5, random_state=0),
        CNNAutoencoder((4, 8), code_size=16, input_shape=(8, 8), max_epochs=2),
    ],
    ids=lambda network: type(network).__name__,
)
def test_quantized_autoencoders_export(digits, network):
    X, _ = digits
    export = to_onnx(Quantized(network).fit(X), X, tolerance=2e-3)
    assert export.receipt["rows"] >= 100


def kernels(content, path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.optimized_model_filepath = str(path)
    onnxruntime.InferenceSession(content, options)
    graph = onnx.load(path).graph
    # Products with zeros are not layers, but checks for refused rows.
    zeros = {t.name for t in graph.initializer if not to_array(t).any()}
    return [n.op_type for n in graph.node if zeros.isdisjoint(n.input[1:2])]


@pytest.mark.oldest
@pytest.mark.parametrize("bits", [8, 7])
@pytest.mark.parametrize(
    ("network", "kernel", "n"), [("mlp", "QGemm", 3), ("cnn", "QLinearConv", 2)]
)
def test_onnxruntime_fuses_every_layer(digits, tmp_path, network, kernel, n, bits):
    X, y = digits
    export = to_onnx(Quantized(NETWORKS[network], bits).fit(X, y), X, tolerance=2e-3)
    ops = kernels(export.to_bytes(), tmp_path / "fused.onnx")
    assert ops.count(kernel) == n
    assert "Gemm" not in ops
    assert "Conv" not in ops


def test_a_quantized_file_is_about_a_quarter_of_a_float_one(digits):
    X, y = digits
    # The overhead per unit matters less in wide layers.
    net = MLPClassifier((512, 512), max_epochs=1, random_state=0).fit(X, y)
    whole = Quantized(net, prefit=True).fit(X, y)
    share = len(to_onnx(whole, X, tolerance=2e-3).to_bytes())
    assert share < 0.28 * len(to_onnx(net, X).to_bytes())
