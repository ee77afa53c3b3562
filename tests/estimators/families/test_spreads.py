"""Predicted distributions: the gaussian loss, and several quantiles from one network."""

import dataclasses
import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from joblib import parallel_config
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_matrix
from scipy.stats import norm
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.metrics import d2_pinball_score, r2_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from sklearn_deep import (
    CNNRegressor,
    MLPRegressor,
    ModuleRegressor,
    Pruned,
    Quantized,
    RNNRegressor,
    Sliced,
    ValidationHoldout,
)
from sklearn_deep.exceptions import InvalidParameterError

SHARES = [0.05, 0.5, 0.95]
QUICK = {"hidden_layer_sizes": (16,), "max_epochs": 5, "random_state": 0}
LOSSES = {
    "gaussian": {"loss": "gaussian"},
    "quantiles": {"loss": "quantile", "loss_params": {"quantile": SHARES}},
}
EACH = pytest.mark.parametrize("loss", LOSSES)


def network(loss, **params):
    return MLPRegressor(**{**QUICK, **LOSSES[loss], **params})


def draw(n, seed=0):
    """Skewed features, and noise that grows to ten times along the first of them."""
    rng = np.random.default_rng(seed)
    X = rng.exponential(size=(n, 4)) - 1
    location = 50 * np.sin(X[:, 0]) + 30 * X[:, 1] * X[:, 2]
    std = 3 + 27 / (1 + np.exp(-3 * X[:, 3]))
    return X, location + std * rng.normal(size=n), std


@pytest.fixture(scope="module")
def rows():
    return draw(400)


def learn(loss):
    X, y, _ = draw(1_000)
    X_val, y_val, _ = draw(2_000, seed=9)
    model = MLPRegressor(
        (32, 32), max_epochs=40, random_state=0, **LOSSES.get(loss, {})
    )
    return model.fit(X, y, X_val=X_val, y_val=y_val)


@pytest.fixture(scope="module")
def gaussian():
    return learn("gaussian")


@pytest.fixture(scope="module")
def quantiles():
    return learn("quantiles")


def test_gaussian_mean_is_as_good_as_the_squared_errors(gaussian):
    X, y, _ = draw(2_000, seed=1)
    squared = r2_score(y, learn("squared_error").predict(X))
    assert r2_score(y, gaussian.predict(X)) > squared - 0.02


def test_nine_in_ten_of_new_rows_are_within_the_interval(gaussian, quantiles):
    X, y, true = draw(4_000, seed=2)
    mean, std = gaussian.predict(X, return_std=True)
    assert 0.87 < np.mean(np.abs(y - mean) < norm.ppf(0.95) * std) < 0.93
    low, _, high = quantiles.predict(X).T
    assert 0.87 < np.mean((low < y) & (y < high)) < 0.93
    for found in (std, high - low):  # wide where the noise is, not everywhere
        assert np.corrcoef(found, true)[0, 1] > 0.5


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_standard_deviation_is_beyond_five_of_the_targets_own(dtype, gaussian):
    X, y, _ = draw(1_000)
    far = (1e4 * draw(200, seed=3)[0]).astype(dtype)
    model = (
        gaussian if dtype == np.float64 else network("gaussian").fit(X.astype(dtype), y)
    )
    _, std = model.predict(far, return_std=True)
    assert (std > 0).all()
    assert std.max() <= 5 * y.std() * (1 + 1e-6)


def test_the_calibration_changes_no_weight(rows):
    X, y, _ = rows
    plain = network("gaussian", loss_params={"calibrate": False}).fit(X, y)
    model = network("gaussian").fit(X, y)
    (mean, std), (other, spread) = (m.predict(X, True) for m in (model, plain))
    assert_array_equal(mean, other)
    factor = std / spread
    assert_allclose(factor, factor[0])
    assert abs(factor[0] - 1) > 0.01


def test_a_validation_part_gives_the_factor_of_the_standard_deviation(rows):
    X, y, _ = rows
    val = {"X_val": X[300:], "y_val": y[300:]}
    plain = network("gaussian", loss_params={"calibrate": False}).fit(
        X[:300], y[:300], **val
    )
    mean, std = plain.predict(X[300:], return_std=True)
    z = np.quantile(np.abs(y[300:] - mean) / std, 0.9, method="weibull")
    _, found = network("gaussian").fit(X[:300], y[:300], **val).predict(X, True)
    _, before = plain.predict(X, return_std=True)
    assert_allclose(found, before * z / norm.ppf(0.95), rtol=1e-6)


