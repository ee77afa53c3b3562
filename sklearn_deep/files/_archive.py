"""The skops archive inside of a model file: written in one form, checked before skops.

skops decides which types are built. This module bounds what its reader may be made to do:
no compression, no member that is read twice, no number of objects that needs more memory
than four times the file. ``skops.io.load`` reads the archive too.
"""

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from sklearn_deep.exceptions import ModelFileError

SCHEMA = "schema.json"

# Kinds of nodes, as skops names them.
_ARRAY, _SPARSE, _SCALAR = "NdArrayNode", "SparseMatrixNode", "JsonNode"

# Bytes that skops needs at most per node, beside the parsed JSON; measured: 900 in all.
_NODE = 700
# Bytes of Python per brace, bracket and comma of JSON.
_PARSED = {b"{": 420, b"[": 100, b",": 64, b"PK\x01\x02": 1000}
# What a small file may need whatever its size.
ALLOWANCE = 64 << 20

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first date that ZIP knows


def rewrite(archive: bytes) -> bytes:
    """Bring an archive of skops into the form of model files.

    Its nodes and members are numbered in order, so that equal models give equal bytes; a
    shared object is there once; and nothing is compressed.
    """
    with zipfile.ZipFile(io.BytesIO(archive)) as source:
        plan = _Numbering(source)
        schema = plan.renumbered(json.loads(source.read(SCHEMA)))
        members = {new: source.read(old) for old, new in plan.members.items()}
    for name, content in members.items():
        if name.endswith(".npz"):
            members[name] = _stored(content)
    return _zip({SCHEMA: _padded(json.dumps(schema, separators=(",", ":"))), **members})


class _Numbering:
    """New numbers of nodes and members, in the order of the schema.

    A node of skops has the address of its object as number. Numbers of scalars say
    nothing, and are left out.
    """

    def __init__(self, source: zipfile.ZipFile):
        self.numbers: dict[int, int] = {}
        self.nodes: dict[int, dict[str, Any]] = {}
        self.members: dict[str, str] = {}

    def renumbered(self, value: Any) -> Any:
        """A value of the schema with new numbers."""
        if isinstance(value, list):
            return [self.renumbered(item) for item in value]
        if not isinstance(value, dict):
            return value
        if "__loader__" not in value:
            return {key: self.renumbered(item) for key, item in value.items()}
        return self._node(value)

    def _node(self, node: dict[str, Any]) -> dict[str, Any]:
        number = node.get("__id__")
        if node["__loader__"] == _SCALAR:
            keys = "__class__", "__module__", "__loader__", "content"
            return {key: node[key] for key in keys}
        if number in self.nodes:
            return self.nodes[number]
        fresh = {
            key: item if key == "__id__" else self.renumbered(item)
            for key, item in node.items()
        }
        if number is not None:
            fresh["__id__"] = self.numbers.setdefault(number, len(self.numbers) + 1)
            self.nodes[number] = fresh
        if isinstance(fresh.get("file"), str):
            fresh["file"] = self._member(fresh["file"])
        return fresh

    def _member(self, old: str) -> str:
        ending = old.rpartition(".")[2]
        return self.members.setdefault(old, f"{len(self.members)}.{ending}")


def _padded(schema: str) -> bytes:
    """A schema of very many small objects, filled up to a quarter of what it needs."""
    content = schema.encode()
    return content.ljust(_needed(content) - ALLOWANCE)


def _needed(schema: bytes) -> int:
    """Bytes of memory for the objects of a schema."""
    parsed = sum(size * schema.count(sign) for sign, size in _PARSED.items())
    wide = 8 * len(schema.rstrip()) if b"\\u" in schema else 0
    return parsed + wide + _NODE * schema.count(b"{")


def _stored(content: bytes) -> bytes:
    """An archive of arrays without compression."""
    with zipfile.ZipFile(io.BytesIO(content)) as source:
        return _zip({name: source.read(name) for name in source.namelist()})


def _zip(members: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content)
    return out.getvalue()


# Reading


