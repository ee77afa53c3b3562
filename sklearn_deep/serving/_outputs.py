"""Outputs of the graph, converted to the return values of the estimator's methods."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

# Forms in which a graph can output scores, and how to make one array of each.
_FORMS: dict[str, Callable[[Sequence[Any]], Any]] = {
    "tensor": lambda outputs: outputs[0],
    "columns": lambda outputs: np.stack(outputs, 1),
    "sequence": lambda outputs: list(outputs[0]),
    "zipmap": lambda outputs: np.array([list(row.values()) for row in outputs[0]]),
}


def output_names(role: dict[str, Any]) -> list[str]:
    """Names of the graph outputs that a role in the metadata refers to."""
    return role["names"] if "names" in role else [role["name"]]


def assemble_output(
    method: str, metadata: dict[str, Any], outputs: Sequence[Any]
) -> Any:
    """Return value of an estimator's method, made from the graph's outputs."""
    found = _FORMS[metadata["outputs"][method].get("form", "tensor")](outputs)
    if method != "decision_function" or metadata["multilabel"] or found.shape[-1] != 2:
        return found
    return found[..., 1]  # scikit-learn gives one score for two classes


# Rows that the estimator refuses.


class RefusedRows(ValueError):
    """Rows that the exported estimator refuses.

    Parameters
    ----------
    message : str
    rows : ndarray of int
        Their numbers.
    """

    def __init__(self, message: str, rows: np.ndarray) -> None:
        super().__init__(message)
        self.rows = rows


_MAX_NAMED = 5  # rows


def check_no_refusals(refused: np.ndarray, estimator: str) -> None:
    """Raise if the exported estimator refuses any row.

    Parameters
    ----------
    refused : ndarray of shape (n,)
        True for refused rows.
    estimator : str
        Class name of the exported estimator.

    Raises
    ------
    RefusedRows
        The message names the rows and says what to do.
    """
    if not refused.any():
        return
    rows = np.flatnonzero(refused)
    named = ", ".join(map(str, rows[:_MAX_NAMED]))
    if len(rows) > _MAX_NAMED:
        named += ", ..."
    raise RefusedRows(
        f"The exported {estimator} refuses {len(rows)} of {len(refused)} rows of X:"
        f" {named}. They hold missing or infinite values, numbers that are too large, or"
        " categories that were unknown at the fit, in columns where a step does not accept"
        " them. Fill or drop these rows; or fit with a SimpleImputer, or an encoder with"
        " handle_unknown='ignore', in the Pipeline, and export it again.",
        rows,
    )


def refused_rows(marks: Any, form: str, lengths: np.ndarray | None) -> np.ndarray:
    """Find the rows that the exported estimator refuses, (n,) booleans.

    Parameters
    ----------
    marks : ndarray of shape (n, ...), or list
        Floats, NaN for rows that are refused, or booleans.
    form : str
        Key of ``_FORMS``.
    lengths : ndarray of shape (n,), optional
        Number of steps of each row without padding.
    """
    if form == "zipmap":
        return np.array([any(p != p for p in row.values()) for row in marks], bool)
    if form == "sequence":
        return np.any([refused_rows(part, "tensor", None) for part in marks], axis=0)
    found = marks if marks.dtype == bool else np.isnan(marks)
    if lengths is not None:
        is_step = np.arange(found.shape[1]) < lengths[:, None]
        found = found & is_step.reshape(*is_step.shape, *[1] * (found.ndim - 2))
    return found.any(axis=tuple(range(1, found.ndim)))