def test_weights_of_a_validation_part_count(rows):
    X, y, _ = rows
    weight = np.ones(100)
    weight[:60] = 0.0
    few = network("gaussian").fit(X[:300], y[:300], X_val=X[360:], y_val=y[360:])
    weighted = network("gaussian").fit(
        X[:300], y[:300], X_val=X[300:], y_val=y[300:], sample_weight_val=weight
    )
    assert_allclose(weighted.predict(X, True)[1], few.predict(X, True)[1], rtol=1e-9)


@EACH
def test_few_rows_are_all_trained_on_without_a_correction(loss, rows):
    X, y, _ = rows
    model = network(loss).fit(X[:40], y[:40])
    assert model._fitted.loss.calibration is None
    assert np.isfinite(model.predict(X)).all()


@EACH
def test_going_on_keeps_the_correction(loss, rows):
    X, y, _ = rows
    model = network(loss, warm_start=True).fit(X, y)
    before = model._fitted.loss.calibration
    model.fit(X, y)
    assert_array_equal(model._fitted.loss.calibration, before)
    model.partial_fit(X, y)
    assert_array_equal(model._fitted.loss.calibration, before)
    assert network(loss).partial_fit(X, y)._fitted.loss.calibration is None


@EACH
def test_callbacks_and_the_history_are_of_the_network_that_predicts(loss, rows):
    X, y, _ = rows
    model = network(loss, max_epochs=4).fit(X, y)
    assert model.n_iter_ == len(model.loss_curve_) == 4


@EACH
def test_a_time_limit_is_for_both_networks(loss, rows):
    X, y, _ = rows
    model = network(loss, time_limit=0.4, max_epochs=10**6, n_iter_no_change=None)
    model.fit(X, y)
    assert model.stop_reason_ == "time_limit"
    assert model.history_["seconds"].iloc[-1] < 0.35


# Several quantiles


def test_several_quantiles_have_an_axis_of_their_own(rows):
    X, y, _ = rows
    one = network("quantiles").fit(X, y)
    assert one.predict(X[:7]).shape == (7, 3)
    two = network("quantiles").fit(X, np.stack([y, -9 * y], 1))
    assert two.predict(X[:7]).shape == (7, 2, 3)
    single = network("quantiles", loss_params={"quantile": [0.3]}).fit(X, y)
    assert single.predict(X[:7]).shape == (7, 1)
    scalar = network("quantiles", loss_params={"quantile": 0.3}).fit(X, y)
    assert scalar.predict(X[:7]).shape == (7,)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_targets", [1, 2])
def test_predicted_quantiles_never_cross(n_targets, dtype, rows):
    X, y, _ = rows
    y = (1e6 + y if n_targets == 1 else np.stack([y, 1e-3 * y], 1)).astype(dtype)
    shares = np.linspace(0.01, 0.99, 25)
    model = network("quantiles", loss_params={"quantile": shares})
    model.fit(X.astype(dtype), y)
    values = model.predict(np.vstack([X, 1e3 * X]).astype(dtype))
    assert values.dtype == dtype
    assert (np.diff(values) >= 0).all()


def test_the_score_of_several_quantiles_is_the_mean_of_their_pinball_scores(rows):
    X, y, _ = rows
    weight = np.linspace(0.1, 2, len(y))
    for target in (y, np.stack([y, y[::-1]], 1)):
        model = network("quantiles").fit(X, target)
        values = model.predict(X)
        expected = [
            d2_pinball_score(target, values[..., i], alpha=q, sample_weight=weight)
            for i, q in enumerate(SHARES)
        ]
        assert model.score(X, target, weight) == pytest.approx(np.mean(expected))


def without_correction(model):
    """The correction comes after training."""
    loss = dataclasses.replace(model._fitted.loss, calibration=None)
    model._fitted = dataclasses.replace(model._fitted, loss=loss)
    return model


def test_the_history_has_the_r2_of_the_middle_quantile(rows):
    X, y, _ = rows
    model = network("quantiles", loss_params={"quantile": [0.3, 0.4, 0.9]})
    model.set_params(restore_best=False)
    model.fit(X[:300], y[:300], X_val=X[300:], y_val=y[300:])
    model = without_correction(model)
    expected = r2_score(y[300:], model.predict(X[300:])[:, 1])
    assert model.history_["valid_score"].iloc[-1] == pytest.approx(expected)


