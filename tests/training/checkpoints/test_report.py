"""The list of stored states, and their deletion."""

import os
import time
from datetime import timedelta

import pytest

from run_states import make_state
from sklearn_deep import (
    Checkpoint,
    InvalidParameterError,
    checkpoint_report,
    clear_checkpoints,
)
from sklearn_deep.training.checkpoints._run_state import RunState
from sklearn_deep.training.checkpoints._store import Store

DONE, HALF, BAD = (digit * 64 for digit in "abc")


@pytest.fixture
def folder(tmp_path):
    """A finished fit, an unfinished one, a damaged state, and files of others."""
    state = make_state(5)
    finished = RunState({**state.numbers, "done": True}, state.arrays)
    Store(Checkpoint(tmp_path), "MLPClassifier").write(DONE, finished)
    Store(Checkpoint(tmp_path), "CNNRegressor").write(HALF, make_state(2))
    Store(Checkpoint(tmp_path), "MLPClassifier").write(BAD, make_state(1))
    path = tmp_path / f"{BAD}.state"
    path.write_bytes(path.read_bytes()[:-5])
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "mine.state").write_text("mine")
    return tmp_path


def test_the_report_has_a_row_for_each_state(folder):
    report = checkpoint_report(str(folder))
    assert len(report) == 3
    assert report.names == [f"{key}.state" for key in (DONE, HALF, BAD)]
    assert report.columns["estimator"] == ["MLPClassifier", "CNNRegressor", ""]
    assert report.columns["status"] == ["finished", "unfinished", "damaged"]
    assert report.columns["epochs"] == [5, 2, None]
    sizes = [os.path.getsize(folder / name) for name in report.names]
    assert report.columns["bytes"] == sizes
    assert report.notes == [f"{BAD}.state: it is damaged: its checksum differs"]


def test_the_report_can_be_printed_and_is_a_frame(folder):
    report = checkpoint_report(folder)
    lines = str(report).splitlines()
    assert lines[0].split()[:4] == [
        "a" * 12 + ".state",
        "MLPClassifier",
        "finished",
        "5",
    ]
    assert len(lines) == 4
    frame = report.to_frame()
    assert frame.shape == (3, 5)
    assert frame.loc[f"{HALF}.state", "status"] == "unfinished"


def test_the_report_of_an_empty_folder_is_empty(tmp_path):
    assert str(checkpoint_report(tmp_path)) == "no states"
    assert checkpoint_report(tmp_path).to_frame().shape == (0, 5)


@pytest.mark.parametrize("function", [checkpoint_report, clear_checkpoints])
def test_a_folder_that_does_not_exist_is_an_error(function, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        function(tmp_path / "nowhere")


def test_all_states_are_deleted_and_nothing_else(folder):
    assert clear_checkpoints(folder) == 3
    assert len(checkpoint_report(folder)) == 0
    left = sorted(path.name for path in folder.iterdir())
    assert left == ["mine.state", "notes.txt", "unfinished"]


@pytest.mark.parametrize("older_than", [3600, timedelta(hours=1)])
def test_only_states_that_are_old_enough_are_deleted(folder, older_than):
    long_ago = time.time() - 4000
    os.utime(folder / f"{DONE}.state", (long_ago, long_ago))
    assert clear_checkpoints(folder, older_than=older_than) == 1
    assert len(checkpoint_report(folder)) == 2


@pytest.mark.parametrize("older_than", ["1 day", -1])
def test_an_invalid_age_is_named(folder, older_than):
    with pytest.raises(InvalidParameterError, match="'older_than' parameter"):
        clear_checkpoints(folder, older_than=older_than)
