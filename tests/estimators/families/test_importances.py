"""Importances of columns, by the rows that each network left out."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from joblib import parallel_config
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, clone
from sklearn.feature_selection import RFE, SelectFromModel
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sklearn_deep import Sliced, TabularClassifier, TabularRegressor, ValidationHoldout
from sklearn_deep.estimators.core import _importances
from sklearn_deep.estimators.core._fit import prepare
from sklearn_deep.estimators.core._parts import FitArguments

N_ROWS = 400
LEARNS = {
    "n_networks": 3,
    "hidden_layer_sizes": 16,
    "max_epochs": 30,
    "importance_repeats": 5,
    "random_state": 0,
}


def make_frame(seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "noise": rng.normal(size=N_ROWS),
            "size": rng.normal(size=N_ROWS),
            "town": rng.choice(["Bonn", "Ulm", "Trier"], N_ROWS),
            "one value": 1.0,
            "shop": rng.choice([f"shop {i}" for i in range(20)], N_ROWS),
            "since": pd.Timestamp("2020-01-01")
            + pd.to_timedelta(rng.integers(0, 1500, N_ROWS), unit="D"),
        }
    )
    frame.loc[::9, "size"] = np.nan
    frame.loc[::11, "town"] = None
    return frame


FRAME = make_frame()
SCORE = 2 * FRAME["size"].fillna(0) + 3 * (FRAME["town"] == "Ulm")
NUMBERS = SCORE.to_numpy() + np.random.default_rng(1).normal(size=N_ROWS)
LABELS = np.where(NUMBERS > 0.5, "yes", "no")
WEIGHT = np.random.default_rng(2).uniform(0.5, 2, N_ROWS)
CASES = {
    "classifier": (TabularClassifier, LABELS, "neg_log_loss"),
    "regressor": (TabularRegressor, NUMBERS, "r2"),
}


@pytest.fixture(scope="module", params=CASES)
def case(request):
    make, y, scoring = CASES[request.param]
    return make(**LEARNS).fit(FRAME, y), y, scoring


# What they say


def test_noise_has_no_importance_and_what_tells_the_target_has_much(case):
    model, _, _ = case
    importance = pd.Series(model.feature_importances_, FRAME.columns)
    error = pd.Series(model.feature_importances_error_, FRAME.columns)
    assert importance.shape == (model.n_features_in_,)
    for name in ("noise", "shop", "since"):
        assert abs(importance[name]) < 2 * error[name]
    for name in ("size", "town"):
        assert importance[name] > 5 * error[name]
        assert importance[name] > 10 * importance["noise"]
    assert importance["one value"] == error["one value"] == 0


def test_errors_are_as_large_as_importances_of_noise():
    """Over many columns of noise, the ratio of both is about standard normal."""
    X = np.random.default_rng(0).normal(size=(N_ROWS, 60))
    X[:, 0] = NUMBERS
    model = TabularRegressor(**{**LEARNS, "max_epochs": 5}).fit(X, NUMBERS)
    ratio = model.feature_importances_[1:] / model.feature_importances_error_[1:]
    assert abs(ratio.mean()) < 0.5
    assert 0.6 < ratio.std() < 1.4


# As scikit-learn has them


class LeftOut(BaseEstimator):
    """Predicts consecutive parts of the rows by another network each."""

    def __init__(self, networks=(), n_rows=()):
        self.networks, self.n_rows = networks, n_rows

    def fit(self, X, y=None):
        return self

    def _each(self, method, X):
        ends = np.cumsum(self.n_rows)
        parts = zip(self.networks, ends - self.n_rows, ends, strict=True)
        return np.concatenate([getattr(n, method)(X[a:b]) for n, a, b in parts])

    def predict(self, X):
        return self._each("predict", X)

    def predict_proba(self, X):
        return self._each("predict_proba", X)

    @property
    def classes_(self):
        return self.networks[0].classes_

    def __sklearn_tags__(self):
        return self.networks[0].__sklearn_tags__()


def drawn_as_by_sklearn(n_rows, n_repeats, seed):
    random = np.random.RandomState(
        np.random.RandomState(0).randint(np.iinfo(np.int32).max + 1)
    )
    shuffled, order, orders = np.arange(n_rows), np.arange(n_rows), []
    for _ in range(n_repeats):
        random.shuffle(shuffled)
        order = order[shuffled]
        orders.append(order)
    return torch.from_numpy(np.stack(orders))


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["equal", "weighted"])
@pytest.mark.parametrize("validation", ["folds", 0.25])
@pytest.mark.parametrize("name", CASES)
def test_they_equal_those_of_sklearn_on_the_rows_left_out(
    name, validation, weight, monkeypatch
):
    monkeypatch.setattr(_importances, "permutations", drawn_as_by_sklearn)
    make, y, scoring = CASES[name]
    model = make(validation=validation, dtype="float64", **LEARNS)
    model.fit(FRAME, y, sample_weight=weight)
    job = prepare(clone(model), FitArguments(FRAME, y, weight)).job
    if validation == "folds":
        left_out = [net.left_out.index.numpy() for net in job.networks]
        judge = LeftOut(model.estimators_, [len(rows) for rows in left_out])
    else:
        left_out, judge = [job.validation.index.numpy()], model
    rows = np.concatenate(left_out)
    theirs = permutation_importance(
        judge,
        FRAME.iloc[rows],
        y[rows],
        scoring=scoring,
        n_repeats=5,
        random_state=0,
        sample_weight=None if weight is None else weight[rows],
    ).importances_mean
    if name == "regressor":  # R2 divides by the variance of the rows that it is given
        own = None if weight is None else weight[rows]
        variance = np.average(
            (y[rows] - np.average(y[rows], weights=own)) ** 2, weights=own
        )
        trained = (
            np.ones(N_ROWS, bool)
            if validation == "folds"
            else ~np.isin(range(N_ROWS), rows)
        )
        own = None if weight is None else weight[trained]
        of_all = np.average(
            (y[trained] - np.average(y[trained], weights=own)) ** 2, weights=own
        )
        theirs = theirs * variance / of_all
    assert_allclose(model.feature_importances_, theirs, atol=1e-7)


def test_features_are_selected_by_them_inside_of_a_pipeline():
    select = SelectFromModel(TabularClassifier(**LEARNS), max_features=2)
    pipe = make_pipeline(
        select.set_output(transform="pandas"), TabularClassifier(**LEARNS)
    )
    pipe.fit(FRAME, LABELS)
    assert list(pipe[0].get_feature_names_out()) == ["size", "town"]
    assert list(pipe[1].feature_names_in_) == ["size", "town"]
    assert pipe.score(FRAME, LABELS) > 0.8


def test_features_are_eliminated_by_them():
    numbers = FRAME.select_dtypes("number").fillna(0)
    fewer = RFE(TabularClassifier(**LEARNS), n_features_to_select=1)
    assert_array_equal(fewer.fit(numbers, LABELS).support_, [False, True, False])


# When they are measured


@pytest.mark.parametrize("name", ["feature_importances_", "feature_importances_error_"])
def test_without_being_asked_for_they_are_missing_and_the_error_says_how_to_ask(name):
    model = TabularClassifier(**{**LEARNS, "importance_repeats": 0, "max_epochs": 1})
    with pytest.raises(AttributeError, match=f"no {name} before it is fitted"):
        getattr(model, name)
    model.fit(FRAME, LABELS)
    assert not hasattr(model, name)
    with pytest.raises(AttributeError, match="Set importance_repeats, to 5"):
        getattr(model, name)


def test_a_fit_that_leaves_no_rows_out_is_an_error_that_says_what_to_change():
    model = TabularClassifier(validation=None, **LEARNS)
    message = "validation=None leaves none of 400 rows out. Set validation='folds'"
    with pytest.raises(ValueError, match=message):
        model.fit(FRAME, LABELS)
    assert not hasattr(model, "classes_")
    with pytest.raises(ValueError, match="at least 10 rows"):
        TabularClassifier(**LEARNS).fit(FRAME[:9], LABELS[:9])
    model.fit(FRAME, LABELS, X_val=FRAME[:50], y_val=LABELS[:50])
    assert model.feature_importances_.shape == (6,)


def test_they_are_of_the_last_training_alone(case):
    fitted, y, _ = case
    expected = fitted.feature_importances_
    model = pickle.loads(pickle.dumps(fitted))
    assert_array_equal(model.feature_importances_, expected)
    assert not hasattr(model.estimators_[0], "feature_importances_")
    model.partial_fit(FRAME, y)  # leaves no rows out
    assert not hasattr(model, "feature_importances_")
    model.set_params(warm_start=True, max_epochs=2).fit(FRAME, y)
    assert np.abs(model.feature_importances_ - expected).max() > 0
    small = Sliced(fitted, prefit=True, fine_tune_epochs=0).fit(FRAME, y)
    assert not hasattr(small, "feature_importances_")


def test_they_change_no_network(case):
    model, y, _ = case
    without = clone(model).set_params(importance_repeats=0).fit(FRAME, y)
    assert_array_equal(model.predict(FRAME), without.predict(FRAME))


def test_rows_of_a_holdout_measure_them():
    model = ValidationHoldout(TabularClassifier(**LEARNS), random_state=0)
    model.fit(FRAME, LABELS)
    assert model.estimator_.feature_importances_[1] > 0.1


def test_a_stacked_search_measures_the_same(case):
    model, y, _ = case
    search = GridSearchCV(clone(model), {"max_epochs": [5]}, cv=2, refit=False)
    seen = []

    def scorer(estimator, X, y):
        seen.append(estimator.feature_importances_)
        return 0.0

    for backend in ("threading", "stacked"):
        with parallel_config(backend, n_jobs=2):
            clone(search).set_params(scoring=scorer).fit(FRAME, y)
    alone, stacked = (sorted(map(tuple, part)) for part in (seen[:2], seen[2:]))
    assert_allclose(stacked, alone, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("make", "y"),
    [
        (TabularClassifier, np.column_stack([LABELS == "yes", SCORE > 0]).astype(int)),
        (TabularClassifier, np.digitize(NUMBERS, [0, 2])),
        (TabularRegressor, np.column_stack([NUMBERS, -NUMBERS])),
    ],
    ids=["labels", "classes", "targets"],
)
def test_every_kind_of_target_has_them(make, y):
    importance = make(**LEARNS).fit(FRAME, y).feature_importances_
    assert set(np.argsort(importance)[-2:]) == {1, 2}

    assert importance[1] > 0.1 > abs(importance[0])


@pytest.mark.parametrize(
    ("loss", "params"), [("gaussian", None), ("quantile", {"quantile": [0.1, 0.9]})]
)
def test_the_loss_of_the_fit_measures_them(loss, params):
    model = TabularRegressor(loss=loss, loss_params=params, **LEARNS).fit(
        FRAME, NUMBERS
    )
    assert set(np.argsort(model.feature_importances_)[-2:]) == {1, 2}
