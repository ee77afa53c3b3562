"""The network of an ONNX model, between its rows and the raw outputs of an estimator."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from sklearn_deep.exceptions import OnnxImportError
from sklearn_deep.transfer.conversion._chain import Chain, find_chain
from sklearn_deep.transfer.conversion._ends import End
from sklearn_deep.transfer.conversion._graph import OnnxGraph, Step, needed_for
from sklearn_deep.transfer.conversion._head import Head
from sklearn_deep.transfer.conversion._network import ImportedNetwork
from sklearn_deep.transfer.conversion._reading import LABEL_OPERATORS, Drawing
from sklearn_deep.transfer.conversion._rows import InputRows
from sklearn_deep.transfer.conversion._simplify import floating_dtype
from sklearn_deep.transfer.conversion._weights import trainable_arrays


@dataclass(frozen=True)
class Body:
    """A network.

    Attributes
    ----------
    graph : OnnxGraph
        It gives one raw output per target, class or pair of classes.
    chain : Chain or None
        The same as an MLP, where it is one.
    n_outputs : int
    dtype : numpy.dtype
    """

    graph: OnnxGraph
    chain: Chain | None
    n_outputs: int
    dtype: np.dtype


def read_graph(drawing: Drawing, start: str, end: str, rows: InputRows) -> OnnxGraph:
    """The steps between two values as a network.

    Raises
    ------
    OnnxImportError
        If there is nothing to train.
    """
    steps = needed_for(drawing.steps, [end])
    _refuse_labels(steps)
    front = {out for s in needed_for(steps, [start]) for out in s.outputs}
    steps = tuple(s for s in steps if not front.intersection(s.outputs))
    steps = tuple(_with_any_batch(s, rows.batch) for s in steps)
    read = {name for step in steps for name in step.inputs} | {end}
    arrays = {
        name: array
        for name, array in drawing.arrays.items()
        if name in read and array.dtype.kind not in "OUS"
    }
    trainable = trainable_arrays(steps, arrays)
    if not trainable:
        raise OnnxImportError(
            f"The ONNX model has no weights between its input and {end!r}, so there is"
            " nothing to train. Run it with onnxruntime, or export the network with its"
            " parameters."
        )
    return OnnxGraph(steps, start, end, arrays, trainable, rows.of_integers)


def _refuse_labels(steps: tuple[Step, ...]) -> None:
    ops = sorted({step.op for step in steps} & LABEL_OPERATORS)
    if ops:
        raise OnnxImportError(
            f"The ONNX model computes its outputs with {', '.join(ops)} at a place that is"
            " not the end of a network. Pass another output of the model, or cut it in"
            " front of them with onnx.utils.extract_model."
        )


def _with_any_batch(step: Step, batch: int | None) -> Step:
    """A step whose shape has the fixed number of rows, for any number of them."""
    shape = step.attributes.get("shape")
    if batch is None or step.op != "Reshape" or not shape or shape[0] != batch:
        return step
    rows = 0 if -1 in shape else -1
    return replace(step, attributes={**step.attributes, "shape": [rows, *shape[1:]]})


def raw_shape(graph: OnnxGraph, head: Head, end: End, X: np.ndarray) -> tuple[int, ...]:
    """Shape of the raw outputs of rows.

    Raises
    ------
    OnnxImportError
        If the network does not run, or does not give one result per row.
    """
    raw = _run(graph, head, X, floating_dtype(graph.arrays))
    if raw.shape[:1] != (len(X),):
        raise OnnxImportError(
            f"The output {end.output!r} of the ONNX model has shape {raw.shape} for"
            f" {len(X)} rows: not one result per row. Pass another output, or export the"
            " network with a batch axis of any length in front."
        )
    return raw.shape


def make_body(
    graph: OnnxGraph, end: End, X: np.ndarray, shape: tuple[int, ...]
) -> Body:
    """The network with outputs of the form that an estimator has.

    ``shape`` is that of its raw outputs for X.
    """
    dtype = floating_dtype(graph.arrays)
    chain = None
    if X.ndim == 2 and not graph.of_integers:
        chain = find_chain(graph.steps, graph.arrays, graph.input, graph.output)
    width = int(np.prod(shape[1:], dtype=int))
    matrix = _outputs(end, width)
    graph = _flat(graph, len(shape))
    if matrix is not None:
        graph, chain = _with_matrix(graph, matrix), chain and _in_order(chain, matrix)
        width = matrix.shape[1]
    return Body(graph, chain, width, dtype)


def _run(graph: OnnxGraph, head: Head, X: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Raw outputs of the network."""
    for part in head.transformers:
        X = part.transform(X)
    kind = torch.from_numpy(np.empty(0, dtype)).dtype
    module = ImportedNetwork(graph).to(kind).eval()
    try:
        with torch.no_grad():
            return module(torch.from_numpy(np.array(X)).to(kind)).numpy()
    except ValueError as error:
        raise OnnxImportError(
            f"The imported network does not run on rows of shape {X.shape}: {error}."
            " Pass rows that it takes as X_check; a network that is fixed to a number of"
            " rows has to be exported with a batch axis of any length."
        ) from error


def _outputs(end: End, width: int) -> np.ndarray | None:
    """What raw outputs are multiplied by: for sorted labels, one logit for two classes.

    None where they stay as they are.
    """
    if not end.classifies or end.is_multilabel(width):
        return None
    order = end.order(max(2, width))
    if width > 2 and np.array_equal(order, np.arange(width)):
        return None
    sides = np.eye(max(2, width))[:, order]
    if end.is_pair(width):
        return sides[:, 1:] - sides[:, :1]
    if width == 1:
        sides = np.array([[1.0 if order[0] == 0 else -1.0]])
    return None if np.array_equal(sides, np.eye(width)) else sides


def as_ours(raw: np.ndarray, end: End) -> np.ndarray:
    """Raw outputs of the model in the form of the estimator, (n, n_outputs)."""
    raw = raw.reshape(len(raw), -1)
    matrix = _outputs(end, raw.shape[1])
    return raw if matrix is None else raw @ matrix.astype(raw.dtype)


def _flat(graph: OnnxGraph, ndim: int) -> OnnxGraph:
    """The network with outputs of shape (n, n_outputs)."""
    if ndim == 2:
        return graph
    name = f"{graph.output}:rows"
    step = Step("Flatten", (graph.output,), (name,), {"axis": 1})
    return replace(graph, steps=(*graph.steps, step), output=name)


def _with_matrix(graph: OnnxGraph, matrix: np.ndarray) -> OnnxGraph:
    """The network with its outputs multiplied by a matrix that is not trained."""
    name, array = f"{graph.output}:sorted", f"{graph.output}:order"
    kind = graph.arrays[graph.trainable[0]].dtype
    arrays = {**graph.arrays, array: matrix.astype(kind)}
    step = Step("MatMul", (graph.output, array), (name,))
    return replace(graph, steps=(*graph.steps, step), output=name, arrays=arrays)


def _in_order(chain: Chain, matrix: np.ndarray) -> Chain:
    """The chain with the matrix in its output layer."""
    values = dict(chain.values)
    for name in ("output.weight", "output.bias"):
        array = values[name]
        values[name] = matrix.T.astype(array.dtype) @ array
    return replace(chain, values=values, n_outputs=matrix.shape[1])
