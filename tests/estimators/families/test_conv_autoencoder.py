"""Convolutional autoencoders over images and series."""

import pickle

import numpy as np
import pytest
from joblib import parallel_config
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_deep import (
    CNNAutoencoder,
    InvalidParameterError,
    NetworkFeatures,
    to_onnx,
)


@pytest.fixture(scope="module")
def images():
    """300 grey images of 8 x 8."""
    return load_digits().images[:300] / 16


def net(conv=(4, 8), **changed):
    settings = {"code_size": 6, "max_epochs": 6, "learning_rate": 0.01}
    return CNNAutoencoder(conv, **{**settings, "random_state": 0, **changed})


def reconstruct(estimator, X):
    return estimator.inverse_transform(estimator.transform(X))


@pytest.mark.oldest
def test_images_become_codes_and_images_again(images):
    one = net(max_epochs=20, learning_rate=0.02, dtype="float64").fit(images)
    assert one.transform(images).shape == (300, 6)
    again = reconstruct(one, images)
    assert again.shape == images.shape
    assert np.square(again - images).mean() < images.var(0).mean() / 2
    expected = -np.square(again - images).reshape(300, -1).mean(1)
    assert_allclose(one.score_samples(images), expected)


@pytest.mark.parametrize(
    ("shape", "changed"),
    [
        ((7, 5, 3), {}),
        ((3, 7, 5), {"channels": "first"}),
        ((7, 5), {}),
        ((9,), {}),
        ((9, 2), {"spatial_dims": 1}),
        ((2, 9), {"spatial_dims": 1, "channels": "first"}),
        ((42,), {"input_shape": (7, 6)}),
        ((42,), {"input_shape": (7, 2, 3), "channels": "last"}),
    ],
    ids=str,
)
@pytest.mark.parametrize("kernel_size", [3, (5, 2)])
def test_rows_of_every_layout_come_back_in_their_own(rng, shape, changed, kernel_size):
    X = rng.normal(size=(20, *shape))
    one = net(max_epochs=2, kernel_size=kernel_size, **changed).fit(X)
    assert reconstruct(one, X).shape == X.shape
    assert len(one.get_feature_names_out()) == 6


def test_channels_first_is_the_same_network(rng):
    X = rng.normal(size=(20, 6, 5, 2))
    last = net(max_epochs=2, dtype="float64").fit(X)
    first = clone(last).set_params(channels="first").fit(X.transpose(0, 3, 1, 2))
    assert_allclose(
        reconstruct(last, X),
        reconstruct(first, X.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1),
        atol=1e-8,
    )


def test_pixels_are_reconstructed_in_their_own_units(images):
    X = (images * 255).astype(np.uint8)
    one = net(max_epochs=20, learning_rate=0.02).fit(X)
    again = reconstruct(one, X)
    assert again.max() > 100
    assert -one.score(X) < X.astype(float).var(0).mean() / 2
    assert one.transform(X).dtype == np.float32


@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_validation_rows_of_the_same_kind_stop_the_training(images, dtype):
    X = (images * 255).astype(dtype)
    one = net(early_stopping=True).fit(X, X_val=X[:50])
    assert np.isfinite(one.history_["valid_loss"]).all()
    other = X[:50].astype(np.float64 if dtype == np.uint8 else np.uint8)
    with pytest.raises(ValueError, match="of the same kind as in fit"):
        net(early_stopping=True).fit(X, X_val=other)


def test_it_goes_on_and_survives_pickling(images):
    one = net(warm_start=True).fit(images)
    twin = pickle.loads(pickle.dumps(one))
    assert_array_equal(twin.transform(images), one.transform(images))
    assert twin.fit(images).loss_curve_[0] < one.loss_curve_[0]


@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
def test_the_network_comes_out_of_a_stack_as_it_does_alone(
    images, normalization, stacks_convolutions
):
    grid = {"learning_rate": [1e-4, 1e-3, 0.01], "l2": [0, 1e-3]}
    one = net((3,), max_epochs=2, dtype="float64", normalization=normalization)
    alone = GridSearchCV(one, grid, cv=2).fit(images[:60])
    with parallel_config(backend="stacked"):
        stacked = GridSearchCV(one, grid, cv=2).fit(images[:60])
    name = "mean_test_score"
    assert_allclose(stacked.cv_results_[name], alone.cv_results_[name], rtol=1e-6)


def test_any_stage_gives_features(images):
    features = NetworkFeatures(net(), layer="narrowing.0").fit(images)
    assert features.transform(images).shape == (300, 4 * 4 * 4)


def test_it_stands_behind_a_scaler_and_before_a_classifier():
    X, y = load_digits(return_X_y=True)
    step = net(input_shape=(8, 8), max_epochs=13, learning_rate=0.02)
    pipe = make_pipeline(StandardScaler(), step, LogisticRegression(max_iter=500))
    assert pipe.fit(X[:400], y[:400]).score(X[400:600], y[400:600]) > 0.5


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"bias_init": "prior"}, "bias_init"),
        ({"kernel_size": (3, 3, 3)}, "kernel_size"),
        ({"channels": "middle"}, "'channels'"),
    ],
)
def test_parameters_that_cannot_be_are_named(images, changed, match):
    with pytest.raises(InvalidParameterError, match=match):
        net(**changed).fit(images)


def test_a_pipeline_with_it_exports_with_the_receipt():
    X, y = load_digits(return_X_y=True)
    step = net(input_shape=(8, 8), max_epochs=2)
    pipe = make_pipeline(StandardScaler(), step, LogisticRegression(max_iter=500))
    export = to_onnx(pipe.fit(X[:300], y[:300]), X[:300].astype(np.float32))
    assert export.receipt["differences"]["predict_proba"]["largest"] < 1e-5
