"""The parity check: an error names the step that differs; the receipt says what was compared."""

import json
import os
import platform
import warnings

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import skl2onnx
import sklearn
from scipy import sparse
from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import FloatTensorType
from skl2onnx.common.utils import check_input_and_output_numbers
from sklearn.base import BaseEstimator, RegressorMixin, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris, make_multilabel_classification
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_deep import (
    MLPClassifier,
    MLPRegressor,
    OnnxClassifier,
    OnnxExport,
    to_onnx,
)
from sklearn_deep.exceptions import OnnxExportError, OnnxParityError, SklearnDeepError
from sklearn_deep.export.parity import _compare as _parity
from sklearn_deep.export.parity import _first_difference as _steps

X, Y = load_iris(return_X_y=True)
X = X - X.mean(0)


def network():
    return MLPClassifier((8,), max_epochs=2, random_state=0)


def regressor(**changes):
    return MLPRegressor((8,), **{"max_epochs": 2, "random_state": 0, **changes})


class Shifted(TransformerMixin, BaseEstimator):
    """A transformer whose converter is wrong by a given amount."""

    def __init__(self, off=0.0):
        self.off = off

    def fit(self, X, y=None):
        self.n_features_in_ = np.shape(X)[1]
        return self

    def transform(self, X):
        return np.asarray(X, float) + 1.0

    def get_feature_names_out(self, names=None):
        return np.array([f"s{j}" for j in range(self.n_features_in_)])


def shifted_shape(operator):
    check_input_and_output_numbers(operator, input_count_range=1, output_count_range=1)
    kind = type(operator.inputs[0].type)
    operator.outputs[0].type = kind([None, operator.raw_operator.n_features_in_])


def shifted_nodes(scope, operator, container):
    dtype = (
        np.float32 if isinstance(operator.inputs[0].type, FloatTensorType) else float
    )
    number = onnx.numpy_helper.from_array(
        np.array([1.0 + operator.raw_operator.off], dtype)
    )
    number.name = scope.get_unique_variable_name("one")
    container.initializers.append(number)
    container.add_node(
        "Add",
        [operator.inputs[0].full_name, number.name],
        operator.outputs[0].full_name,
        name=scope.get_unique_operator_name("Add"),
        op_version=14,
    )


@pytest.fixture(scope="module", autouse=True)
def converter():
    update_registered_converter(Shifted, "TestsShifted", shifted_shape, shifted_nodes)
    return Shifted


def frame_of(X):
    return pd.DataFrame(X, columns=list("abcd"))


# Counts in the receipt


class Capped(Shifted):
    """A transformer whose ONNX form lacks the clipping."""

    def transform(self, X):
        return np.minimum(super().transform(X), 100.0)


@pytest.fixture
def many_rows(monkeypatch):
    """Rows for three blocks of the comparison."""
    monkeypatch.setattr(_parity, "_MAX_CHUNK_ROWS", 200)
    return np.tile(X, (3, 1))


@pytest.mark.parametrize("convert", [np.asarray, frame_of])
def test_the_receipt_counts_the_rows_of_every_block(convert, many_rows):
    model = make_pipeline(StandardScaler(), network()).fit(convert(X), Y)
    assert to_onnx(model, convert(many_rows)).receipt["rows"] == len(many_rows)


def test_a_difference_in_the_last_row_of_the_last_block_is_found(many_rows):
    update_registered_converter(Capped, "TestsCapped", shifted_shape, shifted_nodes)
    model = make_pipeline(Capped(), network()).fit(X, Y)
    to_onnx(model, many_rows)
    many_rows = np.concatenate([many_rows, [[500.0] * 4]])
    with pytest.raises(OnnxParityError, match="capped"):
        to_onnx(model, many_rows)


# Wrong converters


def test_a_users_correct_converter_is_used(same):
    model = make_pipeline(StandardScaler(), Shifted(), network()).fit(X, Y)
    same(model, to_onnx(model, X), X * 2)


def test_a_wrong_converter_in_the_middle_of_a_pipeline_is_found():
    model = make_pipeline(StandardScaler(), Shifted(1e-3), StandardScaler(), network())
    with pytest.raises(OnnxParityError) as caught:
        to_onnx(model.fit(X, Y), X)
    error = caught.value
    assert error.step == "shifted -> Shifted"
    assert "shifted -> Shifted" in str(error)
    assert "No file was written" in str(error)
    assert 1e-5 < error.difference < 1e-2
    assert f"{error.difference:.2g}" in str(error)
    assert isinstance(error, (OnnxExportError, ValueError, SklearnDeepError))


