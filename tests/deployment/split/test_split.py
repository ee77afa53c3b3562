"""A pipeline in two ONNX files, which together predict what it predicts."""

import json

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import is_classifier

import sklearn_deep.deployment.split._whole as cutting
from sklearn_deep import (
    InvalidParameterError,
    MLPAutoencoder,
    MLPClassifier,
    MultiTask,
    OnnxClassifier,
    OnnxExportError,
    OnnxFileError,
    OnnxRegressor,
    OnnxTransformer,
    SplitClassifier,
    SplitRegressor,
    split,
    split_report,
)
from sklearn_deep.serving._guard import check_graph
from sklearn_deep.serving._session import OnnxSession
from sklearn_deep.serving._split import SplitSession

from .conftest import MODELS, QUICK

URL = "http://127.0.0.1:1/v2/models/rest"


class InProcess:
    """The server's half in this process, in place of a server."""

    def __init__(self, content):
        self.opened = OnnxSession(content, 1, verify=True)
        self.n_rows = []

    def infer(self, inputs, outputs):
        self.n_rows += [len(rows) for rows in inputs.values()]
        return self.opened.session.run(list(outputs), dict(inputs))

    def metadata(self):
        return {"inputs": [info.name for info in self.opened.session.get_inputs()]}


def reader_of(halves, server=None, is_regressor=False):
    """A reader of the client's half that asks no server."""
    kind = SplitRegressor if is_regressor else SplitClassifier
    reader = kind(halves.client.to_bytes(), URL)
    reader._file.rest = InProcess((server or halves.server).to_bytes())
    return reader


def expected(model, X):
    if is_classifier(model):
        return model.predict_proba(X)
    return model.predict(X)


def predicted(reader, X):
    return reader.predict_proba(X) if is_classifier(reader) else reader.predict(X)


