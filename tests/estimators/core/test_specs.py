"""What "auto" means in the parameters of a fit."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_deep import (
    CNNClassifier,
    MLPClassifier,
    MLPRegressor,
    TabularClassifier,
    TabularRegressor,
)
from sklearn_deep.estimators.core._fit import prepare
from sklearn_deep.estimators.core._parts import FitArguments
from sklearn_deep.estimators.core._specs import auto_decay, batch_rows, n_epochs

N_ROWS = st.integers(1, 10**7)


@pytest.mark.parametrize(
    ("kind", "n_rows", "expected"),
    [
        (MLPClassifier, 32, 32),
        (MLPClassifier, 100, 32),
        (MLPClassifier, 2_000, 128),
        (MLPClassifier, 10**6, 256),
        (CNNClassifier, 100, 8),
        (TabularClassifier, 100, 100),
        (TabularClassifier, 10_000, 128),
        (TabularClassifier, 32_561, 256),
        (TabularRegressor, 10**6, 512),
    ],
)
def test_automatic_batches_grow_with_the_rows(kind, n_rows, expected):
    assert batch_rows(kind(batch_size="auto"), n_rows) == expected


@given(N_ROWS)
def test_a_batch_has_no_more_rows_than_there_are(n_rows):
    for kind in (MLPClassifier, CNNClassifier, TabularClassifier):
        assert 1 <= batch_rows(kind(batch_size="auto"), n_rows) <= n_rows


@given(N_ROWS)
def test_automatic_epochs_are_enough_steps_within_their_range(n_rows):
    for kind in (MLPClassifier, TabularClassifier, TabularRegressor):
        network = kind(max_epochs="auto")
        fewest, most = kind._epoch_range
        steps = math.ceil(n_rows / batch_rows(network, n_rows))
        epochs = n_epochs(network, n_rows)
        assert fewest <= epochs <= most
        if fewest < epochs < most:
            assert 0 <= epochs * steps - kind._enough_steps < steps


@pytest.mark.parametrize(
    ("n_rows", "expected"),
    [(100, 4.0), (200, 4.0), (400, 2.0), (1_600, 0.5), (8_000, 0.1), (100_000, 0.1)],
)
def test_automatic_weight_decay_of_a_classifier_falls_with_the_rows(n_rows, expected):
    assert auto_decay(MLPClassifier(), n_rows) == pytest.approx(expected)


def test_a_step_at_a_high_learning_rate_shrinks_the_weights_no_more():
    for rate in (0.005, 0.02, 0.05):
        decay = auto_decay(MLPClassifier(learning_rate=rate), 100)
        assert decay * rate == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("estimator", "n_rows", "expected"),
    [
        (MLPClassifier(), None, 0.1),  # partial_fit
        (MLPClassifier(), 32, 0.1),  # each step uses all rows
        (MLPClassifier(batch_size=500), 400, 0.1),
        (MLPClassifier(optimizer="adam"), 400, 0.0),
        (MLPClassifier(learning_rate="auto"), 400, 0.1),
        (MLPClassifier(learning_rate=0.5), 400, 0.1),
        (MLPRegressor(), 400, 0.1),
        (CNNClassifier(), 400, 0.1),
    ],
)
def test_elsewhere_it_is_that_of_the_optimizer(estimator, n_rows, expected):
    assert auto_decay(estimator, n_rows) == expected


@pytest.mark.parametrize(
    ("params", "n_rows", "held_out"),
    [
        ({}, 999, False),
        ({}, 1_000, True),
        ({"weight_decay": 0.01}, 999, True),
        ({"optimizer": "adam"}, 999, True),
        ({"early_stopping": True}, 999, True),
    ],
)
def test_few_rows_all_train_where_the_decay_keeps_them_apart(params, n_rows, held_out):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(n_rows, 2)), np.arange(n_rows) % 2
    job = prepare(MLPClassifier(random_state=0, **params), FitArguments(X, y)).job
    assert (job.validation is not None) == held_out
    assert len(job.rows) == n_rows - (round(n_rows * 0.1) if held_out else 0)


def test_the_decay_of_a_fit_is_that_of_its_rows_and_of_partial_fit_the_usual_one():
    X, y = np.random.default_rng(0).normal(size=(400, 2)), np.arange(400) % 2
    fit, more = (
        prepare(MLPClassifier(), FitArguments(X, y, incremental=incremental)).job
        for incremental in (False, True)
    )
    assert fit.optimizer.weight_decay == 2.0
    assert more.optimizer.weight_decay == 0.1
