"""The folder that to_web writes: whole or not at all, and what it refuses."""

import json
import os

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from sklearn_deep import MLPClassifier, OnnxClassifier, OnnxExportError, to_web
from sklearn_deep.deployment.web import _folder
from sklearn_deep.deployment.web._operators import check_operators
from sklearn_deep.deployment.web._runtime import FILES

X = np.random.default_rng(0).normal(size=(60, 3))
Y = X[:, 0] > 0
NETWORK = MLPClassifier((4,), max_epochs=2, random_state=0).fit(X, Y)
FILES_OF_A_PAGE = ["index.html", "model.json", "model.onnx", "page.js", "style.css"]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def description(folder):
    return json.loads((folder / "model.json").read_text("utf-8"))


def test_the_folder_holds_the_page_the_model_and_rows(tmp_path):
    folder = to_web(NETWORK, X, tmp_path / "a/page", title="Two classes")
    assert folder == tmp_path / "a/page"
    assert names(folder) == FILES_OF_A_PAGE
    reader = OnnxClassifier(folder / "model.onnx")
    np.testing.assert_allclose(reader.predict_proba(X), NETWORK.predict_proba(X))
    found = description(folder)
    assert len(found["examples"]["rows"]) == 20
    assert found["title"] == "Two classes"
    rows = pd.DataFrame(found["examples"]["rows"]).to_numpy()
    labels, shares = found["examples"]["expected"]
    np.testing.assert_array_equal(shares["values"], NETWORK.predict_proba(rows))
    assert [row[0] for row in labels["values"]] == NETWORK.predict(rows).tolist()


def test_nothing_in_the_page_points_elsewhere(tmp_path):
    folder = to_web(NETWORK, X, tmp_path / "page")
    text = "".join(
        (folder / name).read_text("utf-8")
        for name in ("index.html", "page.js", "style.css")
    )
    addresses = [word for word in text.split() if "://" in word]
    assert all("www.w3.org/2000/svg" in word for word in addresses)
    assert "default-src 'none'" in (folder / "index.html").read_text()
    assert "connect-src 'self'" in (folder / "index.html").read_text()


def test_a_title_is_text(tmp_path):
    folder = to_web(
        NETWORK, X, tmp_path / "page", title="<script>alert(1)</script> & Co"
    )
    index = (folder / "index.html").read_text("utf-8")
    assert "<script>alert" not in index
    assert index.count("&lt;script&gt;alert(1)&lt;/script&gt; &amp; Co") == 2
    default = to_web(NETWORK, X, tmp_path / "other")
    assert "<h1>MLPClassifier</h1>" in (default / "index.html").read_text()


def test_a_page_is_replaced_and_other_folders_are_not(tmp_path):
    folder = to_web(NETWORK, X, tmp_path / "page", title="Old")
    (folder / "note.txt").write_text("of the user")
    to_web(NETWORK, X, tmp_path / "page", title="New")
    assert names(folder) == FILES_OF_A_PAGE
    assert description(folder)["title"] == "New"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.tex").write_text("years")
    with pytest.raises(FileExistsError, match="holds other files"):
        to_web(NETWORK, X, tmp_path / "mine")
    assert names(tmp_path / "mine") == ["thesis.tex"]
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match="is a file"):
        to_web(NETWORK, X, tmp_path / "file")
    (tmp_path / "empty").mkdir()
    to_web(NETWORK, X, tmp_path / "empty")


@pytest.mark.parametrize("call", ["write_whole", "os.rename"])
def test_a_failure_leaves_the_old_folder(tmp_path, monkeypatch, call):
    folder = to_web(NETWORK, X, tmp_path / "page", title="Old")
    calls = []

    def fail_later(*args):
        calls.append(args)
        if (
            len(calls) == 2
        ):  # the second file, or the new folder in place of the old one
            raise OSError("the disk is full")
        return originals[call](*args)

    originals = {"write_whole": _folder.write_whole, "os.rename": os.rename}
    target = (_folder, "write_whole") if call == "write_whole" else (os, "rename")
    monkeypatch.setattr(*target, fail_later)
    with pytest.raises(OSError, match="disk is full"):
        to_web(NETWORK, X, folder, title="New")
    monkeypatch.undo()
    assert names(tmp_path) == ["page"]
    assert names(folder) == FILES_OF_A_PAGE
    assert description(folder)["title"] == "Old"


def test_nothing_is_written_if_the_export_fails(tmp_path):
    with pytest.raises(OnnxExportError):
        to_web(NETWORK, X[:, :2], tmp_path / "page")
    assert names(tmp_path) == []


# The runtime


def package_in(folder, **content):
    (folder / "dist").mkdir(parents=True)
    (folder / "package.json").write_text(json.dumps({"name": "onnxruntime-web"}))
    for name in FILES:
        (folder / "dist" / name).write_bytes(name.encode())
    return folder


def test_the_runtime_is_copied(tmp_path):
    package = package_in(tmp_path / "package")
    folder = to_web(NETWORK, X, tmp_path / "page", runtime=package)
    assert names(folder / "onnxruntime") == sorted(FILES)
    assert (folder / "onnxruntime" / FILES[0]).read_bytes() == FILES[0].encode()


@pytest.mark.parametrize("break_it", ["name", "absent", "file", "json"])
def test_another_folder_is_no_runtime(tmp_path, break_it):
    package = package_in(tmp_path / "package")
    if break_it == "file":
        (package / "dist" / FILES[1]).unlink()
    elif break_it == "absent":
        package = tmp_path / "nowhere"
    else:
        text = "{" if break_it == "json" else '{"name": "other"}'
        (package / "package.json").write_text(text)
    with pytest.raises(ValueError, match="onnxruntime-web"):
        to_web(NETWORK, X, tmp_path / "page", runtime=package)
    assert not (tmp_path / "page").exists()


# Operators


def test_lists_of_arrays_are_refused_and_the_operator_named(tmp_path):
    model = MultiOutputClassifier(LogisticRegression()).fit(X, np.stack([Y, ~Y], 1))
    with pytest.raises(OnnxExportError, match="SequenceConstruct"):
        to_web(model, X, tmp_path / "page")
    assert not (tmp_path / "page").exists()


def test_a_foreign_operator_is_named():
    from onnx import TensorProto, helper

    def value(name):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [None])

    node = helper.make_node("Stardust", ["x"], ["y"], domain="my.own")
    graph = helper.make_graph([node], "g", [value("x")], [value("y")])
    with pytest.raises(OnnxExportError, match=r"no operator my\.own\.Stardust"):
        check_operators(helper.make_model(graph))
    loop = helper.make_node("Loop", ["", "", "x"], ["y"], body=graph)
    outer = helper.make_graph([loop], "g", [value("x")], [value("y")])
    with pytest.raises(OnnxExportError, match=r"Loop, my\.own\.Stardust"):
        check_operators(helper.make_model(outer))


# Rows


def test_missing_values_dates_and_large_integers_are_json(tmp_path):
    frame = pd.DataFrame(
        {
            "town": ["Bonn"] * 30 + [None] * 30,
            "id": [2**60] * 30 + [-3] * 30,
        }
    )
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["town"]), ("passthrough", ["id"])
    )
    network = MLPClassifier((4,), max_epochs=2, random_state=0)
    model = make_pipeline(columns, network).fit(frame, np.arange(60) % 2)
    rows = description(to_web(model, frame, tmp_path / "page"))["examples"]["rows"]
    assert rows[0] == {"town": "Bonn", "id": str(2**60)}
    assert rows[-1] == {"town": None, "id": -3}
