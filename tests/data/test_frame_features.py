"""Frames of all kinds of columns become one matrix, by what the training rows tell."""

import datetime as dt
import pickle
import subprocess
import sys
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
import skops.io
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import make_column_transformer
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_deep.data._copies import copies
from sklearn_deep.data._frame_encoding import EncodedRows
from sklearn_deep.data._frame_features import FrameFeatures
from sklearn_deep.data._layout import TabularLayout
from sklearn_deep.data._row_view import RowView, SharedArray
from sklearn_deep.data._rows import merge_equal_rows
from sklearn_deep.data._scaling import squash
from sklearn_deep.exceptions import TrainingWarning

FLOATS = [np.float64, np.float32]
ANY = np.dtype("float64")
NO_CLIP = 1e6


def learn(X, rows=None, weight=None, dtype=FLOATS, **params):
    """Features that have learnt from some rows, and all rows encoded."""
    features = FrameFeatures("Net", **params)
    table, _ = features.check(X, np.zeros(len(X)), dtype, reset=True)
    return features, features.learn(table, rows, weight)


def column(values, **params):
    """One column, learnt from all its rows and encoded."""
    return learn(pd.DataFrame({"x": values}), **params)[1]


# Frames of random columns: values of one kind a column, some of them missing.

TIMES = st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1))
VALUES = {
    "integers": st.integers(-(2**62), 2**62),
    "floats": st.floats(allow_nan=False, allow_infinity=False),
    "few numbers": st.sampled_from([-1.0, 0.5, 2.0]),
    "texts": st.text(max_size=3),
    "few texts": st.sampled_from(["a", "b", "c"]),
    "booleans": st.booleans(),
    "times": TIMES,
    "days": TIMES.map(dt.datetime.date),
    "durations": st.timedeltas(dt.timedelta(-9999), dt.timedelta(9999)),
    "clocks": st.times(),
    "nothing": st.none(),
}


@st.composite
def tables(draw):
    """Values of columns by name, and the numbers of the training rows."""
    n_rows = draw(st.integers(1, 9))
    kinds = draw(st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=4))
    columns = {}
    for j, kind in enumerate(kinds):
        values = VALUES[kind] | st.none() if draw(st.booleans()) else VALUES[kind]
        columns[f"{kind} {j}"] = draw(
            st.lists(values, min_size=n_rows, max_size=n_rows)
        )
    rows = draw(st.lists(st.integers(0, n_rows - 1), min_size=1, unique=True))
    return columns, np.array(sorted(rows))


def as_objects(columns):
    out = np.empty((len(next(iter(columns.values()))), len(columns)), object)
    for j, values in enumerate(columns.values()):
        out[:, j] = values
    return out


def as_pandas(columns):
    return pd.DataFrame(columns, columns=list(columns))


def as_polars(columns):
    return pl.DataFrame(columns)


FORMS = {"pandas": as_pandas, "polars": as_polars, "objects": as_objects}


@given(tables())
def test_a_table_is_the_same_in_every_form(drawn):
    columns, rows = drawn
    encoded = {name: learn(form(columns), rows)[1] for name, form in FORMS.items()}
    lists = [list(row) for row in as_objects(columns)]
    encoded["lists"] = learn(lists, rows)[1]
    for matrix in encoded.values():
        assert_array_equal(matrix, encoded["pandas"])


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@given(drawn=tables())
def test_rows_are_encoded_later_as_in_the_fit_together_and_alone(form, drawn):
    columns, rows = drawn
    X = form(columns)
    features, encoded = learn(X, rows)
    assert_array_equal(features.encode(X, ANY), encoded)
    for i in range(len(X)):
        assert_array_equal(features.encode(X[i : i + 1], ANY), encoded[i : i + 1])
    again = pickle.loads(pickle.dumps(features))
    assert again.encoding == features.encoding
    assert_array_equal(again.encode(X, ANY), encoded)


