"""Class weights of classes that come, stay away, or have no weight at all."""

from functools import partial

import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.ensemble import BaggingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, cross_val_score

from sklearn_deep import MLPClassifier

# The defaults are tuned for real data; what is tested here does not hang on them.
plain_classifier = partial(
    MLPClassifier,
    activation="relu",
    dropout=0.0,
    optimizer="adam",
    learning_rate=1e-3,
    learning_rate_schedule="constant",
    weight_decay=0.0,
)


@pytest.mark.parametrize("backend", ["sequential", "stacked"])
def test_a_fold_without_a_rare_class_takes_class_weights_that_name_it(backend, rng):
    X = rng.normal(size=(21, 3))
    y = np.array(["common", "usual"] * 10 + ["rare"])
    weights = {"common": 1.0, "usual": 2.0, "rare": 30.0}
    network = plain_classifier((4,), class_weight=weights, max_epochs=2, random_state=0)
    with joblib.parallel_config(backend=backend):
        scores = cross_val_score(network, X, y, cv=KFold(3), error_score="raise")
    assert np.isfinite(scores).all()
    named = clone(network).fit(X[:20], y[:20])
    del weights["rare"]
    without = plain_classifier(
        (4,), class_weight=weights, max_epochs=2, random_state=0
    ).fit(X[:20], y[:20])
    assert_array_equal(named.predict_proba(X), without.predict_proba(X))


def test_a_stream_takes_class_weights_of_classes_that_come_later(iris):
    X, y = iris
    network = plain_classifier((4,), class_weight={0: 1.0, 2: 5.0}, random_state=0)
    network.partial_fit(X[:60], y[:60], classes=[0, 1, 2])
    by_sample = plain_classifier((4,), random_state=0)
    by_sample.partial_fit(X[:60], y[:60], classes=[0, 1, 2])
    assert_array_equal(network.predict_proba(X), by_sample.predict_proba(X))
    network.partial_fit(X[60:], y[60:])
    by_sample.partial_fit(X[60:], y[60:], sample_weight=np.where(y[60:] == 2, 5.0, 1.0))
    assert_allclose(network.predict_proba(X), by_sample.predict_proba(X))


# A class without weight


WITHOUT_A_CLASS = {
    "one of two": (np.arange(40) % 2, 0),
    "one of three": (np.arange(40) % 3, 1),
    "one of two words": (np.array(["no", "yes"] * 20), "yes"),
}


@pytest.mark.parametrize(
    ("y", "absent"), WITHOUT_A_CLASS.values(), ids=list(WITHOUT_A_CLASS)
)
@pytest.mark.parametrize("params", [{}, {"early_stopping": True}, {"batch_size": 8}])
def test_a_class_whose_rows_have_no_weight_is_known_and_never_predicted(
    y, absent, params, rng
):
    X = rng.normal(size=(40, 3))
    weight = (y != absent).astype(float)
    network = plain_classifier(
        (8,), learning_rate=0.02, max_epochs=100, random_state=0, **params
    ).fit(X, y, sample_weight=weight)
    assert_array_equal(network.classes_, np.unique(y))  # as LogisticRegression has it
    assert_array_equal(LogisticRegression().fit(X, y, weight).classes_, np.unique(y))
    assert absent not in network.predict(X)
    p = network.predict_proba(X)[:, network.classes_ == absent]
    assert (p < 0.1).all()


def test_bags_that_lack_the_rarer_class_are_fitted(rng):
    X = rng.normal(size=(30, 3))
    y = np.array(["common"] * 29 + ["rare"])
    network = plain_classifier((4,), max_epochs=3, random_state=0)
    bags = BaggingClassifier(network, n_estimators=8, random_state=0).fit(X, y)
    lacking = [29 not in rows for rows in bags.estimators_samples_]
    assert any(lacking)
    each = [member.predict_proba(X) for member in bags.estimators_]
    assert_allclose(bags.predict_proba(X), np.mean(each, 0))
    assert bags.classes_.tolist() == ["common", "rare"]


def test_rows_of_weight_zero_are_removed_from_training(iris):
    X, y = iris
    weight = np.arange(len(y)) % 2.0
    network = plain_classifier((8,), max_epochs=5, batch_size=150, random_state=0)
    removed = clone(network).fit(X[1::2], y[1::2])
    network.fit(X, y, sample_weight=weight)
    assert_allclose(network.predict_proba(X), removed.predict_proba(X))


def test_a_class_weight_of_zero_keeps_the_class(iris):
    X, y = iris
    network = plain_classifier((8,), batch_size=150, max_epochs=20, random_state=0)
    removed = clone(network).fit(X, y, sample_weight=np.where(y == 0, 0.0, 1.0))
    network.set_params(class_weight={0: 0.0}).fit(X, y)
    assert network.classes_.tolist() == [0, 1, 2]
    assert_allclose(network.predict_proba(X), removed.predict_proba(X))
