"""Trainings that ended far above a constant prediction are warned of, and no others."""

import pickle
import warnings

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.exceptions import FitFailedWarning
from sklearn.metrics import log_loss, r2_score
from sklearn.model_selection import GridSearchCV
from torch import nn

from sklearn_deep import (
    CNNRegressor,
    Mixup,
    MLPAutoencoder,
    MLPClassifier,
    MLPRegressor,
    ModuleRegressor,
    RNNRegressor,
    TrainingWarning,
)
from sklearn_deep.nn._losses import CLASSIFIER_LOSSES, REGRESSOR_LOSSES
from sklearn_deep.training.loop import _outcome

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 6))
Y = X @ [3.0, -2.0, 1.0, 0.0, 0.0, 1.0] + RNG.normal(size=200) + 10
CLASSES = (Y > 10).astype(int) + (Y > 12)
SMALL = {"hidden_layer_sizes": (16,), "random_state": 0}


def told(network, X, y, method="fit", **kwargs):
    """The training warnings of one call."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        getattr(network, method)(X, y, **kwargs)
    return [str(w.message) for w in caught if w.category is TrainingWarning]


# Networks that blew up; the scores on their own training rows say so.

BLOWN_UP = {
    "MLP": (MLPRegressor(learning_rate=3.0, max_epochs=10, random_state=0), X),
    "MLP, float32": (
        MLPRegressor(learning_rate=3.0, max_epochs=10, dtype="float32", random_state=0),
        X,
    ),
    "RNN": (RNNRegressor(learning_rate=100.0, max_epochs=4, random_state=0), X),
    "RNN, sequences": (
        RNNRegressor(learning_rate=100.0, max_epochs=4, random_state=0),
        [row[: 3 + i % 4] for i, row in enumerate(X)],
    ),
    "CNN": (
        CNNRegressor(
            conv_channels=(4,),
            learning_rate=100.0,
            max_epochs=4,
            dtype="float64",  # float32 overflows, which is an error
            random_state=0,
        ),
        X.reshape(-1, 1, 6),
    ),
    "sparse": (
        MLPRegressor(learning_rate=3.0, max_epochs=10, random_state=0),
        sp.csr_array(X),
    ),
}


@pytest.mark.parametrize(("network", "rows"), BLOWN_UP.values(), ids=list(BLOWN_UP))
def test_a_network_that_blew_up_is_warned_of_with_its_loss(network, rows):
    network = clone(network)
    (message,) = told(network, rows, Y)
    r2 = r2_score(Y, network.predict(rows))
    assert r2 < -29
    assert type(network).__name__ in message
    stated = float(message.split("training rows is ")[1].split(",")[0])
    assert stated == pytest.approx(1 - r2, rel=0.01)  # of standardised targets
    assert "constant prediction 1. Scale the features" in message
    for fix in ("learning_rate='auto'", "gradient_clip=1.0"):
        assert fix in message


@pytest.mark.parametrize("loss", ["log_loss", "focal"])
def test_a_classifier_that_blew_up_is_warned_of(loss):
    network = MLPClassifier(
        **SMALL, loss=loss, optimizer="rmsprop", learning_rate=30.0, max_epochs=20
    )
    (message,) = told(network, X, CLASSES)
    if loss == "log_loss":
        stated = float(message.split("training rows is ")[1].split(",")[0])
        # scikit-learn clips probabilities where ours go on.
        assert stated > log_loss(CLASSES, network.predict_proba(X)) > 1
        assert "constant prediction 1.1." in message  # log(3)


def test_a_loss_that_stood_still_far_up_has_diverged_and_not_converged():
    network = MLPRegressor(
        **SMALL, learning_rate=30.0, tol=1e300, n_iter_no_change=5,
        learning_rate_schedule="constant",
    )  # fmt: skip
    assert len(told(network, X, Y)) == 1
    assert network.loss_curve_[-1] > 1e30
    assert network.stop_reason_ == "diverged"
    network.set_params(learning_rate=0.01)
    assert not told(network, X, Y)
    assert network.stop_reason_ == "converged"


def test_lbfgs_far_from_a_minimum_is_warned_of():
    X, y = load_wine(return_X_y=True)  # not scaled: no direction goes down
    network = MLPClassifier(optimizer="lbfgs", max_epochs=50, random_state=0)
    assert len(told(network, X, y)) == 1
    assert network.stop_reason_ == "diverged"
    assert network.score(X, y) < 0.4


# Where nothing is wrong with the network.


@pytest.mark.parametrize("loss", [*CLASSIFIER_LOSSES, *REGRESSOR_LOSSES])
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"max_epochs": 1},
        {"max_epochs": 2, "batch_size": 200, "learning_rate": 1e-5},
        {"bias_init": "prior", "max_epochs": 1},
        {"l2": 100.0},
        {"dropout": 0.95, "max_epochs": 30},
        {"augmentation": Mixup(), "max_epochs": 3},
        {"optimizer": "lbfgs", "max_epochs": 20},
    ],
    ids=str,
)
def test_no_ordinary_training_is_warned_of(loss, params):
    params = {**SMALL, "max_epochs": 10, "loss": loss, **params}
    if loss in CLASSIFIER_LOSSES:
        assert not told(MLPClassifier(**params, label_smoothing=0.3), X, CLASSES)
    else:
        assert not told(MLPRegressor(**params), X, np.abs(Y))


@pytest.mark.parametrize("y", [np.full(200, 7.0), np.r_[np.zeros(199), 1e6]], ids=str)
def test_targets_of_one_value_or_of_an_outlier_are_no_reason_to_warn(y):
    assert not told(MLPRegressor(**SMALL, max_epochs=5), X, y)


def test_heavy_dropout_on_features_that_are_not_scaled_is_judged_without_it():
    scaled = 1 + np.abs(X) * 100
    network = MLPRegressor(dropout=0.9, max_epochs=60, random_state=0)
    assert not told(network, scaled, Y)
    assert network.loss_curve_[-1] > 30  # with the dropout of training
    assert network.score(scaled, Y) > -29  # without, as it predicts


@pytest.mark.parametrize("max_epochs", [1, 4])
def test_a_few_steps_on_features_that_are_not_scaled_are_a_beginning(max_epochs):
    network = MLPRegressor(random_state=0, max_epochs=max_epochs, learning_rate=1e-5)
    assert not told(network, X * 100, Y)
    assert network.loss_curve_[-1] > 100


def test_many_steps_on_features_that_are_not_scaled_are_not():
    network = MLPRegressor(
        random_state=0, max_epochs=30, learning_rate=1e-6, early_stopping=False
    )
    (message,) = told(network, X * 100, Y)
    assert "StandardScaler" in message


def test_a_good_epoch_that_was_kept_is_no_reason_to_warn():
    network = MLPRegressor(
        **SMALL, optimizer="rmsprop", learning_rate=100.0, warmup=100, max_epochs=100,
        n_iter_no_change=None, learning_rate_schedule="constant",
    )  # fmt: skip
    assert len(told(clone(network), X, Y)) == 1
    assert not told(network, X, Y, X_val=X[:50], y_val=Y[:50])
    assert network.loss_curve_[-1] > 1e5
    assert network.score(X, Y) > 0


@pytest.mark.parametrize("restore_best", [True, False])
def test_rows_are_predicted_only_where_the_loss_of_the_kept_epoch_is_high(
    restore_best, monkeypatch
):
    predicted = []
    monkeypatch.setattr(
        _outcome, "_losses", lambda *args: predicted.append(1) or (0, 1)
    )
    network = MLPRegressor(
        **SMALL, optimizer="rmsprop", learning_rate=100.0, warmup=100, max_epochs=100,
        n_iter_no_change=None, restore_best=restore_best,
        learning_rate_schedule="constant",
    )  # fmt: skip
    network.fit(X, Y, X_val=X[:50], y_val=Y[:50])
    assert network.loss_curve_[-1] > 1e5
    assert bool(predicted) is not restore_best


def test_an_autoencoder_of_features_of_any_size_is_not_warned_of():
    for factor in (1e-6, 1.0, 1e6):
        network = MLPAutoencoder((4,), max_epochs=10, random_state=0)
        assert not told(network, X * factor, None)


# Streams


def test_a_stream_is_not_warned_of_while_it_learns():
    network = MLPRegressor(random_state=0, learning_rate=1e-4)
    for _ in range(20):
        assert not told(network, X * 100, Y, "partial_fit")
    assert network.loss_curve_[0] > 1e3


def test_a_stream_whose_targets_move_is_not_warned_of():
    network = MLPRegressor(**SMALL)
    for shift in (0, 10, 1e3, 0):
        assert not told(network, X, Y + shift, "partial_fit")


def test_a_stream_that_blows_up_is_warned_of():
    network = MLPRegressor(**SMALL)
    assert not told(network, X, Y, "partial_fit")
    network.set_params(learning_rate=1e3)
    assert any(told(network, X, Y, "partial_fit") for _ in range(2))
    assert r2_score(Y, network.predict(X)) < -29


# How it reaches the user

GRID = {"learning_rate": [0.01, 3.0]}


@pytest.mark.parametrize("backend", ["sequential", "stacked"])
def test_a_search_is_warned_of_the_networks_at_fault_and_scores_them_last(backend):
    search = GridSearchCV(
        MLPRegressor(random_state=0, max_epochs=10), GRID, cv=2, n_jobs=2
    )
    with joblib.parallel_config(backend=backend):
        messages = told(search, X, Y)
    assert len(messages) == 2  # one each fold of the higher rate, none of the refit
    assert search.best_params_ == {"learning_rate": 0.01}
    assert search.cv_results_["mean_test_score"][1] < -29


@pytest.mark.parametrize("backend", ["sequential", "stacked"])
def test_the_warning_as_an_error_scores_nan(backend):
    search = GridSearchCV(
        MLPRegressor(random_state=0, max_epochs=10), GRID, cv=2, n_jobs=2
    )
    with (
        joblib.parallel_config(backend=backend),
        warnings.catch_warnings(record=True) as caught,
    ):
        warnings.simplefilter("always")
        warnings.simplefilter("error", TrainingWarning)
        search.fit(X, Y)
    assert any(w.category is FitFailedWarning for w in caught)
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [False, True]


def test_the_warning_as_an_error_leaves_the_estimator_as_it_was():
    network = MLPRegressor(random_state=0, max_epochs=10, warm_start=True).fit(X, Y)
    before = network.predict(X)
    network.set_params(learning_rate=30.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", TrainingWarning)
        with pytest.raises(TrainingWarning, match="ended with a network of no use"):
            network.fit(X, Y)
    assert_array_equal(network.predict(X), before)
    assert_array_equal(pickle.loads(pickle.dumps(network)).predict(X), before)


def test_a_module_of_ones_own_is_judged_as_well():
    network = ModuleRegressor(
        nn.Linear, module__in_features=6, module__out_features=1, learning_rate=1e6,
        max_epochs=4, random_state=0,
    )  # fmt: skip
    assert len(told(network, X, Y)) == 1
