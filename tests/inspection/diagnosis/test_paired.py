"""Comparisons of two models by folds and by rows: how often they are wrong, and sure."""

import numpy as np
import pytest

from sklearn_deep.inspection.diagnosis._paired import (
    noise_ratio,
    paired,
    paired_by_rows,
    typical_ratio,
)

N_FOLDS, N_TEST, SHARE = 5, 60, 0.25


def drawn(rng, gain, of_training):
    """Scores of two models: rows vary by 1, folds by ``of_training``, which they share.

    Training sets of two folds have 3/4 of their rows in common; the part of the noise that
    all folds share is that of Nadeau and Bengio.
    """
    shared = SHARE / (1 + SHARE)
    common = rng.normal(0, np.sqrt(shared) * of_training)
    folds = rng.normal(0, np.sqrt(1 - shared) * of_training, N_FOLDS)
    base = [3 * rng.normal(size=N_TEST) for _ in range(N_FOLDS)]
    better = [
        row + gain + common + fold + rng.normal(size=N_TEST)
        for row, fold in zip(base, folds, strict=True)
    ]
    return better, base


def by_folds(better, base):
    means = ([rows.mean() for rows in model] for model in (better, base))
    return paired(*map(np.array, means), SHARE)


def by_rows(draws):
    typical = typical_ratio(noise_ratio(*draw) for draw in draws)
    return [paired_by_rows(*draw, SHARE, typical) for draw in draws]


@pytest.mark.parametrize("of_training", [0.0, 0.1, 0.3])
def test_no_gain_is_certain_in_a_tenth_of_the_cases_at_most(of_training):
    rng = np.random.default_rng(0)
    sure = []
    for _ in range(200):  # diagnoses, each with some changes
        found = by_rows([drawn(rng, 0.0, of_training) for _ in range(6)])
        sure += [gain.probability_above() >= 0.9 for gain in found]
    assert np.mean(sure) < 0.12


def test_rows_find_a_gain_more_often_than_five_folds():
    rng = np.random.default_rng(0)
    rows, folds = [], []
    for _ in range(100):
        draws = [drawn(rng, 0.15, 0.1) for _ in range(6)]
        rows += [gain.probability_above() >= 0.975 for gain in by_rows(draws)]
        folds += [by_folds(*d).probability_above() >= 0.975 for d in draws]
    assert np.mean(rows) > np.mean(folds) + 0.15


def test_the_mean_is_that_of_the_folds():
    better, base = drawn(np.random.default_rng(0), 0.2, 0.1)
    better[0], base[0] = better[0][:20], base[0][:20]  # folds of other sizes
    found = paired_by_rows(better, base, SHARE, 1.0)
    assert found.mean == pytest.approx(by_folds(better, base).mean)


def test_equal_models_have_no_error_and_no_ratio():
    _, base = drawn(np.random.default_rng(0), 0.0, 0.0)
    assert np.isnan(noise_ratio(base, base))
    found = paired_by_rows(base, base, SHARE, typical_ratio([np.nan]))
    assert (found.mean, found.error) == (0.0, 0.0)
    assert found.probability_above() == 0.5


def test_the_typical_ratio_is_never_below_that_of_independent_rows():
    assert typical_ratio([]) == 1.0
    assert typical_ratio([0.1, 0.2, 0.3]) == 1.0
    assert typical_ratio([2.0, 4.0, np.nan, 100.0]) == pytest.approx(4.0 / 0.84)
