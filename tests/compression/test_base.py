"""What every compression has in common."""

import pickle
from functools import partial

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_array_equal
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.exceptions import NotFittedError, UnsetMetadataPassedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_deep import (
    InvalidParameterError,
    MLPAutoencoder,
    MLPClassifier,
    MLPRegressor,
    Pruned,
    Quantized,
    ScoreDropError,
    Sliced,
    ValidationHoldout,
)
from sklearn_deep.estimators.core._parts import FitArguments

ALL = pytest.mark.parametrize("compression", [Pruned, Quantized, Sliced])
BOTH = pytest.mark.parametrize("compression", [Pruned, Sliced])


def net(**changed):
    settings = {
        "max_epochs": 6,
        "learning_rate": 0.03,
        "early_stopping": False,
        "random_state": 0,
    }
    return MLPClassifier((8, 6), **{**settings, **changed})


@pytest.fixture(scope="module")
def trained(iris):
    return net().fit(*iris)


@ALL
def test_it_is_what_it_wraps(compression):
    assert is_classifier(compression(net()))
    assert is_regressor(compression(MLPRegressor()))
    assert hasattr(compression(MLPAutoencoder()), "inverse_transform")
    assert not hasattr(compression(MLPAutoencoder()), "predict")
    assert not hasattr(compression(MLPRegressor()), "predict_proba")


@ALL
def test_it_knows_the_fitted_attributes_of_the_network(compression, iris):
    model = compression(net(), fine_tune_epochs=1)
    assert not hasattr(model, "classes_")
    assert not hasattr(model, "n_features_in_")
    model.fit(*iris)
    assert_array_equal(model.classes_, [0, 1, 2])
    assert model.n_features_in_ == 4
    assert type(model.estimator_) is MLPClassifier
    with pytest.raises(AttributeError, match="no_such_"):
        _ = model.no_such_


@ALL
@pytest.mark.parametrize("wrap", [FrozenEstimator, lambda network: network])
def test_a_fitted_network_is_not_trained_again_nor_changed(
    compression, wrap, trained, iris
):
    before = trained.predict_proba(iris[0])
    model = compression(wrap(trained), prefit=True, fine_tune_epochs=0).fit(*iris)
    assert_array_equal(trained.predict_proba(iris[0]), before)
    assert model.n_iter_ == trained.n_iter_
    assert model.estimator_.module_ is not trained.module_


@ALL
def test_prefit_asks_for_a_fitted_network(compression, iris):
    with pytest.raises(NotFittedError):
        compression(net(), prefit=True).fit(*iris)


@ALL
@pytest.mark.parametrize(
    "inner", [LogisticRegression(), make_pipeline(StandardScaler(), net())]
)
def test_what_is_no_network_is_refused(compression, inner, iris):
    with pytest.raises(InvalidParameterError, match="inside a Pipeline"):
        compression(inner).fit(*iris)


@BOTH
def test_fine_tuning_goes_on_from_the_compressed_network(compression, trained, iris):
    frozen = FrozenEstimator(trained)
    bare = compression(frozen, 0.5, fine_tune_epochs=0).fit(*iris)
    tuned = compression(frozen, 0.5, fine_tune_epochs=4).fit(*iris)
    assert tuned.n_iter_ == trained.n_iter_ + 4
    assert [row["epoch"] for row in tuned.estimator_._fitted.history] == list(
        range(1, 11)
    )
    losses = [log_loss(iris[1], m.predict_proba(iris[0])) for m in (tuned, bare)]
    assert losses[0] < losses[1]
    assert tuned.estimator_.get_params()["max_epochs"] == 6
    again = compression(frozen, 0.5, fine_tune_epochs=4).fit(*iris)
    assert_array_equal(again.predict_proba(iris[0]), tuned.predict_proba(iris[0]))


@ALL
def test_it_can_be_pickled_and_cloned(compression, iris):
    model = compression(net(), fine_tune_epochs=1).fit(*iris)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict_proba(iris[0]), model.predict_proba(iris[0]))
    fresh = clone(model)
    assert not hasattr(fresh, "estimator_")
    assert fresh.get_params()["estimator__learning_rate"] == 0.03


