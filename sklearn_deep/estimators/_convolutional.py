"""What convolutional networks have in common: their blocks, and the shapes of X they take."""

from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np

from sklearn_deep._params import NONE, Number, OneOf, Rules, SequenceOf
from sklearn_deep.data._layout import Layout, spatial_layout
from sklearn_deep.estimators._data import as_bytes, check_data
from sklearn_deep.estimators._family import LayeredEstimator
from sklearn_deep.estimators._rules import (
    HIDDEN_LAYER_SIZES,
    NETWORK_RULES,
    TRAINING_RULES,
)
from sklearn_deep.exceptions import InvalidParameterError
from sklearn_deep.nn._cnn import ARCHITECTURES, CNN

_POSITIVE_INT = Number(Integral, 1)
_AUTO = OneOf("auto")
_POOLING = (_AUTO, NONE, OneOf("max", "average"))

CNN_RULES: Rules = {
    "conv_channels": (_AUTO, _POSITIVE_INT, SequenceOf(_POSITIVE_INT, 1)),
    "kernel_size": (_AUTO, _POSITIVE_INT, SequenceOf(_POSITIVE_INT, 1)),
    "stride": (_AUTO, _POSITIVE_INT, SequenceOf(_POSITIVE_INT, 1)),
    "pooling": _POOLING,
    "pool_size": (_POSITIVE_INT,),
    "global_pooling": _POOLING,
    "architecture": (OneOf(*ARCHITECTURES),),
    "spatial_dims": (_AUTO, OneOf(1, 2)),
    "input_shape": (NONE, SequenceOf(_POSITIVE_INT, 1, 3)),
    "channels": (OneOf("last", "first"),),
    "hidden_layer_sizes": (_AUTO, *HIDDEN_LAYER_SIZES),
    **NETWORK_RULES,
    **TRAINING_RULES,
}


class Convolutional(LayeredEstimator):
    """The network of both estimators, and the shapes of X that it takes."""

    _network = staticmethod(CNN)
    # A row costs so much that a step of few rows wastes nothing, and small data needs
    # the steps: 36 series make 5 an epoch.
    _smallest_batch = 8

    _seen: Layout  # of the rows of the last fit

    def _layout(self, X: Any) -> Layout:
        layout = self._layout_of(X.shape[1:])
        return replace(layout, pixels=X.dtype == np.uint8)

    def _layout_of(self, row_shape: tuple[int, ...]) -> Layout:
        return spatial_layout(
            type(self).__name__,
            row_shape,
            self.input_shape,
            self.spatial_dims,
            self.channels,
        )

    def _check_data(self, X: Any, y: Any, dtype: Any, *, reset: bool) -> Any:
        shape = X.shape if hasattr(X, "shape") else _shape_of(X)
        # Flat rows are left to scikit-learn's own checks and words.
        fitted = None if reset else self._seen
        if fitted is not None and shape[1:] != fitted.row_shape and len(shape) > 2:
            raise ValueError(
                f"X has shape {shape}, but {type(self).__name__} was fitted on rows of"
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
            dtype = np.float32  # no cast to pixels, without a word
        checked = check_data(self, X, y, dtype, reset=reset, allow_nd=True)
        rows = checked if y is None else checked[0]
        if fitted is None:
            self._seen = self._layout(rows)  # validation rows come before the network
        else:
            self._check_pixels(rows, fitted, getattr(X, "dtype", rows.dtype))
        return checked

    def __sklearn_tags__(self):
        """Say that rows are dense, and may have three axes."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        tags.input_tags.three_d_array = True
        return tags

    def _check_pixels(self, X: Any, fitted: Layout, came_as: Any) -> None:
        if (X.dtype == np.uint8) != fitted.pixels:
            raise ValueError(
                f"{type(self).__name__} was fitted on"
                f" {'uint8 images' if fitted.pixels else 'numbers'} and got X of dtype"
                f" {came_as}: uint8 images are scaled to [0, 1], other numbers are not."
                " Pass X of the same kind as in fit."
            )

    def _architecture(self, layout: Layout, n_outputs: int) -> dict[str, Any]:
        row = ARCHITECTURES[self.architecture]
        n_dims = 1 if layout.unequal else len(layout.spatial)
        channels = self._chosen("conv_channels", row.channels[n_dims])
        channels = [int(n) for n in np.atleast_1d(channels)]
        pooling = self._chosen("pooling", row.pooling[n_dims])
        stride = self._of_each_layer(
            "stride", row.stride[n_dims], len(channels), "block"
        )
        if row.widths > 1 and (pooling is not None or set(stride) != {1}):
            raise InvalidParameterError(
                f"The 'architecture' parameter of {type(self).__name__} is"
                f" {self.architecture!r}, which keeps every position: pooling must be"
                f" None or 'auto', and stride 1 or 'auto'. Got {self.pooling!r} and"
                f" {self.stride!r} instead."
            )
        hidden = self._chosen("hidden_layer_sizes", row.hidden[n_dims])
        hidden = [int(n) for n in np.atleast_1d(hidden)]
        return {
            "layout": layout.plain(),
            "n_outputs": n_outputs,
            "architecture": self.architecture,
            "conv_channels": channels,
            "kernel_size": self._of_each_layer(
                "kernel_size", row.kernel_size[n_dims], len(channels), "block"
            ),
            "stride": stride,
            "pooling": pooling,
            "pool_size": int(self.pool_size),
            "global_pooling": self._chosen(
                "global_pooling", row.global_pooling[n_dims]
            ),
            "residual": bool(self.residual),
            "hidden_layer_sizes": hidden,
            "activation": self.activation,
            "activation_params": self._activation_params(),
            "dropout": self._rates(len(hidden) + 1, "hidden layer and one more"),
            "normalization": self.normalization,
        }


def _shape_of(X: Any) -> tuple[int, ...]:
    """Shape of an array-like; that of its rows is empty where they differ in shape."""
    try:
        return np.asarray(X).shape
    except ValueError:  # rows of unequal shape: the check of X says so
        return (len(X),)
