"""Which arrays of an imported network are trained, and which are part of a formula."""

from collections.abc import Mapping, Sequence

import numpy as np

from sklearn_deep.transfer.conversion._graph import Step, makers_of
from sklearn_deep.transfer.conversion._operators import OPERATORS

# Larger numbers are masks, such as the minus infinity of an attention.
_LARGEST = 1e4


def trainable_arrays(
    steps: Sequence[Step], arrays: Mapping[str, np.ndarray]
) -> tuple[str, ...]:
    """Names of the weights: kernels, tables, scales and biases.

    What stands in front of the first layer with weights scales the rows, and is not
    trained.
    """
    makers, behind = makers_of(steps), set[str]()
    found: dict[str, None] = {}
    for step in steps:
        operator = OPERATORS[step.op]
        inside = any(name in behind for name in step.inputs)
        weights = [
            name
            for place, given in enumerate(step.inputs)
            if place in operator.weights or (operator.added and inside)
            for name in _origins(given, makers, arrays)
            if _is_weight(arrays[name], bias=operator.added)
        ]
        found.update(dict.fromkeys(weights))
        if inside or (weights and operator.weights):
            behind.update(step.outputs)
    return tuple(name for name in arrays if name in found)


def _origins(
    name: str, makers: Mapping[str, Step], arrays: Mapping[str, np.ndarray]
) -> list[str]:
    """The arrays that a value is, perhaps in another shape."""
    if name in arrays:
        return [name]
    step = makers.get(name)
    if step is None or not OPERATORS[step.op].passes:
        return []
    inputs = step.inputs if step.op == "Concat" else step.inputs[:1]
    if any(n not in arrays and n not in makers for n in inputs):
        return []  # rows of the user are among them
    return [origin for n in inputs for origin in _origins(n, makers, arrays)]


def _is_weight(array: np.ndarray, *, bias: bool) -> bool:
    """Whether an array may be trained: a number without an axis is none of these."""
    if array.dtype.kind != "f" or array.size == 0 or array.ndim < (1 if bias else 0):
        return False
    return bool(np.isfinite(array).all() and np.abs(array).max() < _LARGEST)
