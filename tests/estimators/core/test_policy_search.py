"""The search of ``AutoAugment`` within a fit."""

import copy
import pickle

import numpy as np
import pytest
import torch
from joblib import parallel_config
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from sklearn_deep import (
    AutoAugment,
    GaussianNoise,
    InvalidParameterError,
    MLPClassifier,
    MLPRegressor,
    Policy,
    TrainingDivergedError,
)
from sklearn_deep.augmentation._auto import candidates
from sklearn_deep.estimators.core import _policy_search
from sklearn_deep.training.job._seeds import generator

SEARCH = AutoAugment(3, n_epochs=2, n_sub_policies=2)


def network(**params):
    params = {"augmentation": SEARCH, "max_epochs": 3, "random_state": 0, **params}
    return MLPClassifier((8,), **params)


@pytest.fixture
def searches(monkeypatch):
    """The jobs of every search, and the loss that each came to."""
    seen = []

    def trained(jobs, _before=_policy_search._trained):
        members = _before(jobs)
        seen.append((jobs, [_policy_search._lowest_loss(m) for m in members]))
        return members

    monkeypatch.setattr(_policy_search, "_trained", trained)
    return seen


@pytest.mark.oldest
def test_the_policy_of_the_lowest_loss_is_trained_with(iris, searches):
    net = network().fit(*iris)
    ((jobs, losses),) = searches
    best = jobs[int(np.argmin(losses))]
    assert repr(net.augmentation_) == repr(best.augmentation)
    assert len(jobs) == 4
    # What it found, given by hand, is the same fit.
    given = network(augmentation=list(net.augmentation_) or None).fit(*iris)
    assert_array_equal(net.predict_proba(iris[0]), given.predict_proba(iris[0]))


def test_no_policy_is_one_of_the_candidates_and_stands_for_none(iris, monkeypatch):
    monkeypatch.setattr(_policy_search, "_lowest_loss", lambda member: 1.0)
    net = network().fit(*iris)
    assert net.augmentation_ == ()
    plain = network(augmentation=None).fit(*iris)
    assert_array_equal(net.predict_proba(iris[0]), plain.predict_proba(iris[0]))


def test_the_candidates_follow_from_the_seed_of_the_fit(iris, searches):
    for seed in (0, 0, 1):
        network(random_state=seed).fit(*iris)
    first, again, other = [[job.augmentation for job in jobs] for jobs, _ in searches]
    assert repr(first) == repr(again) != repr(other)
    draws = generator(searches[0][0][0].seed, "policy")
    assert repr(first) == repr(candidates(SEARCH, "table", draws))


def test_the_same_seed_gives_the_same_network(iris):
    torch_state = torch.get_rng_state()
    one, two = network().fit(*iris), network().fit(*iris)
    assert repr(one.augmentation_) == repr(two.augmentation_)
    assert_array_equal(one.predict_proba(iris[0]), two.predict_proba(iris[0]))
    assert torch.equal(torch.get_rng_state(), torch_state)


def test_validation_rows_take_no_part(iris, searches):
    net = network(early_stopping=True, validation_fraction=0.2)
    net.fit(*iris)
    ((jobs, _),) = searches
    for job in jobs:
        assert (len(job.rows), len(job.validation)) == (96, 24)
        counts = torch.bincount(job.validation.y)
        assert counts.tolist() == [8, 8, 8]
        chosen = {*job.rows.index.tolist(), *job.validation.index.tolist()}
        assert len(chosen) == 120


def test_the_children_are_short_and_start_from_the_same_weights(iris, searches):
    net = network(
        max_epochs=8, learning_rate_schedule="cosine", warmup=4, early_stopping=True
    ).fit(*iris)
    ((jobs, _),) = searches
    assert {job.stopping.max_epochs for job in jobs} == {2}
    assert {(job.schedule.epochs, job.schedule.warmup) for job in jobs} == {(2, 1.0)}
    assert len({id(job.module) for job in jobs}) == len(jobs)
    assert net.n_iter_ == 8


