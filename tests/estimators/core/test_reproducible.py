"""One seed, the same bits: alone, in threads, in processes, in any batch."""

import random

import joblib
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_deep import (
    LearningRateFinder,
    MLPClassifier,
    MLPRegressor,
    ValidationHoldout,
)

# All that is random: initial weights, batch order, masks, held-out rows, range test.
RANDOM = {
    "batch_size": 16,
    "dropout": 0.3,
    "normalization": "batch",
    "bias_init": "uniform",
    "early_stopping": True,
    "max_epochs": 6,
}
CONFIGURATIONS = {
    "default": {"max_epochs": 5},
    "all that is random": RANDOM,
    "alpha dropout": {**RANDOM, "activation": "selu"},
    "learning rate found": {**RANDOM, "learning_rate": "auto"},
    "lbfgs": {"optimizer": "lbfgs", "max_epochs": 5, "dropout": 0.2},
}
each_configuration = pytest.mark.parametrize(
    "params", CONFIGURATIONS.values(), ids=list(CONFIGURATIONS)
)
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
each_task = pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])


def outputs(network, X):
    return getattr(network, "predict_proba", network.predict)(X)


def learnt(network):
    """Everything that a fit leaves behind, but for the clock."""
    history = network.history_.drop(columns="seconds")
    weights = [t.numpy() for t in network.module_.state_dict().values()]
    return weights, history, network.best_epoch_, network.learning_rate_


def assert_the_same(one, other):
    for a, b in zip(learnt(one)[0], learnt(other)[0], strict=True):
        assert_array_equal(a, b)
    assert learnt(one)[1].equals(learnt(other)[1])
    assert learnt(one)[2:] == learnt(other)[2:]


@each_configuration
@each_dtype
@each_task
def test_the_same_seed_gives_the_same_bits(params, dtype, cls, iris):
    X, y = iris
    network = cls((8,), dtype=dtype, random_state=3, **params)
    assert_the_same(clone(network).fit(X, y), clone(network).fit(X, y))


@each_configuration
@each_task
def test_another_seed_gives_another_network(params, cls, iris):
    X, y = iris
    one, other = (cls((8,), random_state=seed, **params).fit(X, y) for seed in (0, 1))
    assert (outputs(one, X) != outputs(other, X)).any()


@each_task
def test_without_a_seed_every_fit_is_another(cls, iris):
    X, y = iris
    np.random.seed(0)
    one = cls((8,), max_epochs=1).fit(X, y)
    np.random.seed(0)
    torch.manual_seed(0)
    other = cls((8,), max_epochs=1).fit(X, y)
    assert (outputs(one, X) != outputs(other, X)).any()


def test_a_generator_as_random_state_moves_on_from_fit_to_fit(iris):
    X, y = iris
    network = MLPClassifier((8,), max_epochs=2, random_state=np.random.RandomState(0))
    first, second = (network.fit(X, y).predict_proba(X) for _ in range(2))
    assert (first != second).any()
    network.set_params(random_state=np.random.RandomState(0))
    assert_array_equal(network.fit(X, y).predict_proba(X), first)


# Global state


