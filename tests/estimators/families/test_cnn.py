"""Convolutional estimators: the rows they take, and what they make of them."""

import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_deep import (
    CNNClassifier,
    CNNRegressor,
    GaussianNoise,
    InvalidParameterError,
)
from sklearn_deep.nn._cnn import ARCHITECTURES

SMALL = {"max_epochs": 3, "batch_size": 50, "random_state": 0}


@pytest.fixture(scope="module")
def digits():
    data = load_digits()
    return data.images[:200] / 16, data.target[:200]


@pytest.fixture(scope="module")
def coloured(digits):
    rng = np.random.default_rng(0)
    return digits[0][..., None] * rng.uniform(0.5, 1, (200, 1, 1, 3)), digits[1]


def net(**changes):
    return CNNClassifier((4, 6), **{**SMALL, **changes})


@pytest.mark.oldest
def test_the_defaults_tell_digits_apart():
    X, y = load_digits(return_X_y=True)
    X = X.reshape(-1, 8, 8).astype("uint8") * 15
    fitted = CNNClassifier(max_epochs=6, random_state=0).fit(X[:900], y[:900])
    assert fitted.score(X[900:], y[900:]) > 0.93


def test_images_flat_rows_and_a_channel_of_ones_own_are_the_same_images(digits):
    X, y = digits
    wanted = net().fit(X, y).predict_proba(X)
    with_channel = net().fit(X[..., None], y)
    assert_allclose(with_channel.predict_proba(X[..., None]), wanted, atol=1e-12)
    flat = X.reshape(200, 64)
    from_flat = net(input_shape=(8, 8)).fit(flat, y)
    assert_allclose(from_flat.predict_proba(flat), wanted, atol=1e-12)
    first = X[:, None]
    in_front = net(channels="first").fit(first, y)
    assert_allclose(in_front.predict_proba(first), wanted, atol=1e-12)


@pytest.mark.parametrize("n_dims", [1, 2])
def test_channels_first_and_last_learn_the_same(coloured, n_dims):
    X, y = coloured
    X = X if n_dims == 2 else X.reshape(200, 64, 3)
    last = net(spatial_dims=n_dims, dtype="float64").fit(X, y)
    first = net(spatial_dims=n_dims, dtype="float64", channels="first")
    moved = np.moveaxis(X, -1, 1)
    first.fit(moved, y)
    assert_allclose(last.predict_proba(X), first.predict_proba(moved), atol=1e-10)


def test_rows_of_three_axes_are_images_unless_they_are_told_to_be_series(digits):
    X, y = digits
    assert net().fit(X, y).module_.arrange.layout.kind == "images"
    series = net(spatial_dims=1).fit(X, y)
    assert series.module_.arrange.layout.spatial == (8,)
    assert series.module_.arrange.layout.n_channels == 8
    flat = net().fit(X.reshape(200, 64), y)
    assert flat.module_.arrange.layout.spatial == (64,)


def test_uint8_images_are_numbers_in_zero_to_one(digits):
    X, y = digits
    pixels = (X * 255).astype(np.uint8)
    of_pixels = net().fit(pixels, y)
    scaled = pixels * np.float32(1 / 255)
    floats = net().fit(scaled, y)
    assert of_pixels.module_.output.weight.dtype == floats.module_.output.weight.dtype
    assert_allclose(
        of_pixels.predict_proba(pixels), floats.predict_proba(scaled), atol=1e-5
    )
    with pytest.raises(ValueError, match=r"fitted on uint8 images.*float64.*same kind"):
        of_pixels.predict(X)
    with pytest.raises(ValueError, match=r"fitted on numbers.*uint8"):
        net().fit(X, y).predict(pixels)


def test_a_scaler_stands_in_front_and_a_search_reaches_through(digits):
    X, y = digits
    flat = X.reshape(200, 64)
    pipe = make_pipeline(StandardScaler(), net(input_shape=(8, 8)))
    grid = {"cnnclassifier__conv_channels": [(3,), (4, 4)]}
    search = GridSearchCV(pipe, grid, cv=2).fit(flat, y)
    assert search.best_estimator_[-1].n_features_in_ == 64
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    # scikit-learn's own splits take images as they are.
    assert len(cross_val_score(net(), X, y, cv=3)) == 3


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("n_dims", [1, 2])
def test_every_architecture_learns(architecture, n_dims):
    rng = np.random.default_rng(0)
    X = rng.normal(scale=0.3, size=(120, 10, 12)[: n_dims + 1])
    y = np.arange(120) % 2
    X[y == 1] += np.sin(np.arange(X.shape[-1]))
    fitted = CNNClassifier(
        4, architecture=architecture, max_epochs=8, learning_rate=0.02, random_state=0
    ).fit(X, y)
    assert fitted.score(X, y) > 0.9


@pytest.mark.parametrize("shape", [(40,), (40, 2), (8, 9), (8, 9, 3)])
def test_a_regressor_gives_targets_their_shape(shape):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, *shape))
    y = X.reshape(60, -1)[:, :3].sum(1)
    kwargs = {"spatial_dims": 1} if shape == (40, 2) else {}
    one = CNNRegressor((3,), **SMALL, **kwargs).fit(X, y)
    assert one.predict(X).shape == (60,)
    two = CNNRegressor((3,), **SMALL, **kwargs).fit(X, np.c_[y, -y])
    assert two.predict(X).shape == (60, 2)
    spread = CNNRegressor((3,), loss="gaussian", **SMALL, **kwargs).fit(X, y)
    assert (spread.predict(X, return_std=True)[1] > 0).all()


