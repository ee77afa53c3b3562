"""Class labels in a graph."""

import numpy as np

from sklearn_deep.exceptions import OnnxExportError
from sklearn_deep.export.graph._graph import DOUBLE, INT, STRING, Graph, Value


def label_dtype(classes: np.ndarray) -> np.dtype:
    """Choose the dtype of labels in ONNX: strings, int64, or float64 for fractions.

    Raises
    ------
    OnnxExportError
        For labels of any other type.
    """
    kind = classes.dtype.kind
    if kind == "U" or (kind == "O" and all(isinstance(c, str) for c in classes)):
        return STRING
    if kind in "biu":
        return INT
    if kind == "f":
        return INT if (classes == np.floor(classes)).all() else DOUBLE
    raise OnnxExportError(
        f"Labels of {classes.dtype} ({classes[:3].tolist()!r}, ...) have no ONNX form:"
        " use strings, integers, booleans or floats, all of one type."
    )


def stored_labels(classes: np.ndarray) -> np.ndarray:
    """Convert labels to an array that ONNX can hold."""
    return classes.astype(label_dtype(np.asarray(classes)))


def labels_at(graph: Graph, classes: np.ndarray, indices: Value) -> Value:
    """Look up labels by class index."""
    return graph.gather(graph.constant(stored_labels(np.asarray(classes))), indices)
