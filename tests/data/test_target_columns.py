"""Columns of y come in from frames, dicts and arrays, and predictions go back as they came."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_array_equal

from sklearn_deep.data._target_columns import target_columns, written

PANDAS = pd.DataFrame(
    {
        "text": ["b", None, "a"],
        "kind": pd.Categorical(["u", "w", None], ["u", "v", "w"], ordered=True),
        "flag": pd.array([True, None, False], dtype="boolean"),
        "size": np.array([1.5, np.nan, 2.0], np.float32),
        "count": pd.array([1, 2, None], dtype="Int64"),
    }
)
POLARS = pl.DataFrame(
    {
        "text": ["b", None, "a"],
        "kind": pl.Series(["u", "w", None], dtype=pl.Enum(["u", "v", "w"])),
        "flag": [True, None, False],
        "size": pl.Series([1.5, float("nan"), 2.0], dtype=pl.Float32),
        "count": [1, 2, None],
    }
)
KNOWN = {
    "text": ["b", "a"],
    "kind": ["u", "w"],
    "flag": [True, False],
    "size": [1.5, 2.0],
    "count": [1, 2],
}


def columns_of(y):
    return {column.name: column for column in target_columns(y, "MultiTask")[1]}


@pytest.mark.parametrize("y", [PANDAS, POLARS], ids=["pandas", "polars"])
def test_missing_cells_of_a_frame_are_no_values(y):
    columns = columns_of(y)
    assert {name: c.known_values.tolist() for name, c in columns.items()} == KNOWN
    assert all(c.known.sum() == 2 for c in columns.values())


def test_a_dict_has_columns_of_any_kind():
    y = {"text": ["a", None], "size": pd.Series([1.0, np.nan]), 3: pl.Series([1, 2])}
    columns = columns_of(y)
    assert [c.known.tolist() for c in columns.values()] == [
        [True, False],
        [True, False],
        [True, True],
    ]
    assert columns["text"].known_values.dtype.kind == "U"


def test_columns_of_a_dict_must_be_of_one_length():
    with pytest.raises(ValueError, match=r"one length; got \{'a': 2, 'b': 3\}"):
        target_columns({"a": [1, 2], "b": [1, 2, 3]}, "MultiTask")


def test_columns_of_an_array_have_numbers_as_names():
    columns = columns_of(np.array([["a", 1.5], [None, np.nan]], object))
    assert list(columns) == [0, 1]
    assert columns[0].known_values.tolist() == ["a"]
    assert columns[1].known_values.dtype == float
    assert columns[1].known.tolist() == [True, False]


def test_texts_among_numbers_stay_objects():
    values = columns_of({"a": np.array(["x", 1], object)})["a"].known_values
    assert values.tolist() == ["x", 1]


def test_an_array_of_three_axes_is_refused():
    with pytest.raises(ValueError, match=r"got shape \(2, 2, 2\)"):
        target_columns(np.zeros((2, 2, 2)), "MultiTask")


def test_predictions_are_a_frame_of_pandas_with_the_dtypes_of_y_and_the_index_of_x():
    columns = list(columns_of(PANDAS).values())
    values = [np.array(KNOWN[c.name]) for c in columns]
    X = pd.DataFrame({"x": [0, 0]}, index=[7, 9])
    frame = written("pandas", columns, values, X)
    assert frame.dtypes.equals(PANDAS.dtypes)
    assert frame.index.tolist() == [7, 9]
    assert {name: frame[name].tolist() for name in frame} == KNOWN


def test_predictions_are_a_frame_of_polars_with_the_dtypes_of_y():
    columns = list(columns_of(POLARS).values())
    frame = written("polars", columns, [np.array(KNOWN[c.name]) for c in columns], None)
    assert frame.schema == POLARS.schema
    assert frame.to_dict(as_series=False) == KNOWN


@pytest.mark.parametrize("y", [PANDAS, POLARS], ids=["pandas", "polars"])
def test_numbers_predicted_for_a_column_of_integers_are_floats(y):
    kind, columns = target_columns(y, "MultiTask")
    frame = written(kind, columns[-1:], [np.array([1.5, 2.5])], None)
    assert_array_equal(frame["count"].to_numpy(), [1.5, 2.5])


def test_arrays_of_one_kind_stay_so_and_others_become_objects():
    columns = list(columns_of(np.zeros((2, 2))).values())
    numbers, labels = np.array([1.5, 2.5]), np.array(["a", "b"])
    assert written("array", columns, [numbers, numbers], None).dtype == float
    mixed = written("array", columns, [numbers, labels], None)
    assert mixed.tolist() == [[1.5, "a"], [2.5, "b"]]
    assert written("flat", columns[:1], [labels], None) is labels
