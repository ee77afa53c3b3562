"""onnxruntime's own file format, for devices with a build of a few operators."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import onnxruntime

from sklearn_deep.exceptions import OnnxExportError


def convert_to_ort(content: bytes) -> bytes:
    """Convert an ONNX model to onnxruntime's format.

    Only optimizations that keep to the operators of ONNX are applied: the file runs on
    any processor, and its operators are those that the list names.

    Parameters
    ----------
    content : bytes
        A serialized model.

    Raises
    ------
    OnnxExportError
        If onnxruntime cannot convert it.
    """
    return _saved(content, "ORT")


def list_operators(content: bytes) -> str:
    """List the operators that a model in onnxruntime's format needs.

    Parameters
    ----------
    content : bytes
        The serialized ONNX model that ``convert_to_ort`` converts.

    Returns
    -------
    str
        Lines as onnxruntime's build option ``--include_ops_by_config`` reads them:
        domain, version of the operator set, and names.
    """
    model = onnx.load_from_string(_saved(content, "ONNX"))
    versions = {o.domain or "ai.onnx": o.version for o in model.opset_import}
    found: dict[str, set[str]] = {}
    for node in _nodes(model.graph):
        found.setdefault(node.domain or "ai.onnx", set()).add(node.op_type)
    lines = (f"{d};{versions[d]};{','.join(sorted(found[d]))}" for d in sorted(found))
    return "".join(f"{line}\n" for line in lines)


def _nodes(graph: Any) -> Iterator[Any]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _nodes(attribute.g)


def _saved(content: bytes, file_format: str) -> bytes:
    """What onnxruntime writes of a model after its basic optimizations."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # errors are raised as exceptions
    level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.graph_optimization_level = level
    options.add_session_config_entry("session.save_model_format", file_format)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        options.optimized_model_filepath = str(path)
        try:
            onnxruntime.InferenceSession(
                content,
                options,
                providers=["CPUExecutionProvider"],
                enable_fallback=False,
            )
        except Exception as error:
            raise OnnxExportError(
                f"onnxruntime {onnxruntime.__version__} cannot convert the model to its own"
                f" format: {error} Export it with format='onnx'."
            ) from error
        return path.read_bytes()
