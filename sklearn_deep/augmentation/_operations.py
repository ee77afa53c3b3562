"""Operations of policies, with a strength per row from 0 (unchanged) to 1."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sklearn_deep.augmentation._draws import below, permutation, signs
from sklearn_deep.augmentation._image import erased
from sklearn_deep.augmentation._kornia import affine, brightened, contrasted
from sklearn_deep.augmentation._places import moved
from sklearn_deep.augmentation._table import masked, noisy, swapped
from sklearn_deep.augmentation._time import (
    jittered,
    magnified,
    permuted,
    sliced,
    warped,
)

_MOST_SEGMENTS = 6


@dataclass(frozen=True)
class Operation:
    """A row of ``OPERATIONS``.

    Attributes
    ----------
    change : callable ``(x, strength, generator) -> x``
        ``strength`` of shape (n,) in [0, 1].
    by_default : bool
        Whether policies use it by default; False for operations that may change the
        class of a row.
    """

    change: Callable[[Tensor, Tensor, torch.Generator], Tensor]
    by_default: bool = True

    def apply(self, x: Tensor, strength: Tensor, generator: torch.Generator) -> Tensor:
        """Change every row."""
        return self.change(x, strength, generator)


@dataclass(frozen=True)
class Warp:
    """An operation that sets one parameter of an affine map of the image.

    All such operations of a batch share one call of the map, the most expensive step.

    Attributes
    ----------
    column : int
        Index of the parameter of ``_warped``.
    most : float
        Its value at strength 1.
    by_default : bool
        As in ``Operation``.
    """

    column: int
    most: float
    by_default: bool = True

    def numbers(self, strength: Tensor, generator: torch.Generator) -> Tensor:
        """Parameters of the affine map, of shape (n, 6)."""
        numbers = strength.new_zeros(len(strength), 6)
        signed = self.most * strength * signs(strength, generator, len(strength))
        numbers[:, self.column] = signed
        return numbers

    def apply(self, x: Tensor, strength: Tensor, generator: torch.Generator) -> Tensor:
        """Change every row."""
        return _warped(x, self.numbers(strength, generator))


def _warped(x: Tensor, numbers: Tensor) -> Tensor:
    """Apply the affine map with columns: degrees, log scale, moves (x, y), shears."""
    height, width = x.shape[2:]
    return affine(
        x,
        degrees=numbers[:, 0],
        factor=numbers[:, 1].exp(),
        move=numbers[:, 2:4] * numbers.new_tensor([width, height]),
        slant=numbers[:, 4:],
    )


def _identity(x: Tensor, strength: Tensor, generator: torch.Generator) -> Tensor:
    return x


def _signed(x: Tensor, strength: Tensor, generator: torch.Generator) -> Tensor:
    return strength * signs(x, generator, len(x))


def _brightness(x: Tensor, strength: Tensor, generator: torch.Generator) -> Tensor:
    return brightened(x, 0.5 * _signed(x, strength, generator))


def _contrast(x: Tensor, strength: Tensor, generator: torch.Generator) -> Tensor:
    return contrasted(x, 1 + 0.9 * _signed(x, strength, generator))


def _time_shift(x: Tensor, strength: Tensor, generator: torch.Generator) -> Tensor:
    steps = 0.3 * x.shape[-1] * _signed(x, strength, generator)
    return moved(x, 2, steps.round().long(), "border")


def _segments(x: Tensor, strength: Tensor, generator: torch.Generator) -> Tensor:
    count = 1 + ((_MOST_SEGMENTS - 1) * strength).round()
    return permuted(x, count, generator, _MOST_SEGMENTS)


OPERATIONS: dict[str, dict[str, Operation | Warp]] = {
    "images": {
        "identity": Operation(_identity),
        "rotation": Warp(0, 30.0),
        "scaling": Warp(1, 0.4),
        "translation_x": Warp(2, 0.25),
        "translation_y": Warp(3, 0.25),
        "shear_x": Warp(4, 0.3),
        "shear_y": Warp(5, 0.3),
        "brightness": Operation(_brightness),
        "contrast": Operation(_contrast),
        "erasing": Operation(lambda x, s, g: erased(x, 0.3 * s, g)),
        "flip": Operation(lambda x, s, g: x.flip(3), by_default=False),
    },
    "series": {
        "identity": Operation(_identity),
        "jitter": Operation(lambda x, s, g: jittered(x, 0.3 * s, g)),
        "magnitude_scaling": Operation(lambda x, s, g: magnified(x, 0.5 * s, g)),
        "time_shift": Operation(_time_shift),
        "time_warp": Operation(lambda x, s, g: warped(x, 0.8 * s, g)),
        "window_slice": Operation(lambda x, s, g: sliced(x, 1 - 0.5 * s, g)),
        "segment_permutation": Operation(_segments, by_default=False),
    },
    "table": {
        "identity": Operation(_identity),
        "gaussian_noise": Operation(lambda x, s, g: noisy(x, 0.5 * s, g)),
        "feature_mask": Operation(lambda x, s, g: masked(x, 0.5 * s, g)),
        "swap_noise": Operation(lambda x, s, g: swapped(x, 0.5 * s, g)),
    },
}

ALL_OPERATIONS = tuple(dict.fromkeys(n for table in OPERATIONS.values() for n in table))


def default_operations(kind: str) -> tuple[str, ...]:
    """Names of the operations that policies use by default."""
    return tuple(n for n, row in OPERATIONS[kind].items() if row.by_default)


def deal(x: Tensor, n_ways: int, generator: torch.Generator) -> list[Tensor]:
    """Split the row numbers of ``x`` at random into ``n_ways`` parts of equal size."""
    order = permutation(x, generator)
    first = int(below(n_ways, x, generator, 1))  # which parts get the remaining rows
    return [order[(k - first) % n_ways :: n_ways] for k in range(n_ways)]


def some_each(
    x: Tensor,
    operations: Sequence[Operation | Warp],
    n_times: int,
    strength: Tensor,
    generator: torch.Generator,
) -> Tensor:
    """Change each row by ``n_times`` random operations; compute only these.

    Affine operations of a row are combined and applied last.
    """
    warps, numbers = [], x.new_zeros(len(x), 6)
    for _ in range(n_times):
        changed = x.clone()
        hands = deal(x, len(operations), generator)
        for operation, rows in zip(operations, hands, strict=True):
            if isinstance(operation, Warp):
                warps.append(rows)
                added = operation.numbers(strength[rows], generator)
                numbers.index_add_(0, rows, added)
            elif len(rows):
                part = operation.apply(x[rows], strength[rows], generator)
                changed.index_copy_(0, rows, part)
        x = changed
    if warps and len(rows := torch.cat(warps).unique()):
        x.index_copy_(0, rows, _warped(x[rows], numbers[rows]))
    return x
