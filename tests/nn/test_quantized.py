"""Layers of whole numbers, and the ranges that they are made from."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

from sklearn_deep.nn._mlp import BatchNorm
from sklearn_deep.nn._quantization import _folded
from sklearn_deep.nn._quantized import (
    LIMITS,
    FakeQuantize,
    Quantize,
    QuantizedLinear,
    Stored,
    WeightOnly,
    rounded,
)
from sklearn_deep.nn._ranges import CALIBRATIONS, Range, scale_and_zero, short


def grid(low, high):
    layer = Quantize()
    scale, zero = scale_and_zero(low, high)
    layer.scale.copy_(scale)
    layer.zero.copy_(zero)
    return layer


@pytest.mark.parametrize("bits", [8, 7])
def test_a_layer_computes_what_integers_compute(bits):
    draw = torch.Generator().manual_seed(0)
    before = grid(-1.0, 3.0)
    layer = FakeQuantize(
        torch.randn(5, 40, generator=draw),
        torch.randn(5, generator=draw),
        {},
        LIMITS[bits],
        before,
    )
    whole = QuantizedLinear(layer)
    x = torch.randn(64, 40, generator=draw) * 2
    q = np.rint(x.numpy() / before.scale.numpy()) + int(before.zero)
    q = np.clip(q, 0, 255).astype(np.int64) - int(before.zero)
    total = q @ whole.weight.numpy().astype(np.int64).T + whole.bias.numpy()
    step = whole.scale.numpy() * before.scale.numpy()
    assert_array_equal(whole(before(x)).numpy(), total.astype(np.float32) * step)
    assert whole.weight.abs().max() <= LIMITS[bits]


def test_integer_layers_agree_with_fake_quantization():
    draw = torch.Generator().manual_seed(0)
    before = grid(0.0, 2.0)
    how = {"stride": (1,), "padding": (1,), "dilation": (1,), "groups": 1}
    layer = FakeQuantize(
        torch.randn(4, 3, 3, generator=draw), torch.zeros(4), how, 127, before
    )
    x = before(torch.rand(8, 3, 10, generator=draw))
    torch.testing.assert_close(QuantizedLinear(layer)(x), layer(x))


@pytest.mark.parametrize("shape", [(6, 41), (6, 3, 5), (6, 5, 3, 3)], ids=str)
def test_neighbouring_weights_add_up_to_no_more_than_16_bits_hold(shape):
    weight = torch.rand(shape, generator=torch.Generator().manual_seed(0)) + 1
    whole = Stored(weight, LIMITS[8]).integers.int()
    for flat in (whole.flatten(1), whole.movedim(1, -1).flatten(1)):
        even = flat[:, : flat.shape[1] // 2 * 2].unflatten(1, (-1, 2))
        assert 255 * even.sum(2).abs().max() <= 2**15 - 1
    assert whole.max() > 60


def test_four_bits_come_back_as_they_went_in():
    draw = torch.Generator().manual_seed(0)
    layer = FakeQuantize(torch.randn(3, 5, generator=draw), torch.zeros(3), {}, 7, None)
    few = WeightOnly(layer)
    assert few.weight.numbers.numel() == 8
    x = torch.randn(4, 5, generator=draw)
    torch.testing.assert_close(few(x), layer(x))


def test_rounding_passes_the_gradient_on():
    x = torch.tensor([0.4, 1.6], requires_grad=True)
    rounded(x).sum().backward()
    assert_array_equal(x.grad, [1.0, 1.0])


def test_zero_stands_on_the_grid_and_values_beyond_it_are_clipped():
    layer = grid(-0.7, 2.1)
    x = torch.tensor([0.0, 100.0, -100.0])
    out = layer(x)
    assert out[0] == 0
    assert abs(out[1] - 2.1) < 0.02
    assert abs(out[2] + 0.7) < 0.02


def test_a_place_that_is_always_zero_has_a_grid():
    assert_array_equal(grid(0.0, 0.0)(torch.zeros(3)), np.zeros(3))


def test_products_of_short_scales_are_exact():
    scales = short(torch.rand(1000, dtype=torch.float64))
    exact = scales.double() * scales.flip(0).double()
    assert_array_equal((scales * scales.flip(0)).double(), exact)


@pytest.mark.parametrize("how", ["percentile", "mse"])
def test_a_stray_value_does_not_stretch_a_clipped_range(how):
    seen = Range()
    values = torch.linspace(0, 1, 100_000).unsqueeze(1)
    values[7] = 1.7
    for _ in range(2):
        seen.observe(values, None)
        if seen.counts is None:
            seen.start_counting()
    assert CALIBRATIONS[how](seen)[1] < 1.7 == pytest.approx(seen.high)


def ranges_of(values, weight=None):
    """The clipped ranges of values, (n_rows, n_values), in blocks of 100 rows."""
    seen = Range()
    for _ in range(2):
        for start in range(0, len(values), 100):
            part = slice(start, start + 100)
            seen.observe(values[part], None if weight is None else weight[part])
        if seen.counts is None:
            seen.start_counting()
    return {how: CALIBRATIONS[how](seen) for how in ("percentile", "mse")}


@pytest.mark.parametrize("size", [1e3, 1e8, 3e38])
@pytest.mark.parametrize("sign", [1, -1])
def test_outliers_leave_a_clipped_range_where_it_is_without_them(size, sign):
    values = torch.randn(2000, 20, generator=torch.Generator().manual_seed(0))
    expected = ranges_of(values)
    values[[3, 1500]] = sign * size
    found = ranges_of(values)
    for how in expected:
        # Edges are those of bins that are 3 % wide.
        assert_allclose(found[how], expected[how], rtol=0.04)


def test_a_side_on_which_only_outliers_lie_is_empty():
    values = torch.rand(1000, 5, generator=torch.Generator().manual_seed(0))
    values[17, 2] = -1e5
    for low, high in ranges_of(values).values():
        assert low == 0
        assert high == pytest.approx(1, rel=0.04)


def test_ranges_hold_what_few_rows_have_often_and_columns_of_another_scale():
    values = torch.rand(1000, 100, generator=torch.Generator().manual_seed(0))
    values[:, 4] *= 5000
    values[:, 7] = torch.where(torch.arange(1000) % 100 == 0, 9.0, 0.0)
    assert_allclose(ranges_of(values)["percentile"], (0, 5000), rtol=0.04)


def test_numpy_percentiles_are_those_of_a_large_sample():
    values = torch.randn(1000, 500, generator=torch.Generator().manual_seed(0))
    expected = np.quantile(values.numpy(), [2e-5, 1 - 2e-5])
    assert_allclose(ranges_of(values)["percentile"], expected, rtol=0.01)


def test_zeros_do_not_count_among_percentiles():
    values = torch.randn(1000, 100, generator=torch.Generator().manual_seed(0))
    sparse = torch.zeros(1000, 20_000)
    sparse[:, ::200] = values
    dense, rare = ranges_of(values), ranges_of(sparse)
    assert_allclose(rare["percentile"], dense["percentile"], rtol=0.02)


def test_normalisation_is_folded_into_the_layer_before_it():
    draw = torch.Generator().manual_seed(0)
    layer, norm = nn.Linear(4, 3), BatchNorm(3).eval()
    norm.running_mean.copy_(torch.randn(3, generator=draw))
    norm.running_var.copy_(torch.rand(3, generator=draw) + 0.5)
    x = torch.randn(6, 4, generator=draw)
    weight, bias = _folded(layer, norm)
    with torch.no_grad():
        torch.testing.assert_close(x @ weight.T + bias, norm(layer(x)))
