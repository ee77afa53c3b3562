"""scikit-learn's objects under the stacked backend: the same results, and no thread left."""

import contextlib
import multiprocessing
import subprocess
import sys
import threading
import time
import warnings

import joblib
import numpy as np
import pytest
from joblib import Parallel, delayed, parallel_config
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.datasets import load_digits
from sklearn.ensemble import (
    VotingClassifier,
    VotingRegressor,
)
from sklearn.exceptions import FitFailedWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import RFECV
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    cross_val_score,
)
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.fixes import parse_version

from sklearn_deep import (
    InvalidParameterError,
    MLPClassifier,
    TrainingDivergedError,
    stacking_report,
)
from stacked_uses import (
    GRID,
    USES,
    net,
    pipe,
    regressor,
    rows,
)

WATCHDOG = 60  # seconds after which a test counts as hanging


@pytest.fixture(autouse=True)
def no_thread_is_left_and_none_hangs():
    """Each test in a thread that may not hang, and leaves no other behind."""
    before = set(threading.enumerate())
    yield
    left = [t for t in threading.enumerate() if t not in before and t.name == "stacked"]
    assert not left


def within_time(function):
    """Run a function that must not hang."""
    result = {}

    def run():
        try:
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


def stacked(function, **config):
    def run():
        with parallel_config(backend="stacked", **config):
            return function()

    return within_time(run)


@pytest.fixture(scope="module")
def data():
    return rows()


@pytest.mark.oldest
@pytest.mark.parametrize("use", USES)
def test_it_gives_what_it_gives_without(use, data):
    run, n_networks = USES[use]
    expected = run()(*data)
    got = stacked(lambda: run()(*data))
    np.testing.assert_allclose(got, expected, rtol=1e-7, atol=1e-9)
    report = stacking_report()
    assert report.n_networks == n_networks
    assert max(report.stacks) >= 2


def test_feature_elimination_gives_what_it_gives_without(data):
    X, y = data

    class Weighted(MLPClassifier):
        @property
        def coef_(self):
            return self.module_.output.weight.detach().numpy()

    def run():
        network = Weighted((), max_epochs=4, batch_size=16, random_state=0)
        return RFECV(network, cv=2).fit(X, y == 0)

    expected, got = run(), stacked(run)
    assert (expected.ranking_ == got.ranking_).all()


def test_halving_gives_what_it_gives_without(data):
    def run():
        search = HalvingGridSearchCV(pipe(), GRID, cv=2, random_state=0)
        return search.fit(*data).cv_results_["mean_test_score"]

    np.testing.assert_allclose(stacked(run), run(), rtol=1e-7)


def test_regressors_stack_and_a_target_each_does(data):
    X, _ = data
    Y = X[:, :3] @ np.arange(9).reshape(3, 3)
    models = [
        MultiOutputRegressor(regressor()),
        VotingRegressor([("a", regressor()), ("b", regressor())]),
    ]
    for model, y, width in zip(models, (Y, Y[:, 0]), (3, 2), strict=True):
        expected = clone(model).fit(X, y).predict(X)
        got = stacked(lambda m=model, y=y: clone(m).fit(X, y).predict(X))
        np.testing.assert_allclose(got, expected, rtol=1e-7, atol=1e-7)
        assert stacking_report().stacks == [width]


@pytest.mark.slow
def test_after_a_full_training_in_float32_scores_are_within_a_standard_error():
    X, y = load_digits(return_X_y=True)
    X = X.astype(np.float32)
    # Rates at which training settles: where it jumps about, any rounding ends elsewhere.
    grid = {**GRID, "mlpclassifier__learning_rate": [1e-3, 3e-3, 1e-2]}
    model = pipe(hidden_layer_sizes=(50,), max_epochs=30, batch_size=32)
    model.set_params(mlpclassifier__early_stopping=True)
    search = GridSearchCV(model, grid, cv=5)
    one = clone(search).fit(X, y).cv_results_
    other = stacked(lambda: clone(search).fit(X, y)).cv_results_
    gap = np.abs(one["mean_test_score"] - other["mean_test_score"])
    assert (gap <= one["std_test_score"] / np.sqrt(5)).all()


