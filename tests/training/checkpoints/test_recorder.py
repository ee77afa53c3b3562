"""How often a state is copied and stored."""

import os
from contextlib import ExitStack

import pytest

from sklearn_deep import Checkpoint
from sklearn_deep.training.checkpoints import _recorder
from sklearn_deep.training.checkpoints._budget import Budget
from sklearn_deep.training.checkpoints._recorder import Recorder
from sklearn_deep.training.checkpoints._run_state import RunState
from sklearn_deep.training.checkpoints._signals import live
from sklearn_deep.training.checkpoints._store import Store

KEY = "a" * 64


@pytest.fixture
def clock(monkeypatch):
    """Seconds that the test sets, for the recorder and its budget."""
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    budget = Budget()
    monkeypatch.setattr(_recorder, "BUDGET", budget)
    with budget.shared():
        yield now


@pytest.fixture
def written(monkeypatch):
    states = []
    monkeypatch.setattr(
        Store, "write", lambda self, key, state, durable: states.append(state)
    )
    return states


def train(recorder, clock, seconds, step):
    """Epochs of so many seconds each; the times at which the state was copied."""
    copied = []

    def capture():
        copied.append(clock[0])
        return RunState({"at": clock[0]})

    while clock[0] < seconds:
        clock[0] += step
        recorder.end_epoch(capture)
    return copied


def test_a_state_is_stored_every_30_seconds(tmp_path, clock, written):
    recorder = Recorder(Checkpoint(tmp_path), "Net", KEY)
    train(recorder, clock, 100.0, 1.0)
    assert [state.numbers["at"] for state in written] == [30.0, 60.0, 90.0]


def test_short_epochs_are_copied_twice_a_second_only(tmp_path, clock, written):
    recorder = Recorder(Checkpoint(tmp_path), "Net", KEY)
    copied = train(recorder, clock, 10.0, 0.125)
    assert copied == [0.5 * k for k in range(1, 21)]
    assert written == []


def test_storing_takes_a_fiftieth_of_the_time_at_most(tmp_path, clock, monkeypatch):
    stored = []

    def slow(self, key, state, durable):
        stored.append(clock[0])
        clock[0] += 3.0

    monkeypatch.setattr(Store, "write", slow)
    recorder = Recorder(Checkpoint(tmp_path), "Net", KEY)
    train(recorder, clock, 1000.0, 1.0)
    assert len(stored) <= 1 + 1000 * 0.02 / 3


def test_every_epoch_is_stored_where_that_is_asked_for(tmp_path, clock, written):
    recorder = Recorder(Checkpoint(tmp_path, every_seconds=0), "Net", KEY)
    train(recorder, clock, 10.0, 1.0)
    assert len(written) == 10


def test_a_fork_stores_nothing(tmp_path, clock, written, monkeypatch):
    recorder = Recorder(Checkpoint(tmp_path), "Net", KEY)
    train(recorder, clock, 10.0, 1.0)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    recorder.flush()
    assert written == []


def test_many_short_fits_do_not_wait_for_the_disk_longer_than_a_fiftieth_of_the_time(
    tmp_path, clock, monkeypatch
):
    """All are stored; those that the time does not allow are synced by the system."""
    synced = []

    def slow(self, key, state, durable):
        synced.append(durable)
        clock[0] += 0.002 if durable else 0.0

    monkeypatch.setattr(Store, "write", slow)
    for _ in range(1000):
        recorder = Recorder(Checkpoint(tmp_path), "Net", KEY)
        train(recorder, clock, clock[0] + 0.02, 0.01)
        recorder.end(lambda: RunState({"done": True}))
    assert len(synced) == 1000
    assert 1 < sum(synced) <= 1 + clock[0] * 0.02 / 0.002
    assert synced[0]


def test_a_fit_by_itself_is_on_the_disk_when_it_returns(tmp_path, clock, monkeypatch):
    durable = []
    monkeypatch.setattr(
        Store, "write", lambda self, key, state, durable_: durable.append(durable_)
    )
    recorder = Recorder(Checkpoint(tmp_path), "Net", KEY)
    recorder.end(lambda: RunState({"done": True}))
    assert durable == [True]


def test_copies_of_many_fits_together_take_a_hundredth_of_the_time(
    tmp_path, clock, written
):
    recorders = [Recorder(Checkpoint(tmp_path), "Net", KEY) for _ in range(50)]
    n_copies = 0

    def capture():
        nonlocal n_copies
        n_copies += 1
        clock[0] += 0.001
        return RunState({})

    with ExitStack() as training:
        for recorder in recorders:
            training.enter_context(live(recorder))
        for _ in range(400):
            clock[0] += 0.05
            for recorder in recorders:
                recorder.end_epoch(capture)
    assert 50 < n_copies <= 50 + 0.01 * clock[0] / 0.001
