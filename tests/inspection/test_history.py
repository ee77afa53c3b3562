"""What the losses of a fit say."""

import numpy as np
import pytest

from sklearn_deep.inspection._history import (
    OVERFITS,
    SETTLED,
    STILL_FALLING,
    TOO_SHORT,
    history_verdict,
)

EPOCHS = np.arange(40)
NOISE = np.random.default_rng(0).normal(0, 0.01, 40)
NO_ROWS = np.full(40, np.nan)
FALLING, FLAT = 1 - EPOCHS / 50, np.exp(-EPOCHS / 4)
TURNING = FLAT + 0.02 * np.maximum(EPOCHS - 12, 0)


def verdict(train, valid=NO_ROWS, best_epoch=None):
    history = [
        {"train_loss": a, "valid_loss": b} for a, b in zip(train, valid, strict=True)
    ]
    watched = train if np.isnan(valid).all() else valid
    return history_verdict(history, best_epoch or int(np.argmin(watched)) + 1)


@pytest.mark.parametrize(
    ("train", "valid", "said"),
    [
        (FALLING + NOISE, NO_ROWS, STILL_FALLING),
        (FLAT + NOISE, NO_ROWS, SETTLED),
        (FALLING + NOISE, FLAT + NOISE[::-1], SETTLED),
        (FALLING + NOISE, FALLING + 2 * NOISE[::-1], STILL_FALLING),
        (FALLING, FALLING, STILL_FALLING),
        (FLAT * 0, NO_ROWS, SETTLED),
    ],
)
def test_the_end_of_the_watched_loss_decides(train, valid, said):
    assert verdict(train, valid) == said


def test_a_validation_loss_that_rises_again_is_overfitting():
    at = int(np.argmin(TURNING + NOISE)) + 1
    assert verdict(FLAT, TURNING + NOISE) == OVERFITS.format(epoch=at)
    # Without validation rows nothing tells.
    assert "overfits" not in verdict(FLAT)


@pytest.mark.parametrize("best_epoch", [36, 38, 40])
def test_nothing_overfits_where_the_best_epoch_is_among_the_last(best_epoch):
    said = verdict(FALLING, FALLING + 5 * NOISE[::-1], best_epoch)
    assert "overfits" not in said


def test_a_rise_that_does_not_matter_is_none():
    rise = FLAT + 1e-4 * np.maximum(EPOCHS - 20, 0)
    assert verdict(FLAT, rise) == SETTLED


def test_a_slope_within_the_noise_is_none():
    drift = 1 - EPOCHS / 4000
    assert verdict(FLAT + drift + NOISE) == SETTLED


def test_a_few_epochs_tell_nothing():
    assert history_verdict([{"train_loss": 1.0, "valid_loss": 0.5}] * 9, 1) == TOO_SHORT
