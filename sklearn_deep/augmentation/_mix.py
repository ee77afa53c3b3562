"""Augmentations that mix pairs of rows and their targets."""

from abc import abstractmethod
from functools import lru_cache
from typing import ClassVar

import numpy as np
import torch
from scipy.stats import beta
from torch import Tensor

from sklearn_deep._params import Rules
from sklearn_deep.augmentation._base import (
    NON_NEGATIVE,
    Augmentation,
    rules,
)
from sklearn_deep.augmentation._draws import (
    chances,
    over,
    permutation,
    uniform,
    windows,
)
from sklearn_deep.data._batches import Batch

# Points of the tabulated quantile function; the error of a fraction is below 1 / 1000.
_POINTS = 1025


class _Mixing(Augmentation):
    """Mixes each row with another one of the batch; subclasses define ``_mixed``."""

    mixes: ClassVar[bool] = True
    _rules: ClassVar[Rules] = rules(alpha=(NON_NEGATIVE,))

    alpha: float
    probability: float

    @abstractmethod
    def _mixed(
        self, x: Tensor, other: Tensor, share: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Mix features; also return the fraction of itself that each row keeps."""

    def augment(self, batch: Batch, generator: torch.Generator) -> Batch:
        """Mix each row, its target and its weight with another row of the batch.

        Parameters
        ----------
        batch : named tuple of x, y and weight
            Floating-point rows ``x``, their targets ``y`` as floats and weights
            ``weight`` (None if all are equal). It is not changed in place.
        generator : torch.Generator
            Source of all random numbers, on the device of the batch.

        Returns
        -------
        batch : named tuple of x, y and weight
            The mixed batch, with the same shapes, dtypes and device.
        """
        if self.alpha == 0 or self.probability == 0:
            return batch
        x = batch.x
        if not isinstance(x, Tensor):
            raise TypeError(
                f"{type(self).__name__} mixes rows of equal length; these have unequal"
                " lengths."
            )
        if not batch.y.is_floating_point():
            raise TypeError(
                f"{type(self).__name__} mixes targets and needs them as floats (one"
                f" column per class); got {batch.y.dtype}."
            )
        partner = permutation(x, generator)
        share = shares(self.alpha, x, generator)
        # Each row keeps the larger fraction: otherwise pairs give near-duplicates.
        share = torch.maximum(share, 1 - share)
        if self.probability < 1:
            mixes = chances(x, generator, self.probability, len(x))
            share = torch.where(mixes, share, 1.0)
        mixed, kept = self._mixed(x, x[partner], share, generator)
        y = _lerp(batch.y, batch.y[partner], kept)
        weight = batch.weight
        if weight is not None:
            weight = _lerp(weight, weight[partner], kept)
        return Batch(mixed, y, weight)


class Mixup(_Mixing):
    """Train on weighted means of pairs of rows and of their targets.

    For tables, series and images, and for every loss. The weight of the other row is
    drawn from Beta(alpha, alpha) and mirrored to at most 1/2. Targets and sample
    weights are mixed with the same weight.

    Parameters
    ----------
    alpha : float, default=0.2
        Parameter of the beta distribution: 0 mixes nothing, small values mix few rows
        noticeably, 1 gives uniform weights, and large values weights near 1/2.
    probability : float, default=1.0
        Fraction of the rows that are mixed, in [0, 1].

    See Also
    --------
    CutMix : Replace a part of the features by those of another row.

    References
    ----------
    Zhang et al., "mixup: Beyond empirical risk minimization", arXiv:1710.09412.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_deep import MLPClassifier, Mixup
    >>> X, y = load_iris(return_X_y=True)
    >>> net = MLPClassifier(augmentation=Mixup(alpha=0.2), random_state=0)
    >>> bool(net.fit(X, y).score(X, y) > 0.9)
    True
    """

    def __init__(self, alpha=0.2, *, probability=1.0):
        self.alpha = alpha
        self.probability = probability

    def _mixed(self, x, other, share, generator):
        return _lerp(x, other, share), share


class CutMix(_Mixing):
    """Replace a part of the features by those of another row, and mix the targets.

    The part is a random set of features for tables, a time window for series and a
    rectangle for images. Its size is drawn from Beta(alpha, alpha) and mirrored to at
    most 1/2. Targets and sample weights are mixed by the fraction of replaced values.

    Parameters
    ----------
    alpha : float, default=1.0
        Parameter of the beta distribution: 0 mixes nothing, small values mix few rows
        noticeably, 1 gives uniform weights, and large values weights near 1/2.
    probability : float, default=1.0
        Fraction of the rows that are mixed, in [0, 1].

    See Also
    --------
    Mixup : Weighted means of all features.

    References
    ----------
    Yun et al., "CutMix: Regularization strategy to train strong classifiers with
    localizable features", arXiv:1905.04899.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_deep import CutMix, MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> net = MLPClassifier(augmentation=CutMix(probability=0.5), random_state=0)
    >>> bool(net.fit(X, y).score(X, y) > 0.9)
    True
    """

    def __init__(self, alpha=1.0, *, probability=1.0):
        self.alpha = alpha
        self.probability = probability

    def _mixed(self, x, other, share, generator):
        taken = _parts(x, 1 - share, generator)
        kept = 1 - taken.to(x.dtype).flatten(1).mean(1)
        return torch.where(taken, other, x), kept


def _lerp(own: Tensor, other: Tensor, share: Tensor) -> Tensor:
    # Written so that a fraction of 1 gives exactly the row itself.
    return own + over(1 - share, own).to(own.dtype) * (other - own)


def _parts(x: Tensor, share: Tensor, generator: torch.Generator) -> Tensor:
    """Mask of a random part of each row: about a fraction ``share`` of its values."""
    n, *_, last = x.shape
    if x.ndim == 2:
        count = (share * last).round().long()
        rank = uniform(x, generator, n, last).argsort(1).argsort(1)
        return rank < count[:, None]
    sides = share if x.ndim == 3 else share.sqrt()
    part = windows(last, (sides * last).round().long(), x, generator)[:, None]
    if x.ndim == 3:
        return part  # (n, 1, time)
    height = x.shape[2]
    rows = windows(height, (sides * height).round().long(), x, generator)
    return part[:, None] & rows[:, None, :, None]  # (n, 1, height, width)


def shares(alpha: float, like: Tensor, generator: torch.Generator) -> Tensor:
    """One number per row from Beta(alpha, alpha).

    Computed by the quantile function: torch's sampler would use the global generator.
    """
    table = torch.as_tensor(_quantiles(float(alpha))).to(like)
    place = uniform(like, generator, len(like)) * (_POINTS - 1)
    left = place.long().clamp_max(_POINTS - 2)
    return torch.lerp(table[left], table[left + 1], place - left)


@lru_cache(maxsize=64)
def _quantiles(alpha: float) -> np.ndarray:
    return beta.ppf(np.linspace(0, 1, _POINTS), alpha, alpha)
