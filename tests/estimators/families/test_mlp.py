"""What the feed-forward networks learn: every argument, loss and output."""

from itertools import chain

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_digits, make_multilabel_classification
from sklearn.linear_model import (
    LogisticRegression,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
)
from sklearn.metrics import log_loss, r2_score
from sklearn.utils.class_weight import compute_sample_weight

from plain_networks import PLAIN, plain_classifier, plain_regressor
from sklearn_deep import GaussianNoise, MLPClassifier, MLPRegressor
from sklearn_deep.estimators.core._parts import fit_dtype
from sklearn_deep.nn._activations import ACTIVATIONS
from sklearn_deep.nn._losses import CLASSIFIER_LOSSES, REGRESSOR_LOSSES
from sklearn_deep.training.job._optimizers import OPTIMIZERS
from sklearn_deep.training.loop._evaluations import search
from sklearn_deep.training.step._step import SingleStep


def weights(network):
    """The parameters of a fitted network as arrays, in order."""
    return [p.detach().numpy() for p in network.module_.parameters()]


def outputs(network, X):
    return getattr(network, "predict_proba", network.predict)(X)


# One step, by hand

STANDING_STILL = 1e-300  # a learning rate that changes no weight


def test_one_step_of_gradient_descent_is_as_worked_out_by_hand(binary, rng):
    X, y = binary
    weight = rng.integers(1, 4, len(y)).astype(float)
    rate, l2, l1, decay = 0.3, 0.05, 0.01, 0.1
    network = plain_classifier(
        (3,), activation="tanh", optimizer="gd", bias_init="uniform", l2=l2, l1=l1,
        weight_decay=decay, max_epochs=1, random_state=0,
    )  # fmt: skip
    still = clone(network).set_params(learning_rate=STANDING_STILL)
    W1, b1, W2, b2 = weights(still.fit(X, y, sample_weight=weight))

    hidden = np.tanh(X @ W1.T + b1)
    p = expit(hidden @ W2.T + b2)[:, 0]
    share = weight / weight.sum()
    d_logit = (share * (p - y))[:, None]
    d_hidden = d_logit @ W2 * (1 - hidden**2)
    gradients = [d_hidden.T @ X, d_hidden.sum(0), d_logit.T @ hidden, d_logit.sum(0)]
    expected = []
    for value, gradient in zip([W1, b1, W2, b2], gradients, strict=True):
        if value.ndim == 2:  # biases are never penalised
            gradient = gradient + l2 * value + l1 * np.sign(value)
            value = value * (1 - rate * decay)
        expected.append(value - rate * gradient)

    network.set_params(learning_rate=rate).fit(X, y, sample_weight=weight)
    for found, wanted in zip(weights(network), expected, strict=True):
        assert_allclose(found, wanted, rtol=1e-10, atol=1e-12)


def test_the_history_holds_the_loss_without_penalties(binary):
    X, y = binary
    network = plain_classifier(
        (4,), optimizer="gd", l2=1.0, learning_rate=0.1, random_state=0
    )
    first = clone(network).set_params(max_epochs=1).fit(X, y)
    two = clone(network).set_params(max_epochs=2).fit(X, y)
    assert_allclose(two.loss_curve_[1], log_loss(y, first.predict_proba(X)), rtol=1e-10)


# Known optima


def test_a_network_without_hidden_layers_is_a_logistic_regression(iris):
    X, y = iris
    l2 = 0.01
    network = plain_classifier((), optimizer="lbfgs", l2=l2, tol=0, max_epochs=500).fit(
        X, y
    )
    linear = LogisticRegression(C=1 / (l2 * len(y)), solver="newton-cg", tol=1e-10).fit(
        X, y
    )
    assert_allclose(network.predict_proba(X), linear.predict_proba(X), atol=1e-5)


@pytest.mark.parametrize("columns", [1, 2])
def test_a_network_without_hidden_layers_is_a_ridge_regression(two_targets, columns):
    X, Y = two_targets
    Y = Y[:, :columns]
    l2 = 0.1
    network = plain_regressor((), optimizer="lbfgs", l2=l2, tol=0, max_epochs=500).fit(
        X, Y
    )
    # The mean is over rows and columns, of standardised targets, and l2 is halved.
    ridge = Ridge(alpha=l2 * len(Y) * columns / 2).fit(X, (Y - Y.mean(0)) / Y.std(0))
    wanted = ridge.predict(X).reshape(Y.shape) * Y.std(0) + Y.mean(0)
    assert_allclose(network.predict(X), wanted, rtol=1e-4)


def test_the_poisson_loss_without_hidden_layers_is_a_poisson_regression(rng):
    X = np.linspace(0, 1, 80)[:, None]
    y = rng.poisson(np.exp(X[:, 0] + 1))
    glm = PoissonRegressor(alpha=0, tol=1e-9).fit(X, y)
    network = plain_regressor(
        (), loss="poisson", optimizer="lbfgs", tol=0, max_epochs=500
    )
    assert_allclose(network.fit(X, y).predict(X), glm.predict(X), rtol=1e-4)