@given(tables(), st.randoms(use_true_random=False))
def test_permuted_rows_permute_the_encoding(drawn, random):
    columns, rows = drawn
    X = as_pandas(columns)
    order = list(range(len(X)))
    random.shuffle(order)
    train = np.flatnonzero(np.isin(order, rows))
    encoded = learn(X, rows)[1]
    assert_array_equal(learn(X.iloc[order], train)[1], encoded[order])


@given(tables(), st.data())
def test_a_weight_is_a_number_of_rows_to_the_last_bit(drawn, data):
    columns, rows = drawn
    X = as_pandas(columns)
    n = len(rows)
    times = data.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n).filter(any))
    weighted = learn(X, rows, np.array(times, float))[0]
    repeated = learn(X, np.repeat(rows, times))[0]
    assert weighted.encoding == repeated.encoding


@given(tables())
def test_the_layout_tells_what_an_encoded_row_holds(drawn):
    columns, rows = drawn
    features, encoded = learn(as_pandas(columns), rows)
    layout = features.layout(encoded)
    assert encoded.shape[1] == layout.n_values == len(features.encoding.sources)
    assert np.isfinite(encoded).all()
    assert (abs(encoded[:, layout.numeric_part]) <= features.clip).all()
    assert (abs(encoded[:, layout.plain_part]) <= 1).all()
    codes = encoded[:, layout.codes_part]
    assert_array_equal(codes, codes.astype(int))
    assert ((codes >= 0) & (codes < layout.cardinalities)).all()


def test_one_row_of_all_kinds_is_encoded_as_written():
    X = pd.DataFrame(
        {
            "n": [1.0, 3.0, np.nan, 1.0],
            "k": ["a", None, "b", "a"],
            "b": [True, False, None, True],
            "large": ["u", "v", "w", "u"],
            "i": [0, 1, 2, 3],
        }
    )
    features, encoded = learn(X, max_one_hot=2, clip=NO_CLIP)
    n, i = X["n"], X["i"]
    mean, std = n.mean(), n.std(ddof=0)
    assert features.layout(encoded) == TabularLayout(2, 4, (4,))
    assert features.encoding.sources.tolist() == [0, 4, 0, 1, 1, 2, 3]
    expected = [
        (n.fillna(n.median()) - mean) / std,
        (i - i.mean()) / i.std(ddof=0),
        n.isna(),
        X["k"] == "a",
        X["k"] == "b",
        [1, -1, 0, 1],
        [1, 2, 3, 1],
    ]
    assert_allclose(encoded, np.column_stack(expected), atol=1e-11)


def test_numbers_and_small_categories_are_those_of_scikit_learn(rng):
    X = pd.DataFrame({f"n{j}": rng.normal(j, j + 1, 50) for j in range(3)})
    X["c"] = rng.choice(list("abc"), 50)
    encoded = learn(X, clip=NO_CLIP)[1]
    peer = make_column_transformer(
        (StandardScaler(), ["n0", "n1", "n2"]), (OneHotEncoder(), ["c"])
    )
    assert_allclose(encoded, peer.fit_transform(X), atol=1e-11)


# What is learnt, and from which rows.


def test_only_the_training_rows_are_learnt_from():
    X = pd.DataFrame({"n": [1.0, 3, 1e6, np.nan], "k": ["a", "b", "z", None]})
    features, encoded = learn(X, np.array([0, 1]), clip=3.0)
    number, category = features.encoding.columns
    assert (number.scaling.center, number.scaling.scale) == (2, 1)
    assert not number.scaling.has_indicator
    assert category.categories.values == ("a", "b")
    assert_allclose(encoded[:, 0], squash(np.array([-1, 1, 1e6 - 2, 0]), 3.0))
    assert_array_equal(encoded[:, 1:], [[1, 0], [0, 1], [0, 0], [0, 0]])


def test_rows_of_weight_zero_are_no_training_rows():
    X = pd.DataFrame({"n": [1.0, 3, 1e6, np.nan], "k": ["a", "b", "z", None]})
    features = learn(X, None, np.array([1.0, 1, 0, 0]))[0]
    assert features.encoding == learn(X, np.array([0, 1]))[0].encoding


