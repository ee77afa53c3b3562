"""Image operations of kornia, which is optional and imported on first use.

Only its functions are used: its augmentation classes draw from torch's global
generator, and here all random numbers come from the generator of the fit.
"""

from typing import Any

import torch
from torch import Tensor

from sklearn_deep.exceptions import MissingDependencyError


def _kornia() -> Any:
    try:
        import kornia
    except ImportError as error:
        feature = "Rotating, moving, scaling or brightening images"
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
    """Rotate, scale, move and shear images, each with its own parameters.

    Parameters
    ----------
    x : Tensor of shape (n, channel, height, width)
    padding_mode : {"zeros", "border", "reflection"}
    degrees : Tensor of shape (n,)
        Counter-clockwise, about the centre.
    factor : Tensor of shape (n,)
        Scale; above 1 enlarges.
    move : Tensor of shape (n, 2)
        Pixels to the right and down.
    slant : Tensor of shape (n, 2)
        Shear angles along x and y, in radians.
    """
    transform = _kornia().geometry.transform
    (n, _, height, width), zeros = x.shape, x.new_zeros(len(x), 2)
    center = x.new_tensor([(width - 1) / 2, (height - 1) / 2]).expand(n, 2)
    matrix = transform.get_affine_matrix2d(
        zeros if move is None else move,
        center,
        torch.ones_like(zeros) if factor is None else factor[:, None].expand(n, 2),
        # This function counts angles clockwise, kornia's own rotate does not.
        zeros[:, 0] if degrees is None else -degrees,
        *(() if slant is None else slant.unbind(1)),
    )
    return transform.warp_affine(
        x, matrix[:, :2], (height, width), padding_mode=padding_mode
    )


def brightened(x: Tensor, offset: Tensor) -> Tensor:
    """Add an offset per image."""
    return _kornia().enhance.adjust_brightness(x, offset, clip_output=False)


def contrasted(x: Tensor, factor: Tensor) -> Tensor:
    """Scale the deviations of each image from its mean by a factor per image."""
    mean = x.mean((1, 2, 3), keepdim=True)
    adjust = _kornia().enhance.adjust_contrast
    return adjust(x - mean, factor, clip_output=False) + mean
