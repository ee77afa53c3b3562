"""A worker that is killed in the middle: which engines survive it, and what is trained."""

import warnings

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.model_selection import GridSearchCV

from local_clusters import ENGINES
from lost_workers import EPOCHS, Counted, epochs_in
from sklearn_deep import WorkerLostWarning
from stacked_uses import rows

pytestmark = pytest.mark.clusters

X, Y = rows()
N_FITS = 24


def search(folder, checkpoint=None, dies_at=0):
    folder.mkdir()
    found = GridSearchCV(
        Counted(folder, checkpoint, dies_at), {"k": list(range(8))}, cv=3, refit=False
    ).fit(X, Y)
    return found.cv_results_["mean_test_score"]


@pytest.fixture(params=ENGINES)
def engine(request):
    """An engine for one test: its workers do not survive it."""
    with ENGINES[request.param]():
        yield request.param


@pytest.mark.parametrize("stored", [False, True], ids=["", "stored"])
def test_a_group_whose_worker_is_killed_runs_again(engine, stored, tmp_path):
    expected = search(tmp_path / "here")
    states = tmp_path / "states" if stored else None
    with parallel_config(backend="stacked", over=engine, n_jobs=2):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            got = search(tmp_path / "there", states, dies_at=50)
    np.testing.assert_array_equal(got, expected)
    lost = [each for each in caught if each.category is WorkerLostWarning]
    assert lost or engine == "dask"  # Dask runs a task again by itself
    epochs = epochs_in(tmp_path / "there")
    assert len(set(epochs)) == N_FITS * EPOCHS
    twice = len(epochs) - len(set(epochs))
    if stored:  # at most the epoch whose end was being stored, of each network
        assert twice <= 12
        again = tmp_path / "again"
        np.testing.assert_array_equal(search(again, states), expected)
        assert epochs_in(again) == []


# What the engines do by themselves.
STOCK = {"loky": "unexpectedly terminated", "dask": None, "ray": None}


def test_what_the_engine_s_own_backend_does(engine, tmp_path):
    with parallel_config(backend=engine, n_jobs=2):
        if STOCK[engine] is None:
            pytest.skip("depends on where X was")
        with pytest.raises(Exception, match=STOCK[engine]):
            search(tmp_path / "there", dies_at=50)
