"""Copies of rows, and splits that keep them on one side."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from sklearn_deep.data._copies import copies
from sklearn_deep.data._ragged import Ragged
from sklearn_deep.data._split import split_without_copies, validation_split


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array, np.float32])
def test_equal_rows_of_equal_targets_are_copies(kind):
    X = kind(np.array([[1.0, 0.0], [2.0, 0.0], [1.0, 0.0], [1.0, -0.0], [2.0, 3.0]]))
    numbers = copies(X, np.array(["a", "b", "a", "a", "b"]))
    assert numbers[0] == numbers[2] == numbers[3]
    assert len(np.unique(numbers)) == 3


def test_equal_rows_of_several_targets_are_not_copies():
    X = np.repeat([[0.0], [1.0]], 3, axis=0)
    numbers = copies(X, np.array([0, 1, 0, 1, 1, 1]))
    assert len(np.unique(numbers[:3])) == 3
    assert len(np.unique(numbers[3:])) == 1
    of_two = np.array([[0, 0], [0, 1], [0, 0], [1, 0], [1, 0], [1, 0]])
    assert len(np.unique(copies(X, of_two))) == 4


def test_rows_are_looked_up_where_they_are():
    X = np.arange(6.0)[:, None]
    rows = np.array([5, 3, 5])
    numbers = copies(X, np.zeros(3), rows)
    assert numbers[0] == numbers[2] != numbers[1]


def test_sequences_are_copies_with_all_their_steps():
    sequences = [[1.0, 2.0], [1.0], [1.0, 2.0], [2.0, 1.0]]
    values = np.concatenate(sequences)[:, None]
    X = Ragged.of_lengths(values, [len(s) for s in sequences])
    numbers = copies(X, np.zeros(4))
    assert numbers[0] == numbers[2]
    assert len(np.unique(numbers)) == 3


@given(seed=st.integers(0, 2**31 - 1), n=st.integers(120, 400))
def test_a_bootstrap_sample_is_split_without_copies_and_by_class(seed, n):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, 300)
    drawn = rng.choice(300, n)
    train, aside = split_without_copies(drawn, 0.2, seed, y[drawn])
    assert sorted([*train, *aside]) == list(range(n))
    assert not set(drawn[train]) & set(drawn[aside])
    different = np.unique(drawn)
    assert len(np.unique(drawn[aside])) == round(0.2 * len(different))
    share = np.bincount(y[np.unique(drawn[aside])], minlength=3) / 0.2
    assert np.abs(share - np.bincount(y[different], minlength=3)).max() < 10


def test_a_split_depends_on_which_rows_are_equal_and_not_on_their_numbers():
    rng = np.random.default_rng(0)
    drawn = rng.choice(300, 400)
    renamed = rng.permutation(300)[drawn]
    for one, other in zip(
        split_without_copies(drawn, 0.1, 3),
        split_without_copies(renamed, 0.1, 3),
        strict=True,
    ):
        assert one.tolist() == other.tolist()


def test_different_rows_are_split_as_ever():
    y = np.random.default_rng(0).integers(0, 2, 100)
    for one, other in zip(
        split_without_copies(np.arange(100)[::-1], 0.1, 3, y),
        validation_split(100, 0.1, 3, y),
        strict=True,
    ):
        assert one.tolist() == other.tolist()


def test_a_row_of_many_copies_is_never_the_validation_part():
    numbers = np.concatenate([np.zeros(500, int), np.arange(1, 501)])
    for seed in range(20):
        train, aside = split_without_copies(numbers, 0.1, seed)
        assert len(aside) == 50
        assert numbers[train].min() == 0
        assert numbers[aside].min() > 0


def test_few_different_rows_are_split_row_by_row():
    numbers = np.repeat(np.arange(8), 50)
    _, aside = split_without_copies(numbers, 0.1, 0)
    assert len(aside) == 40
