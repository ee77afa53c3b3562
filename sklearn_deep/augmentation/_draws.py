"""Random numbers for the rows of a batch, drawn from a given generator."""

import torch
from torch import Tensor


def uniform(
    like: Tensor,
    generator: torch.Generator,
    *shape: int,
    low: float = 0.0,
    high: float = 1.0,
) -> Tensor:
    """Uniform numbers in [low, high), with the dtype and device of ``like``."""
    draw = torch.rand(shape, generator=generator, dtype=like.dtype, device=like.device)
    return draw * (high - low) + low


def normal(like: Tensor, generator: torch.Generator, *shape: int) -> Tensor:
    """Standard normal numbers, with the dtype and device of ``like``."""
    return torch.randn(shape, generator=generator, dtype=like.dtype, device=like.device)


def signs(like: Tensor, generator: torch.Generator, *shape: int) -> Tensor:
    """1 and -1 with equal probability."""
    return 1.0 - 2.0 * (uniform(like, generator, *shape) < 0.5).to(like.dtype)


def chances(
    like: Tensor, generator: torch.Generator, share: float | Tensor, *shape: int
) -> Tensor:
    """Booleans that are true with probability ``share``."""
    return uniform(like, generator, *shape) < share


def below(
    high: Tensor | int, like: Tensor, generator: torch.Generator, *shape: int
) -> Tensor:
    """Uniform integers in [0, high)."""
    # A number just below 1, times the bound, may round to the bound itself.
    bound = torch.as_tensor(high, device=like.device)
    draw = (uniform(like, generator, *shape) * bound).long()
    return torch.minimum(draw, bound.long() - 1)


def permutation(like: Tensor, generator: torch.Generator) -> Tensor:
    """Row numbers of ``like`` in random order."""
    return torch.randperm(len(like), generator=generator, device=like.device)


def windows(
    size: int, length: Tensor, like: Tensor, generator: torch.Generator
) -> Tensor:
    """Mask (n, size) of a window per row, of given length at a random position."""
    start = below(size - length + 1, like, generator, len(length))
    place = torch.arange(size, device=like.device)
    return (place >= start[:, None]) & (place < (start + length)[:, None])


def over(values: Tensor, x: Tensor) -> Tensor:
    """Reshape one value per row to broadcast against ``x``."""
    return values.view(-1, *(1,) * (x.ndim - 1))
