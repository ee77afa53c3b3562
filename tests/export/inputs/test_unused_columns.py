"""Columns that the pipeline does not read are not inputs of the file."""

import datetime
import decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from sklearn_deep import (
    MLPClassifier,
    MLPRegressor,
    OnnxClassifier,
    OnnxExportError,
    OnnxParityError,
    OnnxRegressor,
    to_onnx,
)

N = 40
LABELS = np.arange(N) % 2
# dtype of a column -> its values: only the last two can be ONNX inputs
UNUSED = {
    "datetime": pd.date_range("2020-01-01", periods=N),
    "datetime with a zone": pd.date_range("2020-01-01", periods=N, tz="UTC"),
    "timedelta": pd.timedelta_range("1h", periods=N),
    "period": pd.period_range("2020-01", periods=N, freq="M"),
    "interval": pd.interval_range(0, N),
    "categories of dates": pd.Categorical(pd.date_range("2020-01-01", periods=N)),
    "complex": [1j] * N,
    "mixed": [1, "one"] * (N // 2),
    "lists": [[1, 2]] * N,
    "lists of two lengths": [[1], [2, 3]] * (N // 2),
    "arrays": [np.arange(2)] * N,
    "dicts": [{"a": 1}] * N,
    "sets": [{1}] * N,
    "bytes": [b"x"] * N,
    "dates": [datetime.date(2020, 1, 1)] * N,
    "decimals": [decimal.Decimal(1)] * N,
    "missing dates": [pd.NaT] * N,
    "None": [None] * N,
    "nullable integers": pd.array([1, None] * (N // 2), dtype="Int64"),
}
POLARS = {
    "dates": pl.Series([datetime.date(2020, 1, 1)] * N),
    "datetimes": pl.Series([datetime.datetime(2020, 1, 1)] * N),
    "times": pl.Series([datetime.time(1)] * N),
    "durations": pl.Series([datetime.timedelta(1)] * N),
    "lists": pl.Series([[1, 2], [3]] * (N // 2)),
    "arrays": pl.Series([[1, 2]] * N, dtype=pl.Array(pl.Int64, 2)),
    "structs": pl.Series([{"a": 1}] * N),
    "bytes": pl.Series([b"x"] * N),
    "nulls": pl.Series([None] * N),
    "objects": pl.Series([object()] * N, dtype=pl.Object),
}


def network():
    return MLPClassifier((4,), max_epochs=1, random_state=0)


def used(seed=0):
    rng = np.random.default_rng(seed)
    cities = rng.choice(["Bern", "Oslo"], N).astype(object)
    cities[3] = None
    return {"age": rng.normal(size=N), "city": cities}


def frame(values=UNUSED["datetime"], seed=0):
    age, city = used(seed).values()
    return pd.DataFrame({"when": values, "age": age, "city": city})


def columns(numbers="age", texts="city", **options):
    return ColumnTransformer(
        [
            ("n", StandardScaler(), [numbers]),
            ("c", OneHotEncoder(handle_unknown="ignore", sparse_output=False), [texts]),
        ],
        **options,
    )


def fitted(X, *steps):
    return make_pipeline(*(steps or [columns()]), network()).fit(X, LABELS)


def assert_same(reader, model, rows, as_model_takes=None):
    expected = model.predict_proba(rows if as_model_takes is None else as_model_takes)
    np.testing.assert_allclose(reader.predict_proba(rows), expected, atol=1e-6)


@pytest.mark.parametrize("kind", UNUSED)
def test_an_unread_column_may_contain_anything(kind, inputs):
    X = frame(UNUSED[kind])
    model = fitted(X)
    export = to_onnx(model, X)
    assert inputs(export) == {"age": "tensor(double)", "city": "tensor(string)"}
    reader = OnnxClassifier(export.to_bytes())
    for rows in (
        X,
        X.drop(columns="when"),
        X[["city", "when", "age"]],
        X.assign(more=UNUSED["lists"]),
        X.assign(when="text"),
        frame(UNUSED[kind], seed=1)[5:],
    ):
        assert_same(reader, model, rows)
    assert list(reader.feature_names_in_) == ["when", "age", "city"]
    assert reader.n_features_in_ == 3


@pytest.mark.parametrize("kind", POLARS)
def test_unread_polars_columns_may_contain_anything(kind, inputs):
    X = pl.DataFrame({"when": POLARS[kind], **used()}, strict=False)
    model = fitted(X)
    export = to_onnx(model, X)
    assert set(inputs(export)) == {"age", "city"}
    reader = OnnxClassifier(export.to_bytes())
    for rows in (X, X.drop("when"), X[["city", "age", "when"]]):
        assert_same(reader, model, rows)


def test_generated_rows_are_compared_with_unread_columns_present():
    X = frame(UNUSED["lists"])
    model = fitted(X)
    # The first row, one with an unseen city, and one without a city.
    assert to_onnx(model, X).receipt["edge_rows"] == 3
    kept = X[["age", "city"]]
    assert to_onnx(model, kept).receipt["edge_rows"] == 3


def test_an_export_needs_only_the_columns_that_are_read():
    X = frame()
    model = fitted(X)
    for rows in (X[["city", "age"]], X[["age", "city"]].assign(more=1)):
        assert to_onnx(model, rows).to_bytes() == to_onnx(model, X).to_bytes()


def test_a_large_frame_is_compared_without_unread_columns():
    X = pd.concat([frame()] * 500, ignore_index=True).drop(columns="when")
    assert to_onnx(fitted(frame()), X).receipt["rows"] == 500 * N


def nested():
    inner = columns()
    return ColumnTransformer([("inner", inner, ["when", "age", "city"])])


def behind_a_selector():
    numbers = make_pipeline(SimpleImputer(), SelectKBest(k=1))
    return ColumnTransformer(
        [("n", numbers, make_column_selector(dtype_include="number"))]
    )


def union():
    texts = ColumnTransformer([("o", OrdinalEncoder(), ["city"])])
    filled = make_pipeline(texts, SimpleImputer())
    return FeatureUnion(
        [
            ("first", ColumnTransformer([("n", StandardScaler(), ["age"])])),
            ("second", filled),
        ]
    )


CHOICES = {
    "names": make_pipeline(columns(verbose_feature_names_out=False), network()),
    "pandas": make_pipeline(columns().set_output(transform="pandas"), network()),
    "nested": make_pipeline(nested(), network()),
    "selector": make_pipeline(behind_a_selector(), network()),
    "union": make_pipeline(union(), network()),
    "vote": VotingClassifier(
        [("a", make_pipeline(columns(), network()))], voting="soft"
    ),
    "stack": StackingClassifier(
        [("a", make_pipeline(columns(), network()))], network()
    ),
    "search": GridSearchCV(
        make_pipeline(columns(), network()), {"mlpclassifier__dropout": [0.0]}, cv=2
    ),
}


@pytest.mark.parametrize("choice", CHOICES)
def test_unread_columns_are_left_out_for_every_selection(choice, inputs):
    X = frame()
    model = CHOICES[choice].fit(X, LABELS)
    export = to_onnx(model, X)
    assert "when" not in inputs(export)
    reader = OnnxClassifier(export.to_bytes())
    assert_same(reader, model, X)
    assert_same(reader, model, X[["city", "when", "age"]])


@pytest.mark.parametrize("choice", CHOICES)
def test_rows_may_lack_a_column_that_the_estimator_does_not_need(choice):
    X = frame()
    model = CHOICES[choice].fit(X, LABELS)
    reader = OnnxClassifier(to_onnx(model, X).to_bytes())
    without = X.drop(columns="when")
    if choice == "nested":  # the column is passed to a transformer that drops it
        with pytest.raises(ValueError, match="missing"):
            model.predict(without)
        with pytest.raises(ValueError, match=r"lacks the columns \['when'\]"):
            reader.predict(without)
    else:
        assert_same(reader, model, without)


def test_the_reader_needs_the_columns_that_the_estimator_needs():
    """A selector does not read a dropped column, but refuses rows without it."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(N, 3)), columns=list("abc"))
    model = fitted(X, SelectKBest(k=1))
    dropped = str(X.columns[~model[0].get_support()][0])
    without = X.drop(columns=dropped)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(without)
    with pytest.raises(ValueError, match="lacks the columns"):
        OnnxClassifier(to_onnx(model, X).to_bytes()).predict(without)
    with pytest.raises(OnnxExportError, match="lacks the columns"):
        to_onnx(model, without)


def test_needed_columns_are_found_among_many_unread_ones():
    X = frame().assign(**{f"x{j}": 1.0 for j in range(20)}, odd=UNUSED["lists"])
    inner = ColumnTransformer([("n", StandardScaler(), ["age"])])
    model = fitted(X, ColumnTransformer([("i", inner, ["age", "x3", "odd"])]))
    reader = OnnxClassifier(to_onnx(model, X).to_bytes())
    assert_same(reader, model, X[["age", "odd", "x3"]])
    for name in ("age", "odd", "x3"):
        with pytest.raises(ValueError, match="missing"):
            model.predict(X.drop(columns=name))
        with pytest.raises(ValueError, match=f"lacks the columns .'{name}'"):
            reader.predict(X.drop(columns=name))


def test_regressors_and_transformers_drop_unread_columns():
    X = frame()
    model = make_pipeline(columns(), MLPRegressor((4,), max_epochs=1, random_state=0))
    model.fit(X, X["age"])
    rows = X.drop(columns="when")
    reader = OnnxRegressor(to_onnx(model, rows).to_bytes())
    np.testing.assert_allclose(reader.predict(rows), model.predict(X), rtol=1e-5)


# Arrays


def mixed(values=UNUSED["dates"]):
    X = np.empty((N, 3), object)
    X[:, 0] = values
    X[:, 1], X[:, 2] = used().values()
    return X


@pytest.mark.parametrize("kind", ["dates", "missing dates", "decimals", "mixed"])
def test_an_array_of_objects_gives_an_input_for_each_column_that_is_read(kind, inputs):
    X = mixed(list(UNUSED[kind]))
    model = fitted(X, columns(1, 2))
    export = to_onnx(model, X)
    assert inputs(export) == {"x1": "tensor(double)", "x2": "tensor(string)"}
    reader = OnnxClassifier(export.to_bytes())
    assert_same(reader, model, X)
    other = X.copy()
    other[:, 0] = "text"
    assert_same(reader, model, other[5:])
    with pytest.raises(ValueError, match="2 features"):
        reader.predict(X[:, 1:])


def test_an_array_with_columns_of_one_type_is_one_input(inputs):
    X = np.array([["a", "b"], ["c", None]] * (N // 2), object)
    model = fitted(X, OneHotEncoder())
    assert inputs(to_onnx(model, X)) == {"X": "tensor(string)"}


# Errors name columns that are read


@pytest.mark.parametrize(
    "step",
    [
        ColumnTransformer([("w", StandardScaler(), ["when"])], remainder="drop"),
        ColumnTransformer([("w", "passthrough", ["when"])]),
        ColumnTransformer([("w", SimpleImputer(), ["when", "age"])]),
    ],
    ids=["scaled", "passed", "imputed"],
)
def test_the_error_names_a_column_that_cannot_be_an_input(step):
    model = fitted(frame(1.0), step)
    with pytest.raises(OnnxExportError, match=r"Column 'when' contains datetime64"):
        to_onnx(model, frame())


@pytest.mark.parametrize("kind", ["lists", "arrays", "structs", "durations"])
def test_the_error_names_a_polars_column_that_cannot_be_an_input(kind):
    X = pl.DataFrame({"when": [1.0] * N, **used()}, strict=False)
    model = fitted(X, columns("when"))
    with pytest.raises(OnnxExportError, match="Column 'when' contains"):
        to_onnx(model, X.with_columns(when=POLARS[kind]))


def test_a_wrong_step_is_found_in_a_frame_without_some_columns():
    model, X = fitted(frame()), frame().drop(columns="when")
    with pytest.raises(OnnxParityError, match="differs is mlpclassifier"):
        to_onnx(model, X, dtype="float32", tolerance=1e-12)


def test_the_error_names_a_column_of_an_array_that_cannot_be_an_input():
    model = fitted(mixed(1.0), columns(0, 2))
    with pytest.raises(OnnxExportError, match="Column 'x0' contains values of date"):
        to_onnx(model, mixed())


def test_the_error_names_a_needed_column_that_is_missing():
    with pytest.raises(OnnxExportError, match=r"lacks the columns \['age'\]"):
        to_onnx(fitted(frame()), frame().drop(columns="age"))
