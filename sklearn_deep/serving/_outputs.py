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


# Rows that the estimator refuses.

_MOST_NAMED = 5  # rows


def check_taken(refused: np.ndarray, estimator: str) -> None:
    """Raise where the exported estimator refuses rows.

    Parameters
    ----------
    refused : ndarray of shape (n,)
        True for the rows that it refuses.
    estimator : str
        Its name.

    Raises
    ------
    ValueError
        The message says which rows, and what to do.
    """
    if not refused.any():
        return
    rows = np.flatnonzero(refused)
    named = ", ".join(map(str, rows[:_MOST_NAMED]))
    if len(rows) > _MOST_NAMED:
        named += ", ..."
    raise ValueError(
        f"The exported {estimator} refuses {len(rows)} of {len(refused)} rows of X:"
        f" {named}. They hold missing or infinite values, numbers that are too large, or"
        " categories that were unknown at the fit, in columns where a step takes none."
        " Fill or drop these rows; or fit with a SimpleImputer, or an encoder with"
        " handle_unknown='ignore', in the Pipeline, and export it again."
    )


def refused_rows(marks: Any, form: str, lengths: np.ndarray | None) -> np.ndarray:
    """Tell which rows the exported estimator refuses, (n,) booleans.

    Parameters
    ----------
    marks : ndarray of shape (n, ...), or list
        Floats, NaN for rows that are refused, or booleans.
    form : str
        As that of scores.
    lengths : ndarray of shape (n,), optional
        How many steps of each row are true ones.
    """
    if form == "zipmap":
        return np.array([any(p != p for p in row.values()) for row in marks], bool)
    if form == "sequence":
        return np.any([refused_rows(part, "tensor", None) for part in marks], axis=0)
    found = marks if marks.dtype == bool else np.isnan(marks)
    if lengths is not None:
        true = np.arange(found.shape[1]) < lengths[:, None]
        found = found & true.reshape(*true.shape, *[1] * (found.ndim - 2))
    return found.any(axis=tuple(range(1, found.ndim)))