def _global_state():
    return (
        np.random.get_state()[1].tolist(),
        np.random.get_state()[2:],
        torch.get_rng_state().tolist(),
        random.getstate(),
        torch.get_num_threads(),
        torch.get_default_dtype(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_grad_enabled(),
    )


@each_configuration
@each_task
@pytest.mark.parametrize("random_state", [None, 0])
def test_no_global_generator_or_setting_changes(params, cls, random_state, iris):
    X, y = iris
    before = _global_state()
    network = cls((8,), random_state=random_state, **params).fit(X, y)
    outputs(network, X)
    network.set_params(optimizer="adam").partial_fit(X, y)
    assert _global_state() == before


def test_meta_estimators_leave_global_generators_alone(iris):
    X, y = iris
    before = _global_state()
    network = MLPClassifier((8,), **RANDOM)
    ValidationHoldout(make_pipeline(StandardScaler(), network)).fit(X, y)
    LearningRateFinder(network).fit(X, y)
    assert _global_state() == before


def test_a_failed_fit_gives_the_threads_of_torch_back(iris):
    X, y = iris
    before = _global_state()
    network = MLPRegressor((8,), optimizer="sgd", learning_rate=1e30, max_epochs=50)
    with pytest.raises(ArithmeticError):
        network.fit(X, y)
    assert _global_state() == before


@each_dtype
def test_global_seeds_do_not_matter(dtype, iris):
    X, y = iris
    network = MLPClassifier((8,), dtype=dtype, random_state=0, **RANDOM)
    fits = []
    for seed in (0, 1):
        np.random.seed(seed)
        torch.manual_seed(seed)
        fits.append(clone(network).fit(X, y))
    assert_the_same(*fits)


@each_dtype
def test_the_number_of_torchs_threads_does_not_matter(dtype, rng):
    X = rng.normal(size=(900, 20))
    y = X[:, 0] > 0
    network = MLPClassifier(
        (120, 120), dtype=dtype, batch_size=900, random_state=0, max_epochs=5
    )
    before = torch.get_num_threads()
    fits = []
    try:
        for threads in (1, 2, 4):
            torch.set_num_threads(threads)
            fits.append(clone(network).fit(X, y))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert_the_same(fits[0], fits[1])
    assert_the_same(fits[0], fits[2])


# Threads and processes


@pytest.fixture(scope="module")
def alone(iris):
    """What one process with one thread predicts, by dtype."""
    return {
        dtype: _cross_validated(dtype, iris, n_jobs=1)
        for dtype in ("float32", "float64")
    }


def _cross_validated(dtype, data, n_jobs):
    X, y = data
    network = MLPClassifier((8,), dtype=dtype, random_state=0, **RANDOM)
    pipe = make_pipeline(StandardScaler(), network)
    return cross_val_predict(pipe, X, y, cv=4, n_jobs=n_jobs, method="predict_proba")


@each_dtype
@pytest.mark.parametrize(
    "backend", ["threading", pytest.param("loky", marks=pytest.mark.slow)]
)
def test_two_jobs_predict_the_same_bits_as_one(dtype, backend, iris, alone):
    with joblib.parallel_config(backend=backend):
        found = _cross_validated(dtype, iris, n_jobs=2)
    assert_array_equal(found, alone[dtype])


@pytest.mark.oldest
@pytest.mark.slow
@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_a_search_with_two_jobs_finds_what_one_finds(backend, iris):
    X, y = iris
    network = MLPRegressor((8,), dtype="float32", random_state=0, **RANDOM)
    grid = {"dropout": [0.0, 0.3], "activation": ["relu", "tanh"]}
    one = GridSearchCV(network, grid, cv=3, n_jobs=1).fit(X, y)
    with joblib.parallel_config(backend=backend):
        two = GridSearchCV(network, grid, cv=3, n_jobs=2).fit(X, y)
    for name in one.cv_results_:
        if "time" not in name:
            assert_array_equal(one.cv_results_[name], two.cv_results_[name])
    assert_the_same(one.best_estimator_, two.best_estimator_)


def test_many_fits_at_once_in_threads_do_not_disturb_each_other(iris):
    X, y = iris
    networks = [MLPClassifier((8,), random_state=seed, **RANDOM) for seed in range(8)]
    before = _global_state()
    together = joblib.Parallel(n_jobs=4, backend="threading")(
        joblib.delayed(lambda network: clone(network).fit(X, y))(n) for n in networks
    )
    assert _global_state() == before
    for network, fitted in zip(networks, together, strict=True):
        assert_the_same(network.fit(X, y), fitted)


def test_one_network_predicts_in_many_threads_at_once(iris):
    X, y = iris
    network = MLPClassifier((8,), dtype="float32", random_state=0, **RANDOM).fit(X, y)
    wanted = network.predict_proba(X)
    found = joblib.Parallel(n_jobs=4, backend="threading")(
        joblib.delayed(network.predict_proba)(X) for _ in range(16)
    )
    for p in found:
        assert_array_equal(p, wanted)


# Rows


@pytest.fixture(scope="module", params=["float32", "float64"])
def trained(request, iris):
    X, y = iris
    network = MLPClassifier(
        (33, 17),
        dtype=request.param,
        normalization="batch",
        max_epochs=3,
        random_state=0,
    )
    return network.fit(X, y)


ROUNDING = {"float32": 1e-6, "float64": 1e-14}


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.integers(0, 149), min_size=1, max_size=80))
def test_a_row_is_predicted_the_same_in_any_company(trained, iris, rows):
    X, _ = iris
    found, wanted = (
        trained.decision_function(X[rows]),
        trained.decision_function(X)[rows],
    )
    assert_allclose(found, wanted, rtol=0, atol=ROUNDING[found.dtype.name])


def test_a_row_is_predicted_the_same_in_any_place(trained, iris, rng):
    X, _ = iris
    order = rng.permutation(150)
    found, wanted = trained.predict_proba(X[order]), trained.predict_proba(X)[order]
    assert_allclose(found, wanted, rtol=0, atol=ROUNDING[found.dtype.name])


@each_dtype
@pytest.mark.parametrize("optimizer", ["adam", "gd", "lbfgs"])
@pytest.mark.parametrize("weighted", [False, True])
def test_on_full_batches_the_order_of_the_rows_does_not_matter(
    dtype, optimizer, weighted, iris, rng
):
    X, y = iris
    weight = rng.integers(1, 4, len(y)).astype(float) if weighted else None
    order = rng.permutation(len(y))
    network = MLPClassifier((8,), optimizer=optimizer, dtype=dtype, random_state=0)
    network.set_params(batch_size=len(y), max_epochs=5)
    one = clone(network).fit(X, y, sample_weight=weight)
    other = clone(network).fit(
        X[order], y[order], sample_weight=weight[order] if weighted else None
    )
    assert_the_same(one, other)
