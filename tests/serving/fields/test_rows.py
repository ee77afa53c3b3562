"""Rows as people write them: what is taken, and what each fault says."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_deep import (
    CNNClassifier,
    MLPClassifier,
    RNNClassifier,
    TabularClassifier,
    to_onnx,
)
from sklearn_deep.serving._session import OnnxSession
from sklearn_deep.serving.fields._fields import fields_of
from sklearn_deep.serving.fields._rows import FieldErrors, columns_to_X, rows_to_X
from sklearn_deep.serving.fields._schema import row_schema


def people(n=60):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 80, n),
            "income": rng.normal(3e3, 1e3, n),
            "town": rng.choice(["Bonn", "Ulm", "Mainz"], n),
            "sex": rng.choice(["f", "m"], n),
            "smokes": rng.random(n) > 0.5,
            "name": [f"person {i}" for i in range(n)],
        }
    )
    frame.loc[3, "income"] = np.nan
    return frame, (frame["age"] > 50).to_numpy()


@pytest.fixture(scope="module")
def frame_file():
    X, y = people()
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), ["income"]),
        (StandardScaler(), ["age"]),
        (OneHotEncoder(handle_unknown="ignore"), ["town"]),
        (OneHotEncoder(), ["sex"]),
        ("passthrough", ["smokes"]),
    )
    pipe = make_pipeline(columns, MLPClassifier((4,), max_epochs=2, random_state=0))
    pipe.fit(X, y)
    return OnnxSession(to_onnx(pipe, X).to_bytes(), 1, True), pipe, X


ROW = {"age": 31, "income": 2000.5, "town": "Bonn", "sex": "f", "smokes": True}


def faults(metadata, rows, convert=rows_to_X, **options):
    with pytest.raises(FieldErrors) as caught:
        convert(metadata, rows, **options)
    return [(e.field, e.message, e.fix) for e in caught.value.errors]


def test_rows_predict_as_the_frame_does(frame_file):
    opened, pipe, X = frame_file
    records = json.loads(X.to_json(orient="records"))
    role = opened.metadata["outputs"]["predict_proba"]
    (got,), _ = opened.run(role, rows_to_X(opened.metadata, records))
    np.testing.assert_allclose(got, pipe.predict_proba(X), atol=1e-6)
    columns = json.loads(X.drop(columns="name").to_json(orient="columns"))
    columns = {name: list(values.values()) for name, values in columns.items()}
    (again,), _ = opened.run(role, columns_to_X(opened.metadata, columns))
    np.testing.assert_array_equal(again, got)


def test_text_of_a_csv_predicts_as_the_frame_does(frame_file):
    opened, pipe, X = frame_file
    text = X.astype({"smokes": str}).astype(object).where(X.notna(), "")
    rows = [{k: str(v) for k, v in row.items()} for row in text.to_dict("records")]
    role = opened.metadata["outputs"]["predict_proba"]
    X_read = rows_to_X(opened.metadata, rows, from_text=True)
    (got,), _ = opened.run(role, X_read)
    np.testing.assert_allclose(got, pipe.predict_proba(X), atol=1e-6)


@pytest.mark.parametrize(
    ("change", "field", "message", "fix"),
    [
        ({"age": "31"}, "age", "must be an integer, got '31'", "integer, such as 3"),
        ({"age": 31.5}, "age", "must be an integer, got 31.5", "integer"),
        ({"age": 2**63}, "age", "does not fit into 64 bits", "smaller"),
        ({"age": None}, "age", "is missing", "Fill it in"),
        ({"age": True}, "age", "must be an integer, got true", "integer"),
        ({"income": "much"}, "income", "must be a number, got 'much'", "quotes"),
        ({"income": 10**400}, "income", "is too large", "1e308"),
        ({"income": [1]}, "income", "must be a number, got a list", "quotes"),
        ({"smokes": 2}, "smokes", "must be true or false, got 2", "true or false"),
        ({"town": 5}, "town", "must be a string, got 5", "quotes"),
        ({"sex": "x"}, "sex", "'x', which the model does not know", "'f', 'm'"),
        ({"sex": None}, "sex", "is missing", "Fill it in"),
        ({"agee": 3}, "agee", "is no column of the model", "Did you mean 'age'?"),
        ({"zzzzz": 3}, "zzzzz", "is no column of the model", "'age', 'income'"),
    ],
)
def test_a_fault_names_its_field_and_the_fix(frame_file, change, field, message, fix):
    rows = [ROW, {**ROW, **change}]
    ((where, what, how),) = faults(frame_file[0].metadata, rows)
    assert where == f"rows[1].{field}"
    assert message in what
    assert fix in how


def test_all_faults_of_a_request_are_found(frame_file):
    rows = [{**ROW, "age": "x", "sex": "q"}, 7, {**ROW, "smokes": "no"}]
    found = {field for field, _, _ in faults(frame_file[0].metadata, rows)}
    assert found == {"rows[0].age", "rows[0].sex", "rows[1]", "rows[2].smokes"}


def test_what_the_model_accepts_is_accepted(frame_file):
    opened = frame_file[0]
    rows = [{**ROW, "income": None, "town": "never seen"}, {**ROW, "age": 31.0}]
    del rows[0]["income"]
    opened.run(opened.metadata["outputs"]["predict"], rows_to_X(opened.metadata, rows))


@pytest.mark.parametrize("rows", [[], None, {}, "text", 3])
def test_a_request_without_rows_is_refused(frame_file, rows):
    ((field, message, _),) = faults(frame_file[0].metadata, rows)
    assert (field, message) == ("rows", "has no rows")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"age": [1, 2, 3]}, "columns"),
        ({"age": 5}, "columns.age"),
        ({"agee": [1, 2]}, "columns.agee"),
        ({"age": [1, "x"]}, "columns.age[1]"),
    ],
)
def test_columns_are_checked_too(frame_file, change, field):
    columns = {name: [value, value] for name, value in ROW.items()} | change
    found = faults(frame_file[0].metadata, columns, columns_to_X)
    assert [where for where, _, _ in found] == [field]


def test_an_array_has_columns_x0_x1():
    X, y = load_iris(return_X_y=True)
    network = MLPClassifier((4,), max_epochs=1, random_state=0).fit(X, y)
    opened = OnnxSession(to_onnx(network, X).to_bytes(), 1, True)
    rows = [dict(zip(["x0", "x1", "x2", "x3"], map(float, x), strict=True)) for x in X]
    (got,), _ = opened.run(
        opened.metadata["outputs"]["predict_proba"], rows_to_X(opened.metadata, rows)
    )
    np.testing.assert_allclose(got, network.predict_proba(X), atol=1e-6)
    ((where, what, _),) = faults(opened.metadata, [{**rows[0], "x2": None}])
    assert (where, "missing" in what) == ("rows[0].x2", True)


def test_a_file_without_fields_lets_the_model_decide(frame_file):
    opened, pipe, _ = frame_file
    old = {key: v for key, v in opened.metadata.items() if key != "fields"}
    role = old["outputs"]["predict_proba"]
    (got,), _ = opened.run(role, rows_to_X(old, [ROW]))
    np.testing.assert_allclose(
        got, pipe.predict_proba(pd.DataFrame([ROW | {"name": ""}]))
    )
    with pytest.raises(ValueError, match="refuses 1 of 1 rows"):
        opened.run(role, rows_to_X(old, [{**ROW, "sex": "x"}]))


@pytest.mark.parametrize("with_fields", [True, False])
def test_pixels_in_columns_are_bytes_and_nothing_else(with_fields):
    X = np.random.default_rng(0).integers(0, 256, (30, 16)).astype(np.uint8)
    model = CNNClassifier(input_shape=(4, 4), max_epochs=1, random_state=0)
    file = to_onnx(model.fit(X, np.arange(30) % 2), X).to_bytes()
    session = OnnxSession(file, None, True)
    if not with_fields:
        session.metadata["fields"] = None
    rows = [{f"x{j}": int(v) for j, v in enumerate(row)} for row in X[:3]]
    found = session.run(
        session.metadata["outputs"]["predict_proba"],
        rows_to_X(session.metadata, rows),
    )
    np.testing.assert_allclose(found[0][0], model.predict_proba(X[:3]), atol=1e-6)
    for wrong in (256, -1, 2**40, 0.5, True):
        (fault,) = faults(session.metadata, [{**rows[0], "x3": wrong}])
        assert fault[0] == "rows[0].x3"
    limits = row_schema(fields_of(session.metadata))["properties"]["x3"]
    assert (limits["minimum"], limits["maximum"]) == (0, 255)


def test_dates_and_durations_are_read():
    n = 40
    start = pd.Timestamp("2024-01-01")
    X = pd.DataFrame(
        {
            "since": start + pd.to_timedelta(np.arange(n), "D"),
            "took": pd.to_timedelta(np.arange(n) * 1.5, "s"),
        }
    )
    network = TabularClassifier(max_epochs=1, random_state=0).fit(X, np.arange(n) > 20)
    opened = OnnxSession(to_onnx(network, X).to_bytes(), 1, True)
    rows = [{"since": str(s), "took": t.total_seconds()} for s, t in X.to_numpy()]
    (got,), _ = opened.run(
        opened.metadata["outputs"]["predict_proba"], rows_to_X(opened.metadata, rows)
    )
    np.testing.assert_allclose(got, network.predict_proba(X), atol=1e-5)
    found = faults(opened.metadata, [{"since": "yesterday", "took": "long"}])
    assert [message for _, message, _ in found] == [
        "must be a date, got 'yesterday'",
        "must be a number, got 'long'",
    ]
    zoned = rows_to_X(opened.metadata, [{"since": "2024-01-02T01:00+01:00", "took": 1}])
    assert zoned["since"].to_numpy()[0] == np.datetime64("2024-01-02T00:00")


def test_images_and_texts_are_nested_lists_and_strings():
    X = np.random.default_rng(0).integers(0, 256, (12, 1, 6, 6)).astype(np.uint8)
    network = CNNClassifier((2,), max_epochs=1, random_state=0).fit(
        X, np.arange(12) > 5
    )
    opened = OnnxSession(to_onnx(network, X).to_bytes(), 1, True)
    role = opened.metadata["outputs"]["predict_proba"]
    (got,), _ = opened.run(role, rows_to_X(opened.metadata, X.tolist()))
    np.testing.assert_allclose(got, network.predict_proba(X), atol=1e-5)
    ((where, what, _),) = faults(opened.metadata, [X[0].tolist(), X[0][0].tolist()])
    assert (where, "1 x 6 x 6" in what) == ("rows[1]", True)
    ((_, what, _),) = faults(opened.metadata, [(X[0] + 0.5).tolist()])
    assert "integers from 0 to 255" in what
    texts = ["good film", "bad film", "good", "bad"] * 4
    reader = RNNClassifier(max_epochs=1, random_state=0).fit(texts, [1, 0, 1, 0] * 4)
    opened = OnnxSession(to_onnx(reader, texts).to_bytes(), 1, True)
    opened.run(opened.metadata["outputs"]["predict"], rows_to_X(opened.metadata, texts))
    assert faults(opened.metadata, ["good", 3])[0][0] == "rows[1]"
