"""The states of fits in a folder, which processes may share.

A state is written to a temporary file, which then replaces the file of its name: at any
moment the folder holds the state before or the one after, and nothing between.
"""

import os
import re
import secrets
import time
import warnings
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from sklearn_deep.exceptions import CheckpointWarning
from sklearn_deep.training.checkpoints._format import StateFileError, decode, encode
from sklearn_deep.training.checkpoints._run_state import RunState
from sklearn_deep.training.job._checkpoint import Checkpoint

SUFFIX = ".state"

# Temporary files have a folder of their own, which is quickly listed: those of processes
# that were killed are deleted when they are older than this many seconds.
_TEMPORARY = "unfinished"
_LEFT_BEHIND = 3600.0
_TEMPORARY_NAME = re.compile(r"[0-9a-f]+-[0-9a-f]{16}\.part")


class Store:
    """The states of fits in the folder of a ``Checkpoint``.

    Parameters
    ----------
    checkpoint : Checkpoint
    owner : str
        Name of the estimator, for warnings.
    """

    def __init__(self, checkpoint: Checkpoint, owner: str):
        self._checkpoint, self._owner = checkpoint, owner
        self._folder = checkpoint.path.absolute()
        self._warned = False
        self._delete_left_behind()

    def read(self, key: str) -> RunState | None:
        """The last state of a fit that can be read; None without one.

        A file that cannot be used gives a ``CheckpointWarning`` that names it, and the
        state before it is tried.
        """
        for path in self._paths(key):
            try:
                content = _content_of(path)
                if content is None:
                    continue
                header, state = decode(content)
                if header.key != key:
                    raise StateFileError("it is the state of another fit")
                return state
            except (OSError, StateFileError) as error:
                self._warn(f"cannot continue from {path}: {_reason(error)}.")
        return None

    def write(self, key: str, state: RunState) -> None:
        """Store a state, as a whole or not at all.

        The first failure gives a ``CheckpointWarning``; further ones are silent.
        """
        pieces = encode(key, self._owner, state)
        temporary = self._folder / _TEMPORARY / f"{key}-{secrets.token_hex(8)}.part"
        try:
            temporary.parent.mkdir(parents=True, exist_ok=True)
            _write(temporary, pieces)
            self._make_room(key)
            os.replace(temporary, self._path(key, 0))
            _sync_folder(self._folder)
        except OSError as error:
            with suppress(OSError):
                temporary.unlink()
            if not self._warned:
                self._warned = True
                self._warn(
                    f"cannot store its state in {self._folder}: {_reason(error)}."
                    " Training goes on without."
                )

    def remove(self, key: str) -> None:
        """Delete the states of a fit."""
        for path in self._paths(key):
            with suppress(OSError):
                path.unlink()

    def _path(self, key: str, n: int) -> Path:
        """File of the ``n``-th state before the last one."""
        return self._folder / (f"{key}.{n}{SUFFIX}" if n else key + SUFFIX)

    def _paths(self, key: str) -> Iterator[Path]:
        """Files of the states of a fit, from the last one back."""
        for n in count():
            path = self._path(key, n)
            # While states are renamed, one number is missing.
            if n > self._checkpoint.keep and not path.exists():
                return
            yield path

    def _make_room(self, key: str) -> None:
        """Rename the states of a fit that are kept beside the next one."""
        for n in range(self._checkpoint.keep - 1, 0, -1):
            with suppress(FileNotFoundError):
                os.replace(self._path(key, n - 1), self._path(key, n))

    def _delete_left_behind(self) -> None:
        """Delete temporary files of processes that were killed a while ago."""
        with suppress(OSError):
            for entry in os.scandir(self._folder / _TEMPORARY):
                old = entry.stat().st_mtime < time.time() - _LEFT_BEHIND
                if old and _TEMPORARY_NAME.fullmatch(entry.name):
                    os.unlink(entry.path)

    def _warn(self, message: str) -> None:
        warnings.warn(f"{self._owner} {message}", CheckpointWarning, stacklevel=2)


def _content_of(path: Path) -> bytearray | None:
    """The content of a file; None if there is none."""
    try:
        with open(path, "rb") as file:
            content = bytearray(os.fstat(file.fileno()).st_size)
            n_read = file.readinto(content)
    except FileNotFoundError:
        return None
    del content[n_read:]
    return content


def _write(path: Path, pieces: list[Any]) -> None:
    with open(path, "xb") as file:
        for piece in pieces:
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Bring a renaming to the disk, where folders can be opened."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)
