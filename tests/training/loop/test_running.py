"""Seeds, threads, devices, and training as a whole."""

import threading

import numpy as np
import pytest
import torch

from sklearn_deep import MLPClassifier, MLPRegressor, TabularRegressor
from sklearn_deep.estimators.core._fit import prepare
from sklearn_deep.estimators.core._parts import FitArguments
from sklearn_deep.training._train import train
from sklearn_deep.training.job._devices import resolve_device, threads_for
from sklearn_deep.training.job._seeds import STREAMS, generator
from sklearn_deep.training.loop._lr_range import range_test
from sklearn_deep.training.loop._run import Watcher

CPU = torch.device("cpu")


def digits_job(**params):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 5))
    y = (X[:, 0] + X[:, 1] ** 2 > 1).astype(int)
    settings = {"max_epochs": 6, "batch_size": 32, "early_stopping": False, **params}
    network = MLPClassifier((16,), random_state=0, **settings)
    return prepare(network, FitArguments(X, y)).job


def test_streams_and_epochs_have_numbers_of_their_own():
    draws = {
        torch.rand(1, generator=generator(seed, stream, epoch)).item()
        for seed in (0, 1)
        for stream in STREAMS
        for epoch in range(3)
    }
    assert len(draws) == 2 * len(STREAMS) * 3
    again = torch.rand(1, generator=generator(1, "order", 2)).item()
    assert again in draws


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_small_steps_run_on_one_thread_which_is_given_back():
    with threads_for(1e3, CPU):
        assert torch.get_num_threads() == 1
        with threads_for(1e3, CPU):
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
    with threads_for(1e12, CPU):
        assert torch.get_num_threads() == 2
    with pytest.raises(KeyError), threads_for(1e3, CPU):
        raise KeyError
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_threads")
def test_the_last_of_several_fits_gives_the_threads_back():
    inside, leave = threading.Barrier(3), threading.Barrier(3)

    def work():
        with threads_for(1e3, CPU):
            inside.wait(timeout=30)
            leave.wait(timeout=30)

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    inside.wait(timeout=30)
    with threads_for(1e3, CPU):
        leave.wait(timeout=30)
        for worker in workers:
            worker.join(timeout=30)
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2


def test_a_device_that_is_not_there_is_an_error_that_names_those_that_are():
    missing = "mps" if not torch.backends.mps.is_available() else "cuda"
    with pytest.raises(ValueError, match=rf"'{missing}'.*There is: .*'cpu'"):
        resolve_device("Net", missing)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
def test_training_on_cuda_agrees_with_the_cpu(cls):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 5)).astype(np.float32)
    y = (X[:, 0] > 0).astype(np.float32)
    outputs = [
        cls((32,), dropout=0.0, max_epochs=5, device=device, random_state=0)
        .fit(X, y)
        ._raw(X)
        for device in ("cpu", "cuda")
    ]
    assert torch.allclose(*outputs, atol=1e-3)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("cls", [MLPRegressor, TabularRegressor])
def test_spreads_are_corrected_where_the_network_is(cls):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 5)).astype(np.float32)
    network = cls((32,), loss="gaussian", max_epochs=5, device="cuda", random_state=0)
    _, spread = network.fit(X, X[:, 0]).predict(X, return_std=True)
    assert np.isfinite(spread).all()


class Recorder(Watcher):
    per_batch = True

    def __init__(self, stop_after=None):
        self.calls, self.stop_after = [], stop_after

    def train_begin(self, run):
        self.calls.append("train_begin")

    def epoch_begin(self, run):
        self.calls.append("epoch_begin")

    def batch_begin(self, run, batch):
        self.calls.append("batch_begin")

    def gradient_ready(self, run, batch):
        self.calls.append("gradient_ready")

    def batch_end(self, run, batch, loss, raw):
        self.calls.append("batch_end")

    def epoch_end(self, run, row):
        self.calls.append("epoch_end")
        return row["epoch"] == self.stop_after

    def train_end(self, run):
        self.calls.append("train_end")


def test_watchers_hear_everything_in_order_and_may_stop_it():
    recorder = Recorder(stop_after=2)
    result = train(digits_job(), [recorder])
    steps = ["batch_begin", "gradient_ready", "batch_end"] * 7
    epoch = ["epoch_begin", *steps, "epoch_end"]
    assert recorder.calls == ["train_begin", *epoch, *epoch, "train_end"]
    assert result.stop_reason == "callback"


def test_being_watched_changes_nothing():
    alone, watched = train(digits_job()), train(digits_job(), [Recorder()])
    for a, b in zip(
        alone.module.parameters(), watched.module.parameters(), strict=True
    ):
        assert torch.equal(a, b)


def test_an_interrupted_training_goes_on_as_if_it_had_not_been():
    """The state after some epochs, and the epochs after it, decide everything."""
    X = np.random.default_rng(0).normal(size=(100, 3))
    y = X[:, 0] * 2 + np.sin(X[:, 1])

    def network():
        return MLPRegressor((8,), dropout=0.3, batch_size=16, random_state=0)

    straight = network()
    for _ in range(6):
        straight.partial_fit(X, y)
    broken = network()
    for _ in range(3):
        broken.partial_fit(X, y)
    import pickle

    broken = pickle.loads(pickle.dumps(broken))
    for _ in range(3):
        broken.partial_fit(X, y)
    assert np.array_equal(straight.predict(X), broken.predict(X))
    assert straight.loss_curve_ == broken.loss_curve_


def test_the_range_test_leaves_its_job_alone_and_finds_the_slope():
    job = digits_job()
    before = [p.clone() for p in job.module.parameters()]
    test = range_test(job, 1e-6, 10.0, 100)
    for p, saved in zip(job.module.parameters(), before, strict=True):
        assert torch.equal(p, saved)
    assert 1e-4 < test.suggestion < 0.3
    assert np.isfinite(test.losses).all()
    assert (np.diff(test.learning_rates) > 0).all()
    place = np.flatnonzero(test.learning_rates == test.suggestion)[0]
    assert test.losses.min() < test.losses[place] < test.losses[0]
