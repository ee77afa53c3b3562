"""The states of fits in a folder, which processes may share.

A state is written to a temporary file, which then replaces the file of its name: at any
moment the folder holds the state before or the one after, and nothing between.
"""

import os
import secrets
import warnings
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO

from sklearn_deep._disk import sync_folder
from sklearn_deep.exceptions import CheckpointWarning
from sklearn_deep.training.checkpoints._files import (
    delete_left_behind,
    state_file,
    temporary_file,
)
from sklearn_deep.training.checkpoints._format import (
    StateFileError,
    StateHeader,
    decode,
    encode,
    is_state,
)
from sklearn_deep.training.checkpoints._run_state import RunState
from sklearn_deep.training.job._checkpoint import Checkpoint


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
        delete_left_behind(self._folder)

    def read(self, key: str) -> RunState | None:
        """The last state of a fit that can be read; None without one.

        A file that cannot be used gives a ``CheckpointWarning`` that names it, and the
        state before it is tried.
        """
        for path in self._paths(key):
            try:
                return _state_of(path, key)
            except FileNotFoundError:
                continue
            except (OSError, StateFileError, MemoryError) as error:
                self._warn(f"cannot continue from {path}: {reason(error)}.")
        return None

    def write(self, key: str, state: RunState, durable: bool = True) -> None:
        """Store a state, as a whole or not at all.

        Without ``durable`` the system may bring it to the disk later.

        The first failure gives a ``CheckpointWarning``; further ones are silent.
        """
        pieces = encode(key, self._owner, state)
        temporary = temporary_file(self._folder, key, secrets.token_hex(8))
        try:
            _write(temporary, pieces, durable)
            self._make_room(key)
            os.replace(temporary, state_file(self._folder, key))
            if durable:
                sync_folder(self._folder)
        except BaseException as error:
            with suppress(OSError):
                temporary.unlink()
            if not isinstance(error, OSError):
                raise
            self._warn_once(error)

    def remove(self, key: str) -> None:
        """Delete the states of a fit."""
        for path in self._paths(key):
            with suppress(OSError):
                path.unlink()

    def _paths(self, key: str) -> Iterator[Path]:
        """Files of the states of a fit, from the last one back."""
        for n in count():
            path = state_file(self._folder, key, n)
            # While states are renamed, one number is missing.
            if n > self._checkpoint.keep and not path.exists():
                return
            yield path

    def _make_room(self, key: str) -> None:
        """Rename the states of a fit that are kept beside the next one."""
        for n in range(self._checkpoint.keep - 1, 0, -1):
            with suppress(FileNotFoundError):
                older, newer = (state_file(self._folder, key, i) for i in (n, n - 1))
                os.replace(newer, older)

    def _warn_once(self, error: OSError) -> None:
        if not self._warned:
            self._warned = True
            self._warn(
                f"cannot store its state in {self._folder}: {reason(error)}. Training"
                " goes on without."
            )

    def _warn(self, message: str) -> None:
        warnings.warn(f"{self._owner} {message}", CheckpointWarning, stacklevel=3)


def read_file(path: Path) -> tuple[StateHeader, RunState]:
    """The content of a state file.

    Raises
    ------
    OSError, StateFileError
        Where it cannot be read or used.
    """
    with open(path, "rb") as file:
        if not is_state(file):  # a foreign file may be of any size
            raise StateFileError("it is not a state file")
        content = bytearray(os.fstat(file.fileno()).st_size)
        n_read = file.readinto(content)
    del content[n_read:]
    return decode(content)


def reason(error: Exception) -> str:
    """Why a file cannot be used, without its name."""
    described = isinstance(error, OSError) and error.strerror
    return described or str(error) or type(error).__name__


def _state_of(path: Path, key: str) -> RunState:
    header, state = read_file(path)
    if header.key != key:
        raise StateFileError("it is the state of another fit")
    return state


def _created(path: Path) -> BinaryIO:
    """A new file, in a folder that is made if there is none."""
    with suppress(FileNotFoundError):
        return open(path, "xb")
    path.parent.mkdir(parents=True, exist_ok=True)
    return open(path, "xb")


def _write(path: Path, pieces: list[Any], durable: bool) -> None:
    with _created(path) as file:
        for piece in pieces:
            file.write(piece)
        file.flush()
        if durable:
            os.fsync(file.fileno())
