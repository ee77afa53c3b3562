"""Export of sequence networks: unequal lengths, tokens, a prediction for every step."""

import sys

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sklearn_deep import (
    NetworkFeatures,
    OnnxClassifier,
    OnnxExportError,
    OnnxRegressor,
    RNNClassifier,
    RNNRegressor,
    to_onnx,
)
from sklearn_deep.nn._rnn import CELLS, READOUTS
from sklearn_deep.serving._sequence_inputs import WHITE_SPACE

SMALL = {"hidden_size": 4, "max_epochs": 1, "random_state": 0}
N = 30
Y = np.arange(N) % 3


def unequal(seed=0, n_channels=2, dtype=np.float64):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 9, N)
    return [rng.normal(size=(n, n_channels)).astype(dtype) for n in lengths]


X = unequal()
OTHERS = unequal(seed=1)


def worst(export):
    differences = export.receipt["differences"].values()
    return max(difference["relative"] for difference in differences)


def assert_same_steps(got, expected, atol=1e-5):
    assert len(got) == len(expected)
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=atol)


@pytest.mark.oldest
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_and_readout_over_unequal_lengths(cell, readout, bidirectional):
    model = RNNClassifier(
        cell=cell, readout=readout, bidirectional=bidirectional, num_layers=2, **SMALL
    ).fit(X, Y)
    export = to_onnx(model, X)
    assert worst(export) < 2e-6
    reader = OnnxClassifier(export.to_bytes())
    p = reader.predict_proba(OTHERS)
    np.testing.assert_allclose(p, model.predict_proba(OTHERS), atol=2e-6)
    assert reader.predict(OTHERS).dtype == Y.dtype


def test_the_file_takes_padded_steps_and_lengths_and_ignores_padding():
    model = RNNClassifier(readout="attention", bidirectional=True, **SMALL).fit(X, Y)
    session = onnxruntime.InferenceSession(to_onnx(model, X).to_bytes())
    assert [i.name for i in session.get_inputs()] == ["X", "lengths"]
    filled = np.full((N, 12, 2), 1e3)
    lengths = np.array([len(x) for x in OTHERS])
    for row, x in zip(filled, OTHERS, strict=True):
        row[: len(x)] = x
    p = session.run(["probabilities"], {"X": filled, "lengths": lengths})[0]
    np.testing.assert_allclose(p, model.predict_proba(OTHERS), atol=2e-6)


