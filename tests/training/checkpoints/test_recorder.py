"""How often a state is copied and stored."""

import os

import pytest

from sklearn_deep import Checkpoint
from sklearn_deep.training.checkpoints import _recorder
from sklearn_deep.training.checkpoints._budget import Budget
from sklearn_deep.training.checkpoints._recorder import Recorder
from sklearn_deep.training.checkpoints._run_state import RunState
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