def test_the_quantile_loss_without_hidden_layers_is_a_quantile_regression(regression):
    X, y = regression
    linear = QuantileRegressor(quantile=0.8, alpha=0).fit(X[:, :1], y)
    network = plain_regressor(
        (), loss="quantile", loss_params={"quantile": 0.8}, learning_rate=0.05,
        learning_rate_schedule="cosine", max_epochs=500, n_iter_no_change=None,
    )  # fmt: skip
    network.fit(X[:, :1], y)
    assert_allclose(
        network.predict(X[:, :1]), linear.predict(X[:, :1]), atol=0.05 * y.std()
    )


# Without features, a network learns the best constant.

TARGETS = np.array([0.0, 1.0, 1.0, 2.0, 2.0, 3.0, 4.0, 9.0, 12.0, 30.0])
CONSTANTS = {
    "squared_error": ({}, TARGETS.mean(), 1e-3),
    "absolute_error": ({}, 2.5, 0.5 + 1e-2),  # anything between 2 and 3
    "quantile": ({"quantile": 0.75}, 9.0, 0.1),
    "poisson": ({}, TARGETS.mean(), 1e-3),
    "gaussian": ({}, TARGETS.mean(), 1e-2),
    # Beyond delta = 0.5 standard deviations every error pulls with equal force.
    "huber": ({"delta": 0.5}, None, 1e-2),
}


def huber_centre(y, delta):
    grid = np.linspace(y.min(), y.max(), 20001)
    error = np.abs(y[:, None] - grid)
    cost = np.where(error <= delta, error**2 / 2, delta * (error - delta / 2)).sum(0)
    return grid[cost.argmin()]


@pytest.mark.parametrize("loss", REGRESSOR_LOSSES)
@pytest.mark.parametrize("weighted", [False, True])
def test_without_features_each_regression_loss_learns_its_own_constant(loss, weighted):
    params, wanted, tolerance = CONSTANTS[loss]
    y, weight = TARGETS, None
    if weighted:  # the same rows, said in another way
        y, counts = np.unique(TARGETS, return_counts=True)
        weight = counts.astype(float)
    network = plain_regressor(
        (), loss=loss, loss_params=params, learning_rate=0.1, max_epochs=400,
        learning_rate_schedule="cosine", n_iter_no_change=None, random_state=0,
    )  # fmt: skip
    X = np.zeros((len(y), 1))
    network.fit(X, y, sample_weight=weight)
    if loss == "huber":
        wanted = huber_centre(TARGETS, 0.5 * TARGETS.std())
    assert_allclose(network.predict(X[:1]), wanted, atol=tolerance)
    if loss == "gaussian":
        _, std = network.predict(X[:1], return_std=True)
        assert_allclose(std, TARGETS.std(), rtol=1e-2)


FREQUENCIES = {2: np.array([0.2, 0.8]), 3: np.array([0.2, 0.3, 0.5])}


@pytest.mark.parametrize("loss", CLASSIFIER_LOSSES)
@pytest.mark.parametrize("n_classes", FREQUENCIES)
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_without_features_each_classifier_loss_learns_its_own_shares(
    loss, n_classes, smoothing
):
    shares = FREQUENCIES[n_classes]
    y = np.repeat(np.arange(n_classes), np.round(20 * shares).astype(int))
    network = plain_classifier(
        (), loss=loss, label_smoothing=smoothing, learning_rate=0.1, max_epochs=250,
        learning_rate_schedule="cosine", n_iter_no_change=None, random_state=0,
    )  # fmt: skip
    p = network.fit(np.zeros((20, 1)), y).predict_proba(np.zeros((1, 1)))[0]
    smoothed = shares * (1 - smoothing) + smoothing / n_classes
    if loss == "focal":  # it cares more for what is hard: nearer to the middle
        assert (np.abs(p - 1 / n_classes) < np.abs(smoothed - 1 / n_classes)).all()
        assert p.argsort().tolist() == smoothed.argsort().tolist()
    else:
        assert_allclose(p, smoothed, atol=2e-3)


def test_focal_loss_without_focus_is_the_log_loss(iris):
    X, y = iris
    for labels in (y, y > 0):
        focal = plain_classifier(
            (4,), loss="focal", loss_params={"gamma": 0}, max_epochs=5
        )
        plain = plain_classifier((4,), max_epochs=5)
        for network in (focal, plain):
            network.set_params(random_state=0).fit(X, labels)
        assert_allclose(focal.predict_proba(X), plain.predict_proba(X), rtol=1e-8)


def test_the_gaussian_loss_learns_how_the_spread_changes(rng):
    X = rng.uniform(-1, 1, size=(600, 1))
    y = 300 * X[:, 0] + 1000 + rng.normal(size=600) * np.where(X[:, 0] > 0, 100, 10)
    network = plain_regressor(
        (16,),
        loss="gaussian",
        learning_rate=0.02,
        max_epochs=150,
        batch_size=32,
        random_state=0,
    ).fit(X, y)
    mean, std = network.predict([[-0.6], [0.6]], return_std=True)
    assert_allclose(mean, [820, 1180], atol=40)
    assert_allclose(std, [10, 100], rtol=0.35)
    assert_array_equal(network.predict([[-0.6], [0.6]]), mean)


def test_the_standard_deviation_has_a_column_a_target(two_targets):
    X, Y = two_targets
    network = plain_regressor((8,), loss="gaussian", max_epochs=5).fit(X, Y)
    mean, std = network.predict(X, return_std=True)
    assert mean.shape == std.shape == Y.shape
    assert (std > 0).all()


