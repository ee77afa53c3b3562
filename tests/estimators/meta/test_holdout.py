"""Validation rows that no transformer has seen."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import (
    BaseEstimator,
    TransformerMixin,
    clone,
    is_classifier,
    is_regressor,
)
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import NotFittedError, UnsetMetadataPassedError
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_deep import MLPClassifier, MLPRegressor, ValidationHoldout


class Remembering(TransformerMixin, BaseEstimator):
    """Passes X on, and remembers the first column of what it was fitted on."""

    def fit(self, X, y=None, sample_weight=None, **params):
        self.seen_ = np.asarray(X)[:, 0].tolist()
        self.sample_weight_ = sample_weight
        self.params_ = params
        return self

    def transform(self, X):
        return X


class TakesAnything(BaseEstimator):
    """Learns nothing."""

    def fit(self, X, y, sample_weight=None, X_val=None, y_val=None, **validation):
        return self


@pytest.fixture
def numbered(rng):
    """100 rows whose first column is their number, and balanced classes."""
    X = rng.normal(size=(100, 3))
    X[:, 0] = np.arange(100)
    return X, np.arange(100) % 4 == 0


@pytest.fixture
def network():
    return MLPClassifier((6,), batch_size=16, max_epochs=5, random_state=0)


def test_the_transformers_never_see_the_validation_rows(numbered, network):
    X, y = numbered
    pipe = make_pipeline(Remembering(), StandardScaler(), network)
    model = ValidationHoldout(pipe, validation_fraction=0.2, random_state=0).fit(X, y)
    seen, aside = model.estimator_[0].seen_, model.validation_indices_
    assert len(aside) == 20
    assert sorted(seen + aside.tolist()) == list(range(100))
    others = np.setdiff1d(np.arange(100), aside)
    assert_allclose(model.estimator_[1].mean_, X[others].mean(0))


def test_the_fit_is_the_one_done_by_hand(numbered, network):
    X, y = numbered
    pipe = make_pipeline(StandardScaler(), network)
    model = ValidationHoldout(pipe, random_state=3).fit(X, y)
    aside = model.validation_indices_
    train = np.setdiff1d(np.arange(100), aside)
    scaler = StandardScaler().fit(X[train])
    by_hand = clone(network).fit(
        scaler.transform(X[train]),
        y[train],
        X_val=scaler.transform(X[aside]),
        y_val=y[aside],
    )
    assert_array_equal(
        model.predict_proba(X), by_hand.predict_proba(scaler.transform(X))
    )
    assert_array_equal(
        model.estimator_[-1].history_.valid_loss, by_hand.history_.valid_loss
    )


def test_a_bare_network_is_held_out_for_as_well(numbered, network):
    X, y = numbered
    model = ValidationHoldout(network, random_state=3).fit(X, y)
    aside = model.validation_indices_
    train = np.setdiff1d(np.arange(100), aside)
    by_hand = clone(network).fit(X[train], y[train], X_val=X[aside], y_val=y[aside])
    assert_array_equal(model.predict_proba(X), by_hand.predict_proba(X))


def test_any_estimator_that_takes_a_validation_set_will_do(numbered):
    X, y = numbered
    boosting = HistGradientBoostingClassifier(early_stopping=True, max_iter=5)
    model = ValidationHoldout(make_pipeline(StandardScaler(), boosting), random_state=0)
    model.fit(X, y)
    assert len(model.estimator_[-1].validation_score_) == 6


def test_classes_keep_their_shares(numbered, network):
    X, y = numbered
    for seed in range(5):
        model = ValidationHoldout(network, validation_fraction=0.2, random_state=seed)
        assert y[model.fit(X, y).validation_indices_].sum() == 5


def as_frame(X):
    """Numbers with missing values beside strings."""
    frame = pd.DataFrame(X, columns=["number", "a", "b"])
    frame["a"] = frame["a"].where(frame["number"] % 3 > 0)
    return frame.assign(b=np.where(X[:, 2] > 0, "high", None))


@pytest.mark.parametrize("container", [np.asarray, csr_array, as_frame])
@pytest.mark.parametrize("weighted", [False, True])
def test_copies_of_a_row_are_set_aside_together(container, weighted, numbered, rng):
    X, y = numbered
    drawn = rng.choice(100, 300)
    weight = np.ones(300)
    weight[:10] = 1.0 - weighted
    model = ValidationHoldout(
        TakesAnything(), validation_fraction=0.2, random_state=0
    ).fit(container(X[drawn]), y[drawn], sample_weight=weight)
    aside = model.validation_indices_
    train = np.setdiff1d(np.flatnonzero(weight), aside)
    assert len(np.unique(drawn[aside])) == round(
        0.2 * len(np.unique(drawn[weight > 0]))
    )
    assert not set(drawn[train]) & set(drawn[aside])


def test_groups_are_set_aside_whole(numbered, network):
    X, y = numbered
    groups = np.repeat(np.arange(10), 10)
    model = ValidationHoldout(network, validation_fraction=0.3, random_state=0)
    model.fit(X, y, groups=groups)
    aside = set(groups[model.validation_indices_])
    assert len(aside) == 3
    assert len(model.validation_indices_) == 30


def test_a_single_group_is_refused(numbered, network):
    X, y = numbered
    with pytest.raises(ValueError, match="at least 2 groups"):
        ValidationHoldout(network).fit(X, y, groups=np.zeros(100))


def test_sample_weights_are_split_with_the_rows(numbered, network, rng):
    X, y = numbered
    weight = rng.integers(1, 5, 100).astype(float)
    pipe = make_pipeline(Remembering(), network)
    model = ValidationHoldout(pipe, random_state=0).fit(X, y, sample_weight=weight)
    aside = model.validation_indices_
    train = np.setdiff1d(np.arange(100), aside)
    by_hand = clone(network).fit(
        X[train], y[train], sample_weight=weight[train],
        X_val=X[aside], y_val=y[aside], sample_weight_val=weight[aside],
    )  # fmt: skip
    assert_array_equal(model.predict_proba(X), by_hand.predict_proba(X))
    assert_array_equal(
        model.estimator_[-1].history_.valid_loss, by_hand.history_.valid_loss
    )
    assert model.estimator_[0].sample_weight_ is None


@pytest.mark.parametrize("grouped", [False, True])
def test_rows_of_weight_zero_count_as_removed(numbered, network, grouped):
    X, y = numbered
    weight = np.where(np.arange(100) < 80, 0.0, 1.0)
    groups = np.arange(100) // 4 if grouped else None
    for seed in range(5):
        model = ValidationHoldout(network, validation_fraction=0.2, random_state=seed)
        model.fit(X, y, groups=groups, sample_weight=weight)
        aside = model.validation_indices_
        assert len(aside) == 4
        assert (weight[aside] > 0).all()
        assert_array_equal(model.classes_, [False, True])


def test_too_few_rows_of_positive_weight_are_named(numbered, network):
    X, y = numbered
    weight = np.arange(100) < 4
    with pytest.raises(ValueError, match=r"n_samples=4 .* sample_weight is zero"):
        ValidationHoldout(network).fit(X, y, sample_weight=weight)


def test_a_group_of_which_some_rows_weigh_nothing_is_set_aside_whole(numbered, network):
    X, y = numbered
    weight, groups = np.tile([0.0, 1.0], 50), np.arange(100) // 10
    pipe = make_pipeline(Remembering(), network)
    model = ValidationHoldout(pipe, random_state=0)
    model.fit(X, y, groups=groups, sample_weight=weight)
    aside = model.validation_indices_
    assert_array_equal(aside, np.flatnonzero(groups == groups[aside[0]]))
    assert not set(aside) & set(model.estimator_[0].seen_)


def test_one_weight_for_all_rows_is_as_none(numbered, network):
    X, y = numbered
    model = ValidationHoldout(network, random_state=0)
    wanted = clone(model).fit(X, y).predict_proba(X)
    assert_array_equal(model.fit(X, y, sample_weight=2.0).predict_proba(X), wanted)


def test_weights_of_another_length_are_refused(numbered, network):
    X, y = numbered
    with pytest.raises(ValueError, match="sample_weight must have shape"):
        ValidationHoldout(network).fit(X, y, sample_weight=np.ones(len(y) + 1))


def test_parameters_for_a_step_are_split_and_reach_it(numbered, network):
    X, y = numbered
    pipe = make_pipeline(Remembering(), network)
    model = ValidationHoldout(pipe, random_state=0)
    model.fit(X, y, remembering__sample_weight=X[:, 0], remembering__note="kept")
    first = model.estimator_[0]
    assert_array_equal(first.sample_weight_, first.seen_)
    assert first.params_ == {"note": "kept"}


def test_metadata_routing_decides_who_gets_the_weights(numbered, network):
    X, y = numbered
    with sklearn.config_context(enable_metadata_routing=True):
        network.set_fit_request(sample_weight=True)
        pipe = make_pipeline(
            Remembering().set_fit_request(sample_weight=False), network
        )
        model = ValidationHoldout(pipe, random_state=0).fit(
            X, y, sample_weight=X[:, 0] + 1
        )
        unweighted = ValidationHoldout(pipe, random_state=0).fit(X, y)
        assert model.estimator_[0].sample_weight_ is None
        assert (model.predict_proba(X) != unweighted.predict_proba(X)).any()


@pytest.mark.parametrize("steps", [[], [Remembering()]], ids=["bare", "after a step"])
def test_weights_that_nobody_requested_are_refused(steps, numbered, network):
    X, y = numbered
    with sklearn.config_context(enable_metadata_routing=True):
        asks = network.set_fit_request(sample_weight=True)
        silent = clone(network).set_fit_request(sample_weight=None)
        pipes = [make_pipeline(*steps, silent)]
        if steps:
            pipes.append(make_pipeline(*steps, asks))
        for pipe in pipes:
            with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
                ValidationHoldout(pipe).fit(X, y, sample_weight=X[:, 0] + 1)


@pytest.mark.parametrize("steps", [[], [StandardScaler()]], ids=["alone", "last"])
def test_weights_may_be_requested_under_another_name(steps, numbered, network):
    X, y = numbered
    wanted = ValidationHoldout(make_pipeline(*steps, network), random_state=0).fit(
        X, y, sample_weight=X[:, 0] + 1
    )
    with sklearn.config_context(enable_metadata_routing=True):
        pipe = make_pipeline(*steps, network.set_fit_request(sample_weight="counts"))
        found = ValidationHoldout(pipe, random_state=0).fit(X, y, counts=X[:, 0] + 1)
        assert_array_equal(found.predict_proba(X), wanted.predict_proba(X))


def test_groups_are_routed_through_a_search(numbered, network):
    X, y = numbered
    groups = np.repeat(np.arange(20), 5)
    with sklearn.config_context(enable_metadata_routing=True):
        model = ValidationHoldout(network, random_state=0).set_fit_request(groups=True)
        search = GridSearchCV(model, {"estimator__dropout": [0.0]}, cv=2)
        search.fit(X, y, groups=groups)
        best = search.best_estimator_
        aside = set(groups[best.validation_indices_])
        assert len(best.validation_indices_) == 5 * len(aside)


@pytest.mark.oldest
def test_a_grid_search_reaches_through_to_the_network(numbered, network):
    X, y = numbered
    pipe = make_pipeline(Remembering(), StandardScaler(), network)
    grid = {
        "estimator__mlpclassifier__dropout": [0.0, 0.3],
        "validation_fraction": [0.2],
    }
    search = GridSearchCV(ValidationHoldout(pipe, random_state=0), grid, cv=2)
    search.set_params(error_score="raise").fit(X, y)
    best = search.best_estimator_
    assert len(best.validation_indices_) == 20
    assert set(best.estimator_[0].seen_).isdisjoint(best.validation_indices_)
    assert search.predict(X).shape == (100,)


@pytest.mark.parametrize(
    "container",
    [csr_array, lambda X: pd.DataFrame(X, columns=list("abc"))],
    ids=["csr", "frame"],
)
def test_containers_come_through(container, numbered, network):
    X, y = numbered
    pipe = make_pipeline(StandardScaler(with_mean=False), network)
    plain = ValidationHoldout(pipe, random_state=0).fit(X, y)
    model = ValidationHoldout(pipe, random_state=0).fit(container(X), y)
    assert_allclose(
        model.predict_proba(container(X)), plain.predict_proba(X), rtol=1e-9
    )
    if container is not csr_array:
        assert model.feature_names_in_.tolist() == list("abc")


def test_regressors_of_several_targets_and_their_standard_deviation(rng):
    X = rng.normal(size=(60, 3))
    pipe = make_pipeline(
        StandardScaler(), MLPRegressor((4,), loss="gaussian", max_epochs=3)
    )
    model = ValidationHoldout(pipe, random_state=0).fit(X, X[:, :2])
    mean, std = model.predict(X, return_std=True)
    assert mean.shape == std.shape == (60, 2)


def test_it_can_do_what_its_estimator_can(numbered, network):
    X, y = numbered
    classifier = ValidationHoldout(
        make_pipeline(StandardScaler(), network), random_state=0
    )
    assert is_classifier(classifier)
    classifier.fit(X, y)
    inner = classifier.estimator_
    for method in (
        "predict",
        "predict_proba",
        "predict_log_proba",
        "decision_function",
    ):
        assert_array_equal(getattr(classifier, method)(X), getattr(inner, method)(X))
    assert classifier.score(X, y) == inner.score(X, y)
    assert classifier.classes_.tolist() == [False, True]
    assert classifier.n_features_in_ == 3
    regressor = ValidationHoldout(MLPRegressor())
    assert is_regressor(regressor)
    assert not hasattr(regressor, "predict_proba")
    assert not hasattr(regressor, "decision_function")


def test_nothing_is_there_before_a_fit(numbered, network):
    X, _ = numbered
    model = ValidationHoldout(network)
    for name in ("estimator_", "classes_", "n_features_in_", "validation_indices_"):
        assert not hasattr(model, name)
    with pytest.raises(NotFittedError):
        model.predict(X)


@pytest.mark.parametrize("random_state", [0, np.int64(7)])
def test_its_seed_decides_everything_random_inside(random_state, numbered):
    X, y = numbered
    free = MLPClassifier((6,), dropout=0.2, max_epochs=3)  # no seed of its own
    models = [
        ValidationHoldout(
            make_pipeline(StandardScaler(), free), random_state=random_state
        )
        for _ in range(2)
    ]
    one, other = (model.fit(X, y) for model in models)
    assert_array_equal(one.validation_indices_, other.validation_indices_)
    assert_array_equal(one.predict_proba(X), other.predict_proba(X))
    another = ValidationHoldout(free, random_state=1).fit(X, y)
    assert set(another.validation_indices_) != set(one.validation_indices_)


def test_a_seed_inside_is_kept(numbered, network):
    X, y = numbered
    model = ValidationHoldout(network, random_state=5).fit(X, y)
    assert model.estimator_.random_state == 0


def test_the_estimator_it_was_given_is_not_fitted_or_changed(numbered, network):
    X, y = numbered
    pipe = make_pipeline(StandardScaler(), network)
    before = str(pipe.get_params())
    ValidationHoldout(pipe, random_state=0).fit(X, y)
    assert str(pipe.get_params()) == before
    assert not hasattr(network, "module_")
    assert not hasattr(pipe[0], "mean_")


def test_it_can_be_stored_cloned_and_cross_validated(numbered, network):
    X, y = numbered
    model = ValidationHoldout(make_pipeline(StandardScaler(), network), random_state=0)
    back = pickle.loads(pickle.dumps(model.fit(X, y)))
    assert_array_equal(back.predict_proba(X), model.predict_proba(X))
    assert not hasattr(clone(model), "estimator_")
    assert cross_val_score(model, X, y, cv=2, error_score="raise").shape == (2,)


def test_a_pipeline_with_a_memory_is_fitted_whole(numbered, network, tmp_path):
    X, y = numbered
    steps = (StandardScaler(), network)
    cached = ValidationHoldout(
        make_pipeline(*steps, memory=str(tmp_path)), random_state=0
    )
    plain = ValidationHoldout(make_pipeline(*steps), random_state=0).fit(X, y)
    for _ in range(2):
        assert_array_equal(cached.fit(X, y).predict_proba(X), plain.predict_proba(X))


BAD = {
    "no validation set": (LogisticRegression(), {}, "fit takes X_val"),
    "a pipeline without": (
        make_pipeline(StandardScaler(), LogisticRegression()),
        {},
        "fit takes X_val",
    ),
    "too small a part": (
        MLPClassifier(),
        {"validation_fraction": 0.001},
        "no row for validation",
    ),
    "all of it": (
        MLPClassifier(),
        {"validation_fraction": 0.999},
        "no row to train on",
    ),
}


@pytest.mark.parametrize(("estimator", "params", "words"), BAD.values(), ids=list(BAD))
def test_what_cannot_be_held_out_for_is_named(estimator, params, words, numbered):
    X, y = numbered
    model = ValidationHoldout(estimator, **params)
    with pytest.raises((ValueError, TypeError)) as caught:
        model.fit(X, y)
    assert words in str(caught.value)
    assert set(vars(model)) == {"estimator", "validation_fraction", "random_state"}


def test_missing_values_may_be_left_to_a_transformer(numbered, network):
    X, y = numbered
    X[::7, 1] = np.nan
    pipe = make_pipeline(SimpleImputer(), StandardScaler(), network)
    model = ValidationHoldout(pipe, random_state=0).fit(X, y)
    train = np.setdiff1d(np.arange(100), model.validation_indices_)
    assert_allclose(model.estimator_[0].statistics_, np.nanmean(X[train], axis=0))
