"""Options determine the outputs, in to_onnx of both libraries."""

import numpy as np
import onnxruntime
import pytest
import skl2onnx
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris, make_multilabel_classification
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_deep import MLPClassifier, OnnxClassifier, OnnxExportError, to_onnx

LABELS = {
    "binary": lambda y: y % 2,
    "words": lambda y: np.array(["a", "b", "c"])[y],
    "booleans": lambda y: y == 1,
    "whole floats": lambda y: y + 1.0,
    "signs": lambda y: 2 * (y % 2) - 1,
}


def bare(X, y):
    return MLPClassifier((6,), max_epochs=2, random_state=0).fit(X, y)


def pipeline(X, y):
    network = MLPClassifier((6,), max_epochs=2, random_state=0)
    return make_pipeline(StandardScaler(), network).fit(X, y)


def search(X, y):
    grid = {"mlpclassifier__dropout": [0.0]}
    return GridSearchCV(pipeline(X, y), grid, cv=2).fit(X, y)


MODELS = {"bare": bare, "pipeline": pipeline, "search": search}


@pytest.fixture(scope="module", params=LABELS)
def data(request):
    X, y = load_iris(return_X_y=True)
    return X.astype(np.float32), LABELS[request.param](y)


@pytest.fixture(scope="module", params=MODELS)
def model(request, data):
    return MODELS[request.param](*data)


def ours(model, X, **options):
    return to_onnx(model, X, options=options).model


def theirs(model, X, **options):
    return skl2onnx.to_onnx(model, X[:1], options=options or None)


def run(proto, X):
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    names = [out.name for out in session.get_outputs()]
    return dict(zip(names, session.run(None, {"X": X}), strict=True))


def key_of(label):
    return label if isinstance(label, str) else int(label)


def assert_labels(labels, model, X):
    np.testing.assert_array_equal(labels, model.predict(X).astype(labels.dtype))


@pytest.fixture(params=[ours, theirs], ids=["sklearn_deep", "skl2onnx"])
def convert(request):
    return request.param


def test_probabilities_are_one_array_without_a_zipmap(convert, model, data):
    out = run(convert(model, data[0], zipmap=False), data[0])
    assert list(out) == ["label", "probabilities"]
    assert_labels(out["label"], model, data[0])
    np.testing.assert_allclose(
        out["probabilities"], model.predict_proba(data[0]), atol=1e-6
    )