@pytest.mark.parametrize("name", MODELS)
def test_halves_predict_what_the_pipeline_predicts_wherever_it_is_cut(fitted, name):
    model, X, y = fitted(name)
    n_layers = len(split(model, X, y, at=0).layers_)
    for at in sorted({0, n_layers // 2, n_layers - 1}):
        halves = split(model, X, y, at=at)
        reader = reader_of(halves, is_regressor=not is_classifier(model))
        got, wanted = predicted(reader, X), expected(model, X)
        scale = 1.0 if is_classifier(model) else np.abs(wanted).max()
        np.testing.assert_allclose(got, wanted, atol=1e-5 * scale, rtol=0)
        if is_classifier(model):
            assert (reader.predict(X) == model.predict(X)).all()
        assert halves.receipt["score"] == pytest.approx(halves.receipt["whole_score"])
        for half in (halves.client, halves.server):
            check_graph(half.to_bytes())
            onnx.checker.check_model(half.model, full_check=True)


@pytest.mark.parametrize("name", MODELS)
def test_eight_bits_cross_and_the_loss_is_measured(fitted, name):
    model, X, y = fitted(name)
    whole = split(model, X, y, at=0)
    rounded = split(model, X, y, at=0, bits=8)
    n_numbers = OnnxTransformer(rounded.client.to_bytes()).transform(X).size / len(X)
    assert rounded.receipt["row_bytes"] == n_numbers
    assert rounded.receipt["row_bytes"] <= whole.receipt["row_bytes"]
    reader = reader_of(rounded, is_regressor=not is_classifier(model))
    assert reader.score(X, y) == pytest.approx(rounded.receipt["score"])
    assert rounded.receipt["whole_score"] == pytest.approx(model.score(X, y))
    assert rounded.receipt["score"] > rounded.receipt["whole_score"] - 0.1


@pytest.mark.parametrize("bits", [None, 8])
@pytest.mark.parametrize("name", ["mlp", "strings", "cnn", "rnn", "regressor"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38])
def test_rows_that_the_pipeline_refuses_are_refused_wherever_it_is_cut(
    fitted, name, bits, bad
):
    model, X, y = fitted(name)
    rows = X[:3].copy()
    if name == "strings":
        rows.iloc[1, 0] = bad
    else:
        rows.reshape(3, -1)[1, 0] = bad
    try:
        with np.errstate(all="ignore"):
            wanted = expected(model, rows)
    except ValueError:
        wanted = None
    n_layers = len(split(model, X, y, at=0).layers_)
    for at in sorted({0, n_layers // 2, n_layers - 1}):
        halves = split(model, X, y, at=at, bits=bits)
        reader = reader_of(halves, is_regressor=not is_classifier(model))
        if wanted is None:
            with pytest.raises(ValueError, match="refuses 1 of 3 rows of X: 1"):
                reader.predict(rows)
        elif bits is None and np.isfinite(wanted).all():
            scale = 1.0 if is_classifier(model) else np.abs(wanted).max()
            np.testing.assert_allclose(
                predicted(reader, rows), wanted, atol=1e-4 * scale
            )


@given(data=st.data())
def test_refusals_are_those_of_the_whole_file(fitted, data):
    model, X, _ = fitted("scaled")
    bits = data.draw(st.sampled_from([None, 8]))
    at = data.draw(st.integers(0, 5))
    numbers = st.one_of(
        st.floats(0, 9, width=32), st.sampled_from([np.nan, np.inf, -np.inf, 3e38])
    )
    row = data.draw(st.lists(numbers, min_size=4, max_size=4))
    rows = np.array([X[0], row], "float32")
    halves = SPLITS.setdefault((at, bits), None) or split(model, X, at=at, bits=bits)
    SPLITS[at, bits] = halves
    try:
        with np.errstate(all="ignore"):
            wanted = model.predict_proba(rows)
    except ValueError:
        wanted = None
    reader = reader_of(halves)
    if wanted is None:
        with pytest.raises(ValueError, match="refuses"):
            reader.predict_proba(rows)
    elif bits is None:
        np.testing.assert_allclose(reader.predict_proba(rows), wanted, atol=1e-5)
    elif max(row) < 1e9:  # rounded, but never refused
        p = reader.predict_proba(rows)
        np.testing.assert_allclose(p.sum(1), 1, atol=1e-5)


SPLITS = {}


def test_the_servers_half_is_a_file_that_readers_take(fitted):
    model, X, y = fitted("strings")
    halves = split(model, X, y, at="relu_1")
    sent = OnnxTransformer(halves.client.to_bytes()).transform(X)
    server = OnnxClassifier(halves.server.to_bytes())
    np.testing.assert_allclose(
        server.predict_proba(sent), model.predict_proba(X), atol=1e-5
    )
    assert (server.classes_ == model.classes_).all()


def test_the_servers_half_refuses_what_the_client_could_not_see(fitted):
    model, X, y = fitted("mlp")
    halves = split(model, X, y, at="relu_1")
    server = OnnxClassifier(halves.server.to_bytes())
    sent = OnnxTransformer(halves.client.to_bytes()).transform(X[:3])
    sent[2] = np.nan
    with pytest.raises(ValueError, match="refuses 1 of 3 rows of X: 2"):
        server.predict(sent)
    raw = OnnxSession(halves.server.to_bytes(), 1, True).session
    name = raw.get_inputs()[0].name
    (p,) = raw.run(["probabilities"], {name: sent})
    assert np.isnan(p).any(1).tolist() == [False, False, True]


def test_halves_of_other_splits_do_not_fit(fitted):
    model, X, y = fitted("mlp")
    names = {
        split(model, X, y, at=at, bits=bits).client.model.graph.output[0].name
        for at in ("gemm_1", "relu_1")
        for bits in (None, 8)
    }
    other = MLPClassifier((8, 4), max_epochs=2, random_state=1).fit(X, y)
    names.add(split(other, X, y, at="relu_1").client.model.graph.output[0].name)
    assert len(names) == 5
    again = split(model, X, y, at="relu_1")
    assert again.client.model.graph.output[0].name in names


def test_quantized_networks_send_their_own_integers_without_loss(fitted):
    model, X, y = fitted("quantized")
    halves = split(model, X, y, at="quantizelinear_2", bits=8)
    assert halves.receipt["row_bytes"] == 8
    assert halves.receipt["differences"]["predict_proba"]["largest"] < 1e-5


def test_layers_are_named_and_counted(fitted):
    model, X, y = fitted("mlp")
    halves = split(model, X, y, at=1)
    assert halves.layers_ == ["gemm_1", "relu_1", "gemm_2", "relu_2", "gemm_3"]
    assert halves.at == "relu_1"
    assert split(model, X, y, at=-1).at == "gemm_3"
    assert "32 bytes per row" in repr(halves)


def test_the_report_lists_every_cut_and_both_ends(fitted):
    model, X, y = fitted("mlp")
    report = split_report(model, X, y, bits=8)
    assert report.names == [
        "(all on the server)",
        *split(model, X, at=0).layers_,
        "(all on the client)",
    ]
    assert report.columns["row_bytes"].tolist() == [16, 8, 8, 4, 4, 3, 0]
    assert (report.columns["client_us"][1:] > 0).all()
    assert report.columns["client_us"][0] == report.columns["server_us"][-1] == 0
    sizes = report.columns["client_bytes"]
    assert (np.diff(sizes[1:-1]) > 0).all()
    drops = report.columns["score_drop"]
    halves = split(model, X, y, at="gemm_2", bits=8)
    lost = halves.receipt["whole_score"] - halves.receipt["score"]
    assert drops[report.names.index("gemm_2")] == pytest.approx(lost)
    assert len(halves.client.to_bytes()) == pytest.approx(
        sizes[report.names.index("gemm_2")], abs=400
    )
    assert len(report.to_frame()) == 7
    assert "relu_2" in str(report)


def test_strings_that_cross_are_counted(fitted):
    model, X, _ = fitted("strings")
    report = split_report(model, X)
    assert report.columns["row_bytes"][0] == 4 * 8 + 4 + len("north")
    assert "score_drop" not in report.columns


@pytest.mark.parametrize(
    ("weights", "layer"),
    [
        ({"bandwidth": 1.0, "latency": 0.0}, "gemm_3"),  # 12 bytes, the fewest
        ({"bandwidth": 1e12, "client_factor": 1e6}, None),
    ],
)
def test_auto_takes_the_fastest_by_the_weights_given(fitted, weights, layer):
    model, X, _ = fitted("mlp")
    report = split_report(model, X, **weights)
    totals = dict(zip(report.names, report.columns["total_us"], strict=True))
    assert report.best_ == min(report.layers_, key=totals.get)
    if layer is not None:
        assert report.best_ == layer
        assert split(model, X, at="auto", **weights).at == layer


def test_auto_keeps_to_the_size_of_the_client(fitted):
    model, X, _ = fitted("cnn")
    report = split_report(model, X)
    sizes = sorted(report.columns["client_bytes"][1:-1])
    limit = int(sizes[2])
    halves = split(model, X, at="auto", max_client_bytes=limit)
    client = dict(zip(report.names, report.columns["client_bytes"], strict=True))
    assert client[halves.at] <= limit
    with pytest.raises(ValueError, match="max_client_bytes=10: the smallest"):
        split(model, X, at="auto", max_client_bytes=10)


def test_files_are_written(fitted, tmp_path):
    model, X, _ = fitted("mlp")
    paths = tmp_path / "client.onnx", tmp_path / "server.onnx"
    halves = split(model, X, at=0, client_path=paths[0], server_path=paths[1])
    assert [p.read_bytes() for p in paths] == [
        halves.client.to_bytes(),
        halves.server.to_bytes(),
    ]
    assert halves.save(*paths) is halves


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"at": "relu_9"}, ValueError, "can be cut after gemm_1, relu_1"),
        ({"at": 5}, ValueError, "an index below 5"),
        ({"at": True}, ValueError, "at must be"),
        ({"bits": 4}, ValueError, "takes bits=8 or bits=None; got 4"),
        ({"bandwidth": 0}, InvalidParameterError, "bandwidth"),
        ({"latency": -1}, InvalidParameterError, "latency"),
    ],
)
def test_a_wrong_argument_is_named(fitted, changes, error, message):
    model, X, _ = fitted("mlp")
    with pytest.raises(error, match=message):
        split(model, X, **changes)