# Batches


def test_every_epoch_sees_every_row_once_in_an_order_of_its_own(monkeypatch):
    seen = []
    gradient = SingleStep.gradient

    def noting(self, batch):
        seen.append(batch.x[:, 0].tolist())
        return gradient(self, batch)

    monkeypatch.setattr(SingleStep, "gradient", noting)
    X = np.arange(50.0)[:, None]
    plain_regressor((2,), batch_size=16, max_epochs=4, random_state=0).fit(X, X[:, 0])
    assert [len(rows) for rows in seen] == [16, 16, 16, 2] * 4
    epochs = [[*chain(*seen[i : i + 4])] for i in range(0, 16, 4)]
    assert all(sorted(epoch) == X[:, 0].tolist() for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4


# Activations and optimizers on real data


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_learns_digits(activation):
    X, y = load_digits(n_class=3, return_X_y=True)
    X = X[:200] / 16
    network = plain_classifier(
        (20,), activation=activation, optimizer="lbfgs", max_epochs=40, random_state=1
    ).fit(X, y[:200])
    assert network.score(X, y[:200]) > 0.95


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "identity"])
def test_lbfgs_fits_a_regression_closely(activation, regression):
    X, y = regression
    network = plain_regressor(
        (20,), activation=activation, optimizer="lbfgs", random_state=1
    )
    assert network.fit(X, y).score(X, y) > 0.98


RATES = {"sgd": 0.5, "gd": 0.5, "momentum": 0.1, "nesterov": 0.1, "lbfgs": 1e-3}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_learns(optimizer, iris):
    X, y = iris
    network = plain_classifier(
        (16,), optimizer=optimizer, learning_rate=RATES.get(optimizer, 0.02),
        batch_size=32, max_epochs=60, random_state=0,
    ).fit(X, y)  # fmt: skip
    assert network.score(X, y) > 0.94
    assert network.loss_curve_[-1] < network.loss_curve_[0] / 3


def test_lbfgs_stops_as_converged_at_the_optimum(iris):
    X, y = iris
    network = plain_classifier(
        (), optimizer="lbfgs", l2=0.1, tol=0, max_epochs=10_000
    ).fit(X, y)
    assert network.stop_reason_ == "converged"
    assert network.n_iter_ == len(network.loss_curve_) < 1000


def test_lbfgs_keeps_the_point_it_took_and_not_the_last_one_it_tried(iris, monkeypatch):
    def minimize_and_try(objective, start, **kwargs):
        result = minimize(objective, start, **kwargs)
        objective(result.x + 1.0)  # as a line search that fails at the end
        return result

    network = plain_classifier(
        (), optimizer="lbfgs", l2=0.1, tol=0, max_epochs=10_000, random_state=0
    )
    wanted = clone(network).fit(*iris)
    monkeypatch.setattr(f"{search.__module__}.minimize", minimize_and_try)
    network.fit(*iris)
    assert network.stop_reason_ == "converged"
    for found, taken in zip(weights(network), weights(wanted), strict=True):
        assert_array_equal(found, taken)


def test_probabilities_far_from_one_half_are_exact_for_both_classes(binary):
    X, y = binary
    network = plain_classifier((4,), max_epochs=1, random_state=0).fit(X, y)
    with torch.no_grad():
        network.module_.output.weight *= 200
    z = network.decision_function(X)
    assert z.min() < -40
    assert z.max() > 40
    assert_allclose(network.predict_proba(X), expit(np.stack([-z, z], 1)), rtol=1e-12)


@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
@pytest.mark.parametrize("residual", [False, True])
def test_deep_networks_learn_with_every_kind_of_layer(normalization, residual, iris):
    X, y = iris
    network = plain_classifier(
        (12, 12, 6), normalization=normalization, residual=residual, dropout=0.05,
        learning_rate=0.01, batch_size=32, max_epochs=40, random_state=0,
    ).fit(X, y)  # fmt: skip
    assert network.score(X, y) > 0.93


@pytest.mark.oldest
@pytest.mark.slow
def test_defaults_learn_digits_and_diabetes():
    X, y = load_digits(return_X_y=True)
    network = MLPClassifier(random_state=0).fit(X[:1400] / 16, y[:1400])
    assert network.score(X[1400:] / 16, y[1400:]) > 0.9
    X, y = load_diabetes(return_X_y=True)
    network = MLPRegressor(random_state=0, early_stopping=True).fit(
        X[:350] * 20, y[:350]
    )
    assert network.score(X[350:] * 20, y[350:]) > 0.3


# Every argument does something

