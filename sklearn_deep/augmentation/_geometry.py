"""Rotation, translation and scaling of images."""

from typing import ClassVar

from sklearn_deep._params import Number, OneOf, Rules
from sklearn_deep.augmentation._base import (
    PADDING_MODES,
    SHARE,
    Pair,
    RowAugmentation,
    rules,
)
from sklearn_deep.augmentation._draws import uniform
from sklearn_deep.augmentation._kornia import affine

_IMAGES = frozenset({"images"})
_PADDING = (OneOf(*PADDING_MODES),)


class Rotation(RowAugmentation):
    """Rotate each image about its centre by a random angle.

    Needs kornia (``pip install ".[image]"`` in a clone).

    Parameters
    ----------
    degrees : float, default=15.0
        Largest angle, in degrees; angles are uniform in [-degrees, degrees].
    padding_mode : {"zeros", "border", "reflection"}, default="zeros"
        How pixels outside of the image are filled.
    probability : float, default=1.0
        Fraction of the images that are changed, in [0, 1].

    See Also
    --------
    RandAugment : Apply several random operations with one strength to tune.

    References
    ----------
    Simard et al., "Best practices for convolutional neural networks applied to visual
    document analysis", ICDAR 2003.

    Examples
    --------
    >>> from sklearn_deep import CNNClassifier, Rotation
    >>> net = CNNClassifier(augmentation=Rotation(degrees=10))
    >>> net.set_params(augmentation__degrees=20).augmentation
    Rotation(degrees=20)
    """

    kinds = _IMAGES
    _rules: ClassVar[Rules] = rules(
        degrees=(Number(low=0, high=180),), padding_mode=_PADDING
    )
    _idle = {"degrees": 0}

    def __init__(self, degrees=15.0, *, padding_mode="zeros", probability=1.0):
        self.degrees = degrees
        self.padding_mode = padding_mode
        self.probability = probability

    def _changed(self, x, generator, inside):
        angle = uniform(x, generator, len(x), low=-self.degrees, high=self.degrees)
        return affine(x, self.padding_mode, degrees=angle)


class Translation(RowAugmentation):
    """Move each image horizontally and vertically by random amounts.

    Needs kornia (``pip install ".[image]"`` in a clone). Moves are fractions of
    pixels; for whole pixels see ``Crop``.

    Parameters
    ----------
    share : float, default=0.1
        Largest move, as a fraction of the width and of the height, in [0, 1].
    padding_mode : {"zeros", "border", "reflection"}, default="zeros"
        How pixels outside of the image are filled.
    probability : float, default=1.0
        Fraction of the images that are changed, in [0, 1].

    See Also
    --------
    Crop : Move by whole pixels, without kornia.

    References
    ----------
    Simard et al., "Best practices for convolutional neural networks applied to visual
    document analysis", ICDAR 2003.

    Examples
    --------
    >>> from sklearn_deep import CNNClassifier, Translation
    >>> net = CNNClassifier(augmentation=Translation(share=0.2))
    >>> net.set_params(augmentation__share=0.3).augmentation
    Translation(share=0.3)
    """

    kinds = _IMAGES
    _rules: ClassVar[Rules] = rules(share=(SHARE,), padding_mode=_PADDING)
    _idle = {"share": 0}

    def __init__(self, share=0.1, *, padding_mode="zeros", probability=1.0):
        self.share = share
        self.padding_mode = padding_mode
        self.probability = probability

    def _changed(self, x, generator, inside):
        height, width = x.shape[2:]
        move = uniform(x, generator, len(x), 2, low=-self.share, high=self.share)
        move = move * move.new_tensor([width, height])
        return affine(x, self.padding_mode, move=move)


class Scaling(RowAugmentation):
    """Magnify or shrink each image about its centre by a random factor.

    Needs kornia (``pip install ".[image]"`` in a clone).

    Parameters
    ----------
    scale : pair of float, default=(0.9, 1.1)
        Smallest and largest factor, above 0; factors are uniform in between.
    padding_mode : {"zeros", "border", "reflection"}, default="zeros"
        How pixels outside of the image are filled.
    probability : float, default=1.0
        Fraction of the images that are changed, in [0, 1].

    See Also
    --------
    Crop : Cut images at a random place.

    References
    ----------
    Simonyan and Zisserman, "Very deep convolutional networks for large-scale image
    recognition", arXiv:1409.1556.

    Examples
    --------
    >>> from sklearn_deep import CNNClassifier, Scaling
    >>> net = CNNClassifier(augmentation=Scaling(scale=(0.8, 1.2)))
    >>> net.set_params(augmentation__scale=(0.7, 1.3)).augmentation
    Scaling(scale=(0.7, 1.3))
    """

    kinds = _IMAGES
    _rules: ClassVar[Rules] = rules(
        scale=(Pair(Number(low=0, open_low=True)),), padding_mode=_PADDING
    )
    _idle = {"scale": (1, 1)}

    def __init__(self, scale=(0.9, 1.1), *, padding_mode="zeros", probability=1.0):
        self.scale = scale
        self.padding_mode = padding_mode
        self.probability = probability

    def _changed(self, x, generator, inside):
        low, high = map(float, self.scale)
        factor = uniform(x, generator, len(x), low=low, high=high)
        return affine(x, self.padding_mode, factor=factor)