def test_the_error_gives_the_difference_of_the_step():
    model = make_pipeline(Shifted(1e-3), network()).fit(X, Y)
    share = 1e-3 / np.abs(X + 1).max()
    with pytest.raises(OnnxParityError, match=f"by {share:.2g} of its scale"):
        to_onnx(model, X)


def test_a_wrong_converter_in_a_column_transformer_is_found():
    columns = ColumnTransformer(
        [
            ("right", StandardScaler(), ["a", "b"]),
            ("wrong", make_pipeline(StandardScaler(), Shifted(1e-3)), ["c", "d"]),
        ]
    )
    model = make_pipeline(columns, StandardScaler(), network())
    with pytest.raises(OnnxParityError) as caught:
        to_onnx(model.fit(frame_of(X), Y), frame_of(X))
    assert caught.value.step == "columntransformer -> wrong -> shifted -> Shifted"


def test_a_wrong_converter_of_columns_of_an_array_is_found():
    columns = ColumnTransformer(
        [("wrong", Shifted(1e-3), [3, 0])], remainder=StandardScaler()
    )
    model = make_pipeline(StandardScaler(), columns, network()).fit(X, Y)
    with pytest.raises(OnnxParityError) as caught:
        to_onnx(model, X)
    assert caught.value.step == "columntransformer -> wrong -> Shifted"


def test_a_wrong_converter_in_a_search_is_found():
    model = GridSearchCV(
        make_pipeline(Shifted(1e-3), network()), {"mlpclassifier__dropout": [0.0]}, cv=2
    )
    with pytest.raises(OnnxParityError) as caught:
        to_onnx(model.fit(X, Y), X)
    assert caught.value.step == "shifted -> Shifted"


def test_a_wrong_converter_in_a_feature_union_is_reported_as_the_union():
    union = FeatureUnion([("right", StandardScaler()), ("wrong", Shifted(1e-3))])
    model = make_pipeline(StandardScaler(), union, network()).fit(X, Y)
    with pytest.raises(OnnxParityError) as caught:
        to_onnx(model, X)
    assert caught.value.step.startswith("featureunion")


def test_a_wrong_converter_in_an_ensemble_is_reported_as_the_ensemble():
    member = make_pipeline(Shifted(1e-2), network())
    members = [("a", member), ("b", LogisticRegression())]
    model = VotingClassifier(members, voting="soft").fit(X, Y)
    with pytest.raises(OnnxParityError) as caught:
        to_onnx(model, X)
    assert "VotingClassifier" in caught.value.step


def test_the_error_names_the_first_of_two_wrong_converters():
    model = make_pipeline(Shifted(), Shifted(1e-2), Shifted(1e-3), network()).fit(X, Y)
    with pytest.raises(OnnxParityError) as caught:
        to_onnx(model, X)
    assert caught.value.step == "shifted-2 -> Shifted"


def test_the_error_names_the_last_step_if_no_transformer_differs(monkeypatch):
    model = make_pipeline(StandardScaler(), network()).fit(X, Y)
    true = MLPClassifier.predict_proba
    monkeypatch.setattr(
        MLPClassifier, "predict_proba", lambda self, X: true(self, X)[:, ::-1]
    )
    with pytest.raises(OnnxParityError) as caught:
        to_onnx(model, X)
    assert caught.value.step == "mlpclassifier"


VOTES = {
    "soft vote": lambda: VotingClassifier(
        [("a", network()), ("b", LogisticRegression())], voting="soft"
    ),
    "hard vote": lambda: VotingClassifier(
        [("a", network()), ("b", LogisticRegression())]
    ),
    "clusters of classes": LinearDiscriminantAnalysis,
    "stack": lambda: StackingClassifier(
        [("a", LogisticRegression()), ("b", LogisticRegression())], cv=2
    ),
    "search": lambda: GridSearchCV(LinearDiscriminantAnalysis(), {}, cv=2),
    "Pipeline": lambda: make_pipeline(StandardScaler(), LinearDiscriminantAnalysis()),
}


