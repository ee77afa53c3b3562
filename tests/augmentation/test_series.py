"""Series: their values, and their time."""

import pytest
import torch
from numpy.testing import assert_allclose

from sklearn_deep import (
    Jitter,
    MagnitudeScaling,
    SegmentPermutation,
    TimeShift,
    TimeWarp,
    WindowSlice,
)
from sklearn_deep.augmentation._places import resampled
from sklearn_deep.data._batches import Batch


def ramps(n, length=40):
    """Series that say what time it is, in two channels."""
    time = torch.arange(length, dtype=torch.float64)
    x = torch.stack([time, -2 * time]).repeat(n, 1, 1)
    return Batch(x, torch.zeros(n, 1), None)


def test_jitter_is_in_units_of_each_channel(seeded):
    scale = torch.tensor([1.0, 1000.0])[:, None]
    x = torch.randn(50, 2, 300, generator=seeded(1)) * scale
    batch = Batch(x, torch.zeros(50, 1), None)
    noise = (Jitter(0.2).augment(batch, seeded()).x - x) / scale
    assert_allclose(noise.std((0, 2)), [0.2, 0.2], rtol=0.05)


def test_each_channel_is_scaled_by_one_factor(seeded):
    batch = ramps(500)
    factor = (
        MagnitudeScaling(0.2).augment(batch, seeded()).x[..., 1:] / batch.x[..., 1:]
    )
    assert_allclose(factor, factor[..., :1].expand_as(factor))
    assert factor.std() == pytest.approx(0.2, rel=0.1)
    assert abs(factor.mean() - 1) < 0.02


@pytest.mark.parametrize("mode", ["zeros", "border", "reflection", "circular"])
def test_a_shift_moves_all_channels_by_one_number_of_steps(mode, seeded):
    batch = ramps(400, 20)
    x = TimeShift(0.2, padding_mode=mode).augment(batch, seeded()).x
    assert_allclose(x[:, 1], -2 * x[:, 0])
    steps = set()
    for row in x[:, 0]:
        step = int(10 - row[10])
        steps.add(step)
        place = torch.arange(20) - step
        expected = {
            "zeros": torch.where((place >= 0) & (place < 20), place, 0),
            "border": place.clamp(0, 19),
            "reflection": torch.where(place < 0, -place, place).where(
                place < 20, 38 - place
            ),
            "circular": place.remainder(20),
        }[mode]
        assert torch.equal(row.long(), expected)
    assert steps == set(range(-4, 5))


def test_warped_time_goes_forwards_from_start_to_end(seeded):
    x = TimeWarp(0.5).augment(ramps(50), seeded()).x
    assert_allclose(x[:, 1], -2 * x[:, 0], atol=1e-9)
    assert (x[:, 0].diff() > 0).all()
    assert_allclose(x[:, 0, 0], 0, atol=1e-9)
    assert_allclose(x[:, 0, -1], 39, atol=1e-9)
    speed = x[:, 0].diff()
    assert (speed.max(1)[0] / speed.min(1)[0] > 1.2).double().mean() > 0.9
    # No jumps: two neighbouring speeds are nearly the same.
    assert ((speed[:, 1:] / speed[:, :-1]).log().abs() < 0.3).all()


def test_a_window_is_stretched_to_the_full_length(seeded):
    x = WindowSlice(0.5).augment(ramps(400), seeded()).x[:, 0]
    step = x.diff()
    assert_allclose(step, torch.full_like(step, 0.5), atol=1e-9)
    assert x.min() >= 0
    assert x.max() <= 39 + 1e-9
    assert x[:, 0].max() > 18
    assert x[:, 0].min() < 1


def test_segments_change_places_and_no_value_is_lost(seeded):
    x = SegmentPermutation(4).augment(ramps(100), seeded()).x
    assert_allclose(x[:, 1], -2 * x[:, 0])
    assert_allclose(x[:, 0].sort(1)[0], ramps(100).x[:, 0])
    assert ((x[:, 0].diff() != 1).sum(1) <= 3).all()
    starts = x[:, 0, ::10]
    assert set(starts.flatten().tolist()) == {0.0, 10.0, 20.0, 30.0}
    assert len(starts.unique(dim=0)) > 15


def test_reading_between_values_is_differentiable_in_the_place():
    x = torch.tensor([[[0.0, 1.0, 4.0]]])
    place = torch.tensor([[0.5, 1.5]], requires_grad=True)
    values = resampled(x, place)
    assert_allclose(values.detach(), [[[0.5, 2.5]]])
    values.sum().backward()
    assert_allclose(place.grad, [[1.0, 3.0]])
