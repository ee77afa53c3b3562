"""Which jobs are trained at once, and how many."""

import ast
import dataclasses
import inspect
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from sklearn_deep import (
    CNNClassifier,
    MLPClassifier,
    ModuleClassifier,
    RNNClassifier,
)
from sklearn_deep.training.loop._run import Watcher
from sklearn_deep.training.stacking import _grouping
from sklearn_deep.training.stacking._entries import Member
from sklearn_deep.training.stacking._grouping import (
    NOT_READY,
    ODD_ONE,
    TOO_FEW,
    UNLIKE_OTHERS,
    held_bytes,
    plan_units,
    reason_not_stackable,
    stack_width,
    step_bytes,
)


@pytest.fixture
def members(make_job):
    def make(n, n_rows=100, **settings):
        rng = np.random.default_rng(0)
        X = rng.normal(size=(n_rows, 4)).astype(np.float32)
        network = MLPClassifier(
            **{
                "hidden_layer_sizes": (5,),
                "batch_size": 16,
                "early_stopping": False,
                **settings,
            }
        )
        job = make_job(network, X, X[:, 0] > 0)
        return [Member(job) for _ in range(n)]

    return make


def widths(units):
    return sorted((len(unit.members) for unit in units), reverse=True)


def test_jobs_of_one_shape_make_a_stack_for_each_core(members):
    assert widths(plan_units(members(8), 1)) == [8]
    assert widths(plan_units(members(8), 2)) == [4, 4]
    assert widths(plan_units(members(7), 2)) == [7]  # too few to share out
    assert widths(plan_units(members(5) + members(3, activation="tanh"), 1)) == [5, 3]


def test_stacks_are_no_wider_than_the_cache(members, monkeypatch):
    one = members(1)[0].job
    monkeypatch.setattr(_grouping, "_CACHE_BYTES", 10.5 * step_bytes(one))
    assert stack_width(one) == 10
    assert widths(plan_units(members(25), 1)) == [9, 8, 8]
    assert widths(plan_units(members(25), 2)) == [7, 6, 6, 6]


def default_networks(members, n, **settings):
    """Networks of the default size at the batch size of a few thousand rows."""
    common = {"hidden_layer_sizes": (256, 128), "batch_size": 256}
    return members(n, n_rows=600, **common, **settings)


def test_networks_of_the_default_size_make_stacks_that_keep_every_core_busy(members):
    assert widths(plan_units(default_networks(members, 20), 1)) == [5, 5, 5, 5]
    assert widths(plan_units(default_networks(members, 12), 2)) == [3, 3, 3, 3]
    units = plan_units(default_networks(members, 3), 2)
    assert [(len(u.members), u.reason) for u in units] == [
        (2, None),
        (1, "the odd one of 3"),
    ]


def test_networks_of_one_fold_of_a_shared_array_are_neighbours(members):
    folds = [torch.arange(0, 80), torch.arange(20, 100)]
    alike = []
    for member, fold in zip(
        members(6), folds * 3, strict=True
    ):  # as a search gives them
        rows = member.job.rows
        rows = dataclasses.replace(rows, y=rows.y[fold], index=fold)
        alike.append(Member(dataclasses.replace(member.job, rows=rows)))
    (unit,) = plan_units(alike, 1)
    firsts = [int(member.job.rows.index[0]) for member in unit.members]
    assert firsts == [0, 0, 0, 20, 20, 20]


def test_large_steps_are_taken_alone(members):
    units = plan_units(
        members(3, n_rows=3000, hidden_layer_sizes=(900,), batch_size=2000), 1
    )
    assert widths(units) == [1, 1, 1]
    assert {unit.reason for unit in units} == {_grouping.FILLS_A_CORE}


def test_one_network_whose_steps_are_large_is_not_said_to_be_the_only_one(members):
    large = members(1, n_rows=3000, hidden_layer_sizes=(900,), batch_size=2000)
    (unit,) = plan_units(large, 1)
    assert unit.reason == _grouping.FILLS_A_CORE


def test_networks_with_as_many_rows_are_neighbours(members):
    mixed = [m for n in (90, 100) for m in members(4, n_rows=n)]
    units = plan_units(mixed[::3] + mixed[1::3] + mixed[2::3], 2)
    assert [{len(m.job.rows) for m in unit.members} for unit in units] == [{100}, {90}]


def changed(member, **fields):
    return Member(dataclasses.replace(member.job, **fields))


def test_a_job_that_cannot_be_stacked_says_why(members, make_job):
    (one,) = members(1)
    assert reason_not_stackable(one) is None
    assert reason_not_stackable(*members(1, optimizer="lbfgs")) == "lbfgs"
    assert reason_not_stackable(*members(1, time_limit=1.0)) == "time_limit"
    assert reason_not_stackable(changed(one, architecture_key=None)) == (
        "a network without a declared shape"
    )
    recurrent = make_job(RNNClassifier(3), np.zeros((8, 4, 2)), np.arange(8) % 2)
    assert reason_not_stackable(Member(recurrent)) == "recurrent layers"
    each_batch = Watcher()
    each_batch.per_batch = True
    assert (
        reason_not_stackable(Member(one.job, [each_batch]))
        == "callbacks for every batch"
    )
    next(one.job.module.parameters()).requires_grad_(False)
    assert reason_not_stackable(one) == "frozen parameters"
    (unit,) = plan_units([one], 1)
    assert unit.reason == "frozen parameters"