def test_what_cannot_be_cut_says_why(fitted, monkeypatch):
    _, X, y = fitted("mlp")
    coder = MLPAutoencoder(code_size=2, **QUICK).fit(X)
    with pytest.raises(OnnxExportError, match="neither a classifier nor"):
        split(coder, X)
    several = MultiTask(MLPClassifier((4,), **QUICK)).fit(
        X, np.stack([y > 0, y > 1], 1)
    )
    with pytest.raises(OnnxExportError, match="cannot be split"):
        split(several, X)
    monkeypatch.setattr(cutting, "find_cuts", lambda *args: [])
    with pytest.raises(OnnxExportError, match="no single array of numbers connects"):
        split(fitted("mlp")[0], X)


# The reader without a server


def test_a_reader_has_the_attributes_of_the_pipeline(fitted):
    model, X, y = fitted("strings")
    reader = reader_of(split(model, X, y, at=0))
    assert (reader.classes_ == model.classes_).all()
    assert reader.feature_names_in_.tolist() == list(X.columns)
    assert reader.n_features_in_ == 5
    assert reader.receipt_["at"] == "concat_1"
    shuffled = X[X.columns[::-1]]
    assert (reader.predict(shuffled) == model.predict(X)).all()


def test_standard_deviations_cross_too(fitted):
    model, X, _ = fitted("gaussian")
    reader = reader_of(split(model, X, at=1), is_regressor=True)
    y, std = reader.predict(X, return_std=True)
    wanted_y, wanted_std = model.predict(X, return_std=True)
    np.testing.assert_allclose(y, wanted_y, rtol=1e-4)
    np.testing.assert_allclose(std, wanted_std, rtol=1e-4)