def test_other_augmentations_keep_their_place_around_it(iris, searches):
    first, last = GaussianNoise(0.1), GaussianNoise(0.2)
    net = network(augmentation=[first, SEARCH, last]).fit(*iris)
    ((jobs, _),) = searches
    for job in jobs:
        assert (job.augmentation[0], job.augmentation[-1]) == (first, last)
    assert repr(net.augmentation_[0]) == repr(first)
    assert not any(isinstance(item, AutoAugment) for item in net.augmentation_)


def test_two_searches_are_refused(iris):
    with pytest.raises(InvalidParameterError, match=r"one AutoAugment.*Got 2"):
        network(augmentation=[SEARCH, AutoAugment()]).fit(*iris)


def test_too_few_rows_are_an_error_that_names_the_way_out():
    X = np.arange(4.0)[:, None]
    with pytest.raises(ValueError, match=r"validation_share=0.1 of 4.*TrivialAugment"):
        network(augmentation=AutoAugment(validation_share=0.1)).fit(X, [0, 1, 0, 1])


def test_candidates_that_diverge_lose_and_all_of_them_are_an_error(iris, monkeypatch):
    error = TrainingDivergedError("MLPClassifier", 1, 0.1)

    def trained(jobs, _before=_policy_search._trained):
        members = _before(jobs)
        for member in members[:3]:
            member.result, member.error = None, error
        return members

    with monkeypatch.context() as patch:
        patch.setattr(_policy_search, "_trained", trained)
        net = network().fit(*iris)
    assert isinstance(net.augmentation_[0], Policy)
    with pytest.raises(TrainingDivergedError):
        network(learning_rate=1e30, optimizer="sgd").fit(*iris)


@pytest.mark.parametrize("optimizer", ["adamw", "gd"])
def test_targets_of_every_kind_are_searched_for(optimizer, binary, two_targets):
    for net, (X, y) in [
        (network(optimizer=optimizer), binary),
        (network(optimizer=optimizer), (two_targets[0], two_targets[1] > 0)),
        (
            MLPRegressor((8,), augmentation=SEARCH, max_epochs=2, random_state=0),
            two_targets,
        ),
    ]:
        weight = np.linspace(1, 2, len(X))
        assert len(clone(net).fit(X, y, sample_weight=weight).augmentation_) <= 1


def test_a_learning_rate_is_found_before_the_search(iris):
    net = network(learning_rate="auto").fit(*iris)
    plain = network(learning_rate="auto", augmentation=None).fit(*iris)
    assert net.learning_rate_ == plain.learning_rate_


def test_going_on_keeps_what_was_found(iris, searches):
    net = network(warm_start=True).fit(*iris).fit(*iris)
    stream = network()
    for _ in range(3):
        stream.partial_fit(*iris, classes=[0, 1, 2])
    assert len(searches) == 2
    net.set_params(warm_start=False).fit(*iris)
    assert len(searches) == 3


def test_the_fitted_policy_is_a_copy_that_survives_pickling(iris):
    noise = GaussianNoise(0.1)
    net = network(augmentation=noise).fit(*iris)
    noise.set_params(std=9)
    assert net.augmentation_[0].std == 0.1
    for other in (pickle.loads(pickle.dumps(net)), copy.deepcopy(net)):
        assert repr(other.augmentation_) == repr(net.augmentation_)
    assert network(augmentation=None).fit(*iris).augmentation_ == ()


def test_its_numbers_are_searched_as_any_others_and_stacked_fits_find_the_same(iris):
    grid = {"augmentation__n_candidates": [1, 2], "augmentation__n_epochs": [2]}
    search = GridSearchCV(network(), grid, cv=2, error_score="raise")
    alone = clone(search).fit(*iris)
    with parallel_config(backend="stacked"):
        stacked = clone(search).fit(*iris)
    found = [repr(s.best_estimator_.augmentation_) for s in (alone, stacked)]
    assert found[0] == found[1]
    assert_array_equal(
        alone.cv_results_["mean_test_score"], stacked.cv_results_["mean_test_score"]
    )
