"""Export of compressed networks: alone, nested, and inside meta-estimators."""

import zlib

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_deep import (
    CNNClassifier,
    MLPAutoencoder,
    MLPClassifier,
    MLPRegressor,
    OnnxClassifier,
    Pruned,
    Quantized,
    RNNClassifier,
    Sliced,
    to_onnx,
)

QUICK = {"max_epochs": 3, "random_state": 0}


def net():
    return MLPClassifier((12, 8), **QUICK)


def small(network=None, **changed):
    return Sliced(network or net(), **{"fine_tune_epochs": 1, **changed})


def voting(steps):
    return VotingClassifier([("a", steps), ("b", LogisticRegression())], voting="soft")


MODELS = {
    "sliced": small(),
    "pruned": Pruned(net(), fine_tune_epochs=1),
    "quantized": Quantized(net()),
    "pruned, sliced": Pruned(small(), 0.5, fine_tune_epochs=1),
    "quantized, sliced": Quantized(small()),
    "quantized, pruned": Quantized(Pruned(net(), fine_tune_epochs=1)),
    "all three": Quantized(Pruned(small(), 0.5, fine_tune_epochs=1), bits=7),
    "voting of quantized ones": voting(Quantized(small())),
    "quantized in a pipeline": make_pipeline(StandardScaler(), Quantized(net())),
    "pipeline": make_pipeline(StandardScaler(), small()),
    "voting": voting(small()),
    "stacking": StackingClassifier([("a", small())], LogisticRegression(), cv=2),
    "calibrated": CalibratedClassifierCV(small(), cv=2),
    "search": GridSearchCV(small(), {"keep": [0.25, 0.5]}, cv=2),
    "frozen": FrozenEstimator(small()),
}


@pytest.mark.oldest
@pytest.mark.parametrize("name", MODELS)
def test_a_compressed_classifier_is_exported_with_a_receipt(name, iris):
    X, y = iris
    model = MODELS[name]
    if isinstance(model, FrozenEstimator):
        model.estimator.fit(X, y)
    else:
        model.fit(X, y)
    export = to_onnx(model, X)
    assert export.receipt["differences"]["predict_proba"]["relative"] < 1e-6
    read = OnnxClassifier(export.to_bytes())
    np.testing.assert_array_equal(read.predict(X), model.predict(X))


@pytest.mark.parametrize(
    "model",
    [
        small(MLPRegressor((8, 6), loss="gaussian", **QUICK)),
        small(MLPAutoencoder((8,), code_size=2, **QUICK)),
        small(CNNClassifier((4, 4), input_shape=(4,), spatial_dims=1, **QUICK)),
        small(RNNClassifier(6, **QUICK)),
    ],
    ids=lambda model: type(model.estimator).__name__,
)
def test_every_kind_of_network_exports(model, iris):
    X, y = iris
    export = to_onnx(model.fit(X.astype(np.float32), y), X.astype(np.float32))
    assert export.receipt["rows"] == 150


def test_pruned_weights_compress_the_file(iris):
    X, y = iris
    network = MLPClassifier((64, 64), **QUICK).fit(X, y)
    dense, sparse = (
        to_onnx(model, X).to_bytes()
        for model in (network, Pruned(network, 0.9, prefit=True).fit(X, y))
    )
    assert len(sparse) == pytest.approx(len(dense), rel=0.01)
    assert len(zlib.compress(sparse)) < 0.3 * len(zlib.compress(dense))
