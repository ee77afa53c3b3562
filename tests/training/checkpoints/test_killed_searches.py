"""A search that is killed and run again has the results of one that was not."""

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from numpy.testing import assert_array_equal

import killed_searches
from killed_searches import run
from library_rounding import rounds_alike
from sklearn_deep import checkpoint_report
from sklearn_deep.training.loop._run import Run

SCRIPT = Path(killed_searches.__file__)

# In a resumed search a network may be trained with others beside it than before.
needs_equal_rounding = pytest.mark.skipif(
    not rounds_alike(), reason="the library rounds one product otherwise than many"
)


@pytest.fixture
def start(tmp_path):
    """Starts a search in a process of its own; ends it at the end of the test."""
    with ExitStack() as stack:

        def start(name, pause=0.0, every=1):
            arguments = [SCRIPT, name, tmp_path, pause, every]
            process = subprocess.Popen(
                [sys.executable, *map(str, arguments)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
            stack.enter_context(process)
            stack.callback(end, process)
            return process

        yield start


def end(process, number=signal.SIGKILL):
    """End a process and its workers."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
    return process.wait()


def after(process, n_epochs):
    """Wait until a process has trained so many epochs."""
    for _ in range(n_epochs):
        assert process.stdout.read(1) == b"e", process.stderr.read().decode()


@pytest.fixture
def epochs(monkeypatch):
    """Collects the epochs that are trained in this process."""
    seen, end_epoch = [], Run.end_epoch

    def counted(run, *args):
        seen.append(len(run.history))
        return end_epoch(run, *args)

    monkeypatch.setattr(Run, "end_epoch", counted)
    return seen


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert_array_equal(one[name], other[name], err_msg=name, strict=True)


def resumed(name, tmp_path, epochs):
    """Check what a search gives that is run again; the epochs of both runs."""
    expected = run(name)
    n_all = len(epochs)
    del epochs[:]
    assert_same(expected, run(name, tmp_path))
    n_resumed = len(epochs)
    del epochs[:]
    assert_same(expected, run(name, tmp_path))
    assert epochs == []  # all networks are read
    return n_all, n_resumed


# Epochs after which a search is killed.
EARLY, LATE = 7, 27


@needs_equal_rounding
@pytest.mark.parametrize(
    ("name", "n_epochs"),
    [
        ("grid stacked", EARLY),
        ("grid default", LATE),
        ("tabular stacked", EARLY),
        pytest.param("grid stacked", LATE, marks=pytest.mark.slow),
        pytest.param("pipeline stacked", LATE, marks=pytest.mark.slow),
        pytest.param("images stacked", 31, marks=pytest.mark.slow),
        pytest.param("halving stacked", LATE, marks=pytest.mark.slow),
        pytest.param("nested stacked", LATE, marks=pytest.mark.slow),
        pytest.param("bagged stacked", EARLY, marks=pytest.mark.slow),
        pytest.param("randomized default", EARLY, marks=pytest.mark.slow),
        pytest.param("randomized stacked", LATE, marks=pytest.mark.slow),
        pytest.param("halving default", LATE, marks=pytest.mark.slow),
        pytest.param("validated stacked", EARLY, marks=pytest.mark.slow),
        pytest.param("validated default", EARLY, marks=pytest.mark.slow),
        pytest.param("voting stacked", EARLY, marks=pytest.mark.slow),
        pytest.param("bagged default", EARLY, marks=pytest.mark.slow),
        pytest.param("nested default", LATE, marks=pytest.mark.slow),
    ],
)
def test_a_killed_search_goes_on(name, n_epochs, start, tmp_path, epochs):
    process = start(name)
    after(process, n_epochs)
    assert end(process) == -signal.SIGKILL
    n_all, n_resumed = resumed(name, tmp_path, epochs)
    # The epoch that was in progress in each network of a stack is lost at most.
    assert n_all - n_epochs <= n_resumed <= n_all - n_epochs + 9


@needs_equal_rounding
@pytest.mark.slow
def test_a_search_that_is_killed_again_and_again_ends(start, tmp_path, epochs):
    for n_epochs in (3, 9, 2, 12, 5):
        process = start("grid stacked")
        after(process, n_epochs)
        end(process)
    n_all, n_resumed = resumed("grid stacked", tmp_path, epochs)
    assert n_resumed < n_all


@pytest.mark.slow
@pytest.mark.parametrize("name", ["grid loky", "nested loky"])
def test_a_killed_search_in_worker_processes_goes_on(name, start, tmp_path):
    process = start(name)
    while len(list(tmp_path.glob("*.state"))) < 4:
        assert process.poll() is None, process.stderr.read().decode()
        time.sleep(0.02)
    end(process)
    statuses = checkpoint_report(tmp_path).columns["status"]
    assert "damaged" not in statuses
    assert_same(run(name), run(name, tmp_path))


@pytest.mark.parametrize(
    ("number", "pause"),
    [
        (signal.SIGTERM, 0.8),
        pytest.param(signal.SIGTERM, 3.0, marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, 0.8, marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize(
    ("name", "n_epochs"),
    [
        pytest.param("validated default", 2, marks=pytest.mark.slow),
        ("validated stacked", 5),
    ],
)
def test_a_signal_stores_the_last_epoch(
    name, n_epochs, number, pause, start, tmp_path, epochs
):
    process = start(name, pause, every=1000)
    after(process, n_epochs)
    time.sleep(0.2)  # it is within an epoch now
    assert not list(tmp_path.glob("*.state"))
    os.kill(process.pid, number)
    if number == signal.SIGTERM:  # how fast is measured by the benchmark of survival
        assert process.wait(timeout=30) == -number
    else:  # the state is there at once; joblib waits until its tasks have ended
        time.sleep(2)
        assert list(tmp_path.glob("*.state"))
        assert process.wait(timeout=60) == -number
    columns = checkpoint_report(tmp_path).columns
    assert set(columns["status"]) == {"unfinished"}
    assert len(columns["epochs"]) == n_epochs - 1
    n_all, n_resumed = resumed(name, tmp_path, epochs)
    assert n_resumed == n_all - sum(columns["epochs"])
