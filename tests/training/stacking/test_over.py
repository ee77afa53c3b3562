"""Groups of stacks run by another joblib backend: the results of a run in this process."""

import os
import time

import numpy as np
import pytest
from joblib import Parallel, delayed, parallel_config
from sklearn.model_selection import GridSearchCV, ParameterGrid, cross_val_score

from sklearn_deep import InvalidParameterError, MLPClassifier, stacking_report
from sklearn_deep.training.stacking._groups import divide, lay_out
from sklearn_deep.training.stacking._report import StackingReport, merge
from stacked_uses import GRID, USES, net, pipe, rows


@pytest.fixture(scope="module")
def data():
    return rows()


def over_loky(function, **config):
    with parallel_config(backend="stacked", over="loky", **{"n_jobs": 2, **config}):
        return function()


FEW = ("grid search", "bagging", "search of a search")


@pytest.mark.parametrize(
    "use",
    [pytest.param(use, marks=() if use in FEW else pytest.mark.slow) for use in USES],
)
def test_it_gives_what_it_gives_without(use, data):
    run, n_networks = USES[use]
    expected = run()(*data)
    np.testing.assert_array_equal(over_loky(lambda: run()(*data)), expected)
    report = stacking_report()
    assert report.n_networks == n_networks
    assert sum(report.workers.values()) == n_networks


def test_networks_of_a_group_are_stacked_and_groups_are_even(data):
    search = GridSearchCV(pipe(), {**GRID, "mlpclassifier__l2": [0.0, 0.1]}, cv=4)
    over_loky(lambda: search.fit(*data))
    report = stacking_report()
    assert report.stacks == [8, 8, 8, 8]
    assert str(report).count("workers: ") == 1


def test_networks_of_one_shape_come_together(data):
    grid = {"hidden_layer_sizes": [(4,), (5,)], "dropout": [0.0, 0.1, 0.2, 0.3]}
    over_loky(lambda: GridSearchCV(net(), grid, cv=4, refit=False).fit(*data))
    assert stacking_report().stacks == [16, 16] or stacking_report().stacks == [8] * 4
    assert stacking_report().alone == {}


@pytest.mark.parametrize("over", ["nope", "threading", "stacked", 3, ["loky"], True])
def test_another_engine_is_an_error_that_names_those_there_are(over):
    with pytest.raises(InvalidParameterError, match=r"'dask', 'loky', .*'ray'"):
        parallel_config(backend="stacked", over=over)


@pytest.mark.parametrize("cores", [0, -1, 1.5, "2"])
def test_cores_of_a_worker_are_checked(cores):
    with pytest.raises(InvalidParameterError, match="'cores'"):
        parallel_config(backend="stacked", over="loky", cores=cores)


def test_no_jobs_is_an_error_and_one_job_runs_here(data):
    with pytest.raises(ValueError, match="n_jobs == 0"):
        over_loky(lambda: Parallel()(delayed(os.getpid)() for _ in range(2)), n_jobs=0)
    assert over_loky(lambda: Parallel()([delayed(os.getpid)()]), n_jobs=1) == [
        os.getpid()
    ]


def test_a_call_within_a_task_of_a_call_joins_it(data):
    def inner():
        return over_loky(lambda: cross_val_score(net(), *data, cv=2))

    with parallel_config(backend="stacked"):
        first, second = Parallel()(delayed(inner)() for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert stacking_report().stacks == [4]


def test_an_outermost_call_without_tasks_gives_none():
    assert over_loky(lambda: Parallel()([])) == []


def test_a_large_array_is_mapped_and_an_array_for_the_task():
    X = np.arange(300_000.0)  # more than joblib's megabyte

    def kind(values):
        return type(values), values.flags.writeable, float(values.sum())

    found = over_loky(lambda: Parallel()(delayed(kind)(X) for _ in range(4)))
    assert found == [(np.ndarray, False, X.sum())] * 4


def test_reports_of_workers_make_one():
    one = StackingReport([4, 3], {"lbfgs": 1}, 2.0, 3.0, 1)
    two = StackingReport([2], {"lbfgs": 2}, 1.5, 2.0)
    both = merge([("a", one), ("b", two), ("a", two), ("c", None)], 4.0)
    assert both == StackingReport(
        [4, 3, 2, 2], {"lbfgs": 5}, 3.5, 4.0, 1, {"a": 12, "b": 4}
    )
    assert "workers: 2, with 12, 4 networks" in str(both)
    assert merge([("a", None)], 1.0) is None


def calls(**grid):
    """What a search hands to joblib, without its data."""
    search = GridSearchCV(net(), grid, cv=3)
    folds = [np.arange(3 * k, 3 * k + 9) for k in range(3)]
    return [
        (len, (search.estimator, None, None), {"parameters": each, "train": fold})
        for each in ParameterGrid(grid)
        for fold in folds
    ]


def widths(groups):
    return [len(group) for group in groups]


@pytest.mark.parametrize(
    ("n_tasks", "cores", "expected"),
    [
        (1, 2, [1]),
        (3, 10, [1, 1, 1]),
        (20, 2, [10, 10]),
        (48, 2, [8] * 6),
        (1000, 10, [25] * 40),
        (7, 2, [3, 4]),
    ],
)
def test_groups_are_even_and_as_many_as_pays(n_tasks, cores, expected):
    tasks = [(len, (), {})] * n_tasks
    groups = divide(tasks, cores)
    assert widths(groups) == expected
    assert sorted(sum(groups, [])) == list(range(n_tasks))


def test_alike_networks_and_folds_stand_together():
    tasks = calls(hidden_layer_sizes=[(4,), (8,)], learning_rate=[0.1, 0.2, 0.3, 0.4])
    order = sum(divide(tasks, 1), [])
    shapes = [tasks[i][2]["parameters"]["hidden_layer_sizes"] for i in order]
    assert shapes == [(4,)] * 12 + [(8,)] * 12
    starts = [tasks[i][2]["train"][0] for i in order[:12]]
    assert starts == [0] * 4 + [3] * 4 + [6] * 4


def test_tasks_that_are_not_understood_are_divided_too():
    class Odd:
        def get_params(self):
            raise RuntimeError("no parameters")

    tasks = [(len, (Odd(),), {}), (object(), (MLPClassifier,), {"parameters": 3})]
    assert sorted(sum(divide(tasks, 1), [])) == [0, 1]


def test_each_object_of_a_group_is_sent_once():
    X = np.zeros((5, 2))
    tasks = [(len, (X, k), {"again": X}) for k in (1000, 1001)]
    layout, objects = lay_out(tasks)
    assert sum(each is X for each in objects) == 1
    assert layout.calls(objects) == tasks


@pytest.mark.parametrize("n_jobs", [None, 6, 50])
def test_there_are_no_more_workers_than_were_asked_for(n_jobs):
    slow = delayed(_process_after)
    found = over_loky(lambda: Parallel(n_jobs)(slow(0.1) for _ in range(8)))
    assert len(set(found)) <= 2


def _process_after(seconds):
    time.sleep(seconds)
    return os.getpid()
