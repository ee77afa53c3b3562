"""The fields that to_onnx writes about the columns of a table."""

import json

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from sklearn_deep import (
    CNNClassifier,
    MLPClassifier,
    MLPRegressor,
    TabularClassifier,
    to_onnx,
)
from sklearn_deep.serving._metadata_fields import find_invalid_field


def metadata_of(export):
    props = {prop.key: prop.value for prop in export.model.metadata_props}
    return json.loads(props["sklearn_deep"])


def fields_of(model, X):
    return {field["name"]: field for field in metadata_of(to_onnx(model, X))["fields"]}


def network():
    return MLPClassifier((4,), max_epochs=1, random_state=0)


def people(n=60):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "age": rng.integers(18, 80, n),
            "income": np.where(np.arange(n) % 7, rng.normal(3e3, 1e3, n), np.nan),
            "town": rng.choice(["Bonn", "Ulm"], n),
            "sex": rng.choice(["f", "m"], n),
            "smokes": np.arange(n) % 3 == 0,
            "name": [f"person {i}" for i in range(n)],
        }
    )


def fitted(X):
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), ["income"]),
        (StandardScaler(), ["age"]),
        (OneHotEncoder(handle_unknown="ignore"), ["town"]),
        (OneHotEncoder(), ["sex"]),
        ("passthrough", ["smokes"]),
    )
    return make_pipeline(columns, network()).fit(X, np.arange(len(X)) % 2)


def as_polars(frame):
    return pl.DataFrame({name: frame[name].tolist() for name in frame})


@pytest.mark.parametrize("frame", [pd.DataFrame, as_polars])
def test_each_column_of_a_frame_is_described(frame):
    X = frame(people())
    fields = fields_of(fitted(X), X)
    assert list(fields) == ["age", "income", "town", "sex", "smokes", "name"]
    assert fields["age"]["kind"] == "integer"
    assert fields["age"]["min"] == people()["age"].min()
    assert fields["age"]["max"] == people()["age"].max()
    assert fields["income"]["kind"] == "number"
    assert fields["income"]["default"] == pytest.approx(
        people()["income"].median(), rel=1e-5
    )
    assert fields["town"]["choices"] == ["Bonn", "Ulm"]
    assert fields["town"]["default"] == people()["town"].mode()[0]
    assert (fields["smokes"]["kind"], fields["smokes"]["default"]) == ("boolean", False)
    assert fields["name"] == {
        "name": "name",
        "kind": "text",
        "missing": True,
        "default": None,
        "used": False,
    }


def test_what_a_column_accepts_is_what_the_model_accepts():
    X = people()
    fields = fields_of(fitted(X), X)
    assert {name: field["missing"] for name, field in fields.items()} == {
        "age": False,
        "income": True,
        "town": True,
        "sex": False,
        "smokes": False,
        "name": True,
    }
    assert (fields["town"]["open"], fields["sex"]["open"]) == (True, False)


def test_a_closed_category_offers_all_that_the_model_knows():
    X = people()
    model = fitted(X)
    women = X[X["sex"] == "f"]
    assert fields_of(model, women)["sex"]["choices"] == ["f", "m"]


def test_columns_of_an_array_are_numbered():
    X = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
    fields = fields_of(network().fit(X, X[:, 0] > 0), X)
    assert list(fields) == ["x0", "x1", "x2"]
    assert not any(field["missing"] for field in fields.values())
    imputed = make_pipeline(SimpleImputer(), network()).fit(X, X[:, 0] > 0)
    assert all(field["missing"] for field in fields_of(imputed, X).values())


def test_a_regressor_is_asked_too():
    X = np.random.default_rng(0).normal(size=(30, 2))
    model = make_pipeline(
        SimpleImputer(), MLPRegressor((4,), max_epochs=1, random_state=0)
    )
    fields = fields_of(model.fit(X, X[:, 0]), X)
    assert [field["missing"] for field in fields.values()] == [True, True]


def test_no_text_that_is_nearly_unique_is_written():
    texts = [f"secret {i} of {i % 3}" for i in range(40)]
    X = pd.DataFrame({"text": texts, "n": np.arange(40.0)})
    columns = make_column_transformer(
        (TfidfVectorizer(), "text"), ("passthrough", ["n"])
    )
    model = make_pipeline(columns, network()).fit(X, np.arange(40) % 2)
    fields = fields_of(model, X)
    assert fields["text"]["kind"] == "text"
    assert fields["text"]["default"] is None
    assert "secret" not in json.dumps(fields)


def test_many_categories_are_text():
    X = pd.DataFrame({"town": [f"town {i % 60}" for i in range(600)]})
    model = make_pipeline(OrdinalEncoder(), network()).fit(X, np.arange(600) % 2)
    assert fields_of(model, X)["town"]["kind"] == "text"


def test_dates_are_iso_text():
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(31), "D")
    X = pd.DataFrame({"since": days})
    model = TabularClassifier(max_epochs=1, random_state=0).fit(X, np.arange(31) > 15)
    field = fields_of(model, X)["since"]
    assert field["kind"] == "date"
    assert (field["min"], field["default"], field["max"]) == (
        "2024-01-01",
        "2024-01-16",
        "2024-01-31",
    )


def test_images_and_very_wide_tables_have_none():
    X = np.random.default_rng(0).random((8, 1, 6, 6)).astype(np.float32)
    y = np.arange(8) > 3
    images = CNNClassifier((2,), max_epochs=1, random_state=0).fit(X, y)
    assert metadata_of(to_onnx(images, X))["fields"] is None
    wide = np.random.default_rng(0).normal(size=(8, 1001))
    assert metadata_of(to_onnx(network().fit(wide, y), wide))["fields"] is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "colour"}, "kind must be one of"),
        ({"missing": 1}, "missing must be true or false"),
        ({"min": "low"}, None),
        ({"min": None}, "min must be a string or a finite number"),
        ({"choices": ["a"]}, "choices must be set for a category"),
        ({"name": "other"}, "one entry per feature"),
    ],
)
def test_fields_of_a_file_are_checked_before_they_are_used(change, message):
    X = np.random.default_rng(0).normal(size=(30, 2))
    metadata = metadata_of(to_onnx(network().fit(X, X[:, 0] > 0), X))
    assert find_invalid_field(metadata) is None
    metadata["fields"][1].update(change)
    found = find_invalid_field(metadata)
    assert found is None if message is None else message in found


def test_a_file_without_fields_is_read():
    X = np.random.default_rng(0).normal(size=(30, 2))
    metadata = metadata_of(to_onnx(network().fit(X, X[:, 0] > 0), X))
    del metadata["fields"]
    assert find_invalid_field(metadata) is None
