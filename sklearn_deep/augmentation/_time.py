"""Operations on series (n, channel, time), with a strength per row."""

import torch
import torch.nn.functional as F
from torch import Tensor

from sklearn_deep.augmentation._draws import normal, over, uniform
from sklearn_deep.augmentation._places import gathered, resampled


def jittered(
    x: Tensor, std: Tensor, generator: torch.Generator, inside: Tensor | None = None
) -> Tensor:
    """Add noise in units of the standard deviation of each channel of each series."""
    scale = _spread(x, inside) * over(std, x)
    return torch.addcmul(x, normal(x, generator, *x.shape), scale)


def magnified(x: Tensor, std: Tensor, generator: torch.Generator) -> Tensor:
    """Multiply each channel by a random factor near 1."""
    factor = 1 + normal(x, generator, *x.shape[:2], 1) * over(std, x)
    return x * factor


def warped(
    x: Tensor, std: Tensor, generator: torch.Generator, n_knots: int = 4
) -> Tensor:
    """Warp time by a smoothly varying speed."""
    last = x.shape[-1] - 1
    if last < 1:
        return x
    bends = normal(x, generator, len(x), 1, n_knots) * over(std, x)
    speed = F.interpolate(bends, size=last, mode="linear", align_corners=True).exp()
    place = F.pad(speed[:, 0].cumsum(1), (1, 0))  # (n, time)
    return resampled(x, place * (last / place[:, -1:]))


def sliced(x: Tensor, share: Tensor, generator: torch.Generator) -> Tensor:
    """Stretch a random window of each series to its full length."""
    last = x.shape[-1] - 1
    length = share[:, None] * last
    start = uniform(x, generator, len(x), 1) * (last - length)
    step = torch.linspace(0, 1, last + 1, dtype=x.dtype, device=x.device)
    return resampled(x, start + length * step)


def permuted(x: Tensor, count: Tensor, generator: torch.Generator, most: int) -> Tensor:
    """Shuffle ``count`` (at most ``most``) segments of each series."""
    size = x.shape[-1]
    time = torch.arange(size, device=x.device)
    segment = (time * count[:, None] / size).long().clamp_max(most - 1)  # (n, time)
    rank = uniform(x, generator, len(x), most)
    order = rank.gather(1, segment).argsort(dim=1, stable=True)
    return gathered(x, 2, order)


def _spread(x: Tensor, inside: Tensor | None) -> Tensor:
    """Standard deviation over time, of shape (n, channel, 1)."""
    if inside is None:
        return x.std(-1, correction=0, keepdim=True)
    count = inside.sum(-1, keepdim=True)
    mean = torch.where(inside, x, 0).sum(-1, keepdim=True) / count
    square = torch.where(inside, (x - mean).square(), 0).sum(-1, keepdim=True)
    return (square / count).sqrt()
