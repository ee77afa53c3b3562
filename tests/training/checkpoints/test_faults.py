"""Faults of disks and files: a warning that names them, and never a wrong state."""

import errno
import hashlib
import os
import resource
import shutil
import struct
import tempfile
import time
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from run_states import assert_same, make_state
from sklearn_deep import Checkpoint, CheckpointWarning
from sklearn_deep.training.checkpoints._format import (
    MAGIC,
    StateFileError,
    decode,
    encode,
)
from sklearn_deep.training.checkpoints._run_state import RunState
from sklearn_deep.training.checkpoints._store import Store

KEY = "3a" * 32
FILE = b"".join(bytes(p) for p in encode(KEY, "MLPClassifier", make_state()))
N_HEAD = len(MAGIC) + 32


def with_checksum(body):
    """A file with a right checksum, whatever its content."""
    return bytearray(MAGIC + hashlib.sha256(body).digest() + body)


def file_of(header, arrays=b"", version=1, length=None):
    length = len(header) if length is None else length
    return with_checksum(struct.pack("<IQ", version, length) + header + arrays)


def read(store, content):
    """What a store reads from a file of this content, and its warnings."""
    Path(store._folder, f"{KEY}.state").write_bytes(content)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        found = store.read(KEY)
    return found, [(w.category, str(w.message)) for w in seen]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(Checkpoint(tmp_path_factory.mktemp("states")), "MLPClassifier")


def assert_refused(store, content):
    found, seen = read(store, content)
    assert found is None
    [(category, message)] = seen
    assert category is CheckpointWarning
    assert f"{KEY}.state" in message


def test_the_whole_file_is_read(store):
    found, seen = read(store, FILE)
    assert_same(make_state(), found)
    assert seen == []


def test_a_changed_byte_is_refused_wherever_it_is(store):
    for place in range(len(FILE)):
        damaged = bytearray(FILE)
        damaged[place] ^= 1 << place % 8
        assert_refused(store, damaged)


@given(st.integers(0, len(FILE) - 1))
def test_a_file_that_was_cut_is_refused(store, length):
    assert_refused(store, FILE[:length])


@given(st.data())
@settings(max_examples=300)
def test_damaged_pieces_are_refused(store, data):
    damaged = bytearray(FILE)
    start = data.draw(st.integers(0, len(FILE) - 1))
    stop = data.draw(st.integers(start + 1, len(FILE)))
    piece = data.draw(st.binary(max_size=2 * (stop - start)))
    damaged[start:stop] = piece
    if damaged != FILE:
        assert_refused(store, damaged)


@given(st.binary(max_size=400))
def test_foreign_content_is_refused(store, content):
    assert_refused(store, content)


@given(st.binary(max_size=400))
@settings(max_examples=300)
def test_content_that_was_signed_again_is_a_state_or_an_error(content):
    with suppress(StateFileError):
        decode(with_checksum(content))


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"[]",
        b"{}",
        b"null",
        b'{"key":1}',
        b'{"key":"a","owner":"b","numbers":[],"arrays":[]}',
        b'{"key":"a","owner":"b","numbers":{},"arrays":[["w","<f8",[-1]]]}',
        b'{"key":"a","owner":"b","numbers":{},"arrays":[["w","<f8",[9]]]}',
        b'{"key":"a","owner":"b","numbers":{},"arrays":[["w","<f8",[1099511627776]]]}',
        b'{"key":"a","owner":"b","numbers":{},"arrays":[["w","|O",[1]]]}',
        b'{"key":"a","owner":"b","numbers":{},"arrays":[["w","<U4",[1]]]}',
        b'{"key":"a","owner":"b","numbers":{},"arrays":[["w","<f8,<f8",[1]]]}',
        b'{"key":"a","owner":"b","numbers":{"x":{"float64":"zz"}},"arrays":[]}',
        b'{"key":"a","owner":"b","numbers":' + b"[" * 100_000 + b',"arrays":[]}',
    ],
    ids=range(14),
)
def test_an_invalid_header_with_a_right_checksum_is_an_error(header):
    with pytest.raises(StateFileError):
        decode(file_of(header, bytes(16)))


def test_a_header_that_claims_to_be_longer_than_the_file_is_an_error():
    with pytest.raises(StateFileError):
        decode(file_of(b"{}", length=2**63))


def test_a_file_of_another_format_version_is_named(store):
    content = file_of(b"{}", version=2)
    _, [(_, message)] = read(store, content)
    assert "it has format 2, and this version of sklearn_deep reads 1" in message


def test_a_large_foreign_file_is_not_read_into_memory(store):
    path = Path(store._folder, f"{KEY}.state")
    path.unlink(missing_ok=True)
    with open(path, "wb") as file:
        file.truncate(1 << 43)  # a hole, more than any memory
    with pytest.warns(CheckpointWarning, match="not a state file"):
        assert store.read(KEY) is None
    path.unlink()


