"""Series of unequal length, beside series and images of one shape."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sklearn_deep.data._layout import Layout, spatial_layout
from sklearn_deep.data._lazy_rows import refuse_lazy
from sklearn_deep.data._length_features import LengthFeatures
from sklearn_deep.data._ragged import Ragged, ragged_layout
from sklearn_deep.data._sequences import (
    check_numbers,
    is_text,
    join,
    of_one_length,
    sequences_in,
)
from sklearn_deep.data._spatial_features import SpatialFeatures
from sklearn_deep.exceptions import InvalidParameterError


class SeriesFeatures(LengthFeatures, SpatialFeatures):
    """Series of unequal length where global pooling makes their widths one.

    Series of one shape are an array, in a list too: of images, where ``spatial_dims``
    and the fit do not say otherwise.

    Parameters
    ----------
    owner : str
    input_shape, spatial_dims, channels
        Those of the estimator, see ``spatial_layout``.
    pools_all : bool
        Whether the network pools all positions of a series into one.
    """

    # Whether the network takes series of other lengths than those of its fit.
    any_length: bool

    def __init__(
        self,
        owner: str,
        input_shape: Sequence[int] | None,
        spatial_dims: int | str,
        channels: str,
        pools_all: bool,
    ):
        super().__init__(owner, input_shape, spatial_dims, channels)
        self.pools_all = pools_all

    def check(self, X: Any, y: Any, dtype: Any, *, reset: bool) -> Any:
        refuse_lazy(X, self.owner)
        X = self._arranged(X, dtype, reset)
        if isinstance(X, Ragged):
            return self._check_series(X, y, dtype, reset)
        checked = super().check(X, y, dtype, reset=reset)
        if reset:
            series = self.seen.kind == "series"
            self.any_length = series and self.pools_all
            self.n_channels = self.seen.n_channels
        return checked

    def _arranged(self, X: Any, dtype: Any, reset: bool) -> Any:
        """X as sequences where its rows have lengths of their own, else as an array."""
        if isinstance(X, Ragged):
            return X
        items = sequences_in(X)
        if items is None or is_text(items):
            if reset or not self._of_other_length(X):
                return X
            x = self._check_other_lengths(X, None, dtype)
            spatial_layout(self.owner, x.shape[1:], None, 1, self.channels)
            return of_one_length(x, self.channels)
        if self._are_an_array(items, reset):
            return X if isinstance(X, (list, tuple)) else np.stack(items)
        return self._joined(items, reset)

    def _of_other_length(self, X: Any) -> bool:
        """Tell whether rows of an array have not the length of those of the fit."""
        if not self.any_length:
            return False
        shape = X.shape if hasattr(X, "shape") else np.asarray(X).shape
        return self.seen.unequal or (
            len(shape) == 3 and shape[1:] != self.seen.row_shape
        )

    def _are_an_array(self, items: list, reset: bool) -> bool:
        """Tell whether rows in a list are those of an array."""
        shapes = {_shape(item) for item in items}
        if len(shapes) > 1 or None in shapes:
            return False
        return reset or not self.any_length or shapes == {self.seen.row_shape}

    def _joined(self, items: list, reset: bool) -> Ragged:
        owner = self.owner
        if self._takes_images(reset):
            raise ValueError(_images_differ(owner))
        n_channels = None if reset else self.n_channels
        try:
            return join(items, owner, self.channels, n_channels=n_channels)
        except ValueError as error:
            axes = {len(_shape(item) or ()) for item in items}
            if self.spatial_dims == "auto" and len(axes) == 1 and max(axes) > 1:
                raise ValueError(f"{error} {_images_differ(owner)}") from error
            raise

    def _check_series(self, X: Ragged, y: Any, dtype: Any, reset: bool) -> Any:
        owner = self.owner
        if self._takes_images(reset):
            raise ValueError(_images_differ(owner))
        if reset:
            self._check_parameters()
            self._refuse_no_steps(X)
        elif not self.any_length:
            raise ValueError(
                f"{owner} was fitted without global pooling, on series of shape"
                f" {self.seen.row_shape}: it takes no series of other lengths."
                f" {_POOL}"
            )
        X = check_numbers(X, owner, dtype)
        self._check_channels(X.shape[1], reset)
        if reset:
            self.seen, self.any_length = ragged_layout(self.n_channels), True
            self._forget_columns()
        return self._with_targets(X, y)

    def _check_parameters(self) -> None:
        """Raise for parameters that series of unequal length do not allow."""
        owner = self.owner
        if self.input_shape is not None:
            raise InvalidParameterError(
                f"The 'input_shape' parameter of {owner} must be None for series of"
                f" unequal length. Got {self.input_shape!r} instead."
            )
        if not self.pools_all:
            raise InvalidParameterError(
                f"The 'global_pooling' parameter of {owner} must not be None for series"
                f" of unequal length. {_POOL}"
            )

    def _takes_images(self, reset: bool) -> bool:
        return self.spatial_dims == 2 if reset else self.seen.kind == "images"

    def layout(self, X: Any) -> Layout:
        return self.seen if isinstance(X, Ragged) else super().layout(X)

    def sequences_in(self, X: Any) -> list | None:
        items = sequences_in(X)
        if items is None:
            return list(np.asarray(X)) if self._of_other_length(X) else None
        return None if self._are_an_array(items, reset=False) else items


_POOL = (
    "Set global_pooling='average' or 'max', or pad or cut the series, or use a recurrent"
    " network."
)


def _images_differ(owner: str) -> str:
    return (
        f"{owner} takes images of one size; X has rows of unequal length or shape. Resize"
        " or pad images; series of unequal length are of shape (time,) or (time,"
        " channels), and need spatial_dims=1 or 'auto'."
    )


def _shape(item: Any) -> tuple[int, ...] | None:
    """Shape of a row; None where it is no array."""
    try:
        return np.shape(item)
    except ValueError:
        return None
