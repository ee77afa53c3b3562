"""Sequences of unequal length: how they are read, indexed and padded."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal

from sklearn_deep.data._batches import Rows, epoch_order
from sklearn_deep.data._padded import Padded
from sklearn_deep.data._ragged import Ragged
from sklearn_deep.data._sequences import (
    check_numbers,
    is_text,
    join,
    sequences_in,
    unpad,
)

CPU = torch.device("cpu")
FLOATS = [np.dtype("float64"), np.dtype("float32")]


@pytest.fixture
def items(rng):
    """Seven sequences of one to eight steps with two channels."""
    return [rng.normal(size=(n, 2)) for n in (3, 1, 8, 2, 2, 5, 4)]


@pytest.fixture
def ragged(items):
    return join(items, "Net", "last")


def assert_same(ragged, items):
    assert len(ragged) == len(items)
    for one, other in zip(ragged.arrays(), items, strict=True):
        assert_array_equal(one, other)


@pytest.mark.parametrize(
    "rows",
    [
        slice(None),
        slice(2, 5),
        slice(None, None, 2),
        slice(5, 2),
        np.array([4, 0, 0, 6]),
        np.array([], int),
        np.array([True, False, True, False, False, False, True]),
    ],
    ids=str,
)
def test_rows_are_indexed_as_those_of_an_array(ragged, items, rows):
    expected = np.arange(len(items))[rows]
    assert_same(ragged[rows], [items[i] for i in expected])


def test_a_run_of_rows_is_a_view(ragged):
    assert np.shares_memory(ragged[2:5].values, ragged.values)


def test_shape_holds_rows_and_channels(ragged):
    assert ragged.shape == (7, 2)
    assert_array_equal(ragged.lengths, [3, 1, 8, 2, 2, 5, 4])
    assert ragged.dtype == np.float64


def test_a_batch_is_padded_to_its_own_longest(ragged, items):
    x, lengths = Padded.of(ragged, np.array([3, 0]), CPU)
    assert x.shape == (2, 3, 2)
    assert_array_equal(x[0, :2], items[3])
    assert_array_equal(x[0, 2], [0, 0])
    assert_array_equal(x[1], items[0])
    assert lengths.tolist() == [2, 3]


def test_one_value_a_row_is_repeated_for_its_steps(ragged):
    repeated = ragged[:2].repeat(np.array([5.0, 7.0]))
    assert_array_equal(repeated, [5, 5, 5, 7])


def test_a_step_knows_its_row(ragged):
    assert [ragged.row_of(step) for step in (0, 2, 3, 4, 11, 12)] == [0, 0, 1, 2, 2, 3]


# What the user may give


def polars_frame(items):
    pl = pytest.importorskip("polars")
    return pl.DataFrame({"series": [item[:, 0].tolist() for item in items]})


CONTAINERS = {
    "list": list,
    "tuple": tuple,
    "object_array": lambda items: Ragged.of_lengths(
        np.concatenate(items), [len(i) for i in items]
    ).arrays(),
    "lists_of_lists": lambda items: [item.tolist() for item in items],
    "series": pd.Series,
    "frame_of_one_column": lambda items: pd.DataFrame({"x": pd.Series(items)}),
    "frames": lambda items: [pd.DataFrame(item) for item in items],
}


@pytest.mark.parametrize("make", CONTAINERS.values(), ids=CONTAINERS)
def test_every_container_of_sequences_is_read(items, make):
    found = sequences_in(make(items))
    assert_same(check_numbers(join(found, "Net", "last"), "Net", FLOATS), items)


def test_a_polars_column_of_lists_is_read(items):
    found = sequences_in(polars_frame(items))
    assert_same(join(found, "Net", "last"), [item[:, :1] for item in items])


@pytest.mark.parametrize(
    "X",
    [
        np.zeros((3, 4)),
        np.zeros((3, 4, 2)),
        np.zeros((3, 4), object),
        [[1.0, 2.0], [3.0, 4.0]],
        pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]}),
        pd.DataFrame({"a": [1.0, 2.0]}),
        np.array([1, 2, 3], object),
    ],
    ids=lambda X: type(X).__name__,
)
def test_arrays_of_numbers_are_no_containers(X):
    assert sequences_in(X) is None


def test_arrays_of_equal_length_in_a_list_are_sequences_nevertheless():
    assert len(sequences_in([np.zeros(3), np.zeros(3)])) == 2


@pytest.mark.parametrize(
    "X",
    [
        ["one", "two"],
        [["a", "b"], ["c"]],
        [["a", "b"], ["c", "d"]],
        np.array(["one", "two"]),
        np.array(["one", "two"], object),
        np.array([["a", "b"], ["c", "d"]]),
        pd.Series(["one", "two"]),
        pd.Series([["a"], ["b", "c"]]),
    ],
    ids=str,
)
def test_text_is_recognised(X):
    assert is_text(sequences_in(X))


def test_channels_first_are_turned(items):
    turned = join([item.T for item in items], "Net", "first")
    assert_same(turned, items)


def test_padded_arrays_are_cut_to_their_lengths(items, ragged):
    x, lengths = Padded.of(ragged, None, CPU)
    padded = x.numpy()
    padded[padded == 0] = np.nan  # what lies behind the end is not looked at
    assert_same(unpad(padded, lengths, "Net", "last"), items)
    assert_same(unpad(padded.transpose(0, 2, 1), lengths, "Net", "first"), items)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bool", "object"])
def test_numbers_are_cast_to_the_first_dtype_unless_they_have_one(dtype):
    ragged = join([np.ones(3, dtype), np.ones(2, dtype)], "Net", "last")
    expected = dtype if dtype.startswith("float") else "float64"
    assert check_numbers(ragged, "Net", FLOATS).dtype == expected


# Errors name the sequence at fault.

ROW = np.ones((3, 2))


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([ROW, None], r"X\[1\] of Net is missing \(None\): fill it"),
        ([ROW[:0], ROW, np.ones((4, 3))], r"X\[2\] of Net has 3 .* X\[1\] has 2"),
        ([ROW, ROW, np.ones((4, 3))], r"X\[2\] of Net has 3 channels, and X\[0\] has 2"),
        ([ROW, np.ones((2, 2, 2))], r"X\[1\] of Net has shape \(2, 2, 2\)"),
        ([[1.0, 2.0], [[1.0], [1.0, 2.0]]], r"X\[1\] of Net is no array"),
        ([ROW, np.array([[1, np.nan]])], r"X\[1\] of Net contains NaN .* time 0, channel 1"),
        ([ROW, ROW, np.array([[1, 1], [np.inf, 1]])], r"X\[2\] of Net contains infinity"),
        ([[1, 2], ["a"]], r"X\[0\] of Net holds|X\[1\] of Net holds what is no number"),
        ([ROW * 1j], "Complex data not supported"),
    ],
)  # fmt: skip
def test_the_error_names_the_sequence_at_fault(items, message):
    with pytest.raises(ValueError, match=message):
        check_numbers(join(items, "Net", "last"), "Net", FLOATS)


def test_a_value_too_large_for_the_dtype_is_named():
    ragged = join([[1.0], [1e300, 0.0]], "Net", "last")
    with pytest.raises(ValueError, match=r"X\[1\] .* too large for float32"):
        check_numbers(ragged, "Net", np.dtype("float32"))


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([1, 2], "must be 3 integers"),
        ([1.0, 2.0, 3.0], "must be 3 integers"),
        ([1, -1, 3], r"lengths\[1\] of Net is -1; it must lie between 0 and 4"),
        ([1, 2, 5], r"lengths\[2\] of Net is 5"),
    ],
)
def test_lengths_are_checked(lengths, message):
    with pytest.raises(ValueError, match=message):
        unpad(np.zeros((3, 4)), lengths, "Net", "last")


def test_lengths_need_a_padded_array():
    with pytest.raises(ValueError, match="padded arrays"):
        unpad(np.zeros(3), [1, 1, 1], "Net", "last")


def test_empty_sequences_take_channels_and_dtype_from_the_others():
    ragged = join([[], ROW.astype(np.float32), np.empty((0, 7))], "Net", "last")
    assert ragged.dtype == np.float32
    assert_array_equal(ragged.lengths, [0, 3, 0])
    assert ragged.shape == (3, 2)
    assert join([[], []], "Net", "last", n_channels=5).shape == (2, 5)
    assert_array_equal(unpad(np.ones((2, 3)), [0, 2], "Net", "last").lengths, [0, 2])


@pytest.mark.parametrize("n_rows", [60, 80])
def test_batches_of_many_hold_about_one_length_and_few_are_shuffled(n_rows):
    lengths = np.random.default_rng(0).integers(1, 100, n_rows)
    values = Ragged.of_lengths(np.zeros((lengths.sum(), 1)), lengths)
    rows = Rows(values, torch.zeros(n_rows), None, by_length=True)
    order = epoch_order(rows, 5, torch.Generator().manual_seed(0)).numpy()
    assert sorted(order) == list(range(n_rows))
    spread = np.ptp(lengths[order].reshape(-1, 5), axis=1).mean()
    shuffled = np.ptp(np.sort(lengths).reshape(-1, 5), axis=1).mean()
    assert (spread < 30) == (n_rows == 80)
    assert spread > shuffled