FORMS = {
    "list": lambda rows: rows,
    "column": lambda rows: pd.Series(rows),
    "frame": lambda rows: pd.DataFrame({"series": rows}),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_unequal_sequences(form):
    rows, others = FORMS[form](X), FORMS[form](OTHERS)
    model = RNNClassifier(**SMALL).fit(rows, Y)
    reader = OnnxClassifier(to_onnx(model, rows).to_bytes())
    np.testing.assert_array_equal(reader.predict(others), model.predict(others))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_channels_first(dtype):
    rows = [x.T.astype(dtype) for x in X]
    model = RNNRegressor(channels="first", **SMALL).fit(rows, Y * 1.0)
    export = to_onnx(model, rows)
    got = OnnxRegressor(export.to_bytes()).predict(rows)
    np.testing.assert_allclose(got, model.predict(rows), atol=1e-5)


@pytest.mark.parametrize("channels", ["last", "first"])
@pytest.mark.parametrize("shape", [(6,), (6, 2)])
def test_arrays_are_one_input_and_three_axes_of_any_length(shape, channels, same):
    rows = np.random.default_rng(0).normal(size=(N, *shape))
    if channels == "first" and rows.ndim == 3:
        rows = rows.transpose(0, 2, 1)
    model = RNNClassifier(channels=channels, **SMALL).fit(rows, Y)
    export = to_onnx(model, rows)
    same(model, export, rows)
    if rows.ndim == 3:
        time = 1 if channels == "last" else 2
        longer = np.concatenate([rows, rows], time)
        reader = OnnxClassifier(export.to_bytes())
        p = reader.predict_proba(longer)
        np.testing.assert_allclose(p, model.predict_proba(longer), atol=2e-6)


def test_dtype_float64_is_kept_between_recurrent_layers():
    model = RNNClassifier(readout="mean", **SMALL).fit(X, Y)
    export = to_onnx(model, X, dtype="float64")
    assert worst(export) < 1e-6


# Tokens

WORDS = ["anna", "bob", "carl", "dörte", "émil", "frida 日本", "a\x00b"] * 5
TEXTS = ["the cat sat", "a  dog\tran ", "one", "hello big\xa0wide\u2003world"] * 9
TOKENS = {
    "characters": ({}, WORDS, ["zoë", "b", "  ", "日"]),
    "words": ({"analyzer": "word"}, TEXTS, ["never seen", "the dog", "\n one\r\n"]),
    "lists of words": ({}, [t.split() for t in TEXTS], [["the", "new"], ["one"]]),
    "integers": (
        {"tokens": True},
        [np.arange(i % 5 + 1) - 2 for i in range(30)],
        [np.array([0, 7, 1]), np.array([-2])],
    ),
    "lists of integers": (
        {"tokens": True},
        [list(range(i % 5 + 1)) for i in range(30)],
        [[0, 99], [1]],
    ),
    "rows of integers": (
        {"tokens": True},
        np.arange(120).reshape(30, 4) % 7,
        np.array([[0, 1, 50, 2]]),
    ),
}


@pytest.mark.parametrize("name", TOKENS)
def test_tokens_are_looked_up_in_the_graph(name):
    settings, rows, others = TOKENS[name]
    y = np.arange(len(rows)) % 2
    model = RNNClassifier(embedding_dim=3, **settings, **SMALL).fit(rows, y)
    reader = OnnxClassifier(to_onnx(model, rows).to_bytes())
    for some in (rows, others):
        p = reader.predict_proba(some)
        np.testing.assert_allclose(p, model.predict_proba(some), atol=2e-6)


def test_texts_are_split_in_the_graph():
    y = np.arange(len(TEXTS)) % 2
    model = RNNClassifier(analyzer="word", **SMALL).fit(TEXTS, y)
    session = onnxruntime.InferenceSession(to_onnx(model, TEXTS).to_bytes())
    (given,) = session.get_inputs()
    assert (given.name, given.type, len(given.shape)) == ("X", "tensor(string)", 1)
    p = session.run(["probabilities"], {"X": np.array(TEXTS, object)})[0]
    np.testing.assert_allclose(p, model.predict_proba(TEXTS), atol=2e-6)


def test_white_space_equals_pythons():
    all_of_it = [c for c in map(chr, range(sys.maxunicode + 1)) if c.isspace()]
    assert list(WHITE_SPACE) == all_of_it


# A prediction for every step

BY_STEP = {
    "two classes": (RNNClassifier, lambda x: (x[:, 0] > 0).astype(int)),
    "three classes": (RNNClassifier, lambda x: (x > 0).sum(1)),
    "words": (RNNClassifier, lambda x: np.array(["no", "yes"])[1 * (x[:, 0] > 0)]),
    "labels": (RNNClassifier, lambda x: (x > 0).astype(int)),
    "numbers": (RNNRegressor, lambda x: x[:, 0]),
    "several numbers": (RNNRegressor, lambda x: x + 1),
}


@pytest.mark.parametrize("name", BY_STEP)
def test_every_step_of_unequal_sequences_is_predicted(name):
    kind, target = BY_STEP[name]
    model = kind(return_sequences=True, **SMALL).fit(X, [target(x) for x in X])
    export = to_onnx(model, X)
    if kind is RNNRegressor:
        got = OnnxRegressor(export.to_bytes()).predict(OTHERS)
        assert_same_steps(got, model.predict(OTHERS))
        return
    reader = OnnxClassifier(export.to_bytes())
    assert_same_steps(reader.predict_proba(OTHERS), model.predict_proba(OTHERS))
    for got, expected in zip(reader.predict(X), model.predict(X), strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("name", BY_STEP)
def test_every_step_of_an_array_is_predicted(name):
    kind, target = BY_STEP[name]
    rows = np.random.default_rng(0).normal(size=(N, 6, 2))
    y = np.array([target(x) for x in rows])
    model = kind(return_sequences=True, **SMALL).fit(rows, y)
    content = to_onnx(model, rows).to_bytes()
    reader = (OnnxRegressor if kind is RNNRegressor else OnnxClassifier)(content)
    got = reader.predict(rows)
    assert got.shape == y.shape
    if kind is RNNRegressor:
        np.testing.assert_allclose(got, model.predict(rows), atol=1e-5)
    else:
        np.testing.assert_array_equal(got, model.predict(rows))


def test_the_spread_of_every_step():
    model = RNNRegressor(return_sequences=True, loss="gaussian", **SMALL)
    model.fit(X, [x[:, 0] for x in X])
    reader = OnnxRegressor(to_onnx(model, X).to_bytes())
    for got, expected in zip(
        reader.predict(X, return_std=True),
        model.predict(X, return_std=True),
        strict=True,
    ):
        assert_same_steps(got, expected)


@pytest.mark.parametrize("n_targets", [1, 2])
def test_the_quantiles_of_every_step(n_targets):
    params = {"quantile": [0.1, 0.5, 0.9]}
    model = RNNRegressor(
        return_sequences=True, loss="quantile", loss_params=params, **SMALL
    )
    model.fit(X, [x[:, 0] if n_targets == 1 else x[:, [0, 0]] for x in X])
    reader = OnnxRegressor(to_onnx(model, X).to_bytes())
    assert_same_steps(reader.predict(X), model.predict(X))


def test_every_character_is_predicted():
    y = [[int(c in "aeiou") for c in word] for word in WORDS]
    model = RNNClassifier(return_sequences=True, **SMALL).fit(WORDS, y)
    reader = OnnxClassifier(to_onnx(model, WORDS).to_bytes())
    assert_same_steps(reader.predict_proba(WORDS), model.predict_proba(WORDS))


INSIDE = {
    "search": lambda net: GridSearchCV(net, {"cell": ["gru", "rnn"]}, cv=2),
    "pipeline": make_pipeline,
    "features": lambda net: make_pipeline(NetworkFeatures(net), RidgeClassifier()),
}


@pytest.mark.parametrize("name", INSIDE)
def test_sequences_go_through_meta_estimators(name):
    model = INSIDE[name](RNNClassifier(**SMALL)).fit(X, Y)
    reader = OnnxClassifier(to_onnx(model, X).to_bytes())
    np.testing.assert_array_equal(reader.predict(OTHERS), model.predict(OTHERS))


def test_arrays_go_through_an_ensemble(same):
    rows = np.random.default_rng(0).normal(size=(N, 6, 2))
    nets = [(cell, RNNClassifier(cell=cell, **SMALL)) for cell in CELLS]
    model = VotingClassifier(nets, voting="soft").fit(rows, Y)
    same(model, to_onnx(model, rows), rows)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([x[:, :1] for x in X], "1 channels, but the model expects 2"),
        ([None, *X], r"X\[0\].*is missing \(None\)"),
        ([["a", "b"], ["c"]], "holds what is no number"),
        ([], "0 sample"),
    ],
)
def test_sequences_unlike_those_of_the_export_are_refused(rows, words):
    reader = OnnxClassifier(to_onnx(RNNClassifier(**SMALL).fit(X, Y), X).to_bytes())
    with pytest.raises((ValueError, TypeError), match=words):
        reader.predict(rows)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([["a", "b"]], "must contain texts"),
        (["anna", None], r"X\[1\].*is missing \(None\)"),
        ([[1, 2]], "must contain texts"),
    ],
)
def test_tokens_unlike_those_of_the_export_are_refused(rows, words):
    model = RNNClassifier(**SMALL).fit(WORDS, np.arange(35) % 2)
    reader = OnnxClassifier(to_onnx(model, WORDS).to_bytes())
    with pytest.raises((ValueError, TypeError), match=words):
        reader.predict(rows)


