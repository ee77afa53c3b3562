"""Augmentations of the values and of the time axis of series."""

from numbers import Integral
from typing import ClassVar

from sklearn_deep._params import Number, OneOf, Rules
from sklearn_deep.augmentation._base import (
    NON_NEGATIVE,
    PADDING_MODES,
    SHARE,
    RowAugmentation,
    rules,
)
from sklearn_deep.augmentation._draws import below
from sklearn_deep.augmentation._places import moved
from sklearn_deep.augmentation._time import (
    jittered,
    magnified,
    permuted,
    sliced,
    warped,
)

_SERIES = frozenset({"series"})


class Jitter(RowAugmentation):
    """Add normal noise to each series, in units of its own spread.

    Parameters
    ----------
    std : float, default=0.05
        Standard deviation of the noise, as a multiple of the standard deviation of the
        channel of the series that it is added to.
    probability : float, default=1.0
        Fraction of the series that are changed, in [0, 1].

    See Also
    --------
    GaussianNoise : Noise in units of X.

    References
    ----------
    Um et al., "Data augmentation of wearable sensor data for Parkinson's disease
    monitoring using convolutional neural networks", arXiv:1706.00527.

    Examples
    --------
    >>> from sklearn_deep import CNNClassifier, Jitter
    >>> net = CNNClassifier(augmentation=Jitter(std=0.1), spatial_dims=1)
    >>> net.set_params(augmentation__std=0.2).augmentation
    Jitter(std=0.2)
    """

    kinds = _SERIES
    _rules: ClassVar[Rules] = rules(std=(NON_NEGATIVE,))
    _idle = {"std": 0}
    _takes_unequal = True

    def __init__(self, std=0.05, *, probability=1.0):
        self.std = std
        self.probability = probability

    def _changed(self, x, generator, inside):
        return jittered(x, x.new_full((len(x),), self.std), generator, inside)


class MagnitudeScaling(RowAugmentation):
    """Multiply each channel of each series by a random factor.

    Parameters
    ----------
    std : float, default=0.1
        Standard deviation of the factors, about 1.
    probability : float, default=1.0
        Fraction of the series that are changed, in [0, 1].

    See Also
    --------
    Jitter : Change each value separately.

    References
    ----------
    Um et al., "Data augmentation of wearable sensor data for Parkinson's disease
    monitoring using convolutional neural networks", arXiv:1706.00527.

    Examples
    --------
    >>> from sklearn_deep import CNNClassifier, MagnitudeScaling
    >>> net = CNNClassifier(augmentation=MagnitudeScaling(std=0.2), spatial_dims=1)
    >>> net.set_params(augmentation__std=0.3).augmentation
    MagnitudeScaling(std=0.3)
    """

    kinds = _SERIES
    _rules: ClassVar[Rules] = rules(std=(NON_NEGATIVE,))
    _idle = {"std": 0}
    _takes_unequal = True

    def __init__(self, std=0.1, *, probability=1.0):
        self.std = std
        self.probability = probability

    def _changed(self, x, generator, inside):
        return magnified(x, x.new_full((len(x),), self.std), generator)


class TimeShift(RowAugmentation):
    """Move each series in time by a random number of steps.

    Parameters
    ----------
    share : float, default=0.1
        Farthest move, forwards or backwards, as a fraction of the length, in [0, 1].
    padding_mode : {"zeros", "border", "reflection", "circular"}, default="border"
        How values before the start or after the end are filled; "circular" takes those
        that leave at the other end.
    probability : float, default=1.0
        Fraction of the series that are changed, in [0, 1].

    See Also
    --------
    TimeWarp : Move some parts of the series more than others.

    References
    ----------
    Iwana and Uchida, "An empirical survey of data augmentation for time series
    classification with neural networks", arXiv:2007.15951.

    Examples
    --------
    >>> from sklearn_deep import CNNClassifier, TimeShift
    >>> net = CNNClassifier(augmentation=TimeShift(share=0.2), spatial_dims=1)
    >>> net.set_params(augmentation__share=0.05).augmentation
    TimeShift(share=0.05)
    """

    kinds = _SERIES
    moves = True
    _rules: ClassVar[Rules] = rules(
        share=(SHARE,), padding_mode=(OneOf(*PADDING_MODES, "circular"),)
    )
    _idle = {"share": 0}

    def __init__(self, share=0.1, *, padding_mode="border", probability=1.0):
        self.share = share
        self.padding_mode = padding_mode
        self.probability = probability

    def _changed(self, x, generator, inside):
        most = round(self.share * x.shape[-1])
        steps = below(2 * most + 1, x, generator, len(x)) - most
        return moved(x, 2, steps, self.padding_mode)


