"""Learning curves: the law is found, and intervals hold the truth as often as they say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_deep.inspection._power_law import curve_of_folds, fit_power_law

SIZES = np.geomspace(100, 1000, 6)


def curve(n, rate=0.5, floor=0.1, excess=0.2):
    return floor + excess * (np.asarray(n) / 1000) ** -rate


def test_a_curve_without_noise_is_extrapolated_exactly():
    law = fit_power_law(SIZES, curve(SIZES), np.full(6, 1e-12))
    assert law.predict(8000) == pytest.approx(curve(8000), abs=1e-4)
    assert law.interval(8000) == pytest.approx([curve(8000)] * 2, abs=1e-3)
    true_gain = curve(1000) - curve(2000)
    assert law.gain(1000, 2000) == pytest.approx([true_gain] * 3, abs=1e-4)


@pytest.mark.parametrize("noise", [0.0003, 0.01])
def test_intervals_of_90_percent_hold_the_truth_in_85_to_95(noise):
    rng, held = np.random.default_rng(0), []
    for _ in range(120):
        truth = {
            "rate": rng.uniform(0.1, 1),
            "floor": rng.uniform(0, 0.3),
            "excess": rng.uniform(0.02, 0.3),
        }
        shared, own = rng.normal(size=(5, 1)) * 2, rng.normal(size=(5, 6))
        mean, covariance, dof = curve_of_folds(
            curve(SIZES, **truth) + noise * (shared + own)
        )
        law = fit_power_law(SIZES, mean, covariance, dof=dof)
        low, high = law.interval(2000)
        _, least, most = law.gain(1000, 2000)
        gain = curve(1000, **truth) - curve(2000, **truth)
        held.append([low <= curve(2000, **truth) <= high, least <= gain <= most])
    assert (np.abs(np.mean(held, axis=0) - 0.9) < 0.05).all()


def test_noise_that_all_sizes_share_does_not_blur_the_gain():
    own = np.diag(np.full(6, 1e-8))
    alone = fit_power_law(SIZES, curve(SIZES), own)
    shared = fit_power_law(SIZES, curve(SIZES) + 0.02, own + 0.02**2)
    assert np.ptp(shared.interval(2000)) > 5 * np.ptp(alone.interval(2000))
    assert shared.gain(1000, 2000) == pytest.approx(alone.gain(1000, 2000), abs=2e-3)


def test_a_flat_curve_promises_nothing():
    rng = np.random.default_rng(0)
    errors = 0.3 + 0.005 * rng.normal(size=(5, 6))
    mean, covariance, dof = curve_of_folds(errors)
    law = fit_power_law(SIZES, mean, covariance, dof=dof)
    assert law.gain(1000, 2000)[0] < 0.005
    assert law.probability_of_gain(1000, 2000, at_least=0.02) < 0.05


def test_a_rising_curve_is_taken_as_flat():
    law = fit_power_law(SIZES, curve(SIZES)[::-1], np.full(6, 1e-6))
    assert law.gain(1000, 2000)[0] == pytest.approx(0.0, abs=1e-3)


def test_a_curve_of_errors_that_are_all_zero_stays_there():
    law = fit_power_law(SIZES, np.zeros(6), np.zeros(6))
    assert law.predict(2000) == pytest.approx(0.0, abs=1e-9)


def test_the_covariance_separates_what_folds_share_from_their_noise():
    rng = np.random.default_rng(0)
    errors = 0.3 * rng.normal(size=(4000, 1)) + 0.1 * rng.normal(size=(4000, 4))
    mean, covariance, dof = curve_of_folds(errors)
    assert mean == pytest.approx(np.zeros(4), abs=0.02)
    assert covariance * 4000 == pytest.approx(0.09 + 0.01 * np.eye(4), rel=0.1)
    assert dof == 3999 * 3
    wider = curve_of_folds(errors[:5], shared_rows=0.25)[1]
    assert wider == pytest.approx(2.25 * curve_of_folds(errors[:5])[1])


@settings(max_examples=25)
@given(
    rate=st.floats(0.1, 1.5),
    floor=st.floats(0, 1),
    excess=st.floats(0, 1),
    scale=st.floats(1e-3, 1e3),
)
def test_intervals_are_ordered_and_follow_the_unit_of_the_error(
    rate, floor, excess, scale
):
    errors = curve(SIZES, rate, floor, excess) + 0.01 * np.sin(np.arange(6))
    law = fit_power_law(SIZES, errors, np.full(6, 1e-4))
    low, high = law.interval(2000)
    assert 0 <= low <= law.predict(2000) <= high
    gain, least, most = law.gain(1000, 2000)
    assert 0 <= least <= gain <= most
    other = fit_power_law(SIZES, errors * scale, np.full(6, 1e-4) * scale**2)
    assert other.interval(2000) == pytest.approx([low * scale, high * scale], rel=1e-3)


@pytest.mark.parametrize(
    ("sizes", "errors", "covariance", "message"),
    [
        ([1, 2], [1, 1], [1, 1], "3 or more positive numbers of rows"),
        ([1, 1, 2], [1, 1, 1], [1, 1, 1], "3 or more positive numbers of rows"),
        ([0, 1, 2], [1, 1, 1], [1, 1, 1], "3 or more positive numbers of rows"),
        ([1, 2, 3], [1, 1], [1, 1, 1], "an error and a variance per size"),
        ([1, 2, 3], [1, np.nan, 1], [1, 1, 1], "finite errors"),
    ],
)
def test_curves_that_determine_no_law_are_refused(sizes, errors, covariance, message):
    with pytest.raises(ValueError, match=message):
        fit_power_law(sizes, errors, covariance)


def test_one_fold_has_no_covariance():
    with pytest.raises(ValueError, match="2 or more folds"):
        curve_of_folds(np.ones((1, 4)))


def test_the_interval_of_one_network_is_wider_than_that_of_the_expected_error():
    law = fit_power_law(SIZES, curve(SIZES), np.full(6, 1e-4))
    low, high = law.interval(2000)
    least, most = law.interval(2000, noise=0.1)
    middle, reach = law.predict(2000), 1.6449 * 0.1
    assert middle - least == pytest.approx(np.hypot(middle - low, reach), rel=1e-3)
    assert most - middle == pytest.approx(np.hypot(high - middle, reach), rel=1e-3)
    assert law.interval(2000, noise=0.0) == (low, high)
