"""OnnxMultiTask predicts what a MultiTask predicts, from one file, without torch."""

import copy
import json
import pickle
import subprocess
import sys

import numpy as np
import onnx
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.compose import make_column_transformer
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_deep import (
    MLPClassifier,
    MLPRegressor,
    MultiTask,
    OnnxClassifier,
    OnnxExportError,
    OnnxFileError,
    OnnxMultiTask,
    OnnxRegressor,
    to_onnx,
)
from sklearn_deep.serving._metadata import with_checksum

RNG = np.random.default_rng(0)
X = pd.DataFrame(RNG.normal(size=(60, 4)), columns=list("abcd"))
X["place"] = np.where(RNG.random(60) > 0.5, "north", "south")
Y = pd.DataFrame(
    {
        "income": np.where(X["a"] > 0, "high", "low"),
        "hours": 100 * X["c"] + 40,
        "owner": X["d"] > 1,
    }
)
KINDS = {"income": "classification", "hours": "regression", "owner": "classification"}


def several(**params):
    return MultiTask(MLPRegressor((8,), max_epochs=3, random_state=0), **params)


@pytest.fixture(scope="module")
def pipeline():
    prepare = make_column_transformer(
        (StandardScaler(), list("abcd")), (OneHotEncoder(), ["place"])
    )
    return make_pipeline(prepare, several()).fit(X, Y)


