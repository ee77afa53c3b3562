"""Tasks that share a lock under the stacked backend: they end, with the same results."""

import functools
import multiprocessing
import os
import threading

import joblib
import numpy as np
import pytest
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.ensemble import BaggingClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from sklearn_deep import MLPClassifier, stacking_report
from sklearn_deep.training.stacking import _stalls

WATCHDOG = 60  # seconds after which a test counts as hanging
GUARD = threading.Lock()
ONE_AT_A_TIME = threading.Semaphore(1)
OPTIONS = [{"cores": 1}, {"cores": 2}, {"cores": 2, "n_jobs": 2}]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Find stalls soon, and leave no thread behind."""
    monkeypatch.setattr(_stalls, "FIRST_PATIENCE", 0.3)
    monkeypatch.setattr(_stalls, "START_PATIENCE", 0.3)
    yield
    assert not [t for t in threading.enumerate() if t.name.startswith("stacked")]


def stacked(function, **config):
    """Run a function that must not hang under the backend."""
    result = {}

    def run():
        try:
            with joblib.parallel_config(backend="stacked", **config):
                result["value"] = function()
        except BaseException as error:
            result["error"] = error

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(WATCHDOG)
    assert not thread.is_alive(), "it hangs"
    if "error" in result:
        raise result["error"]
    return result["value"]


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    return X, (X[:, 0] > 0).astype(int)


def net(**changed):
    return MLPClassifier((5,), max_epochs=3, batch_size=16, random_state=0, **changed)


class Locked(MLPClassifier):
    """Fits one at a time."""

    def fit(self, X, y):
        with GUARD:
            return super().fit(X, y)


class InSemaphore(MLPClassifier):
    def fit(self, X, y):
        with ONE_AT_A_TIME:
            return super().fit(X, y)


class Embeds(TransformerMixin, BaseEstimator):
    """A step that trains a network of its own under a lock."""

    def fit(self, X, y):
        with GUARD:
            self.net_ = net().fit(X, y)
        return self

    def transform(self, X):
        return np.hstack([X, self.net_.predict_proba(X)])


class Shared:
    """Holds a lock of Python 3.11 while it computes."""

    def __init__(self, X, y):
        self._lock = threading.RLock()
        self.X, self.y, self._given = X, y, None

    @property
    def fitted(self):
        with self._lock:
            if self._given is None:
                self._given = net().fit(self.X, self.y)
            return self._given


class Cached(Shared):
    @functools.cached_property
    def fitted(self):
        return net().fit(self.X, self.y)


class SearchesLocked(BaseEstimator):
    """A nested call under a lock."""

    _estimator_type = "classifier"

    def fit(self, X, y):
        with GUARD:
            self.scores_ = cross_val_score(net(), X, y, cv=2)
        return self

    def score(self, X, y):
        return self.scores_.mean()


def fitting_scorer(model, X, y):
    with GUARD:
        return net().fit(X, y).score(X, y) + model.score(X, y)


def like(cls):
    return cls((5,), max_epochs=3, batch_size=16, random_state=0)


USES = {
    "lock": lambda X, y: cross_val_score(like(Locked), X, y, cv=5),
    "semaphore": lambda X, y: cross_val_score(like(InSemaphore), X, y, cv=5),
    "step": lambda X, y: cross_val_score(make_pipeline(Embeds(), net()), X, y, cv=4),
    "scorer": lambda X, y: cross_val_score(net(), X, y, cv=4, scoring=fitting_scorer),
    "nested call": lambda X, y: cross_val_score(SearchesLocked(), X, y, cv=3),
    "bags": lambda X, y: cross_val_score(
        BaggingClassifier(like(Locked), n_estimators=3, random_state=0), X, y, cv=2
    ),
    "search": lambda X, y: (
        GridSearchCV(like(Locked), {"dropout": [0, 0.1, 0.2]}, cv=4)
        .fit(X, y)
        .cv_results_["mean_test_score"]
    ),
}


@pytest.mark.parametrize("config", OPTIONS, ids=str)
@pytest.mark.parametrize("use", USES)
def test_tasks_that_share_a_lock_end_with_the_same_results(use, config, data):
    expected = USES[use](*data)
    got = stacked(lambda: USES[use](*data), **config)
    np.testing.assert_allclose(got, expected, rtol=1e-7)
    assert stacking_report().met_early >= 1
    assert "met early" in str(stacking_report())


@pytest.mark.parametrize("kind", [Shared, Cached])
def test_a_network_that_all_tasks_take_from_one_property(kind, data):
    shared = kind(*data)
    tasks = [delayed(lambda: shared.fitted.predict_proba(data[0]))() for _ in range(6)]
    expected = net().fit(*data).predict_proba(data[0])
    for got in stacked(lambda: Parallel()(tasks), cores=2):
        np.testing.assert_allclose(got, expected, rtol=1e-7)


def test_tasks_that_wait_for_one_another_are_all_started():
    barrier = threading.Barrier(4)
    tasks = [delayed(barrier.wait)() for _ in range(4)]
    assert sorted(stacked(lambda: Parallel()(tasks), cores=1)) == [0, 1, 2, 3]


def test_an_error_under_the_lock_ends_the_call(data):
    class Fails(Locked):
        def fit(self, X, y):
            super().fit(X, y)
            raise OSError("on purpose")

    with pytest.raises(OSError, match="on purpose"):
        stacked(lambda: cross_val_score(like(Fails), *data, cv=4, error_score="raise"))


def test_a_task_that_computes_for_long_is_waited_for(data):
    def slow(X, y):
        end = _stalls.time.thread_time() + 0.8
        while _stalls.time.thread_time() < end:
            np.sort(np.random.default_rng(0).random(1000))
        return net().fit(X, y)

    tasks = [delayed(net().fit)(*data), delayed(slow)(*data)]
    stacked(lambda: Parallel()(tasks), cores=2)
    assert stacking_report().stacks == [2]
    assert stacking_report().met_early == 0


def fit_in_a_fork(estimator, X, y):
    """A scorer that fits in a process forked from its task."""
    child = multiprocessing.get_context("fork").Process(target=net().fit, args=(X, y))
    child.start()
    child.join(WATCHDOG / 4)
    ended, code = not child.is_alive(), child.exitcode
    child.kill()
    assert ended, "the fork hangs"
    return float(code)


@pytest.mark.skipif(not hasattr(os, "register_at_fork"), reason="no forks here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # of Python 3.12
def test_a_fit_in_a_process_forked_from_a_task_trains_by_itself(data):
    scores = stacked(
        lambda: cross_val_score(
            net(), *data, cv=3, scoring=fit_in_a_fork, error_score="raise"
        )
    )
    assert scores.tolist() == [0.0] * 3
