"""Scaling of numbers: weighted moments, the median, and the clip."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_deep.data._calendar import CALENDAR, phases, varying
from sklearn_deep.data._scaling import Scaling, squash


def test_scaling_is_by_mean_deviation_and_median_of_what_is_there(rng):
    values = rng.gamma(2.0, size=101)
    found = Scaling.learn(np.append(values, np.nan), None)
    assert_allclose(
        (found.center, found.scale, found.median),
        (values.mean(), values.std(), np.median(values)),
    )
    assert found.has_indicator
    assert not found.constant


@pytest.mark.parametrize("n", [4, 5])
def test_the_median_is_that_of_numpy_for_even_and_odd_numbers_of_rows(rng, n):
    values = rng.integers(0, 4, n).astype(float)
    assert Scaling.learn(values, None).median == np.median(values)


def test_weights_count_as_rows_whatever_their_scale(rng):
    values = np.append(rng.normal(size=20), np.nan)
    times = rng.integers(1, 4, 21)
    expected = Scaling.learn(np.repeat(values, times), None)
    assert Scaling.learn(values, times.astype(float)) == expected
    other = Scaling.learn(values, times * 0.1)
    assert_allclose(
        (other.center, other.scale, other.median),
        (expected.center, expected.scale, expected.median),
    )


@pytest.mark.parametrize("factor", [1e300, 1e-300, 1.0])
def test_numbers_of_any_size_are_scaled(factor):
    found = Scaling.learn(np.array([1.0, 2.0, 3.0, 4.0]) * factor, None)
    assert_allclose(found.center, 2.5 * factor)
    assert_allclose(found.scale, np.sqrt(1.25) * factor)


def test_nothing_to_learn_from_is_a_constant():
    assert Scaling.learn(np.array([np.nan, np.nan]), None).constant
    assert Scaling.learn(np.array([3.0, 3.0]), None).constant


def test_the_clip_changes_small_numbers_little_and_bounds_the_others():
    z = np.array([0.0, 0.1, 1.0, 8.0, 1e5, 1e300, np.inf])
    squashed = squash(z, 8.0)
    assert_allclose(squashed[:4], z[:4] / np.sqrt(1 + (z[:4] / 8) ** 2))
    assert_allclose(squashed[4:], 8.0, rtol=1e-8)
    assert_allclose(squash(-z, 8.0), -squashed)
    assert (squash(z[:5].astype(np.float32), 8.0) <= 8).all()


# (date, month from 0, weekday from Monday, hour), read from a calendar.
DATES = [
    ("1969-07-20T20:15", 6, 6, 20.25),
    ("1970-01-01T00:00", 0, 3, 0),
    ("2000-02-29T12:00", 1, 1, 12),
    ("2024-12-31T23:30", 11, 1, 23.5),
]


@pytest.mark.parametrize(("date", "month", "weekday", "hour"), DATES)
def test_phases_are_those_of_the_calendar(date, month, weekday, hour):
    days = np.datetime64(date, "us").astype(np.int64) / 86_400e6
    found = {name: phase(np.array([days]))[0] for name, phase in CALENDAR.items()}
    assert_allclose(found["month"] * 12, month)
    assert_allclose(found["weekday"] * 7, weekday)
    assert_allclose(found["hour"] * 24, hour, atol=1e-6)


def test_cycles_that_do_not_vary_are_left_out():
    days = np.array([0.25, 7.25, np.nan, 14.25])
    assert varying(days) == ()
    assert varying(np.add(days, [0, 1, 0, 0])) == ("weekday",)
    assert varying(np.array([np.nan])) == ()
    assert phases("hour", days)[2].tolist() == [0, 0]
