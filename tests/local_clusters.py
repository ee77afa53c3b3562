"""Real clusters on this machine, which listen on the loopback only."""

import os
from contextlib import contextmanager

import pytest

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["RAY_AUTH_MODE"] = "disabled"  # else it writes a token into the home folder


@contextmanager
def dask_cluster(threads_per_worker=1):
    """Two worker processes of Dask."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=threads_per_worker,
            host="127.0.0.1",
            dashboard_address=None,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@contextmanager
def ray_cluster():
    """Two CPUs of Ray."""
    ray = pytest.importorskip("ray")
    from ray.util.joblib import register_ray

    ray.init(
        num_cpus=2,
        include_dashboard=False,
        _node_ip_address="127.0.0.1",
        log_to_driver=False,
        logging_level="ERROR",
    )
    register_ray()
    try:
        yield ray
    finally:
        ray.shutdown()


@contextmanager
def loky_processes():
    """Two processes of joblib's own backend."""
    yield None


ENGINES = {"loky": loky_processes, "dask": dask_cluster, "ray": ray_cluster}
