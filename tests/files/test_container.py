"""A model file is written whole, and nothing in it is read before its sums are right."""

import errno
import os
import pickle
import zipfile

import joblib
import numpy as np
import pytest
import skops.io

from sklearn_deep import MLPClassifier, ModelFileError, OnnxFileError, _disk, load, save
from sklearn_deep.files._container import FORMAT, MAGIC, Container

ROWS = np.random.default_rng(0).normal(size=(24, 6))
LABELS = np.arange(24) % 2


@pytest.fixture(scope="module")
def model():
    return MLPClassifier((4,), max_epochs=2, random_state=0).fit(ROWS, LABELS)


@pytest.fixture(scope="module")
def content(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("content") / "model.skd"
    save(model, path)
    return path.read_bytes()


@pytest.fixture
def path(content, tmp_path):
    path = tmp_path / "model.skd"
    path.write_bytes(content)
    return path


def test_every_flipped_bit_is_found(content):
    rng = np.random.default_rng(0)
    places = [*range(160), *rng.integers(0, len(content), 400)]
    for place in places:
        for bit in range(8):
            broken = bytearray(content)
            broken[place] ^= 1 << bit
            with pytest.raises(ModelFileError):
                Container.parse("", bytes(broken))


def test_every_cut_and_every_addition_is_found(content):
    for end in [*range(200), *range(200, len(content), 997)]:
        with pytest.raises(ModelFileError):
            Container.parse("", content[:end])
    for more in (b"\0", content):
        with pytest.raises(ModelFileError, match="damaged"):
            Container.parse("", content + more)


def test_a_damaged_file_is_named_with_what_to_do(path, content):
    path.write_bytes(content[:-1])
    with pytest.raises(ModelFileError, match=r"model.skd' is damaged.*backup"):
        load(path)


def test_a_later_format_asks_for_a_later_version(path, content, monkeypatch):
    monkeypatch.setattr("sklearn_deep.files._container.FORMAT", FORMAT + 1)
    file = Container.make(path, b"{}", b"")
    monkeypatch.undo()
    head = bytearray(file.data)
    assert bytes(head[: len(MAGIC)]) == MAGIC
    from sklearn_deep.files import _container

    data = _container._head(file.digest, file.signature, bytes([FORMAT + 1]))
    path.write_bytes(data + file.data[len(data) :])
    with pytest.raises(
        ModelFileError, match=r"format version 2.*Install a later version"
    ):
        load(path)


def write_pickle(path, model):
    path.write_bytes(pickle.dumps(model))


def write_zip(path, model):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", "b")


OTHERS = {
    "pickle": (write_pickle, "a pickle"),
    "joblib": (lambda path, model: joblib.dump(model, path), "a pickle"),
    "compressed": (
        lambda path, model: joblib.dump(model, path, compress=3),
        "compressed by zlib",
    ),
    "skops": (lambda path, model: skops.io.dump(model, path), "skops.io.load"),
    "zip": (write_zip, "a ZIP archive"),
    "numpy": (lambda path, model: path.write_bytes(b"\x93NUMPY"), "numpy.load"),
    "text": (lambda path, model: path.write_bytes(b"hello"), "begins with b'hello'"),
    "empty": (lambda path, model: path.write_bytes(b""), "empty"),
    "torn": (lambda path, model: path.write_bytes(MAGIC[:5]), "cut off after 5 bytes"),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_another_file_is_named_in_the_error(kind, model, tmp_path):
    write, words = OTHERS[kind]
    write(tmp_path / "model", model)
    with pytest.raises(ModelFileError, match=words) as error:
        load(tmp_path / "model")
    assert "is no model file of sklearn_deep.save" in str(error.value)
    assert not isinstance(error.value, OnnxFileError)


def test_a_missing_file_is_a_file_not_found_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nothing")


def test_a_folder_and_a_device_are_refused(tmp_path):
    with pytest.raises(ModelFileError, match="is a folder"):
        load(tmp_path)
    if os.name == "posix":
        with pytest.raises(ModelFileError, match="no regular file"):
            load("/dev/zero")


def test_a_model_file_is_a_skops_file_too(path, model):
    types = skops.io.get_untrusted_types(file=path)
    loaded = skops.io.load(path, trusted=types)
    np.testing.assert_array_equal(loaded.predict(ROWS), model.predict(ROWS))


# Writing


def test_a_full_disk_leaves_the_old_file_and_no_other(
    path, model, content, monkeypatch
):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(_disk.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save(model, path)
    monkeypatch.undo()
    assert path.read_bytes() == content
    assert [file.name for file in path.parent.iterdir()] == ["model.skd"]


def test_the_new_file_is_on_the_disk_before_it_has_the_name(path, model, monkeypatch):
    order = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(
            _disk.os,
            name,
            lambda *args, real=real, name=name: (order.append(name), real(*args))[1],
        )
    save(model, path)
    assert order == ["fsync", "replace", "fsync"][: len(order)]
    assert len(order) >= 2


@pytest.mark.skipif(os.name != "posix", reason="permissions and links of POSIX")
def test_links_are_followed_and_permissions_stay(path, model, tmp_path):
    path.chmod(0o640)
    link = tmp_path / "link.skd"
    link.symlink_to(path)
    save(model, link)
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    load(path)
