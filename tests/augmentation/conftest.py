"""Batches of each kind, and the generator of a fit."""

import pytest
import torch

from sklearn_deep.data._batches import Batch

SHAPES = {"table": (12, 7), "series": (12, 2, 30), "images": (12, 3, 10, 9)}


@pytest.fixture(scope="session")
def batch_of():
    """Make random rows, one-hot targets of three classes, and weights if asked."""

    def make(kind="table", dtype=torch.float32, *, shape=None, weighted=False):
        shape = SHAPES[kind] if shape is None else shape
        generator = torch.Generator().manual_seed(7)
        x = torch.rand(shape, generator=generator, dtype=dtype)
        codes = torch.randint(3, (shape[0],), generator=generator)
        y = torch.nn.functional.one_hot(codes, 3).to(dtype)
        weight = torch.rand(shape[0], generator=generator, dtype=dtype)
        return Batch(x, y, weight if weighted else None)

    return make


@pytest.fixture(scope="session")
def seeded():
    """Make a generator with a seed."""
    return lambda seed=0: torch.Generator().manual_seed(seed)