def test_the_prior_starts_at_the_quantiles_of_the_targets(rows):
    X, y, _ = rows
    model = network(
        "quantiles", bias_init="prior", learning_rate=1e-9, max_epochs=1,
        weight_init="normal", weight_init_params={"std": 1e-9},
    ).fit(X, y)  # fmt: skip
    model = without_correction(model)
    expected = np.quantile(y, SHARES, method="inverted_cdf")
    assert_allclose(model.predict(X[:1])[0], expected, atol=1e-2 * y.std())


@pytest.mark.parametrize("quantile", [[0.9, 0.1], [0.5, 0.5], [], [0.5, 1.5]])
def test_quantiles_in_another_order_are_refused(quantile, rows):
    model = network("quantiles", loss_params={"quantile": quantile})
    with pytest.raises(InvalidParameterError, match="increasing order"):
        model.fit(*rows[:2])


# Everywhere


@EACH
@pytest.mark.parametrize("targets", [1, 2])
def test_a_stacked_search_gives_the_same_predictions(loss, targets, rows):
    X, y, _ = rows
    X, y = X[:200], y[:200]
    y = y if targets == 1 else np.stack([y, -y], 1)
    search = GridSearchCV(network(loss), {"dropout": [0.0, 0.3]}, cv=2, n_jobs=2)
    alone = clone(search).set_params(n_jobs=None).fit(X, y)
    with parallel_config("stacked"):
        stacked = clone(search).fit(X, y)
    assert_allclose(
        stacked.cv_results_["mean_test_score"],
        alone.cv_results_["mean_test_score"],
        rtol=1e-6,
    )
    assert_allclose(stacked.predict(X), alone.predict(X), rtol=1e-6)


@EACH
def test_sparse_rows_give_the_same_network(loss, rows):
    X, y, _ = rows
    sparse = network(loss).fit(csr_matrix(X), y)
    assert_allclose(sparse.predict(csr_matrix(X)), network(loss).fit(X, y).predict(X))


@EACH
def test_pickles_keep_the_correction_and_hold_no_tensor(loss, rows):
    X, y, _ = rows
    model = network(loss).fit(X, y)
    content = pickle.dumps(model)
    assert b"torch._utils" not in content
    again = pickle.loads(content)
    assert_array_equal(again.predict(X), model.predict(X))
    assert_array_equal(again._fitted.loss.calibration, model._fitted.loss.calibration)


@EACH
@pytest.mark.parametrize(
    "compress",
    [
        lambda m: Pruned(m, amount=0.3, fine_tune_epochs=2),
        lambda m: Sliced(m, keep=0.5, fine_tune_epochs=2),
        Quantized,
    ],
    ids=["pruned", "sliced", "quantized"],
)
def test_compressions_keep_the_correction(loss, compress, rows):
    X, y, _ = rows
    model = compress(network(loss)).fit(X, y)
    assert model.estimator_._fitted.loss.calibration is not None
    assert model.predict(X).shape == network(loss).fit(X, y).predict(X).shape
    assert np.isfinite(model.score(X, y))


@EACH
@pytest.mark.parametrize("optimizer", ["lbfgs", "sgd"])
def test_other_optimizers_learn_it_too(loss, optimizer, rows):
    X, y, _ = rows
    model = network(loss, optimizer=optimizer, dropout=0.0, max_epochs=60)
    model.set_params(learning_rate=0.1 if optimizer == "sgd" else "auto").fit(X, y)
    assert model.score(X, y) > 0.3
    assert model.loss_curve_[-1] < 0.8 * model.loss_curve_[0]


SEQUENCES = {
    "rnn": lambda **p: RNNRegressor(hidden_size=4, max_epochs=2, random_state=0, **p),
    "cnn": lambda **p: CNNRegressor((4,), max_epochs=2, random_state=0, **p),
}


@EACH
@pytest.mark.parametrize("family", SEQUENCES)
def test_series_have_predicted_distributions(loss, family, rng):
    X = rng.normal(size=(80, 8, 2))
    y = X.sum((1, 2))
    model = SEQUENCES[family](**LOSSES[loss]).fit(X, y)
    assert model._fitted.loss.calibration is not None
    shape = (80,) if loss == "gaussian" else (80, 3)
    assert model.predict(X).shape == shape
    assert np.isfinite(model.score(X, y))


