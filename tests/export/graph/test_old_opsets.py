"""Files in old operator sets, which skl2onnx accepts, can be loaded, or are refused."""

import re

import numpy as np
import onnxruntime
import pytest
import skl2onnx

from sklearn_deep import MLPClassifier, MLPRegressor, Quantized
from sklearn_deep.exceptions import OnnxExportError

rng = np.random.default_rng(0)
X = rng.normal(size=(30, 4)).astype(np.float32)
MODELS = {
    "classifier": MLPClassifier((4,), max_epochs=1, random_state=0),
    "gelu": MLPClassifier((4,), max_epochs=1, activation="gelu", random_state=0),
    "gaussian": MLPRegressor((4,), max_epochs=1, loss="gaussian", random_state=0),
    "quantized": Quantized(MLPClassifier((4,), max_epochs=1, random_state=0)),
}


def first_output(proto):
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    return session.run(None, {"X": X})[0].ravel()


@pytest.mark.parametrize("opset", [7, 9, 12, {"": 10, "ai.onnx.ml": 1}])
@pytest.mark.parametrize("name", MODELS)
def test_a_file_of_an_old_operator_set_predicts_or_the_error_names_a_newer_one(
    name, opset
):
    y = np.arange(30) % 2
    model = MODELS[name].fit(X, y)
    try:
        proto = skl2onnx.to_onnx(model, X, target_opset=opset)
    except OnnxExportError as error:
        lowest = int(re.search(r"target_opset to (\d+)", str(error)).group(1))
        assert lowest > (opset if isinstance(opset, int) else opset[""])
        proto = skl2onnx.to_onnx(model, X, target_opset=lowest)
    np.testing.assert_allclose(first_output(proto), model.predict(X), atol=1e-5)


def test_quantized_networks_need_an_operator_set_of_13():
    model = MODELS["quantized"].fit(X, np.arange(30) % 2)
    with pytest.raises(OnnxExportError, match=r"target_opset=12.*to 13 or more"):
        skl2onnx.to_onnx(model, X, target_opset=12)
