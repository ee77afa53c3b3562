"""Which files are served: their names and versions follow from where they lie."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path


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
    (``NAME/VERSION/model.onnx``). A folder of numbered folders is one model.

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
    elif versions := _versions(path):
        yield from versions
    else:
        for file in sorted(path.glob("*.onnx")):
            yield Source(file.stem, "1", file)
        for folder in sorted(p for p in path.iterdir() if p.is_dir()):
            yield from _versions(folder)


def _versions(folder: Path) -> list[Source]:
    """Versions of a model, from folders named by a number."""
    return [
        Source(folder.resolve().name, str(int(inner.name)), file)
        for inner in sorted(folder.iterdir())
        if inner.is_dir() and inner.name.isascii() and inner.name.isdigit()
        for file in sorted(inner.glob("*.onnx"))[:1]
    ]
