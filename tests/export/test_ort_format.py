"""Files in onnxruntime's own format: compared, listed, and read where they are trusted."""

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_deep import (
    CNNClassifier,
    MLPClassifier,
    OnnxClassifier,
    OnnxFileError,
    OnnxParityError,
    Quantized,
    RNNClassifier,
    to_onnx,
)
from sklearn_deep.export import _to_onnx

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
Y = np.array(["low", "middle", "high"])[np.digitize(X[:, 0], [-0.5, 0.5])]
FRAME = pd.DataFrame({"town": RNG.choice(["Bonn", "Ulm"], 60), "age": X[:, 0]})
IMAGES = RNG.uniform(size=(60, 8, 8)).astype(np.float32)
TEXTS = [" ".join(RNG.choice(list("abcde"), 4)) for _ in range(60)]


def mlp():
    return MLPClassifier((6,), max_epochs=2, random_state=0)


def columns():
    return make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["town"]), (StandardScaler(), ["age"])
    )


def voting():
    forest = RandomForestClassifier(5, max_depth=3, random_state=0)
    return VotingClassifier([("a", mlp()), ("b", forest)], voting="soft")


MODELS = {
    "table": (mlp, X),
    "frame": (lambda: make_pipeline(columns(), mlp()), FRAME),
    "forest": (voting, X),
    "quantized": (lambda: Quantized(mlp()), X),
    "images": (lambda: CNNClassifier((3,), max_epochs=1, random_state=0), IMAGES),
    "texts": (lambda: RNNClassifier(max_epochs=1, random_state=0), TEXTS),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_file_in_onnxruntimes_format_predicts_as_the_estimator(name):
    make, rows = MODELS[name]
    model = make().fit(rows, Y)
    export = to_onnx(model, rows, format="ort")
    content = export.to_bytes()
    assert content[4:8] == b"ORTM"
    assert export.receipt["ort"]["predict_proba"]["relative"] <= 1e-5
    reader = OnnxClassifier(content, verify=False)
    assert reader.receipt_ == export.receipt
    p = reader.predict_proba(rows)
    np.testing.assert_allclose(p, model.predict_proba(rows), atol=1e-5)
    names = {out.name for out in onnxruntime.InferenceSession(content).get_outputs()}
    assert names == {"label", "probabilities"}


def test_the_file_itself_is_compared(monkeypatch):
    model = mlp().fit(X, Y)
    other = to_onnx(mlp().fit(X, np.roll(Y, 7)), X).model.SerializeToString()
    convert = _to_onnx.convert_to_ort
    monkeypatch.setattr(_to_onnx, "convert_to_ort", lambda content: convert(other))
    with pytest.raises(OnnxParityError):
        to_onnx(model, X, format="ort")


def test_the_operators_are_listed_for_a_build():
    lines = to_onnx(mlp().fit(X, Y), X, format="ort").list_operators().splitlines()
    assert len(lines) == 1
    domain, version, names = lines[0].split(";")
    assert (domain, int(version) >= 17) == ("ai.onnx", True)
    assert {"Gemm", "Softmax"} <= set(names.split(","))
    pipe = make_pipeline(columns(), mlp()).fit(FRAME, Y)
    domains = [
        row.split(";")[0] for row in to_onnx(pipe, FRAME).list_operators().split()
    ]
    assert domains == ["ai.onnx", "ai.onnx.ml"]


def test_readers_take_it_only_where_it_is_trusted(tmp_path):
    export = to_onnx(mlp().fit(X, Y), X, tmp_path / "model.ort", format="ort")
    with pytest.raises(OnnxFileError, match="onnxruntime's own format"):
        OnnxClassifier(tmp_path / "model.ort").predict(X)
    content = bytearray(export.to_bytes())
    content[len(content) // 2] ^= 1
    with pytest.raises(OnnxFileError, match="damaged or changed"):
        OnnxClassifier(bytes(content), verify=False).predict(X)


def test_another_format_is_refused():
    with pytest.raises(ValueError, match="'onnx' or 'ort'; got 'tflite'"):
        to_onnx(mlp().fit(X, Y), X, format="tflite")