CHANGES = {
    "hidden_layer_sizes": (5,),
    "activation": "tanh",
    "activation_params": {"negative_slope": 0.5},
    "dropout": 0.5,
    "normalization": "layer",
    "residual": True,
    "weight_init": "normal",
    "weight_init_params": {"gain": 3.0},
    "bias_init": 0.5,
    "loss": {"classifier": "brier", "regressor": "absolute_error"},
    "loss_params": {"classifier": {"gamma": 5.0}, "regressor": {"delta": 0.1}},
    "label_smoothing": 0.2,
    "class_weight": {0: 1.0, 1: 5.0},
    "weight_decay": 0.5,
    "l2": 0.1,
    "l1": 0.1,
    "gradient_clip": 0.01,
    "optimizer": "rmsprop",
    "learning_rate": 0.05,
    "learning_rate_scaling": "linear",
    "momentum": 0.2,
    "betas": (0.5, 0.9),
    "batch_size": 20,
    "max_epochs": 5,
    "learning_rate_schedule": "cosine",
    "schedule_params": {"every": 1, "factor": 0.1},
    "warmup": 2.0,
    "augmentation": GaussianNoise(0.5),
    "early_stopping": {"classifier": False, "regressor": True},
    "validation_fraction": 0.5,
    "n_iter_no_change": 1,
    "tol": 100.0,
    "restore_best": False,
    "monitor": {
        "classifier": "accuracy",
        "regressor": "neg_mean_absolute_percentage_error",
    },
    "random_state": 1,
    "dtype": "float32",
}
# What must be set for the change to matter.
GIVEN = {
    "activation_params": {"activation": "leaky_relu"},
    "loss_params": {"loss": {"classifier": "focal", "regressor": "huber"}},
    "gradient_clip": {"optimizer": "sgd"},
    "momentum": {"optimizer": "momentum"},
    "schedule_params": {"learning_rate_schedule": "step"},
    "validation_fraction": {"early_stopping": True},
    "n_iter_no_change": {"tol": 100.0},
    "tol": {"n_iter_no_change": 2},
    "restore_best": {"early_stopping": True, "learning_rate": 1.0, "max_epochs": 4},
    "monitor": {
        "early_stopping": True,
        "validation_fraction": 0.4,
        "learning_rate": 0.3,
        "max_epochs": 15,
    },
}
# They change where, whether or how training runs, not what is learnt; each has tests
# of its own.
NOT_HERE = {"time_limit", "warm_start", "callbacks", "checkpoint", "device", "verbose"}


def _for(kind, params):
    return {
        name: value[kind] if isinstance(value, dict) and kind in value else value
        for name, value in params.items()
    }


@pytest.mark.parametrize("kind", ["classifier", "regressor"])
@pytest.mark.parametrize("name", CHANGES)
def test_every_argument_changes_what_is_learnt(name, kind, binary, regression):
    cls = MLPClassifier if kind == "classifier" else MLPRegressor
    X, y = binary if kind == "classifier" else regression
    if name not in cls._rules:
        return
    given = {
        "max_epochs": 10,
        "learning_rate": 0.01,
        "random_state": 0,
        "batch_size": 30,
    }
    base = cls(
        **{
            **PLAIN,
            "hidden_layer_sizes": (6,),
            **given,
            **_for(kind, GIVEN.get(name, {})),
        }
    )
    changed = clone(base).set_params(**_for(kind, {name: CHANGES[name]}))
    assert not np.array_equal(outputs(base.fit(X, y), X), outputs(changed.fit(X, y), X))


def test_every_argument_is_tested_for_its_effect():
    assert (
        CHANGES.keys() | NOT_HERE
        == MLPClassifier._rules.keys() | MLPRegressor._rules.keys()
    )


@pytest.mark.parametrize("penalty", ["l1", "l2", "weight_decay"])
def test_a_strong_penalty_takes_weights_to_zero_and_leaves_biases(penalty, regression):
    X, _ = regression
    network = plain_classifier(
        (6,), optimizer="sgd", learning_rate=0.02, batch_size=10, max_epochs=150,
        n_iter_no_change=None, bias_init="prior", random_state=0, **{penalty: 5.0},
    ).fit(X, np.arange(len(X)) % 4 == 0)  # fmt: skip
    W1, _, W2, b2 = weights(network)
    assert np.abs(W1).max() < 0.3
    assert np.abs(W2).max() < 0.3
    assert_allclose(network.predict_proba(X)[:, 1], 0.25, atol=0.1)
    assert abs(b2[0]) > 0.5


def test_l1_makes_more_weights_small_than_l2(binary):
    X, y = binary
    small = {}
    for penalty in ("l1", "l2"):
        network = plain_classifier(
            (10,), learning_rate=0.01, max_epochs=300, n_iter_no_change=None,
            random_state=0, **{penalty: 0.02},
        ).fit(X, y)  # fmt: skip
        small[penalty] = (np.abs(weights(network)[0]) < 0.01).mean()
    assert small["l1"] > small["l2"] + 0.2


@pytest.mark.parametrize(
    ("scaling", "factor"),
    [(None, 1), ("linear", 15 / 256), ("sqrt", (15 / 256) ** 0.5)],
)
def test_the_learning_rate_scales_with_the_batch(scaling, factor, binary):
    X, y = binary
    network = plain_classifier(
        (4,),
        learning_rate=0.1,
        learning_rate_scaling=scaling,
        batch_size=15,
        max_epochs=1,
    ).fit(X, y)
    assert network.learning_rate_ == pytest.approx(0.1 * factor)


def test_dropout_is_off_at_prediction(binary):
    X, y = binary
    network = plain_classifier((20,), dropout=0.5, max_epochs=3, random_state=0).fit(
        X, y
    )
    assert_array_equal(network.predict_proba(X), network.predict_proba(X))
    assert not network.module_.training