def test_empty_x_is_refused():
    model = RNNClassifier(**SMALL).fit(X, Y)
    for nothing in ([], np.empty(0, object), pd.Series([], dtype=object)):
        with pytest.raises(OnnxExportError, match=r"got shape \(0,\)|no row"):
            to_onnx(model, nothing)


# Rows without a step

KINDS = {
    "numbers": [x[: i % 3] for i, x in enumerate(X)],
    "texts": ["ab c", "", "bca", "  ", "c", ""] * 5,
    "words": [["a", "b"], [], ["c"], ["a", "d"], [], ["b"]] * 5,
    "integers": [[1, 2], [], [3, 1, 1], [2], [], [3]] * 5,
}
NOTHING = {"numbers": X[0][:0], "texts": "", "words": [], "integers": []}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("cell", CELLS)
def test_rows_without_steps_are_predicted(kind, readout, cell):
    rows = KINDS[kind]
    model = RNNClassifier(
        cell=cell, readout=readout, bidirectional=True, analyzer="word", **SMALL
    ).fit(rows, Y)
    # X has no empty row, but the parity check generates one.
    reader = OnnxClassifier(to_onnx(model, [r for r in rows if len(r)]).to_bytes())
    np.testing.assert_allclose(
        reader.predict_proba(rows), model.predict_proba(rows), atol=1e-5
    )
    bias = model.module_.output.bias.detach().numpy().astype(float)
    expected = np.exp(bias) / np.exp(bias).sum()
    for n in (1, 3):
        alone = reader.predict_proba([NOTHING[kind]] * n)
        np.testing.assert_allclose(alone, np.tile(expected, (n, 1)), atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_without_steps_have_no_predictions_of_steps(kind):
    rows = KINDS[kind]
    steps = [len(r.split()) if kind == "texts" else len(r) for r in rows]
    y = [np.arange(n) % 3 for n in steps]
    model = RNNClassifier(return_sequences=True, analyzer="word", **SMALL).fit(rows, y)
    reader = OnnxClassifier(to_onnx(model, rows).to_bytes())
    assert_same_steps(reader.predict_proba(rows), model.predict_proba(rows))
    empty = reader.predict([NOTHING[kind]] * 2)
    assert [len(row) for row in empty] == [0, 0]
    n_classes = len(model.classes_)
    assert reader.predict_proba([NOTHING[kind]])[0].shape == (0, n_classes)


def test_raw_onnxruntime_gives_zeros_for_lengths_of_zero():
    model = RNNRegressor(readout="max", **SMALL).fit(KINDS["numbers"], np.arange(N))
    session = onnxruntime.InferenceSession(to_onnx(model, KINDS["numbers"]).to_bytes())
    feeds = {"X": np.ones((2, 3, 2)), "lengths": np.array([0, 3])}
    out = session.run(None, feeds)[0].ravel()
    expected = model.predict([np.ones((0, 2)), np.ones((3, 2))])
    np.testing.assert_allclose(out, expected, rtol=1e-5)
