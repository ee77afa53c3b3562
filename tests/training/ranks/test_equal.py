"""Several ranks come to the network that one process comes to."""

from functools import cache

import numpy as np
import pytest

from ranked_fits import CASES

# Relative to the largest value; sums over rows are added up in another order.
TOLERANCE = {"float32": 2e-6}


@cache
def alone(name):
    return CASES[name]()


def check_equal(name, folder, n_ranks):
    expected, within = alone(name), TOLERANCE.get(name, 1e-11)
    for rank in range(n_ranks):
        found = np.load(folder / f"{name}.{rank}.npz")
        assert set(found) == set(expected)
        for key, values in expected.items():
            if values.dtype.kind == "f":
                scale = np.nanmax(np.abs(values), initial=1.0)
                np.testing.assert_allclose(
                    found[key], values, rtol=0, atol=within * scale, err_msg=key
                )
            else:
                np.testing.assert_array_equal(found[key], values, err_msg=key)


@pytest.mark.parametrize("name", CASES)
def test_two_ranks_come_to_the_network_of_one_process(ranked, name):
    check_equal(name, ranked(2), 2)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_four_ranks_come_to_the_network_of_one_process(ranked, name):
    check_equal(name, ranked(4), 4)


@pytest.mark.parametrize("name", CASES)
def test_all_ranks_have_the_same_bits(ranked, name):
    first, second = (np.load(ranked(2) / f"{name}.{rank}.npz") for rank in (0, 1))
    for key in first:
        np.testing.assert_array_equal(first[key], second[key], err_msg=key)
