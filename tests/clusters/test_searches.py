"""Stock scikit-learn over real clusters: the results of a run in this process."""

import functools
import threading
import time
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from joblib import Parallel, delayed
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import make_column_transformer
from sklearn.exceptions import FitFailedWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    cross_val_score,
    cross_validate,
)
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, OneHotEncoder, StandardScaler

from sklearn_deep import (
    MLPClassifier,
    TabularClassifier,
    TrainingDivergedError,
    stacking_report,
)
from stacked_uses import GRID, USES, net, pipe, rows, searched

pytestmark = pytest.mark.clusters

X, Y = rows()
SHAPES = {
    "mlpclassifier__hidden_layer_sizes": [(4,), (6,), (5, 3)],
    "mlpclassifier__learning_rate": [0.01, 0.03],
}
WEIGHTS = np.linspace(0.5, 2, len(X))
FRAME = pd.DataFrame(X, columns=list("abcde")).assign(kind=np.array(["u", "v"])[Y % 2])


def frame_search():
    encode = make_column_transformer(
        (StandardScaler(), list("abcde")), (OneHotEncoder(), ["kind"])
    )
    search = GridSearchCV(make_pipeline(encode, net()), GRID, cv=3)
    return search.fit(FRAME, Y).cv_results_["mean_test_score"]


def sparse_search():
    search = GridSearchCV(make_pipeline(MaxAbsScaler(), net()), GRID, cv=3)
    return search.fit(sp.csr_array(X * (X > 0)), Y).cv_results_["mean_test_score"]


def weighted():
    with config_context(enable_metadata_routing=True):
        model = (
            net()
            .set_fit_request(sample_weight=True)
            .set_score_request(sample_weight=False)
        )
        found = cross_validate(model, X, Y, cv=4, params={"sample_weight": WEIGHTS})
    return found["test_score"]


def halving():
    search = HalvingGridSearchCV(pipe(), GRID, cv=2, random_state=0, factor=2)
    return search.fit(X, Y).cv_results_["mean_test_score"]


def multi_output():
    targets = np.c_[Y > 0, Y > 1]
    model = MultiOutputClassifier(net()).fit(X, targets)
    return np.concatenate([each.ravel() for each in model.predict_proba(X)])


def tables():
    model = TabularClassifier((6,), n_networks=2, max_epochs=3, random_state=0)
    return cross_val_score(model, FRAME, Y, cv=3)


KINDS = {
    **{
        name: functools.partial(lambda run: run()(X, Y), USES[name][0]) for name in USES
    },
    "several shapes": lambda: searched(GridSearchCV(pipe(), SHAPES, cv=3))(X, Y),
    "frame": frame_search,
    "sparse": sparse_search,
    "weights": weighted,
    "halving": halving,
    "several outputs": multi_output,
    "tables": tables,
}


# Ray's backend starts new actors for each call, which import torch.
ON_RAY = ("grid search", "several shapes", "weights", "search of a search", "sparse")


@pytest.mark.parametrize("kind", KINDS)
def test_results_are_those_of_this_process(kind, spread, over):
    if over == "ray" and kind not in ON_RAY:
        pytest.skip("enough on Ray")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # short trainings
        expected = KINDS[kind]()
        np.testing.assert_array_equal(spread(KINDS[kind]), expected)


@pytest.mark.parametrize(
    "kind", ["grid search", "several shapes", "search of a search"]
)
def test_the_engine_s_own_backend_gives_the_same(kind, plain):
    np.testing.assert_array_equal(plain(KINDS[kind]), KINDS[kind]())


def test_the_report_tells_of_all_workers(spread):
    spread(KINDS["several shapes"])
    report = stacking_report()
    assert report.n_networks == sum(report.workers.values()) == 18
    assert min(report.stacks) >= 2
    assert report.other_seconds >= 0


def test_a_fit_that_fails_fails_alone(spread):
    grid = {"learning_rate": [0.01, 1e30, 0.03, -1.0]}
    search = GridSearchCV(net(), grid, cv=3, refit=False)
    with (
        pytest.warns(UserWarning, match="scores are non-finite"),
        pytest.warns(FitFailedWarning, match="6 fits failed out of a total of 12"),
    ):
        spread(lambda: search.fit(X, Y))
    scores = search.cv_results_["mean_test_score"]
    np.testing.assert_array_equal(np.isnan(scores), [False, True, False, True])


def test_an_error_is_that_of_the_task_and_names_its_worker(spread):
    search = GridSearchCV(net(), {"learning_rate": [0.01, 1e30]}, error_score="raise")
    with pytest.raises(TrainingDivergedError) as caught:
        spread(lambda: search.fit(X, Y))
    assert "raised in the worker" in caught.value.__notes__[-1]
    assert spread(KINDS["cross_validate"]).shape == (4,)  # the next call works


class Odd(Exception):
    """An error that cannot be pickled."""

    def __init__(self, a, b):
        super().__init__(f"{a} and {b}")
        self.lock = threading.Lock()


def raise_odd(k):
    if k == 3:
        raise Odd("this", "that")
    return k


def test_an_error_that_cannot_be_sent_is_told(spread):
    with pytest.raises(RuntimeError, match="Odd: this and that"):
        spread(lambda: Parallel()(delayed(raise_odd)(k) for k in range(6)))


def test_what_cannot_be_pickled_is_an_error_and_does_not_hang(spread):
    lock = threading.Lock()

    def scorer(model, X, y):
        return float(lock.locked())

    with pytest.raises(Exception, match=r"(?i)pickle|serialize"):
        spread(lambda: cross_val_score(net(), X, Y, cv=3, scoring=scorer))


class Warns(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        warnings.warn("from afar", UserWarning, stacklevel=1)
        return self

    def transform(self, X):
        return X


def test_warnings_of_tasks_are_shown_here(spread):
    model = make_pipeline(Warns(), net())
    with pytest.warns(UserWarning, match="from afar"):
        spread(lambda: cross_val_score(model, X, Y, cv=4))


def test_filters_of_warnings_hold_in_workers(spread):
    model = make_pipeline(Warns(), net())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="from afar"):
            spread(lambda: cross_val_score(model, X, Y, cv=4, error_score="raise"))
        warnings.simplefilter("ignore")
        spread(lambda: cross_val_score(model, X, Y, cv=4))


class Shares(BaseEstimator, TransformerMixin):
    """Tasks that hold a lock while their networks train."""

    lock = threading.Lock()

    def fit(self, X, y=None):
        with self.lock:
            time.sleep(0.01)
        return self

    def transform(self, X):
        return X


class Locked(MLPClassifier):
    def fit(self, X, y):
        with Shares.lock:
            return super().fit(X, y)


def test_tasks_that_share_a_lock_do_not_hang(spread):
    model = make_pipeline(
        Shares(), Locked((6,), max_epochs=3, random_state=0, batch_size=16)
    )
    expected = cross_val_score(model, X, Y, cv=4)
    got = spread(lambda: cross_val_score(model, X, Y, cv=4))
    np.testing.assert_array_equal(got, expected)


def test_many_small_tasks_keep_their_order(spread):
    found = spread(
        lambda: Parallel(pre_dispatch=8)(delayed(pow)(k, 2) for k in range(90))
    )
    assert found == [k * k for k in range(90)]


def test_results_come_one_by_one_where_asked(spread, over):
    def run():
        parallel = Parallel(return_as="generator")
        return list(parallel(delayed(pow)(k, 2) for k in range(20)))

    if over == "ray":
        pytest.skip("Ray's backend has no generators")
    assert spread(run) == [k * k for k in range(20)]
