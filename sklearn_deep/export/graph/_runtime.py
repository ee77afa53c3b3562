"""onnxruntime sessions for checks and comparisons."""

from typing import Any

import numpy as np
import onnxruntime

from sklearn_deep.exceptions import OnnxExportError
from sklearn_deep.export.graph._graph import (
    BOOL,
    DOUBLE,
    ELEMENT_TYPES,
    FLOAT,
    INT,
    STRING,
)

# Files up to this size are run by one thread: starting more costs more than they save.
_SMALL = 2**20  # bytes


def open_session(model: bytes) -> Any:
    """Load a model.

    Raises
    ------
    OnnxExportError
        If onnxruntime cannot run one of the nodes.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # errors are raised as exceptions
    if len(model) <= _SMALL:
        options.intra_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"], enable_fallback=False
        )
    except Exception as error:
        raise OnnxExportError(
            f"onnxruntime {onnxruntime.__version__} cannot run the model: {error} Try"
            " another target_opset, or float32 rows."
        ) from error


_DTYPES: dict[str, np.dtype] = {
    "tensor(float)": FLOAT,
    "tensor(double)": DOUBLE,
    "tensor(int64)": INT,
    "tensor(bool)": BOOL,
    "tensor(string)": STRING,
}


def set_output_types(model: Any) -> bool:
    """Set the declared types of a model's outputs to those of their nodes.

    Returns
    -------
    bool
        Whether onnxruntime can run the model.
    """
    for out in model.graph.output:
        out.ClearField("type")
    try:
        session = open_session(model.SerializeToString())
    except OnnxExportError:
        return False
    for out, found in zip(model.graph.output, session.get_outputs(), strict=True):
        dtype = _DTYPES.get(found.type)
        if dtype is not None:
            out.type.tensor_type.elem_type = ELEMENT_TYPES[dtype]
    return True
