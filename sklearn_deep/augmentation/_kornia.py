"""kornia, when an image is turned, moved or lit: it loads slowly, and is optional.

Only its functions are used. Its augmentation classes draw from torch's global
generator; here every number comes from the fit's own.
"""

from typing import Any

import torch
from torch import Tensor

from sklearn_deep.exceptions import MissingDependencyError


def _kornia() -> Any:
    try:
        import kornia
    except ImportError as error:
        feature = "Turning, moving or lighting images"
        raise MissingDependencyError(feature, "kornia", "image") from error
    return kornia


def affine(
    x: Tensor,
    padding_mode: str = "zeros",
    *,
    degrees: Tensor | None = None,
    factor: Tensor | None = None,
    move: Tensor | None = None,
    slant: Tensor | None = None,
) -> Tensor:
    """Images turned, magnified, moved and slanted, each by its own numbers.

    Parameters
    ----------
    x : Tensor of shape (n, channel, height, width)
    padding_mode : {"zeros", "border", "reflection"}
    degrees : Tensor of shape (n,)
        Counter-clockwise, about the centre.
    factor : Tensor of shape (n,)
        Above 1 magnifies.
    move : Tensor of shape (n, 2)
        Pixels to the right and down.
    slant : Tensor of shape (n, 2)
        Radians along x and along y.
    """
    transform = _kornia().geometry.transform
    (n, _, height, width), zeros = x.shape, x.new_zeros(len(x), 2)
    center = x.new_tensor([(width - 1) / 2, (height - 1) / 2]).expand(n, 2)
    matrix = transform.get_affine_matrix2d(
        zeros if move is None else move,
        center,
        torch.ones_like(zeros) if factor is None else factor[:, None].expand(n, 2),
        # Clockwise here, unlike the angle of kornia's own rotate.
        zeros[:, 0] if degrees is None else -degrees,
        *(() if slant is None else slant.unbind(1)),
    )
    return transform.warp_affine(
        x, matrix[:, :2], (height, width), padding_mode=padding_mode
    )


def brightened(x: Tensor, offset: Tensor) -> Tensor:
    """Images with an offset added, each its own."""
    return _kornia().enhance.adjust_brightness(x, offset, clip_output=False)


def contrasted(x: Tensor, factor: Tensor) -> Tensor:
    """Images whose deviations from their mean are multiplied, each by its own factor."""
    mean = x.mean((1, 2, 3), keepdim=True)
    adjust = _kornia().enhance.adjust_contrast
    return adjust(x - mean, factor, clip_output=False) + mean
