"""Whether the library of matrix products rounds one product as it rounds many."""

import functools
import itertools

import torch

ROWS, INPUTS, UNITS = (2, 7, 16, 32, 113), (2, 3, 7, 20, 64), (2, 3, 17, 33)


@functools.cache
def rounds_alike():
    """Compare bare products of matrices that all begin at boundaries in memory.

    Where they differ, no program can give networks of a stack the bits of single ones.
    """
    generator = torch.Generator().manual_seed(0)
    shapes = itertools.product(
        ROWS, INPUTS, UNITS, (torch.float32, torch.float64), (False, True)
    )
    return all(_alike(generator, *shape) for shape in shapes)


def _alike(generator, n_rows, n_inputs, n_units, dtype, turned):
    left = _apart(torch.randn(3, n_rows, n_inputs, dtype=dtype, generator=generator))
    shape = (n_units, n_inputs) if turned else (n_inputs, n_units)
    right = _apart(torch.randn(3, *shape, dtype=dtype, generator=generator))
    right = right.mT if turned else right
    of_many = _apart(torch.empty(3, n_rows, n_units, dtype=dtype))
    torch.bmm(left, right, out=of_many)
    return all(
        torch.equal(torch.bmm(left[k : k + 1], right[k : k + 1])[0], of_many[k])
        for k in range(3)
    )


def _apart(matrices):
    """The same values, each matrix at a multiple of 128 bytes."""
    n, *shape = matrices.shape
    step = 128 // matrices.element_size()
    stride = -(-matrices[0].numel() // step) * step
    out = matrices.new_empty(n * stride).as_strided(
        matrices.shape, (stride, shape[1], 1)
    )
    return out.copy_(matrices)
