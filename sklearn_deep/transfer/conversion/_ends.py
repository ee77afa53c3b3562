"""What an ONNX model predicts: the output that is asked for, classes, units."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_deep.exceptions import InvalidParameterError, OnnxImportError
from sklearn_deep.transfer.conversion._metadata import classes_of, main_output
from sklearn_deep.transfer.conversion._reading import Drawing
from sklearn_deep.transfer.conversion._tail import (
    Tail,
    classes_in,
    find_tail,
    has_labels,
)


@dataclass(frozen=True)
class End:
    """What the outputs are.

    Attributes
    ----------
    output : str
        Output of the model.
    tail : Tail
    classifies : bool
    classes : ndarray or None
        Labels in the order of the outputs, where they are known.
    """

    output: str
    tail: Tail
    classifies: bool
    classes: np.ndarray | None

    def is_multilabel(self, width: int) -> bool:
        """Whether each raw output is a label by itself."""
        return self.classifies and self.tail.kind == "sigmoid" and width > 1

    def is_pair(self, width: int) -> bool:
        """Whether two raw outputs are those of two classes."""
        return self.classifies and width == 2 and self.tail.kind != "sigmoid"

    def of_rows(self, shape: tuple[int, ...]) -> "End":
        """What the outputs are as those of whole rows, where raw ones have this shape.

        A softmax at each step of a row makes no class of the row: then it stays part of
        the network, whose outputs are numbers.
        """
        steps = sum(n > 1 for n in shape[1:]) > 1
        if not (steps and self.classifies) or self.tail.kind == "sigmoid":
            return self
        return End(self.output, Tail(self.output), False, None)

    def order(self, n_classes: int) -> np.ndarray:
        """Places of the sorted labels among the outputs.

        Raises
        ------
        InvalidParameterError
            If the labels are not one per class.
        """
        labels = np.arange(n_classes) if self.classes is None else self.classes
        if labels.shape != (n_classes,) or len(np.unique(labels)) != n_classes:
            raise InvalidParameterError(
                f"The 'classes' parameter of from_onnx must have {n_classes} different"
                f" labels, one per class of the network. Got {labels.tolist()!r} instead."
            )
        return np.argsort(labels, kind="stable")

    def labels(self, n_classes: int) -> np.ndarray:
        """Sorted labels."""
        labels = np.arange(n_classes) if self.classes is None else self.classes
        return labels[self.order(n_classes)]


def find_end(
    drawing: Drawing,
    metadata: Mapping[str, Any],
    task: str | None,
    output: str | None,
    classes: Any,
) -> End:
    """Choose the output of a model, and tell what it is.

    Raises
    ------
    InvalidParameterError
        For an output that the model does not have.
    OnnxImportError
        For several outputs, where none is asked for.
    """
    name = _output(drawing, metadata, output)
    tail = find_tail(drawing, name)
    if classes is not None:
        labels: np.ndarray | None = np.asarray(classes)
    else:
        in_file = [classes_in(drawing, out) for out in drawing.outputs]
        known = [classes_of(metadata), tail.classes, *in_file]
        labels = next((each for each in known if each is not None), None)
    if task is None:
        task = metadata.get("task") or _task(tail, classes is not None)
    return End(name, tail, task == "classifier", labels)


def _task(tail: Tail, has_classes: bool) -> str:
    classifies = has_classes or tail.kind is not None or tail.classes is not None
    return "classifier" if classifies else "regressor"


def _output(drawing: Drawing, metadata: Mapping[str, Any], output: str | None) -> str:
    names = list(drawing.outputs)
    if output is not None:
        if output in names:
            return output
        raise InvalidParameterError(
            "The 'output' parameter of from_onnx must be an output of the model:"
            f" {', '.join(names)}. Got {output!r} instead."
        )
    known = main_output(metadata)
    if known in names:
        return str(known)
    numbers = [name for name in names if not has_labels(drawing, name)] or names
    if len(numbers) == 1:
        return numbers[0]
    raise OnnxImportError(
        f"The ONNX model has several outputs: {', '.join(numbers)}. Pass the one that the"
        " estimator predicts as output."
    )