def test_weights_are_repetitions(digits):
    X, y = digits[0][:40], digits[1][:40]
    weight = np.arange(40) % 3
    full = {"batch_size": 1000, "dtype": "float64", "dropout": 0.0}
    weighted = net(**full).fit(X, y, sample_weight=weight)
    repeated = net(**full).fit(np.repeat(X, weight, 0), np.repeat(y, weight))
    assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), atol=1e-7)


def test_validation_images_are_given_or_held_out(digits):
    X, y = digits
    given = net(early_stopping=True).fit(X[:150], y[:150], X_val=X[150:], y_val=y[150:])
    held = net(early_stopping=True).fit(X, y)
    for fitted in (given, held):
        assert np.isfinite(fitted.history_["valid_loss"]).all()
    with pytest.raises(ValueError, match=r"\(50, 9, 8\).*\(n_samples, 8, 8\)"):
        net().fit(X[:150], y[:150], X_val=np.ones((50, 9, 8)), y_val=y[150:])


def test_partial_fit_and_pickles_go_on(digits):
    X, y = digits
    streamed = net()
    for part in (slice(0, 100), slice(100, 200)):
        streamed.partial_fit(X[part], y[part], classes=np.arange(10))
    same = pickle.loads(pickle.dumps(streamed))
    assert_array_equal(same.predict_proba(X), streamed.predict_proba(X))
    same.partial_fit(X, y)


def test_a_row_alone_is_predicted_as_among_others(digits):
    X, y = digits
    fitted = net().fit(X, y)
    together = fitted.predict_proba(X)
    alone = np.vstack([fitted.predict_proba(X[i : i + 1]) for i in range(7)])
    assert_allclose(alone, together[:7], atol=1e-7)


def test_the_same_seed_gives_the_same_network(digits):
    X, y = digits
    one = net(augmentation=GaussianNoise(0.1)).fit(X, y)
    other = clone(one).fit(X, y)
    assert_array_equal(one.predict_proba(X), other.predict_proba(X))


@pytest.mark.parametrize(
    ("settings", "shape", "words"),
    [
        ({}, (20, 4, 4, 2, 2), r"images.*\(n, 4, 4, 2, 2\)"),
        ({"spatial_dims": 2}, (20, 16), r"images.*\(n, 16\).*input_shape"),
        ({"spatial_dims": 1}, (20, 4, 4, 2), r"series.*\(n, 4, 4, 2\)"),
        ({"input_shape": (3, 5)}, (20, 16), r"input_shape=\(3, 5\).*15 values"),
        ({"conv_channels": (4, 0)}, (20, 4, 4), "conv_channels"),
        ({"kernel_size": (3,)}, (20, 4, 4), r"kernel_size.*2"),
        ({"pooling": "median"}, (20, 4, 4), "pooling.*max"),
        (
            {"architecture": "inception_time", "stride": 2},
            (20, 4, 4),
            "inception_time.*stride 1",
        ),
        (
            {"dropout": (0.1, 0.2, 0.3)},
            (20, 4, 4),
            r"dropout.*hidden layer and one more, here 2",
        ),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_fitted(settings, shape, words):
    broken = CNNClassifier(**{"conv_channels": (4, 4), **settings}, max_epochs=1)
    with pytest.raises((ValueError, InvalidParameterError), match=words):
        broken.fit(np.ones(shape), np.arange(20) % 2)
    assert not hasattr(broken, "module_")


def test_other_shapes_in_predict_are_told_with_those_of_the_fit(digits):
    X, y = digits
    fitted = net().fit(X, y)
    with pytest.raises(ValueError, match=r"\(200, 8, 7\).*\(n_samples, 8, 8\)"):
        fitted.predict(X[:, :, :7])
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        fitted.predict(np.full((2, 8, 8), np.nan))


@pytest.mark.parametrize("estimator", [CNNClassifier, CNNRegressor])
@pytest.mark.parametrize("axes", [(6, 0), (0, 6), (3, 0, 0)], ids=str)
def test_rows_without_a_value_are_refused(estimator, axes):
    with pytest.raises(ValueError, match="its rows hold no value"):
        estimator(max_epochs=1).fit(np.zeros((20, *axes)), np.arange(20) % 2)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
def test_series_of_8_bit_integers_are_computed_in_float32(dtype):
    X = np.random.default_rng(0).integers(0, 100, (40, 8, 2)).astype(dtype)
    y = np.arange(40) % 2
    net = CNNClassifier((4,), spatial_dims=1, max_epochs=2, random_state=0)
    probabilities = net.fit(X, y).predict_proba(X)
    assert {p.dtype for p in net.module_.parameters()} == {torch.float32}
    same = net.fit(X.astype(np.float32), y).predict_proba(X.astype(np.float32))
    np.testing.assert_array_equal(probabilities, same)
    net.set_params(dtype="float64").fit(X, y)
    assert {p.dtype for p in net.module_.parameters()} == {torch.float64}