def test_the_fields_of_a_search_mean_what_they_mean_without(data):
    results = stacked(lambda: GridSearchCV(pipe(), GRID, cv=3).fit(*data).cv_results_)
    assert (results["mean_fit_time"] > 0).all()
    assert (results["mean_score_time"] > 0).all()
    assert sorted(results["rank_test_score"]) != []
    assert len(results["params"]) == 4


@pytest.mark.parametrize("n_jobs", [1, 2, 5, -1, None])
def test_n_jobs_bounds_the_networks_in_flight(n_jobs, data):
    def run():
        return cross_val_score(pipe(), *data, cv=6, n_jobs=n_jobs)

    expected = run() if n_jobs == 1 else cross_val_score(pipe(), *data, cv=6)
    np.testing.assert_allclose(stacked(run), expected, rtol=1e-9)
    if n_jobs != 1:
        widest = max(stacking_report().stacks)
        assert widest == {2: 2, 5: 5}.get(n_jobs, 6)


@pytest.mark.parametrize("cores", ["a", 0, -1, 1.5, True, 10**30])
def test_a_number_of_cores_that_is_none_is_refused(cores):
    with (
        pytest.raises(InvalidParameterError, match="'cores' parameter of the backend"),
        parallel_config(backend="stacked", cores=cores),
    ):
        Parallel()


@pytest.mark.parametrize("cores", [1, 2, 3])
def test_any_number_of_cores_gives_the_same(cores, data):
    def run():
        with parallel_config(backend="stacked", cores=cores):
            return GridSearchCV(pipe(), GRID, cv=4).fit(*data).cv_results_

    got, expected = within_time(run), GridSearchCV(pipe(), GRID, cv=4).fit(*data)
    for name in ("mean_test_score", "std_test_score"):
        np.testing.assert_allclose(got[name], expected.cv_results_[name], rtol=1e-7)
    assert len(stacking_report().stacks) >= min(cores, 2)


def test_memory_bounds_the_networks_in_flight(data, monkeypatch):
    monkeypatch.setattr(
        "sklearn_deep.training.stacking._scheduler.available_memory",
        lambda: 6 * 90 * 5 * 8 * 3.0,
    )
    pipe = make_pipeline(StandardScaler(), net())  # each fit has rows of its own
    got = stacked(lambda: cross_val_score(pipe, *data, cv=8))
    np.testing.assert_allclose(got, cross_val_score(pipe, *data, cv=8))
    assert 2 <= max(stacking_report().stacks) < 8


def test_no_more_are_in_flight_than_make_full_stacks(data, monkeypatch):
    monkeypatch.setattr(
        "sklearn_deep.training.stacking._grouping.stack_width", lambda job: 4
    )
    most, flying, lock = 0, 0, threading.Lock()

    class Counts(StandardScaler):
        def fit(self, X, y=None):
            nonlocal most, flying
            with lock:
                flying += 1
                most = max(most, flying)
            return super().fit(X, y)

    def score(model, X, y):
        nonlocal flying
        with lock:
            flying -= 1
        return model.score(X, y)

    model = make_pipeline(Counts(), net())
    grid = {**GRID, "mlpclassifier__hidden_layer_sizes": [(4,), (5,)]}
    search = GridSearchCV(model, grid, cv=3, scoring=score, refit=False)
    got = stacked(lambda: search.fit(*data).cv_results_["mean_test_score"])
    assert max(stacking_report().stacks) == 4
    assert sum(stacking_report().stacks) + sum(stacking_report().alone.values()) == 24
    assert 4 <= most <= 8
    expected = GridSearchCV(pipe(), grid, cv=3, refit=False).fit(*data)
    np.testing.assert_allclose(got, expected.cv_results_["mean_test_score"])


def test_what_cannot_be_stacked_trains_alone_in_the_same_call(data):
    from skorch.callbacks import EpochTimer

    X, y = data
    vote = VotingClassifier(
        [
            ("a", net()),
            ("b", net(random_state=1)),
            ("wide", net(hidden_layer_sizes=(9,))),
            ("lbfgs", net(optimizer="lbfgs")),
            ("callbacks", net(callbacks=[EpochTimer()])),
            ("limited", net(time_limit=100.0)),
        ],
        voting="soft",
    )
    expected = clone(vote).fit(X, y).predict_proba(X)
    got = stacked(lambda: clone(vote).fit(X, y).predict_proba(X))
    np.testing.assert_allclose(got, expected, rtol=1e-7)
    report = stacking_report()
    assert report.stacks == [2]
    assert report.alone == {
        "no other of its shape": 1,
        "lbfgs": 1,
        "callbacks for every batch": 1,
        "time_limit": 1,
    }
    assert "stacks: 1 of 2" in str(report)
    assert report.seconds >= report.training_seconds > 0
    assert report.other_seconds >= 0


