"""Networks of Keras become fitted estimators; skipped where Keras is not installed."""

import os
from importlib.util import find_spec

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_deep import (
    MissingDependencyError,
    MLPClassifier,
    MLPRegressor,
    ModuleClassifier,
    OnnxFileError,
    from_keras,
)

HAS_KERAS = find_spec("keras") is not None
needs_keras = pytest.mark.skipif(not HAS_KERAS, reason="Keras is not installed")

if HAS_KERAS:
    os.environ["KERAS_BACKEND"] = "torch"
    pytestmark = pytest.mark.filterwarnings("ignore")

NETWORKS = {
    "mlp": ((4,), [("Dense", 8, "relu"), ("Dropout", 0.2), ("Dense", 3, "softmax")]),
    "numbers": ((4,), [("Dense", 8, "tanh"), ("Dense", 2)]),
    "images": (
        (12, 12, 1),
        [
            ("Conv2D", 4, 3),
            ("BatchNormalization",),
            ("ReLU",),
            ("MaxPooling2D",),
            ("SeparableConv2D", 6, 3),
            ("GlobalAveragePooling2D",),
            ("Dense", 3, "softmax"),
        ],
    ),
    "lstm": ((7, 3), [("LSTM", 5), ("Dense", 1, "sigmoid")]),
    "gru": ((7, 3), [("GRU", 5), ("Dense", 3, "softmax")]),
    "tokens": ((6,), [("Embedding", 20, 8), ("LSTM", 4), ("Dense", 3, "softmax")]),
}
KINDS = {"mlp": MLPClassifier, "numbers": MLPRegressor}


def network_of(name):
    import keras

    keras.utils.set_random_seed(0)
    shape, layers = NETWORKS[name]
    made = [getattr(keras.layers, kind)(*given) for kind, *given in layers]
    network = keras.Sequential([keras.layers.Input(shape), *made])
    for weight in network.trainable_weights:  # zeros would be left out of the trace
        noise = np.random.default_rng(0).normal(scale=0.3, size=weight.shape)
        weight.assign_add(noise.astype(np.float32))
    return network


def rows_of(name):
    shape = (9, *NETWORKS[name][0])
    random = np.random.default_rng(1)
    if name == "tokens":
        return random.integers(0, 20, shape)
    return random.normal(size=shape).astype(np.float32)


@needs_keras
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_predicts_as_in_keras(name, tmp_path):
    network, X = network_of(name), rows_of(name)
    expected = network.predict(X, verbose=0)
    network.save(tmp_path / "network.keras")
    ours = from_keras(tmp_path / "network.keras")
    assert type(ours) is KINDS.get(name, ModuleClassifier)
    if name == "numbers":
        assert_allclose(ours.predict(X), expected, atol=1e-6)
    else:
        p = ours.predict_proba(X)
        assert_allclose(p[:, -expected.shape[1] :], expected, atol=1e-6)
    assert ours.receipt_["difference"] < 1e-6
    n_values = sum(int(np.prod(w.shape)) for w in network.trainable_weights)
    assert abs(ours.receipt_["trainable_parameters"] - n_values) <= 8


@needs_keras
def test_what_it_gives_is_trained_further():
    X = rows_of("images")
    ours = from_keras(network_of("images"), classes=["a", "b", "c"])
    before = ours.predict_proba(X)
    ours.partial_fit(X, np.array(list("abcabcabc")))
    assert 0 < abs(ours.predict_proba(X) - before).max() < 0.5


@needs_keras
def test_what_is_no_network_of_keras_is_refused(tmp_path):
    with pytest.raises(TypeError, match="takes the path of"):
        from_keras(3)
    with pytest.raises(FileNotFoundError, match="no file"):
        from_keras(tmp_path / "none.keras")
    (tmp_path / "bad.keras").write_bytes(b"bad")
    with pytest.raises(OnnxFileError, match="Keras cannot read"):
        from_keras(tmp_path / "bad.keras")


@pytest.mark.skipif(HAS_KERAS, reason="Keras is installed")
def test_without_keras_the_error_names_the_extra():
    with pytest.raises(MissingDependencyError, match=r"keras"):
        from_keras("network.keras")
