"""Fixtures of the export tests: they make inputs and compare predictions on their own.

The package also compares predictions; these functions share no code with it.
"""

import warnings

import numpy as np
import onnxruntime
import pytest

from sklearn_deep.export._to_onnx import OLDEST_OPSET
from sklearn_deep.export.graph._graph import Graph, Value
from sklearn_deep.export.graph._registry import apply
from sklearn_deep.export.graph._table import Table
from sklearn_deep.export.inputs._declared import declare_inputs
from sklearn_deep.export.skl2onnx._convert import newest_opset

KINDS = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
    "tensor(uint8)": np.uint8,
}


OPSETS = range(OLDEST_OPSET, newest_opset() + 1)
ENDS = OPSETS[0], OPSETS[-1]


@pytest.fixture(
    params=[n if n in ENDS else pytest.param(n, marks=pytest.mark.slow) for n in OPSETS]
)
def opset(request):
    """Each operator set; those between the oldest and the newest are slow tests."""
    return request.param


@pytest.fixture(params=ENDS)
def end_opset(request):
    """The oldest and the newest operator set."""
    return request.param


def open_session(export):
    """Load an export, or the model of one."""
    model = getattr(export, "model", export)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def is_missing(value):
    try:
        return value is None or bool(value != value)
    except TypeError:  # pandas.NA
        return True


def as_input(values, kind):
    """Values of one column as a tensor of shape (n, 1)."""
    if kind == "tensor(string)":
        texts = ["nan" if is_missing(value) else str(value) for value in values]
        return np.array(texts, object).reshape(-1, 1)
    numbers = [np.nan if is_missing(value) else value for value in values]
    return np.array(numbers).astype(KINDS[kind]).reshape(-1, 1)


def feed(session, rows):
    """Feed each input with the column of its name, or with the whole array."""
    inputs = session.get_inputs()
    if not hasattr(rows, "columns"):
        (info,) = inputs
        return {info.name: np.asarray(rows).astype(KINDS[info.type])}
    columns = {str(name): list(rows[name]) for name in rows.columns}
    return {info.name: as_input(columns[info.name], info.type) for info in inputs}


def predicted(model, method, rows, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about unusual rows
        return getattr(model, method)(rows, **options)


def assert_near(got, expected, tolerance, scale=None):
    expected = np.asarray(expected, float)
    got = np.asarray(got, float).reshape(expected.shape)
    finite = np.isfinite(expected)
    if scale is None:
        scale = np.abs(expected[finite]).max(initial=0) or 1.0
    np.testing.assert_array_equal(np.isfinite(got), finite)
    gap = np.abs(got - expected)[finite].max(initial=0)
    assert gap <= tolerance * scale, f"off by {gap / scale:.2g} of the scale"


def assert_same_labels(got, expected):
    expected = np.asarray(expected)
    if got.dtype == object:
        expected = expected.astype(str).astype(object)
    np.testing.assert_array_equal(got, expected.astype(got.dtype).reshape(got.shape))


def assert_same_scores(model, scores, rows, tolerance):
    if isinstance(scores, list):
        expected = predicted(model, "predict_proba", rows)
        for one, other in zip(scores, expected, strict=True):
            assert_near(one, other, tolerance, 1.0)
    elif hasattr(model, "predict_proba"):
        assert_near(scores, predicted(model, "predict_proba", rows), tolerance, 1.0)
    elif hasattr(model, "decision_function"):
        expected = predicted(model, "decision_function", rows)
        if expected.ndim == 1:
            expected = np.stack([-expected, expected], 1)
        assert_near(scores, expected, tolerance)
    else:  # votes
        labels = predicted(model, "predict", rows)
        assert_near(scores, labels[:, None] == model.classes_[None], 0.0)


def assert_same_predictions(model, export, rows, tolerance=1e-5):
    """Compare every output of an ONNX model with the estimator, on any rows."""
    session = open_session(export)
    first, *others = session.run(None, feed(session, rows))
    labels_or_numbers = predicted(model, "predict", rows)
    if hasattr(model, "classes_"):
        assert_same_labels(first, labels_or_numbers)
        assert_same_scores(model, others[0], rows, tolerance)
        return
    assert_near(first, labels_or_numbers, tolerance)
    if others:
        model = getattr(model, "best_estimator_", model)
        mean, std = predicted(model, "predict", rows, return_std=True)
        assert_near(first, mean, tolerance)
        assert_near(others[0], std, tolerance)


@pytest.fixture(scope="session")
def same():
    """Assert that a model and its export agree on some rows."""
    return assert_same_predictions


@pytest.fixture(scope="session")
def run():
    """Run an export on some rows: the outputs by their names."""

    def outputs(export, rows):
        session = open_session(export)
        names = [info.name for info in session.get_outputs()]
        return dict(zip(names, session.run(None, feed(session, rows)), strict=True))

    return outputs


@pytest.fixture(scope="session")
def inputs():
    """Return the types of the inputs of an export by name."""
    return lambda export: {i.name: i.type for i in open_session(export).get_inputs()}


def transformed(step, rows, method="transform"):
    """Run the ONNX form of a fitted transformer alone."""
    graph = Graph(newest_opset())
    parts = [
        (Value(part.name, part.dtype), len(part.columns))
        for part in declare_inputs(step, rows)
    ]
    out = apply(graph, step, method, Table(tuple(parts))).matrix(graph)
    out = graph.node("Identity", out)  # an output must not be an input
    read = {name for node in graph.nodes for name in node.input}
    model = graph.model(
        [(value, (width,)) for value, width in parts if value.name in read], [out]
    )
    session = open_session(model)
    return session.run(None, feed(session, rows))[0]


@pytest.fixture(scope="session")
def transform():
    """Transform rows by the ONNX form of a fitted transformer alone."""
    return transformed
