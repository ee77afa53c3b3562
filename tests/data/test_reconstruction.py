"""Rows as their own targets."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_deep.data._reconstruction import Reconstruction


def test_columns_keep_their_weights_among_each_other(rng):
    X = rng.normal(size=(200, 3)) * [1.0, 10.0, 0.1] + [5.0, 0.0, -2.0]
    targets = Reconstruction.learn(X, None)
    encoded = targets.encode(X, X.dtype)
    assert_allclose(encoded.mean(0), 0, atol=1e-12)
    assert_allclose(encoded.var(0).mean(), 1)
    assert_allclose(encoded.std(0) / X.std(0), encoded[:, 0].std() / X[:, 0].std())
    assert_allclose(targets.decode(encoded), X)


def test_weights_are_repetitions(rng):
    X, weight = rng.normal(size=(20, 3)), rng.integers(1, 4, 20)
    weighted = Reconstruction.learn(X, weight)
    repeated = Reconstruction.learn(np.repeat(X, weight, axis=0), None)
    assert_allclose(weighted.center, repeated.center)
    assert_allclose(weighted.scale, repeated.scale)


@pytest.mark.parametrize("value", [0.0, 7.0, 1e15 + 0.1, 1e-310])
def test_rows_without_a_spread_have_a_scale_of_one(value):
    assert Reconstruction.learn(np.full((5, 2), value), None).scale.tolist() == [1, 1]


def test_huge_values_do_not_overflow(rng):
    X = rng.normal(size=(9, 2)) * 1e200
    assert np.isfinite(Reconstruction.learn(X, None).scale).all()
