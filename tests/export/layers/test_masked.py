"""Export of convolutional networks over series of unequal length."""

import numpy as np
import onnxruntime
import pytest
from numpy.testing import assert_allclose

from sklearn_deep import (
    CNNClassifier,
    CNNRegressor,
    NetworkFeatures,
    OnnxClassifier,
    OnnxRegressor,
    Quantized,
    Sliced,
    to_onnx,
)
from sklearn_deep.export.parity._edge_rows import edge_rows
from sklearn_deep.serving._sequence_inputs import object_array

RNG = np.random.default_rng(0)
X = [RNG.normal(size=(n, 2)) for n in [0, 1, *RNG.integers(2, 15, 38)]]
OTHERS = [RNG.normal(size=(n, 2)) for n in [40, 0, 1, 2, 3]]
Y = np.array([int(x.sum() > 0) for x in X])
SMALL = {"conv_channels": (4, 5), "max_epochs": 2, "random_state": 0}

STYLES = {
    "plain": {},
    "average": {"pooling": "average", "pool_size": 3, "normalization": "layer"},
    "strided": {"stride": (2, 3), "kernel_size": (2, 3), "global_pooling": "max"},
    "residual": {"residual": True, "activation": "sigmoid"},
    "gelu": {"activation": "gelu", "normalization": None},
    "fcn": {"architecture": "fcn", "dtype": "float32"},
    "resnet": {"architecture": "resnet"},
    "inception_time": {"architecture": "inception_time", "kernel_size": 6},
}


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
def test_every_architecture_is_exported_with_lengths(style):
    net = CNNClassifier(**SMALL, **style).fit(X, Y)
    content = to_onnx(net, X).to_bytes()
    read = OnnxClassifier(content)
    for rows in (OTHERS, OTHERS[:1], OTHERS[1:2]):
        ours, expected = read.predict_proba(rows), net.predict_proba(rows)
        assert_allclose(ours, expected, atol=2e-6)
    # Padding with any value and of any length.
    session = onnxruntime.InferenceSession(content)
    assert [i.name for i in session.get_inputs()] == ["X", "lengths"]
    steps = np.full((5, 50, 2), 7.0, session_dtype(session))
    for row, x in zip(steps, OTHERS, strict=True):
        row[: len(x)] = x
    lengths = np.array([len(x) for x in OTHERS])
    raw = session.run(None, {"X": steps, "lengths": lengths})
    p = next(out for out in raw if out.ndim == 2)
    assert_allclose(p, net.predict_proba(OTHERS), atol=2e-6)


def session_dtype(session):
    return {"tensor(float)": np.float32, "tensor(double)": np.float64}[
        session.get_inputs()[0].type
    ]


def test_a_network_fitted_on_an_array_is_exported_for_series_of_any_length():
    array = RNG.normal(size=(40, 8, 2))
    net = CNNRegressor(**SMALL, spatial_dims=1).fit(array, array.sum((1, 2)))
    for rows in (X, array[:, :5]):
        read = OnnxRegressor(to_onnx(net, rows).to_bytes())
        assert_allclose(read.predict(OTHERS), net.predict(OTHERS), rtol=1e-4, atol=1e-5)
    whole = OnnxRegressor(to_onnx(net, array).to_bytes())
    assert_allclose(whole.predict(array), net.predict(array), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("compression", [Sliced, Quantized])
def test_compressed_networks_are_exported_with_lengths(compression):
    net = CNNClassifier(**SMALL, kernel_size=(4, 3))
    net = compression(net).fit(X, Y)
    read = OnnxClassifier(to_onnx(net, X).to_bytes())
    assert_allclose(read.predict_proba(OTHERS), net.predict_proba(OTHERS), atol=2e-6)


def test_features_are_exported_with_lengths():
    features = NetworkFeatures(CNNClassifier(**SMALL)).fit(X, Y)
    session = onnxruntime.InferenceSession(to_onnx(features, X).to_bytes())
    steps = np.zeros((5, 40, 2), session_dtype(session))
    for row, x in zip(steps, OTHERS, strict=True):
        row[: len(x)] = x
    lengths = np.array([len(x) for x in OTHERS])
    name = session.get_outputs()[0].name
    (out,) = session.run([name], {"X": steps, "lengths": lengths})
    assert_allclose(out, features.transform(OTHERS), atol=2e-6)


@pytest.mark.parametrize("channels", ["first", "last"])
def test_sequences_of_one_step_doubled_and_empty_are_compared(channels):
    series = [x.T if channels == "first" else x for x in X[2:]]
    net = CNNClassifier(**SMALL, channels=channels).fit(series, Y[2:])
    rows = [row for block in edge_rows(net, object_array(series)) for row in block]
    assert {0, 1, 2 * len(X[2])} <= {np.size(row) // 2 for row in rows}