@EACH
def test_every_step_has_a_predicted_distribution(loss, rng):
    X = [rng.normal(size=(n, 2)) for n in rng.integers(3, 9, size=40)]
    y = [x.sum(1) for x in X]
    model = RNNRegressor(
        hidden_size=4, max_epochs=2, return_sequences=True, random_state=0,
        **LOSSES[loss],
    ).fit(X, y)  # fmt: skip
    assert model._fitted.loss.calibration is not None
    for x, found in zip(X, model.predict(X), strict=True):
        assert found.shape == ((len(x),) if loss == "gaussian" else (len(x), 3))
    assert np.isfinite(model.score(X, y))


class Net(nn.Linear):
    def __init__(self, n_features, n_outputs):
        super().__init__(n_features, n_outputs)


@EACH
def test_modules_of_ones_own_have_as_many_outputs_as_the_loss_asks_for(loss, rows):
    X, y, _ = rows
    model = ModuleRegressor(Net, max_epochs=3, random_state=0, **LOSSES[loss])
    model.fit(X, y)
    assert model.module_.out_features == (2 if loss == "gaussian" else 3)
    assert np.isfinite(model.score(X, y))
    fixed = ModuleRegressor(lambda: nn.Linear(4, 1), **LOSSES[loss])
    with pytest.raises(ValueError, match="for several of them"):
        fixed.fit(X, y)


@EACH
def test_pipelines_holdouts_and_scorers_take_it(loss, rows):
    X, y, _ = rows
    pipe = make_pipeline(StandardScaler(), network(loss))
    model = ValidationHoldout(pipe, random_state=0).fit(X, y)
    assert np.isfinite(model.score(X, y))

    def width(estimator, X, y):
        return -float(np.ptp(estimator.predict(X)))

    watched = network(loss, early_stopping=True, monitor=width).fit(X, y)
    assert np.isfinite(watched.history_["valid_score"]).all()


def test_quantiles_go_through_a_monotone_function_of_the_target(rows):
    X, y, _ = rows
    inner = network("quantiles").fit(X, y / 50)
    model = TransformedTargetRegressor(
        network("quantiles"),
        func=lambda v: np.log(v) / 50,
        inverse_func=lambda v: np.exp(50 * v),
    ).fit(X, np.exp(y))
    assert_allclose(np.log(model.predict(X)), 50 * inner.predict(X), rtol=1e-6)


@EACH
def test_the_skorch_net_predicts_scaled_locations(loss, rows):
    X, y, _ = rows
    model = network(loss).fit(X, y)
    scaled = model.net_.predict(torch.from_numpy(X))
    expected = model.predict(X) if loss != "gaussian" else model.predict(X)[:, None]
    assert_allclose(scaled.reshape(expected.shape) * y.std() + y.mean(), expected)


# Real data

BESIDE = Path(__file__).parents[4] / "shared" / "data"
FOLDER = Path(os.environ.get("SKLEARN_DEEP_DATA", BESIDE))


@pytest.mark.slow
@pytest.mark.parametrize(
    # As many splits as make a thousand rows to test on, and as many epochs as the
    # spreads of so many rows need.
    ("name", "n_splits", "max_epochs"),
    [("california_housing", 1, 20), ("concrete", 8, 100), ("abalone", 2, 20)],
)
def test_distributions_of_real_data_are_calibrated_and_their_means_good(
    name, n_splits, max_epochs, monkeypatch
):
    if not (FOLDER / name).is_dir():
        pytest.skip(f"there is no {name} in {FOLDER.name}")
    monkeypatch.setattr(
        sys, "path", [*sys.path, str(Path(__file__).parents[3] / "benchmarks")]
    )
    from _tables import load

    table = load(FOLDER, name)
    found = []
    for i in range(n_splits):
        train, test = table.split(i)
        prepare = table.preprocessing().fit(table.X.iloc[train])
        X, X_test = (prepare.transform(table.X.iloc[part]) for part in (train, test))
        y, y_test = table.y[train], table.y[test]
        squared, model = (
            MLPRegressor(loss=loss, max_epochs=max_epochs, random_state=i).fit(X, y)
            for loss in ("squared_error", "gaussian")
        )
        mean, std = model.predict(X_test, return_std=True)
        inside = np.abs(y_test - mean) < norm.ppf(0.95) * std
        found.append(
            (r2_score(y_test, mean) - squared.score(X_test, y_test), inside.mean())
        )
        assert std.max() <= 5 * y.std() * (1 + 1e-6)
    gain, inside = np.mean(found, axis=0)
    assert gain > -0.02
    assert 0.86 < inside < 0.94