def test_sparse_rows_stack(data):
    import scipy.sparse as sp

    X, y = data
    got = stacked(lambda: cross_val_score(net(), sp.csr_matrix(X), y, cv=3))
    np.testing.assert_allclose(got, cross_val_score(net(), X, y, cv=3), rtol=1e-6)
    assert (stacking_report().stacks, stacking_report().alone) == ([3], {})


def test_a_found_learning_rate_is_the_same(data):
    expected = cross_val_score(net(learning_rate="auto"), *data, cv=3)
    got = stacked(lambda: cross_val_score(net(learning_rate="auto"), *data, cv=3))
    np.testing.assert_allclose(got, expected, rtol=1e-7)


def test_a_diverging_network_is_a_failed_fit_of_its_own(data):
    grid = {"learning_rate": [0.01, 1e200]}
    search = GridSearchCV(net(optimizer="sgd"), grid, cv=2, refit=False)
    with pytest.warns((FitFailedWarning, UserWarning)) as warned:
        results = stacked(lambda: search.fit(*data)).cv_results_
    assert np.isnan(results["mean_test_score"]).tolist() == [False, True]
    assert any("2 fits failed" in str(warning.message) for warning in warned)
    strict = search.set_params(error_score="raise")
    with pytest.raises(TrainingDivergedError):
        stacked(lambda: strict.fit(*data))


class FailsOnFold(TransformerMixin, BaseEstimator):
    """Fails on data that has the first row; perhaps slowly, perhaps in transform."""

    def __init__(self, row, where="fit", error=OSError):
        self.row, self.where, self.error = row, where, error

    def _maybe(self, X, where):
        if where == self.where and (self.row == X).all(1).any():
            raise self.error("on purpose")

    def fit(self, X, y=None):
        self._maybe(X, "fit")
        return self

    def transform(self, X):
        self._maybe(X, "transform")
        return X


@pytest.mark.parametrize("where", ["fit", "transform"])
@pytest.mark.parametrize("cores", [1, 2])
def test_a_failing_transformer_ends_the_call_or_its_fold(where, cores, data):
    X, y = data
    model = make_pipeline(FailsOnFold(X[0], where), net())

    def run(error_score):
        with parallel_config(backend="stacked", cores=cores):
            return cross_val_score(model, X, y, cv=5, error_score=error_score)

    with pytest.raises(OSError, match="on purpose"):
        within_time(lambda: run("raise"))
    if where == "fit":
        with pytest.warns(FitFailedWarning):
            result = within_time(lambda: run(np.nan))
        assert np.isnan(result).sum() == 4


def test_a_failing_scorer_ends_the_call(data):
    def scorer(estimator, X, y):
        raise OSError("on purpose")

    with pytest.raises(OSError, match="on purpose"):
        stacked(
            lambda: cross_val_score(
                net(), *data, cv=4, scoring=scorer, error_score="raise"
            )
        )


def test_an_error_in_a_nested_search_ends_all(data):
    X, y = data
    inner = GridSearchCV(
        make_pipeline(FailsOnFold(X[0]), net()),
        {"mlpclassifier__dropout": [0, 0.1]},
        cv=3,
        error_score="raise",
    )
    with pytest.raises(OSError, match="on purpose"):
        stacked(lambda: cross_val_score(inner, X, y, cv=4, error_score="raise"))
    with pytest.warns(FitFailedWarning):
        result = stacked(lambda: cross_val_score(inner, X, y, cv=4))
    assert np.isnan(result).sum() == 3


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, MemoryError])
def test_an_error_that_is_no_exception_ends_all(error, data):
    X, y = data
    model = make_pipeline(FailsOnFold(X[0], error=error), net())
    with pytest.raises(error):
        stacked(lambda: cross_val_score(model, X, y, cv=5, error_score="raise"))


