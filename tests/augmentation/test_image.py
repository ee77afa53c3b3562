"""Images that are mirrored, cut and blotted out."""

import pytest
import torch

from sklearn_deep import Crop, Erasing, Flip
from sklearn_deep.data._batches import Batch


def pictures(n, height=6, width=8):
    """Images whose pixels all differ."""
    x = torch.arange(1.0, 2 * height * width + 1).view(1, 2, height, width)
    return Batch(x.repeat(n, 1, 1, 1), torch.zeros(n, 1), None)


@pytest.mark.parametrize(
    ("params", "axes"),
    [
        ({}, [3]),
        ({"horizontal": False, "vertical": True}, [2]),
        ({"vertical": True}, [2, 3]),
    ],
)
def test_a_certain_flip_mirrors_every_image(params, axes, seeded):
    batch = pictures(3)
    flipped = Flip(**params, probability=1.0).augment(batch, seeded()).x
    assert torch.equal(flipped, batch.x.flip(axes))


def test_each_direction_has_its_chance(seeded):
    batch = pictures(2000)
    x = Flip(vertical=True, probability=0.3).augment(batch, seeded()).x
    for axes, share in (([], 0.49), ([2], 0.21), ([3], 0.21), ([2, 3], 0.09)):
        found = (x == batch.x.flip(axes)).flatten(1).all(1).double().mean()
        assert found == pytest.approx(share, abs=0.04)


@pytest.mark.parametrize(
    ("mode", "torch_mode"),
    [("zeros", "constant"), ("border", "replicate"), ("reflection", "reflect")],
)
@pytest.mark.parametrize("padding", [1, 3])
def test_a_crop_is_a_window_of_the_padded_image(mode, torch_mode, padding, seeded):
    batch = pictures(300)
    x = Crop(padding, padding_mode=mode).augment(batch, seeded()).x
    padded = torch.nn.functional.pad(batch.x[:1], [padding] * 4, mode=torch_mode)
    windows = padded.unfold(2, 6, 1).unfold(3, 8, 1).permute(2, 3, 0, 1, 4, 5)
    windows = windows.flatten(0, 2).flatten(1)
    found = (x.flatten(1)[:, None] == windows).all(2)
    assert found.any(1).all()
    assert found.any(0).all()  # every place is drawn


def test_a_rectangle_is_erased_in_all_channels(seeded):
    batch = pictures(200, 20, 20)
    x = Erasing(1.0, area=(0.1, 0.3), value=-1.0).augment(batch, seeded()).x
    gone = x == -1
    assert torch.equal(gone[:, 0], gone[:, 1])
    gone = gone[:, 0]
    rows, columns = gone.any(2), gone.any(1)
    assert torch.equal(gone, rows[:, :, None] & columns[:, None, :])
    area = gone.double().mean((1, 2))
    assert area.min() > 0.06
    assert area.max() < 0.35
    ratio = rows.sum(1) / columns.sum(1)
    assert ratio.min() < 0.6
    assert ratio.max() > 1.7


def test_an_area_of_one_erases_everything_when_square(seeded):
    batch = pictures(5, 7, 7)
    x = Erasing(1.0, area=(1, 1), ratio=(1, 1)).augment(batch, seeded()).x
    assert (x == 0).all()