def test_missing_numbers_are_the_median_and_are_indicated_if_some_were_in_the_fit():
    X = pd.DataFrame({"some": [1.0, 2, 10, np.nan], "none": [1.0, 2, 10, 11]})
    features, encoded = learn(X)
    assert features.layout(encoded) == TabularLayout(2, 1)
    median = features.encode(pd.DataFrame({"some": [2.0], "none": [6.0]}), ANY)
    missing = features.encode(pd.DataFrame({"some": [np.nan], "none": [np.nan]}), ANY)
    assert_array_equal(missing[0, :2], median[0, :2])
    assert (median[0, 2], missing[0, 2]) == (0, 1)


def test_missing_and_unseen_categories_share_code_0():
    features, encoded = learn(pd.DataFrame({"k": list("abcdb")}), max_one_hot=3)
    assert features.layout(encoded) == TabularLayout(0, 0, (5,))
    later = pd.DataFrame({"k": ["d", "z", None, np.nan, "a"]})
    assert features.encode(later, ANY)[:, 0].tolist() == [4, 0, 0, 0, 1]


@pytest.mark.parametrize(
    "values",
    [[2.0] * 4, [None] * 4, ["a"] * 4, [True] * 4, [pd.Timestamp("2020")] * 4],
    ids=["number", "nothing", "text", "boolean", "time"],
)
def test_constant_columns_are_dropped(values):
    X = pd.DataFrame({"c": values, "n": [1.0, 2, 3, 4]})
    features, encoded = learn(X)
    assert [c.dropped for c in features.encoding.columns] == [True, False]
    assert encoded.shape == (4, 1)


def test_a_row_of_constants_is_a_zero():
    features, encoded = learn(pd.DataFrame({"a": [1, 1], "k": ["x", "x"]}))
    assert features.layout(encoded) == TabularLayout(0, 1)
    assert encoded.tolist() == [[0], [0]]
    assert features.encoding.sources.tolist() == [0]


def test_a_constant_beside_missing_values_tells_which_are_missing():
    X = pd.DataFrame({"n": [2.0, None], "k": ["a", None], "b": [True, None]})
    assert learn(X)[1].tolist() == [[0, 1, 1], [1, 0, 0]]


def test_an_outlier_is_bounded_and_keeps_the_order():
    values = [0.0, 1.0, 2.0, 1e12, 1e300]
    features = learn(pd.DataFrame({"x": [0.0, 1.0, 2.0]}), clip=4.0)[0]
    encoded = features.encode(pd.DataFrame({"x": values}), ANY)[:, 0]
    assert (np.diff(encoded[:4]) > 0).all()
    assert encoded[4] <= 4.0


@pytest.mark.parametrize("values", [[1e308, -1e308, 0], [5e-324, 0, 0], [1e-200, 0, 1]])
def test_extreme_numbers_are_finite(values):
    for dtype in FLOATS:
        encoded = column([float(v) for v in values], dtype=np.dtype(dtype))
        assert np.isfinite(encoded).all()


# Dtypes.

NUMBERS = [3, 1, 2, 1]
NUMERIC = {
    **{name: pd.Series(NUMBERS, dtype=name) for name in ("i1", "u8", "f2", "f4")},
    **{name: pd.Series(NUMBERS, dtype=name) for name in ("Int8", "UInt64", "Float32")},
    "sparse": pd.Series(pd.arrays.SparseArray(NUMBERS)),
    "decimals": pd.Series([Decimal(n) for n in NUMBERS]),
    "objects": pd.Series(NUMBERS, dtype=object),
    "NumPy's": pd.Series([np.int16(n) for n in NUMBERS], dtype=object),
}


@pytest.mark.parametrize("series", NUMERIC.values(), ids=NUMERIC)
def test_numbers_of_every_width_are_numbers(series):
    features, encoded = learn(pd.DataFrame({"x": series}), dtype=np.dtype("float64"))
    assert features.kinds == ("number",)
    assert_array_equal(encoded, column([float(n) for n in NUMBERS]))


