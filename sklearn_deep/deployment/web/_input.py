"""What a row is to the page: a form, an image, a series, tokens or a text."""

import math
from typing import Any

import numpy as np

from sklearn_deep._subclasses import TracksSubclasses
from sklearn_deep.data._layout import Layout
from sklearn_deep.estimators.core._fitted import find_fitted
from sklearn_deep.export.inputs._walk import walk_parts


def describe_input(model: Any, X: Any, metadata: dict[str, Any]) -> dict[str, Any]:
    """Describe the rows of a model for the page's editor.

    Parameters
    ----------
    model : fitted estimator
    X : array or frame
        Rows as ``as_rows`` gives them.
    metadata : dict

    Returns
    -------
    dict
        ``"kind"`` and what its editor needs.
    """
    form = metadata["sequences"]
    if form is not None:
        return _SEQUENCES[form["kind"]](form, metadata)
    layout = _layout(model, X)
    if layout is None or layout.kind == "table":
        return _table_or_array(X, metadata)
    values = np.asarray(X)
    size = {"size": layout.n_values, "channels": layout.n_channels}
    first = {"channels_first": not layout.channels_last}
    if layout.kind == "images":
        height, width = layout.spatial
        shape = {"height": height, "width": width}
        return {"kind": "image", **shape, **size, **first, **_levels(values, layout)}
    is_open = None in metadata["inputs"][0].get("row_shape", ())
    return {"kind": "series", **size, **first, "open": is_open, "sequence": False}


def _layout(model: Any, X: Any) -> Layout | None:
    """The layout of the first network, if it takes rows of the shape of X."""
    if hasattr(X, "columns") or X.dtype.kind not in "fiub":
        return None
    for part in walk_parts(model):
        fitted = find_fitted(part) if isinstance(part, TracksSubclasses) else None
        if fitted is None or not hasattr(fitted.features, "layout"):
            continue
        try:
            layout = fitted.features.layout(X[:1])
        except ValueError:  # rows of another shape: a step before makes its rows
            continue
        if layout.kind != "table" and layout.n_values == math.prod(X.shape[1:]):
            return layout
    return None


def _table_or_array(X: Any, metadata: dict[str, Any]) -> dict[str, Any]:
    if metadata["inputs"][0]["columns"]:
        return {"kind": "table"}
    shape = X.shape[1:]  # of a network of the user's own
    is_open = None in metadata["inputs"][0]["row_shape"]
    size = {"size": math.prod(shape), "channels": math.prod(shape[1:])}
    return {
        "kind": "series",
        **size,
        "channels_first": False,
        "open": is_open,
        "sequence": False,
    }


def _levels(values: np.ndarray, layout: Layout) -> dict[str, Any]:
    """Numbers of black and white, and whether images have a dark ground."""
    if layout.pixels or values.dtype == np.uint8:
        low, high = 0.0, 255.0
    else:
        low, high = float(values.min()), float(values.max())
    dark = float(np.median(values)) < (low + high) / 2
    is_pixels = values.dtype == np.uint8
    return {"low": low, "high": high, "dark": dark, "pixels": is_pixels}


def _numbers(form: dict[str, Any], metadata: dict[str, Any]) -> dict[str, Any]:
    channels = {"channels": form["n_channels"], "channels_first": False}
    return {"kind": "series", **channels, "open": True, "sequence": True}


def _tokens(form: dict[str, Any], metadata: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "tokens", "integers": metadata["inputs"][0]["dtype"] != "string"}


_SEQUENCES = {
    "numbers": _numbers,
    "tokens": _tokens,
    "text": lambda form, metadata: {"kind": "text"},
    "document": lambda form, metadata: {"kind": "text"},
}
