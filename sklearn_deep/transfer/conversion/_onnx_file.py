"""An ONNX file as a checked model whose arrays are in memory."""

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from google.protobuf.message import DecodeError
from onnx import ModelProto, TensorProto, checker, helper, inliner

from sklearn_deep.exceptions import OnnxFileError

_BYTES = (bytes, bytearray, memoryview)

# The oldest operator set that is read: broadcasting of older ones differs.
OLDEST_OPSET = 7

_AGAIN = "Export the network again, or copy the file again."


def read_model(file: Any) -> ModelProto:
    """Read a model, with arrays that are stored in files beside it.

    Parameters
    ----------
    file : str, os.PathLike, bytes-like, or onnx.ModelProto

    Raises
    ------
    OnnxFileError
        For a file that is empty, damaged, not ONNX, or that names files outside of its
        folder.
    TypeError
        For another kind of object.
    """
    model, folder = _parsed(file)
    if not model.graph.node:
        raise OnnxFileError(
            f"The ONNX model {shown(file)} has no operations: it is not a network, or is"
            f" truncated. {_AGAIN}"
        )
    for tensor in _external(model):
        _load(tensor, folder)
    if model.functions:
        model = inliner.inline_local_functions(model)
    if opset_of(model) < OLDEST_OPSET:
        raise OnnxFileError(
            f"The ONNX model {shown(file)} has operator set {opset_of(model)}; from_onnx"
            f" reads {OLDEST_OPSET} and newer. Convert it with onnx.version_converter."
        )
    _check(model, file)
    return model


def _check(model: ModelProto, file: Any) -> None:
    """Raise for a model that onnx itself refuses."""
    open_ended = [
        out.type.tensor_type
        for out in model.graph.output
        if out.type.HasField("tensor_type")
        and not out.type.tensor_type.HasField("shape")
    ]
    for kind in open_ended:  # the checker wants one, and onnxruntime does not
        kind.shape.SetInParent()
    try:
        checker.check_model(model)
    except Exception as error:  # its errors have no other common base class
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise OnnxFileError(
            f"The ONNX model {shown(file)} is not valid: {reason[0]} {_AGAIN}"
        ) from error
    for kind in open_ended:
        kind.ClearField("shape")


def shown(file: Any) -> str:
    """The file in a message."""
    if isinstance(file, (str, os.PathLike)):
        return repr(os.fspath(file))
    return "in memory"


def opset_of(model: ModelProto) -> int:
    """Version of the main operator set."""
    versions = [o.version for o in model.opset_import if o.domain in ("", "ai.onnx")]
    return max(versions, default=1)


def _parsed(file: Any) -> tuple[ModelProto, Path | None]:
    if isinstance(file, ModelProto):
        model = ModelProto()
        model.CopyFrom(file)
        return model, None
    if isinstance(file, _BYTES):
        return _decoded(bytes(file), file), None
    if not isinstance(file, (str, os.PathLike)):
        raise TypeError(
            "from_onnx takes the path of an ONNX file, its content as bytes, or an"
            f" onnx.ModelProto; got {type(file).__name__}."
        )
    path = Path(os.fsdecode(file))
    if path.is_dir():
        raise OnnxFileError(
            f"{str(path)!r} is a directory. Give the path of the .onnx file in it."
        )
    return _decoded(path.read_bytes(), file), path.parent


def _decoded(content: bytes, file: Any) -> ModelProto:
    if not content:
        raise OnnxFileError(f"The ONNX model {shown(file)} is empty. {_AGAIN}")
    try:
        return ModelProto.FromString(content)
    except DecodeError as error:
        raise OnnxFileError(
            f"The file {shown(file)} is not an ONNX model, or it is damaged: {error}."
            " A .keras or .h5 file is read by from_keras; a model of TensorFlow or torch"
            " has to be exported to ONNX first."
        ) from error


def _external(model: ModelProto) -> Iterator[TensorProto]:
    """Tensors whose numbers are in another file, those of subgraphs included."""
    graphs = [model.graph]
    while graphs:
        graph = graphs.pop()
        tensors = list(graph.initializer)
        for node in graph.node:
            for attribute in node.attribute:
                tensors += [attribute.t, *attribute.tensors]
                graphs += [g for g in (attribute.g, *attribute.graphs) if g.node]
        yield from (t for t in tensors if t.data_location == TensorProto.EXTERNAL)


def _load(tensor: TensorProto, folder: Path | None) -> None:
    """Read the numbers of a tensor from a file in the folder of the model."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    path = _inside(entries.get("location", ""), folder, tensor.name)
    dtype = helper.tensor_dtype_to_np_dtype(tensor.data_type)
    size = math.prod(tensor.dims) * dtype.itemsize
    try:
        start, length = int(entries.get("offset", 0)), int(entries.get("length", size))
    except ValueError as error:
        raise _bad_place(tensor.name, path) from error
    if start < 0 or size < 0 or length != size or start + size > path.stat().st_size:
        raise _bad_place(tensor.name, path)
    with path.open("rb") as stream:
        stream.seek(start)
        tensor.raw_data = stream.read(size)
    tensor.data_location = TensorProto.DEFAULT
    del tensor.external_data[:]


def _bad_place(name: str, path: Path) -> OnnxFileError:
    return OnnxFileError(
        f"The array {name!r} of the ONNX model does not lie where the model says in"
        f" {path.name!r}: the file is truncated or belongs to another model. {_AGAIN}"
    )


def _inside(location: str, folder: Path | None, name: str) -> Path:
    """The path of a file beside the model.

    Raises
    ------
    OnnxFileError
        For one that is elsewhere: a model must not read other files of the machine.
    """
    if folder is None:
        raise OnnxFileError(
            f"The array {name!r} of the ONNX model lies in another file, {location!r},"
            " and a model in memory has no folder. Pass the path of the model."
        )
    parts = {*PurePosixPath(location).parts, *PureWindowsPath(location).parts}
    absolute = location.startswith(("/", "\\")) or PureWindowsPath(location).drive
    root = folder.resolve()
    path = (root / location).resolve() if location and "\0" not in location else root
    if absolute or ".." in parts or not path.is_relative_to(root) or path == root:
        raise OnnxFileError(
            f"The array {name!r} of the ONNX model lies at {location!r}, outside of the"
            " folder of the model. That is never read: put all files of the model in one"
            " folder, and export it again."
        )
    if not path.is_file():
        raise OnnxFileError(
            f"The array {name!r} of the ONNX model lies in {location!r}, which is not"
            " beside the model. Copy that file to the folder of the model too."
        )
    return path