def nodes_of(data: bytes, path: str) -> list[dict[str, Any]]:
    """The nodes of an archive, which it was made sure that skops can read in bounds.

    Raises
    ------
    ModelFileError
        For an archive that is not as ``rewrite`` makes it.
    """
    try:
        return _Check(path).nodes(data)
    except ModelFileError:
        raise
    except Exception as error:  # whatever a hostile file makes json or zipfile raise
        raise ModelFileError(
            f"{path!r} holds an archive that cannot be read: {error!r}."
        ) from error


class _Check:
    """The checks of one archive."""

    def __init__(self, path: str):
        self.path = path
        self.users: dict[str, tuple[str, int | None]] = {}
        self.first: dict[int, dict[str, Any]] = {}

    def refuse(self, what: str) -> None:
        raise ModelFileError(
            f"{self.path!r} holds {what}, which sklearn_deep.save never writes. Do not trust"
            " the file."
        )

    def nodes(self, data: bytes) -> list[dict[str, Any]]:
        """Check sizes before anything is parsed, then every node."""
        if data.count(b"PK\x01\x02") * _PARSED[b"PK\x01\x02"] > self._allowed(data):
            self.refuse("more members than its size allows")
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            self._check_members(archive, len(data))
            schema = archive.read(SCHEMA)
            if not schema.isascii() or _needed(schema) > len(schema) + ALLOWANCE:
                self.refuse("more objects than its size allows")
            nodes = list(self._walk(json.loads(schema)))
            for name, (loader, _) in self.users.items():
                self._check_arrays(loader, archive.read(name))
        return nodes

    @staticmethod
    def _allowed(data: bytes) -> int:
        return 4 * len(data) + ALLOWANCE

    def _check_members(self, archive: zipfile.ZipFile, size: int) -> None:
        """Sizes are what they seem, and names differ."""
        infos = archive.infolist()
        if len({info.filename for info in infos}) < len(infos):
            self.refuse("two members of one name")
        if any(
            info.compress_type or info.file_size > info.compress_size for info in infos
        ):
            self.refuse("compressed members")
        if sum(info.file_size for info in infos) > size:
            self.refuse("members that are larger than itself")

    def _walk(self, value: Any) -> Iterator[dict[str, Any]]:
        """All nodes, outer ones first; one that comes again has to be the same."""
        if isinstance(value, list):
            for item in value:
                yield from self._walk(item)
        elif isinstance(value, dict):
            if "__loader__" in value:
                self._check_node(value)
                yield value
            for item in value.values():
                yield from self._walk(item)

    def _check_node(self, node: dict[str, Any]) -> None:
        parts = (node.get(key) for key in ("__class__", "__module__", "__loader__"))
        if not all(isinstance(part, str) for part in parts):
            self.refuse("an object without a type")
        number = node.get("__id__")
        if number is not None and self.first.setdefault(number, node) != node:
            self.refuse("two objects of one number")
        if node["__loader__"] == _SCALAR and str(node["content"]).lstrip()[:1] in "[{":
            self.refuse("a list in the place of a number")
        user = node["__loader__"], number
        if "file" in node and self.users.setdefault(node["file"], user) != user:
            self.refuse("a member that is read twice")

    def _check_arrays(self, loader: str, content: bytes) -> None:
        """An array's header may not promise more values than there are."""
        if loader == _SPARSE:
            with zipfile.ZipFile(io.BytesIO(content)) as inner:
                self._check_members(inner, len(content))
                for each in inner.namelist():
                    self._check_array(inner.read(each))
        elif loader == _ARRAY:
            self._check_array(content)

    def _check_array(self, content: bytes) -> None:
        file = io.BytesIO(content)
        version = np.lib.format.read_magic(file)
        read = {(1, 0): np.lib.format.read_array_header_1_0}.get(
            version, np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read(file)
        if (
            dtype.hasobject
            or int(np.prod(shape, dtype=object)) * dtype.itemsize
            != len(content) - file.tell()
        ):
            self.refuse("an array of another size than it says")
        if 0 in (*shape, dtype.itemsize) and max(shape, default=0) > 1 << 20:
            self.refuse("an empty array of a large shape")