@pytest.fixture(scope="module")
def path(pipeline, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "several.onnx"
    to_onnx(pipeline, X, path)
    return path


@pytest.fixture
def reader(path):
    return OnnxMultiTask(path)


def test_all_tasks_are_predicted_as_by_the_estimator(reader, pipeline):
    got, expected = reader.predict(X), pipeline.predict(X)
    assert reader.tasks_ == pipeline[-1].tasks_ == KINDS
    assert got["income"].tolist() == expected["income"].tolist()
    assert got["owner"].tolist() == expected["owner"].tolist()
    assert got["owner"].dtype == bool
    assert_allclose(got["hours"], expected["hours"], rtol=1e-6)
    p = pipeline.predict_proba(X)
    assert reader.predict_proba(X).keys() == p.keys()
    for task, each in reader.predict_proba(X).items():
        assert_allclose(each, p[task], atol=1e-6)


def test_predictions_are_a_frame_of_the_library_of_the_rows_or_a_dict(reader):
    rows = X.set_index(np.arange(100, 160))
    got = reader.predict(rows)
    assert list(got.columns) == list(KINDS)
    assert got.index.tolist() == rows.index.tolist()
    of_polars = reader.predict(pl.DataFrame(X.to_dict("list")))
    assert isinstance(of_polars, pl.DataFrame)
    assert of_polars["income"].to_list() == got["income"].tolist()
    of_array = reader.predict(X.to_numpy(object))
    assert isinstance(of_array, dict)
    assert of_array["income"].tolist() == got["income"].tolist()


@pytest.mark.parametrize("task", KINDS)
def test_one_task_is_a_classifier_or_regressor(task, reader, pipeline, path):
    classifies = KINDS[task] == "classification"
    cls = OnnxClassifier if classifies else OnnxRegressor
    whole = pipeline.predict(X)[task]
    for one in (reader.task(task), cls(path, task=task), clone(reader.task(task))):
        assert isinstance(one, cls)
        assert is_classifier(one) == classifies
        assert is_regressor(one) == (not classifies)
        if classifies:
            assert one.predict(X).tolist() == whole.tolist()
            p = pipeline.predict_proba(X)[task]
            assert_allclose(one.predict_proba(X), p, atol=1e-6)
            assert_array_equal(one.classes_, pipeline[-1].task(task).classes_)
        else:
            assert_allclose(one.predict(X), whole, rtol=1e-6)
            assert one.predict(X).shape == (60,)


def test_the_reader_of_a_task_shares_the_session_in_memory(reader):
    assert reader.task("hours")._file.session is reader._file.session


def test_a_task_can_be_used_where_a_classifier_can(reader):
    income = FrozenEstimator(reader.task("income"))
    score = clone(income).fit(X, Y["income"]).score(X, Y["income"])
    assert score == accuracy_score(reader.predict(X)["income"], Y["income"])


def test_scores_are_those_of_the_estimator(reader, pipeline):
    y = Y.copy()
    y.loc[::3, "hours"] = np.nan
    weight = RNG.random(60)
    rows = pipeline[:-1].transform(X)
    expected = pipeline[-1].task_scores(rows, y, weight)
    got = reader.task_scores(X, y, weight)
    assert got.keys() == expected.keys()
    assert_allclose(list(got.values()), list(expected.values()), rtol=1e-6)
    assert reader.score(X, y) == pytest.approx(pipeline[-1].score(rows, y))
    # Columns are found by their names.
    assert reader.score(X, y[y.columns[::-1]]) == reader.score(X, y)


def test_scores_need_the_columns_of_the_fit_and_a_known_target(reader):
    with pytest.raises(ValueError, match=r"columns of the fit.*'income'.*\['hours'\]"):
        reader.score(X, Y[["hours"]])
    unknown = pd.DataFrame({name: [None] * 60 for name in Y})
    with pytest.raises(ValueError, match="needs a known target"):
        reader.score(X, unknown)


def test_a_reader_survives_pickling_and_copying(reader):
    expected = reader.predict(X)
    for other in (
        pickle.loads(pickle.dumps(reader)),
        copy.deepcopy(reader),
        clone(reader),
    ):
        pd.testing.assert_frame_equal(other.predict(X), expected)
    task = pickle.loads(pickle.dumps(reader.task("income")))
    assert task.predict(X).tolist() == expected["income"].tolist()


def test_tasks_of_an_array_are_numbered(path):
    rows = X[list("abcd")].to_numpy()
    model = several(tasks="regression").fit(rows, rows[:, :2])
    reader = OnnxMultiTask(to_onnx(model, rows).to_bytes())
    assert list(reader.tasks_) == ["0", "1"]
    assert_allclose(reader.task(1).predict(rows), model.task(1).predict(rows))
    assert reader.score(rows, rows[:, :2]) == pytest.approx(
        model.score(rows, rows[:, :2])
    )
    assert not hasattr(reader, "predict_proba")


def test_numbers_of_a_float32_fit_are_float32():
    rows = X[list("abcd")].to_numpy(np.float32)
    model = several(tasks="regression").fit(rows, {"y": rows[:, 0]})
    reader = OnnxMultiTask(to_onnx(model, rows).to_bytes())
    assert reader.predict(rows)["y"].dtype == model.predict(rows)["y"].dtype
    assert reader.task("y").predict(rows).dtype == np.float32


def test_rows_that_the_estimator_refuses_are_refused(reader):
    rows = X.copy()
    rows.loc[3, "b"] = np.inf
    for read in (reader, reader.task("hours"), reader.task("owner")):
        with pytest.raises(ValueError, match="refuses 1 of 60 rows of X: 3"):
            read.predict(rows)


def test_an_unknown_task_is_named(reader, path):
    with pytest.raises(KeyError, match=r"no task 'age'; its tasks are \['income'"):
        reader.task("age")
    with pytest.raises(OnnxFileError, match=r"no task 'age'; its tasks are"):
        OnnxClassifier(path, task="age").predict(X)


def test_a_reader_of_another_form_says_which_reads_the_file(path):
    with pytest.raises(OnnxFileError, match=r"task='income'.*OnnxMultiTask"):
        OnnxClassifier(path).predict(X)
    with pytest.raises(OnnxFileError, match=r"a classifier.*OnnxClassifier"):
        OnnxRegressor(path, task="income").predict(X)
    rows = X[list("abcd")].to_numpy()
    model = MLPClassifier((4,), max_epochs=1, random_state=0).fit(rows, Y["income"])
    content = to_onnx(model, rows).to_bytes()
    with pytest.raises(OnnxFileError, match=r"a classifier.*OnnxClassifier"):
        OnnxMultiTask(content).predict(rows)
    with pytest.raises(OnnxFileError, match=r"single classifier.*task=None"):
        OnnxClassifier(content, task="income").predict(rows)


def test_tasks_whose_names_are_equal_as_text_are_not_exported():
    rows = X[list("abcd")].to_numpy()
    model = several(tasks="regression").fit(rows, {1: rows[:, 0], "1": rows[:, 1]})
    with pytest.raises(OnnxExportError, match="names of their own"):
        to_onnx(model, rows)


def test_a_file_of_before_without_the_dtype_of_numbers_is_read(path, reader):
    model = onnx.load(path)
    (entry,) = [p for p in model.metadata_props if p.key == "sklearn_deep"]
    metadata = json.loads(entry.value)
    for task in metadata["tasks"]:
        task.pop("dtype", None)
    entry.value = json.dumps(metadata)
    kept = [p for p in model.metadata_props if p.key != "sklearn_deep.sha256"]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    old = OnnxMultiTask(with_checksum(model.SerializeToString()))
    pd.testing.assert_frame_equal(old.predict(X), reader.predict(X))


def test_no_torch_is_imported(path):
    code = (
        "import sys\n"
        "from sklearn_deep import OnnxMultiTask\n"
        f"reader = OnnxMultiTask({str(path)!r})\n"
        "reader.predict([[0.0, 1.0, 2.0, 3.0, 'north']]), reader.task('income').classes_\n"
        "assert not {'torch', 'skorch', 'onnx'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
