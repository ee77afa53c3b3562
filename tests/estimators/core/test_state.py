"""The optimizer's memory, as it is copied and pickled between two trainings."""

import pytest
import torch

from sklearn_deep.estimators.core._state import pack_optimizer, unpack_optimizer
from sklearn_deep.training.job._job import OptimizerState


def packed_and_unpacked(state):
    return unpack_optimizer(pack_optimizer(state))


@pytest.mark.parametrize("twin_of", [packed_and_unpacked, OptimizerState.copy])
@pytest.mark.parametrize("weights", [None, torch.arange(3.0)])
def test_a_twin_has_the_same_values_in_memory_of_its_own(twin_of, weights):
    state = OptimizerState([torch.ones(3)], step=7, epoch=2, weights=weights)
    twin = twin_of(state)
    assert (twin.step, twin.epoch) == (7, 2)
    pairs = [(twin.slots[0], state.slots[0])]
    if weights is None:
        assert twin.weights is None
    else:
        pairs.append((twin.weights, state.weights))
    for one, other in pairs:
        assert torch.equal(one, other)
        assert one.data_ptr() != other.data_ptr()
