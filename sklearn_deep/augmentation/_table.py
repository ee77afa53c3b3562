"""Augmentations of single values: noise, masks, swaps."""

from typing import ClassVar

import torch
from torch import Tensor

from sklearn_deep._params import Number, Rules
from sklearn_deep.augmentation._base import (
    NON_NEGATIVE,
    SHARE,
    RowAugmentation,
    rules,
)
from sklearn_deep.augmentation._draws import chances, normal, over, permutation


class GaussianNoise(RowAugmentation):
    """Add normal noise to every value.

    For tables, series and images. The noise is in the units of X, so standardise the
    features first, e.g. with a ``StandardScaler`` in a Pipeline.

    Parameters
    ----------
    std : float, default=0.1
        Standard deviation of the noise, in units of X.
    probability : float, default=1.0
        Share of the rows that are changed, in [0, 1].

    See Also
    --------
    Jitter : Noise in units of each series' own spread.

    References
    ----------
    Bishop, "Training with noise is equivalent to Tikhonov regularization", Neural
    Computation 7(1), 1995.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_deep import GaussianNoise, MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> net = MLPClassifier(augmentation=GaussianNoise(std=0.1), random_state=0)
    >>> bool(net.fit(X, y).score(X, y) > 0.9)
    True
    """

    _rules: ClassVar[Rules] = rules(std=(NON_NEGATIVE,))
    _idle = {"std": 0}

    def __init__(self, std=0.1, *, probability=1.0):
        self.std = std
        self.probability = probability

    def _changed(self, x, generator, inside):
        return noisy(x, x.new_full((len(x),), self.std), generator)


class FeatureMask(RowAugmentation):
    """Set values to a constant, each with the same chance.

    For tables, series and images: what is left must do for the prediction. The other
    values are not scaled up, unlike those of a dropout layer.

    Parameters
    ----------
    rate : float, default=0.1
        Chance of each value to be masked, in [0, 1].
    value : float, default=0.0
        What stands in its place; 0 is the mean of a standardised feature.
    probability : float, default=1.0
        Share of the rows that are changed, in [0, 1].

    See Also
    --------
    SwapNoise : Put the value of another row there.

    References
    ----------
    Vincent et al., "Extracting and composing robust features with denoising
    autoencoders", ICML 2008.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_deep import FeatureMask, MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> net = MLPClassifier(augmentation=FeatureMask(rate=0.1), random_state=0)
    >>> bool(net.fit(X, y).score(X, y) > 0.9)
    True
    """

    _rules: ClassVar[Rules] = rules(rate=(SHARE,), value=(Number(),))
    _idle = {"rate": 0}

    def __init__(self, rate=0.1, *, value=0.0, probability=1.0):
        self.rate = rate
        self.value = value
        self.probability = probability

    def _changed(self, x, generator, inside):
        return masked(x, x.new_full((len(x),), self.rate), generator, self.value)


class SwapNoise(RowAugmentation):
    """Take values from another row of the batch, each with the same chance.

    For tables, series and images. A feature keeps its own distribution, whatever that
    is: for columns of 0 and 1 and for skewed ones this is better than noise.

    Parameters
    ----------
    rate : float, default=0.1
        Chance of each value to be taken from another row, in [0, 1].
    probability : float, default=1.0
        Share of the rows that are changed, in [0, 1].

    See Also
    --------
    FeatureMask : Put a constant there.

    References
    ----------
    Yoon et al., "VIME: Extending the success of self- and semi-supervised learning to
    tabular domain", NeurIPS 2020.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_deep import MLPClassifier, SwapNoise
    >>> X, y = load_iris(return_X_y=True)
    >>> net = MLPClassifier(augmentation=SwapNoise(rate=0.1), random_state=0)
    >>> bool(net.fit(X, y).score(X, y) > 0.9)
    True
    """

    _rules: ClassVar[Rules] = rules(rate=(SHARE,))
    _idle = {"rate": 0}

    def __init__(self, rate=0.1, *, probability=1.0):
        self.rate = rate
        self.probability = probability

    def _changed(self, x, generator, inside):
        return swapped(x, x.new_full((len(x),), self.rate), generator)


def noisy(x: Tensor, std: Tensor, generator: torch.Generator) -> Tensor:
    """Noise of each row's own standard deviation."""
    return torch.addcmul(x, normal(x, generator, *x.shape), over(std, x))


def masked(
    x: Tensor, rate: Tensor, generator: torch.Generator, value: float = 0.0
) -> Tensor:
    """A constant in place of values, at each row's own rate."""
    return x.masked_fill(chances(x, generator, over(rate, x), *x.shape), value)


def swapped(x: Tensor, rate: Tensor, generator: torch.Generator) -> Tensor:
    """Another row's value in place of values, at each row's own rate."""
    other = x[permutation(x, generator)]
    return torch.where(chances(x, generator, over(rate, x), *x.shape), other, x)
