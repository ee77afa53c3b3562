"""Outputs of a model in the shape in which the estimator gives them."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

# How the scores of a row come out of the graph.
_FORMS: dict[str, Callable[[Sequence[Any]], Any]] = {
    "tensor": lambda outputs: outputs[0],
    "columns": lambda outputs: np.stack(outputs, 1),
    "sequence": lambda outputs: list(outputs[0]),
    "zipmap": lambda outputs: np.array([list(row.values()) for row in outputs[0]]),
}


def names_of(role: dict[str, Any]) -> list[str]:
    """Names of the outputs that one answer is made of."""
    return role["names"] if "names" in role else [role["name"]]


def assembled(method: str, card: dict[str, Any], outputs: Sequence[Any]) -> Any:
    """Answer of a method of the estimator, from the outputs that make it up."""
    found = _FORMS[card["outputs"][method].get("form", "tensor")](outputs)
    if method != "decision_function" or card["multilabel"] or found.shape[-1] != 2:
        return found
    return found[..., 1]  # two classes have one score in scikit-learn