MISSING = {
    "None": [1.5, None, 2.0],
    "NaN": [1.5, np.nan, 2.0],
    "NA": [1.5, pd.NA, 2.0],
    "NaT": [1.5, pd.NaT, 2.0],
    "Decimal": [Decimal("1.5"), Decimal("nan"), 2],
    "nullable": pd.array([1.5, None, 2.0], dtype="Float64"),
}


@pytest.mark.parametrize("values", MISSING.values(), ids=MISSING)
def test_every_mark_of_a_missing_number_is_one(values):
    assert_array_equal(column(values), column([1.5, None, 2.0]))


@pytest.mark.parametrize("mark", [None, np.nan, pd.NA, pd.NaT])
def test_every_mark_of_a_missing_category_is_one(mark):
    X = pd.DataFrame({"k": pd.Series(["a", mark, "b"], dtype=object)})
    features, encoded = learn(X)
    assert encoded.tolist() == [[1, 0], [0, 0], [0, 1]]
    assert_array_equal(features.encode(X[1:2], ANY), [[0, 0]])


TEXTS = ["b", "a", None, "b"]
CATEGORICAL = {
    "str": pd.DataFrame({"x": pd.Series(TEXTS, dtype="str")}),
    "string": pd.DataFrame({"x": pd.Series(TEXTS, dtype="string")}),
    "object": pd.DataFrame({"x": pd.Series(TEXTS, dtype=object)}),
    "category": pd.DataFrame({"x": pd.Categorical(TEXTS, categories=["z", "b", "a"])}),
    "polars": pl.DataFrame({"x": TEXTS}),
    "Categorical": pl.DataFrame({"x": pl.Series(TEXTS, dtype=pl.Categorical)}),
    "Enum": pl.DataFrame({"x": pl.Series(TEXTS, dtype=pl.Enum(["b", "z", "a"]))}),
    "array": np.array([TEXTS], object).T,
}


@pytest.mark.parametrize("X", CATEGORICAL.values(), ids=CATEGORICAL)
def test_text_and_categories_of_every_dtype_are_categories(X):
    features, encoded = learn(X)
    assert features.is_categorical.tolist() == [True]
    assert encoded.tolist() == [[0, 1], [1, 0], [0, 0], [0, 1]]
    assert_array_equal(features.encode(X[:1], ANY), [[0, 1]])


def test_numbers_may_be_categories():
    X = pd.DataFrame({"a": [7, 5, 7], "b": [1.0, 2.0, 4.0]})
    features, encoded = learn(X, categorical_features=["a"])
    assert features.kinds == ("category", "number")
    assert encoded[:, 1:].tolist() == [[0, 1], [1, 0], [0, 1]]
    later = pd.DataFrame({"a": [5.0, np.nan], "b": [1, 1]})
    assert features.encode(later, ANY)[:, 1:].tolist() == [[1, 0], [0, 0]]


def test_large_integers_are_told_apart_as_categories():
    X = pd.DataFrame({"a": [2**60, 2**60 + 1], "b": [0.0, 1.0]})
    features, encoded = learn(X, categorical_features=[0])
    for i in range(2):
        assert_array_equal(features.encode(X[i : i + 1], ANY), encoded[i : i + 1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, bool])
def test_arrays_of_numbers_are_taken_as_they_are(rng, dtype):
    X = rng.normal(size=(20, 3)).astype(dtype)
    if dtype is bool:
        X[:] = np.arange(60).reshape(X.shape) % 7 < 3
    features, encoded = learn(X)
    assert encoded.dtype == (np.float32 if dtype == np.float32 else np.float64)
    assert_array_equal(learn(pd.DataFrame(X), dtype=encoded.dtype)[1], encoded)
    view = RowView(SharedArray(X), np.array([4, 2]))
    assert_array_equal(features.encode(view, encoded.dtype), encoded[[4, 2]])


def test_intervals_are_categories():
    values = pd.cut([1, 5, 9], [0, 3, 6, 10])
    assert column(values).tolist() == np.eye(3).tolist()


