"""How a row of X is a table row, a series or an image.

Networks get X as the user has it; a layout brings it into the one form that convolutions
and augmentations read, with channels in front, and back.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:  # readers of exported files have no torch
    from torch import Tensor

KINDS = {0: "table", 1: "series", 2: "images"}


@dataclass(frozen=True)
class Layout:
    """The layout of a row.

    Attributes
    ----------
    row_shape : tuple of int
        Shape of a row of X as the user has it.
    arranged : tuple of int
        The same values as (height, width, channels) or (time, channels), or with the
        channels in front; (n_features,) for a table.
    channels_last : bool
    pixels : bool
        Whether rows come as uint8; networks then scale them to [0, 1].
    """

    row_shape: tuple[int, ...]
    arranged: tuple[int, ...]
    channels_last: bool = True
    pixels: bool = False

    # Whether rows have lengths of their own: then they are sequences, and the shape is
    # that of a step.
    unequal: ClassVar[bool] = False

    @classmethod
    def table(cls, n_features: int) -> "Layout":
        """Rows without an order."""
        return cls((n_features,), (n_features,))

    @property
    def kind(self) -> str:
        """``"table"``, ``"series"`` or ``"images"``."""
        return KINDS[len(self.arranged) - 1]

    @property
    def n_values(self) -> int:
        """Number of values of a row."""
        return math.prod(self.row_shape)

    @property
    def n_channels(self) -> int:
        """Number of channels; of features, for a table."""
        return self.arranged[-1 if self.channels_last else 0]

    @property
    def spatial(self) -> tuple[int, ...]:
        """(height, width), (time,) or ()."""
        return self.arranged[:-1] if self.channels_last else self.arranged[1:]

    def canonical(self, x: "Tensor") -> "Tensor":
        """From (..., *row_shape) to (..., n_channels, *spatial); a view."""
        x = x.reshape(*x.shape[: x.ndim - len(self.row_shape)], *self.arranged)
        return x.movedim(-1, -len(self.arranged)) if self.channels_last else x

    def restore(self, x: "Tensor") -> "Tensor":
        """The inverse of ``canonical``."""
        if self.channels_last:
            x = x.movedim(-len(self.arranged), -1)
        return x.reshape(*x.shape[: x.ndim - len(self.arranged)], *self.row_shape)

    def plain(self) -> dict[str, Any]:
        """The layout as plain data, for ``Layout(**plain)``."""
        return asdict(self)


@dataclass(frozen=True)
class TabularLayout(Layout):
    """The layout of an encoded row of a frame: three kinds of columns, in this order.

    Parameters
    ----------
    n_numeric : int
        Scaled numbers, for which a network may have an embedding.
    n_plain : int
        Columns that a network takes as they are: indicators of missing numbers, one-hot
        columns of small categories, booleans, phases of the calendar.
    cardinalities : tuple of int
        One per large category, which is a column of integer codes: the number of its
        codes, 0 (missing or unknown) among them.
    """

    row_shape: tuple[int, ...] = field(init=False)
    arranged: tuple[int, ...] = field(init=False)
    channels_last: bool = field(init=False, default=True)
    pixels: bool = field(init=False, default=False)
    n_numeric: int
    n_plain: int = 0
    cardinalities: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        width = self.n_numeric + self.n_plain + len(self.cardinalities)
        for name in ("row_shape", "arranged"):
            object.__setattr__(self, name, (width,))

    @property
    def numeric_part(self) -> slice:
        """Columns of scaled numbers."""
        return slice(0, self.n_numeric)

    @property
    def plain_part(self) -> slice:
        """Columns that are taken as they are."""
        return slice(self.n_numeric, self.n_numeric + self.n_plain)

    @property
    def codes_part(self) -> slice:
        """Columns of integer codes."""
        return slice(self.n_numeric + self.n_plain, self.n_values)

    def plain(self) -> dict[str, Any]:
        """The layout as plain data, for ``TabularLayout(**plain)``."""
        names = "n_numeric", "n_plain", "cardinalities"
        return {name: getattr(self, name) for name in names}


def spatial_layout(
    owner: str,
    row_shape: tuple[int, ...],
    input_shape: Sequence[int] | None,
    spatial_dims: int | str,
    channels: str,
) -> Layout:
    """Determine the layout of a row.

    Parameters
    ----------
    owner : str
        Name of the estimator, for errors.
    row_shape : tuple of int
        Shape of a row of X.
    input_shape : sequence of int or None
        Layout of a flat row: (height, width), (height, width, channels), (time,) or
        (time, channels), with the channels where ``channels`` says.
    spatial_dims : {"auto", 1, 2}
    channels : {"last", "first"}

    Raises
    ------
    ValueError
        For rows that cannot have this layout.
    """
    whole, flat = tuple(row_shape), len(row_shape) == 1
    if input_shape is not None:
        given = tuple(int(n) for n in input_shape)
        if given != whole and (not flat or math.prod(given) != whole[0]):
            raise ValueError(
                f"{owner}: rows of X have shape {whole}, which input_shape={given} cannot"
                f" be made of{f': it has {math.prod(given)} values' if flat else ''}."
                " Pass input_shape for flat rows only, with as many values as columns."
            )
        whole, flat = given, len(given) == 1
    n_dims = (1 if flat else 2) if spatial_dims == "auto" else int(spatial_dims)
    last = channels == "last"
    without = len(whole) == n_dims  # no axis of channels: there is one of them
    if not (without or len(whole) == n_dims + 1):
        raise ValueError(_not_such_rows(owner, row_shape, n_dims, last))
    arranged = whole
    if without:
        arranged = (*whole, 1) if last else (1, *whole)
    return Layout(tuple(row_shape), arranged, last)


def _not_such_rows(
    owner: str, row_shape: tuple[int, ...], n_dims: int, last: bool
) -> str:
    if n_dims == 1:
        what, shapes = "series", ["(n, time)", "(n, time, channels)"]
        if not last:
            shapes[1] = "(n, channels, time)"
    else:
        what, shapes = "images", ["(n, h, w)", "(n, h, w, channels)"]
        if not last:
            shapes[1] = "(n, channels, h, w)"
    got = ("n", *row_shape)
    text = (
        f"{owner} takes {what} of shape {shapes[0]} or {shapes[1]}; got X of shape"
        f" ({', '.join(map(str, got))})."
    )
    if len(row_shape) == 1:
        return text + " Say with input_shape what a flat row is."
    return text + " Set spatial_dims, input_shape or channels for other data."
