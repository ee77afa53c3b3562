"""Networks of other frameworks, read from ONNX files."""

from typing import Any

import numpy as np
from onnx import ModelProto
from sklearn.pipeline import make_pipeline

from sklearn_deep.data._targets import ClassTargets, RealTargets
from sklearn_deep.estimators.core._base import DeepEstimator
from sklearn_deep.estimators.core._fitted import fitted_of
from sklearn_deep.estimators.families._mlp import MLPClassifier, MLPRegressor
from sklearn_deep.estimators.families._module import ModuleClassifier, ModuleRegressor
from sklearn_deep.exceptions import InvalidParameterError
from sklearn_deep.transfer.conversion._adopted import adopted, real_targets
from sklearn_deep.transfer.conversion._body import (
    Body,
    as_ours,
    make_body,
    raw_shape,
    read_graph,
)
from sklearn_deep.transfer.conversion._check import (
    check_difference,
    difference,
    outputs_of,
)
from sklearn_deep.transfer.conversion._ends import End, find_end
from sklearn_deep.transfer.conversion._graph import needed_for
from sklearn_deep.transfer.conversion._head import Head
from sklearn_deep.transfer.conversion._metadata import read_metadata
from sklearn_deep.transfer.conversion._network import ImportedNetwork, NetworkMaker
from sklearn_deep.transfer.conversion._onnx_file import read_model
from sklearn_deep.transfer.conversion._reading import read_drawing
from sklearn_deep.transfer.conversion._rows import (
    InputRows,
    joined,
    read_rows,
    rows_to_compare,
)
from sklearn_deep.transfer.conversion._simplify import simplified

_TASKS = "classifier", "regressor"
# Name of the rows where the model has an input per column.
_TABLE = "sklearn_deep:rows"


def from_onnx(
    file: Any,
    *,
    task: str | None = None,
    output: str | None = None,
    classes: Any = None,
    X_check: Any = None,
) -> Any:
    """Convert an ONNX network to a fitted estimator with trainable weights.

    The file is read by operators, so it may come from any framework. A chain of linear
    layers and activations becomes an :class:`MLPClassifier` or :class:`MLPRegressor`;
    any other network a :class:`ModuleClassifier` or :class:`ModuleRegressor`, whose
    ``fit`` begins with the weights of the file. A softmax, sigmoid or argmax at the end
    becomes the estimator's own, a scaler or imputer of a table's columns at the front
    becomes a step of a Pipeline. Running moments of batch normalisation stay as they
    are in any training.

    Before the estimator is returned, its outputs are compared with those of
    onnxruntime. Only the file and files in its folder are read.

    Parameters
    ----------
    file : str, os.PathLike, bytes-like or onnx.ModelProto
        Path of the file, or its content.
    task : {"classifier", "regressor"} or None, default=None
        What the network is for. None: a classifier, if the file ends in a softmax,
        sigmoid or argmax, or if ``classes`` are given.
    output : str or None, default=None
        Output of the model, where it has several.
    classes : array-like of shape (n_classes,) or None, default=None
        Labels of the outputs, in order. None: those in the file, or else numbers from
        0.
    X_check : array-like of shape (n_samples, ...) or None, default=None
        Rows that the network is compared on; random ones by default. They are needed
        if an axis of the input may have any length: the network takes rows of their
        shape.

    Returns
    -------
    network : estimator or Pipeline
        Fitted. The attribute ``receipt_`` of the network (the last step of a Pipeline)
        is a dict: ``operators`` of the file with how often each occurs,
        ``trainable_parameters``, ``rows`` compared, and the largest ``difference``,
        relative to the size of the outputs.

    Raises
    ------
    OnnxFileError
        For a file that is damaged, not ONNX, or names files outside of its folder.
    OnnxImportError
        For a model that cannot become an estimator, with all operators that are not
        known; or if its outputs differ from onnxruntime's by more than 1e-5.
    InvalidParameterError
        For a parameter that is not allowed.

    See Also
    --------
    to_onnx : The way back.
    from_sklearn : Networks of scikit-learn, without a file.
    OnnxClassifier : Predict with a file of :func:`to_onnx`, without torch.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_deep import MLPClassifier, from_onnx, to_onnx
    >>> X, y = load_iris(return_X_y=True)
    >>> network = MLPClassifier((16,), max_epochs=20, random_state=0).fit(X, y)
    >>> twin = from_onnx(to_onnx(network, X).to_bytes())
    >>> bool((twin.predict(X) == network.predict(X)).all())
    True
    >>> twin.receipt_["trainable_parameters"]
    131
    """
    _check_task(task)
    proto = read_model(file)
    metadata = read_metadata(proto)
    drawing = simplified(read_drawing(proto), drops_zeros=bool(metadata))
    rows = read_rows(drawing, X_check)
    end = find_end(drawing, metadata, task, output, classes)
    start = _TABLE if rows.widths else rows.inputs[0].name
    drawing = simplified(joined(drawing, rows, start), drops_zeros=False)
    head = Head(needed_for(drawing.steps, [end.tail.raw]), drawing.arrays)
    if len(rows.row_shape) == 1 and not rows.of_integers:
        start = head.read(start, rows.row_shape[0])
    X = rows_to_compare(drawing, rows, X_check, head.like)
    graph = read_graph(drawing, start, end.tail.raw, rows)
    shape = raw_shape(graph, head, end, X)
    if end.of_rows(shape) is not end:
        end = end.of_rows(shape)
        graph = read_graph(drawing, start, end.tail.raw, rows)
        shape = raw_shape(graph, head, end, X)
    body = make_body(graph, end, X, shape)
    network = _network(body, end, rows)
    model = make_pipeline(*head.transformers, network) if head.transformers else network
    network.receipt_ = _receipt(model, network, proto, rows, end, X)
    if rows.names and network is model:  # rows of the comparison have no names
        fitted_of(network).features.feature_names_in = np.array(rows.names, object)
    return model


