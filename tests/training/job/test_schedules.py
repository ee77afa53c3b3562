"""Learning-rate schedules: their shape, and what they share."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_deep.exceptions import InvalidParameterError
from sklearn_deep.training.job._schedules import SCHEDULES, Schedule, ScheduleSpec


def schedule(name, params=None, warmup=0.0, epochs=20):
    return Schedule(ScheduleSpec.make("Net", name, params, warmup, epochs))


@given(
    name=st.sampled_from(sorted(SCHEDULES)),
    share=st.floats(0, 1),
    epochs=st.integers(1, 500),
    warmup=st.floats(0, 10),
)
def test_the_factor_stays_between_nothing_and_the_whole_rate(
    name, share, epochs, warmup
):
    factor = schedule(name, warmup=warmup, epochs=epochs).factor(share * epochs)
    assert -1e-12 <= factor <= 1 + 1e-12


def torch_factors(make, epochs):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = make(optimizer)
    factors = []
    for _ in range(epochs):
        factors.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return factors


S = torch.optim.lr_scheduler
PEERS = {
    "step": (lambda o: S.StepLR(o, 6, 0.3), {"every": 6, "factor": 0.3}),
    "exponential": (lambda o: S.ExponentialLR(o, 0.9), {"factor": 0.9}),
    "cosine": (lambda o: S.CosineAnnealingLR(o, 20, 0.1), {"final": 0.1}),
    "warm_restarts": (
        lambda o: S.CosineAnnealingWarmRestarts(o, 5, 2),
        {"period": 5, "multiplier": 2},
    ),
}


@pytest.mark.parametrize("name", PEERS)
def test_whole_epochs_are_as_in_torch(name):
    make, params = PEERS[name]
    ours = schedule(name, params)
    assert [ours.factor(t) for t in range(20)] == pytest.approx(torch_factors(make, 20))


def test_one_cycle_rises_to_its_peak_and_falls_to_its_end():
    cycle = schedule("one_cycle", {"start": 0.1, "peak_at": 0.25, "final": 0.01})
    values = [cycle.factor(t / 10) for t in range(201)]
    assert values[0] == pytest.approx(0.1)
    assert values.index(max(values)) == 50
    assert max(values) == pytest.approx(1.0)
    assert values[-1] == pytest.approx(0.01)
    assert values[50:] == sorted(values[50:], reverse=True)


def test_warm_up_rises_linearly_and_then_begins_the_schedule():
    warmed = schedule("cosine", warmup=4, epochs=24)
    assert [warmed.factor(t) for t in (1, 2, 3)] == [0.25, 0.5, 0.75]
    plain = schedule("cosine", epochs=20)
    assert warmed.factor(4 + 7.5) == pytest.approx(plain.factor(7.5))


def test_a_step_takes_the_rate_of_its_middle_so_that_no_step_is_at_rate_zero():
    warmed = schedule("constant", warmup=2, epochs=24)
    rates = [warmed.during(epoch, k, 4) for epoch in range(3) for k in range(4)]
    assert rates == [(k + 0.5) / 8 for k in range(8)] + [1.0] * 4


def test_plateau_waits_for_its_patience_and_forgets_after_an_improvement():
    plateau = schedule("plateau", {"factor": 0.5, "patience": 2})
    seen = []
    for value in (3, 2, 2, 2, 2, 1, 1, 1, 1):
        plateau.observe(value)
        seen.append(plateau.factor(0))
    assert seen == [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25]


def test_a_value_that_is_not_a_number_counts_as_no_improvement():
    plateau = schedule("plateau", {"factor": 0.5, "patience": 0})
    plateau.observe(1.0)
    plateau.observe(math.nan)
    assert plateau.factor(0) == 0.5


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_parameter_of_another_schedule_is_refused(name):
    with pytest.raises(InvalidParameterError, match="schedule_params"):
        schedule(name, {"no_such_number": 1})
