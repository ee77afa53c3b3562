"""What "auto" means in the parameters of a fit."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_deep import (
    CNNClassifier,
    MLPClassifier,
    TabularClassifier,
    TabularRegressor,
)
from sklearn_deep.estimators.core._specs import batch_rows, n_epochs

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