INTERRUPT = """
import _thread, signal, threading, time
import joblib, numpy as np
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn_deep import MLPClassifier

signal.signal(signal.SIGINT, signal.default_int_handler)
X = np.random.default_rng(0).normal(size=(400, 5))
y = X[:, 0] > 0
net = MLPClassifier((8,), max_epochs=10**7, n_iter_no_change=None, random_state=0)
search = GridSearchCV(net, {{"dropout": [0, .1]}}, cv=2)
threading.Timer(1.5, _thread.interrupt_main).start()
start = time.monotonic()
try:
    with joblib.parallel_config(backend="stacked"{more}):
        {use}
except KeyboardInterrupt:
    print("interrupted", time.monotonic() - start < 20, threading.active_count())
"""


SEARCH, NESTED = "search.fit(X, y)", "cross_val_score(search, X, y, cv=2)"


@pytest.mark.parametrize(
    ("use", "more"),
    [
        (SEARCH, ""),
        pytest.param(NESTED, ", cores=2", marks=pytest.mark.slow),
        pytest.param(SEARCH, ", cores=2", marks=pytest.mark.slow),
        pytest.param(SEARCH, ", n_jobs=2", marks=pytest.mark.slow),
        pytest.param(NESTED, "", marks=pytest.mark.slow),
        pytest.param(NESTED, ", n_jobs=2", marks=pytest.mark.slow),
    ],
)
def test_an_interrupt_during_training_ends_all_threads(use, more):
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPT.format(use=use, more=more)],
        capture_output=True,
        text=True,
        timeout=WATCHDOG,
        check=False,
    )
    assert done.stdout.split() == ["interrupted", "True", "1"], done.stderr


def fit_twice(X, y):
    first = net().fit(X, y)
    second = net(hidden_layer_sizes=(4,)).fit(X, first.predict(X))
    return second.predict_proba(X)


def test_tasks_that_train_twice_or_never_or_fail_after(data):
    def nothing(X, y):
        time.sleep(0.01)
        return X[:, :3]

    X, y = data
    tasks = [fit_twice, nothing, fit_twice, nothing, fit_twice] * 3
    expected = [task(X, y) for task in tasks]
    got = stacked(lambda: Parallel()(delayed(task)(X, y) for task in tasks))
    np.testing.assert_allclose(got, expected, rtol=1e-7)
    assert stacking_report().stacks == [9, 9]
    got = stacked(lambda: Parallel(n_jobs=2)(delayed(task)(X, y) for task in tasks))
    np.testing.assert_allclose(got, expected, rtol=1e-7)


@pytest.mark.parametrize(
    "return_as",
    [
        "generator",
        pytest.param(
            "generator_unordered",
            marks=pytest.mark.skipif(
                parse_version(joblib.__version__) < parse_version("1.4"),
                reason="joblib has it from 1.4 on",
            ),
        ),
    ],
)
def test_results_may_be_taken_one_by_one(return_as, data):
    X, y = data

    def run():
        tasks = (delayed(fit_twice)(X, y) for _ in range(5))
        return list(Parallel(return_as=return_as)(tasks))

    for got in stacked(run):
        np.testing.assert_allclose(got, fit_twice(X, y), rtol=1e-7)


def test_a_generator_that_nobody_empties_is_ended(data):
    X, y = data

    def run():
        tasks = (delayed(fit_twice)(X, y) for _ in range(5))
        results = Parallel(return_as="generator")(tasks)
        next(results)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results.close()

    stacked(run)


def test_an_iterator_of_tasks_that_fails_ends_the_call(data):
    def tasks():
        yield delayed(fit_twice)(*data)
        raise OSError("on purpose")

    with pytest.raises(OSError, match="on purpose"):
        stacked(lambda: Parallel()(tasks()))


def test_no_tasks_are_no_trouble():
    assert stacked(lambda: Parallel()(delayed(int)() for _ in range(0))) == []


def test_a_timeout_ends_the_call():
    with pytest.raises(multiprocessing.TimeoutError):
        stacked(lambda: Parallel(timeout=0.2)(delayed(time.sleep)(2) for _ in range(3)))


