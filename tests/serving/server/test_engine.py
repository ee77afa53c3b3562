"""Bounds of what is computed, without a server around."""

import asyncio
import threading
import time

import numpy as np
import pytest

from sklearn_deep.serving.server._engine import Engine
from sklearn_deep.serving.server._errors import (
    BusyError,
    OverdueError,
    RefusedRowsError,
)
from sklearn_deep.serving.server._metrics import Metrics
from sklearn_deep.serving.server._repository import Repository
from sklearn_deep.serving.server._settings import Settings


@pytest.fixture
def repository(models):
    return Repository([models.folder])


def make_engine(repository, **settings):
    return Engine(Settings(**settings), Metrics(repository))


def test_what_takes_too_long_is_504_and_is_stopped(repository):
    engine, stopped = make_engine(repository, timeout=0.1), threading.Event()

    async def run():
        await engine.call(lambda: stopped.wait(10), stopped.set)

    start = time.perf_counter()
    with pytest.raises(OverdueError, match=r"within 0\.1 seconds"):
        asyncio.run(run())
    assert time.perf_counter() - start < 5
    assert stopped.is_set()


def test_a_long_computation_is_stopped_in_the_middle(repository):
    served = repository.get("plain")
    engine = make_engine(repository, timeout=0.05, max_rows=10**8)
    X = np.ones((5_000_000, 4))
    with pytest.raises(OverdueError):
        asyncio.run(engine.infer(served, {"X": X}, None))
    start = time.perf_counter()
    engine._pool.shutdown(wait=True)
    assert time.perf_counter() - start < 0.5


def test_more_than_the_queue_takes_is_429(repository):
    engine = make_engine(repository, n_workers=1, max_queue=1)
    release = threading.Event()

    async def run():
        calls = [asyncio.ensure_future(engine.call(release.wait)) for _ in range(3)]
        await asyncio.sleep(0.05)
        release.set()
        return await asyncio.gather(*calls, return_exceptions=True)

    first, second, third = asyncio.run(run())
    assert first is second is True
    assert isinstance(third, BusyError)


def test_a_served_model_infers_and_predicts_like_its_estimator(
    repository, models, flowers
):
    X, _ = flowers
    served, model = repository.get("flowers"), models.fitted["flowers"]
    feeds = {name: X[[name]].to_numpy() for name in X.columns[:4]}
    feeds["garden"] = X[["garden"]].fillna("nan").to_numpy(dtype=object)
    found = served.infer(feeds, ["label"])
    np.testing.assert_array_equal(found["label"], model.predict(X))
    said = served.predict(X)
    np.testing.assert_array_equal(said.labels, model.predict(X))
    assert list(said.probabilities) == ["setosa", "versicolor", "virginica"]
    expected = model.predict_proba(X)
    np.testing.assert_allclose([*said.probabilities.values()], expected.T, atol=1e-12)
    feeds["sepal length (cm)"] = np.full((len(X), 1), np.inf)
    with pytest.raises(RefusedRowsError):
        served.infer(feeds)
