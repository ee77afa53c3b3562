"""An imported network in parts, one after the other, as its stages."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from sklearn_deep.transfer.conversion._graph import OnnxGraph, Step, needed_for

# Operators that begin a layer; what follows them, as a normalisation, belongs to it.
_LAYERS = frozenset(
    [
        *("Conv", "ConvTranspose", "Einsum", "FusedMatMul", "GRU", "Gather", "Gemm"),
        *("LSTM", "MatMul", "RNN"),
    ]
)


def segments_of(graph: OnnxGraph) -> list[OnnxGraph]:
    """Cut a network in front of each layer that all values pass through.

    Each part reads the output of the one before, and has weights that no other part has.
    Branches, such as those around a residual connection, are in one part.
    """
    moving, fixed = _by_dependence(graph)
    starts, begin = [0], 0
    for place in range(1, len(moving)):
        if _begins_layer(graph, moving, fixed, begin, place):
            starts.append(place)
            begin = place
    bounds = [*starts, len(moving)]
    name, parts = graph.input, list[OnnxGraph]()
    for start, stop in pairwise(bounds):
        end = _crossing(graph, moving, stop)[0] if stop < len(moving) else graph.output
        steps = _with_constants(moving[start:stop], fixed)
        parts.append(_part(graph, steps, name, end))
        name = end
    return parts


def _by_dependence(graph: OnnxGraph) -> tuple[list[Step], list[Step]]:
    """The steps that depend on the rows, and those of arrays alone."""
    known, moving, fixed = {graph.input}, list[Step](), list[Step]()
    for step in graph.steps:
        depends = not known.isdisjoint(step.inputs)
        (moving if depends else fixed).append(step)
        known.update(step.outputs if depends else ())
    return moving, fixed


def _begins_layer(
    graph: OnnxGraph, moving: list[Step], fixed: list[Step], begin: int, place: int
) -> bool:
    """Whether a part may begin at a step, where the one before begins at another."""
    if moving[place].op not in _LAYERS:
        return False
    crossing = _crossing(graph, moving, place)
    if len(crossing) != 1 or crossing[0] not in moving[place].inputs:
        return False
    own = _weights(graph, moving[place : place + 1], fixed)
    before = _weights(graph, moving[begin:place], fixed)
    return bool(own and before) and before.isdisjoint(
        _weights(graph, moving[place:], fixed)
    )


def _crossing(graph: OnnxGraph, moving: list[Step], place: int) -> list[str]:
    """Values of the steps before a place, and rows, that are needed from there on."""
    made = {graph.input, *(name for step in moving[:place] for name in step.outputs)}
    read = [name for step in moving[place:] for name in step.inputs]
    return [name for name in dict.fromkeys([*read, graph.output]) if name in made]


def _weights(graph: OnnxGraph, steps: Sequence[Step], fixed: list[Step]) -> set[str]:
    """Names of the arrays that are trained in some steps."""
    read = {n for step in _with_constants(steps, fixed) for n in step.inputs}
    return read.intersection(graph.trainable)


def _with_constants(steps: Sequence[Step], fixed: list[Step]) -> tuple[Step, ...]:
    """Steps with those in front that make values of arrays for them."""
    read = [name for step in steps for name in step.inputs if name]
    return (*needed_for(fixed, read), *steps)


def _part(graph: OnnxGraph, steps: tuple[Step, ...], start: str, end: str) -> OnnxGraph:
    read = {name for step in steps for name in step.inputs} | {end}
    return replace(
        graph,
        steps=steps,
        input=start,
        output=end,
        arrays={name: a for name, a in graph.arrays.items() if name in read},
        trainable=tuple(name for name in graph.trainable if name in read),
        of_integers=graph.of_integers and start == graph.input,
    )
