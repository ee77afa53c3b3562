"""Random numbers as a function of (seed, stream, epoch), and of nothing else.

So a fit is the same alone, in a thread or in a stack, and a resumed one goes on as
if it had never stopped.
"""

from typing import Any

import numpy as np
import torch
from sklearn.utils import check_random_state

STREAMS = {
    "weights": 0,
    "order": 1,
    "masks": 2,
    "range_test": 3,
    "augmentation": 4,
    "policy": 5,
    "pruning": 6,
    "network": 7,
    "importance": 8,
    "owner": 9,
    "round": 10,
}


def draw_seed(random_state: Any) -> int:
    """The fit's own seed; without one, from the system, not from a global generator."""
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    return int(check_random_state(random_state).randint(2**31 - 1))


def generator(
    seed: int, stream: str, epoch: int = 0, device: torch.device | str = "cpu"
) -> torch.Generator:
    """A fresh generator for one stream of one epoch of the fit with this seed."""
    return reseed(torch.Generator(device), seed, stream, epoch)


def reseed(
    generator: torch.Generator, seed: int, stream: str, *place: int
) -> torch.Generator:
    """Seed a generator for one stream at a place: an epoch, or a block within it."""
    words = _seed_words(seed, stream, *place)
    # torch takes signed 64-bit seeds.
    return generator.manual_seed(int(words.generate_state(1, np.uint64)[0]) >> 1)


def bit_generator(seed: int, stream: str, *place: int) -> np.random.BitGenerator:
    """A fresh NumPy generator for one stream at a place; the fastest for many bits."""
    return np.random.SFC64(_seed_words(seed, stream, *place))


def network_seed(seed: int, k: int) -> int:
    """Seed of a network of an ensemble, the ``k``-th of the fit with this seed."""
    return int(_seed_words(seed, "network", k).generate_state(1)[0])


def owner_seed(seed: int, k: int) -> int:
    """Seed of the ``k``-th of the owners of a federated fit with this seed."""
    return int(_seed_words(seed, "owner", k).generate_state(1)[0])


def _seed_words(seed: int, stream: str, *place: int) -> np.random.SeedSequence:
    return np.random.SeedSequence((seed, STREAMS[stream], *place))
