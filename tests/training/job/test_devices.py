"""What memory counts as free."""

import math

import pytest

from sklearn_deep.training.job import _devices


@pytest.mark.parametrize(("limit", "left"), [("4000\n", 3000.0), ("500\n", 0.0)])
def test_what_a_container_may_still_use_counts_as_free(
    tmp_path, monkeypatch, limit, left
):
    files = [str(tmp_path / name) for name in ("max", "current")]
    for file, content in zip(files, (limit, "1000\n"), strict=True):
        with open(file, "w") as out:
            out.write(content)
    monkeypatch.setattr(_devices, "_CGROUPS", [files])
    assert _devices.available_memory() == left


def test_a_container_without_a_limit_leaves_what_the_system_has(tmp_path, monkeypatch):
    files = [tmp_path / name for name in ("max", "current")]
    files[0].write_text("max\n")
    files[1].write_text("1000\n")
    monkeypatch.setattr(_devices, "_CGROUPS", [list(map(str, files)), ("no", "file")])
    assert 0 < _devices.available_memory() < math.inf
