"""Rows of any kind are converted to the inputs of a graph, or an error names the column."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sklearn_deep.serving._feeds import is_missing, make_feeds

NAMES = ["age", "size", "city", "flag"]
FRAME_CARD = {
    "n_features_in": 4,
    "feature_names_in": NAMES,
    "missing": "nan",
    "inputs": [
        {"name": "age", "columns": [0], "dtype": "int64"},
        {"name": "size", "columns": [1], "dtype": "float32"},
        {"name": "city", "columns": [2], "dtype": "string"},
        {"name": "flag", "columns": [3], "dtype": "bool"},
    ],
}


def block(dtype, width=3):
    columns = list(range(width))
    return {
        "n_features_in": width,
        "feature_names_in": None,
        "missing": "nan",
        "inputs": [{"name": "X", "columns": columns, "dtype": dtype}],
    }


def frame(**columns):
    rows = {
        "age": [1, 2],
        "size": [0.5, 1.5],
        "city": ["a", "b"],
        "flag": [True, False],
    }
    return pd.DataFrame({**rows, **columns})


def test_a_frame_gives_one_input_per_column():
    feeds = make_feeds(frame(), FRAME_CARD)
    assert {name: (v.dtype, v.shape) for name, v in feeds.items()} == {
        "age": (np.int64, (2, 1)),
        "size": (np.float32, (2, 1)),
        "city": (object, (2, 1)),
        "flag": (bool, (2, 1)),
    }


@pytest.mark.parametrize("library", [pd, pl], ids=["pandas", "polars"])
def test_columns_are_selected_by_name(library):
    rows = frame(extra=[9, 9])[["extra", "flag", "city", "age", "size"]]
    feeds = make_feeds(library.DataFrame(rows.to_dict("list")), FRAME_CARD)
    assert feeds["age"].ravel().tolist() == [1, 2]
    assert feeds["city"].ravel().tolist() == ["a", "b"]
    assert set(feeds) == set(NAMES)


@pytest.mark.parametrize(
    ("column", "values", "expected"),
    [
        ("age", pd.array([1, 2], "Int64"), [1, 2]),
        ("age", pd.Series([1.0, 2.0]), [1, 2]),
        ("age", pd.Series([True, False]), [1, 0]),
        ("age", pd.Categorical([3, 4]), [3, 4]),
        ("age", pd.Series([1, 2], dtype=object), [1, 2]),
        ("size", pd.array([1.5, None], "Float64"), [1.5, np.nan]),
        ("size", pd.array([1, None], "Int64"), [1.0, np.nan]),
        ("size", pd.Series([1, None], dtype=object), [1.0, np.nan]),
        ("city", pd.Series(["x", None], dtype=object), ["x", "nan"]),
        ("city", pd.array(["x", None], "string"), ["x", "nan"]),
        ("city", pd.Categorical(["x", np.nan]), ["x", "nan"]),
        ("city", pd.Series([np.nan, None], dtype=object), ["nan", "nan"]),
        ("flag", pd.array([True, False], "boolean"), [True, False]),
        ("flag", pd.Series([1, 0]), [True, False]),
    ],
)
def test_columns_of_another_dtype_with_the_same_values_are_converted(
    column, values, expected
):
    got = make_feeds(frame(**{column: values}), FRAME_CARD)[column].ravel()
    np.testing.assert_array_equal(got, np.array(expected, got.dtype))


@pytest.mark.parametrize(
    ("column", "values", "error", "message"),
    [
        ("age", [1.0, np.nan], ValueError, "'age' has missing values"),
        ("age", [1.5, 2.0], ValueError, "'age' has fractions"),
        ("age", [1e30, 2.0], ValueError, "'age' contains integers that do not fit"),
        ("age", [2**64, 1], ValueError, "'age' contains integers that do not fit"),
        ("age", ["a", "b"], TypeError, "'age' must contain numbers"),
        ("age", [[1], [2]], TypeError, "'age' must contain numbers"),
        (
            "flag",
            pd.Series([True, None], dtype=object),
            ValueError,
            "'flag' has missing",
        ),
        (
            "flag",
            [1, 2],
            ValueError,
            "'flag' was bool at the export, and contains 2 now",
        ),
        ("flag", [0.0, -1.0], ValueError, "'flag' was bool .* contains -1.0 now"),
        (
            "size",
            pd.Series([10**400, 1], dtype=object),
            ValueError,
            "'size' contains integers that do not fit",
        ),
        ("city", [1, 2], TypeError, "'city' must contain strings"),
        ("city", pd.Series(["a", 2], dtype=object), TypeError, "got 2 of int"),
    ],
)
def test_the_error_names_the_column_with_invalid_values(column, values, error, message):
    with pytest.raises(error, match=message):
        make_feeds(frame(**{column: values}), FRAME_CARD)


def test_the_error_names_missing_columns():
    with pytest.raises(ValueError, match=r"lacks the columns \['city', 'flag'\]"):
        make_feeds(frame()[["age", "size"]], FRAME_CARD)


@given(
    X=hnp.arrays(
        st.sampled_from([np.float64, np.float32, np.int32, np.uint8, np.bool_]),
        hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=5),
    ),
    dtype=st.sampled_from(["float32", "float64"]),
)
def test_arrays_of_any_number_type_become_floats(X, dtype):
    with np.errstate(over="ignore"):
        (fed,) = make_feeds(X, block(dtype, X.shape[1])).values()
        np.testing.assert_array_equal(fed, X.astype(dtype))
    assert fed.dtype == dtype
    assert fed.flags.c_contiguous


def test_an_array_of_the_right_dtype_is_not_copied():
    X = np.zeros((4, 3), np.float32)
    assert np.shares_memory(make_feeds(X, block("float32"))["X"], X)


def test_lists_and_object_arrays_are_converted():
    assert make_feeds([[1, 2, 3]], block("float64"))["X"].tolist() == [[1, 2, 3]]
    mixed = np.array([[1, None, 2.5]], object)
    fed = make_feeds(mixed, block("float64"))["X"]
    np.testing.assert_array_equal(fed, [[1, np.nan, 2.5]])
    texts = np.array([["a", None, "b"]], object)
    assert make_feeds(texts, block("string"))["X"].tolist() == [["a", "nan", "b"]]


@pytest.mark.parametrize("outer", [list, tuple])
def test_numbers_in_a_list_with_strings_stay_numbers(outer):
    feeds = make_feeds(outer([[30, 0.5, "paris", True]]), FRAME_CARD)
    assert {name: v.item() for name, v in feeds.items()} == {
        "age": 30,
        "size": 0.5,
        "city": "paris",
        "flag": True,
    }
    with pytest.raises(TypeError, match="'city' must contain strings"):
        make_feeds(outer([[30, 0.5, 7, "yes"]]), FRAME_CARD)


@pytest.mark.parametrize(
    ("dtype", "row", "error", "message"),
    [
        ("int64", [1, np.nan, 2], ValueError, "Column 1 has missing values"),
        ("int64", [1, 2, 0.5], ValueError, "Column 2 has fractions"),
        ("bool", [1, 0, 3], ValueError, "Column 2 was bool at the export"),
        ("string", ["a", 3, "b"], TypeError, "Column 1 must contain strings"),
        ("float32", [1, "x", 2.5], TypeError, "Column 1 must contain numbers"),
    ],
)
def test_the_error_names_the_column_of_an_input_with_several(
    dtype, row, error, message
):
    rows = np.array([row], object if error is TypeError else None)
    with pytest.raises(error, match=message):
        make_feeds(rows, block(dtype))


def test_integers_of_any_size_become_floats():
    fed = make_feeds(np.array([[2**70, 1, 2]], object), block("float64"))["X"]
    assert fed.tolist() == [[2.0**70, 1, 2]]


@pytest.mark.parametrize(
    ("dtype", "X"),
    [
        ("string", np.array([["a", "b", "c"], ["d", "e", "f"]])),
        ("string", np.array([["a", None, "c"], ["d", "e", "f"]], object)),
        ("float64", np.arange(6.0).reshape(2, 3)),
        ("int64", np.arange(6.0).reshape(2, 3)),
        ("bool", np.eye(2, 3)),
    ],
)
def test_inputs_are_contiguous_whatever_the_order_of_the_array(dtype, X):
    fed = make_feeds(np.asfortranarray(X), block(dtype))["X"]
    assert fed.flags.c_contiguous
    np.testing.assert_array_equal(fed, make_feeds(X, block(dtype))["X"])


def test_the_first_of_two_columns_with_one_name_is_used():
    rows = pd.DataFrame([[1, 1.5, "a", True, 9]], columns=[*NAMES, "age"])
    assert make_feeds(rows, FRAME_CARD)["age"].item() == 1


def test_an_input_may_contain_some_of_the_columns():
    metadata = block("float32")
    metadata["inputs"][0]["columns"] = [2, 0]
    assert make_feeds([[1, 2, 3]], metadata)["X"].tolist() == [[3, 1]]


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (np.zeros(3), ValueError, r"Expected 2D array.*reshape\(1, -1\)"),
        (np.zeros((2, 3, 1)), ValueError, "Expected 2D array"),
        (np.zeros((2, 4)), ValueError, "has 4 features.*expecting 3"),
        (np.zeros((0, 3)), ValueError, r"0 sample\(s\)"),
        (sp.csr_matrix((2, 3)), TypeError, r"sparse.*toarray"),
        (np.array([["a", "b", "c"]]), TypeError, "must contain numbers"),
        (np.array([["2020"] * 3], "M8[D]"), TypeError, "must contain numbers"),
    ],
)
def test_rows_of_another_shape_or_kind_are_refused(X, error, message):
    with pytest.raises(error, match=message):
        make_feeds(X, block("float32"))


@pytest.mark.parametrize("value", [None, np.nan, float("nan"), pd.NA, pd.NaT])
def test_what_is_missing(value):
    assert is_missing(value)


@pytest.mark.parametrize("value", [0, "", "nan", False, np.inf, b""])
def test_what_is_not_missing(value):
    assert not is_missing(value)
