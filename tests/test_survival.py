"""The short form of the benchmark of kills, damage and hostile content."""

from importlib import import_module
from itertools import islice
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"

pytestmark = pytest.mark.slow


@pytest.fixture
def rows_of(monkeypatch):
    """The first rows of one half of the benchmark, by their names."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))

    def rows(half, n_rows):
        module = import_module(f"_survival_{half}")
        return dict(islice(module.rows(short=True), n_rows))

    return rows


def test_no_file_is_torn_and_no_damaged_or_hostile_one_is_used(rows_of):
    rows = rows_of("files", 4)
    assert rows["kills while saving"]["torn"] == 0
    assert rows["kills while saving"]["in the middle of a write"] > 0
    assert rows["damaged files"]["read"] == 0
    hostile = rows["hostile files with right sums"]
    known = {"files", "refused", "loaded, predicts", "loaded, refuses X", "events"}
    assert hostile.keys() <= known | {"peak grew by, MB"}
    assert hostile["events"] == 0
    assert rows["memory of loading"]["peak / file"] <= 4


def test_what_was_killed_and_resumed_is_equal_to_the_last_bit(rows_of):
    for row in rows_of("checkpoints", 3).values():
        assert row["n_kills"] > 0
        assert row["n_equal"] == row["n_done"] > 0
        assert row["n_errors"] == 0
