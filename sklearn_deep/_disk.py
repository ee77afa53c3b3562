"""Writing a file so that a crash at any moment leaves the old one or the new one."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Write a file beside the target, and rename it when it is on the disk.

    A link is followed, and an existing file keeps its permissions. A process that is
    killed while it writes leaves a file ``.NAME.RANDOM.tmp`` behind.

    Raises
    ------
    OSError
        From the system, for a full disk for instance; the target is then as it was.
    """
    target = Path(os.path.realpath(path))
    with _temporary(target) as (temporary, descriptor):
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileNotFoundError):
            os.chmod(temporary, target.stat().st_mode & 0o777)
        os.replace(temporary, target)
    sync_folder(target.parent)


@contextlib.contextmanager
def _temporary(target: Path) -> Iterator[tuple[Path, int]]:
    """A new file in the folder of the target; removed where an error is raised."""
    path = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags, 0o666)
    try:
        yield path, descriptor
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(path)
        raise


def sync_folder(folder: Path) -> None:
    """Bring the new name to the disk; Windows opens no folders, and some disks sync none."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
