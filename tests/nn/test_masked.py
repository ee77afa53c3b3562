"""Layers on padded series: what plain torch gives for each series alone."""

import pytest
import torch
from torch import nn

from sklearn_deep.nn._convolutions import ChannelNorm, GlobalPool, Residual, Subsample
from sklearn_deep.nn._masked import Series, apply
from sklearn_deep.nn._mlp import BatchNorm

LENGTHS = [7, 3, 5, 4]
N_CHANNELS = 3


def batch_norm():
    layer = BatchNorm(N_CHANNELS)
    with torch.no_grad():
        layer.weight.uniform_(0.5, 2)
        layer.bias.uniform_(-1, 1)
    return layer.double()


def of_each_row(layer, rows):
    return [layer(row.unsqueeze(0)).squeeze(0) for row in rows]


def of_all_positions(layer, rows):
    """Batch normalisation sees the true positions of all rows, one behind the other."""
    out = layer(torch.cat(list(rows), 1).unsqueeze(0)).squeeze(0)
    return list(out.split([row.shape[1] for row in rows], 1))


LAYERS = {
    "convolution": lambda: nn.Conv1d(N_CHANNELS, 4, 3, padding=1),
    "wide convolution": lambda: nn.Conv1d(N_CHANNELS, 4, 7, padding=3),
    "convolution of size 1": lambda: nn.Conv1d(N_CHANNELS, 4, 1),
    "strided convolution": lambda: nn.Conv1d(N_CHANNELS, 4, 3, stride=2, padding=1),
    "edges, even convolution": lambda: nn.Sequential(
        nn.ConstantPad1d((1, 2), 0.0), nn.Conv1d(N_CHANNELS, 4, 4)
    ),
    "two convolutions": lambda: nn.Sequential(
        nn.Conv1d(N_CHANNELS, 4, 5, padding=2),
        nn.ReLU(),
        nn.Conv1d(4, 2, 3, padding=1),
    ),
    "residual": lambda: Residual(
        nn.Conv1d(N_CHANNELS, N_CHANNELS, 3, padding=1), nn.Identity(), nn.ReLU()
    ),
    "subsample": lambda: Subsample(2, 1),
    "layer norm": lambda: ChannelNorm(N_CHANNELS),
    "max pool": lambda: nn.MaxPool1d(2),
    "max pool of neighbours": lambda: nn.MaxPool1d(3, stride=1, padding=1),
    "average pool": lambda: nn.AvgPool1d(3),
    "global average": lambda: GlobalPool("average"),
    "global maximum": lambda: GlobalPool("max"),
    "batch norm": batch_norm,
}


def padded(rows):
    """Rows filled up with numbers that must not matter."""
    longest = max(row.shape[1] for row in rows)
    fill = [
        torch.full((N_CHANNELS, longest - row.shape[1]), 99.0).double() for row in rows
    ]
    return torch.stack([torch.cat(pair, 1) for pair in zip(rows, fill, strict=True)])


def parts(out, lengths):
    if not isinstance(out, Series):
        return list(out)
    return [row[:, :n] for row, n in zip(out.x, lengths, strict=True)]


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_treats_a_padded_series_as_it_does_the_series_alone(name):
    torch.manual_seed(0)
    layer = LAYERS[name]().double()
    plain = of_all_positions if name == "batch norm" else of_each_row
    rows = [torch.randn(N_CHANNELS, n).double().requires_grad_() for n in LENGTHS]
    expected = plain(layer, rows)
    weights = [torch.randn_like(part) for part in expected]
    loss = sum((w * part).sum() for w, part in zip(weights, expected, strict=True))
    given = [*rows, *layer.parameters()]
    slopes = torch.autograd.grad(loss, given)
    moments = [buffer.clone() for buffer in layer.buffers()]
    for buffer, start in zip(
        layer.buffers(),
        type(layer)(N_CHANNELS).buffers() if moments else (),
        strict=True,
    ):
        buffer.copy_(start)

    out = apply(layer, Series(padded(rows), torch.tensor(LENGTHS)))
    found = parts(out, [part.shape[-1] for part in expected])
    for own, part in zip(found, expected, strict=True):
        torch.testing.assert_close(own, part, rtol=1e-12, atol=1e-12)
    # Whatever follows a layer gives padding no gradient.
    loss = sum((w * part).sum() for w, part in zip(weights, found, strict=True))
    for own, slope in zip(torch.autograd.grad(loss, given), slopes, strict=True):
        torch.testing.assert_close(own, slope, rtol=1e-10, atol=1e-12)
    for own, moment in zip(layer.buffers(), moments, strict=True):
        torch.testing.assert_close(own, moment, rtol=1e-12, atol=1e-12)


def test_a_single_position_is_normalised_by_the_running_moments():
    layer = batch_norm()
    x = torch.randn(1, N_CHANNELS, 4).double()
    out = apply(layer, Series(x, torch.tensor([1])))
    expected = layer.eval()(x[:, :, :1])
    torch.testing.assert_close(out.x[:, :, :1], expected)
    assert layer.running_mean.eq(0).all()


def test_a_layer_without_a_rule_is_named():
    with pytest.raises(TypeError, match="LSTM has no rule"):
        apply(nn.LSTM(3, 3), Series(torch.zeros(1, 3, 2), torch.tensor([1])))
