"""The recurrent network: packing, readouts, initial values."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence

from sklearn_deep.data._padded import Padded
from sklearn_deep.data._ragged import Ragged
from sklearn_deep.nn._initializers import Initialization, materialize
from sklearn_deep.nn._rnn import CELLS, READOUTS, RNN

CPU = torch.device("cpu")
EVERY = "every step"


def network(readout="last", seed=0, bias="zeros", **params):
    values = {
        "cell": "gru",
        "hidden_size": 5,
        "num_layers": 2,
        "bidirectional": False,
        "dropout": [0.2, 0.2],
        "embedding_dim": None,
        "channels_first": False,
        **params,
    }
    how = Initialization.make("Net", "auto", None, bias, "tanh", None)
    with torch.device("meta"):
        module = RNN(
            2,
            3,
            readout="last" if readout == EVERY else readout,
            return_sequences=readout == EVERY,
            **values,
        )
    generator = torch.Generator().manual_seed(seed)
    return materialize(module, module.output, how, generator).double().eval()


@pytest.fixture
def ragged(rng):
    lengths = np.array([3, 7, 1, 7, 4])
    return Ragged.of_lengths(rng.normal(size=(lengths.sum(), 2)), lengths)


def one_by_one(module, ragged):
    arrays = [torch.from_numpy(array.copy()) for array in ragged.arrays()]
    return torch.cat([module(array.unsqueeze(0)) for array in arrays])


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("readout", [*READOUTS, EVERY])
@pytest.mark.parametrize("cell", CELLS)
def test_a_sequence_gives_alone_what_it_gives_in_a_batch(
    cell, readout, bidirectional, ragged
):
    module = network(readout, cell=cell, bidirectional=bidirectional)
    together = module(Padded.of(ragged, None, CPU))
    torch.testing.assert_close(together, one_by_one(module, ragged))


@pytest.mark.parametrize("readout", [*READOUTS, EVERY])
def test_what_lies_behind_the_end_is_not_looked_at(readout, ragged):
    module = network(readout, bidirectional=True)
    x, lengths = Padded.of(ragged, None, CPU)
    filled = x.clone()
    for row, length in zip(filled, lengths.tolist(), strict=True):
        row[length:] = torch.nan
    assert torch.equal(module(Padded(filled, lengths)), module(Padded(x, lengths)))


def test_a_batch_is_packed_only_where_lengths_differ(ragged):
    module = network()
    assert isinstance(module.arrive(Padded.of(ragged, None, CPU)), PackedSequence)
    equal = Padded.of(ragged, np.array([1, 3]), CPU)
    assert module.arrive(equal) is equal.x


@pytest.mark.parametrize("readout", [*READOUTS, EVERY])
@pytest.mark.parametrize("embedding_dim", [None, 4])
def test_the_stages_make_the_network(readout, embedding_dim, ragged):
    module = network(readout, embedding_dim=embedding_dim)
    if embedding_dim:
        codes = np.arange(len(ragged.values)) % 2
        ragged = Ragged(codes, ragged.offsets)
    x = Padded.of(ragged, None, CPU)
    expected = module(x)
    for _, stage in module.stages():
        x = stage(x)
    assert torch.equal(x, expected)
    names = [name for name, _ in module.stages()]
    assert names[0] == "arrive"
    assert names[-1] == "output"


def test_series_of_one_channel_need_no_axis_for_it(rng):
    how = {"readout": "mean"}
    module = network(**how)
    x = torch.from_numpy(rng.normal(size=(4, 6, 2)))
    first = network(**how, channels_first=True)
    assert torch.equal(first(x.transpose(1, 2).contiguous()), module(x))


def test_the_gradient_is_that_of_torchs_own_layers(ragged):
    ours = network(cell="lstm", dropout=[0.0, 0.0], hidden_size=4)
    theirs = nn.LSTM(2, 4, num_layers=2, batch_first=True).double()
    with torch.no_grad():
        for i, layer in enumerate(ours.layers):
            for name, value in layer.cell.named_parameters():
                getattr(theirs, name.replace("l0", f"l{i}")).copy_(value)
    x, lengths = Padded.of(ragged, None, CPU)
    packed = nn.utils.rnn.pack_padded_sequence(
        x, lengths, batch_first=True, enforce_sorted=False
    )
    expected = ours.output(theirs(packed)[1][0][-1])
    torch.testing.assert_close(ours(Padded(x, lengths)), expected)
    expected.sum().backward()
    slope = theirs.weight_hh_l0.grad
    ours.zero_grad()
    ours(Padded(x, lengths)).sum().backward()
    torch.testing.assert_close(ours.layers[0].cell.weight_hh_l0.grad, slope)


# Initial values


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("embedding_dim", [None, 4])
def test_initial_values_come_from_the_generator_only(cell, embedding_dim):
    before = torch.get_rng_state()
    params = {"cell": cell, "embedding_dim": embedding_dim, "bias": "uniform"}
    one, same, other = (network(seed=s, **params) for s in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    for name, value in one.state_dict().items():
        assert torch.equal(value, same.state_dict()[name])
        drawn = "bias_hh" not in name
        assert torch.equal(value, other.state_dict()[name]) != drawn


@pytest.mark.parametrize(("cell", "n_gates"), [("rnn", 1), ("gru", 3), ("lstm", 4)])
def test_recurrent_weights_of_each_gate_are_orthogonal(cell, n_gates):
    weight = network(cell=cell).layers[0].cell.weight_hh_l0
    assert weight.shape == (5 * n_gates, 5)
    for gate in weight.chunk(n_gates):
        torch.testing.assert_close(
            gate @ gate.T, torch.eye(5).double(), atol=1e-6, rtol=0
        )


def test_an_lstm_starts_by_remembering():
    cell = network(cell="lstm").layers[0].cell
    assert cell.bias_ih_l0.view(4, 5).sum(1).tolist() == [0, 5, 0, 0]
    assert not cell.bias_hh_l0.any()


# Dropout


def test_dropout_stands_between_layers_and_in_front_of_the_output():
    module = network(num_layers=3, dropout=[0.1, 0.2, 0.3])
    rates = [layer.dropout and layer.dropout.rate for layer in module.layers]
    assert rates == [0.1, 0.2, None]
    assert module.dropout.rate == 0.3


def test_networks_of_any_rates_have_the_same_layers():
    some, none = network(dropout=[0.0, 0.1]), network(dropout=[0.0, 0.0])
    assert some.layers[0].dropout is not None
    assert none.layers[0].dropout is None


def test_a_copy_computes_the_same(ragged):
    module = network(bidirectional=True)
    x = Padded.of(ragged, None, CPU)
    assert torch.equal(copy.deepcopy(module)(x), module(x))