def test_dropout_may_differ_from_layer_to_layer(binary):
    X, y = binary
    network = plain_classifier((6, 5), dropout=[0.0, 0.4], max_epochs=2).fit(X, y)
    rates = [m.rate for m in network.module_.modules() if hasattr(m, "rate")]
    assert rates == [0.0, 0.4]


@pytest.mark.parametrize("sizes", [7, (7,), [7], np.array([7]), np.int64(7)], ids=repr)
def test_layer_sizes_are_taken_in_any_form(sizes, binary):
    X, y = binary
    network = plain_classifier(sizes, max_epochs=1, random_state=0).fit(X, y)
    assert weights(network)[0].shape == (7, 5)
    same = plain_classifier((7,), max_epochs=1, random_state=0).fit(X, y)
    assert_array_equal(network.predict_proba(X), same.predict_proba(X))


def test_a_prior_bias_starts_at_the_base_rates(rng):
    X = rng.normal(size=(40, 3))
    y = np.repeat(["a", "b", "c"], [4, 12, 24])
    still = {"learning_rate": STANDING_STILL, "optimizer": "sgd", "max_epochs": 1}
    still |= {"weight_init": "normal", "weight_init_params": {"std": 1e-9}}
    still |= {"bias_init": "prior"}
    p = plain_classifier((4,), **still).fit(X, y).predict_proba(X)
    assert_allclose(p, np.tile([0.1, 0.3, 0.6], (40, 1)), rtol=1e-5)
    binary_p = plain_classifier((4,), **still).fit(X, y == "c").predict_proba(X)[:, 1]
    assert_allclose(binary_p, 0.6, rtol=1e-5)
    target = rng.gamma(2.0, size=40)
    for loss, centre in [("poisson", target.mean()), ("absolute_error", None)]:
        predicted = plain_regressor((4,), loss=loss, **still).fit(X, target).predict(X)
        if centre is None:
            assert (target < predicted[0]).mean() == pytest.approx(0.5, abs=0.05)
        else:
            assert_allclose(predicted, centre, rtol=1e-5)


# Weights


@pytest.mark.parametrize("class_weight", ["balanced", {0: 1.0, 2: 7.0}])
def test_class_weights_are_the_sample_weights_they_stand_for(class_weight, iris):
    X, y = iris
    X, y = X[:120], y[:120]  # classes of unequal size
    network = plain_classifier((6,), max_epochs=5, random_state=0)
    by_class = clone(network).set_params(class_weight=class_weight).fit(X, y)
    full = class_weight if class_weight == "balanced" else {0: 1.0, 1: 1.0, 2: 7.0}
    by_row = network.fit(X, y, sample_weight=compute_sample_weight(full, y))
    assert_allclose(by_class.predict_proba(X), by_row.predict_proba(X), rtol=1e-9)


def test_class_weights_multiply_sample_weights(iris, rng):
    X, y = iris
    weight = rng.integers(1, 5, len(y)).astype(float)
    network = plain_classifier((6,), max_epochs=5, random_state=0)
    both = (
        clone(network).set_params(class_weight={1: 3.0}).fit(X, y, sample_weight=weight)
    )
    by_row = network.fit(X, y, sample_weight=weight * np.where(y == 1, 3.0, 1.0))
    assert_allclose(both.predict_proba(X), by_row.predict_proba(X), rtol=1e-9)


def test_balanced_class_weights_give_each_class_the_same_weighted_mass(iris, rng):
    X, y = iris
    weight = rng.integers(1, 4, len(y)) * np.where(y == 0, 5.0, 1.0)
    network = plain_classifier(
        (6,), batch_size=16, max_epochs=5, early_stopping=False, random_state=0
    )
    balanced = clone(network).set_params(class_weight="balanced")
    balanced.fit(X, y, sample_weight=weight)
    by_row = network.fit(X, y, sample_weight=weight / np.bincount(y, weight)[y])
    assert_allclose(balanced.predict_proba(X), by_row.predict_proba(X), rtol=1e-7)


def test_class_weights_may_name_string_labels(iris):
    X, y = iris
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    network = plain_classifier((6,), max_epochs=5, random_state=0)
    named = clone(network).set_params(class_weight={"virginica": 4.0}).fit(X, names)
    coded = clone(network).set_params(class_weight={2: 4.0}).fit(X, y)
    assert_array_equal(named.predict_proba(X), coded.predict_proba(X))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_integer_weights_are_repeated_rows_in_a_full_batch(dtype, regression, rng):
    X, y = regression
    times = rng.integers(0, 4, len(y))
    network = plain_regressor(
        (6,), optimizer="gd", dtype=dtype, max_epochs=30, random_state=0
    )
    weighted = clone(network).fit(X, y, sample_weight=times.astype(float))
    repeated = clone(network).fit(np.repeat(X, times, 0), np.repeat(y, times))
    assert_array_equal(weighted.predict(X), repeated.predict(X))


@pytest.mark.parametrize("power", [-1074, -600, 600, 1010])
@pytest.mark.parametrize("batch_size", [20, 60])
def test_weights_of_any_magnitude_are_taken_by_their_ratios(power, batch_size, binary):
    X, y = binary
    weight = np.ldexp(np.arange(len(y)) % 4 + 1.0, power)
    network = plain_classifier(
        (4,),
        batch_size=batch_size,
        class_weight="balanced",
        max_epochs=5,
        random_state=0,
    )
    wanted = clone(network).fit(X, y, np.arange(len(y)) % 4 + 1.0)
    found = network.fit(X, y, weight)
    assert_allclose(outputs(found, X), outputs(wanted, X), rtol=1e-10)