@BOTH
def test_the_compressed_network_can_be_trained_on(compression, iris):
    X, y = iris
    small = compression(net(), fine_tune_epochs=1).fit(X, y).estimator_
    n_before = sum(p.numel() for p in small.module_.parameters())
    small.partial_fit(X, y)
    assert sum(p.numel() for p in small.module_.parameters()) == n_before
    small.set_params(warm_start=True).fit(X, y)
    assert sum(p.numel() for p in small.module_.parameters()) == n_before


def test_a_quantized_network_is_not_trained_on(iris):
    whole = Quantized(net()).fit(*iris).estimator_
    for train in (whole.partial_fit, whole.set_params(warm_start=True).fit):
        with pytest.raises(ValueError, match=r"Quantized.*fine_tune_epochs"):
            train(*iris)


def test_the_network_inside_can_be_fitted_anew(iris):
    X, y = iris
    fresh = net().fit(X, y)
    for compression in (Pruned, Quantized):
        inside = compression(net()).fit(X, y).estimator_.fit(X, y)
        again = pickle.loads(pickle.dumps(inside))
        assert_array_equal(inside.predict_proba(X), fresh.predict_proba(X))
        assert_array_equal(again.predict_proba(X), fresh.predict_proba(X))


@ALL
def test_quantized_networks_are_not_compressed_further(compression, iris):
    with pytest.raises(ValueError, match="Quantize last"):
        compression(Quantized(net())).fit(*iris)


def test_zeros_stay_where_a_pruned_network_is_compressed_further(iris):
    X, y = iris
    pruned = Pruned(net(), 0.6, fine_tune_epochs=1).fit(X, y)
    gone = pruned.module_.output.weight == 0
    small = Sliced(pruned, 0.5, prefit=True, fine_tune_epochs=3).fit(X, y)
    assert (small.module_.output.weight == 0).sum() > 0
    again = Sliced(pruned, 1.0, prefit=True, fine_tune_epochs=3).fit(X, y)
    assert_array_equal(again.module_.output.weight == 0, gone)
    whole = Quantized(pruned, prefit=True, fine_tune_epochs=3).fit(X, y)
    output = [m for m in whole.module_.modules() if hasattr(m, "input_scale")][-1]
    assert bool((output.weight[gone] == 0).all())


def test_compressions_nest(iris):
    X, y = iris
    model = Pruned(Sliced(net(), 0.5, fine_tune_epochs=1), 0.5, fine_tune_epochs=1)
    model.fit(X, y)
    assert model.estimator_.module_.hidden[0].layers[0].out_features == 4
    assert model.sparsity_["all"] == pytest.approx(0.5, abs=0.02)
    assert "estimator__estimator__dropout" in model.get_params()
    assert model.architecture_ == {"hidden_layer_sizes": [4, 3]}
    whole = Quantized(model, prefit=True).fit(X, y)
    assert whole.architecture_ == model.architecture_
    assert whole.sparsity_ == model.sparsity_
    assert whole.ranges_
    half = Sliced(Pruned(net(), 0.5, fine_tune_epochs=1)).fit(X, y)
    assert list(half.sparsity_) == list(model.sparsity_)
    assert 0.3 < half.sparsity_["all"] < 0.7
    frozen = FrozenEstimator(Sliced(net(), 0.5, fine_tune_epochs=1).fit(X, y))
    assert Pruned(frozen, 0.5).fit(X, y).module_.output.in_features == 3


@pytest.mark.parametrize("seen", [None, "X_val"])
def test_a_larger_loss_than_allowed_is_an_error(seen, trained, iris):
    X, y = iris
    rest = {} if seen is None else {"X_val": X, "y_val": y}
    frozen = FrozenEstimator(trained)
    model = Pruned(frozen, 0.95, fine_tune_epochs=0, max_score_drop=0.01)
    with pytest.raises(ScoreDropError, match="by more than max_score_drop") as caught:
        model.fit(X, y, **rest)
    assert caught.value.before == trained.score(X, y)
    assert pickle.loads(pickle.dumps(caught.value)).after == caught.value.after
    assert not hasattr(model, "estimator_")


def test_fall_back_keeps_the_last_good_level(trained, iris):
    X, y = iris
    settings = {
        "fine_tune_epochs": 0,
        "on_score_drop": "fall_back",
        "max_score_drop": 0.0,
    }
    kept = Pruned(FrozenEstimator(trained), 0.95, **settings).fit(X, y)
    assert_array_equal(kept.predict_proba(X), trained.predict_proba(X))
    assert kept.score_drop_ == 0


