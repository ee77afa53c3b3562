"""Augmentations of single values: noise, masking, swapping."""

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
        Fraction of the rows that are changed, in [0, 1].

    See Also
    --------
    Jitter : Noise in units of the standard deviation of each series.

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
    """Set random values to a constant, each with the same probability.

    For tables, series and images. The other values are not scaled up, unlike in a
    dropout layer.

    Parameters
    ----------
    rate : float, default=0.1
        Probability of each value to be masked, in [0, 1].
    value : float, default=0.0
        Value of masked entries; 0 is the mean of a standardised feature.
    probability : float, default=1.0
        Fraction of the rows that are changed, in [0, 1].

    See Also
    --------
    SwapNoise : Replace values by those of another row.

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
    """Replace random values by those of another row of the batch.

    For tables, series and images. Each feature keeps its distribution, which suits
    binary and skewed columns better than noise.

    Parameters
    ----------
    rate : float, default=0.1
        Probability of each value to be replaced, in [0, 1].
    probability : float, default=1.0
        Fraction of the rows that are changed, in [0, 1].

    See Also
    --------
    FeatureMask : Replace values by a constant.

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
    """Add noise with a standard deviation per row."""
    return torch.addcmul(x, normal(x, generator, *x.shape), over(std, x))


def masked(
    x: Tensor, rate: Tensor, generator: torch.Generator, value: float = 0.0
) -> Tensor:
    """Replace values by a constant, at a rate per row."""
    return x.masked_fill(chances(x, generator, over(rate, x), *x.shape), value)


def swapped(x: Tensor, rate: Tensor, generator: torch.Generator) -> Tensor:
    """Replace values by those of another row, at a rate per row."""
    other = x[permutation(x, generator)]
    return torch.where(chances(x, generator, over(rate, x), *x.shape), other, x)
