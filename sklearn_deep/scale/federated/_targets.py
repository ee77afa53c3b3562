"""What owners say about their targets: counts of labels, or means and variances."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sklearn_deep.exceptions import FederatedError
from sklearn_deep.scale.federated._statistics import Statistics, merge_moments, union


def target_statistics(
    y: np.ndarray, weight: np.ndarray | None, labels: Any
) -> Statistics:
    """Statistics of validated targets.

    Parameters
    ----------
    y : ndarray of shape (n_rows,) or (n_rows, n_targets)
    weight : ndarray of shape (n_rows,) or None
    labels : ndarray or None
        Labels that a row may have, for a classifier with one label per row.
    """
    weight = np.ones(len(y)) if weight is None else weight
    common = {"rows": len(y), "weight": float(weight.sum()), "width": _width(y)}
    if labels is not None:
        counts = [float(weight[y == label].sum()) for label in labels]
        objects = labels.dtype == object
        named = {"labels": labels.tolist(), "counts": counts}
        return {**common, **named, "objects": objects}
    columns = y.reshape(len(y), -1).astype(np.float64)
    mean = np.average(columns, axis=0, weights=weight)
    var = np.average(np.square(columns - mean), axis=0, weights=weight)
    n = np.full(len(mean), weight.sum())
    return {**common, "n": n, "mean": mean, "var": var, "dtype": y.dtype.name}


def _width(y: np.ndarray) -> int | None:
    return None if y.ndim == 1 else int(y.shape[1])


def merge_targets(parts: Sequence[Statistics]) -> Statistics:
    """Statistics of the targets of all owners.

    Raises
    ------
    FederatedError
        If they have other numbers of columns.
    """
    widths = [part["width"] for part in parts]
    if len(set(widths)) > 1:
        raise FederatedError(
            f"The owners' targets have other numbers of columns: {widths}, by owner (None"
            " for one dimension)."
        )
    merged = {
        "rows": sum(int(part["rows"]) for part in parts),
        "weight": sum(float(part["weight"]) for part in parts),
        "width": widths[0],
        "owners": len(parts),
    }
    if "labels" not in parts[0]:
        dtype = np.result_type(*(part["dtype"] for part in parts)).name
        return {**merged, **merge_moments(parts), "dtype": dtype}
    labels = union(part["labels"] for part in parts)
    counts = [
        sum(
            dict(zip(p["labels"], p["counts"], strict=True)).get(each, 0.0)
            for p in parts
        )
        for each in labels
    ]
    objects = any(part["objects"] for part in parts)
    return {**merged, "labels": labels, "counts": counts, "objects": objects}


def example_targets(merged: Statistics) -> tuple[np.ndarray, np.ndarray | None]:
    """Made-up targets with the classes, or mean and spread, of all rows; their weights."""
    if "labels" in merged:
        counts = np.maximum(np.array(merged["counts"]), np.finfo(float).tiny)
        dtype = object if merged["objects"] else None
        return np.array(merged["labels"], dtype=dtype), counts
    if merged["dtype"] == "int8":  # labels of a multilabel classifier
        return np.array([[0] * merged["width"], [1] * merged["width"]], np.int8), None
    spread = np.sqrt(merged["var"])
    y = np.stack([merged["mean"] - spread, merged["mean"] + spread])
    y = y.astype(merged["dtype"])
    return (y[:, 0] if merged["width"] is None else y), None


def balanced_weights(merged: Statistics) -> dict[Any, float]:
    """What ``class_weight="balanced"`` means for the rows of all owners."""
    labels, counts = merged["labels"], np.array(merged["counts"])
    weights = counts.sum() / (len(labels) * np.where(counts > 0, counts, np.inf))
    return dict(zip(labels, weights.tolist(), strict=True))