def test_many_rows_are_sent_in_several_requests(fitted):
    model, X, _ = fitted("mlp")
    reader = reader_of(split(model, X, at="relu_1"))
    many = np.tile(X, (20, 1))
    assert (reader.predict(many) == model.predict(many)).all()
    assert reader._file.rest.n_rows == [1024, 1024, 952]


def test_other_files_are_refused(fitted):
    model, X, _ = fitted("mlp")
    halves = split(model, X, at=0)
    for kind in (SplitClassifier, SplitRegressor):
        with pytest.raises(OnnxFileError, match="not the client's half"):
            kind(halves.server.to_bytes(), URL).n_features_in_
    with pytest.raises(OnnxFileError, match="half of a classifier; read it with"):
        SplitRegressor(halves.client.to_bytes(), URL).n_features_in_
    with pytest.raises(OnnxFileError, match="OnnxTransformer"):
        OnnxClassifier(halves.client.to_bytes()).classes_
    with pytest.raises(OnnxFileError):
        OnnxRegressor(halves.server.to_bytes()).n_features_in_


@pytest.mark.parametrize(
    "damage",
    [
        lambda about: about.pop("rest"),
        lambda about: about["rest"].pop("outputs"),
        lambda about: about["rest"].update(task="other"),
        lambda about: about.update(rest=3),
        lambda about: about.update(half="both"),
    ],
)
def test_damaged_metadata_of_the_other_half_are_refused(fitted, damage):
    model, X, _ = fitted("mlp")
    opened = OnnxSession(split(model, X, at=0).client.to_bytes(), 1, True)
    opened.metadata = json.loads(json.dumps(opened.metadata))
    damage(opened.metadata["split"])
    with pytest.raises(OnnxFileError, match=r"half|halves"):
        SplitSession(opened, InProcess)
