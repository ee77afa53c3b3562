"""Images that are turned, moved and magnified."""

import pytest
import torch
from numpy.testing import assert_allclose

from sklearn_deep import Brightness, Contrast, Rotation, Scaling, Translation
from sklearn_deep.augmentation._kornia import affine
from sklearn_deep.data._batches import Batch


@pytest.fixture
def picture():
    return torch.rand(1, 2, 9, 9, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("degrees", "quarters"), [(90.0, 1), (-90.0, -1), (180.0, 2)])
def test_quarter_turns_are_exact_and_counter_clockwise(picture, degrees, quarters):
    turned = affine(picture, degrees=torch.tensor([degrees]))
    assert_allclose(turned, picture.rot90(quarters, (2, 3)), atol=1e-5)


def test_a_move_goes_to_the_right_and_down(picture):
    moved = affine(picture, move=torch.tensor([[2.0, 1.0]]))
    assert_allclose(moved[..., 1:, 2:], picture[..., :-1, :-2], atol=1e-5)
    assert_allclose(moved[..., 0, :], 0, atol=1e-5)


def test_a_factor_above_one_magnifies(picture):
    larger = affine(picture, factor=torch.tensor([2.0]))
    assert_allclose(larger[..., ::2, ::2], picture[..., 2:7, 2:7], atol=1e-5)


@pytest.mark.parametrize("mode", ["zeros", "border", "reflection"])
def test_what_comes_in_from_outside_is_chosen(mode, seeded):
    batch = Batch(torch.ones(20, 1, 9, 9), torch.zeros(20, 1), None)
    for augmentation in (
        Rotation(90, padding_mode=mode),
        Translation(0.3, padding_mode=mode),
        Scaling((0.5, 0.8), padding_mode=mode),
    ):
        smallest = augmentation.augment(batch, seeded()).x.min()
        assert (smallest < 0.5) == (mode == "zeros")


def centroids(x):
    place = torch.arange(x.shape[-1], dtype=x.dtype)
    mass = x.sum((1, 2, 3))
    return torch.stack(
        [(x * place).sum((1, 2, 3)) / mass, (x * place[:, None]).sum((1, 2, 3)) / mass]
    )


def test_moves_are_spread_over_the_share(seeded):
    x = torch.zeros(500, 1, 21, 21)
    x[..., 10, 10] = 1
    batch = Batch(x, torch.zeros(500, 1), None)
    offset = centroids(Translation(0.2).augment(batch, seeded()).x) - 10
    assert offset.abs().max() <= 0.2 * 21 + 1e-3
    assert (offset.amin(1) < -3.8).all()
    assert (offset.amax(1) > 3.8).all()


def test_angles_are_spread_over_both_sides(seeded):
    x = torch.zeros(500, 1, 21, 21)
    x[..., 10, 18] = 1
    batch = Batch(x, torch.zeros(500, 1), None)
    across, down = centroids(Rotation(30).augment(batch, seeded()).x) - 10
    degrees = torch.rad2deg(torch.atan2(-down, across))
    assert degrees.abs().max() < 31
    assert degrees.min() < -27
    assert degrees.max() > 27


def test_brightness_adds_and_contrast_stretches_about_the_mean(seeded):
    x = torch.rand(300, 3, 5, 5, generator=seeded())
    batch = Batch(x, torch.zeros(300, 1), None)
    offset = Brightness(0.4).augment(batch, seeded()).x - x
    assert_allclose(offset, offset[:, :1, :1, :1].expand_as(offset), atol=1e-6)
    assert (offset.min() < -0.38, offset.max() > 0.38) == (True, True)
    assert offset.abs().max() <= 0.4 + 1e-6

    stretched = Contrast(0.4).augment(batch, seeded()).x
    mean = x.mean((1, 2, 3), keepdim=True)
    assert_allclose(stretched.mean((1, 2, 3)), mean.flatten(), atol=1e-6)
    factor = (stretched.std((1, 2, 3)) / x.std((1, 2, 3))).double()
    assert factor.min() == pytest.approx(0.6, abs=0.02)
    assert factor.max() == pytest.approx(1.4, abs=0.02)
