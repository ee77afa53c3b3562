"""A network up to one of its layers."""

import threading

import pytest
import torch
from torch import nn

from sklearn_deep.nn._mlp import MLP
from sklearn_deep.nn._stages import Tapped, UpTo, cut, stages_of

x = torch.arange(8.0).reshape(2, 4)


def mlp():
    return MLP(
        4,
        3,
        hidden_layer_sizes=(6, 5),
        activation="relu",
        activation_params={},
        dropout=(0.0, 0.0),
        normalization=None,
        residual=False,
    ).eval()


@pytest.mark.parametrize(
    "network",
    [mlp(), nn.Sequential(nn.Linear(4, 2), nn.ReLU())],
    ids=["mlp", "sequence"],
)
def test_the_stages_one_after_the_other_are_the_network(network):
    out = x
    for _, stage in stages_of(network):
        out = stage(out)
    assert torch.equal(out, network(x))
    assert torch.equal(UpTo(stages_of(network))(x), network(x))


def test_a_stage_is_found_by_place_and_by_name():
    network = mlp()
    assert torch.equal(cut(network, 0)(x), network.hidden[0](x))
    assert torch.equal(cut(network, -2)(x), network.hidden(x))
    assert torch.equal(cut(network, "output")(x), network(x))


def test_any_layer_is_found_by_its_dotted_name_and_flattened():
    network = nn.Sequential(nn.Unflatten(1, (1, 2, 2)), nn.Conv2d(1, 3, 1))
    assert cut(network, 0)(x).shape == (2, 4)
    assert cut(network, 1)(x).shape == (2, 12)
    inner = nn.ModuleDict({"inner": mlp()})
    inner.forward = lambda x: inner["inner"](x)
    tapped = cut(inner, "inner.hidden.0")
    assert isinstance(tapped, Tapped)
    assert torch.equal(tapped(x), inner["inner"].hidden[0](x))


def test_threads_that_tap_one_network_get_their_own_rows():
    network, found = mlp(), {}
    tapped = Tapped(network, "hidden.1.layers.0")

    def work(k):
        rows = x + k
        found[k] = all(
            torch.equal(
                tapped(rows), network.hidden[1].layers[0](network.hidden[0](rows))
            )
            for _ in range(50)
        )

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(found.values())
    assert not network.hidden[1].layers[0]._forward_hooks


def test_a_layer_gives_what_it_gave_before_the_next_one_wrote_in_its_place():
    network = mlp()
    linear = network.hidden[0].layers[0]
    assert torch.equal(cut(network, "hidden.0.layers.0")(x), linear(x))
    assert (linear(x) < 0).any()
