"""Brightness and contrast of images."""

from typing import ClassVar

from sklearn_deep._params import Rules
from sklearn_deep.augmentation._base import (
    NON_NEGATIVE,
    SHARE,
    RowAugmentation,
    rules,
)
from sklearn_deep.augmentation._draws import uniform
from sklearn_deep.augmentation._kornia import brightened, contrasted

_IMAGES = frozenset({"images"})


class Brightness(RowAugmentation):
    """Add a random number to all values of each image.

    Needs kornia (``pip install ".[image]"`` in a clone). Values are not clipped to
    [0, 1]: standardised images have no such bounds.

    Parameters
    ----------
    brightness : float, default=0.2
        Largest offset, in units of X (images of dtype uint8 are scaled to [0, 1]);
        offsets are uniform in [-brightness, brightness].
    probability : float, default=1.0
        Fraction of the images that are changed, in [0, 1].

    See Also
    --------
    Contrast : Scale the differences within the image.

    References
    ----------
    Howard, "Some improvements on deep convolutional neural network based image
    classification", arXiv:1312.5402.

    Examples
    --------
    >>> from sklearn_deep import Brightness, CNNClassifier
    >>> net = CNNClassifier(augmentation=Brightness(brightness=0.1))
    >>> net.set_params(augmentation__brightness=0.3).augmentation
    Brightness(brightness=0.3)
    """

    kinds = _IMAGES
    _rules: ClassVar[Rules] = rules(brightness=(NON_NEGATIVE,))
    _idle = {"brightness": 0}

    def __init__(self, brightness=0.2, *, probability=1.0):
        self.brightness = brightness
        self.probability = probability

    def _changed(self, x, generator, inside):
        most = float(self.brightness)
        return brightened(x, uniform(x, generator, len(x), low=-most, high=most))


class Contrast(RowAugmentation):
    """Stretch or shrink the values of each image about their mean.

    Needs kornia (``pip install ".[image]"`` in a clone). Values are not clipped to
    [0, 1]: standardised images have no such bounds.

    Parameters
    ----------
    contrast : float, default=0.2
        Strength in [0, 1]; the factor of each image is uniform between ``1 - contrast``
        and ``1 + contrast``.
    probability : float, default=1.0
        Fraction of the images that are changed, in [0, 1].

    See Also
    --------
    Brightness : Add an offset to the image.

    References
    ----------
    Howard, "Some improvements on deep convolutional neural network based image
    classification", arXiv:1312.5402.

    Examples
    --------
    >>> from sklearn_deep import CNNClassifier, Contrast
    >>> net = CNNClassifier(augmentation=Contrast(contrast=0.5))
    >>> net.set_params(augmentation__contrast=0.1).augmentation
    Contrast(contrast=0.1)
    """

    kinds = _IMAGES
    _rules: ClassVar[Rules] = rules(contrast=(SHARE,))
    _idle = {"contrast": 0}

    def __init__(self, contrast=0.2, *, probability=1.0):
        self.contrast = contrast
        self.probability = probability

    def _changed(self, x, generator, inside):
        most = float(self.contrast)
        factor = uniform(x, generator, len(x), low=1 - most, high=1 + most)
        return contrasted(x, factor)
