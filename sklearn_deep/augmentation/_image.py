"""Flipping, cropping and erasing of images."""

from numbers import Integral
from typing import ClassVar

import torch
from torch import Tensor

from sklearn_deep._params import BOOLEAN, Number, OneOf, Rules
from sklearn_deep.augmentation._base import (
    PADDING_MODES,
    FeatureAugmentation,
    Pair,
    RowAugmentation,
    rules,
)
from sklearn_deep.augmentation._draws import below, chances, over, uniform, windows
from sklearn_deep.augmentation._places import moved

_IMAGES = frozenset({"images"})
_POSITIVE = Number(low=0, open_low=True)


class Flip(FeatureAugmentation):
    """Mirror each image with some probability.

    Only suitable if mirroring keeps the class: not for digits or letters.

    Parameters
    ----------
    horizontal : bool, default=True
        Whether left and right are swapped.
    vertical : bool, default=False
        Whether top and bottom are swapped.
    probability : float, default=0.5
        Probability of each of the two swaps, in [0, 1].

    See Also
    --------
    Crop : Usually combined with flips for small photographs.

    References
    ----------
    Krizhevsky et al., "ImageNet classification with deep convolutional neural
    networks", NeurIPS 2012.

    Examples
    --------
    >>> from sklearn_deep import CNNClassifier, Flip
    >>> net = CNNClassifier(augmentation=Flip(vertical=True))
    >>> net.set_params(augmentation__probability=0.3).augmentation
    Flip(probability=0.3, vertical=True)
    """

    kinds = _IMAGES
    _rules: ClassVar[Rules] = rules(horizontal=(BOOLEAN,), vertical=(BOOLEAN,))

    def __init__(self, *, horizontal=True, vertical=False, probability=0.5):
        self.horizontal = horizontal
        self.vertical = vertical
        self.probability = probability

    def _drawn(self, x, generator, inside):
        for axis, wanted in ((3, self.horizontal), (2, self.vertical)):
            if wanted:
                chosen = chances(x, generator, self.probability, len(x))
                x = torch.where(over(chosen, x), x.flip(axis), x)
        return x


class Crop(RowAugmentation):
    """Pad each image, then crop it to its original size at a random position.

    This moves the image by whole pixels, without blurring it.

    Parameters
    ----------
    padding : int, default=2
        Pixels added on each side: the largest move.
    padding_mode : {"zeros", "border", "reflection"}, default="zeros"
        How the added pixels are filled.
    probability : float, default=1.0
        Fraction of the images that are changed, in [0, 1].

    See Also
    --------
    Translation : Move by a fraction of the image size.

    References
    ----------
    He et al., "Deep residual learning for image recognition", arXiv:1512.03385.

    Examples
    --------
    >>> from sklearn_deep import CNNClassifier, Crop
    >>> net = CNNClassifier(augmentation=Crop(padding=4))
    >>> net.set_params(augmentation__padding=1).augmentation
    Crop(padding=1)
    """

    kinds = _IMAGES
    _rules: ClassVar[Rules] = rules(
        padding=(Number(Integral, 0),), padding_mode=(OneOf(*PADDING_MODES),)
    )
    _idle = {"padding": 0}

    def __init__(self, padding=2, *, padding_mode="zeros", probability=1.0):
        self.padding = padding
        self.padding_mode = padding_mode
        self.probability = probability

    def _changed(self, x, generator, inside):
        for axis in (2, 3):
            steps = below(2 * self.padding + 1, x, generator, len(x)) - self.padding
            x = moved(x, axis, steps, self.padding_mode)
        return x


class Erasing(RowAugmentation):
    """Erase a random rectangle of each image with some probability.

    Parameters
    ----------
    probability : float, default=0.5
        Fraction of the images that are changed, in [0, 1].
    area : pair of float, default=(0.02, 0.33)
        Smallest and largest area of the rectangle, as a fraction of the image, in
        [0, 1].
    ratio : pair of float, default=(0.3, 3.3)
        Smallest and largest ratio of its height to its width, above 0.
    value : float, default=0.0
        Value of erased pixels.

    See Also
    --------
    CutMix : Replace the rectangle by that of another image.

    References
    ----------
    Zhong et al., "Random erasing data augmentation", arXiv:1708.04896.

    DeVries and Taylor, "Improved regularization of convolutional neural networks with
    cutout", arXiv:1708.04552.

    Examples
    --------
    >>> from sklearn_deep import CNNClassifier, Erasing
    >>> net = CNNClassifier(augmentation=Erasing(probability=1.0))
    >>> net.set_params(augmentation__area=(0.1, 0.2)).augmentation
    Erasing(area=(0.1, 0.2), probability=1.0)
    """

    kinds = _IMAGES
    _rules: ClassVar[Rules] = rules(
        area=(Pair(Number(low=0, high=1)),), ratio=(Pair(_POSITIVE),), value=(Number(),)
    )
    _idle = {"area": (0, 0)}

    def __init__(
        self, probability=0.5, *, area=(0.02, 0.33), ratio=(0.3, 3.3), value=0.0
    ):
        self.probability = probability
        self.area = area
        self.ratio = ratio
        self.value = value

    def _changed(self, x, generator, inside):
        low, high = map(float, self.area)
        area = uniform(x, generator, len(x), low=low, high=high)
        return erased(x, area, generator, self.ratio, self.value)


def erased(
    x: Tensor,
    area: Tensor,
    generator: torch.Generator,
    ratio: tuple[float, float] = (0.3, 3.3),
    value: float = 0.0,
) -> Tensor:
    """Erase a random rectangle that covers a fraction ``area`` of each image."""
    height, width = x.shape[2:]
    low, high = torch.tensor(ratio, dtype=torch.float64).log().tolist()
    # Log-uniform, so that tall and wide rectangles are equally likely.
    stretch = uniform(x, generator, len(x), low=low, high=high).exp().sqrt()
    side = area.sqrt()
    rows = (side * stretch * height).round().clamp_max(height).long()
    columns = (side / stretch * width).round().clamp_max(width).long()
    tall = windows(height, rows, x, generator)[:, None, :, None]
    wide = windows(width, columns, x, generator)[:, None, None, :]
    return x.masked_fill(tall & wide, value)
