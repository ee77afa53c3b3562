"""The models of a server, and their exchange while it runs."""

import logging
import threading
from collections.abc import Sequence
from hashlib import sha256
from os import PathLike
from pathlib import Path

from sklearn_deep.exceptions import OnnxFileError
from sklearn_deep.serving._session import OnnxSession
from sklearn_deep.serving.server._discovery import Source, find_sources
from sklearn_deep.serving.server._errors import UnknownModelError
from sklearn_deep.serving.server._served import Served

LOGGER = logging.getLogger("sklearn_deep.serve")

# Looks at a folder in which a file has to be absent before its model goes: a file that
# is replaced may be absent for a moment.
_ABSENCES = 3

Models = dict[str, dict[str, Served]]


class Repository:
    """Models by name and version.

    Readers see one dictionary, which is exchanged as a whole and never changed: a request
    keeps the model that it began with.

    Parameters
    ----------
    paths : sequence of path-like
        Files, and folders of files.
    n_threads : int
        Threads of one computation.

    Attributes
    ----------
    models : dict of str to dict of str to Served
        Versions of each model by name.

    Raises
    ------
    OnnxFileError, OSError
        For a file in ``paths`` that cannot be read, and if there is no model at all. A
        file in a folder that cannot be read is logged.
    ValueError
        If two files have the same name and version.
    """

    def __init__(self, paths: Sequence[str | PathLike], *, n_threads: int = 1) -> None:
        self.paths = [Path(path) for path in paths]
        self.n_threads = n_threads
        self.models: Models = {}
        self._stamps: dict[Source, tuple[int, int, int]] = {}
        self._absences: dict[Source, int] = {}
        self._lock = threading.Lock()
        named = set(self.paths)
        for source in find_sources(self.paths):
            self._load(source, must=source.path in named)
        if not self.models:
            raise OnnxFileError(
                f"There is no ONNX file of this package in {', '.join(map(str, paths))}."
            )

    def names(self) -> list[str]:
        """Names of all models, sorted."""
        return sorted(self.models)

    def versions(self, name: str) -> list[str]:
        """Versions of a model, the oldest first."""
        return sorted(self.models.get(name, ()), key=int)

    def all(self) -> list[Served]:
        """Every version of every model."""
        return [one for versions in self.models.values() for one in versions.values()]

    def get(self, name: str, version: str | None = None) -> Served:
        """A model; without a version, the one with the highest number.

        Raises
        ------
        UnknownModelError
        """
        versions = self.models.get(name)
        if versions is None:
            known = ", ".join(self.names()[:20])
            raise UnknownModelError(
                f"There is no model {name!r:.100}; there is {known}."
            )
        if version in (None, ""):
            return versions[max(versions, key=int)]
        if version not in versions:
            raise UnknownModelError(
                f"The model {name!r} has no version {version!r:.20}; it has"
                f" {', '.join(self.versions(name))}."
            )
        return versions[version]

    def reload(self) -> None:
        """Look at the files again: open changed and new ones, drop absent ones.

        A file that cannot be read, or whose checksum is wrong, is logged and leaves the
        model as it was; it is opened again when it has changed again.
        """
        with self._lock:
            try:
                sources = find_sources(self.paths)
            except (OSError, ValueError) as error:
                LOGGER.error("cannot look for models: %s", error)
                return
            for source in sources:
                self._absences.pop(source, None)
                if _stamp(source.path) != self._stamps.get(source):
                    self._load(source)
            for source in self._stamps.keys() - set(sources):
                self._note_absence(source)

    def _load(self, source: Source, must: bool = False) -> None:
        """Open a file, and put it in the place of the former one."""
        self._stamps[source] = _stamp(source.path)
        try:
            served = self._open(source)
        except (OnnxFileError, OSError) as error:
            if must:
                raise
            LOGGER.error("%s is not served: %s", source.path, error)
            return
        former = self.models.get(source.name, {}).get(source.version)
        if former is not None and former.checksum == served.checksum:
            return
        versions = {**self.models.get(source.name, {}), source.version: served}
        self.models = {**self.models, source.name: versions}
        LOGGER.info("serving %s/%s, %s", source.name, source.version, served.checksum)

    def _open(self, source: Source) -> Served:
        content = source.path.read_bytes()
        session = OnnxSession(content, self.n_threads, verify=True)
        checksum = sha256(content).hexdigest()
        return Served.make(source.name, source.version, source.path, checksum, session)

    def _note_absence(self, source: Source) -> None:
        self._absences[source] = self._absences.get(source, 0) + 1
        if self._absences[source] < _ABSENCES or source.path in self.paths:
            return
        del self._stamps[source], self._absences[source]
        versions = dict(self.models.get(source.name, {}))
        versions.pop(source.version, None)
        others = {k: v for k, v in self.models.items() if k != source.name}
        self.models = {**others, source.name: versions} if versions else others
        LOGGER.warning("%s/%s is gone", source.name, source.version)


def _stamp(path: Path) -> tuple[int, int, int]:
    """What differs after a change; zeros for a file that is absent."""
    try:
        status = path.stat()
    except OSError:
        return (0, 0, 0)
    return status.st_mtime_ns, status.st_size, status.st_ino
