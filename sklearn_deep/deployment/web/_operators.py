"""Operators that onnxruntime-web cannot run, or whose outputs it cannot hand over."""

from collections.abc import Iterator
from typing import Any

from sklearn_deep.exceptions import OnnxExportError
from sklearn_deep.serving._operators import OPERATORS

# Their outputs are lists and mappings; the JavaScript interface has tensors only.
NO_TENSORS = frozenset(
    [
        "SequenceConstruct",
        "SequenceEmpty",
        "SequenceInsert",
        "SequenceErase",
        "SplitToSequence",
        "SequenceMap",
        "ZipMap",
        "Optional",
        "OptionalGetElement",
    ]
)


def check_operators(proto: Any) -> None:
    """Raise if a model has an operator that does not run in the browser.

    Parameters
    ----------
    proto : onnx.ModelProto

    Raises
    ------
    OnnxExportError
        The message names the operators.
    """
    outputs = {out.name for out in proto.graph.output}
    found = sorted({_name(node) for node in _nodes(proto.graph) if _is_foreign(node)})
    if found:
        raise OnnxExportError(
            f"onnxruntime-web has no operator {', '.join(found)}, which a layer or converter of"
            " your own writes. Write it with operators of ONNX."
        )
    lists = sorted(
        node.op_type
        for node in proto.graph.node
        if node.op_type in NO_TENSORS and outputs & set(node.output)
    )
    if lists:
        raise OnnxExportError(
            f"The model's outputs are made by the operator {', '.join(lists)}:"
            " onnxruntime-web hands over tensors only, no lists and mappings. For several"
            " targets use a network, whose outputs are arrays, or a page per target."
        )


def _is_foreign(node: Any) -> bool:
    domain = "" if node.domain == "ai.onnx" else node.domain
    return node.op_type not in OPERATORS.get(domain, frozenset())


def _name(node: Any) -> str:
    return f"{node.domain}.{node.op_type}" if node.domain else node.op_type


def _nodes(graph: Any) -> Iterator[Any]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _nodes(attribute.g)
