"""What every augmentation does: check its numbers, and change a batch."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import Tensor

from sklearn_deep._params import Number, Rule, Rules, check_params
from sklearn_deep.augmentation._draws import chances, over
from sklearn_deep.data._batches import Batch
from sklearn_deep.exceptions import InvalidParameterError

# What a row is, and the axes of a batch of such rows: (n, feature), (n, channel,
# time), (n, channel, height, width).
KINDS = {"table": 2, "series": 3, "images": 4}

NON_NEGATIVE = Number(low=0)
SHARE = Number(low=0, high=1)
PROBABILITY: Rules = {"probability": (SHARE,)}

# Where a value comes from that lies outside of the image or series.
PADDING_MODES = ("zeros", "border", "reflection")


@dataclass(frozen=True)
class Pair:
    """Two numbers that the same rule allows, the lower one first."""

    number: Number

    def allows(self, value: Any) -> bool:
        """Tell whether ``value`` is such a pair."""
        if not isinstance(value, (tuple, list, np.ndarray)) or len(value) != 2:
            return False
        return all(map(self.number.allows, value)) and value[0] <= value[1]

    def __str__(self) -> str:
        return f"a pair (low, high) with low <= high, each {self.number}"


class Augmentation(BaseEstimator, ABC):
    """Base of all augmentations: write one of your own with two lines.

    A subclass stores its parameters in ``__init__``, says in ``kinds`` what rows it can
    change and writes ``augment``, which gives back ``batch.with_x(changed)``. Batches
    come as floating-point tensors of shape (n, feature) for tables, (n, channel, time)
    for series and (n, channel, height, width) for images; series of unequal lengths
    come as pairs of ``x``, filled up to (n, time, channel), and their ``lengths``. What
    is returned has the same shape, dtype and device, and the batch that came in is left
    as it is. Draw every random number from the ``generator`` handed in, on the device
    of the batch, and each row has its own.

    Attributes
    ----------
    kinds : frozenset of {"table", "series", "images"}
        What rows it can change. A class attribute.
    mixes : bool
        Whether ``augment`` changes the targets too, and needs them as floats: one
        column a class where there are more than two. A class attribute.
    moves : bool
        Whether ``augment`` moves values in time, so that a target a time step would no
        longer belong to its step. A class attribute.

    See Also
    --------
    GaussianNoise : One for every kind of rows.

    Examples
    --------
    >>> import torch
    >>> from sklearn_deep import Augmentation
    >>> class Offset(Augmentation):
    ...     kinds = frozenset({"table"})
    ...     def __init__(self, size=0.1):
    ...         self.size = size
    ...     def augment(self, batch, generator):
    ...         x = batch.x
    ...         offset = torch.randn(len(x), 1, generator=generator, dtype=x.dtype)
    ...         return batch.with_x(x + self.size * offset)
    >>> Offset().set_params(size=0.5)
    Offset(size=0.5)
    """

    kinds: ClassVar[frozenset[str]] = frozenset(KINDS)
    mixes: ClassVar[bool] = False
    moves: ClassVar[bool] = False
    _rules: ClassVar[Rules] = {}

    @abstractmethod
    def augment(self, batch, generator):
        """Change a batch, each row by its own draw.

        Parameters
        ----------
        batch : named tuple of x, y and weight
            Floating-point rows ``x``, their targets ``y`` and weights ``weight``, or
            None where all are equal. It is not changed in place.
        generator : torch.Generator
            Where every random number comes from; on the device of the batch.

        Returns
        -------
        batch : named tuple of x, y and weight
            The changed batch, in the same shapes, dtypes and place.
        """

    def _check(self, kind: str) -> None:
        """Raise where a parameter is wrong, or rows of this kind cannot be changed."""
        check_params(self, self._rules)


class FeatureAugmentation(Augmentation):
    """One that changes ``x`` alone; a subclass writes ``_drawn``."""

    # What parameters leave every row as it is.
    _idle: ClassVar[Mapping[str, Any]] = {}
    # Whether it changes series of unequal lengths in one go, or those of each length.
    _takes_unequal: ClassVar[bool] = False

    probability: float

    @abstractmethod
    def _drawn(
        self, x: Tensor, generator: torch.Generator, inside: Tensor | None
    ) -> Tensor:
        """Change rows of ``x``, by chance.

        ``inside`` of shape (n, 1, time) tells where series of unequal lengths have
        values; None for everywhere.
        """

    def augment(self, batch: Batch, generator: torch.Generator) -> Batch:
        """Change the features of a batch, each row by its own draw.

        Parameters
        ----------
        batch : named tuple of x, y and weight
            Floating-point rows ``x``, their targets ``y`` and weights ``weight``, or
            None where all are equal. It is not changed in place.
        generator : torch.Generator
            Where every random number comes from; on the device of the batch.

        Returns
        -------
        batch : named tuple of x, y and weight
            The batch with changed features, in the same shape, dtype and place.
        """
        if self._does_nothing():
            return batch
        x: Any = batch.x
        if isinstance(x, Tensor):
            return batch.with_x(self._drawn(x, generator, None))
        changed = self._padded(x.x, x.lengths, generator)
        return batch.with_x(type(x)(changed, x.lengths))

    def _does_nothing(self) -> bool:
        return self.probability == 0 or any(
            np.array_equal(getattr(self, name), value)
            for name, value in self._idle.items()
        )

    def _padded(self, x: Tensor, lengths: Tensor, generator: torch.Generator) -> Tensor:
        """Change series of unequal lengths (n, time, channel), not their padding."""
        if not x.is_floating_point():
            raise TypeError(
                f"{type(self).__name__} changes numbers, not tokens. Set"
                " augmentation=None."
            )
        if not x.shape[1]:  # no row has a step
            return x
        series = x.flatten(2).mT if x.ndim > 2 else x[:, None]  # (n, channel, time)
        if self._takes_unequal:
            place = torch.arange(x.shape[1], device=x.device)
            inside = (place < lengths.to(x.device)[:, None])[:, None]  # (n, 1, time)
            drawn = self._drawn(series, generator, inside)
            changed = torch.where(inside, drawn, series)
        else:
            changed = series.clone()
            for length in filter(None, lengths.unique().tolist()):
                rows = torch.nonzero(lengths == length).flatten().to(x.device)
                whole = series[rows, :, :length]
                changed[rows, :, :length] = self._drawn(whole, generator, None)
        return changed.mT.reshape(x.shape)


class RowAugmentation(FeatureAugmentation):
    """One that changes a share of the rows; a subclass writes ``_changed``."""

    @abstractmethod
    def _changed(
        self, x: Tensor, generator: torch.Generator, inside: Tensor | None
    ) -> Tensor:
        """Change every row of ``x``."""

    def _drawn(
        self, x: Tensor, generator: torch.Generator, inside: Tensor | None
    ) -> Tensor:
        changed = self._changed(x, generator, inside)
        if self.probability == 1:
            return changed
        chosen = chances(x, generator, self.probability, len(x))
        return torch.where(over(chosen, x), changed, x)


def kind_of(x: Tensor) -> str:
    """What the rows of a canonical batch are."""
    return next(kind for kind, ndim in KINDS.items() if ndim == x.ndim)


def check_augmentation(
    owner: str, augmentation: Any, kind: str
) -> tuple[Augmentation, ...]:
    """Check what a user gave as ``augmentation``: None, one, or a list of them.

    Parameters
    ----------
    owner : str
        Name of the estimator, for errors.
    augmentation : Augmentation, sequence of Augmentation, or None
    kind : {"table", "series", "images"}
        What the rows of X are.

    Returns
    -------
    augmentation : tuple of Augmentation
        In the order in which they are applied.

    Raises
    ------
    InvalidParameterError
        For something else, a parameter that is not allowed, or an augmentation that is
        not for such rows.
    """
    if augmentation is None:
        return ()
    several = isinstance(augmentation, (list, tuple))
    found = tuple(augmentation) if several else (augmentation,)
    for one in found:
        if not isinstance(one, Augmentation):
            raise InvalidParameterError(
                f"The 'augmentation' parameter of {owner} must be an augmentation such"
                f" as GaussianNoise(), a list of them, or None. Got {one!r} instead."
            )
        if kind not in one.kinds:
            raise InvalidParameterError(
                f"The 'augmentation' parameter of {owner} must be for {kind} rows, which"
                f" X has. Got {one!r} instead, which is for"
                f" {' and '.join(sorted(one.kinds))}."
            )
        one._check(kind)
    return found


def rules(**of_each: tuple[Rule, ...]) -> Rules:
    """A rule table that ends with the probability of a row to be changed."""
    return {**of_each, **PROBABILITY}
