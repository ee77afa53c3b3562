"""Bits for dropout masks: a function of seed, epoch and place, whoever draws beside."""

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_deep.nn._dropout import AlphaDropout, Dropout, set_source
from sklearn_deep.training.job._seeds import STREAMS
from sklearn_deep.training.step import _random_bits
from sklearn_deep.training.step._random_bits import RandomBits, _BitsOnDevice

CPU = torch.device("cpu")


def draws(masks, shapes):
    return [masks.draw(torch.empty(shape)).clone() for shape in shapes]


def test_bits_are_even_over_all_their_numbers():
    (bits,) = draws(RandomBits([0], CPU), [(1 << 20,)])
    counts = torch.bincount((bits.to(torch.int64) + (1 << 15)) >> 12, minlength=16)
    assert (counts - (1 << 16)).abs().max() < 5 * (1 << 8)


def test_seed_epoch_and_place_make_other_bits():
    shapes = [(3, 5)] * 2
    seen = []
    for seed in (0, 1):
        for epoch in (0, 1):
            masks = RandomBits([seed], CPU)
            masks.begin([epoch])
            seen += draws(masks, shapes)
    assert len({tuple(bits.flatten().tolist()) for bits in seen}) == len(seen)


def test_an_epoch_begins_with_the_same_bits_again():
    masks = RandomBits([3], CPU)
    masks.begin([1])
    first = draws(masks, [(4, 4), (2, 9)])
    draws(masks, [(300, 300)] * 3)
    masks.begin([1])
    for one, other in zip(first, draws(masks, [(4, 4), (2, 9)]), strict=True):
        assert torch.equal(one, other)


SHAPES = [(30, 7), (30, 5), (90, 11), (4, 4), (200, 300), (30, 7)]


@pytest.mark.parametrize("block", [64, 1000, 1 << 16])
def test_many_networks_draw_what_each_draws_alone(block, monkeypatch):
    monkeypatch.setattr(_random_bits, "_BLOCK", block)
    seeds, epochs = [5, 6, 7], [0, 3, 1]
    together = RandomBits(seeds, CPU)
    together.begin(epochs)
    together.nets = slice(0, 3)
    stacked = draws(together, [(3, *shape) for shape in SHAPES])
    for k in range(3):
        alone = RandomBits([seeds[k]], CPU)
        alone.begin([epochs[k]])
        for bits, own in zip(stacked, draws(alone, SHAPES), strict=True):
            assert torch.equal(bits[k], own)


def test_neighbours_that_step_by_themselves_draw_from_where_all_are():
    together = RandomBits([5, 6, 7], CPU)
    together.nets = slice(0, 3)
    draws(together, [(3, 40, 10)])
    mark, parts = together.mark(), []
    for nets in (slice(2, 3), slice(0, 2)):
        together.seek(mark)
        together.nets = nets
        parts.append(draws(together, [(nets.stop - nets.start, 500, 200)])[0])
    for k, own in ((2, parts[0][0]), (0, parts[1][0]), (1, parts[1][1])):
        alone = RandomBits([5 + k], CPU)
        assert torch.equal(draws(alone, [(40, 10), (500, 200)])[1], own)


def test_what_is_skipped_is_as_if_it_had_been_drawn():
    one, other = RandomBits([0], CPU), RandomBits([0], CPU)
    draws(one, [(50, 50)])
    other.skip(torch.empty(50, 50))
    assert torch.equal(*(draws(masks, [(3, 3)])[0] for masks in (one, other)))


@pytest.mark.parametrize("kind", [Dropout, AlphaDropout])
def test_a_rate_of_each_network_drops_as_that_rate_alone(kind):
    rates = [0.0, 0.2, 0.5]
    x = torch.randn(3, 40, 6, dtype=torch.float64)
    together = kind(0.1).train()
    together.rate = torch.tensor(rates, dtype=torch.float64)
    masks = RandomBits([1, 2, 3], CPU)
    masks.nets = slice(0, 3)
    set_source(together, masks)
    out = together(x)
    for k, rate in enumerate(rates):
        alone = kind(rate).train()
        set_source(alone, RandomBits([k + 1], CPU))
        torch.testing.assert_close(out[k], alone(x[k]), rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("kind", [Dropout, AlphaDropout])
def test_under_vmap_a_layer_draws_for_each_network(kind):
    x = torch.randn(3, 40, 6, dtype=torch.float64)
    outs = []
    for under_vmap in (False, True):
        layer = kind(0.3).train()
        layer.under_vmap = under_vmap
        masks = RandomBits([1, 2, 3], CPU)
        masks.nets = slice(0, 3)
        set_source(layer, masks)
        outs.append(torch.func.vmap(layer)(x) if under_vmap else layer(x))
    assert torch.equal(*outs)


def test_a_module_that_is_trained_by_hand_draws_from_torch():
    torch.manual_seed(0)
    layer = nn.Sequential(Dropout(0.5), Dropout(0.0)).train()
    out = layer(torch.ones(100, 100))
    assert 0.4 < float((out == 0).float().mean()) < 0.6


def test_the_bits_of_an_epoch_are_one_stream_however_they_are_cut():
    whole, cut = RandomBits([4], CPU), RandomBits([4], CPU)
    whole.begin([2])
    cut.begin([2])
    n = 5 * _random_bits._BLOCK + 6
    (expected,) = draws(whole, [(n,)])
    sizes = [1, 2, 70_000, 3, 40_000, 5]
    sizes.append(n - sum(sizes))
    assert torch.equal(torch.cat(draws(cut, [(size,) for size in sizes])), expected)
    cut.begin([2])
    cut.skip(torch.empty(50_001))
    (rest,) = draws(cut, [(n - 50_001,)])
    assert torch.equal(rest, expected[50_001:])
    words = np.random.SFC64(np.random.SeedSequence((4, STREAMS["masks"], 2)))
    raw = torch.from_numpy(words.random_raw(n // 4).view(np.int16))
    assert torch.equal(expected[: len(raw)], raw)


def test_a_device_draws_other_bits_in_every_block_however_they_are_cut(monkeypatch):
    monkeypatch.setattr(_random_bits, "_BLOCK", 64)
    source = _BitsOnDevice(4, "masks", CPU)
    source.begin(2)
    whole = source.read(0, 5 * 64).clone()
    assert len({tuple(block.tolist()) for block in whole.split(64)}) == 5
    assert torch.equal(source.read(50, 100), whole[50:150])
