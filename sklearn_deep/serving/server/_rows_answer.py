"""Predictions as JSON: by name, row by row or column by column."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from sklearn_deep.serving.server._prediction import Prediction

# A tree: a list with an item per row, or dicts of trees.
Tree = Any

# Names of the outputs of a regression: of one number, and of several.
_NUMBERS = {"predict": ("value", "values"), "std": ("std", "stds")}


def answer_columns(prediction: Prediction, metadata: dict[str, Any]) -> Tree:
    """A prediction by name, with a list of n items for each.

    Parameters
    ----------
    prediction : Prediction
    metadata : dict
        Of the file.

    Returns
    -------
    dict
        A classifier has ``"label"`` and ``"probabilities"`` (by class); several labels
        per row are ``"labels"``. A regressor has ``"value"`` or ``"values"``, and
        ``"std"`` where there is one; a transformer ``"columns"`` by name; a file of
        several tasks ``"tasks"`` by name. Numbers that are not finite are None.
    """
    if prediction.tasks:
        return {
            "tasks": {
                name: _of_one(part, {**metadata, "multilabel": False})
                for name, part in prediction.tasks.items()
            }
        }
    return _of_one(prediction, metadata)


def _of_one(prediction: Prediction, metadata: dict[str, Any]) -> Tree:
    if prediction.labels is None:
        found = _NAMED[metadata["task"] == "transformer"](prediction.values, metadata)
        return found
    labels = _labels(prediction.labels, metadata)
    probabilities = prediction.probabilities
    if probabilities is None:
        return labels
    if isinstance(probabilities, list):  # of targets
        by_target = {str(k): _lists(p) for k, p in enumerate(probabilities)}
        return {**labels, "probabilities": by_target}
    return {**labels, "probabilities": _lists(probabilities)}


def _labels(labels: np.ndarray, metadata: dict[str, Any]) -> dict[str, Tree]:
    if metadata["multilabel"]:
        names = np.array([str(c) for c in metadata["classes"]["values"]], object)
        return {"labels": [names[row.astype(bool)].tolist() for row in labels]}
    if labels.ndim == 2 and not metadata["by_step"]:
        return {
            "labels": {str(k): as_list(labels[:, k]) for k in range(labels.shape[1])}
        }
    return {"label": as_list(labels)}


def _of_numbers(values: Mapping[str, np.ndarray], metadata: dict[str, Any]) -> Tree:
    found: dict[str, Any] = {}
    for name, numbers in values.items():
        role, _, target = name.partition(" ")
        one, several = _NUMBERS[role]
        if target:
            found.setdefault(several, {})[target] = as_list(numbers)
        else:
            found[one] = as_list(numbers)
    return found


_ROLES = {"predict": "cluster", "score_samples": "score_samples", "transform": "values"}


def _of_columns(values: Mapping[str, np.ndarray], metadata: dict[str, Any]) -> Tree:
    roles = {} if "transform" in values else metadata["outputs"]
    columns = {name: v for name, v in values.items() if roles and name not in roles}
    found: dict[str, Any] = {"columns": _lists(columns)} if columns else {}
    for name, numbers in values.items():
        if name not in columns:
            found[_ROLES.get(name, name)] = as_list(numbers)
    return found


_NAMED = {False: _of_numbers, True: _of_columns}


def _lists(values: Mapping[str, np.ndarray]) -> dict[str, list[Any]]:
    return {name: as_list(one) for name, one in values.items()}


def as_list(values: np.ndarray) -> list[Any]:
    """A list of an array, of the types of JSON; None for what is not finite."""
    if values.dtype == object and len(values) and isinstance(values[0], np.ndarray):
        return [as_list(steps) for steps in values]
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        shown: Any = values.astype(object)
        shown[~np.isfinite(values)] = None
        return shown.tolist()
    return values.tolist()


def answer_rows(columns: Tree) -> list[Any]:
    """One answer per row, from those of ``answer_columns``."""
    if not isinstance(columns, dict):
        return columns
    inner = [answer_rows(part) for part in columns.values()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*inner, strict=True)]