@pytest.mark.parametrize("name", VOTES)
def test_a_last_step_that_also_transforms_does_not_hide_the_wrong_step(name):
    model = make_pipeline(StandardScaler(), Shifted(3.0), VOTES[name]()).fit(X, Y)
    with pytest.raises(OnnxParityError) as caught:
        to_onnx(model, X)
    assert caught.value.step == "shifted -> Shifted"


@pytest.mark.parametrize("name", VOTES)
def test_the_error_names_a_last_step_that_also_transforms(name, monkeypatch):
    model = make_pipeline(StandardScaler(), VOTES[name]()).fit(X, Y)
    true = type(model[-1]).predict
    monkeypatch.setattr(
        type(model[-1]), "predict", lambda self, X: (true(self, X) + 1) % 3
    )
    with pytest.raises(OnnxParityError, match="labels differ") as caught:
        to_onnx(model, X)
    assert caught.value.step == model.steps[-1][0]


def test_a_step_inside_the_pipeline_at_the_end_is_found():
    inner = make_pipeline(Shifted(1e-2), network())
    model = make_pipeline(StandardScaler(), GridSearchCV(inner, {}, cv=2)).fit(X, Y)
    with pytest.raises(OnnxParityError) as caught:
        to_onnx(model, X)
    assert caught.value.step == "gridsearchcv -> shifted -> Shifted"


@pytest.mark.parametrize("error", [AttributeError, TypeError, RuntimeError, KeyError])
def test_an_error_in_the_search_for_the_step_does_not_hide_the_difference(
    error, monkeypatch
):
    class Fragile(Shifted):
        def transform(self, X):
            if not self.__dict__.get("whole", True):
                raise error("it broke")
            return super().transform(X)

    model = make_pipeline(Fragile(1e-2), network()).fit(X, Y)
    started = _steps.first_difference

    def break_the_step(*args):
        model[0].whole = False
        return started(*args)

    monkeypatch.setattr(_parity, "first_difference", break_the_step)
    with pytest.raises(OnnxParityError, match="it broke") as caught:
        to_onnx(model, X)
    assert caught.value.difference > 1e-5
    assert "more than tolerance=1e-05" in str(caught.value)


def test_labels_that_differ_are_counted(monkeypatch):
    model = network().fit(X, Y)
    true = MLPClassifier.predict
    monkeypatch.setattr(
        MLPClassifier, "predict", lambda self, X: (true(self, X) + 1) % 3
    )
    with pytest.raises(OnnxParityError, match=r"15\d labels differ"):
        to_onnx(model, X)


def test_predictions_of_a_regressor_are_compared(monkeypatch):
    model = regressor().fit(X, X[:, 0] * 100)
    true = MLPRegressor.predict
    monkeypatch.setattr(
        MLPRegressor, "predict", lambda self, X, **kw: true(self, X, **kw) * 1.001
    )
    with pytest.raises(OnnxParityError, match="scale of predict"):
        to_onnx(model, X)


def test_nan_in_only_one_of_both_predictions_is_a_difference(monkeypatch):
    model = regressor().fit(X, X[:, 0] * 100)
    monkeypatch.setattr(
        MLPRegressor, "predict", lambda self, X: np.full(len(X), np.nan)
    )
    with pytest.raises(OnnxParityError, match="inf"):
        to_onnx(model, X)


# No file is written


