"""The best of several files within a budget, and the index of a folder of them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_deep import OnnxFileError
from sklearn_deep.serving._variants import (
    INDEX,
    LIMITS,
    Variant,
    choose,
    excess,
    nearest,
    on_front,
    read_index,
    within,
    write_index,
)


def variant(name, size, time, score, content=b""):
    return Variant(name, f"{name}.onnx", size, time, score, "0" * 64)


DENSE = variant("dense", 1000, 20.0, 0.95)
SMALL = variant("small", 100, 5.0, 0.9)
SLOW = variant("slow", 100, 9.0, 0.9)
ALL = [DENSE, SMALL, SLOW]

costs = st.floats(1.0, 1e6)
lists = st.lists(
    st.builds(
        variant,
        st.uuids().map(str),
        st.integers(1, 10**6),
        costs,
        st.floats(-1, 1),
    ),
    min_size=1,
    max_size=8,
)
budgets = st.dictionaries(st.sampled_from(LIMITS), costs, min_size=1)


@pytest.mark.parametrize(
    ("budget", "best"),
    [
        ({"bytes": 2000}, DENSE),
        ({"bytes": 999}, SMALL),
        ({"bytes": 2000, "microseconds": 19}, SMALL),
        ({"score": 0.9}, SMALL),
        ({"score": 0.9, "bytes": 2000}, DENSE),
        ({"score": 0.96}, None),
        ({"bytes": 99}, None),
        ({}, DENSE),
    ],
)
def test_the_highest_score_within_a_budget_is_chosen_else_the_smallest_file(
    budget, best
):
    assert choose(ALL, budget) == best


@given(lists, budgets)
def test_a_choice_meets_its_budget_and_none_that_meets_it_scores_higher(some, budget):
    best = choose(some, budget)
    fit = within(some, budget)
    assert (best is None) == (not fit)
    if best is None:
        near = nearest(some, budget)
        assert all(excess(near, budget) <= excess(v, budget) for v in some)
        return
    assert best.bytes <= budget.get("bytes", best.bytes)
    assert best.microseconds <= budget.get("microseconds", best.microseconds)
    assert best.score >= budget.get("score", best.score)
    if set(budget) == {"score"}:
        assert all(best.bytes <= v.bytes for v in fit)
    else:
        assert all(best.score >= v.score for v in fit)


@given(lists)
def test_every_variant_is_on_the_front_or_beaten_by_one_that_is(some):
    marks = on_front(some)
    front = [v for v, mark in zip(some, marks, strict=True) if mark]
    assert front
    for v, mark in zip(some, marks, strict=True):
        beaten = any(
            f.bytes <= v.bytes
            and f.microseconds <= v.microseconds
            and f.score >= v.score
            and (f.bytes, f.microseconds, f.score) != (v.bytes, v.microseconds, v.score)
            for f in front
        )
        assert beaten != mark


@pytest.fixture
def folder(tmp_path):
    for v in ALL:
        (tmp_path / v.file).write_bytes(bytes(v.bytes))
    (tmp_path / INDEX).write_bytes(write_index(ALL, {"rows": 3}))
    return tmp_path


def test_an_index_is_read_as_it_was_written(folder):
    assert read_index(folder) == (ALL, {"rows": 3})


def damaged_entry(**changes):
    def change(content):
        content["variants"][0].update(changes)

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (damaged_entry(file="../dense.onnx"), "not the name of a file"),
        (damaged_entry(file="/etc/passwd"), "not the name of a file"),
        (damaged_entry(file="a\\b.onnx"), "not the name of a file"),
        (damaged_entry(file="other.onnx"), "missing"),
        (damaged_entry(bytes=999), "another size"),
        (damaged_entry(bytes=True), "not an index"),
        (damaged_entry(bytes="1000"), "not an index"),
        (damaged_entry(score=float("nan")), "not an index"),
        (lambda content: content["variants"].clear(), "lists no variants"),
        (lambda content: content.pop("variants"), "not an index"),
        (lambda content: content.update(format=2), "another format"),
    ],
)
def test_a_damaged_index_is_refused(folder, change, reason):
    content = json.loads((folder / INDEX).read_text())
    change(content)
    (folder / INDEX).write_text(json.dumps(content))
    with pytest.raises(OnnxFileError, match=reason):
        read_index(folder)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"3", b"\xff", b"[" * 100_000])
def test_what_is_no_index_is_refused(folder, content):
    (folder / INDEX).write_bytes(content)
    with pytest.raises(OnnxFileError, match="not an index"):
        read_index(folder)


def test_a_link_out_of_the_folder_is_refused(folder, tmp_path_factory):
    target = tmp_path_factory.mktemp("other") / "secret"
    target.write_bytes(bytes(DENSE.bytes))
    (folder / DENSE.file).unlink()
    (folder / DENSE.file).symlink_to(target)
    with pytest.raises(OnnxFileError, match="missing"):
        read_index(folder)
