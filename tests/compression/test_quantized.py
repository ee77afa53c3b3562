"""Quantized: 8-bit integers in place of floats."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import log_loss
from torch import nn

from sklearn_deep import (
    CNNAutoencoder,
    CNNClassifier,
    MLPAutoencoder,
    MLPClassifier,
    MLPRegressor,
    ModuleClassifier,
    Quantized,
    RNNClassifier,
    ScoreDropWarning,
)
from sklearn_deep.nn._activations import ACTIVATIONS
from sklearn_deep.nn._quantized import Stored


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return (X[:600] / 16).astype(np.float32), y[:600]


@pytest.fixture(scope="module")
def net(digits):
    return MLPClassifier((32, 16), max_epochs=15, random_state=0).fit(*digits)


@pytest.mark.parametrize("bits", [8, 7, 4])
@pytest.mark.parametrize("calibration", ["minmax", "percentile", "mse"])
def test_a_quantized_network_predicts_about_what_the_network_does(
    digits, net, bits, calibration
):
    X, _ = digits
    whole = Quantized(net, bits, calibration=calibration, prefit=True).fit(*digits)
    largest = {8: 0.25, 7: 0.3, 4: 0.6}[bits]
    assert abs(whole.predict_proba(X) - net.predict_proba(X)).max() < largest
    assert (whole.predict(X) == net.predict(X)).mean() > (0.9 if bits == 4 else 0.98)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_can_be_quantized(digits, activation):
    net = MLPClassifier((16,), activation=activation, max_epochs=5, random_state=0)
    net.fit(*digits)
    whole = Quantized(FrozenEstimator(net)).fit(*digits)
    assert (whole.predict(digits[0]) == net.predict(digits[0])).mean() > 0.95


@pytest.mark.parametrize(
    "params",
    [
        {"residual": True, "normalization": "batch"},
        {"residual": True, "normalization": "layer", "dropout": 0.1},
        {"hidden_layer_sizes": ()},
    ],
    ids=str,
)
def test_every_style_of_network_can_be_quantized(digits, params):
    params = {"hidden_layer_sizes": (16, 16, 8), **params}
    net = MLPClassifier(**params, max_epochs=8, random_state=0).fit(*digits)
    whole = Quantized(net, prefit=True).fit(*digits)
    assert (whole.predict(digits[0]) == net.predict(digits[0])).mean() > 0.95


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"architecture": "resnet", "conv_channels": (4, 8)},
        {"architecture": "inception_time", "conv_channels": (2, 2, 2)},
        {"activation": "silu"},
    ],
    ids=str,
)
def test_convolutional_networks_can_be_quantized(digits, params):
    params = {"conv_channels": (4, 8), **params}
    net = CNNClassifier(**params, input_shape=(8, 8), max_epochs=3, random_state=0)
    net.fit(*digits)
    whole = Quantized(net, prefit=True).fit(*digits)
    assert (whole.predict(digits[0]) == net.predict(digits[0])).mean() > 0.9


def test_weights_are_stored_in_a_byte_each(digits):
    net = MLPClassifier((256, 256), max_epochs=1, random_state=0).fit(*digits)
    whole = Quantized(net, prefit=True).fit(*digits)
    few = Quantized(net, bits=4, prefit=True).fit(*digits)
    size = len(pickle.dumps(net))
    assert len(pickle.dumps(whole.estimator_)) < 0.3 * size
    assert len(pickle.dumps(few.estimator_)) < 0.18 * size


def test_a_pickled_one_predicts_the_same(digits, net):
    whole = Quantized(net, prefit=True).fit(*digits)
    back = pickle.loads(pickle.dumps(whole))
    assert_array_equal(back.predict_proba(digits[0]), whole.predict_proba(digits[0]))


def test_the_network_that_was_fitted_is_left_as_it_was(digits, net):
    before = net.predict_proba(digits[0])
    Quantized(net, prefit=True, fine_tune_epochs=1).fit(*digits)
    assert_array_equal(net.predict_proba(digits[0]), before)


def test_training_with_rounded_weights_mends_what_four_bits_broke(digits):
    net = MLPClassifier((12,), max_epochs=30, random_state=0).fit(*digits)
    rough = Quantized(net, bits=4, prefit=True).fit(*digits)
    tuned = Quantized(net, bits=4, prefit=True, fine_tune_epochs=10).fit(*digits)
    losses = [
        -e.predict_log_proba(digits[0])[range(600), digits[1]].mean()
        for e in (rough, tuned)
    ]
    assert losses[1] < losses[0]


@pytest.mark.parametrize("calibration", ["minmax", "percentile", "mse"])
def test_weights_of_rows_count_as_their_repetition_and_order_does_not(
    digits, net, calibration
):
    X, y = digits
    weight = np.random.default_rng(0).integers(0, 3, len(y))
    rows = np.repeat(np.arange(len(y)), weight)[::-1]
    make = Quantized(net, calibration=calibration, prefit=True)
    weighted = clone(make).set_params(estimator=net).fit(X, y, sample_weight=weight)
    repeated = clone(make).set_params(estimator=net).fit(X[rows], y[rows])
    assert weighted.ranges_ == repeated.ranges_


def test_clipped_ranges_lie_within_the_whole_ones(digits, net):
    X, y = digits[0].copy(), digits[1]
    X[7] *= 20
    ranges = {
        how: Quantized(net, calibration=how, prefit=True).fit(X, y).ranges_
        for how in ("minmax", "mse", "percentile")
    }
    for place, (low, high) in ranges["minmax"].items():
        for how in ("mse", "percentile"):
            assert low <= ranges[how][place][0] <= ranges[how][place][1] <= high
    assert ranges["mse"] != ranges["minmax"] != ranges["percentile"]


# Outliers


def four_classes(n_rows=1000, dtype=np.float32):
    """Rows of 12 columns: classes by the signs of two sums; those to fit and to test."""
    X = np.random.default_rng(0).normal(size=(2 * n_rows, 12)).astype(dtype)
    y = 2 * (X[:, :4].sum(1) > 0) + (X[:, 4:8].sum(1) > 0)
    return X[:n_rows], y[:n_rows], X[n_rows:], y[n_rows:]


@pytest.fixture(scope="module")
def of_four():
    X, y, *_ = four_classes()
    network = MLPClassifier(
        (32, 16), max_epochs=20, early_stopping=False, random_state=0
    )
    return network.fit(X, y)


def with_outliers(X, size, where):
    """Some rows of X, of which no more than 0.1 % are outliers, or two."""
    X = X.copy()
    rows = [7] if where == "one value" else [7, 400]
    columns = slice(None) if where == "rows" else 3
    X[rows, columns] = size * np.where(np.arange(X.shape[1]) % 2, 1, -1)[columns]
    return X


@pytest.mark.parametrize("calibration", ["percentile", "mse"])
@pytest.mark.parametrize("size", [1e3, 1e4, 1e6, 1e8])
@pytest.mark.parametrize("where", ["one value", "a column", "rows"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_outliers_do_not_cost_accuracy(of_four, calibration, size, where, dtype):
    X, y, X_test, y_test = four_classes(dtype=dtype)
    whole = Quantized(FrozenEstimator(of_four), calibration=calibration)
    whole.fit(with_outliers(X, size, where), y)
    accuracy = np.mean(whole.predict(X_test) == y_test)
    assert accuracy > np.mean(of_four.predict(X_test) == y_test) - 0.01
    # Values of the network of floats, without the outliers, are the reference.
    expected = of_four.predict_proba(X_test)
    assert abs(whole.predict_proba(X_test) - expected).mean() < 0.01


@pytest.mark.parametrize("calibration", ["percentile", "mse"])
def test_outliers_that_the_network_was_trained_on_do_not_cost_accuracy(calibration):
    X, y, X_test, y_test = four_classes()
    X = with_outliers(X, 1e4, "one value")
    net = MLPClassifier((32, 16), max_epochs=20, random_state=0).fit(X, y)
    whole = Quantized(net, calibration=calibration, prefit=True).fit(X, y)
    assert whole.score(X_test, y_test) > net.score(X_test, y_test) - 0.01


@pytest.mark.parametrize("calibration", ["percentile", "mse"])
def test_outliers_among_images_do_not_cost_accuracy(digits, calibration):
    X, y = digits
    net = CNNClassifier((4, 8), input_shape=(8, 8), max_epochs=5, random_state=0)
    net.fit(X, y)
    stray = X.copy()
    stray[7, 12:14] = 1e5, -1e5
    whole = Quantized(net, calibration=calibration, prefit=True).fit(stray, y)
    assert (whole.predict(X) == net.predict(X)).mean() > 0.98


@pytest.mark.parametrize("calibration", ["percentile", "mse"])
def test_outliers_do_not_cost_an_autoencoder_its_reconstruction(digits, calibration):
    X, _ = digits
    net = MLPAutoencoder((16,), code_size=4, max_epochs=10, random_state=0).fit(X)
    stray = X.copy()
    stray[7] = 1e5
    whole = Quantized(net, calibration=calibration, prefit=True).fit(stray)
    assert whole.score(X) > 1.05 * net.score(X)


@pytest.mark.parametrize("calibration", ["percentile", "mse"])
def test_heavy_tails_lose_no_more_than_with_whole_ranges(calibration):
    normal = np.random.default_rng(0).normal(size=(3000, 6))
    X = np.exp(normal).astype(np.float32)
    y = X @ np.arange(1.0, 7.0)
    net = MLPRegressor((32, 16), max_epochs=20, random_state=0).fit(X, y)
    scores = {
        how: Quantized(net, calibration=how, prefit=True).fit(X, y).score(X, y)
        for how in ("minmax", calibration)
    }
    assert scores[calibration] > scores["minmax"] - 0.005
    assert scores[calibration] > net.score(X, y) - 0.03


@pytest.mark.parametrize("calibration", ["percentile", "mse"])
def test_rare_and_constant_columns_are_no_outliers(calibration):
    X, y, *_ = four_classes()
    X[:, 8:10] = 3.0, -0.0
    X[:, 10] = np.where(np.arange(len(X)) % 40 == 0, 8.0, 0.0)
    whole = Quantized(
        MLPClassifier((16,), max_epochs=3, random_state=0), calibration=calibration
    ).fit(X, y)
    low, high = whole.ranges_["parts.0.0"]
    assert high == pytest.approx(8, rel=0.05)
    assert low == pytest.approx(X.min(), rel=0.05)


# Warnings


def test_a_fall_of_the_score_is_warned_of(of_four):
    X, y, *_ = four_classes()
    X = with_outliers(X, 1e4, "one value")
    with pytest.warns(ScoreDropWarning, match="falls from 0.9") as caught:
        Quantized(FrozenEstimator(of_four)).fit(X, y)
    text = str(caught[0].message)
    assert "calibration='percentile' or 'mse'" in text
    assert "1000 training rows" in text


def test_the_fall_is_measured_on_the_validation_part_where_there_is_one(of_four):
    X, y, X_test, y_test = four_classes()
    with pytest.warns(ScoreDropWarning, match="300 rows held out"):
        Quantized(FrozenEstimator(of_four)).fit(
            with_outliers(X, 1e4, "rows"), y, X_val=X_test[:300], y_val=y_test[:300]
        )


def test_the_fall_of_a_large_set_is_measured_on_some_of_its_rows(of_four):
    X, y, *_ = four_classes(6000)
    with pytest.warns(ScoreDropWarning, match="on 4096 training rows"):
        Quantized(FrozenEstimator(of_four)).fit(with_outliers(X, 1e5, "rows"), y)


@pytest.mark.parametrize("kind", [MLPRegressor, MLPAutoencoder])
def test_a_fall_of_other_scores_is_warned_of(digits, kind):
    X, y = digits
    net = kind((16,), max_epochs=15, random_state=0).fit(X, y)
    X = X.copy()
    X[7] = 1e6
    with pytest.warns(ScoreDropWarning, match="the score falls from 0"):
        Quantized(FrozenEstimator(net)).fit(X, y)


def test_max_score_drop_takes_the_place_of_the_warning(of_four):
    X, y, *_ = four_classes()
    make = Quantized(
        FrozenEstimator(of_four), max_score_drop=0.02, on_score_drop="fall_back"
    )
    kept = make.fit(with_outliers(X, 1e5, "rows"), y)
    assert_array_equal(kept.predict(X), of_four.predict(X))


def test_a_regressor_stays_one_and_computes_in_float32(digits):
    X, y = digits
    net = MLPRegressor((32,), max_epochs=20, random_state=0).fit(X.astype(float), y)
    whole = Quantized(net, prefit=True).fit(X.astype(float), y)
    assert_allclose(whole.score(X.astype(float), y), net.score(X, y), atol=0.01)


def sequences():
    draw = np.random.default_rng(0)
    X = [draw.normal(size=(int(n), 2)) for n in draw.integers(3, 9, 120)]
    return X, np.array([int(x[:, 0].mean() > 0) for x in X])


@pytest.mark.parametrize("bits", [8, 7, 4])
@pytest.mark.parametrize(
    "params",
    [
        {"cell": "lstm", "bidirectional": True},
        {"cell": "gru", "num_layers": 2, "dropout": 0.1, "readout": "attention"},
        {"cell": "rnn", "readout": "max"},
    ],
    ids=str,
)
def test_weights_of_recurrent_networks_are_stored_as_whole_numbers(params, bits):
    X, y = sequences()
    net = RNNClassifier(8, **params, max_epochs=10, random_state=0).fit(X, y)
    whole = Quantized(net, bits, prefit=True).fit(X, y)
    assert whole.ranges_ == {}
    stored = [m for m in whole.module_.modules() if isinstance(m, Stored)]
    assert len(stored) == 1 + sum(p.ndim > 1 for p in net.module_.layers.parameters())
    largest = {8: 0.03, 7: 0.05, 4: 0.4}[bits]
    assert abs(whole.predict_proba(X) - net.predict_proba(X)).max() < largest
    again = pickle.loads(pickle.dumps(whole))
    assert_array_equal(again.predict_proba(X), whole.predict_proba(X))


def test_recurrent_networks_are_trained_for_their_rounding():
    X, y = sequences()
    net = RNNClassifier(6, max_epochs=20, random_state=0).fit(X, y)
    rough = Quantized(net, 4, prefit=True).fit(X, y)
    tuned = Quantized(net, 4, prefit=True, fine_tune_epochs=10).fit(X, y)
    losses = [log_loss(y, e.predict_proba(X)) for e in (rough, tuned)]
    assert losses[1] < losses[0]


@pytest.mark.parametrize("bits", [8, 4])
def test_tokens_have_vectors_of_whole_numbers(bits):
    texts = ["abab", "ba", "cdcd", "dcc", "aab", "cddc"] * 10
    y = np.array([0, 0, 1, 1, 0, 1] * 10)
    net = RNNClassifier(8, embedding_dim=6, max_epochs=20, random_state=0)
    whole = Quantized(net, bits).fit(texts, y)
    assert whole.score(texts, y) == 1


@pytest.mark.parametrize(
    "network",
    [
        MLPAutoencoder((32, 16), code_size=8, max_epochs=15, random_state=0),
        CNNAutoencoder((4, 8), code_size=16, input_shape=(8, 8), max_epochs=5),
    ],
    ids=lambda network: type(network).__name__,
)
def test_autoencoders_encode_and_decode_with_integers(digits, network):
    X, _ = digits
    net = network.fit(X)
    whole = Quantized(net, prefit=True).fit(X)
    codes = whole.transform(X)
    assert codes.shape == net.transform(X).shape
    close = {"atol": 0.1 * net.transform(X).std()}
    assert abs(codes - net.transform(X)).mean() < close["atol"]
    back, before = (m.inverse_transform(m.transform(X)) for m in (whole, net))
    assert abs(back - before).mean() < 0.02
    assert_allclose(whole.score_samples(X), net.score_samples(X), atol=0.02)


def test_a_network_of_other_layers_is_refused_with_what_can_be_quantized(digits):
    net = ModuleClassifier(nn.Linear, module__in_features=64, module__out_features=10)
    with pytest.raises(ValueError, match="RNN; got a ModuleClassifier"):
        Quantized(net.set_params(max_epochs=1)).fit(*digits)
