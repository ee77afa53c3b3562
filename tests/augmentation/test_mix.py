"""Rows that are mixed, and their targets with them."""

import pytest
import torch
from numpy.testing import assert_allclose
from scipy.stats import beta, kstest

from sklearn_deep import CutMix, Mixup
from sklearn_deep.augmentation._mix import shares
from sklearn_deep.data._batches import Batch

SHAPES = [(40, 200), (40, 1, 200), (40, 1, 20, 20)]


def labelled(shape, weighted=False):
    """Rows that are filled with their own number, which is their target too."""
    number = torch.arange(shape[0], dtype=torch.float64)
    x = number.view(-1, *(1,) * (len(shape) - 1)).expand(shape).clone()
    return Batch(x, number[:, None].clone(), number + 1 if weighted else None)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("cls", [Mixup, CutMix])
def test_targets_mix_in_the_share_of_the_features(cls, shape, seeded):
    batch = labelled(shape, weighted=True)
    mixed = cls(alpha=1.0).augment(batch, seeded())
    mean = mixed.x.flatten(1).mean(1)
    assert_allclose(mixed.y[:, 0], mean, atol=1e-12)
    assert_allclose(mixed.weight, mean + 1, atol=1e-12)
    assert not torch.equal(mixed.y, batch.y)


@pytest.mark.parametrize("shape", SHAPES)
def test_cutmix_takes_values_of_one_other_row_only(shape, seeded):
    mixed = CutMix().augment(labelled(shape), seeded()).x.flatten(1)
    assert max(len(row.unique()) for row in mixed) == 2


def test_cutmix_takes_a_window_of_a_series_and_a_rectangle_of_an_image(seeded):
    series = CutMix().augment(labelled(SHAPES[1]), seeded()).x[:, 0]
    taken = series != torch.arange(40)[:, None]
    assert (taken.diff(dim=1).sum(1) <= 2).all()

    images = CutMix().augment(labelled(SHAPES[2]), seeded()).x[:, 0]
    taken = images != torch.arange(40)[:, None, None]
    rows, columns = taken.any(2), taken.any(1)
    assert torch.equal(taken, rows[:, :, None] & columns[:, None, :])
    assert (rows.diff(dim=1).sum(1) <= 2).all()
    assert (columns.diff(dim=1).sum(1) <= 2).all()
    assert taken.flatten(1).any(1).sum() > 20


def test_cutmix_takes_features_of_a_table_anywhere(seeded):
    taken = (
        CutMix().augment(labelled((400, 10)), seeded()).x != torch.arange(400)[:, None]
    )
    frequency = taken.double().mean(0)
    assert frequency.min() > 0.8 * frequency.max()


@pytest.mark.parametrize("cls", [Mixup, CutMix])
def test_a_row_keeps_at_least_half_of_itself(cls, seeded):
    batch = labelled((60, 100))
    mixed = cls(alpha=0.5).augment(batch, seeded())
    partner = cls(alpha=0.5).augment(batch, seeded()).y[:, 0]
    furthest = batch.y[:, 0].abs().max()
    assert ((partner - batch.y[:, 0]).abs() <= furthest / 2).all()
    assert torch.equal(mixed.y[:, 0], partner)


@pytest.mark.parametrize("cls", [Mixup, CutMix])
def test_class_codes_are_refused(cls, seeded):
    batch = Batch(torch.rand(4, 3), torch.tensor([0, 1, 2, 0]), None)
    with pytest.raises(TypeError, match=rf"{cls.__name__} mixes targets"):
        cls().augment(batch, seeded())


@pytest.mark.parametrize("alpha", [0.1, 0.4, 1.0, 5.0])
def test_shares_are_from_the_beta_distribution(alpha, seeded):
    drawn = shares(alpha, torch.empty(4000, dtype=torch.float64), seeded())
    assert kstest(drawn.numpy(), beta(alpha, alpha).cdf).pvalue > 0.01


@pytest.mark.parametrize("alpha", [1e-6, 1e-3, 1e3, 1e6])
def test_extreme_strengths_give_shares_all_the_same(alpha, seeded):
    drawn = shares(alpha, torch.empty(100), seeded())
    assert ((drawn >= 0) & (drawn <= 1)).all()
