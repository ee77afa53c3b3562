"""Which owners take part in a round: a function of the seed and the round."""

import numpy as np

from sklearn_deep.training.job._seeds import bit_generator


def chosen(seed: int, number: int, n_owners: int, fraction: float) -> list[int]:
    """Numbers of the owners that are asked in a round, sorted; at least one."""
    return chosen_of(seed, number, n_owners, max(1, int(fraction * n_owners)))


def chosen_of(seed: int, number: int, n_owners: int, n: int) -> list[int]:
    """Numbers of ``n`` owners that are asked in a round, sorted."""
    if n == n_owners:
        return list(range(n))
    generator = np.random.Generator(bit_generator(seed, "round", number))
    return sorted(generator.choice(n_owners, n, replace=False).tolist())


def lost(seed: int, number: int, owners: list[int], rate: float) -> set[int]:
    """Owners whose reply of a round does not come."""
    generator = np.random.Generator(bit_generator(seed, "round", number, 1))
    draws = generator.random(max(owners) + 1)
    return {k for k in owners if draws[k] < rate}


def epochs_done(
    seed: int, number: int, owners: list[int], rate: float, epochs: int
) -> dict[int, int]:
    """Epochs that each owner finishes in a round: stragglers fewer than all."""
    generator = np.random.Generator(bit_generator(seed, "round", number, 2))
    draws = generator.random((max(owners) + 1, 2))
    few = {k: 1 + int(draws[k, 1] * (epochs - 1)) for k in owners}
    return {k: few[k] if draws[k, 0] < rate else epochs for k in owners}