def test_fall_back_takes_the_levels_one_by_one(trained, iris):
    X, y = iris
    settings = {"rounds": 3, "fine_tune_epochs": 0, "prefit": True}
    steps = list(Sliced(trained, 0.2, **settings)._levels(trained, FitArguments(X, y)))
    scores = [-log_loss(y, m.predict_proba(X)) for m in (trained, *steps)]
    lost = scores[0] - np.array(scores[1:])
    allowed = lost[:2].max() + 1e-9
    assert lost[2] > allowed
    settings.update(
        max_score_drop=allowed, on_score_drop="fall_back", scoring="neg_log_loss"
    )
    kept = Sliced(trained, 0.2, **settings).fit(X, y)
    assert_array_equal(kept.predict_proba(X), steps[1].predict_proba(X))
    assert kept.score_drop_ == pytest.approx(lost[1])


@pytest.mark.oldest
@ALL
def test_it_works_in_a_pipeline_and_a_search(compression, iris):
    X, y = iris
    values = {"amount": [0.3, 0.7], "keep": [0.3, 0.7], "bits": [8, 4]}
    own = {Pruned: "amount", Quantized: "bits", Sliced: "keep"}[compression]
    name = compression.__name__.lower()
    pipe = make_pipeline(StandardScaler(), compression(net(), fine_tune_epochs=1))
    grid = {f"{name}__{own}": values[own], f"{name}__estimator__dropout": [0, 0.2]}
    search = GridSearchCV(pipe, grid, cv=2).fit(X, y)
    assert len(search.cv_results_["params"]) == 4
    assert search.score(X, y) > 0.5


@ALL
def test_a_holdout_hands_validation_rows_through(compression, iris):
    X, y = iris
    pipe = make_pipeline(StandardScaler(), compression(net(early_stopping=True)))
    model = ValidationHoldout(pipe, random_state=0).fit(X, y)
    history = model.estimator_[-1].estimator_._fitted.history
    assert not np.isnan([row["valid_loss"] for row in history]).any()


@ALL
def test_metadata_goes_to_the_network_that_requests_it(compression, iris):
    X, y = iris
    weight = np.arange(len(y), dtype=float)
    with sklearn.config_context(enable_metadata_routing=True):
        asked = net().set_fit_request(sample_weight=True)
        model = compression(asked, fine_tune_epochs=1)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        routed = make_pipeline(scaler, model).fit(X, y, sample_weight=weight)
        silent = compression(net(), fine_tune_epochs=1)
        with pytest.raises(UnsetMetadataPassedError):
            silent.fit(X, y, sample_weight=weight)
    scaled = StandardScaler().fit_transform(X)
    plain = compression(net(), fine_tune_epochs=1)
    plain.fit(scaled, y, sample_weight=weight)
    assert_array_equal(routed.predict_proba(X), plain.predict_proba(scaled))


def rows_scored(compression, network, *rows, **validation):
    """Rows that a compression judges its networks on, as a scorer sees them."""
    seen = []

    def scoring(estimator, X, y):
        seen.append(np.column_stack([X, y]))
        return 0.0

    compression(network, max_score_drop=1.0, scoring=scoring, fine_tune_epochs=0).fit(
        *rows, **validation
    )
    assert len(seen) >= 2
    assert all(np.array_equal(rows, seen[0]) for rows in seen)
    return seen[0]


@ALL
def test_the_drop_of_the_score_is_measured_on_the_validation_rows(compression, iris):
    X, y = iris
    given = rows_scored(
        compression, net(), X[::2], y[::2], X_val=X[1::2], y_val=y[1::2]
    )
    assert_array_equal(given, np.column_stack([X, y])[1::2])
    held_out = rows_scored(
        compression, net(early_stopping=True, validation_fraction=0.2), X, y
    )
    assert len(held_out) == 30
    assert_array_equal(np.bincount(held_out[:, -1].astype(int)), [10, 10, 10])
    every = rows_scored(compression, net(early_stopping=False), X, y)
    assert_array_equal(every, np.column_stack([X, y]))


def test_warm_starts_leave_the_rows_that_a_compression_judges_on(iris):
    network = net(early_stopping=True, warm_start=True, random_state=None)
    prefit = partial(Pruned, prefit=True)
    once = rows_scored(prefit, network.fit(*iris), *iris)
    twice = rows_scored(prefit, network.fit(*iris), *iris)
    assert_array_equal(twice, once)
