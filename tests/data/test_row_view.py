"""Views of rows: other code sees the rows, and nobody copies the array."""

import numpy as np
import pytest
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import check_array

from sklearn_deep.data._row_view import RowView, SharedArray

VALUES = np.arange(24.0).reshape(8, 3)
KEYS = {
    "numbers": np.array([5, 0, 5]),
    "booleans": np.arange(8) % 2 == 0,
    "none": np.array([], dtype=np.int64),
}


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_a_view_reads_as_the_rows_that_it_stands_for(key):
    whole = RowView(SharedArray(VALUES))
    view = _safe_indexing(whole, key)
    assert isinstance(view, RowView)
    assert view.shape == VALUES[key].shape
    assert len(view) == len(VALUES[key])
    np.testing.assert_array_equal(np.asarray(view), VALUES[key])
    assert np.asarray(view, dtype=np.float32).dtype == np.float32


def test_rows_of_a_view_are_rows_of_the_array():
    view = RowView(SharedArray(VALUES))[np.array([7, 3, 1]), ...]
    np.testing.assert_array_equal(np.asarray(view[np.array([2, 0])]), VALUES[[1, 7]])


@pytest.mark.parametrize("key", [2, slice(1, 4), (slice(None), 1)], ids=str)
def test_any_other_index_gives_numbers(key):
    view = RowView(SharedArray(VALUES), np.array([6, 2, 0]))
    np.testing.assert_array_equal(view[key], VALUES[[6, 2, 0]][key])


def test_whoever_writes_into_the_array_of_a_view_leaves_x_alone():
    whole = RowView(SharedArray(VALUES))
    for view in (whole, whole[np.array([0, 1])]):
        np.asarray(view)[:] = -1
        check_array(view, copy=False)[:] = -1
    np.testing.assert_array_equal(VALUES, np.arange(24.0).reshape(8, 3))


def test_an_array_of_the_right_dtype_is_shared_and_another_is_cast_once():
    shared = SharedArray(VALUES)
    assert shared.in_dtype([np.float64, np.float32]) is shared
    cast = shared.in_dtype(np.dtype("float32"))
    assert cast.values.dtype == np.float32
    assert shared.in_dtype(np.dtype("float32")) is cast
    whole = SharedArray(VALUES.astype(int)).in_dtype([np.float64, np.float32])
    assert whole.values.dtype == np.float64


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_an_array_with_values_to_refuse_is_not_shared(value):
    values = VALUES.copy()
    values[3, 1] = value
    assert RowView(SharedArray(values)).in_dtype(np.dtype("float32")) is None


def test_a_stand_in_has_the_shape_of_the_rows_and_one_of_them_in_memory():
    stand_in = RowView(SharedArray(VALUES), np.array([1, 2, 3])).stand_in()
    assert stand_in.shape == (3, 3)
    assert stand_in.strides[0] == 0
