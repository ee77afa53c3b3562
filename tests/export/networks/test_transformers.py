"""Export of transformers: autoencoders and features of networks."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.cluster import DBSCAN
from sklearn.datasets import load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from sklearn_deep import (
    CNNAutoencoder,
    MLPAutoencoder,
    MLPClassifier,
    NetworkFeatures,
    OnnxClassifier,
    OnnxExportError,
    OnnxFileError,
    OnnxTransformer,
    to_onnx,
)

X = load_iris().data
IMAGES = np.random.default_rng(0).uniform(size=(40, 7, 6))
QUICK = {"max_epochs": 2, "random_state": 0}

MODELS = {
    "autoencoder": (lambda: MLPAutoencoder((6,), **QUICK), X),
    "behind a scaler": (
        lambda: make_pipeline(StandardScaler(), MLPAutoencoder((6,), **QUICK)),
        X,
    ),
    "of images": (lambda: CNNAutoencoder((3, 4), **QUICK), IMAGES),
    "of pixels": (
        lambda: CNNAutoencoder((3,), **QUICK),
        (IMAGES * 255).astype(np.uint8),
    ),
    "of series": (
        lambda: CNNAutoencoder((3,), spatial_dims=1, channels="first", **QUICK),
        IMAGES,
    ),
    "of flat rows": (
        lambda: CNNAutoencoder((3,), input_shape=(7, 6), **QUICK),
        IMAGES.reshape(40, -1),
    ),
}


@pytest.mark.oldest
@pytest.mark.parametrize("name", MODELS)
def test_codes_and_scores_of_autoencoders_agree(name):
    make, rows = MODELS[name]
    model = make().fit(rows)
    export = to_onnx(model, rows)
    assert set(export.receipt["differences"]) == {"transform", "score_samples"}
    reader = OnnxTransformer(export.to_bytes())
    codes, scores = model.transform(rows), model.score_samples(rows)
    np.testing.assert_allclose(reader.transform(rows), codes, atol=1e-4)
    np.testing.assert_allclose(reader.score_samples(rows), scores, rtol=1e-4)


def test_features_of_a_network_agree():
    y = load_iris().target
    model = NetworkFeatures(MLPClassifier((6,), **QUICK)).fit(X, y)
    reader = OnnxTransformer(to_onnx(model, X).to_bytes())
    np.testing.assert_allclose(reader.transform(X), model.transform(X), atol=1e-10)
    assert not hasattr(reader, "score_samples")


@pytest.mark.parametrize(
    "make",
    [
        StandardScaler,
        lambda: make_pipeline(StandardScaler(), MinMaxScaler()),
    ],
)
def test_other_transformers_are_exported_without_a_network(make):
    model = make().fit(X)
    reader = OnnxTransformer(to_onnx(model, X).to_bytes())
    np.testing.assert_allclose(reader.transform(X), model.transform(X), atol=1e-6)


def test_the_reader_is_a_transformer_with_names():
    frame = load_iris(as_frame=True).data
    model = MLPAutoencoder((6,), code_size=2, **QUICK).fit(frame)
    reader = OnnxTransformer(to_onnx(model, frame).to_bytes())
    out = clone(reader).set_output(transform="pandas").transform(frame[:3])
    assert list(out.columns) == list(model.get_feature_names_out())
    assert list(reader.feature_names_in_) == list(frame.columns)


def test_a_reader_of_another_task_names_the_right_reader():
    content = to_onnx(MLPAutoencoder((6,), **QUICK).fit(X), X).to_bytes()
    with pytest.raises(OnnxFileError, match=r"transformer.*OnnxTransformer"):
        OnnxClassifier(content).predict(X)


def test_an_estimator_without_predict_and_transform_is_refused():
    with pytest.raises(
        OnnxExportError,
        match="DBSCAN is an estimator of type 'clusterer' without",
    ):
        to_onnx(DBSCAN().fit(X), X)
