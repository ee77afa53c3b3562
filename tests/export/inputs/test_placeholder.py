"""The category "nan" and missing values are distinct, in scikit-learn and in files."""

import json

import numpy as np
import pandas as pd
import pytest
import skl2onnx
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, TargetEncoder

from sklearn_deep import MLPClassifier, OnnxClassifier, to_onnx
from sklearn_deep.exceptions import OnnxExportError

from ..conftest import open_session

STEPS = {
    "one-hot": lambda: OneHotEncoder(handle_unknown="ignore"),
    "strict one-hot": OneHotEncoder,
    "rare": lambda: OneHotEncoder(
        handle_unknown="infrequent_if_exist", min_frequency=12, sparse_output=False
    ),
    "ordinal": lambda: OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=-1,
        encoded_missing_value=-2,
    ),
    "target": TargetEncoder,
    "imputed by the most frequent": lambda: make_pipeline(
        SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")
    ),
    "imputed by nan": lambda: make_pipeline(
        SimpleImputer(strategy="constant", fill_value="nan"),
        OneHotEncoder(handle_unknown="ignore"),
    ),
    "indicated": lambda: MissingIndicator(features="all"),
}
COLUMNS = {
    "no missing value": ["nan", "a", "b", "nan", "b"],
    "missing values": ["nan", "a", np.nan, "nan", "b"],
    "other names": ["nan", "missing value", np.nan, "missing value 2", "b"],
}


def fitted(step, X):
    columns = list(X.columns) if hasattr(X, "columns") else list(range(X.shape[1]))
    model = make_pipeline(
        ColumnTransformer([("c", step, columns)]),
        MLPClassifier((4,), max_epochs=3, random_state=0),
    )
    return model.fit(X, np.arange(len(X)) % 5 < 2)


def rows(values, as_frame):
    X = np.array([values * 8, (values[::-1] + values[:1]) * 6 + values[:4]], object).T
    return pd.DataFrame(X, columns=["c", "d"]) if as_frame else X


@pytest.mark.parametrize("as_frame", [True, False])
@pytest.mark.parametrize("values", COLUMNS)
@pytest.mark.parametrize("name", STEPS)
def test_a_category_named_nan_is_not_missing(name, values, as_frame):
    X = rows(COLUMNS[values], as_frame)
    model = fitted(STEPS[name](), X)
    reader = OnnxClassifier(to_onnx(model, X).to_bytes())
    np.testing.assert_allclose(reader.predict_proba(X), model.predict_proba(X), 1e-9)


@pytest.mark.parametrize("name", [name for name in STEPS if name != "strict one-hot"])
def test_a_new_missing_value_is_an_unknown_category(name):
    X = rows(COLUMNS["no missing value"], as_frame=True)
    model = fitted(STEPS[name](), X)
    later = X.copy()
    later.loc[::2, "c"] = np.nan
    reader = OnnxClassifier(to_onnx(model, X).to_bytes())
    expected = model.predict_proba(later)
    assert not np.allclose(expected, model.predict_proba(X)) or "imputed" in name
    np.testing.assert_allclose(reader.predict_proba(later), expected, 1e-9)


def test_the_metadata_contain_the_placeholder_of_missing_values():
    X = rows(COLUMNS["missing values"], as_frame=True)
    model = fitted(OneHotEncoder(), X)
    session = open_session(to_onnx(model, X))
    metadata = json.loads(session.get_modelmeta().custom_metadata_map["sklearn_deep"])
    assert metadata["missing"] not in {"nan", "a", "b"}
    feeds = {
        name: X[[name]].fillna(metadata["missing"]).to_numpy(object)
        for name in X.columns
    }
    shares = session.run(["probabilities"], feeds)[0]
    np.testing.assert_allclose(shares, model.predict_proba(X), 1e-9)


def test_the_generated_missing_value_is_nan_without_such_a_category():
    X = rows(["x", "a", np.nan, "b", "b"], as_frame=True)
    export = to_onnx(fitted(OneHotEncoder(), X), X)
    metadata = {entry.key: entry.value for entry in export.model.metadata_props}
    assert json.loads(metadata["sklearn_deep"])["missing"] == "nan"


@pytest.mark.parametrize("as_frame", [True, False])
def test_a_string_equal_to_the_placeholder_is_refused(as_frame):
    X = rows(["x", "a", np.nan, "b", "b"], as_frame)
    model = fitted(OneHotEncoder(handle_unknown="ignore"), X)
    reader = OnnxClassifier(to_onnx(model, X).to_bytes())
    later = rows(["nan", "a", "x", "b", "b"], as_frame)
    with pytest.raises(ValueError, match="string 'nan', which marks a missing value"):
        reader.predict(later)
    # An export with such rows uses another placeholder for missing values.
    both = pd.concat([X, later]) if as_frame else np.concatenate([X, later])
    reader = OnnxClassifier(to_onnx(model, both).to_bytes())
    np.testing.assert_allclose(
        reader.predict_proba(later), model.predict_proba(later), 1e-9
    )


def test_the_string_nan_is_unknown_if_missing_values_are_not_looked_up():
    X = rows(["x", "a", "c", "b", "b"], as_frame=True)
    model = fitted(OneHotEncoder(handle_unknown="ignore"), X)
    reader = OnnxClassifier(to_onnx(model, X).to_bytes())
    later = rows(["nan", "a", "x", "b", "b"], as_frame=True)
    np.testing.assert_allclose(
        reader.predict_proba(later), model.predict_proba(later), 1e-9
    )


def test_skl2onnx_refuses_a_category_that_equals_the_placeholder():
    X = rows(COLUMNS["missing values"], as_frame=True)
    model = fitted(OneHotEncoder(), X)
    with pytest.raises(OnnxExportError, match=r"export with sklearn_deep\.to_onnx"):
        skl2onnx.to_onnx(model, X[:1], options={"zipmap": False})