class TimeWarp(RowAugmentation):
    """Speed time up and down smoothly, with the same start and end.

    Parameters
    ----------
    std : float, default=0.2
        Standard deviation of the logarithm of the speed.
    n_knots : int, default=4
        Number of points between which the speed is interpolated.
    probability : float, default=1.0
        Fraction of the series that are changed, in [0, 1].

    See Also
    --------
    WindowSlice : Stretch a window of the series.

    References
    ----------
    Um et al., "Data augmentation of wearable sensor data for Parkinson's disease
    monitoring using convolutional neural networks", arXiv:1706.00527.

    Examples
    --------
    >>> from sklearn_deep import CNNClassifier, TimeWarp
    >>> net = CNNClassifier(augmentation=TimeWarp(std=0.4), spatial_dims=1)
    >>> net.set_params(augmentation__std=0.1).augmentation
    TimeWarp(std=0.1)
    """

    kinds = _SERIES
    moves = True
    _rules: ClassVar[Rules] = rules(std=(NON_NEGATIVE,), n_knots=(Number(Integral, 2),))
    _idle = {"std": 0}

    def __init__(self, std=0.2, *, n_knots=4, probability=1.0):
        self.std = std
        self.n_knots = n_knots
        self.probability = probability

    def _changed(self, x, generator, inside):
        std = x.new_full((len(x),), self.std)
        return warped(x, std, generator, self.n_knots)


class WindowSlice(RowAugmentation):
    """Cut a window out of each series and stretch it to the full length.

    Parameters
    ----------
    share : float, default=0.9
        Length of the window, as a fraction of the length of the series, in (0, 1].
    probability : float, default=1.0
        Fraction of the series that are changed, in [0, 1].

    See Also
    --------
    TimeShift : Move the series without stretching it.

    References
    ----------
    Le Guennec et al., "Data augmentation for time series classification using
    convolutional neural networks", ECML/PKDD workshop AALTD, 2016.

    Examples
    --------
    >>> from sklearn_deep import CNNClassifier, WindowSlice
    >>> net = CNNClassifier(augmentation=WindowSlice(share=0.8), spatial_dims=1)
    >>> net.set_params(augmentation__share=0.7).augmentation
    WindowSlice(share=0.7)
    """

    kinds = _SERIES
    moves = True
    _rules: ClassVar[Rules] = rules(share=(Number(low=0, high=1, open_low=True),))
    _idle = {"share": 1}

    def __init__(self, share=0.9, *, probability=1.0):
        self.share = share
        self.probability = probability

    def _changed(self, x, generator, inside):
        return sliced(x, x.new_full((len(x),), self.share), generator)


class SegmentPermutation(RowAugmentation):
    """Cut each series into segments of equal length and shuffle them.

    For series whose class does not depend on the order of events, such as recordings of
    a steady movement.

    Parameters
    ----------
    n_segments : int, default=4
        Number of segments; 1 changes nothing.
    probability : float, default=1.0
        Fraction of the series that are changed, in [0, 1].

    See Also
    --------
    TimeShift : With ``padding_mode="circular"``, it swaps two segments.

    References
    ----------
    Um et al., "Data augmentation of wearable sensor data for Parkinson's disease
    monitoring using convolutional neural networks", arXiv:1706.00527.

    Examples
    --------
    >>> from sklearn_deep import CNNClassifier, SegmentPermutation
    >>> net = CNNClassifier(
    ...     augmentation=SegmentPermutation(n_segments=3), spatial_dims=1
    ... )
    >>> net.set_params(augmentation__n_segments=5).augmentation
    SegmentPermutation(n_segments=5)
    """

    kinds = _SERIES
    moves = True
    _rules: ClassVar[Rules] = rules(n_segments=(Number(Integral, 1),))
    _idle = {"n_segments": 1}

    def __init__(self, n_segments=4, *, probability=1.0):
        self.n_segments = n_segments
        self.probability = probability

    def _changed(self, x, generator, inside):
        count = x.new_full((len(x),), self.n_segments)
        return permuted(x, count, generator, self.n_segments)
