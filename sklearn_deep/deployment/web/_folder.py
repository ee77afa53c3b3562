"""A folder that is written whole or not at all."""

import contextlib
import os
import secrets
import shutil
from pathlib import Path

from sklearn_deep._disk import sync_folder, write_whole

# A folder with this file was written by ``to_web``, and may be replaced.
MARK = "model.json"


def check_replaceable(folder: Path) -> None:
    """Raise if a folder holds something else than a page.

    Raises
    ------
    FileExistsError, NotADirectoryError
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise NotADirectoryError(
            f"{str(folder)!r} is a file. Give the path of a new folder."
        )
    if any(folder.iterdir()) and not (folder / MARK).is_file():
        raise FileExistsError(
            f"The folder {str(folder)!r} holds other files. Give the path of a new folder, or"
            " of a page that to_web wrote, which is replaced."
        )


def write_folder(folder: Path, files: dict[str, bytes]) -> None:
    """Write files into a new folder beside the target, and exchange the two.

    Raises
    ------
    OSError
        From the system; the target is then as it was.
    """
    target = Path(os.path.realpath(folder))
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    try:
        _fill(new, files)
        _exchange(new, target)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    sync_folder(target.parent)


def _fill(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir()
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        write_whole(path, content)


def _exchange(new: Path, target: Path) -> None:
    """Put the new folder in place of the old one, which is removed."""
    old = new.with_suffix(".old")
    if target.exists():
        os.rename(target, old)
    try:
        os.rename(new, target)
    except OSError:
        with contextlib.suppress(OSError):
            os.rename(old, target)
        raise
    shutil.rmtree(old, ignore_errors=True)