def test_a_folder_in_place_of_a_file_is_named(tmp_path):
    (tmp_path / f"{KEY}.state").mkdir()
    with pytest.warns(CheckpointWarning, match=f"{KEY}.state: Is a directory"):
        assert Store(Checkpoint(tmp_path), "Net").read(KEY) is None


@contextmanager
def largest_file(n_bytes):
    """Files of more bytes cannot be written: what a full disk does, without one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def files_in(folder):
    return sorted(p.name for p in folder.rglob("*") if p.is_file())


def test_a_full_disk_leaves_the_last_state_and_warns_once(make_store, tmp_path):
    store = make_store()
    store.write(KEY, make_state(1))
    large = RunState({}, {"weights": np.ones(100_000)})
    with warnings.catch_warnings(record=True) as seen, largest_file(100_000):
        warnings.simplefilter("always")
        store.write(KEY, large)
        store.write(KEY, large)
    [warning] = seen
    assert warning.category is CheckpointWarning
    assert f"cannot store its state in {tmp_path}" in str(warning.message)
    assert files_in(tmp_path) == [f"{KEY}.state"]
    assert_same(make_state(1), store.read(KEY))


def test_states_are_stored_again_when_the_disk_has_space(make_store):
    store = make_store()
    with largest_file(10), pytest.warns(CheckpointWarning):
        store.write(KEY, make_state(1))
    store.write(KEY, make_state(2))
    assert_same(make_state(2), store.read(KEY))


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_disk_that_fails_at_any_call_leaves_the_last_state(
    make_store, tmp_path, monkeypatch, call
):
    store = make_store()
    store.write(KEY, make_state(1))

    def fail(*args):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.warns(CheckpointWarning, match="Input/output error"):
            store.write(KEY, make_state(2))
    assert files_in(tmp_path) == [f"{KEY}.state"]
    assert_same(make_state(1), store.read(KEY))


def test_an_interrupt_leaves_the_last_state_and_no_temporary_file(
    make_store, tmp_path, monkeypatch
):
    store = make_store()
    store.write(KEY, make_state(1))

    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        store.write(KEY, make_state(2))
    assert files_in(tmp_path) == [f"{KEY}.state"]
    assert_same(make_state(1), store.read(KEY))


@contextmanager
def as_a_user():
    """Without the rights of root, which no folder is read-only for."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.fixture
def read_only():
    """A folder that nobody may write to, with a state."""
    folder = Path(tempfile.mkdtemp())
    Store(Checkpoint(folder), "Net").write(KEY, make_state())
    for path in (folder, folder / "unfinished"):
        path.chmod(0o555)
    yield folder
    folder.chmod(0o755)
    (folder / "unfinished").chmod(0o755)
    shutil.rmtree(folder)


def test_a_read_only_folder_is_read_and_a_state_that_cannot_be_stored_is_a_warning(
    read_only,
):
    with as_a_user():
        store = Store(Checkpoint(read_only), "Net")
        assert_same(make_state(), store.read(KEY))
        with pytest.warns(CheckpointWarning, match="Permission denied"):
            store.write(KEY, make_state(4))
        assert_same(make_state(), store.read(KEY))


def test_a_folder_that_cannot_be_made_is_a_warning(tmp_path):
    (tmp_path / "file").write_text("")
    store = Store(Checkpoint(tmp_path / "file" / "states"), "Net")
    with pytest.warns(CheckpointWarning, match="Not a directory"):
        store.write(KEY, make_state())


def test_temporary_files_of_killed_processes_are_deleted_when_they_are_old(tmp_path):
    Store(Checkpoint(tmp_path), "Net").write(KEY, make_state())
    young, old, foreign = (
        tmp_path / "unfinished" / name
        for name in (f"{KEY}-{'0' * 16}.part", f"{KEY}-{'1' * 16}.part", "notes.part")
    )
    for path in (young, old, foreign):
        path.write_bytes(FILE[:100])
    long_ago = time.time() - 2 * 3600
    for path in (old, foreign):
        os.utime(path, (long_ago, long_ago))
    store = Store(Checkpoint(tmp_path), "Net")
    assert not old.exists()
    assert young.exists()
    assert foreign.exists()
    assert_same(make_state(), store.read(KEY))


def test_a_folder_that_is_deleted_during_a_fit_is_made_again(make_store, tmp_path):
    store = make_store()
    store.write(KEY, make_state(1))
    shutil.rmtree(tmp_path)
    store.write(KEY, make_state(2))
    assert_same(make_state(2), store.read(KEY))
