"""Groups of stacks run by another joblib backend: the results of a run in this process."""

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.model_selection import GridSearchCV

from sklearn_deep import (
    stacking_report,
)
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
