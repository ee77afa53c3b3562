"""An imported ONNX network as plain data: steps in order, and arrays by name.

It is in a parameter of an estimator, so it is compared, copied, pickled and stored in
files; none of that needs onnx.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Step:
    """One operation.

    Attributes
    ----------
    op : str
        A key of the table of operators.
    inputs, outputs : tuple of str
        Names of values; "" for one that is left out.
    attributes : dict
        Python numbers, texts and lists of numbers. Inputs that say how something is
        computed and are constant are among them, see ``SETTINGS``.
    """

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)


# Inputs that become attributes where they are constant: position to name.
SETTINGS: dict[str, dict[int, str]] = {
    "Clip": {1: "min", 2: "max"},
    "ConstantOfShape": {0: "shape"},
    "CumSum": {1: "axis"},
    "Expand": {1: "shape"},
    "OneHot": {1: "depth", 2: "values"},
    "Pad": {1: "pads", 2: "constant_value", 3: "axes"},
    "Reshape": {1: "shape"},
    "Resize": {1: "roi", 2: "scales", 3: "sizes"},
    "Slice": {1: "starts", 2: "ends", 3: "axes", 4: "steps"},
    "Split": {1: "split"},
    "Squeeze": {1: "axes"},
    "Tile": {1: "repeats"},
    "Trilu": {1: "k"},
    "Unsqueeze": {1: "axes"},
    **{
        f"Reduce{kind}": {1: "axes"}
        for kind in (
            *("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum"),
            "SumSquare",
        )
    },
}


@dataclass(frozen=True, eq=False, repr=False)
class OnnxGraph:
    """A network: what it computes, and the weights that it came with.

    Two are equal if all of it is.

    Attributes
    ----------
    steps : tuple of Step
        In the order of computation.
    input, output : str
        Names of the rows and of the raw outputs.
    arrays : dict of str to ndarray
        Constants and weights by name.
    trainable : tuple of str
        Names of the arrays that are trained.
    of_integers : bool
        Whether the rows are integers, such as codes of tokens.
    """

    steps: tuple[Step, ...]
    input: str
    output: str
    arrays: Mapping[str, np.ndarray]
    trainable: tuple[str, ...]
    of_integers: bool = False

    @property
    def operators(self) -> dict[str, int]:
        """How often each operator occurs."""
        ops = sorted(step.op for step in self.steps)
        return {op: ops.count(op) for op in dict.fromkeys(ops)}

    @property
    def n_trainable(self) -> int:
        """Number of values that are trained."""
        return sum(self.arrays[name].size for name in self.trainable)

    @cached_property
    def _digest(self) -> str:
        total = hashlib.sha256()
        rest = self.input, self.output, self.trainable, self.of_integers
        total.update(repr((self.steps, rest)).encode())
        for name in sorted(self.arrays):
            array = np.ascontiguousarray(self.arrays[name])
            total.update(repr((name, array.dtype.str, array.shape)).encode())
            total.update(array.tobytes())
        return total.hexdigest()

    def __eq__(self, other: object) -> bool:
        """Tell whether both compute the same with the same arrays."""
        return isinstance(other, OnnxGraph) and self._digest == other._digest

    def __hash__(self) -> int:
        """Hash the content."""
        return hash(self._digest)

    def __getstate__(self) -> dict[str, Any]:
        """Give the fields, without what was computed of them."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def __deepcopy__(self, memo: Any) -> "OnnxGraph":
        """Share the value, which never changes."""
        return self

    def __sklearn_clone__(self) -> "OnnxGraph":
        """Share the value, which never changes."""
        return self

    def __repr__(self) -> str:
        """Say how large it is."""
        return (
            f"<OnnxGraph: {len(self.steps)} operations, {self.n_trainable:,} trainable"
            " parameters>"
        )


def uses_of(steps: Sequence[Step]) -> dict[str, list[tuple[Step, int]]]:
    """The steps that read each value, with the position among their inputs."""
    uses: dict[str, list[tuple[Step, int]]] = {}
    for step in steps:
        for place, name in enumerate(step.inputs):
            if name:
                uses.setdefault(name, []).append((step, place))
    return uses


def makers_of(steps: Sequence[Step]) -> dict[str, Step]:
    """The step that gives each value."""
    return {name: step for step in steps for name in step.outputs if name}


def needed_for(steps: Sequence[Step], outputs: Sequence[str]) -> tuple[Step, ...]:
    """The steps that some values depend on, in their order."""
    needed, kept = set(outputs), list[Step]()
    for step in reversed(steps):
        if needed.intersection(step.outputs):
            kept.append(step)
            needed.update(filter(None, step.inputs))
    return tuple(reversed(kept))
