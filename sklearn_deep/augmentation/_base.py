"""Base classes of augmentations, and the checks of the ``augmentation`` parameter."""

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

# Kinds of rows, with the number of axes of a batch: (n, feature), (n, channel, time),
# (n, channel, height, width).
KINDS = {"table": 2, "series": 3, "images": 4}

NON_NEGATIVE = Number(low=0)
SHARE = Number(low=0, high=1)
PROBABILITY: Rules = {"probability": (SHARE,)}

# How values outside of the image or series are filled.
PADDING_MODES = ("zeros", "border", "reflection")


@dataclass(frozen=True)
class Pair:
    """A pair (low, high) of numbers that a rule allows."""

    number: Number

    def allows(self, value: Any) -> bool:
        """Tell whether ``value`` is such a pair."""
        if not isinstance(value, (tuple, list, np.ndarray)) or len(value) != 2:
            return False
        return all(map(self.number.allows, value)) and value[0] <= value[1]

    def __str__(self) -> str:
        return f"a pair (low, high) with low <= high, each {self.number}"


class Augmentation(BaseEstimator, ABC):
    """Base class of augmentations; subclass it to write your own.

    A subclass stores its parameters in ``__init__``, names in ``kinds`` the rows that
    it can change, and defines ``augment``, which returns ``batch.with_x(changed)``.
    Batches are floating-point tensors of shape (n, feature) for tables, (n, channel,
    time) for series and (n, channel, height, width) for images; series of unequal
    lengths have an ``x`` padded to (n, time, channel) and their ``lengths``. Return a
    batch of the same shape, dtype and device, and do not modify the input. Draw all
    random numbers from ``generator``, on the device of the batch, separately for each
    row.

    Attributes
    ----------
    kinds : frozenset of {"table", "series", "images"}
        Kinds of rows that it can change. A class attribute.
    mixes : bool
        Whether ``augment`` also changes the targets and needs them as floats: one
        column per class if there are more than two. A class attribute.
    moves : bool
        Whether ``augment`` moves values in time, so that targets per time step would no
        longer match. A class attribute.

    See Also
    --------
    GaussianNoise : An augmentation for all kinds of rows.

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
        """Change a batch, with random numbers of its own for each row.

        Parameters
        ----------
        batch : named tuple of x, y and weight
            Floating-point rows ``x``, their targets ``y`` and weights ``weight``
            (None if all are equal). It is not changed in place.
        generator : torch.Generator
            Source of all random numbers, on the device of the batch.

        Returns
        -------
        batch : named tuple of x, y and weight
            The changed batch, with the same shapes, dtypes and device.
        """

    def _check(self, kind: str) -> None:
        """Raise if a parameter is invalid or rows of this kind cannot be changed."""
        check_params(self, self._rules)


class FeatureAugmentation(Augmentation):
    """An augmentation that changes only ``x``; subclasses define ``_drawn``."""

    # Parameter values with which all rows stay unchanged.
    _idle: ClassVar[Mapping[str, Any]] = {}
    # Whether series of unequal lengths are changed together, or grouped by length.
    _takes_unequal: ClassVar[bool] = False

    probability: float

    @abstractmethod
    def _drawn(
        self, x: Tensor, generator: torch.Generator, inside: Tensor | None
    ) -> Tensor:
        """Change rows of ``x`` at random.

        ``inside`` of shape (n, 1, time) is False where series of unequal lengths are
        padded; None means no padding.
        """

    def augment(self, batch: Batch, generator: torch.Generator) -> Batch:
        """Change the features of a batch, with random numbers of its own for each row.

        Parameters
        ----------
        batch : named tuple of x, y and weight
            Floating-point rows ``x``, their targets ``y`` and weights ``weight``
            (None if all are equal). It is not changed in place.
        generator : torch.Generator
            Source of all random numbers, on the device of the batch.

        Returns
        -------
        batch : named tuple of x, y and weight
            The batch with changed features, with the same shape, dtype and device.
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
        """Change series of unequal lengths (n, time, channel), except their padding."""
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
    """An augmentation of a fraction of the rows; subclasses define ``_changed``."""

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
    """Kind of the rows of a batch, from its number of axes."""
    return next(kind for kind, ndim in KINDS.items() if ndim == x.ndim)


def check_augmentation(
    owner: str, augmentation: Any, kind: str
) -> tuple[Augmentation, ...]:
    """Check the ``augmentation`` parameter: None, an augmentation, or a list of them.

    Parameters
    ----------
    owner : str
        Name of the estimator, for errors.
    augmentation : Augmentation, sequence of Augmentation, or None
    kind : {"table", "series", "images"}
        Kind of the rows of X.

    Returns
    -------
    augmentation : tuple of Augmentation
        In the order in which they are applied.

    Raises
    ------
    InvalidParameterError
        If it is something else, has an invalid parameter, or cannot change such rows.
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
                f"The 'augmentation' parameter of {owner} must be for {kind} rows, the kind"
                f" that X has. Got {one!r} instead, which is for"
                f" {' and '.join(sorted(one.kinds))}."
            )
        one._check(kind)
    return found


def rules(**of_each: tuple[Rule, ...]) -> Rules:
    """A table of parameter rules, with the one for ``probability`` added."""
    return {**of_each, **PROBABILITY}
