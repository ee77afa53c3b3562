"""Rectifiers overwrite their input while we use a network, and never for others."""

import pickle

import pytest
import torch
from torch import nn

from sklearn_deep.nn._in_place import InPlace, rectifier


def network():
    return nn.Sequential(nn.Linear(3, 3), rectifier(), nn.Linear(3, 3), nn.ReLU())


def flags(module):
    return [layer.inplace for layer in module if isinstance(layer, nn.ReLU)]


def test_only_rectifiers_of_ours_work_in_place_and_only_inside():
    module = network()
    assert flags(module) == [False, False]
    with InPlace(module):
        assert flags(module) == [True, False]
    assert flags(module) == [False, False]


def test_an_error_ends_it_too():
    module = network()
    with pytest.raises(RuntimeError, match="no"), InPlace(module):
        raise RuntimeError("no")
    assert flags(module) == [False, False]


@pytest.mark.parametrize(
    "kind",
    [
        "register_forward_hook",
        "register_forward_pre_hook",
        "register_full_backward_hook",
        "register_full_backward_pre_hook",
    ],
)
@pytest.mark.parametrize("where", [0, 1, 3])
def test_a_hook_anywhere_keeps_every_value(kind, where):
    module = network()
    in_place = InPlace(module)
    handle = getattr(module[where], kind)(lambda *arguments: None)
    with in_place:
        assert flags(module) == [False, False]
    handle.remove()
    with in_place:
        assert flags(module) == [True, False]


def test_a_pickled_rectifier_is_one_of_torchs():
    module = network()
    with InPlace(module):
        twin = pickle.loads(pickle.dumps(module))
    assert type(twin[1]) is nn.ReLU
    with InPlace(twin):
        assert flags(twin) == [True, False]
    assert torch.equal(twin(torch.ones(2, 3)), module(torch.ones(2, 3)))
