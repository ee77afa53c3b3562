"""The learning-rate range test, as an estimator and as ``learning_rate="auto"``."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from plain_networks import plain_classifier, plain_regressor
from sklearn_deep import (
    LearningRateFinder,
    MLPClassifier,
    ValidationHoldout,
)


@pytest.fixture
def network():
    return plain_classifier((16,), batch_size=16, random_state=0)


def test_the_rates_grow_geometrically_from_low_to_high(network, iris):
    X, y = iris
    finder = LearningRateFinder(network, low=1e-5, high=1e-2, n_steps=40).fit(X, y)
    assert_allclose(finder.learning_rates_, np.geomspace(1e-5, 1e-2, 40))
    assert finder.losses_.shape == (40,)
    assert np.isfinite(finder.losses_).all()


def test_the_suggestion_lies_where_the_loss_falls(network, iris):
    X, y = iris
    finder = LearningRateFinder(network).fit(X, y)
    at = finder.learning_rates_.searchsorted(finder.suggestion_)
    assert finder.suggestion_ == finder.learning_rates_[at]
    assert at < finder.losses_.argmin()
    assert finder.losses_[at + 3] < finder.losses_[at - 3]


def test_the_suggestion_trains_better_than_rates_far_from_it(network, iris):
    X, y = iris
    suggestion = LearningRateFinder(network).fit(X, y).suggestion_
    loss = {
        factor: clone(network)
        .set_params(learning_rate=factor * suggestion, max_epochs=10)
        .fit(X, y)
        .loss_curve_[-1]
        for factor in (1e-3, 1)
    }
    assert loss[1] < loss[1e-3] / 2


def test_the_test_ends_when_the_loss_explodes(iris):
    X, y = iris
    network = plain_regressor((16,), optimizer="sgd", random_state=0)
    finder = LearningRateFinder(network, high=1e4, n_steps=200).fit(X, y)
    assert 3 < len(finder.losses_) < 200
    assert np.isfinite(finder.losses_).all()
    assert finder.suggestion_ < 10


def test_auto_takes_the_finders_suggestion(network, iris):
    X, y = iris
    finder = LearningRateFinder(network).fit(X, y)
    auto = clone(network).set_params(learning_rate="auto", max_epochs=8).fit(X, y)
    assert auto.learning_rate_ == finder.suggestion_
    by_hand = clone(network).set_params(learning_rate=finder.suggestion_, max_epochs=8)
    assert_array_equal(auto.predict_proba(X), by_hand.fit(X, y).predict_proba(X))


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "momentum", "rmsprop", "gd"])
def test_auto_suits_the_optimizer(optimizer, iris):
    X, y = iris
    network = plain_classifier(
        (16,), optimizer=optimizer, learning_rate="auto", max_epochs=60, random_state=0
    )
    assert network.fit(X, y).score(X, y) > 0.85


def test_auto_leaves_lbfgs_to_its_own_search(iris):
    X, y = iris
    network = plain_classifier(
        (4,), optimizer="lbfgs", learning_rate="auto", max_epochs=20
    )
    assert network.fit(X, y).score(X, y) > 0.9


def test_partial_fit_keeps_the_rate_that_auto_found_first(network, iris):
    X, y = iris
    network.set_params(learning_rate="auto")
    for _ in range(3):
        network.partial_fit(X, y)
    assert network.history_.learning_rate.nunique() == 1
    assert network.learning_rate_ == LearningRateFinder(network).fit(X, y).suggestion_


def test_the_estimator_it_was_given_stays_untrained(network, iris):
    X, y = iris
    before = network.get_params()
    LearningRateFinder(network).fit(X, y)
    assert network.get_params() == before
    assert not hasattr(network, "module_")


@pytest.mark.parametrize("container", [np.asarray, csr_array], ids=["dense", "sparse"])
def test_weights_and_sparse_features_count(container, network, iris):
    X, y = iris
    some = np.arange(len(y)) % 3 > 0
    weight = np.where(some, 1.0, 0.0)
    weighted = LearningRateFinder(network).fit(container(X), y, sample_weight=weight)
    kept = LearningRateFinder(network).fit(container(X[some]), y[some])
    assert_array_equal(weighted.losses_, kept.losses_)


@pytest.mark.oldest
def test_it_draws_losses_over_rates_and_marks_the_suggestion(network, iris):
    X, y = iris
    finder = LearningRateFinder(network).fit(X, y)
    ax = finder.plot()
    curve, mark = ax.get_lines()
    assert_array_equal(curve.get_xdata(), finder.learning_rates_)
    assert_array_equal(curve.get_ydata(), finder.losses_)
    assert mark.get_xdata()[0] == finder.suggestion_
    assert ax.get_xscale() == "log"
    assert finder.plot(ax=ax) is ax
    plt.close(ax.figure)


def test_it_draws_nothing_before_a_fit(network):
    with pytest.raises(NotFittedError):
        LearningRateFinder(network).plot()


# Whole Pipelines

HEAD = [("scale", StandardScaler()), ("pca", PCA(3, random_state=0))]
WRAPPED = {
    "a Pipeline": lambda net: Pipeline([*HEAD, ("net", net)]),
    "nested Pipelines": lambda net: Pipeline(
        [HEAD[0], ("rest", Pipeline([HEAD[1], ("net", net)]))]
    ),
    "a search": lambda net: GridSearchCV(
        Pipeline([*HEAD, ("net", net)]), {"pca__n_components": [2, 3]}
    ),
    "a search behind steps": lambda net: Pipeline(
        [*HEAD, ("net", GridSearchCV(net, {"dropout": [0.1, 0.2]}))]
    ),
}


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=list(WRAPPED))
def test_a_pipeline_is_tested_as_its_network_on_what_the_steps_give(
    wrap, weighted, routing, network, iris
):
    X, y = iris
    weight = {"sample_weight": 1.0 + y} if weighted else {}
    steps = clone(Pipeline(HEAD))
    wanted = LearningRateFinder(network).fit(steps.fit_transform(X), y, **weight)
    with config_context(enable_metadata_routing=routing):
        whole = wrap(network)
        if routing:
            whole = clone(whole)
            steps = getattr(whole, "estimator", whole)
            steps.named_steps["scale"].set_fit_request(sample_weight=False)
        finder = LearningRateFinder(whole).fit(X, y, **weight)
    assert_array_equal(finder.losses_, wanted.losses_)
    assert finder.suggestion_ == wanted.suggestion_
    assert finder.n_features_in_ == 4
    assert not hasattr(HEAD[0][1], "scale_")
    with pytest.raises(NotFittedError):
        check_is_fitted(whole)


def test_of_a_fitted_search_the_best_is_tested(network, iris):
    X, y = iris
    pipe = make_pipeline(StandardScaler(), network.set_params(max_epochs=5))
    grid = {"mlpclassifier__hidden_layer_sizes": [(1,), (32,)]}
    search = GridSearchCV(pipe, grid, cv=2, refit=lambda results: 1).fit(X, y)
    best = clone(search.best_estimator_)
    assert best[-1].hidden_layer_sizes == (32,)
    wanted = LearningRateFinder(best).fit(X, y)
    assert_array_equal(LearningRateFinder(search).fit(X, y).losses_, wanted.losses_)


def test_a_holdout_leaves_its_rows_out_of_the_steps_and_of_the_test(network, iris):
    X, y = iris
    holdout = ValidationHoldout(
        Pipeline([*HEAD, ("net", network)]), validation_fraction=0.5, random_state=0
    )
    aside = clone(holdout).fit(X, y).validation_indices_
    train = np.setdiff1d(np.arange(len(X)), aside)
    X = X.copy()
    X[aside] *= 1e3
    finder = LearningRateFinder(holdout).fit(X, y, sample_weight=np.ones(len(X)))
    pipe = LearningRateFinder(holdout.estimator)
    orders = [train, np.random.default_rng(0).permutation(train)]
    plain = [pipe.fit(X[order], y[order]).losses_ for order in orders]
    # The order of rows moves the losses a little, the rows aside would move them far.
    close = np.abs(plain[0][:60] - plain[1][:60]).max() * 5
    assert_allclose(finder.losses_[:60], plain[0][:60], atol=close)


def test_transformed_targets_and_frames(iris):
    X, _ = iris
    X = pd.DataFrame(X, columns=list("abcd"))
    y = np.exp(X["a"])
    network = plain_regressor((8,), random_state=0)
    whole = TransformedTargetRegressor(
        make_pipeline(StandardScaler(), network), func=np.log, inverse_func=np.exp
    )
    finder = LearningRateFinder(whole).fit(X, y)
    wanted = LearningRateFinder(whole.regressor).fit(X, np.log(y))
    assert_allclose(finder.losses_, wanted.losses_, rtol=1e-5)
    assert list(wanted.feature_names_in_) == list("abcd")


def test_the_finder_of_texts_takes_texts():
    texts, y = ["good film", "bad film", "good", "bad"] * 10, [1, 0, 1, 0] * 10
    pipe = make_pipeline(TfidfVectorizer(), plain_classifier((8,), random_state=0))
    assert 1e-5 < LearningRateFinder(pipe).fit(texts, y).suggestion_ < 10


@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(),
        make_pipeline(StandardScaler(), LogisticRegression()),
        Pipeline([]),
        TransformedTargetRegressor(),
        OneVsRestClassifier(MLPClassifier()),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_what_does_not_end_in_a_network_is_named(estimator, iris):
    with pytest.raises(ValueError, match=r"'estimator' parameter.*ends in one"):
        LearningRateFinder(estimator).fit(*iris)


BAD = {
    "lbfgs in a Pipeline": (
        make_pipeline(StandardScaler(), plain_classifier(optimizer="lbfgs")),
        {},
        "has no learning rate",
    ),
    "lbfgs": (plain_classifier(optimizer="lbfgs"), {}, "has no learning rate"),
    "low above high": (
        plain_classifier(),
        {"low": 1.0, "high": 0.1},
        "low must be below high",
    ),
    "too few steps": (plain_classifier(), {"n_steps": 2}, "'n_steps' parameter"),
    "a bad argument of the network": (
        plain_classifier(dropout=2.0),
        {},
        "'dropout' parameter",
    ),
}


@pytest.mark.parametrize(("network", "params", "words"), BAD.values(), ids=list(BAD))
def test_what_cannot_be_tested_is_named(network, params, words, iris):
    X, y = iris
    finder = LearningRateFinder(network, **params)
    with pytest.raises(ValueError, match=words):
        finder.fit(X, y)
    assert not [name for name in vars(finder) if name.endswith("_")]


def test_features_of_a_hopeless_scale_are_named(iris):
    X, y = iris
    with pytest.raises(ValueError, match="StandardScaler"):
        LearningRateFinder(plain_regressor((16,), optimizer="sgd")).fit(X * 1e200, y)