def test_a_model_that_differs_is_not_written(tmp_path):
    model = make_pipeline(Shifted(1e-3), network()).fit(X, Y)
    with pytest.raises(OnnxParityError):
        to_onnx(model, X, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_kept_if_the_export_fails(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"what was there")
    model = make_pipeline(Shifted(1e-3), network()).fit(X, Y)
    with pytest.raises(OnnxParityError):
        to_onnx(model, X, path)
    assert path.read_bytes() == b"what was there"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_written_and_read_back(tmp_path, same):
    model = network().fit(X, Y)
    path = tmp_path / "model.onnx"
    path.write_bytes(b"what was there")
    export = to_onnx(model, X, path)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == export.to_bytes()
    same(model, onnx.load(path), X)
    assert isinstance(export, OnnxExport)


@pytest.mark.parametrize("kind", [str, os.fspath, lambda path: path])
def test_a_path_may_be_a_string_or_a_path(kind, tmp_path):
    export = to_onnx(network().fit(X, Y), X)
    export.save(kind(tmp_path / "größe .onnx"))
    assert (tmp_path / "größe .onnx").read_bytes() == export.to_bytes()


def test_a_missing_folder_is_an_error_and_leaves_no_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        to_onnx(network().fit(X, Y), X, tmp_path / "missing" / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_path_that_is_a_folder_is_an_error_and_leaves_nothing(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="directory"):
        to_onnx(network().fit(X, Y), X, tmp_path / "folder")
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_a_failed_write_keeps_the_existing_file(tmp_path, monkeypatch):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"what was there")
    export = to_onnx(network().fit(X, Y), X)

    def full(descriptor):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        export.save(path)
    assert path.read_bytes() == b"what was there"
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_runs_in_any_runtime_of_onnx():
    export = to_onnx(network().fit(X, Y), X)
    session = onnxruntime.InferenceSession(
        export.to_bytes(), providers=["CPUExecutionProvider"]
    )
    assert [out.name for out in session.get_outputs()] == ["label", "probabilities"]


def test_two_exports_of_one_model_are_the_same_bytes():
    model = make_pipeline(StandardScaler(), network()).fit(X, Y)
    assert to_onnx(model, X).to_bytes() == to_onnx(model, X).to_bytes()


def test_an_export_changes_neither_model_nor_rows():
    model = make_pipeline(StandardScaler(), network()).fit(X, Y)
    rows, before = X.copy(), model.predict_proba(X)
    rows.setflags(write=False)
    to_onnx(model, rows)
    np.testing.assert_array_equal(rows, X)
    np.testing.assert_array_equal(model.predict_proba(X), before)


# Tolerance


def test_a_larger_tolerance_accepts_a_difference():
    model = make_pipeline(Shifted(1e-3), network()).fit(X, Y)
    export = to_onnx(model, X, tolerance=1e-2)
    worst = export.receipt["differences"]["predict_proba"]
    assert 1e-5 < worst["largest"] < 1e-2
    assert export.receipt["tolerance"] == 1e-2
    assert to_onnx(model, X, tolerance=float("inf")).receipt["tolerance"] == np.inf


def test_the_smallest_sufficient_tolerance_is_the_difference():
    model = make_pipeline(Shifted(1e-3), network()).fit(X, Y)
    share = to_onnx(model, X, tolerance=1).receipt["differences"]["predict_proba"]
    to_onnx(model, X, tolerance=share["relative"])
    with pytest.raises(OnnxParityError):
        to_onnx(model, X, tolerance=np.nextafter(share["relative"], 0))


def test_tolerance_zero_accepts_only_equal_numbers():
    model = make_pipeline(Shifted(1e-15), network()).fit(X, Y)
    with pytest.raises(OnnxParityError) as caught:
        to_onnx(model, X, tolerance=0)
    assert 0 < caught.value.difference < 1e-12


def test_a_regressors_difference_is_relative_to_its_largest_prediction():
    model = make_pipeline(Shifted(1e-3), regressor()).fit(X, X[:, 0] * 1e6 + 1e7)
    differences = to_onnx(model, X, tolerance=1).receipt["differences"]["predict"]
    scale = np.abs(model.predict(X)).max()
    assert differences["relative"] == pytest.approx(differences["largest"] / scale)


# Receipts


def test_the_receipt_says_what_was_compared():
    model = make_pipeline(StandardScaler(), network()).fit(X, Y)
    receipt = to_onnx(model, X).receipt
    assert set(receipt) == {
        "differences",
        "rows",
        "edge_rows",
        "ties",
        "tolerance",
        "versions",
    }
    assert receipt["rows"] == len(X)
    assert receipt["tolerance"] == 1e-5
    assert receipt["ties"] == 0
    assert set(receipt["differences"]) == {"predict", "predict_proba"}
    for name in ("largest", "relative"):
        assert 0 <= receipt["differences"]["predict_proba"][name] < 1e-12
    assert receipt["versions"]["python"] == platform.python_version()
    for library in (np, onnx, skl2onnx, onnxruntime):
        assert receipt["versions"][library.__name__] == library.__version__
    assert receipt["versions"]["scikit-learn"] == sklearn.__version__


@pytest.mark.parametrize(
    ("model", "outputs"),
    [
        (regressor(), {"predict"}),
        (regressor(loss="gaussian"), {"predict", "std"}),
        (network(), {"predict", "predict_proba"}),
    ],
    ids=["regressor", "gaussian", "classifier"],
)
def test_every_output_has_its_difference(model, outputs):
    assert set(to_onnx(model.fit(X, Y), X).receipt["differences"]) == outputs


def test_raw_scores_are_compared_with_the_decision_function():
    model = network().fit(X, Y > 0)
    receipt = to_onnx(model, X, options={"raw_scores": True}).receipt
    assert set(receipt["differences"]) == {"predict", "decision_function"}


def test_the_repr_names_outputs_size_and_difference():
    text = repr(to_onnx(network().fit(X, Y), X))
    assert text.startswith("OnnxExport(label, probabilities; ")
    assert "KiB; largest difference" in text
    assert text.endswith("on 150 + 1 rows)")


def metadata_props(export):
    return {entry.key: json.loads(entry.value) for entry in export.model.metadata_props}


def test_the_metadata_contain_the_receipt():
    frame = frame_of(X)
    labels = np.array(["se", "ve", "vi"])[Y]
    model = make_pipeline(StandardScaler(), network()).fit(frame, labels)
    export = to_onnx(model, frame)
    entries = metadata_props(export)
    metadata = entries["sklearn_deep"]
    assert metadata["receipt"] == export.receipt
    assert metadata["task"] == "classifier"
    assert metadata["estimator"] == "Pipeline"
    assert metadata["n_features_in"] == 4
    assert metadata["feature_names_in"] == entries["feature_names"] == list("abcd")
    assert metadata["classes"]["values"] == entries["classes"] == ["se", "ve", "vi"]
    assert [part["name"] for part in metadata["inputs"]] == list("abcd")


def test_the_metadata_are_in_the_file():
    export = to_onnx(network().fit(X, Y), X)
    model = onnx.load_from_string(export.to_bytes())
    entries = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(entries["sklearn_deep"])["receipt"] == export.receipt
    assert json.loads(entries["classes"]) == [0, 1, 2]
    assert json.loads(entries["feature_names"]) is None


def test_a_regressor_has_no_classes_in_its_metadata():
    entries = metadata_props(to_onnx(regressor().fit(X, Y), X))
    assert entries["classes"] is None
    assert entries["sklearn_deep"]["task"] == "regressor"


def test_several_targets_have_their_classes_in_the_metadata():
    rows, labels = make_multilabel_classification(40, 4, n_classes=3, random_state=0)
    entries = metadata_props(to_onnx(network().fit(rows, labels), rows))
    assert entries["classes"] == [0, 1, 2]
    assert entries["sklearn_deep"]["multilabel"] is True


@pytest.mark.parametrize(
    "labels", [Y > 0, Y * 1.0, np.array(["ü", "b", "c"])[Y], Y - 5]
)
def test_classes_of_any_kind_are_readable_in_the_metadata(labels):
    model = network().fit(X, labels)
    assert metadata_props(to_onnx(model, X))["classes"] == model.classes_.tolist()


def test_the_model_has_a_producer_and_a_description():
    model = to_onnx(network().fit(X, Y), X).model
    assert model.producer_name == "sklearn_deep"
    assert model.graph.name == "MLPClassifier"
    assert "MLPClassifier" in model.doc_string
    own = to_onnx(network().fit(X, Y), X, doc_string="Flowers of 1936, größer.")
    assert own.model.doc_string == "Flowers of 1936, größer."


@pytest.mark.parametrize("model", [network(), regressor(), regressor(loss="gaussian")])
def test_the_model_passes_the_full_check_of_onnx(model):
    pipeline = make_pipeline(StandardScaler(), model).fit(X, Y)
    onnx.checker.check_model(to_onnx(pipeline, X).model, full_check=True)


# Generated rows


def test_a_single_row_is_compared():
    assert to_onnx(network().fit(X, Y), X).receipt["edge_rows"] == 1
    assert to_onnx(network().fit(X, Y), X[:1]).receipt["rows"] == 1


def test_missing_values_are_tried_if_the_model_accepts_them():
    model = make_pipeline(SimpleImputer(), network()).fit(X, Y)
    assert to_onnx(model, X).receipt["edge_rows"] == 5
    model = make_pipeline(SimpleImputer(), network()).fit(frame_of(X), Y)
    assert to_onnx(model, frame_of(X)).receipt["edge_rows"] == 5


@pytest.mark.parametrize("rows", [X, pd.DataFrame(X)], ids=["array", "frame"])
def test_missing_values_are_tried_in_columns_that_accept_them(rows):
    prepare = ColumnTransformer(
        [("f", SimpleImputer(), [0, 2])], remainder="passthrough"
    )
    model = make_pipeline(prepare, network()).fit(rows, Y)
    assert to_onnx(model, rows).receipt["edge_rows"] == 3


@pytest.mark.parametrize(
    "rows",
    [
        np.array([["a", "x"], ["b", "y"], ["c", "x"]] * 20),
        np.array([[1, 7], [2, 8], [4, 7]] * 20),
        pd.DataFrame([[1, 7], [2, 8], [4, 7]] * 20, columns=["a", "b"]),
        np.array([[0, 7], [255, 8], [4, 7]] * 20, np.uint8),
    ],
    ids=["strings", "integers", "frame", "bytes"],
)
def test_unseen_categories_of_every_type_are_tried(rows):
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    model = make_pipeline(encoder, network()).fit(rows, np.arange(60) % 2)
    # The first column contains every value of uint8.
    expected = 2 if getattr(rows, "dtype", None) == np.uint8 else 3
    assert to_onnx(model, rows).receipt["edge_rows"] == expected


def test_generated_missing_values_are_those_of_the_encoder(same):
    frame = pd.DataFrame({"town": ["a", "b", None] * 20}, dtype=object)
    encoder = OneHotEncoder(handle_unknown="ignore")
    columns = ColumnTransformer([("e", encoder, ["town"])])
    model = make_pipeline(columns, network()).fit(frame, np.arange(60) % 3)
    # No row of X lacks a town. A generated NaN would not be a category, but None is.
    export = to_onnx(model, frame[:2])
    assert export.receipt["edge_rows"] == 3
    same(model, export, frame)


def test_rows_are_generated_without_warnings():
    model, frame = towns(OneHotEncoder(handle_unknown="ignore"))
    frame["town"] = frame["town"].astype("category")
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        to_onnx(model, frame)
    assert not heard


def test_a_wide_frame_needs_few_probes(monkeypatch):
    wide = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 300)))
    columns = ColumnTransformer([("s", StandardScaler(), list(wide.columns))])
    model = make_pipeline(columns, network()).fit(wide, np.arange(20) % 2)
    true, calls = type(model).predict, []
    monkeypatch.setattr(
        type(model), "predict", lambda self, X: calls.append(len(X)) or true(self, X)
    )
    to_onnx(model, wide)
    assert len(calls) < 80
    assert max(calls) <= 256