def test_mixed_values_are_categories_in_a_fixed_order():
    values = pd.Series(["b", 2, "a", 1, None], dtype=object)
    features, encoded = learn(pd.DataFrame({"x": values}))
    assert features.encoding.columns[0].categories.values == (1, 2, "a", "b")
    assert encoded.argmax(1)[:4].tolist() == [3, 1, 2, 0]


# Times.


def test_times_are_days_and_the_cycles_that_vary():
    times = pd.Series(pd.date_range("2020-01-30 06:00", periods=4, freq="D"))
    features, encoded = learn(pd.DataFrame({"t": times}))
    (learnt,) = features.encoding.columns
    assert learnt.cycles == ("month", "weekday")
    assert_allclose(np.diff(encoded[:, 0]) > 0, True)
    january, february = encoded[0, 1:3], encoded[3, 1:3]
    assert_allclose(january, [0, 1], atol=1e-12)
    assert_allclose(february, [0.5, np.sqrt(0.75)])
    thursday = 2 * np.pi * 3 / 7
    assert_allclose(encoded[0, 3:5], [np.sin(thursday), np.cos(thursday)])


def test_a_time_zone_does_not_matter_and_a_missing_time_has_no_phase():
    utc = pd.Series(
        pd.to_datetime(["2020-01-01 00:00", "2020-07-01 12:30", None], utc=True)
    )
    frames = [pd.DataFrame({"t": s}) for s in (utc, utc.dt.tz_convert("Asia/Tokyo"))]
    features, encoded = learn(frames[0])
    assert_array_equal(features.encode(frames[1], ANY), encoded)
    objects = frames[1].astype(object)
    assert_array_equal(features.encode(objects, ANY), encoded)
    assert encoded[2, 1:].tolist() == [1] + [0] * (encoded.shape[1] - 2)


@pytest.mark.parametrize("unit", ["D", "s", "ns"])
def test_arrays_of_times_and_durations_are_taken(unit):
    days = np.arange(8).reshape(4, 2) ** 2
    for kind in ("datetime64", "timedelta64"):
        X = days.astype(f"{kind}[D]").astype(f"{kind}[{unit}]")
        assert_array_equal(learn(X)[1], learn(pd.DataFrame(X))[1])


# Later rows, and what is refused.


def frame():
    return pd.DataFrame(
        {
            "n": [1.0, 2.0, 4.0],
            "k": ["a", "b", "a"],
            "b": [True, False, True],
            "t": pd.to_datetime(["2020-01-01", "2021-02-03", "2022-03-05"]),
        }
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n": "1.5"}, "column 'n' of X of Net held numbers in fit and holds text now"),
        (
            {"k": 3},
            r"column 'k' of X of Net has other values .*: it holds 3 \(number\)",
        ),
        (
            {"t": "2020-01-01"},
            "column 't' of X of Net held times in fit and holds text",
        ),
        (
            {"b": "yes"},
            "column 'b' of X of Net held booleans in fit and holds text now",
        ),
        ({"b": 2}, "column 'b' of X of Net cannot be read as booleans: it holds 2"),
        ({"n": np.inf}, "column 'n' of X of Net contains infinity in row 0"),
        ({"n": -np.inf}, "column 'n' of X of Net contains infinity in row 0"),
    ],
)
@pytest.mark.parametrize("n_rows", [1, 3])
def test_another_kind_of_values_is_an_error_that_names_the_column(
    changes, message, n_rows
):
    features = learn(frame())[0]
    later = frame()[:n_rows].assign(**changes)
    with pytest.raises(ValueError, match=message):
        features.encode(later, ANY)


@pytest.mark.parametrize("name", ["n", "k", "b", "t"])
@pytest.mark.parametrize("n_rows", [1, 3])
@pytest.mark.parametrize("mark", [None, np.nan, pd.NaT])
def test_a_column_of_missing_values_has_any_dtype(name, n_rows, mark):
    features = learn(frame())[0]
    later = frame()[:n_rows]
    later[name] = pd.Series([mark] * n_rows)
    expected = frame()[:n_rows].astype({name: object})
    expected[name] = [None] * n_rows
    encoded = features.encode(later, ANY)
    assert_array_equal(encoded, features.encode(expected, ANY))
    assert np.isfinite(encoded).all()


