"""The bytes of a model file: a head, a manifest, and the model as a skops archive.

.. code-block:: text

    0    15   magic: 0x89 "sklearn_deep" CR LF
    15   1    format version, 1
    16   32   SHA-256 of the body
    48   64   Ed25519 signature of the SHA-256, or zeros
    112  32   SHA-256 of the 112 bytes before
    144       body: 4 bytes, little endian, with the length of the manifest; the manifest
              (JSON, UTF-8); the archive (a ZIP file without compression) up to the end

Every byte is covered by one of the two sums, so a damaged file is found before anything in
it is parsed. The signature stands outside of the body, so that signing changes no sum of
the content.
"""

import hashlib
import os
import stat
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sklearn_deep._disk import write_whole
from sklearn_deep.exceptions import ModelFileError

MAGIC = b"\x89sklearn_deep\r\n"
FORMAT = 1
UNSIGNED = bytes(64)

_HEAD = struct.Struct("<15sc32s64s")
_LENGTH = struct.Struct("<I")
_SUM_SIZE = hashlib.sha256().digest_size
_BODY = _HEAD.size + _SUM_SIZE

# Bytes that a manifest may have: it lists at most 200 names a field.
MANIFEST_LIMIT = 1 << 19

_ZLIB = (
    "compressed by zlib, as joblib.dump with compress= writes it; if you trust its author,"
    " read it with joblib.load and save it again with sklearn_deep.save"
)

# How other files begin, and what to do with them.
_OTHERS: Mapping[bytes, str] = {
    b"PK": "a ZIP archive: a skops file is read by skops.io.load, one of torch.save by"
    " torch.load",
    b"\x80": "a pickle, which may run any code when it is loaded; if you trust its author,"
    " read it with joblib.load or pickle.load and save it again with sklearn_deep.save",
    **dict.fromkeys((b"x\x01", b"x^", b"x\x9c", b"x\xda"), _ZLIB),
    b"\x1f\x8b": "compressed by gzip: decompress it first",
    b"\x93NUMPY": "an array of NumPy: read it with numpy.load",
    b"\x89HDF": "an HDF5 file, as Keras writes them",
    b"\x08": "perhaps an ONNX model: read it with sklearn_deep.OnnxClassifier,"
    " OnnxRegressor, OnnxTransformer or OnnxMultiTask",
}


@dataclass(frozen=True)
class Container:
    """A file whose sums are right.

    Attributes
    ----------
    path : str
        For messages.
    digest : bytes
        SHA-256 of the body.
    signature : bytes
        64 bytes; zeros without a signature.
    data : bytes
        The whole file. A reader of ZIP files skips what stands before the archive, so
        that the model is read from here without a copy of the archive.
    """

    path: str
    digest: bytes
    signature: bytes
    data: bytes

    @classmethod
    def make(cls, path: Any, manifest: bytes, archive: bytes) -> "Container":
        """Put a file together."""
        body = b"".join([_LENGTH.pack(len(manifest)), manifest, archive])
        digest = hashlib.sha256(body).digest()
        return cls(os.fspath(path), digest, UNSIGNED, _head(digest, UNSIGNED) + body)

    @classmethod
    def read(cls, path: Any) -> "Container":
        """Read a file, and compare both sums.

        Raises
        ------
        FileNotFoundError
            Where there is no file.
        ModelFileError
            For a file that is no model file, or is damaged.
        """
        return cls.parse(os.fspath(path), _content(path))

    @classmethod
    def parse(cls, name: str, data: bytes) -> "Container":
        """Compare the sums of a file's content."""
        if not data.startswith(MAGIC):
            raise ModelFileError(_not_ours(name, data))
        if len(data) < _BODY:
            raise ModelFileError(_damaged(name, f"ends after {len(data)} bytes"))
        _, version, digest, signature = _HEAD.unpack_from(data)
        if data[:_BODY] != _head(digest, signature, version):
            raise ModelFileError(_damaged(name, "has another head than was written"))
        if version[0] != FORMAT:
            raise ModelFileError(_other_version(name, version[0]))
        if hashlib.sha256(memoryview(data)[_BODY:]).digest() != digest:
            raise ModelFileError(_damaged(name, "has other content than was written"))
        return cls(name, digest, signature, data)

    @property
    def is_signed(self) -> bool:
        """Whether there is a signature, of whomever."""
        return self.signature != UNSIGNED

    @property
    def manifest(self) -> bytes:
        """The manifest as it stands in the file."""
        body = memoryview(self.data)[_BODY:]
        if len(body) < _LENGTH.size:
            raise ModelFileError(f"{self.path!r} has no manifest.")
        (length,), rest = _LENGTH.unpack_from(body), body[_LENGTH.size :]
        if length > min(MANIFEST_LIMIT, len(rest)):
            raise ModelFileError(
                f"{self.path!r} says that its manifest has {length} bytes; at most"
                f" {MANIFEST_LIMIT} are allowed, and {len(rest)} are there."
            )
        return bytes(rest[:length])

    def signed(self, signature: bytes) -> "Container":
        """The same with a signature."""
        data = _head(self.digest, signature) + self.data[_BODY:]
        return replace(self, signature=signature, data=data)

    def write(self) -> None:
        """Write the file whole, or leave what was there."""
        write_whole(Path(self.path), self.data)


def _head(digest: bytes, signature: bytes, version: bytes = bytes([FORMAT])) -> bytes:
    """The head with its own sum."""
    head = _HEAD.pack(MAGIC, version, digest, signature)
    return head + hashlib.sha256(head).digest()


def _content(path: Any) -> bytes:
    """The bytes of a regular file; a device or a pipe may never end."""
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "no regular file"
        raise ModelFileError(
            f"{os.fspath(path)!r} is {what}. Pass the path of a file that"
            " sklearn_deep.save has written."
        )
    return Path(path).read_bytes()


def _not_ours(name: str, data: bytes) -> str:
    found = (text for start, text in _OTHERS.items() if data.startswith(start))
    what = next(found, f"unknown: it begins with {data[:16]!r}") if data else "empty"
    if data and MAGIC.startswith(data):
        what = f"cut off after {len(data)} bytes"
    return f"{name!r} is no model file of sklearn_deep.save. Its content is {what}."


def _damaged(name: str, how: str) -> str:
    return (
        f"{name!r} is damaged: it {how}. Nothing in it was read. Take a copy from a backup,"
        " or save the model again; a file that was transferred must be copied as binary."
    )


def _other_version(name: str, version: int) -> str:
    return (
        f"{name!r} is of format version {version}, and this version of sklearn_deep reads"
        f" version {FORMAT}. Install a later version of sklearn_deep."
    )
