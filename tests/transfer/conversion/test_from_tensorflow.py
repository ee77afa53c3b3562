"""Networks of TensorFlow, by tf2onnx; skipped where one of them is not installed."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_deep import (
    FineTuned,
    MLPClassifier,
    OnnxFileError,
    OnnxImportError,
    from_onnx,
)

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(40, 6)).astype(np.float32)
FIRST, LAST = (RNG.normal(size=s).astype(np.float32) / 2 for s in ((6, 8), (8, 3)))


def exported(activation):
    """Probabilities of a network of TensorFlow, and its ONNX file."""
    tf = pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    tf2onnx = pytest.importorskip("tf2onnx", reason="tf2onnx is not installed")
    signature = [tf.TensorSpec((None, 6), tf.float32, name="x")]

    @tf.function(input_signature=signature)
    def network(x):
        return tf.nn.softmax(activation(tf, x @ FIRST) @ LAST)

    model, _ = tf2onnx.convert.from_function(network, input_signature=signature)
    return network(ROWS).numpy(), model.SerializeToString()


ACTIVATIONS = {
    "tanh": lambda tf, x: tf.nn.tanh(x),
    "relu": lambda tf, x: tf.nn.relu(x),
    "gelu of tanh": lambda tf, x: tf.nn.gelu(x, approximate=True),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_network_of_tensorflow_is_read_and_fine_tuned(name, tmp_path):
    expected, content = exported(ACTIVATIONS[name])
    network = from_onnx(content)
    assert type(network) is MLPClassifier
    assert_allclose(network.predict_proba(ROWS), expected, atol=1e-5)
    (tmp_path / "network.onnx").write_bytes(content)
    tuned = FineTuned(MLPClassifier(max_epochs=2), tmp_path / "network.onnx")
    assert tuned.fit(ROWS, np.arange(40) % 4).predict_proba(ROWS).shape == (40, 4)


def test_exact_gelu_is_refused():
    _, content = exported(lambda tf, x: tf.nn.gelu(x, approximate=False))
    with pytest.raises((OnnxFileError, OnnxImportError)):
        from_onnx(content)