def test_infinity_in_the_fit_is_an_error_that_names_the_column():
    X = pd.DataFrame({"a": [1.0, 2.0], "b": [1.0, np.inf]})
    with pytest.raises(ValueError, match="column 'b' of X of Net contains infinity"):
        learn(X)
    with pytest.raises(ValueError, match="column 1 of X of Net contains infinity in"):
        learn(X.to_numpy())
    with pytest.raises(ValueError, match="column 1 of X of Net contains infinity in"):
        learn([[1, 10**400], [1, 2]])


def test_names_are_checked_as_scikit_learn_does():
    X = frame()
    features = learn(X)[0]
    assert features.feature_names_in.tolist() == list(X)
    assert features.n_features_in == 4
    with pytest.raises(ValueError, match="must be in the same order as they were in"):
        features.encode(X[list(X)[::-1]], ANY)
    with pytest.raises(ValueError, match="yet now missing:\n- n"):
        features.encode(X.drop(columns="n"), ANY)
    with pytest.warns(UserWarning, match="does not have valid feature names, but Net"):
        encoded = features.encode(X.to_numpy(object), ANY)
    assert_array_equal(encoded, features.encode(X, ANY))
    assert_array_equal(
        features.without_names().encode(X.to_numpy(object), ANY), encoded
    )


def test_the_number_of_columns_is_checked():
    features = learn(np.arange(6.0).reshape(3, 2))[0]
    with pytest.raises(ValueError, match="X has 3 features, but Net is expecting 2"):
        features.encode(np.zeros((2, 3)), ANY)


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (pd.DataFrame({"a": []}), ValueError, "0 sample"),
        (pd.DataFrame(index=[0, 1]), ValueError, "0 feature"),
        (np.empty((0, 2)), ValueError, "0 sample"),
        ([1.0, 2.0], ValueError, "Expected 2D array, got 1D array"),
        ([[1.0], [2.0, 3.0]], ValueError, "inhomogeneous"),
        (np.zeros((2, 2, 2)), ValueError, "dim 3"),
        (np.zeros((2, 1), complex), ValueError, "Complex data not supported"),
        (
            pd.DataFrame({"a": [1j, 2]}),
            ValueError,
            "Complex .*: column 'a' of X of Net",
        ),
        (
            pd.DataFrame([[1, 2]], columns=["a", "a"]),
            ValueError,
            "more than one column",
        ),
        (pd.DataFrame({"a": [[1], [2]]}), TypeError, "column 'a' .* no categories"),
        (pl.DataFrame({"a": [[1], [2]]}), TypeError, "column 'a' .* no categories"),
        (pl.LazyFrame({"a": [1]}), TypeError, r"LazyFrame.*Pass X\.collect\(\)"),
    ],
)
def test_what_is_no_table_is_refused(X, error, message):
    with pytest.raises(error, match=message):
        FrameFeatures("Net").check(X, None, FLOATS, reset=True)


def test_targets_are_checked_beside_the_columns():
    features = FrameFeatures("Net")
    with pytest.raises(ValueError, match="Found input variables with inconsistent"):
        features.check(frame(), [0, 1], FLOATS, reset=True)
    with pytest.raises(ValueError, match="Input y contains NaN"):
        features.check(frame(), [0, 1, np.nan], FLOATS, reset=True)


# Warnings and limits.


def test_text_that_looks_like_an_identifier_is_warned_of():
    names = [f"passenger {i}" for i in range(101)]
    with pytest.warns(
        TrainingWarning, match="column 'name' .*identifier.*101 distinct"
    ):
        learn(pd.DataFrame({"name": names, "n": range(101)}))


@pytest.mark.parametrize(
    "values",
    [
        [f"passenger {i}" for i in range(100)],
        [f"passenger {i // 2}" for i in range(202)],
        pd.Categorical(range(101)),
    ],
    ids=["few rows", "half", "numbers"],
)
def test_other_categories_are_not_warned_of(values):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        column(values)


