"""Names of the files in a folder of states; all others are foreign and stay untouched."""

import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

# Temporary files have a folder of their own, which is quickly listed: those of processes
# that were killed are deleted when they are older than this many seconds.
_TEMPORARY = "unfinished"
_LEFT_BEHIND = 3600.0

_STATE = re.compile(r"[0-9a-f]{64}(\.[1-9][0-9]*)?\.state")
_PART = re.compile(r"[0-9a-f]{64}-[0-9a-f]{16}\.part")


def state_file(folder: Path, key: str, n: int = 0) -> Path:
    """File of the ``n``-th state of a fit before the last one."""
    return folder / (f"{key}.{n}.state" if n else f"{key}.state")


def temporary_file(folder: Path, key: str, name: str) -> Path:
    """File in which a state is written; ``name`` has 16 hexadecimal digits."""
    return folder / _TEMPORARY / f"{key}-{name}.part"


def state_files(folder: Path) -> list[Path]:
    """All files of states, sorted by name."""
    return sorted(path for path in folder.iterdir() if _STATE.fullmatch(path.name))


def delete_left_behind(folder: Path) -> None:
    """Delete temporary files of processes that were killed a while ago."""
    for path in list(_parts(folder)):
        with suppress(OSError):
            if older_than(path, _LEFT_BEHIND):
                path.unlink()


def older_than(path: Path, seconds: float) -> bool:
    """Whether a file was last written more than so many seconds ago."""
    return path.stat().st_mtime < time.time() - seconds


def _parts(folder: Path) -> Iterator[Path]:
    with suppress(OSError):  # there is no such folder yet
        for path in (folder / _TEMPORARY).iterdir():
            if _PART.fullmatch(path.name):
                yield path
