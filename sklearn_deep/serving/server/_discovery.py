"""Which files are served: their names and versions follow from where they lie."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sklearn_deep.exceptions import OnnxFileError
from sklearn_deep.serving._variants import INDEX, read_index

LOGGER = logging.getLogger("sklearn_deep.serve")


@dataclass(frozen=True, order=True)
class Source:
    """Name and version of a model, and its file."""

    name: str
    version: str
    path: Path


def find_sources(paths: Sequence[Path]) -> list[Source]:
    """List the models of files and folders.

    A file is version 1 of a model named as the file. In a folder, each file is such a
    model, and each folder whose own folders are numbered is a model with these versions
    (``NAME/VERSION/model.onnx``). A folder of numbered folders is one model, and so is a
    folder of variants, of which the first one in its index is served.

    Raises
    ------
    ValueError
        If two files have the same name and version.
    """
    found: dict[tuple[str, str], Source] = {}
    for source in (s for path in paths for s in _sources_of(path)):
        key = source.name, source.version
        if key in found and found[key].path != source.path:
            raise ValueError(
                f"Two files are version {source.version} of the model {source.name!r}:"
                f" {found[key].path} and {source.path}. Rename one."
            )
        found[key] = source
    return sorted(found.values())


def _sources_of(path: Path) -> Iterator[Source]:
    if not path.is_dir():
        yield Source(path.stem, "1", path)
    elif found := _one_model(path):
        yield from found
    else:
        for file in sorted(path.glob("*.onnx")):
            yield Source(file.stem, "1", file)
        for folder in sorted(p for p in path.iterdir() if p.is_dir()):
            yield from _one_model(folder)


def _one_model(folder: Path) -> list[Source]:
    """The versions of a model, or the variant of it that is served; none for others."""
    return _versions(folder) or _variants(folder)


def _variants(folder: Path) -> list[Source]:
    if not (folder / INDEX).is_file():
        return []
    try:
        variants, _ = read_index(folder)
    except OnnxFileError as error:
        LOGGER.error("%s", error)
        return []
    return [Source(folder.resolve().name, "1", folder / variants[0].file)]


def _versions(folder: Path) -> list[Source]:
    """Versions of a model, from folders named by a number."""
    return [
        Source(folder.resolve().name, str(int(inner.name)), file)
        for inner in sorted(folder.iterdir())
        if inner.is_dir() and inner.name.isascii() and inner.name.isdigit()
        for file in sorted(inner.glob("*.onnx"))[:1]
    ]
