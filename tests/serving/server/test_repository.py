"""Which models are served, and how files are exchanged while they are."""

import os
import shutil

import numpy as np
import pytest
from sklearn.datasets import load_iris

from sklearn_deep import MLPClassifier, OnnxFileError, to_onnx
from sklearn_deep.serving.server._errors import UnknownModelError
from sklearn_deep.serving.server._repository import Repository


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """Another model of the inputs of ``plain``."""
    X, y = load_iris(return_X_y=True)
    path = tmp_path_factory.mktemp("other") / "other.onnx"
    to_onnx(MLPClassifier((3,), max_epochs=2, random_state=1).fit(X, y), X, path)
    return path


def replace(source, path):
    """Put a copy of a file in the place of another, at once, with a later time."""
    shutil.copy(source, path.with_suffix(".new"))
    os.replace(path.with_suffix(".new"), path)


def test_names_and_versions_follow_from_files_and_folders(models, tmp_path):
    for version in ("1", "2", "10"):
        folder = tmp_path / "tuned" / version
        folder.mkdir(parents=True)
        shutil.copy(models.path("plain"), folder / "model.onnx")
    shutil.copy(models.path("flowers"), tmp_path / "flowers.onnx")
    (tmp_path / "notes.txt").write_text("no model")
    repository = Repository([tmp_path])
    assert repository.names() == ["flowers", "tuned"]
    assert repository.versions("tuned") == ["1", "2", "10"]
    assert repository.get("tuned").version == "10"
    assert repository.get("tuned", "2").path.parent.name == "2"
    one = Repository([tmp_path / "tuned", models.path("plain")])
    assert one.names() == ["plain", "tuned"]


def test_unknown_names_and_versions_are_errors(models):
    repository = Repository([models.path("plain")])
    with pytest.raises(UnknownModelError, match="there is plain"):
        repository.get("other")
    with pytest.raises(UnknownModelError, match="it has 1"):
        repository.get("plain", "2")


def test_two_files_of_one_name_are_an_error(models, tmp_path):
    shutil.copy(models.path("plain"), tmp_path)
    with pytest.raises(ValueError, match="Two files are version 1"):
        Repository([models.path("plain"), tmp_path / "plain.onnx"])


def test_a_file_that_is_named_must_be_good_one_in_a_folder_is_logged(
    models, tmp_path, caplog
):
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"no model")
    with pytest.raises(OnnxFileError):
        Repository([bad])
    with pytest.raises(OnnxFileError, match="There is no ONNX file"):
        Repository([tmp_path])
    shutil.copy(models.path("plain"), tmp_path)
    caplog.clear()
    assert Repository([tmp_path]).names() == ["plain"]
    assert "bad.onnx is not served" in caplog.text


def test_a_changed_file_takes_the_place_of_the_former_one(models, other, tmp_path):
    path = tmp_path / "plain.onnx"
    shutil.copy(models.path("plain"), path)
    repository = Repository([path])
    former = repository.get("plain")
    replace(other, path)
    repository.reload()
    served = repository.get("plain")
    assert served.checksum != former.checksum
    X = {"X": np.ones((1, 4))}
    assert not np.allclose(*(s.infer(X)["probabilities"] for s in (former, served)))


def damaged(content):
    """Contents that are not to be served."""
    middle = len(content) // 2
    flipped = bytes([content[middle] ^ 1])
    yield content[:middle]
    yield content[:middle] + flipped + content[middle + 1 :]
    yield b""
    yield b"text"


def test_a_bad_file_leaves_the_former_model_and_is_logged_once(
    models, other, tmp_path, caplog
):
    path = tmp_path / "plain.onnx"
    shutil.copy(models.path("plain"), path)
    repository = Repository([tmp_path])
    former = repository.get("plain")
    for content in damaged(other.read_bytes()):
        path.write_bytes(content)
        caplog.clear()
        repository.reload()
        repository.reload()
        assert repository.get("plain") is former
        assert caplog.text.count("plain.onnx is not served") == 1
    path.write_bytes(other.read_bytes())
    repository.reload()
    assert repository.get("plain") is not former


def test_new_files_come_and_absent_ones_go_after_a_while(models, other, tmp_path):
    shutil.copy(models.path("plain"), tmp_path)
    repository = Repository([tmp_path])
    shutil.copy(other, tmp_path)
    repository.reload()
    assert repository.names() == ["other", "plain"]
    (tmp_path / "plain.onnx").unlink()
    repository.reload()
    assert repository.names() == ["other", "plain"]
    for _ in range(3):
        repository.reload()
    assert repository.names() == ["other"]


def test_a_file_that_is_named_stays_when_it_is_absent(models, tmp_path):
    path = tmp_path / "plain.onnx"
    shutil.copy(models.path("plain"), path)
    repository = Repository([path])
    path.unlink()
    for _ in range(5):
        repository.reload()
    assert repository.names() == ["plain"]


def test_a_folder_that_is_gone_leaves_its_models(models, tmp_path):
    folder = tmp_path / "models"
    folder.mkdir()
    shutil.copy(models.path("plain"), folder)
    repository = Repository([folder])
    shutil.rmtree(folder)
    repository.reload()
    assert repository.names() == ["plain"]
