"""The comparison of an imported network with onnxruntime."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime
from onnx import ModelProto

from sklearn_deep.exceptions import OnnxFileError, OnnxImportError
from sklearn_deep.transfer.conversion._rows import InputRows

# Largest difference, relative to the largest value of the output, and at least 1.
TOLERANCE = 1e-5


def outputs_of(
    model: ModelProto, names: Sequence[str], rows: InputRows, X: np.ndarray
) -> list[Any]:
    """Values of a model for rows, as onnxruntime computes them.

    Parameters
    ----------
    model : onnx.ModelProto
    names : sequence of str
        Values; those that are no outputs of the model become such.
    rows : InputRows
    X : ndarray of shape (n, *row_shape)

    Raises
    ------
    OnnxFileError
        If onnxruntime cannot run the model.
    """
    try:
        session = _session(model, names)
        if rows.batch is None:
            return session.run(list(names), rows.feeds(X))
        pieces = [
            session.run(list(names), rows.feeds(_of_length(piece, rows.batch)))
            for piece in _pieces(X, rows.batch)
        ]
    except Exception as error:  # its errors have no other common base class
        raise OnnxFileError(
            f"onnxruntime {onnxruntime.__version__} cannot run the ONNX model: {error}."
            " Pass rows that it takes as X_check, or export the network again."
        ) from error
    return [_joined(parts)[: len(X)] for parts in zip(*pieces, strict=True)]


def _session(model: ModelProto, names: Sequence[str]) -> Any:
    twin = ModelProto()
    twin.CopyFrom(model)
    known = {out.name for out in twin.graph.output}
    for name in dict.fromkeys(names):
        if name not in known:
            twin.graph.output.add().name = name
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # errors are raised as exceptions
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(
        twin.SerializeToString(),
        options,
        providers=["CPUExecutionProvider"],
        enable_fallback=False,
    )


def _pieces(X: np.ndarray, size: int) -> list[np.ndarray]:
    return [X[start : start + size] for start in range(0, len(X), size)]


def _of_length(piece: np.ndarray, size: int) -> np.ndarray:
    """A piece with its last row repeated, for a model of a fixed number of rows."""
    return np.concatenate([piece, piece[-1:].repeat(size - len(piece), 0)])


def _joined(parts: Sequence[Any]) -> Any:
    if isinstance(parts[0], list):
        return [row for part in parts for row in part]
    return np.concatenate(parts)


def difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Largest difference, relative to the largest value where that is above 1."""
    if ours.shape != theirs.shape:
        return np.inf
    if not ours.size:
        return 0.0
    same = ours == theirs  # infinities among them
    scale = max(1.0, float(np.abs(theirs[np.isfinite(theirs)]).max(initial=0.0)))
    return float(np.where(same, 0.0, np.abs(ours - theirs)).max()) / scale


def check_difference(largest: float, operators: dict[str, int]) -> None:
    """Raise where an imported network computes something else.

    Raises
    ------
    OnnxImportError
    """
    if largest <= TOLERANCE:
        return
    raise OnnxImportError(
        f"The imported network differs from onnxruntime by {largest:.2g}, by more than"
        f" {TOLERANCE:g}, so it is not given out. It has the operators"
        f" {', '.join(operators)}. Pass real rows as X_check if random ones are far from"
        " what the network takes; networks of 16-bit numbers have to be exported as"
        " float32."
    )
