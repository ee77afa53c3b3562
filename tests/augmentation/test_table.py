"""Noise, masks and swaps of single values."""

import pytest
import torch

from sklearn_deep import FeatureMask, GaussianNoise, SwapNoise


def test_noise_has_the_standard_deviation_asked_for(batch_of, seeded):
    batch = batch_of(shape=(500, 20))
    noise = GaussianNoise(std=0.3).augment(batch, seeded()).x - batch.x
    assert noise.std() == pytest.approx(0.3, rel=0.05)
    assert abs(noise.mean()) < 0.01


@pytest.mark.parametrize("rate", [0.2, 1.0])
def test_a_mask_hides_the_share_of_values_and_keeps_the_others(rate, batch_of, seeded):
    batch = batch_of(shape=(500, 20))
    x = FeatureMask(rate=rate, value=-3.0).augment(batch, seeded()).x
    hidden = x == -3
    assert hidden.double().mean() == pytest.approx(rate, abs=0.02)
    assert torch.equal(x[~hidden], batch.x[~hidden])


def test_swaps_come_from_the_same_feature_of_another_row(batch_of, seeded):
    batch = batch_of(shape=(500, 6))
    x = SwapNoise(rate=0.4).augment(batch, seeded()).x
    assert (x != batch.x).double().mean() == pytest.approx(0.4, abs=0.03)
    for column, before in zip(x.T, batch.x.T, strict=True):
        assert torch.isin(column, before).all()
