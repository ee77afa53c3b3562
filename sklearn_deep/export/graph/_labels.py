"""Class labels in a graph."""

import numpy as np

from sklearn_deep.exceptions import OnnxExportError
from sklearn_deep.export.graph._graph import DOUBLE, INT, STRING, Graph, Value


def label_dtype(classes: np.ndarray) -> np.dtype:
    """Tell what labels are in ONNX: strings, integers, or for 0.5 and the like floats.

    Raises
    ------
    OnnxExportError
        For labels of any other kind.
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
        " use strings, integers, booleans or floats, all of one kind."
    )


def stored_labels(classes: np.ndarray) -> np.ndarray:
    """Labels as an array that ONNX can hold."""
    return classes.astype(label_dtype(np.asarray(classes)))


def labels_at(graph: Graph, classes: np.ndarray, places: Value) -> Value:
    """Give the labels at integer places."""
    return graph.gather(graph.constant(stored_labels(np.asarray(classes))), places)