def test_the_only_network_of_its_shape_says_so(members):
    units = plan_units(members(1) + members(4, activation="tanh"), 1)
    assert [(len(unit.members), unit.reason) for unit in units] == [
        (4, None),
        (1, UNLIKE_OTHERS),
    ]


@pytest.fixture
def in_pairs(members, monkeypatch):
    one = members(1)[0].job
    monkeypatch.setattr(_grouping, "_CACHE_BYTES", 2.5 * step_bytes(one))
    monkeypatch.setattr(_grouping, "_NARROW", 2)


@pytest.mark.parametrize("n", [3, 5])
def test_the_odd_one_among_pairs_says_how_many_there_were(n, members, in_pairs):
    units = plan_units(members(n), 1)
    assert widths(units) == [2] * (n // 2) + [1]
    assert units[-1].reason == f"the odd one of {n}"


def test_one_that_could_not_wait_for_others_is_not_called_the_only_one(members):
    (unit,) = plan_units(members(1), 1, early=True)
    assert unit.reason == NOT_READY


def test_the_odd_one_that_comes_later_is_still_one_of_many(members, in_pairs):
    earlier = Counter()
    assert widths(plan_units(members(2), 1, earlier)) == [2]
    (unit,) = plan_units(members(1), 1, earlier)
    assert unit.reason == "the odd one of 3"
    (unit,) = plan_units(members(1, activation="tanh"), 1, earlier)
    assert unit.reason == UNLIKE_OTHERS


def small_module():
    return torch.nn.Sequential(
        torch.nn.Linear(3, 4), torch.nn.Softplus(), torch.nn.Linear(4, 1)
    )


def images(make_job, n, size, n_rows=40, **settings):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, size, size)).astype(np.float32)
    network = CNNClassifier((4,), **settings)
    return [Member(make_job(network, X, np.arange(n_rows) % 2)) for _ in range(n)]


@pytest.mark.parametrize("size", [6, 30])
def test_convolutions_are_faster_alone_on_a_cpu(size, make_job):
    units = plan_units(images(make_job, 6, size=size, batch_size=40), 1)
    assert widths(units) == [1] * 6
    assert {unit.reason for unit in units} == {_grouping.CONVOLUTIONS}


def test_few_networks_that_share_a_fixed_cost_say_how_few(make_job):
    network = ModuleClassifier(small_module, batch_size=4)
    X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)

    def members(n):
        jobs = [make_job(network, X, np.arange(40) % 2) for _ in range(n)]
        known = {"architecture_key": "small"}
        return [Member(dataclasses.replace(job, **known)) for job in jobs]

    units = plan_units(members(3), 1)
    assert widths(units) == [1, 1, 1]
    assert {unit.reason for unit in units} == {TOO_FEW.format(3)}
    assert widths(plan_units(members(6), 1)) == [6]


def test_a_device_without_room_for_two_says_so(members, monkeypatch):
    class Rows:  # no such device is at hand everywhere
        device, x = torch.device("cuda"), torch.zeros(1, 4)

    job = dataclasses.replace(members(1)[0].job, rows=Rows())
    free = 3 * step_bytes(job)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, free))
    assert _grouping._limit(job) == (1, _grouping.FILLS_THE_DEVICE)


def test_the_guide_explains_every_reason():
    guide = Path(__file__).parents[3] / "docs/user_guide/stacking.rst"
    text = " ".join(guide.read_text(encoding="utf-8").split())
    tree = ast.parse(inspect.getsource(reason_not_stackable).strip())
    table = next(node for node in ast.walk(tree) if isinstance(node, ast.Dict))
    reasons = [ast.literal_eval(key) for key in table.keys]
    reasons += [
        _grouping.FILLS_A_CORE,
        _grouping.CONVOLUTIONS,
        _grouping.FILLS_THE_DEVICE,
        UNLIKE_OTHERS,
        ODD_ONE.format("N"),
        NOT_READY,
        TOO_FEW.format("N"),
    ]
    assert len(reasons) > 10
    assert [r for r in reasons if f'"{r}"' not in text] == []


def test_more_rows_or_wider_layers_hold_more(members):
    one, rows, wide = (
        members(1)[0].job,
        members(1, n_rows=200)[0].job,
        members(1, hidden_layer_sizes=(50,))[0].job,
    )
    assert held_bytes(one) < held_bytes(rows)
    assert held_bytes(one) < held_bytes(wide)
    assert step_bytes(one) == step_bytes(rows) < step_bytes(wide)
