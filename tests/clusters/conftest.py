"""Engines that run groups of stacks."""

import pytest
from joblib import parallel_config

from local_clusters import ENGINES


@pytest.fixture(scope="module", params=ENGINES)
def over(request):
    """Name of an engine that runs."""
    with ENGINES[request.param]():
        yield request.param


@pytest.fixture
def spread(over):
    """Runs a function with the stacked backend over the engine."""

    def run(function, **config):
        with parallel_config(backend="stacked", over=over, **{"n_jobs": 2, **config}):
            return function()

    return run


@pytest.fixture
def plain(over):
    """Runs a function with the engine's own backend."""

    def run(function):
        with parallel_config(backend=over, n_jobs=2):
            return function()

    return run