def test_more_codes_than_the_dtype_tells_apart_are_refused(monkeypatch):
    # A column of 2**24 values takes gigabytes: the dtype has fewer bits here.
    info = np.finfo(np.float16)
    monkeypatch.setattr(np, "finfo", lambda dtype: info)
    with pytest.raises(ValueError, match=r"column 'x' .* has 2048 distinct values"):
        column(pd.Categorical(range(2048)))
    column(pd.Categorical(range(2047)))


# The protocol of a fit.


def test_validation_rows_may_be_checked_before_and_encoded_after_learning():
    X = frame()
    features = FrameFeatures("Net")
    table, y = features.check(X, [0, 1, 0], FLOATS, reset=True)
    assert (table.shape, len(table), table.dtype) == ((3, 4), 3, np.float64)
    other, _ = features.check(X[:2].assign(k="z"), [0, 1], table.dtype, reset=False)
    encoded = features.learn(table, np.array([0, 2]))
    assert_array_equal(y, [0, 1, 0])
    assert_array_equal(
        features.encode(other, ANY), features.encode(X[:2].assign(k="z"), ANY)
    )
    assert_array_equal(features.encode(table[np.array([2, 0])], ANY), encoded[[2, 0]])


def test_copies_are_found_before_learning_missing_values_among_them():
    X = frame().iloc[[0, 1, 0, 2, 1]].assign(n=[1, None, 1, 2, None], c=[0] * 5)
    table = FrameFeatures("Net").check(X, None, FLOATS, reset=True)
    numbers = copies(table, np.zeros(5))
    assert (len(set(numbers)), numbers[0], numbers[1]) == (3, numbers[2], numbers[4])
    other = X.assign(c=[0, 0, 1, 0, 0])
    table = FrameFeatures("Net", ["k", "c"]).check(other, None, FLOATS, reset=True)
    numbers = copies(table, np.zeros(5))
    assert (len(set(numbers)), numbers[1]) == (4, numbers[4])


def test_encoded_rows_stay_as_they_are():
    features, encoded = learn(frame())
    part = encoded[np.array([2, 0])]
    assert isinstance(part, EncodedRows)
    assert features.encode(part, ANY) is part
    assert_array_equal(torch.from_numpy(part), encoded[[2, 0]])
    repeated = encoded[np.array([0, 1, 0])]
    rows, weight = merge_equal_rows(repeated, np.array([1, 0, 1]), None)
    assert sorted(weight) == [1, 2]
    assert isinstance(repeated[rows], EncodedRows)


def test_the_dtype_is_that_of_the_numbers_or_the_one_asked_for():
    single = pd.DataFrame({"a": np.float32([1, 2]), "k": ["a", "b"]})
    assert learn(single)[1].dtype == np.float32
    assert learn(single.assign(b=[1, 2]))[1].dtype == np.float64
    assert learn(pl.DataFrame({"a": np.float32([1, 2])}))[1].dtype == np.float32
    assert learn(frame(), dtype=np.dtype("float32"))[1].dtype == np.float32


def test_what_was_learnt_is_plain_data_to_skops():
    features, encoded = learn(frame())
    file = skops.io.dumps(features)
    types = skops.io.get_untrusted_types(data=file)
    assert all(name.startswith("sklearn_deep.data.") for name in types)
    again = skops.io.loads(file, trusted=types)
    assert again.encoding == features.encoding
    assert_array_equal(again.encode(frame(), ANY), encoded)


def test_arrays_are_read_where_pandas_and_polars_are_not_installed():
    code = (
        "import sys\n"
        "sys.modules.update(pandas=None, polars=None)\n"
        "import numpy as np\n"
        "from sklearn_deep.data._frame_features import FrameFeatures\n"
        "features = FrameFeatures('Net')\n"
        "X = np.array([[1, 'a'], [2, None], [3, 'b']], object)\n"
        "table = features.check(X, None, np.dtype('float32'), reset=True)\n"
        "print(features.learn(table, None).shape)"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert out.stdout == "(3, 3)\n"
