"""The Onnx estimators predict what the exported estimator predicts, without torch."""

import copy
import pickle
import subprocess
import sys
import threading

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.sparse import csr_matrix
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_diabetes, load_iris, make_multilabel_classification
from sklearn.ensemble import VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import permutation_importance
from sklearn.metrics import d2_pinball_score
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_deep import (
    InvalidParameterError,
    MLPClassifier,
    MLPRegressor,
    OnnxClassifier,
    OnnxFileError,
    OnnxRegressor,
    RNNClassifier,
    to_onnx,
)


def network(**params):
    return MLPClassifier((6,), max_epochs=2, random_state=0, **params)


@pytest.fixture(scope="module")
def frame():
    X, _ = load_iris(return_X_y=True, as_frame=True)
    X["garden"] = pd.Series(["north", "south", None] * 50, dtype=object)
    return X


@pytest.fixture(scope="module")
def pipeline(frame):
    prepare = make_column_transformer(
        (StandardScaler(), list(frame.columns[:4])),
        (OneHotEncoder(handle_unknown="ignore"), ["garden"]),
    )
    y = np.array(["setosa", "versicolor", "virginica"])[load_iris().target]
    return make_pipeline(prepare, network()).fit(frame, y)


@pytest.fixture(scope="module")
def path(pipeline, frame, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "iris.onnx"
    to_onnx(pipeline, frame, path)
    return path


def assert_same(reader, model, X):
    np.testing.assert_array_equal(reader.predict(X), model.predict(X))
    assert reader.predict(X).dtype == model.predict(X).dtype
    for method in ("predict_proba", "predict_log_proba", "decision_function"):
        if hasattr(reader, method) and hasattr(model, method):
            got, expected = getattr(reader, method)(X), getattr(model, method)(X)
            np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.oldest
@pytest.mark.parametrize(
    "form",
    [
        str,
        lambda p: p,
        lambda p: p.read_bytes(),
        lambda p: bytearray(p.read_bytes()),
        lambda p: memoryview(p.read_bytes()),
    ],
    ids=["str", "path", "bytes", "bytearray", "memoryview"],
)
def test_a_file_is_read_from_a_path_or_from_its_content(form, path, pipeline, frame):
    assert_same(OnnxClassifier(form(path)), pipeline, frame)


def test_attributes_equal_those_of_the_estimator(path, pipeline, frame):
    reader = OnnxClassifier(path)
    np.testing.assert_array_equal(reader.classes_, pipeline.classes_)
    np.testing.assert_array_equal(reader.feature_names_in_, frame.columns)
    assert reader.n_features_in_ == 5
    assert reader.receipt_["rows"] == 150
    assert is_classifier(reader)


def test_frames_of_other_libraries_and_column_orders_are_accepted(
    path, pipeline, frame
):
    reader = OnnxClassifier(path)
    expected = pipeline.predict_proba(frame)
    shuffled = frame[frame.columns[::-1]].assign(extra=1)
    polars = pl.DataFrame(
        {c: pl.Series(c, shuffled[c].tolist(), strict=False) for c in shuffled}
    )
    for rows in (shuffled, polars):
        np.testing.assert_allclose(reader.predict_proba(rows), expected)


@pytest.mark.parametrize(
    "labels",
    [
        [False, True],
        [-1, 1],
        [0.0, 1.0],
        ["no", "yes"],
        [3, 7, 11],
        np.array([0, 1], np.int8),
        np.array(["b", "a", "c"], object),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "options", [{}, {"zipmap": True}, {"zipmap": "columns"}], ids=str
)
def test_labels_keep_their_values_and_dtype(labels, options):
    X = np.random.default_rng(0).normal(size=(60, 3))
    y = np.asarray(labels)[np.arange(60) % len(labels)]
    model = network().fit(X, y)
    reader = OnnxClassifier(to_onnx(model, X, options=options).to_bytes())
    assert_same(reader, model, X)
    assert reader.classes_.dtype == model.classes_.dtype


def test_option_nocl_gives_class_numbers():
    X, y = load_iris(return_X_y=True)
    model = network().fit(X, np.array(["a", "b", "c"])[y])
    reader = OnnxClassifier(to_onnx(model, X, options={"nocl": True}).to_bytes())
    assert reader.classes_.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(model.classes_[reader.predict(X)], model.predict(X))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_raw_scores_are_the_decision_function(n_classes):
    X, y = load_iris(return_X_y=True)
    model = network().fit(X, y % n_classes)
    reader = OnnxClassifier(to_onnx(model, X, options={"raw_scores": True}).to_bytes())
    assert_same(reader, model, X)
    assert not hasattr(reader, "predict_proba")
    with pytest.raises(AttributeError, match="has no attribute 'predict_proba'"):
        reader.predict_proba(X)


@pytest.mark.parametrize("options", [{}, {"raw_scores": True}], ids=str)
def test_multilabel_predictions_are_indicators(options):
    X, Y = make_multilabel_classification(60, 5, n_classes=2, random_state=0)
    model = network().fit(X, Y)
    assert_same(OnnxClassifier(to_onnx(model, X, options=options).to_bytes()), model, X)


def test_several_targets_give_lists_of_probabilities():
    X, y = load_iris(return_X_y=True)
    Y = np.array(["a", "b", "c"])[np.c_[y, y[::-1]]]
    model = MultiOutputClassifier(network()).fit(X, Y)
    reader = OnnxClassifier(to_onnx(model, X).to_bytes())
    assert_same(reader, model, X)
    assert [c.tolist() for c in reader.classes_] == [["a", "b", "c"]] * 2


@pytest.mark.parametrize("shape", [(-1,), (-1, 1), (-1, 2)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_predictions_have_the_shape_and_dtype_of_the_targets(shape, dtype):
    X, y = load_diabetes(return_X_y=True)
    y = np.r_[y, y].reshape(shape)[: len(X)] if shape == (-1, 2) else y.reshape(shape)
    model = MLPRegressor((6,), max_epochs=2, random_state=0).fit(X.astype(dtype), y)
    reader = OnnxRegressor(to_onnx(model, X.astype(dtype)).to_bytes())
    got, expected = reader.predict(X), model.predict(X.astype(dtype))
    assert got.shape == expected.shape
    assert got.dtype == expected.dtype
    np.testing.assert_allclose(got, expected, rtol=1e-4)
    assert is_regressor(reader)


def test_the_standard_deviation_is_predicted():
    X, y = load_diabetes(return_X_y=True)
    model = MLPRegressor((6,), loss="gaussian", max_epochs=2).fit(X, y)
    reader = OnnxRegressor(to_onnx(model, X).to_bytes())
    for got, expected in zip(
        reader.predict(X, return_std=True),
        model.predict(X, return_std=True),
        strict=True,
    ):
        np.testing.assert_allclose(got, expected)


@pytest.mark.parametrize("shape", [(-1,), (-1, 2)])
def test_several_quantiles_are_predicted_and_scored(shape):
    X, y = load_diabetes(return_X_y=True)
    y = y if shape == (-1,) else np.stack([y, -y], 1)
    params = {"quantile": [0.1, 0.5, 0.9]}
    model = MLPRegressor((6,), loss="quantile", loss_params=params, max_epochs=2)
    model.fit(X, y)
    reader = OnnxRegressor(to_onnx(model, X).to_bytes())
    np.testing.assert_allclose(reader.predict(X), model.predict(X))
    weight = np.linspace(0.1, 1, len(y))
    scores = [
        d2_pinball_score(y, model.predict(X)[..., i], alpha=q, sample_weight=weight)
        for i, q in enumerate(params["quantile"])
    ]
    assert reader.score(X, y, weight) == pytest.approx(np.mean(scores))


def test_return_std_without_a_standard_deviation_is_an_error():
    X, y = load_diabetes(return_X_y=True)
    content = to_onnx(MLPRegressor((6,), max_epochs=1).fit(X, y), X).to_bytes()
    with pytest.raises(ValueError, match="loss='gaussian'"):
        OnnxRegressor(content).predict(X, return_std=True)


# As an estimator


@pytest.mark.parametrize(
    "copied",
    [
        lambda r: pickle.loads(pickle.dumps(r)),
        copy.deepcopy,
        copy.copy,
        clone,
        lambda r: clone(FrozenEstimator(r)).estimator,
    ],
    ids=["pickle", "deepcopy", "copy", "clone", "frozen"],
)
def test_copies_predict_the_same(copied, path, frame, pipeline):
    assert_same(copied(OnnxClassifier(path, n_threads=1)), pipeline, frame)


def test_a_pickle_contains_the_content_of_the_file(path, frame, pipeline, tmp_path):
    moved = tmp_path / "moved.onnx"
    moved.write_bytes(path.read_bytes())
    joblib.dump(OnnxClassifier(moved), tmp_path / "reader.joblib")
    moved.unlink()
    back = joblib.load(tmp_path / "reader.joblib")
    assert_same(clone(back), pipeline, frame)
    assert_same(back, pipeline, frame)


@pytest.mark.parametrize("kind", [bytearray, memoryview])
@pytest.mark.parametrize("copied", [lambda r: pickle.loads(pickle.dumps(r)), clone])
def test_copies_of_readers_of_any_bytes_type_predict_the_same(
    kind, copied, path, frame, pipeline
):
    reader = OnnxClassifier(kind(path.read_bytes()))
    assert repr(reader) == f"OnnxClassifier(<{path.stat().st_size} bytes>)"
    assert_same(copied(reader), pipeline, frame)


def test_set_params_changes_the_file(path, frame, pipeline):
    X, y = load_iris(return_X_y=True)
    model = network().fit(X, y)
    reader = OnnxClassifier(path)
    reader.predict(frame)
    reader.set_params(model=to_onnx(model, X).to_bytes())
    assert_same(reader, model, X)
    assert_same(reader.set_params(model=path), pipeline, frame)


def test_threads_may_share_a_reader(path, frame, pipeline):
    reader, found = OnnxClassifier(path), []
    threads = [
        threading.Thread(target=lambda: found.append(reader.predict_proba(frame)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for proba in found:
        np.testing.assert_allclose(proba, pipeline.predict_proba(frame))


def test_it_replaces_a_fitted_classifier(path, frame, pipeline):
    reader, y = OnnxClassifier(path), pipeline.classes_[np.arange(150) % 3]
    vote = VotingClassifier([("file", FrozenEstimator(reader))], voting="soft")
    vote.fit(frame, y)
    np.testing.assert_array_equal(vote.predict(frame), pipeline.predict(frame))
    calibrated = CalibratedClassifierCV(FrozenEstimator(reader)).fit(frame, y)
    assert calibrated.predict_proba(frame).shape == (150, 3)
    importance = permutation_importance(
        reader, frame, pipeline.predict(frame), n_repeats=1, random_state=0
    )
    assert importance.importances_mean.max() > 0


def test_fit_raises_and_names_frozen_estimator(path, frame):
    with pytest.raises(TypeError, match=r"cannot be fitted.*FrozenEstimator"):
        OnnxClassifier(path).fit(frame, frame)


def test_repr_is_short(path):
    assert repr(OnnxClassifier(str(path))) == f"OnnxClassifier({str(path)!r})"
    content = path.read_bytes()
    assert repr(OnnxClassifier(content)) == f"OnnxClassifier(<{len(content)} bytes>)"


# Errors


def test_a_missing_file_is_a_file_not_found_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        OnnxClassifier(tmp_path / "none.onnx").predict([[0.0]])


@pytest.mark.parametrize("form", [str, lambda p: p])
def test_the_error_names_a_directory(form, tmp_path):
    with pytest.raises(OnnxFileError, match="is a directory"):
        OnnxClassifier(form(tmp_path)).predict([[0.0]])


def test_a_reader_of_a_deleted_unread_file_cannot_be_pickled(tmp_path):
    with pytest.raises(FileNotFoundError):
        pickle.dumps(OnnxClassifier(tmp_path / "none.onnx"))


@pytest.mark.parametrize("n_threads", [1, np.int64(2)])
def test_n_threads_accepts_any_integer_type(n_threads, path, frame, pipeline):
    assert_same(OnnxClassifier(path, n_threads=n_threads), pipeline, frame)


@pytest.mark.parametrize(
    "params",
    [
        {"model": 3},
        {"model": None},
        {"n_threads": 0},
        {"n_threads": "all"},
        {"n_threads": 1.5},
        {"n_threads": True},
        {"n_threads": 10**12},
        {"verify": 1},
    ],
    ids=str,
)
def test_parameters_are_checked_at_the_first_use(params, path):
    with pytest.raises(InvalidParameterError, match=next(iter(params))):
        OnnxClassifier(**{"model": path, **params}).predict([[0.0]])


def test_the_error_names_the_reader_for_another_task(path):
    with pytest.raises(OnnxFileError, match=r"sklearn_deep\.OnnxClassifier"):
        OnnxRegressor(path).predict([[0.0]])


def test_missing_feature_names_are_an_attribute_error():
    X, y = load_iris(return_X_y=True)
    reader = OnnxClassifier(to_onnx(network().fit(X, y), X).to_bytes())
    assert not hasattr(reader, "feature_names_in_")


def test_rows_of_another_width_raise_as_in_scikit_learn(path, frame):
    reader = OnnxClassifier(path)
    with pytest.raises(ValueError, match="lacks the columns"):
        reader.predict(frame[["garden"]])
    with pytest.raises(ValueError, match="has 2 features"):
        reader.predict(frame.to_numpy()[:, :2])


NO_ROWS = {
    "None": (None, ValueError, "Expected 2D array"),
    "a number": (3, ValueError, "Expected 2D array"),
    "a text": ("text", ValueError, "Expected 2D array"),
    "a dictionary": ({"a": 1}, ValueError, "Expected 2D array"),
    "a row": ([1.0, 2.0, 3.0], ValueError, r"reshape\(1, -1\)"),
    "rows of unequal length": ([[1.0, 2.0], [1.0]], ValueError, "unequal length"),
    "a cube": (np.zeros((2, 3, 4)), ValueError, "Expected 2D array"),
    "complex numbers": (np.ones((2, 3)) * 1j, TypeError, "must contain numbers"),
    "dates": (np.zeros((2, 3), "M8[s]"), TypeError, "must contain numbers"),
    "objects": ([[object()] * 3], TypeError, "must contain numbers"),
    "texts": ([["a", "b", "c"]], TypeError, "must contain numbers"),
    "a sparse matrix": (csr_matrix(np.ones((2, 3))), TypeError, "toarray"),
    "no rows": (np.zeros((0, 3)), ValueError, "0 sample"),
    "a huge integer": ([[10**400, 0, 0]], ValueError, "64 bits"),
}


@pytest.fixture(scope="module")
def numbers():
    X, y = np.random.default_rng(0).normal(size=(20, 3)), np.arange(20) % 2
    return to_onnx(network().fit(X, y), X).to_bytes()


@pytest.mark.parametrize("kind", NO_ROWS)
def test_the_error_names_rows_that_are_not_numeric(kind, numbers):
    X, error, message = NO_ROWS[kind]
    with pytest.raises(error, match=message):
        OnnxClassifier(numbers).predict(X)


def test_the_error_names_input_that_is_not_sequences():
    names = ["Anna", "Otto"] * 10
    model = RNNClassifier(4, max_epochs=1, random_state=0).fit(names, [0, 1] * 10)
    reader = OnnxClassifier(to_onnx(model, names).to_bytes())
    for X in (None, 3, "Anna", {"a": 1}, len):
        with pytest.raises(TypeError, match="X must contain sequences"):
            reader.predict(X)
    with pytest.raises(ValueError, match="not valid Unicode"):
        reader.predict(["\ud800"])


def test_sequences_of_huge_integers_are_refused():
    series = [np.zeros((3, 2)), np.ones((2, 2))] * 10
    model = RNNClassifier(4, max_epochs=1, random_state=0).fit(series, [0, 1] * 10)
    reader = OnnxClassifier(to_onnx(model, series).to_bytes())
    with pytest.raises(ValueError, match=r"X\[0\] .* is no number"):
        reader.predict([[[10**400, 0]] * 3])


# Without torch

BLOCK = """
import sys
from importlib.abc import MetaPathFinder
class Absent(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "skorch", "onnx", "skl2onnx", "onnxscript"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
"""


def run(code):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", BLOCK + code],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_reading_needs_neither_torch_nor_skorch_nor_onnx(
    path, frame, pipeline, tmp_path
):
    frame.to_csv(tmp_path / "rows.csv", index=False)
    out = run(
        "import pandas as pd\n"
        "from sklearn_deep import OnnxClassifier\n"
        f"rows = pd.read_csv({str(tmp_path / 'rows.csv')!r})\n"
        f"reader = OnnxClassifier({str(path)!r})\n"
        "print(*reader.predict(rows))\n"
        "import pickle; pickle.loads(pickle.dumps(reader)).predict_proba(rows)"
    )
    assert out.split() == pipeline.predict(frame).tolist()


def test_reading_without_onnxruntime_names_the_extra(path):
    out = run(
        "sys.modules['onnxruntime'] = None\n"
        "import sklearn_deep\n"
        f"reader = sklearn_deep.OnnxClassifier({str(path)!r})\n"
        "try:\n    reader.predict([[0.0]])\n"
        "except sklearn_deep.MissingDependencyError as error:\n    print(error)"
    )
    assert "needs onnxruntime" in out
    assert "clone of sklearn-deep" in out
    assert "pip install '.[onnx]'" in out


def test_exporting_without_the_libraries_names_the_extra():
    out = run(
        "import sklearn_deep\n"
        "try:\n    sklearn_deep.to_onnx\n"
        "except sklearn_deep.MissingDependencyError as error:\n    print(error)"
    )
    assert "clone of sklearn-deep" in out
    assert "pip install '.[onnx]'" in out
