"""What stands behind the raw outputs of a network: softmax, sigmoid, labels, units."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from sklearn_deep.transfer.conversion._graph import Step, makers_of
from sklearn_deep.transfer.conversion._reading import Drawing


@dataclass(frozen=True)
class Tail:
    """The end of a model.

    Attributes
    ----------
    raw : str
        Name of the raw outputs.
    kind : {"softmax", "sigmoid", None}
        What they go through; None for numbers that are given as they are.
    binary : bool
        Whether a single raw output stands for two classes.
    classes : ndarray or None
        Labels, where the model has them.
    center, scale : ndarray or None
        Units of a regression.
    """

    raw: str
    kind: str | None = None
    binary: bool = False
    classes: np.ndarray | None = None
    center: np.ndarray | None = None
    scale: np.ndarray | None = None


@dataclass(frozen=True)
class _Walk:
    """A walk from an output towards the rows."""

    makers: Mapping[str, Step]
    arrays: Mapping[str, np.ndarray]

    def maker(self, name: str, *ops: str) -> Step | None:
        """The step that gives a value, if it is one of some operators."""
        step = self.makers.get(name)
        return step if step is not None and step.op in ops else None

    def is_number(self, name: str, number: float) -> bool:
        """Whether a value is this constant."""
        array = self.arrays.get(name)
        return (
            array is not None and array.size == 1 and float(array.reshape(())) == number
        )


def find_tail(drawing: Drawing, output: str) -> Tail:
    """The raw outputs that an output of the model is computed from."""
    walk = _Walk(makers_of(drawing.steps), drawing.arrays)
    tail = Tail(output)
    while True:
        found = _one_step_back(walk, tail)
        if found is None:
            return tail if tail.kind else _in_units(walk, tail)
        tail = found


def _one_step_back(walk: _Walk, tail: Tail) -> Tail | None:
    step = walk.makers.get(tail.raw)
    rule = None if step is None else _RULES.get(step.op)
    if step is None or rule is None:
        return None
    if tail.kind and step.op not in _BEHIND.get(tail.kind, ()):
        return None
    return rule(walk, tail, step)


def _same(walk: _Walk, tail: Tail, step: Step) -> Tail:
    return replace(tail, raw=step.inputs[0])


def _probabilities(kind: str) -> Callable[[_Walk, Tail, Step], Tail | None]:
    def rule(walk: _Walk, tail: Tail, step: Step) -> Tail | None:
        return replace(tail, raw=step.inputs[0], kind=kind)

    return rule


def _zip_map(walk: _Walk, tail: Tail, step: Step) -> Tail:
    given = step.attributes
    labels = given.get("classlabels_strings") or given.get("classlabels_int64s")
    return replace(tail, raw=step.inputs[0], classes=np.array(labels))


def _looked_up(walk: _Walk, tail: Tail, step: Step) -> Tail | None:
    """Labels in a table, looked up by the number of the class."""
    table = walk.arrays.get(step.inputs[0])
    if table is None or table.dtype.kind == "f" or table.size != max(table.shape):
        return None
    return replace(tail, raw=step.inputs[1], classes=_labels(table))


def _encoded(walk: _Walk, tail: Tail, step: Step) -> Tail | None:
    given = step.attributes
    keys = given.get("keys_int64s")
    if keys is None or keys != list(range(len(keys))):
        return None
    labels = given.get("values_strings") or given.get("values_int64s")
    return replace(tail, raw=step.inputs[0], classes=np.array(labels))


def _labels(table: np.ndarray) -> np.ndarray:
    table = table.reshape(-1)
    if table.dtype.kind != "O":
        return table
    return np.array([t.decode() if isinstance(t, bytes) else str(t) for t in table])


def _written_out(walk: _Walk, tail: Tail, step: Step) -> Tail | None:
    """The sigmoid as 1 / (1 + exp(-x))."""
    total = walk.maker(step.inputs[0], "Add")
    if total is None or not walk.is_number(total.inputs[1], 1.0):
        return None
    power = walk.maker(total.inputs[0], "Exp")
    minus = None if power is None else walk.maker(power.inputs[0], "Neg")
    return None if minus is None else replace(tail, raw=minus.inputs[0], kind="sigmoid")


def _both_sides(walk: _Walk, tail: Tail, step: Step) -> Tail | None:
    """Probabilities of two classes from one: (1 - p, p), or of (-x, x)."""
    if len(step.inputs) != 2:
        return None
    first, second = step.inputs
    other = walk.maker(first, "Sub", "Neg")
    if other is None or other.inputs[-1] != second:
        return None
    if other.op == "Sub" and not walk.is_number(other.inputs[0], 1.0):
        return None
    if (other.op == "Neg") != (tail.kind == "sigmoid"):
        return None
    return replace(tail, raw=second, binary=True)


_Rule = Callable[[_Walk, Tail, Step], Tail | None]

_RULES: dict[str, _Rule] = {
    "ArgMax": _same,
    "ArrayFeatureExtractor": _looked_up,
    "Cast": _same,
    "Concat": _both_sides,
    "Gather": _looked_up,
    "Identity": _same,
    "LabelEncoder": _encoded,
    "LogSoftmax": _probabilities("softmax"),
    "Reciprocal": _written_out,
    "Sigmoid": _probabilities("sigmoid"),
    "Softmax": _probabilities("softmax"),
    "ZipMap": _zip_map,
}

# What may still come in front of a softmax or sigmoid that was found.
_BEHIND = {"sigmoid": ("Concat", "Identity"), "softmax": ("Identity",)}


def has_labels(drawing: Drawing, output: str) -> bool:
    """Whether an output holds labels and not numbers."""
    walk = _Walk(makers_of(drawing.steps), drawing.arrays)
    name = output
    while step := walk.maker(name, "Cast", "Identity", "Reshape", "Squeeze"):
        name = step.inputs[0]
    step = walk.makers.get(name)
    if step is None:
        return False
    if step.op in ("ArgMax", "Binarizer", "Equal", "Greater", "LabelEncoder", "Less"):
        return True
    if step.op not in ("Gather", "ArrayFeatureExtractor"):
        return False
    table = walk.arrays.get(step.inputs[0])
    return table is not None and table.dtype.kind != "f"


def classes_in(drawing: Drawing, output: str) -> np.ndarray | None:
    """The labels that an output of labels is looked up in."""
    walk = _Walk(makers_of(drawing.steps), drawing.arrays)
    name: str | None = output
    while name:
        step = walk.makers.get(name)
        if step is None:
            return None
        rule = {"Gather": _looked_up, "ArrayFeatureExtractor": _looked_up}.get(step.op)
        rule = _encoded if step.op == "LabelEncoder" else rule
        found = None if rule is None else rule(walk, Tail(name), step)
        if found is not None:
            return found.classes
        passes = step.op in ("Cast", "Identity", "Reshape", "Squeeze")
        name = step.inputs[0] if passes else None
    return None


def _in_units(walk: _Walk, tail: Tail) -> Tail:
    """A regression: linear outputs, perhaps with the units of y restored behind them.

    The units are x * scale + center.
    """
    name = _flattened(walk, tail.raw)
    total = walk.maker(name, "Add")
    product = None if total is None else walk.maker(total.inputs[0], "Mul")
    if total is None or product is None:
        return replace(tail, raw=name) if _linear_width(walk, name) else tail
    factor, offset = (walk.arrays.get(n) for n in (product.inputs[1], total.inputs[1]))
    if factor is None or offset is None or not _linear_width(walk, product.inputs[0]):
        return tail
    scale, center = (a.astype(np.float64).reshape(-1) for a in (factor, offset))
    if (scale <= 0).any():
        return tail
    return replace(tail, raw=product.inputs[0], scale=scale, center=center)


def _flattened(walk: _Walk, name: str) -> str:
    """The value that another one has the numbers of, row by row."""
    step = walk.maker(name, "Flatten", "Gather", "Identity", "Reshape", "Squeeze")
    if step is None:
        return name
    if step.op == "Reshape" and (step.attributes.get("shape") or [1])[0] not in (0, -1):
        return name
    before = _flattened(walk, step.inputs[0])
    if step.op == "Gather" and not _takes_all(walk, step, before):
        return name
    return before


def _takes_all(walk: _Walk, step: Step, name: str) -> bool:
    """Whether a Gather takes the only column there is."""
    width = walk.maker(name, "Add", "Gemm", "MatMul") and _linear_width(walk, name)
    total = walk.maker(name, "Add")
    if not width and total is not None:  # the units stand between
        product = walk.maker(total.inputs[0], "Mul")
        width = _linear_width(walk, product.inputs[0]) if product else 0
    first = walk.is_number(step.inputs[1], 0)
    return width == 1 and first and step.attributes.get("axis") in (1, -1)


def _linear_width(walk: _Walk, name: str) -> int:
    """Number of outputs of the linear layer that gives a value; 0 for other values."""
    step = walk.makers.get(name)
    if step is not None and step.op == "Add":
        step = walk.makers.get(step.inputs[0])
    if step is None or step.op not in ("Gemm", "MatMul"):
        return 0
    weight = walk.arrays.get(step.inputs[1])
    if weight is None or weight.ndim != 2:
        return 0
    return weight.shape[0 if step.attributes.get("transB") else 1]
