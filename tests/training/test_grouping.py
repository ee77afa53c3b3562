"""Which jobs are trained at once, and how many."""

import numpy as np
import pytest

from sklearn_deep import MLPClassifier
from sklearn_deep.training import _grouping
from sklearn_deep.training._grouping import (
    held_bytes,
    make_units,
    stack_width,
    step_bytes,
    why_alone,
)
from sklearn_deep.training._stack import Member


@pytest.fixture
def members(make_job):
    def make(n, n_rows=100, **settings):
        rng = np.random.default_rng(0)
        X = rng.normal(size=(n_rows, 4)).astype(np.float32)
        network = MLPClassifier(
            **{"hidden_layer_sizes": (5,), "batch_size": 16, **settings}
        )
        job = make_job(network, X, X[:, 0] > 0)
        return [Member(job) for _ in range(n)]

    return make


def widths(units):
    return sorted((len(unit.members) for unit in units), reverse=True)


def test_jobs_of_one_shape_make_a_stack_for_each_core(members):
    assert widths(make_units(members(8), 1)) == [8]
    assert widths(make_units(members(8), 2)) == [4, 4]
    assert widths(make_units(members(7), 2)) == [7]  # too few to share out
    assert widths(make_units(members(5) + members(3, activation="tanh"), 1)) == [5, 3]


def test_stacks_are_no_wider_than_the_cache(members, monkeypatch):
    one = members(1)[0].job
    monkeypatch.setattr(_grouping, "_CACHE_BYTES", 10.5 * step_bytes(one))
    assert stack_width(one) == 10
    assert widths(make_units(members(25), 1)) == [9, 8, 8]
    assert widths(make_units(members(25), 2)) == [7, 6, 6, 6]


def test_large_steps_are_taken_alone(members):
    units = make_units(
        members(3, n_rows=3000, hidden_layer_sizes=(900,), batch_size=2000), 1
    )
    assert widths(units) == [1, 1, 1]
    assert {unit.reason for unit in units} == {"large steps"}


def test_networks_with_as_many_rows_are_neighbours(members):
    mixed = [m for n in (90, 100) for m in members(4, n_rows=n)]
    units = make_units(mixed[::3] + mixed[1::3] + mixed[2::3], 2)
    assert [{len(m.job.rows) for m in unit.members} for unit in units] == [{100}, {90}]


def test_a_job_is_alone_for_a_reason(members):
    assert why_alone(*members(1)) is None
    assert why_alone(*members(1, optimizer="lbfgs")) == "lbfgs"
    assert why_alone(*members(1, time_limit=1.0)) == "time_limit"
    (frozen,) = members(1)
    next(frozen.job.module.parameters()).requires_grad_(False)
    assert why_alone(frozen) == "frozen parameters"
    (unit,) = make_units(members(1), 1)
    assert unit.reason == "no other of its shape"


def test_more_rows_or_wider_layers_hold_more(members):
    one, rows, wide = (
        members(1)[0].job,
        members(1, n_rows=200)[0].job,
        members(1, hidden_layer_sizes=(50,))[0].job,
    )
    assert held_bytes(one) < held_bytes(rows)
    assert held_bytes(one) < held_bytes(wide)
    assert step_bytes(one) == step_bytes(rows) < step_bytes(wide)