def test_defaults_of_zipmap_differ_between_both_functions(model, data):
    X, _ = data
    assert list(run(to_onnx(model, X).model, X)) == ["label", "probabilities"]
    assert isinstance(run(theirs(model, X), X)["output_probability"], list)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_zipmap_names_the_classes_in_every_row(convert, model, data, dtype):
    X = data[0].astype(dtype)
    out = run(convert(model, X, zipmap=True), X)
    assert_labels(out["output_label"], model, X)
    expected = model.predict_proba(X)
    for row, probabilities in zip(out["output_probability"], expected, strict=True):
        assert list(row) == [key_of(label) for label in model.classes_]
        np.testing.assert_allclose(list(row.values()), probabilities, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_zipmap_columns_gives_one_output_per_class(convert, model, data, dtype):
    X = data[0].astype(dtype)
    label, *columns = run(convert(model, X, zipmap="columns"), X).values()
    assert_labels(label, model, X)
    expected = model.predict_proba(X)
    np.testing.assert_allclose(np.stack(columns, 1), expected, atol=1e-6)


@pytest.mark.parametrize("zipmap", [False, True])
def test_option_nocl_outputs_class_numbers(convert, model, data, zipmap):
    X, _ = data
    label, scores = run(convert(model, X, nocl=True, zipmap=zipmap), X).values()
    np.testing.assert_array_equal(model.classes_[label], model.predict(X))
    if zipmap:
        assert list(scores[0]) == list(range(len(model.classes_)))


def test_class_labels_are_a_separate_output(convert, model, data):
    X, _ = data
    out = run(convert(model, X, zipmap=False, output_class_labels=True), X)
    assert list(out) == ["label", "probabilities", "class_labels"]
    assert out["class_labels"].tolist() == [key_of(c) for c in model.classes_]


def test_raw_scores_have_one_column_per_class(model, data):
    X, _ = data
    scores = run(ours(model, X, raw_scores=True), X)["probabilities"]
    expected = model.decision_function(X)
    if expected.ndim == 1:
        expected = np.stack([-expected, expected], 1)
    np.testing.assert_allclose(scores, expected, atol=1e-5)


def test_skl2onnx_accepts_options_by_the_last_step_or_by_class(data):
    X, _ = data
    model = pipeline(*data)
    for key in (id(model), id(model[-1]), MLPClassifier):
        proto = skl2onnx.to_onnx(model, X[:1], options={key: {"zipmap": False}})
        assert list(run(proto, X)) == ["label", "probabilities"]
    network = bare(*data)
    options = {id(network): {"zipmap": False, "raw_scores": True}}
    scores = run(skl2onnx.to_onnx(network, X[:1], options=options), X)["probabilities"]
    np.testing.assert_array_equal(scores.argmax(1), network.predict_proba(X).argmax(1))


@pytest.mark.parametrize("raw_scores", [False, True])
@pytest.mark.parametrize("zipmap", [False, True, "columns"])
def test_multilabel_outputs_have_one_column_per_label(zipmap, raw_scores):
    X, Y = make_multilabel_classification(60, 5, n_classes=3, random_state=0)
    model = bare(X, Y)
    export = to_onnx(model, X, options={"zipmap": zipmap, "raw_scores": raw_scores})
    label, *scores = run(export.model, X).values()
    np.testing.assert_array_equal(label, model.predict(X))
    method = model.decision_function if raw_scores else model.predict_proba
    if zipmap is True:
        found = np.array([list(row.values()) for row in scores[0]])
    else:
        found = np.stack(scores, 1) if zipmap else scores[0]
    np.testing.assert_allclose(found, method(X), atol=1e-6)


@pytest.mark.parametrize("zipmap", [False, True, "columns"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_raw_scores_are_read_in_any_form(n_classes, zipmap):
    X, y = load_iris(return_X_y=True)
    y = y % n_classes
    ridge = make_pipeline(RidgeClassifier()).fit(X, y)  # has no probabilities
    for model, raw in ((bare(X, y), True), (ridge, False)):
        export = to_onnx(model, X, options={"zipmap": zipmap, "raw_scores": raw})
        scores = OnnxClassifier(export.to_bytes()).decision_function(X)
        expected = model.decision_function(X)
        assert scores.shape == expected.shape
        np.testing.assert_allclose(scores, expected, atol=1e-5)


def test_columns_of_class_numbers_have_the_names_of_the_labels(convert, model, data):
    X, _ = data
    label, *columns = run(convert(model, X, zipmap="columns", nocl=True), X).values()
    np.testing.assert_array_equal(model.classes_[label], model.predict(X))
    expected = model.predict_proba(X)
    np.testing.assert_allclose(np.stack(columns, 1), expected, atol=1e-6)


@pytest.mark.parametrize("zipmap", [False, True, "columns"])
def test_multilabel_indicators_are_not_class_numbers(convert, zipmap):
    X, Y = make_multilabel_classification(60, 5, n_classes=3, random_state=0)
    X, model = X.astype(np.float32), bare(X.astype(np.float32), Y)
    label, *_ = run(convert(model, X, zipmap=zipmap, nocl=True), X).values()
    np.testing.assert_array_equal(label, model.predict(X))


def several(*names):
    """A classifier with one target per list of labels."""
    X, y = load_iris(return_X_y=True)
    X, Y = X.astype(np.float32), np.stack([np.array(n)[y % len(n)] for n in names], 1)
    network = MLPClassifier((6,), max_epochs=2, random_state=0)
    return MultiOutputClassifier(network).fit(X, Y), X, Y


TARGETS = [(["a", "b", "c"], ["no", "yes"]), ([3, 5, 7], [0, 1])]


@pytest.mark.parametrize("names", TARGETS, ids=["strings", "integers"])
def test_option_nocl_outputs_class_numbers_of_every_target(convert, names):
    model, X, _ = several(*names)
    label = run(convert(model, X, nocl=True, zipmap=False), X)["label"]
    for classes, numbers, expected in zip(
        model.classes_, label.T, model.predict(X).T, strict=True
    ):
        np.testing.assert_array_equal(classes[numbers], expected)
    reader = OnnxClassifier(to_onnx(model, X, options={"nocl": True}).to_bytes())
    np.testing.assert_array_equal(reader.predict(X), label)
    assert [c.tolist() for c in reader.classes_] == [[0, 1, 2], [0, 1]]


@pytest.mark.parametrize("names", TARGETS, ids=["strings", "integers"])
def test_class_labels_of_several_targets_are_a_list(convert, names):
    model, X, _ = several(*names)
    out = run(convert(model, X, zipmap=False, output_class_labels=True), X)
    assert list(out) == ["label", "probabilities", "class_labels"]
    assert [part.tolist() for part in out["class_labels"]] == list(names)


def test_raw_scores_without_a_decision_function_are_refused():
    model, X, _ = several(*TARGETS[0])
    with pytest.raises(
        OnnxExportError, match="which MultiOutputClassifier does not have"
    ):
        ours(model, X, raw_scores=True)
    calibrated = CalibratedClassifierCV(bare(X, np.arange(len(X)) % 2), cv=2)
    calibrated.fit(X, np.arange(len(X)) % 2)
    with pytest.raises(
        OnnxExportError, match="which CalibratedClassifierCV does not have"
    ):
        ours(calibrated, X, raw_scores=True)


def test_a_zipmap_and_class_labels_exclude_one_another(data):
    with pytest.raises(OnnxExportError, match="exclude each other"):
        ours(bare(*data), data[0], zipmap=True, output_class_labels=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"zipmat": True}, "no option 'zipmat'; available options: zipmap"),
        ({"zipmap": "rows"}, r"'zipmap' must be one of \[True, False, 'columns'\]"),
        ({"raw_scores": "yes"}, "'raw_scores' must be one of"),
    ],
)
def test_the_error_for_unsupported_options_lists_supported_ones(options, message, data):
    with pytest.raises(ValueError, match=message):
        to_onnx(bare(*data), data[0], options=options)