def test_scores_take_sample_weights(binary, regression):
    X, y = binary
    network = plain_classifier((4,), max_epochs=2, random_state=0).fit(X, y)
    right = network.predict(X) == y
    assert network.score(X, y, sample_weight=right + 1e-12) == pytest.approx(1)
    X, y = regression
    network = plain_regressor((4,), max_epochs=2, random_state=0).fit(X, y)
    weight = np.arange(1.0, len(y) + 1)
    wanted = r2_score(y, network.predict(X), sample_weight=weight)
    assert network.score(X, y, sample_weight=weight) == pytest.approx(wanted)


# Targets of classifiers

LABELS = {
    "strings": np.array(["no", "yes"]),
    "objects": np.array(["no", "yes"], dtype=object),
    "{-1, 1}": np.array([-1, 1]),
    "{1, 2}": np.array([1, 2]),
    "bool": np.array([False, True]),
    "floats": np.array([0.0, 7.0]),
    "uint8": np.array([3, 200], dtype=np.uint8),
    "far apart": np.array([-(10**15), 10**15]),
    "three strings": np.array(["a", "b", "c"]),
    "three numbers": np.array([-5, 0, 40]),
}


@pytest.mark.parametrize("labels", LABELS.values(), ids=list(LABELS))
@pytest.mark.parametrize(
    "container", [np.asarray, list, pd.Series], ids=["array", "list", "Series"]
)
def test_labels_of_any_type_come_back_as_they_were(labels, container, iris):
    X, y = iris
    codes = y if len(labels) == 3 else (y > 0).astype(int)
    network = plain_classifier((6,), max_epochs=40, learning_rate=0.02, random_state=0)
    named = clone(network).fit(X, container(labels[codes]))
    coded = clone(network).fit(X, codes)
    assert named.classes_.tolist() == labels.tolist()
    assert_array_equal(named.predict(X), labels[coded.predict(X)])
    assert_array_equal(named.predict_proba(X), coded.predict_proba(X))
    assert set(named.predict(X)) == set(labels)
    assert named.score(X, labels[codes]) > 0.9
    if container is np.asarray:
        assert named.predict(X).dtype == labels.dtype


@settings(max_examples=20, deadline=None)
@given(
    labels=st.one_of(
        st.lists(st.integers(-(2**40), 2**40), min_size=3, max_size=3, unique=True),
        st.lists(
            st.text("abcdeäß ", min_size=1, max_size=5),
            min_size=3,
            max_size=3,
            unique=True,
        ),
    )
)
def test_only_the_order_of_labels_matters(labels):
    rng = np.random.default_rng(0)
    X, codes = rng.normal(size=(30, 3)), np.arange(30) % 3
    sorted_labels = np.array(sorted(labels))
    network = plain_classifier((4,), max_epochs=2, random_state=0)
    named = clone(network).fit(X, sorted_labels[codes])
    coded = clone(network).fit(X, codes)
    assert_array_equal(named.predict(X), sorted_labels[coded.predict(X)])


@pytest.mark.parametrize("loss", CLASSIFIER_LOSSES)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_all_ways_to_predict_agree(loss, n_classes, iris):
    X, y = iris
    y = np.minimum(y, n_classes - 1)
    network = plain_classifier((6,), loss=loss, max_epochs=20, random_state=0).fit(X, y)
    p, z = network.predict_proba(X), network.decision_function(X)
    assert p.shape == (150, n_classes)
    assert ((p >= 0) & (p <= 1)).all()
    assert_allclose(p.sum(1), 1)
    assert_array_equal(network.classes_[p.argmax(1)], network.predict(X))
    assert_allclose(network.predict_log_proba(X), np.log(p))
    if n_classes == 2:
        assert z.shape == (150,)
        assert_array_equal(z > 0, network.predict(X) == 1)
        assert_allclose(p[:, 1], expit(z))
    else:
        assert z.shape == (150, 3)
        assert_allclose(p, np.exp(z) / np.exp(z).sum(1, keepdims=True))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_log_probabilities_stay_finite_where_probabilities_round_to_zero(
    n_classes, iris
):
    X, y = iris
    network = plain_classifier((), dtype="float32", max_epochs=60, learning_rate=0.1)
    network.fit(X, np.minimum(y, n_classes - 1))
    far = 1e4 * X
    assert (network.predict_proba(far).min(1) == 0).any()
    assert np.isfinite(network.predict_log_proba(far)).all()


@pytest.fixture(scope="module")
def multilabel():
    X, Y = make_multilabel_classification(80, 6, n_classes=4, random_state=0)
    return (X - X.mean(0)) / X.std(0), Y


