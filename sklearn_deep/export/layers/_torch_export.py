"""Export of a user's own module with ``torch.onnx.export``."""

import copy
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from onnx import ModelProto
from torch import nn

from sklearn_deep.exceptions import MissingDependencyError, OnnxExportError
from sklearn_deep.export.graph._graph import DOUBLE, FLOAT, Graph, Value
from sklearn_deep.export.graph._runtime import open_session

_LOGGERS = ("onnxscript", "torch._export", "torch.export", "torch.fx", "torch.onnx")

# The oldest operator set that torch's exporter writes.
_OLDEST_OPSET = 18


def export_module(
    graph: Graph, module: nn.Module, x: Value, row_shape: Sequence[int], name: str
) -> Value:
    """Add a module to the graph as torch exports it.

    Parameters
    ----------
    graph : Graph
    module : torch.nn.Module
    x : Value
        Input, (n, *row_shape).
    row_shape : sequence of int
        Shape of a row of ``x``.
    name : str
        Class of the layer without a rule, for messages.

    Raises
    ------
    OnnxExportError
        If torch cannot export it; the message names the layer and the alternatives.
    """
    if find_spec("onnxscript") is None:
        raise MissingDependencyError(
            f"The ONNX export of the layer {name}", "onnxscript", "onnx"
        )
    if graph.opset < _OLDEST_OPSET:
        raise _no_onnx_form(name, f"torch writes opset {_OLDEST_OPSET} or newer")
    model, dtype = _exported(module, x.dtype, row_shape, graph.opset, name), x.dtype
    if dtype == DOUBLE and not _runs(model):  # some operators have float32 kernels only
        model, dtype = _exported(module, FLOAT, row_shape, graph.opset, name), FLOAT
    cast = graph.cast(x, dtype)
    (out,) = graph.splice(model, {model.graph.input[0].name: cast})
    return graph.cast(out, x.dtype)


def _exported(
    module: nn.Module, dtype: np.dtype, row_shape: Sequence[Any], opset: int, name: str
) -> ModelProto:
    kind = torch.from_numpy(np.empty(0, dtype)).dtype
    try:
        twin = copy.deepcopy(module).to("cpu", kind).eval()
        example = torch.zeros(2, *row_shape, dtype=kind)
        with _quiet():
            program = torch.onnx.export(
                twin,
                (example,),
                dynamo=True,
                opset_version=opset,
                dynamic_shapes=({0: torch.export.Dim("n")},),
                verbose=False,
            )
        assert program is not None
        return program.model_proto
    except Exception as error:
        raise _no_onnx_form(name, _reason(error)) from error


def _runs(model: ModelProto) -> bool:
    try:
        open_session(model.SerializeToString())
    except OnnxExportError:
        return False
    return True


def _reason(error: BaseException) -> str:
    """Type and first line of the innermost error."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:200]}"


def _no_onnx_form(name: str, reason: str) -> OnnxExportError:
    return OnnxExportError(
        f"The layer {name} has no ONNX form: it has no rule, and torch.onnx.export does"
        f" not write it either ({reason}). Give it a rule with"
        " sklearn_deep.register_onnx_layer, or write its forward with operations that"
        f" torch.onnx.export knows and set target_opset to {_OLDEST_OPSET} or more."
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the messages of torch's exporter."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with (
            warnings.catch_warnings(),
            redirect_stdout(io.StringIO()),
            redirect_stderr(io.StringIO()),  # it prints graphs that fail
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