def towns(encoder, missing=False):
    values = ["a", "b", None if missing else "c"] * 20
    frame = pd.DataFrame({"town": values, "size": np.arange(60.0)})
    columns = ColumnTransformer(
        [("e", encoder, ["town"]), ("s", StandardScaler(), ["size"])]
    )
    return make_pipeline(columns, network()).fit(frame, np.arange(60) % 2), frame


def test_unseen_categories_and_missing_values_are_tried_in_every_column():
    model, frame = towns(OneHotEncoder(handle_unknown="ignore"))
    # single row; town: unseen and missing; the network refuses a missing size
    assert to_onnx(model, frame).receipt["edge_rows"] == 3


def test_unseen_categories_are_not_tried_if_the_model_refuses_them():
    model, frame = towns(OneHotEncoder())
    assert to_onnx(model, frame).receipt["edge_rows"] == 1


def test_missing_values_are_tried_if_unseen_categories_are_refused():
    model, frame = towns(OneHotEncoder(), missing=True)
    assert to_onnx(model, frame).receipt["edge_rows"] == 2


class Filled(Shifted):
    """A transformer that fills missing values, unlike its converter."""

    def transform(self, X):
        return np.nan_to_num(np.asarray(X, float), nan=5.0) + 1.0


@pytest.mark.parametrize("as_frame", [True, False])
def test_missing_values_absent_from_x_are_refused_if_the_file_would_differ(
    as_frame, run
):
    update_registered_converter(Filled, "TestsFilled", shifted_shape, shifted_nodes)
    rows = frame_of(X) if as_frame else X
    model = make_pipeline(Filled(), network()).fit(rows, Y)
    export = to_onnx(model, rows)
    odd = rows[:3].copy()
    if as_frame:
        odd.iloc[1, 2] = np.nan
    else:
        odd[1, 2] = np.nan
    probabilities = run(export, odd)["probabilities"]
    expected = model.predict_proba(odd)
    assert np.isnan(probabilities[1]).all()
    np.testing.assert_allclose(probabilities[[0, 2]], expected[[0, 2]], atol=1e-6)
    with pytest.raises(ValueError, match="refuses 1 of 3 rows of X: 1"):
        OnnxClassifier(export.to_bytes()).predict(odd)


