"""Jobs for the tests of training, as an estimator makes them."""

import pytest

from sklearn_deep.estimators.core._fit import prepare
from sklearn_deep.estimators.core._parts import FitArguments


@pytest.fixture
def make_job():
    """The job of an estimator's ``fit`` on some data."""

    def make(estimator, X, y, **given):
        return prepare(estimator, FitArguments(X, y, **given)).job

    return make
