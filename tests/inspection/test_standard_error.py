"""The standard error of the estimate."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import make_regression
from sklearn.linear_model import LinearRegression
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import GridSearchCV

from sklearn_deep import (
    MLPRegressor,
    standard_error_of_estimate,
    standard_error_of_estimate_scorer,
)


def test_on_the_rows_of_a_fit_it_estimates_the_noise():
    X = np.random.default_rng(0).normal(size=(60, 20))
    errors = []
    for seed in range(40):
        noisy = X @ np.arange(20) + np.random.default_rng(seed).normal(0, 10, 60)
        fitted = LinearRegression(fit_intercept=False).fit(X, noisy).predict(X)
        errors.append(standard_error_of_estimate(noisy, fitted, n_fitted=20))
    assert np.mean(errors) == pytest.approx(10, rel=0.05)


@given(st.integers(1, 3), st.booleans())
def test_elsewhere_it_is_the_root_of_the_mean_squared_error(n_targets, weighted):
    rng = np.random.default_rng(n_targets)
    y, p = rng.normal(size=(2, 30, n_targets))
    w = rng.uniform(size=30) if weighted else None
    assert standard_error_of_estimate(y, p, sample_weight=w) == pytest.approx(
        root_mean_squared_error(y, p, sample_weight=w)
    )


def test_the_scorer_is_higher_for_the_better_and_works_in_a_search():
    X, y = make_regression(80, 4, noise=1.0, random_state=0)
    net = MLPRegressor((8,), max_epochs=40, random_state=0)
    search = GridSearchCV(
        net, {"max_epochs": [1, 40]}, scoring=standard_error_of_estimate_scorer, cv=2
    ).fit(X, y)
    assert search.best_params_ == {"max_epochs": 40}
    assert search.best_score_ < 0
    error = standard_error_of_estimate(y, search.predict(X))
    assert standard_error_of_estimate_scorer(search, X, y) == -error


@pytest.mark.parametrize(
    ("n_fitted", "message"), [(3, "more rows"), (-1, "n_fitted"), (0.5, "n_fitted")]
)
def test_a_number_of_parameters_that_cannot_be_is_refused(n_fitted, message):
    with pytest.raises(ValueError, match=message):
        standard_error_of_estimate([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], n_fitted=n_fitted)
