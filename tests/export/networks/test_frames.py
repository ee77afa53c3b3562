"""Export of networks over frames: the encoding of columns is in the graph."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_deep import (
    OnnxClassifier,
    OnnxExportError,
    OnnxRegressor,
    TabularClassifier,
    TabularRegressor,
    to_onnx,
)

N_ROWS = 120
QUICK = {
    "n_networks": 2,
    "hidden_layer_sizes": 16,
    "max_epochs": 2,
    "random_state": 0,
}
RNG = np.random.default_rng(0)
MATRIX = RNG.normal(size=(N_ROWS, 3))
NUMBERS = MATRIX[:, 0] + RNG.normal(size=N_ROWS)
LABELS = np.where(NUMBERS > 0, "yes", "no")
FRAME = pd.DataFrame(
    {
        "size": np.where(np.arange(N_ROWS) % 7, MATRIX[:, 0], np.nan),
        "shop": [f"shop {i % 17}" for i in range(N_ROWS)],
        "town": [["Bonn", None, "nan", "Ulm"][i % 4] for i in range(N_ROWS)],
        "open": MATRIX[:, 1] > 0,
        "full": [[True, False, None][i % 3] for i in range(N_ROWS)],
        "grade": pd.Categorical([["b", "a", None][i % 3] for i in range(N_ROWS)]),
        "code": np.arange(N_ROWS) % 13,
        "level": [[0.5, 1.25, np.nan][i % 3] for i in range(N_ROWS)],
        "half": [[1.0, 2.0, np.nan][i % 3] for i in range(N_ROWS)],
        "same": 3.0,
        "count": pd.array([[1, 2, None][i % 3] for i in range(N_ROWS)], "Int64"),
    }
)
CATEGORIES = ["shop", "town", "grade", "code", "level", "half"]


@pytest.fixture(scope="module")
def model():
    return TabularClassifier(categorical_features=CATEGORIES, **QUICK).fit(
        FRAME, LABELS
    )


@pytest.fixture(scope="module")
def file(model):
    return OnnxClassifier(to_onnx(model, FRAME, tolerance=1e-5).to_bytes())


def test_a_frame_of_all_kinds_is_predicted_by_the_file(model, file):
    expected = model.predict_proba(FRAME)
    assert_allclose(file.predict_proba(FRAME), expected, atol=1e-6)
    assert_array_equal(file.predict(FRAME), model.predict(FRAME))


UNUSUAL = {
    "unseen text": {"shop": "another", "town": "Rome"},
    "missing text": {"shop": None, "town": None},
    "unseen number": {"code": 99},
    "number between categories": {"level": 1.0},
    "fraction beside whole categories": {"half": 1.5},
    "missing number": {"half": np.nan, "size": np.nan, "level": np.nan},
    "far number": {"size": 1e30},
    "missing boolean": {"full": None},
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_an_unusual_value_is_encoded_in_the_graph_as_in_python(model, file, name):
    rows = FRAME[:5].copy()
    for column, value in UNUSUAL[name].items():
        rows[column] = pd.Series([value] * 5, dtype=rows[column].dtype)
    expected = model.predict_proba(rows)
    assert_allclose(file.predict_proba(rows), expected, atol=1e-6)


def test_what_the_estimator_refuses_the_file_refuses(model, file):
    infinite = FRAME[:2].assign(size=np.inf)
    with pytest.raises(ValueError, match="infinity"):
        model.predict_proba(infinite)
    with pytest.raises(ValueError, match=r"refuse|NaN|infinity"):
        file.predict_proba(infinite)


def test_a_polars_frame_is_exported():
    frame = pl.DataFrame(
        {
            "size": MATRIX[:, 0],
            "town": [["Bonn", None, "Ulm"][i % 3] for i in range(N_ROWS)],
        }
    )
    model = TabularClassifier(**QUICK).fit(frame, LABELS)
    opened = OnnxClassifier(to_onnx(model, frame).to_bytes())
    expected = model.predict_proba(frame)
    assert_allclose(opened.predict_proba(frame), expected, atol=1e-6)


@pytest.mark.parametrize("embedding", ["periodic", "piecewise_linear", None])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_arrays_of_both_float_types_are_exported_with_every_embedding(embedding, dtype):
    model = TabularRegressor(numeric_embedding=embedding, dtype=dtype, **QUICK)
    X = MATRIX.astype(dtype)
    model.fit(X, NUMBERS)
    opened = OnnxRegressor(to_onnx(model, X).to_bytes())
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    assert_allclose(opened.predict(X), model.predict(X), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    ("params", "y"),
    [
        ({"loss": "gaussian"}, NUMBERS),
        ({"loss": "quantile", "loss_params": {"quantile": [0.1, 0.9]}}, NUMBERS),
        ({"loss": "poisson"}, np.abs(NUMBERS)),
        ({}, MATRIX[:, :2]),
    ],
)
def test_every_kind_of_prediction_of_numbers_is_exported(params, y):
    model = TabularRegressor(**params, **QUICK).fit(MATRIX, y)
    opened = OnnxRegressor(to_onnx(model, MATRIX).to_bytes())
    assert_allclose(opened.predict(MATRIX), model.predict(MATRIX), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("several", ["classes", "labels"])
def test_several_classes_and_labels_are_exported(several):
    y = np.arange(N_ROWS) % 3 if several == "classes" else (MATRIX > 0).astype(int)
    model = TabularClassifier(**QUICK).fit(MATRIX, y)
    opened = OnnxClassifier(to_onnx(model, MATRIX).to_bytes())
    expected = model.predict_proba(MATRIX)
    assert_allclose(opened.predict_proba(MATRIX), expected, atol=1e-6)


def test_a_pipeline_in_a_search_is_exported():
    pipe = make_pipeline(FunctionTransformer(), TabularClassifier(**QUICK))
    search = GridSearchCV(pipe, {"tabularclassifier__max_one_hot": [0, 20]}, cv=2)
    frame = FRAME[["size", "shop"]]
    search.fit(frame, LABELS)
    assert to_onnx(search.best_estimator_[-1], frame).receipt["rows"] == N_ROWS


def test_a_category_that_is_called_like_the_missing_value_is_told_apart():
    towns = [["nan", None, "Ulm"][i % 3] for i in range(N_ROWS)]
    frame = pd.DataFrame({"town": towns})
    model = TabularClassifier(**QUICK).fit(frame, np.arange(N_ROWS) % 3 == 0)
    opened = OnnxClassifier(to_onnx(model, frame[1:3]).to_bytes())
    expected = model.predict_proba(frame[:3])
    assert_allclose(opened.predict_proba(frame[:3]), expected, atol=1e-6)
    assert abs(expected[0, 0] - expected[1, 0]) > 1e-3


def test_rows_whose_columns_are_all_constant_are_exported():
    X = np.ones((20, 2))
    model = TabularRegressor(**QUICK).fit(X, np.arange(20.0))
    opened = OnnxRegressor(to_onnx(model, X).to_bytes())
    assert_allclose(opened.predict(X), model.predict(X), rtol=1e-6)


def test_rows_of_another_type_than_in_the_fit_are_an_error_that_names_the_column():
    frame = FRAME[["shop"]]
    model = TabularClassifier(**QUICK).fit(frame, LABELS)
    missing = pd.DataFrame({"shop": pd.Series([None] * 4, dtype=object)})
    with pytest.raises(OnnxExportError, match=r"'shop' .* categories such as 'shop 0'"):
        to_onnx(model, missing)