def test_missing_values_that_agree_are_accepted(run):
    imputed = make_pipeline(SimpleImputer(), network()).fit(X, Y)
    odd = X[:2].copy()
    odd[1, 2] = np.nan
    got = run(to_onnx(imputed, X), odd)["probabilities"]
    np.testing.assert_allclose(got, imputed.predict_proba(odd), atol=1e-6)


class Odd(Shifted):
    """A transformer whose ONNX form is wrong only for a number above the maximum of X."""

    def transform(self, X):
        X = super().transform(X)
        return np.where(X[:, :1] == 598.0, X - 100.0, X)


def refused(model, rows):
    with pytest.raises(OnnxParityError) as caught:
        to_onnx(model, rows)
    return str(caught.value)


@pytest.mark.parametrize("as_frame", [True, False])
def test_the_error_describes_the_generated_row_that_differs(as_frame):
    update_registered_converter(Odd, "TestsOdd", shifted_shape, shifted_nodes)
    rows = np.arange(600).reshape(150, 4)  # integers: the next one is generated
    rows = frame_of(rows) if as_frame else rows
    model = make_pipeline(Odd(), StandardScaler(), network()).fit(rows, Y)
    message = refused(model, rows)
    first = repr(rows.columns[0]) if as_frame else "0"
    assert f"the first row of X with 597 in column {first} differs" in message
    assert "odd" in message