def test_calls_from_several_threads_do_not_disturb_one_another(data):
    expected = cross_val_score(net(), *data, cv=3)
    results = [None] * 3

    def run(k):
        with parallel_config(backend="stacked"):
            results[k] = cross_val_score(net(), *data, cv=3)

    def all_three():
        threads = [threading.Thread(target=run, args=(k,)) for k in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    within_time(all_three)
    np.testing.assert_allclose(results, [expected] * 3, rtol=1e-7)


def test_filters_of_warnings_are_as_before(data):
    class Quiet(net().__class__):
        def fit(self, X, y, **kwargs):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return super().fit(X, y, **kwargs)

    before = list(warnings.filters)
    stacked(lambda: cross_val_score(Quiet((4,), max_epochs=3), *data, cv=5))
    assert list(warnings.filters) == before


@pytest.mark.slow
def test_worker_processes_may_stack_what_they_are_given(data):
    def each(X, y):
        with parallel_config(backend="stacked"):
            found = cross_val_score(net(), X, y, cv=3)
        return found, stacking_report().stacks

    results = Parallel(n_jobs=2, backend="loky")(delayed(each)(*data) for _ in range(2))
    for found, stacks in results:
        np.testing.assert_allclose(
            found, cross_val_score(net(), *data, cv=3), rtol=1e-7
        )
        assert stacks == [3]


def test_progress_bars_and_verbose_work_inside(data, capsys):
    callback = pytest.importorskip("sklearn.callback", reason="scikit-learn < 1.9")
    search = GridSearchCV(net(), {"dropout": [0, 0.1]}, cv=2, refit=False)
    search.set_callbacks(callback.ProgressBar())
    stacked(lambda: search.fit(*data))
    stacked(lambda: cross_val_score(net(verbose=1), *data, cv=2))
    assert capsys.readouterr().out.count("epoch 6/6") >= 2


ORDERS = ["joblib, sklearn_deep", "sklearn_deep, joblib", "sklearn, sklearn_deep"]


@pytest.mark.parametrize("order", ORDERS)
def test_the_backend_is_there_whatever_is_imported_first(order):
    code = (
        f"import sys, {order}, joblib\n"
        "assert 'torch' not in sys.modules\n"
        "with joblib.parallel_config(backend='stacked'):\n"
        "    print(joblib.Parallel()(joblib.delayed(abs)(-i) for i in range(3)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[0, 1, 2]"


def test_there_is_no_report_before_the_first_call(monkeypatch):
    monkeypatch.setattr("sklearn_deep.training.stacking._report._last", None)
    with pytest.raises(RuntimeError, match="backend='stacked'"):
        stacking_report()


def test_zero_jobs_mean_nothing():
    with pytest.raises(ValueError, match="n_jobs == 0"):
        stacked(lambda: Parallel(n_jobs=0)([delayed(abs)(1)]))


def test_it_has_nothing_to_do_with_other_backends(data):
    with parallel_config(backend="stacked"):
        with joblib.parallel_config(backend="threading", n_jobs=2):
            expected = cross_val_score(net(), *data, cv=2)
    with contextlib.suppress(RuntimeError):
        before = stacking_report()
        cross_val_score(net(), *data, cv=2)
        assert stacking_report() is before
    np.testing.assert_allclose(expected, cross_val_score(net(), *data, cv=2))


def test_a_system_without_more_threads_makes_narrower_stacks(data, monkeypatch):
    start, attempts = threading.Thread.start, []

    def few(thread):
        if thread.name == "stacked":
            attempts.append(thread)
            if len(attempts) == 4:
                raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", few)
    got = stacked(lambda: cross_val_score(net(), *data, cv=7))
    np.testing.assert_allclose(got, cross_val_score(net(), *data, cv=7))
    assert max(stacking_report().stacks) == 3


def test_a_system_without_any_thread_is_an_error(data, monkeypatch):
    start = threading.Thread.start

    def none(thread):
        if thread.name == "stacked":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", none)
    with pytest.raises(RuntimeError, match="can't start"):
        stacked(lambda: cross_val_score(net(), *data, cv=4))


@pytest.mark.parametrize("where", ["plan_units", "train_stack"])
def test_an_error_of_the_stack_itself_is_one_of_each_fit(where, data, monkeypatch):
    def fails(*args):
        raise MemoryError(where)

    monkeypatch.setattr(f"sklearn_deep.training.stacking._scheduler.{where}", fails)
    with pytest.raises(MemoryError, match=where):
        stacked(lambda: cross_val_score(net(), *data, cv=4, error_score="raise"))
