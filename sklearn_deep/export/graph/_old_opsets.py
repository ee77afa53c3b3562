"""Old operator sets, which skl2onnx takes and not every network can be written in."""

from collections.abc import Callable, Sequence
from typing import Any

from sklearn_deep.exceptions import OnnxExportError
from sklearn_deep.export.graph._graph import Graph, Value
from sklearn_deep.export.graph._runtime import open_session

# Every rule is tested from this operator set on, in files that are loaded.
_TESTED = 17


def check_opset(
    model: Any,
    graph: Graph,
    inputs: Sequence[tuple[Value, Sequence[int | None]]],
    write: Callable[[Graph], Sequence[Value]],
) -> None:
    """Refuse an operator set in which onnxruntime cannot load the graph.

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
    except Exception:  # what onnx or a rule says of an operator that is not there yet
        return False
    return True