def test_no_generated_row_is_named_if_rows_of_x_differ():
    update_registered_converter(Filled, "TestsFilled", shifted_shape, shifted_nodes)
    rows = X.copy()
    rows[3, 1] = np.nan
    model = make_pipeline(Filled(), network()).fit(rows, Y)
    assert "first row of X" not in refused(model, rows)


def test_ties_are_counted_without_an_error(monkeypatch):
    model = network().fit(X, Y)
    true = MLPClassifier.predict
    monkeypatch.setattr(
        MLPClassifier, "predict_proba", lambda self, X: np.full((len(X), 3), 1 / 3)
    )
    monkeypatch.setattr(
        MLPClassifier, "predict", lambda self, X: (true(self, X) + 1) % 3
    )
    export = to_onnx(model, X, tolerance=1.0)
    assert export.receipt["ties"] == len(X) + export.receipt["edge_rows"]


def test_a_row_at_the_threshold_is_a_tie():
    y = Y == 2
    inner = FrozenEstimator(network().fit(X, y))
    for method in ("predict_proba", "decision_function"):
        # Both libraries may round the last bit differently.
        scores = getattr(inner, method)(X)
        scores = scores[:, 1] if scores.ndim == 2 else scores
        for threshold in np.nextafter(scores[:10], scores[:10] + 1):
            model = FixedThresholdClassifier(
                inner, threshold=threshold, response_method=method
            )
            receipt = to_onnx(model.fit(X, y), X).receipt
            assert receipt["ties"] <= 2


@pytest.mark.parametrize("multilabel", [False, True])
def test_a_raw_score_of_zero_is_a_tie(multilabel, monkeypatch):
    y = np.stack([Y == 0, Y == 1], 1).astype(int) if multilabel else Y == 0
    model = network().fit(X, y)
    true, scores = MLPClassifier.predict, model.decision_function(X)
    at = np.abs(scores) <= np.sort(np.abs(scores), axis=None)[0]

    def predict(self, rows):
        labels = true(self, rows)
        return labels ^ at if len(rows) == len(X) else labels

    monkeypatch.setattr(MLPClassifier, "predict", predict)
    tolerance = np.abs(scores).min() / np.abs(scores).max()
    options = {"raw_scores": True}
    export = to_onnx(model, X, tolerance=tolerance, options=options)
    assert export.receipt["ties"] == 1
    with pytest.raises(OnnxParityError, match="1 labels differ"):
        to_onnx(model, X, tolerance=tolerance / 3, options=options)


def test_an_exact_tie_gives_the_estimators_label(same):
    model = network().fit(X, Y)
    zeros = {k: v * 0 for k, v in model.module_.state_dict().items()}
    model.module_.load_state_dict(zeros)
    assert len(set(model.predict(X))) == 1
    export = to_onnx(model, X)
    same(model, export, X)


