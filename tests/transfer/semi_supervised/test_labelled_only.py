"""LabelledOnly: folds of labelled rows."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.model_selection import GroupKFold, ShuffleSplit

from sklearn_deep import LabelledOnly

Y = np.array([0, -1, 1, 0, -1, 1, 0, 1, -1, -1])
ROWS = np.zeros((10, 1))
LABELLED = np.flatnonzero(Y != -1)


def test_labelled_rows_are_tested_once_and_all_others_are_trained_on():
    folds = list(LabelledOnly(3).split(ROWS, Y))
    assert len(folds) == LabelledOnly(3).get_n_splits(ROWS, Y) == 3
    assert_array_equal(np.sort(np.concatenate([test for _, test in folds])), LABELLED)
    for train, test in folds:
        assert_array_equal(np.sort([*train, *test]), np.arange(10))


def test_any_splitter_splits_the_labelled_rows():
    cv = LabelledOnly(ShuffleSplit(2, test_size=2, random_state=0))
    for _, test in cv.split(ROWS, Y):
        assert len(test) == 2
        assert (Y[test] != -1).all()


def test_no_row_of_a_tested_group_is_trained_on():
    groups = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 2])
    cv = LabelledOnly(GroupKFold(3))
    assert cv.get_n_splits(ROWS, Y, groups) == 3
    for train, test in cv.split(ROWS, Y, groups):
        assert not set(groups[train]) & set(groups[test])


def test_another_mark_may_be_chosen():
    y = ["a", None, "b", "a", "b", "?"]
    tested = [t for _, t in LabelledOnly(2, unlabelled="?").split(np.zeros((6, 1)), y)]
    assert_array_equal(np.sort(np.concatenate(tested)), [0, 2, 3, 4])


def test_labels_are_needed():
    with pytest.raises(ValueError, match="requires y"):
        next(LabelledOnly(2).split(ROWS))
