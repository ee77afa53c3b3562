"""The inputs of a model as one table or array of rows, and rows to compare on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from onnx import helper

from sklearn_deep.exceptions import OnnxImportError
from sklearn_deep.transfer.conversion._elementwise import FLOATING_TYPES
from sklearn_deep.transfer.conversion._graph import Step, uses_of
from sklearn_deep.transfer.conversion._reading import Drawing, Input

# ONNX element types: text, truth values.
_STRING = 8
_N_ROWS = 16


@dataclass(frozen=True)
class InputRows:
    """How rows of X become the inputs of a model.

    Attributes
    ----------
    inputs : tuple of Input
    widths : tuple of int
        Columns of each input, where there are several; () for one input.
    row_shape : tuple of int
    names : list of str or None
        Names of the columns, where each is an input.
    """

    inputs: tuple[Input, ...]
    widths: tuple[int, ...]
    row_shape: tuple[int, ...]
    names: list[str] | None = None

    @property
    def of_integers(self) -> bool:
        """Whether the rows are codes."""
        return not self.widths and self.inputs[0].element not in FLOATING_TYPES

    @property
    def batch(self) -> int | None:
        """Number of rows that the model is fixed to; None for any number."""
        return self.inputs[0].shape[0] if self.inputs[0].shape else None

    def feeds(self, X: np.ndarray) -> dict[str, np.ndarray]:
        """The inputs of onnxruntime."""
        parts = [X]
        if self.widths:
            parts = np.split(X, np.cumsum(self.widths)[:-1], 1)
        return {
            given.name: np.ascontiguousarray(
                part.astype(helper.tensor_dtype_to_np_dtype(given.element))
            )
            for given, part in zip(self.inputs, parts, strict=True)
        }


def read_rows(drawing: Drawing, X_check: Any) -> InputRows:
    """Find out what a row is.

    Raises
    ------
    OnnxImportError
        For inputs that are not the rows of one table or array.
    """
    inputs = drawing.inputs
    if not inputs:
        raise OnnxImportError("The ONNX model has no input. Export the network again.")
    texts = [i.name for i in inputs if i.element == _STRING]
    if texts:
        raise OnnxImportError(
            f"from_onnx cannot read a model that takes texts (inputs {texts}): the network"
            " begins behind its encoders. Cut it there with onnx.utils.extract_model, and"
            " encode X in a Pipeline."
        )
    if len(inputs) == 1:
        return InputRows(inputs, (), _row_shape(inputs[0], X_check))
    return _of_columns(inputs)


def _row_shape(given: Input, X_check: Any) -> tuple[int, ...]:
    shape = given.shape[1:]
    if X_check is not None:
        found = np.shape(X_check)[1:]
        fits = len(found) == len(shape) or not given.shape
        if not fits or any(
            n not in (None, m) for n, m in zip(shape, found, strict=False)
        ):
            raise OnnxImportError(
                f"X_check has rows of shape {found}; the model's input {given.name!r} has"
                f" {_shown(shape)}."
            )
        return tuple(found)
    if not shape or None in shape:
        raise OnnxImportError(
            f"The input {given.name!r} of the ONNX model has rows of any length,"
            f" {_shown(shape)}, and the network has to be of one shape. Pass rows of that"
            " shape as X_check."
        )
    return tuple(int(n) for n in shape if n is not None)


def _shown(shape: Sequence[int | None]) -> str:
    return f"({', '.join('any' if n is None else str(n) for n in shape)})"


def _of_columns(inputs: tuple[Input, ...]) -> InputRows:
    """Several inputs of columns, as one table."""
    if any(len(i.shape) != 2 or i.shape[1] is None for i in inputs):
        shapes = ", ".join(f"{i.name} {_shown(i.shape)}" for i in inputs)
        raise OnnxImportError(
            "from_onnx takes one input, or several that are the columns of one table;"
            f" this model has {shapes}. Export the network with one input."
        )
    widths = tuple(int(i.shape[1] or 0) for i in inputs)
    names = [i.name for i in inputs] if set(widths) == {1} else None
    return InputRows(inputs, widths, (sum(widths),), names)


def joined(drawing: Drawing, rows: InputRows, name: str) -> Drawing:
    """The drawing with one input, which the others are columns of."""
    if not rows.widths:
        return drawing
    steps, start = list[Step](), 0
    order = [i.name for i in rows.inputs]
    for given, width in zip(rows.inputs, rows.widths, strict=True):
        span = {"starts": [start], "ends": [start + width], "axes": [1]}
        part = f"{given.name}:part"
        steps.append(Step("Slice", (name,), (part,), span))
        to = {"to": 1 if given.element in FLOATING_TYPES else given.element}
        steps.append(Step("Cast", (part,), (given.name,), to))
        start += width
    rest = [_or_whole(step, order, name) for step in drawing.steps]
    return replace(drawing, steps=(*steps, *rest))


def _or_whole(step: Step, order: list[str], name: str) -> Step:
    """The table itself in place of the joint columns."""
    if step.op == "Concat" and list(step.inputs) == order:
        return Step("Identity", (name,), step.outputs)
    return step


def rows_to_compare(
    drawing: Drawing, rows: InputRows, X_check: Any, like: Any = None
) -> np.ndarray:
    """Rows of the user, or random ones.

    Parameters
    ----------
    like : tuple of ndarray or None
        Mean and spread of the columns, where the model scales them.
    """
    if X_check is not None:
        return np.asarray(X_check)
    random = np.random.default_rng(0)
    shape = _N_ROWS, *rows.row_shape
    if rows.of_integers:
        top = _smallest_table(drawing, rows.inputs[0].name)
        return random.integers(0, top, shape)
    X = random.normal(size=shape)
    if like is not None:
        mean, spread = like
        X = X * spread + mean
    return X.astype(np.float32)


def _smallest_table(drawing: Drawing, name: str) -> int:
    """Number of codes that every table knows which is looked up by the rows."""
    uses, names, sizes = uses_of(drawing.steps), [name], [256]
    while names:
        for step, place in uses.get(names.pop(), []):
            if step.op == "Gather" and place == 1 and step.inputs[0] in drawing.arrays:
                axis = step.attributes.get("axis", 0)
                sizes.append(drawing.arrays[step.inputs[0]].shape[axis])
            elif step.op in ("Cast", "Identity", "Reshape", "Squeeze", "Transpose"):
                names += step.outputs
    return min(sizes)