# Arguments


@pytest.mark.parametrize("tolerance", [-1e-9, float("nan"), -1])
def test_a_tolerance_below_zero_is_refused(tolerance):
    with pytest.raises(ValueError, match="tolerance must be 0 or more; got"):
        to_onnx(network().fit(X, Y), X, tolerance=tolerance)


@pytest.mark.parametrize("number", [1, 16, 1000, 0, -1])
def test_an_operator_set_out_of_range_is_refused(number):
    with pytest.raises(ValueError, match=f"target_opset must be from 17 to .*{number}"):
        to_onnx(network().fit(X, Y), X, target_opset=number)


@pytest.mark.parametrize("dtype", ["float16", np.float32, "double", 32])
def test_an_unknown_dtype_is_refused(dtype):
    with pytest.raises(ValueError, match="dtype must be None, 'float32' or 'float64'"):
        to_onnx(network().fit(X, Y), X, dtype=dtype)


@pytest.mark.parametrize(
    "options", [{"zipmaps": True}, {"zipmap": "rows"}, {"nocl": 3}]
)
def test_the_error_for_an_unknown_option_lists_all_options(options):
    with pytest.raises(ValueError, match="option"):
        to_onnx(network().fit(X, Y), X, options=options)


@pytest.mark.parametrize(
    ("rows", "shape"),
    [(X[:, :3], r"\(150, 3\)"), (X[0], r"\(4,\)"), (X[None], r"\(1, 150, 4\)")],
    ids=["narrow", "one dimension", "three dimensions"],
)
def test_the_error_for_another_shape_names_both_shapes(rows, shape):
    with pytest.raises(OnnxExportError, match=rf"\(n_samples, 4\); got shape {shape}"):
        to_onnx(network().fit(X, Y), rows)


def test_empty_texts_input_is_refused():
    with pytest.raises(OnnxExportError, match="X has no row"):
        to_onnx(network().fit(X, Y), X[:0])
    frame = frame_of(X)
    with pytest.raises(OnnxExportError, match="X has no row"):
        to_onnx(network().fit(frame, Y), frame[:0])


def test_the_error_names_missing_columns():
    frame = frame_of(X)
    with pytest.raises(OnnxExportError, match=r"lacks the columns \['b', 'd'\]"):
        to_onnx(network().fit(frame, Y), frame[["a", "c"]])


def test_a_frame_of_another_width_is_refused_for_a_model_of_arrays():
    with pytest.raises(OnnxExportError, match=r"of shape \(n_samples, 4\)"):
        to_onnx(network().fit(X, Y), frame_of(X)[["a", "b"]])


def test_sparse_rows_are_converted_to_dense_ones(same):
    model = network().fit(X, Y)
    export = to_onnx(model, sparse.csr_matrix(X))
    assert export.to_bytes() == to_onnx(model, X).to_bytes()


def test_lists_are_converted_to_arrays():
    model = network().fit(X, Y)
    assert to_onnx(model, X.tolist()).to_bytes() == to_onnx(model, X).to_bytes()


def test_an_object_that_is_not_an_estimator_is_refused():
    with pytest.raises(TypeError, match="estimator"):
        to_onnx("model", X)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_weights_have_the_dtype_of_the_export(dtype, same):
    model = network().fit(X, Y)
    export = to_onnx(model, X, dtype=dtype)
    kinds = {t.data_type for t in export.model.graph.initializer if len(t.dims) == 2}
    assert kinds == {onnx.TensorProto.FLOAT if dtype == "float32" else 11}
    same(model, export, X)


def test_an_estimator_without_a_network_is_exported_too(same):
    for model in (LogisticRegression(max_iter=1000), RidgeClassifier()):
        fitted = make_pipeline(StandardScaler(), model).fit(X, Y)
        same(fitted, to_onnx(fitted, X), X * 2)


class Unusual(RegressorMixin, BaseEstimator):
    """A regressor without a converter."""

    def fit(self, X, y):
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X):
        return X[:, 0]


def test_the_error_names_an_estimator_without_converter():
    with pytest.raises(OnnxExportError, match="Unusual has no ONNX form"):
        to_onnx(Unusual().fit(X, Y), X)
    model = make_pipeline(StandardScaler(), Unusual()).fit(X, Y)
    with pytest.raises(OnnxExportError, match=r"'unusual'.*Unusual"):
        to_onnx(model, X)
