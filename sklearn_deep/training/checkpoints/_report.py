"""What a folder of states holds, and how it is emptied."""

import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from os import PathLike
from pathlib import Path
from typing import Any

from sklearn_deep.exceptions import InvalidParameterError
from sklearn_deep.training.checkpoints._files import (
    delete_left_behind,
    older_than,
    state_files,
)
from sklearn_deep.training.checkpoints._format import StateFileError
from sklearn_deep.training.checkpoints._store import read_file, reason
from sklearn_deep.training.job._checkpoint import Checkpoint

_COLUMNS = ("estimator", "status", "epochs", "bytes", "written")


@dataclass(frozen=True)
class CheckpointReport:
    """Table with one row per stored state of a fit; ``print`` shows it.

    Parameters
    ----------
    names : list of str
        Names of the files. Each begins with the fingerprint of its fit.
    columns : dict of str to list
        ``"estimator"``: name of the class; ``"status"``: ``"finished"``,
        ``"unfinished"`` or ``"damaged"``; ``"epochs"``: number of epochs so far;
        ``"bytes"``: size of the file; ``"written"``: local time.
    notes : list of str
        Names of damaged files, and what is wrong with them.

    See Also
    --------
    checkpoint_report : Create a report.

    Examples
    --------
    >>> from sklearn_deep import CheckpointReport
    >>> columns = {"estimator": ["MLPClassifier"], "status": ["finished"], "epochs": [20]}
    >>> print(CheckpointReport(["3f29c1.state"], columns, []))
    3f29c1.state  MLPClassifier  finished  20
    """

    names: list[str]
    columns: dict[str, list[Any]]
    notes: list[str]

    def __len__(self):
        """Number of states."""
        return len(self.names)

    def to_frame(self):
        """Convert the table to a DataFrame; needs pandas.

        Returns
        -------
        frame : DataFrame
            One row per state.
        """
        import pandas as pd

        return pd.DataFrame(self.columns, index=self.names)

    def __str__(self) -> str:
        rows = [
            [_short(name), *map(str, cells)]
            for name, *cells in zip(self.names, *self.columns.values(), strict=True)
        ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        return "\n".join([*lines, *self.notes]) or "no states"


def checkpoint_report(folder: str | PathLike[str]) -> CheckpointReport:
    """List the states of fits in a folder; their checksums are compared.

    Parameters
    ----------
    folder : str or path
        Folder that was the ``checkpoint`` of some fits.

    Returns
    -------
    report : CheckpointReport
        One row per state.

    Raises
    ------
    OSError
        If there is no such folder, or it cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn_deep import checkpoint_report
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report = checkpoint_report(folder)
    >>> print(report)
    no states
    """
    rows, notes = [], []
    for path in state_files(Checkpoint(folder).path):
        with suppress(FileNotFoundError):  # another process may have deleted it
            size, written = path.stat().st_size, path.stat().st_mtime
            estimator, status, epochs, problem = _described(path)
            when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(written))
            rows.append([path.name, estimator, status, epochs, size, when])
            notes += [f"{path.name}: {problem}"] if problem else []
    names, *columns = map(list, zip(*rows, strict=True)) if rows else [[]] * 6
    return CheckpointReport(names, dict(zip(_COLUMNS, columns, strict=True)), notes)


def clear_checkpoints(
    folder: str | PathLike[str], older_than: float | timedelta | None = None
) -> int:
    """Delete the states of fits in a folder; all other files stay.

    Fits in progress are not disturbed: they store their next state as before.

    Parameters
    ----------
    folder : str or path
        Folder that was the ``checkpoint`` of some fits.
    older_than : float, timedelta or None, default=None
        Only states that were written more than this many seconds ago; None deletes all.

    Returns
    -------
    n_deleted : int
        Number of states that were deleted.

    Raises
    ------
    OSError
        If there is no such folder, or a state cannot be deleted.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn_deep import clear_checkpoints
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     clear_checkpoints(folder, older_than=7 * 24 * 3600)
    0
    """
    place, seconds = Checkpoint(folder).path, _seconds(older_than)
    deleted = [path for path in state_files(place) if _deleted(path, seconds)]
    delete_left_behind(place)
    return len(deleted)


def _seconds(value: Any) -> float | None:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if value is None or (isinstance(value, (int, float)) and value >= 0):
        return value
    raise InvalidParameterError(
        "The 'older_than' parameter of clear_checkpoints must be a number of seconds of at"
        f" least 0, a timedelta, or None. Got {value!r} instead."
    )


def _deleted(path: Path, seconds: float | None) -> bool:
    """Delete a file if it is old enough; False if it is not, or was deleted before."""
    try:
        if seconds is not None and not older_than(path, seconds):
            return False
        path.unlink()
    except FileNotFoundError:
        return False
    return True


def _described(path: Path) -> tuple[str, str, int | None, str | None]:
    """Estimator, status and number of epochs of a state, and what is wrong with it."""
    try:
        header, state = read_file(path)
    except FileNotFoundError:
        raise
    except (OSError, StateFileError) as error:
        return "", "damaged", None, reason(error)
    numbers = state.numbers
    status = "finished" if numbers.get("done") else "unfinished"
    return header.owner, status, len(numbers.get("history", ())), None


def _short(name: str) -> str:
    """The name of a file with the first digits of its fingerprint."""
    key, dot, rest = name.partition(".")
    return key[:12] + dot + rest