def test_multilabel_rows_get_each_label_by_itself(multilabel):
    X, Y = multilabel
    network = plain_classifier(
        (32,), learning_rate=0.02, max_epochs=150, batch_size=32, early_stopping=False,
        random_state=0,
    ).fit(X, Y)  # fmt: skip
    assert network.score(X, Y) > 0.95
    assert (network.n_outputs_, network.classes_.tolist()) == (4, [0, 1, 2, 3])
    p = network.predict_proba(X)
    assert p.shape == Y.shape
    assert_array_equal(network.predict(X), p > 0.5)
    assert_allclose(p, expit(network.decision_function(X)))
    assert_allclose(network.predict_log_proba(X), np.log(p), atol=1e-12)
    assert not np.allclose(p.sum(1), 1)


def test_multilabel_targets_come_in_any_container(multilabel):
    X, Y = multilabel
    sparse = pytest.importorskip("scipy.sparse")
    network = plain_classifier((4,), max_epochs=2, random_state=0)
    wanted = clone(network).fit(X, Y).predict_proba(X)
    for form in (Y.tolist(), Y.astype(bool), pd.DataFrame(Y), sparse.csr_array(Y)):
        assert_array_equal(clone(network).fit(X, form).predict_proba(X), wanted)


@pytest.mark.parametrize("loss", CLASSIFIER_LOSSES)
def test_multilabel_networks_take_every_loss_and_early_stopping(loss, multilabel):
    X, Y = multilabel
    network = plain_classifier(
        (16,), loss=loss, early_stopping=True, class_weight="balanced",
        learning_rate=0.02, max_epochs=60, random_state=0,
    ).fit(X, Y)  # fmt: skip
    always_the_same = np.maximum(Y.mean(0), 1 - Y.mean(0)).mean()
    assert (network.predict(X) == Y).mean() > always_the_same + 0.1


# Targets of regressors

REAL = {
    "Series": pd.Series,
    "list": list,
    "int": lambda y: y.astype(int),
    "float32": lambda y: y.astype("float32"),
    "float16": lambda y: y.astype("float16"),
    "object": lambda y: y.astype(object),
    "nullable": lambda y: pd.Series(y, dtype="Float64"),
}


@pytest.mark.parametrize("container", REAL.values(), ids=list(REAL))
def test_regression_targets_come_in_any_container(container, regression):
    X, y = regression
    y = np.round(y)  # whole numbers below 2048 are exact in every dtype
    network = plain_regressor((4,), max_epochs=3, random_state=0)
    wanted = clone(network).fit(X, y).predict(X)
    assert_allclose(clone(network).fit(X, container(y)).predict(X), wanted, rtol=1e-10)


def test_regression_keeps_the_shape_of_its_targets(regression, two_targets):
    X, y = regression
    assert plain_regressor((4,), max_epochs=1).fit(X, y).predict(X).shape == (60,)
    column = plain_regressor((4,), max_epochs=1).fit(X, y[:, None])
    assert column.predict(X).shape == (60, 1)
    X, Y = two_targets
    two = plain_regressor((4,), max_epochs=1).fit(
        X, pd.DataFrame(Y, columns=["a", "b"])
    )
    assert (two.predict(X).shape, two.n_outputs_) == ((60, 2), 2)


def test_several_targets_of_different_units_are_all_learnt(two_targets):
    X, Y = two_targets
    Y = Y * [1e-6, 1e6] + [3, -1e7]
    network = plain_regressor((20,), optimizer="lbfgs", random_state=0).fit(X, Y)
    assert (r2_score(Y, network.predict(X), multioutput="raw_values") > 0.95).all()


@settings(max_examples=15, deadline=None)
@given(
    loss=st.sampled_from([loss for loss in REGRESSOR_LOSSES if loss != "poisson"]),
    scale=st.floats(1e-6, 1e6),
    shift=st.floats(-1e3, 1e3),
)
def test_a_change_of_units_changes_predictions_by_as_much(loss, scale, shift):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 3)), rng.normal(size=30)
    network = plain_regressor((4,), loss=loss, max_epochs=3, random_state=0)
    here = clone(network).fit(X, y).predict(X)
    there = clone(network).fit(X, (y + shift) * scale).predict(X)
    assert_allclose(there / scale - shift, here, rtol=1e-6, atol=1e-6)


def test_poisson_predictions_are_positive_and_scale_with_the_counts(rng):
    X = rng.normal(size=(60, 2))
    y = rng.poisson(np.exp(X[:, 0]))
    network = plain_regressor((6,), loss="poisson", max_epochs=20, random_state=0)
    here = clone(network).fit(X, y).predict(X)
    assert (here > 0).all()
    assert_allclose(clone(network).fit(X, 100 * y).predict(X), 100 * here, rtol=1e-6)


def test_a_constant_target_is_predicted_as_it_is(regression):
    X, _ = regression
    for y in (np.full(60, 1e7), np.zeros(60)):
        network = plain_regressor((4,), learning_rate=0.05, random_state=0).fit(X, y)
        assert_allclose(network.predict(X), y, atol=0.05)


# Precision


@pytest.mark.parametrize(
    "cls", [plain_classifier, plain_regressor], ids=["classifier", "regressor"]
)
@pytest.mark.parametrize(
    ("given", "dtype", "computed"),
    [
        ("float32", "auto", "float32"),
        ("float64", "auto", "float64"),
        ("float16", "auto", "float64"),
        ("int64", "auto", "float64"),
        ("bool", "auto", "float64"),
        ("float64", "float32", "float32"),
        ("float32", "float64", "float64"),
    ],
)
def test_the_network_computes_in_the_dtype_asked_for(cls, given, dtype, computed, iris):
    X, y = iris
    X, y = X.astype(given), y.astype(given) if given.startswith("float") else y
    network = cls((4,), dtype=dtype, max_epochs=2, device="cpu").fit(X, y)
    assert {str(w.dtype) for w in weights(network)} == {computed}
    if cls is plain_classifier:
        assert network.predict_proba(X).dtype == computed
        assert network.decision_function(X).dtype == computed


