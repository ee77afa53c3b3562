"""Searches by several joblib backends on two workers of this machine."""

import os
from contextlib import contextmanager, nullcontext

import joblib
from _search_cases import Search, readme, rows
from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_deep import MLPClassifier


@contextmanager
def dask():
    """Two worker processes of Dask with one thread each."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=None,
        ) as cluster,
        Client(cluster),
    ):
        yield


@contextmanager
def ray():
    """Two CPUs of Ray."""
    os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_AUTH_MODE="disabled")
    import ray
    from ray.util.joblib import register_ray

    ray.init(
        num_cpus=2,
        include_dashboard=False,
        _node_ip_address="127.0.0.1",
        logging_level="ERROR",
    )
    register_ray()
    try:
        yield
    finally:
        ray.shutdown()


ENGINES = {"loky": nullcontext, "dask": dask, "ray": ray}


def digits():
    """80 fits of one hidden layer at batches of 32 rows."""
    X, y = load_digits(return_X_y=True)
    net = MLPClassifier(
        (100,), batch_size=32, max_epochs=10, n_iter_no_change=None, random_state=0
    )
    grid = {
        "mlpclassifier__learning_rate": [3e-4, 1e-3, 3e-3, 1e-2],
        "mlpclassifier__weight_decay": [0.0, 1e-4, 1e-3, 1e-2],
    }
    X = X.astype("float32")
    return Search(make_pipeline(StandardScaler(), net), grid, X, y, cv=5)


def default_network():
    """12 fits of the default network."""
    net = MLPClassifier(max_epochs=3, random_state=0)
    few = {"learning_rate": [1e-3, 3e-3, 5e-3, 1e-2]}
    return Search(net, few, *rows(6000, 90))


SEARCHES = {
    "digits, (100,), batch 32, 80 fits": digits,
    "the README's search, 24 fits": readme,
    "(6000, 90), default network, 12 fits": default_network,
}


def contestants(search, engine):
    """The search by the engine's own backend, and by stacks over it."""
    return {
        engine: with_backend(search, backend=engine, n_jobs=2),
        f"stacked over {engine}": with_backend(
            search, backend="stacked", over=engine, n_jobs=2
        ),
    }


def with_backend(search, **config):
    """The search under a joblib configuration; it gives the scores."""

    def run():
        with joblib.parallel_config(**config):
            search()
        return search.search.cv_results_["mean_test_score"]

    return run
