"""Which values of a graph are computed from which others."""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from onnx import GraphProto, NodeProto


class Dataflow:
    """Nodes of a graph, and what each reads.

    Parameters
    ----------
    graph : onnx.GraphProto
        Its nodes are in the order of computation.

    Attributes
    ----------
    nodes : list of NodeProto
    inputs : set of str
        Names of the inputs.
    varying : set of str
        Names of the values that depend on an input.
    """

    def __init__(self, graph: GraphProto) -> None:
        self.nodes = list(graph.node)
        self.inputs = {info.name for info in graph.input}
        self._reads = [frozenset(_reads(node)) for node in self.nodes]
        self._producer = {
            name: k for k, node in enumerate(self.nodes) for name in node.output if name
        }
        self.varying = self.descendants(self.inputs)

    def producer(self, name: str) -> NodeProto | None:
        """The node that computes a value; None for inputs and constants."""
        index = self._producer.get(name)
        return None if index is None else self.nodes[index]

    def descendants(self, names: Iterable[str]) -> set[str]:
        """These values, and all that depend on one of them."""
        found = set(names)
        for node, reads in zip(self.nodes, self._reads, strict=True):
            if not reads.isdisjoint(found):
                found.update(name for name in node.output if name)
        return found

    def needed(
        self, targets: Iterable[str], given: Collection[str] = ()
    ) -> tuple[set[int], set[str]]:
        """What computes ``targets`` if the values ``given`` need not be computed.

        Returns
        -------
        nodes : set of int
            Indices of the nodes.
        roots : set of str
            Inputs, constants and given values that they read.
        """
        nodes: set[int] = set()
        roots: set[str] = set()
        pending = list(targets)
        while pending:
            name = pending.pop()
            index = self._producer.get(name)
            if name in given or index is None:
                roots.add(name)
            elif index not in nodes:
                nodes.add(index)
                pending.extend(self._reads[index])
        return nodes, roots

    def separates(self, name: str, targets: Iterable[str]) -> bool:
        """Tell whether ``targets`` depend on the inputs through one value only."""
        _, roots = self.needed(targets, {name})
        return name in roots and self.inputs.isdisjoint(roots - {name})


def _reads(node: NodeProto) -> Iterator[str]:
    """Values that a node reads, by its inputs or in its subgraphs."""
    yield from (name for name in node.input if name)
    for attribute in node.attribute:
        for inner in _graphs(attribute):
            yield from _captured(inner)


def _graphs(attribute: Any) -> list[GraphProto]:
    of_one = [attribute.g] if attribute.HasField("g") else []
    return [*of_one, *attribute.graphs]


def _captured(graph: GraphProto) -> set[str]:
    """Values of the outer graph that a subgraph reads."""
    own = {info.name for info in graph.input} | {t.name for t in graph.initializer}
    own.update(name for node in graph.node for name in node.output)
    read = {name for node in graph.node for name in _reads(node)}
    return (read | {info.name for info in graph.output}) - own