@pytest.mark.parametrize("kind", ["cuda", "mps"])
def test_on_an_accelerator_auto_means_float32(kind):
    # No accelerator is needed to decide it.
    assert fit_dtype(MLPClassifier(), torch.device(kind)) == np.float32
    chosen = MLPClassifier(dtype="float64")
    if kind == "cuda":
        assert fit_dtype(chosen, torch.device(kind)) == np.float64
    else:
        with pytest.raises(ValueError, match="does not work on device 'mps'"):
            fit_dtype(chosen, torch.device(kind))


def test_float32_targets_and_features_give_float32_predictions(regression):
    X, y = (a.astype("float32") for a in regression)
    assert (
        plain_regressor((4,), max_epochs=1, device="cpu").fit(X, y).predict(X).dtype
        == "float32"
    )


def test_float32_and_float64_learn_nearly_the_same(iris):
    X, y = iris
    single, double = (
        plain_classifier((6,), dtype=dtype, max_epochs=30, random_state=1).fit(X, y)
        for dtype in ("float32", "float64")
    )
    assert_allclose(single.predict_proba(X), double.predict_proba(X), atol=1e-4)


# Fitted attributes


def test_the_fitted_attributes_say_what_happened(iris):
    X, y = iris
    frame = pd.DataFrame(X, columns=list("abcd"))
    network = plain_classifier((5,), learning_rate=0.02, max_epochs=7, random_state=0)
    assert network.fit(frame, y) is network
    assert network.classes_.tolist() == [0, 1, 2]
    assert (network.n_features_in_, network.n_outputs_) == (4, 1)
    assert network.feature_names_in_.tolist() == list("abcd")
    assert network.n_iter_ == network.best_epoch_ == 7
    assert network.learning_rate_ == 0.02
    assert network.stop_reason_ == "max_epochs"
    assert network.loss_curve_ == network.history_.train_loss.tolist()
    assert isinstance(network.module_, torch.nn.Module)
    assert sum(w.size for w in weights(network)) == 4 * 5 + 5 + 5 * 3 + 3


def test_the_history_has_a_row_an_epoch(iris):
    X, y = iris
    network = plain_classifier(
        (5,), early_stopping=True, max_epochs=6, random_state=0
    ).fit(X, y)
    history = network.history_
    assert list(history.columns) == [
        "epoch", "train_loss", "valid_loss", "valid_score", "learning_rate", "seconds",
    ]  # fmt: skip
    assert history.epoch.tolist() == list(range(1, 7))
    assert np.isfinite(history.to_numpy()).all()
    assert (history.seconds.diff().dropna() >= 0).all()
    assert history.valid_score.between(0, 1).all()


def test_without_validation_the_history_says_so(iris):
    X, y = iris
    history = plain_classifier((5,), max_epochs=3).fit(X, y).history_
    assert history[["valid_loss", "valid_score"]].isna().all(axis=None)


def test_without_pandas_the_history_is_a_list_of_dicts(iris, monkeypatch):
    X, y = iris
    network = plain_classifier((5,), max_epochs=2).fit(X, y)
    frame = network.history_
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    rows = network.history_
    assert [row["train_loss"] for row in rows] == frame.train_loss.tolist()
    rows[0]["train_loss"] = None
    assert network.history_[0]["train_loss"] is not None


def test_the_history_shows_the_schedule(iris):
    X, y = iris
    network = plain_classifier(
        (5,), learning_rate=0.1, learning_rate_schedule="step",
        schedule_params={"every": 2, "factor": 0.5}, max_epochs=5,
    ).fit(X, y)  # fmt: skip
    assert_allclose(network.history_.learning_rate, [0.1, 0.1, 0.05, 0.05, 0.025])
    assert network.learning_rate_ == 0.1


def test_a_plateau_lowers_the_learning_rate(iris):
    X, y = iris
    network = plain_classifier(
        (), optimizer="gd", learning_rate=STANDING_STILL, learning_rate_schedule="plateau",
        schedule_params={"patience": 1, "factor": 0.1}, n_iter_no_change=None, max_epochs=7,
    ).fit(X, y)  # fmt: skip
    falls = network.history_.learning_rate / STANDING_STILL
    assert_allclose(falls, [1, 1, 1, 0.1, 0.1, 0.01, 0.01])


def test_the_network_is_reachable_as_a_skorch_net(iris):
    X, y = iris
    network = plain_classifier((5,), early_stopping=True, max_epochs=4).fit(X, y)
    net = network.net_
    assert net.module_ is network.module_
    assert_allclose(net.predict_proba(X.copy()), network.predict_proba(X))
    assert_array_equal(net.predict(X.copy()), network.predict(X))
    assert_allclose(net.history[:, "train_loss"], network.loss_curve_)
    assert_allclose(net.history[:, "valid_loss"], network.history_.valid_loss)