def _check_task(task: Any) -> None:
    if task is not None and task not in _TASKS:
        raise InvalidParameterError(
            "The 'task' parameter of from_onnx must be None, 'classifier' or 'regressor'."
            f" Got {task!r} instead."
        )


def _network(body: Body, end: End, rows: InputRows) -> Any:
    """The fitted estimator."""
    estimator: DeepEstimator
    if body.chain is not None:
        kind: Any = MLPClassifier if end.classifies else MLPRegressor
        estimator, values = kind(**body.chain.params), body.chain.values
    else:
        kind = ModuleClassifier if end.classifies else ModuleRegressor
        estimator = kind(NetworkMaker(body.graph, body.n_outputs))
        values = _state(body)
    values = {
        name: array.astype(body.dtype) if array.dtype.kind == "f" else array
        for name, array in values.items()
    }
    return adopted(estimator, rows.row_shape, None, _targets(body, end), values)


def _state(body: Body) -> dict[str, np.ndarray]:
    state = ImportedNetwork(body.graph).state_dict()
    return {name: tensor.numpy() for name, tensor in state.items()}


def _targets(body: Body, end: End) -> ClassTargets | RealTargets:
    n = body.n_outputs
    if end.is_multilabel(n):
        return ClassTargets(np.arange(n), True)
    if end.classifies:
        return ClassTargets(end.labels(max(2, n)), False)
    targets = real_targets(n, body.dtype, flat=n == 1, scaling="standard")
    if end.tail.scale is None or end.tail.center is None:
        return targets
    center, scale = (
        np.broadcast_to(a, (n,)).copy() for a in (end.tail.center, end.tail.scale)
    )
    return RealTargets(center, scale, targets.flat, targets.dtype, targets.scaling)


def _receipt(
    model: Any,
    network: Any,
    proto: ModelProto,
    rows: InputRows,
    end: End,
    X: np.ndarray,
) -> dict[str, Any]:
    """What was read, after a comparison with onnxruntime."""
    raw, given = outputs_of(proto, [end.tail.raw, end.output], rows, X)
    largest = difference(_raw(model, X, end), _expected(np.asarray(raw), end))
    if end.tail.kind and isinstance(given, np.ndarray) and given.dtype.kind == "f":
        largest = max(largest, difference(*_probabilities(model, X, given, end)))
    ops = sorted(node.op_type for node in proto.graph.node)
    operators = {op: ops.count(op) for op in dict.fromkeys(ops)}
    check_difference(largest, operators)
    return {
        "operators": operators,
        "trainable_parameters": sum(p.numel() for p in network.module_.parameters()),
        "rows": len(X),
        "difference": largest,
    }


def _raw(model: Any, X: np.ndarray, end: End) -> np.ndarray:
    out = model.decision_function(X) if end.classifies else model.predict(X)
    return out.reshape(len(X), -1)


def _expected(raw: np.ndarray, end: End) -> np.ndarray:
    """What the estimator has to give, from the raw outputs of the model."""
    raw = as_ours(raw, end)
    if end.classifies or end.tail.scale is None:
        return raw
    return raw * end.tail.scale + end.tail.center


def _probabilities(
    model: Any, X: np.ndarray, given: np.ndarray, end: End
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of the estimator, and those of the model in the same order."""
    ours, theirs = model.predict_proba(X), given.reshape(len(X), -1)
    if (theirs < 0).any():  # logarithms
        theirs = np.exp(theirs)
    if end.is_multilabel(theirs.shape[1]) and not end.tail.binary:
        return ours, theirs
    order = end.order(ours.shape[1])
    if theirs.shape[1] == 1:
        return ours[:, order == 1], theirs
    return ours, theirs[:, order]
