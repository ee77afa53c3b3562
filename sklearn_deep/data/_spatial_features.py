"""Rows of X that are series or images: what their axes are, and pixels."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from sklearn_deep.data._features import Features, as_bytes, check_data
from sklearn_deep.data._layout import Layout, spatial_layout


class SpatialFeatures(Features):
    """Series and images of one shape.

    Parameters
    ----------
    owner : str
    input_shape, spatial_dims, channels
        Those of the estimator, see ``spatial_layout``.
    """

    seen: Layout  # of the rows of the fit

    def __init__(
        self,
        owner: str,
        input_shape: Sequence[int] | None,
        spatial_dims: int | str,
        channels: str,
    ):
        super().__init__(owner)
        self.input_shape, self.spatial_dims = input_shape, spatial_dims
        self.channels = channels

    def check(self, X: Any, y: Any, dtype: Any, *, reset: bool) -> Any:
        shape = X.shape if hasattr(X, "shape") else _shape_of(X)
        # For 2-D X scikit-learn's own checks raise their own messages.
        fitted = None if reset else self.seen
        if fitted is not None and shape[1:] != fitted.row_shape and len(shape) > 2:
            raise ValueError(
                f"X has shape {shape}, but {self.owner} was fitted on rows of"
                f" shape {fitted.row_shape}: it takes (n_samples,"
                f" {', '.join(map(str, fitted.row_shape))})."
            )
        given = getattr(X, "dtype", None)
        if given == np.uint8 and len(shape) > 1:
            layout = fitted or self._layout_of(shape[1:])
            dtype = np.uint8 if layout.kind == "images" else as_bytes(dtype)
        elif given == np.int8:
            dtype = as_bytes(dtype)
        elif isinstance(dtype, np.dtype) and dtype == np.uint8:
            dtype = np.float32  # a silent cast to pixels would lose digits
        checked = check_data(self, X, y, dtype, reset=reset, allow_nd=True)
        rows = checked if y is None else checked[0]
        if fitted is None:
            # Validation rows are checked before there is a network.
            self.seen = self.layout(rows)
        else:
            self._check_pixels(rows, fitted, getattr(X, "dtype", rows.dtype))
        return checked

    def layout(self, X: Any) -> Layout:
        layout = self._layout_of(X.shape[1:])
        return replace(layout, pixels=X.dtype == np.uint8)

    def _layout_of(self, row_shape: tuple[int, ...]) -> Layout:
        return spatial_layout(
            self.owner,
            row_shape,
            self.input_shape,
            self.spatial_dims,
            self.channels,
        )

    def _check_pixels(self, X: Any, fitted: Layout, came_as: Any) -> None:
        if (X.dtype == np.uint8) != fitted.pixels:
            raise ValueError(
                f"{self.owner} was fitted on"
                f" {'uint8 images' if fitted.pixels else 'numbers'} and got X of dtype"
                f" {came_as}: uint8 images are scaled to [0, 1], other numbers are not."
                " Pass X of the same kind as in fit."
            )


class ReconstructedSpatial(SpatialFeatures):
    """Series and images of one shape that are their own targets."""

    def check(self, X: Any, y: Any, dtype: Any, *, reset: bool) -> Any:
        """Validate rows; their values are the targets."""
        X = super().check(X, None, dtype, reset=reset)
        return X if y is None else (X, self.values(X))

    def values(self, X: np.ndarray) -> np.ndarray:
        """Flat rows; pixels as numbers."""
        flat = X.reshape(len(X), -1)
        return flat.astype(np.float32) if X.dtype == np.uint8 else flat


def _shape_of(X: Any) -> tuple[int, ...]:
    """Shape of an array-like; that of its rows is empty where they differ in shape."""
    try:
        return np.asarray(X).shape
    except ValueError:  # rows of unequal shape: the check of X says so
        return (len(X),)
