"""Operator sets older than the tested ones, which skl2onnx accepts."""

from collections.abc import Callable, Sequence
from typing import Any

from sklearn_deep.exceptions import OnnxExportError
from sklearn_deep.export.graph._graph import Graph, Value
from sklearn_deep.export.graph._runtime import open_session

# The oldest operator set that every rule is tested with.
_TESTED = 17


def check_opset(
    model: Any,
    graph: Graph,
    inputs: Sequence[tuple[Value, Sequence[int | None]]],
    write: Callable[[Graph], Sequence[Value]],
) -> None:
    """Raise if onnxruntime cannot load the graph in its operator set.

    Raises
    ------
    OnnxExportError
        The message names the lowest operator set that works.
    """
    if graph.opset >= _TESTED:
        return
    fits = (
        n for n in range(graph.opset, _TESTED + 1) if _loads(n, graph, inputs, write)
    )
    lowest = next(fits, _TESTED)
    if lowest != graph.opset:
        raise OnnxExportError(
            f"{type(model).__name__} cannot be written with target_opset={graph.opset}:"
            f" onnxruntime could not load the file. Set target_opset to {lowest} or more."
        )


def _loads(opset: int, like: Graph, inputs: Any, write: Any) -> bool:
    graph = Graph(opset, like.prefix, like.settings)
    try:
        outputs = [graph.node("Identity", value) for value in write(graph)]
        read = {name for node in graph.nodes for name in node.input}
        used = [(value, shape) for value, shape in inputs if value.name in read]
        open_session(graph.model(used, outputs).SerializeToString())
    except Exception:  # onnx or a rule does not know an operator in this version
        return False
    return True
