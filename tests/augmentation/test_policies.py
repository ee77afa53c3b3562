"""Policies: what they draw from, and how rows are dealt out."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_deep import (
    AutoAugment,
    InvalidParameterError,
    Policy,
    RandAugment,
    TrivialAugment,
)
from sklearn_deep.augmentation._auto import candidates
from sklearn_deep.augmentation._base import KINDS, check_augmentation
from sklearn_deep.augmentation._operations import OPERATIONS, deal, default_operations
from sklearn_deep.data._batches import Batch

ROWS = [(kind, name) for kind, table in OPERATIONS.items() for name in table]


@pytest.mark.parametrize(("kind", "name"), ROWS)
def test_each_operation_grows_with_its_strength(kind, name, batch_of, seeded):
    batch = batch_of(kind)
    operation = OPERATIONS[kind][name]
    far = [
        (operation.apply(batch.x, torch.full((12,), s), seeded()) - batch.x).norm()
        for s in (0.0, 0.2, 1.0)
    ]
    if name == "identity":
        assert far == [0, 0, 0]
    elif name == "flip":
        assert far[0] == far[1] == far[2] > 0
    else:
        assert far[0] < 1e-4 < far[1] < far[2]


@pytest.mark.parametrize(("kind", "name"), ROWS)
def test_each_operation_can_be_the_only_one(kind, name, batch_of, seeded):
    batch = batch_of(kind)
    for policy in (
        RandAugment(1, magnitude=0.7, operations=[name]),
        TrivialAugment(operations=(name,)),
        Policy([[(name, 1.0, 0.7)]]),
    ):
        assert check_augmentation("Net", policy, kind) == (policy,)
        same = torch.equal(policy.augment(batch, seeded()).x, batch.x)
        assert same == (name == "identity")


@pytest.mark.parametrize("kind", KINDS)
def test_what_may_change_the_class_is_not_drawn_unless_named(kind):
    assert (
        set(OPERATIONS[kind]) - set(default_operations(kind))
        == {
            "images": {"flip"},
            "series": {"segment_permutation"},
            "table": set(),
        }[kind]
    )


@pytest.mark.parametrize(
    "policy",
    [
        RandAugment(operations=["rotation"]),
        TrivialAugment(operations=["rotation"]),
        Policy([[("rotation", 1.0, 0.5)]]),
        AutoAugment(operations=["rotation"]),
    ],
)
def test_an_operation_of_other_rows_is_named_in_the_error(policy):
    assert check_augmentation("Net", policy, "images") == (policy,)
    with pytest.raises(
        InvalidParameterError, match=r"'rotation' for table.*swap_noise"
    ):
        check_augmentation("Net", policy, "table")


@given(st.integers(0, 50), st.integers(1, 12), st.integers(0, 2**31))
def test_every_row_is_dealt_once_and_evenly(n, n_ways, seed):
    generator = torch.Generator().manual_seed(seed)
    hands = deal(torch.zeros(n, 1), n_ways, generator)
    assert sorted(torch.cat(hands).tolist()) == list(range(n))
    sizes = [len(hand) for hand in hands]
    assert max(sizes) - min(sizes) <= 1


def test_a_row_is_as_likely_to_go_any_way(seeded):
    generator, counts = seeded(), torch.zeros(5, 3)
    for _ in range(600):
        for way, hand in enumerate(deal(torch.zeros(3, 1), 5, generator)):
            counts[way, hand] += 1
    assert ((counts / 600 - 0.2).abs() < 0.06).all()


def test_more_operations_change_more(seeded):
    x = torch.zeros(400, 4)
    batch = Batch(x, torch.zeros(400, 1), None)
    spread = [
        RandAugment(k, magnitude=0.5, operations=["gaussian_noise"])
        .augment(batch, seeded())
        .x.var()
        .item()
        for k in (1, 3)
    ]
    assert spread[1] == pytest.approx(3 * spread[0], rel=0.15)


def test_affine_operations_add_up_in_one_map(seeded):
    x = torch.zeros(200, 1, 41, 41)
    x[..., 20, 20] = 1
    batch = Batch(x, torch.zeros(200, 1), None)
    policy = RandAugment(2, magnitude=0.4, operations=["translation_x"])
    moved = policy.augment(batch, seeded()).x[:, 0, 20]
    offset = (moved * torch.arange(41)).sum(1) / moved.sum(1) - 20
    step = 0.4 * 0.25 * 41
    found = {round(float(value), 2) for value in offset}
    assert found == {round(-2 * step, 2), 0.0, round(2 * step, 2)}


def test_a_step_happens_with_its_probability(seeded):
    batch = Batch(torch.zeros(2000, 3), torch.zeros(2000, 1), None)
    policy = Policy([[("gaussian_noise", 0.3, 1.0)], [("identity", 1.0, 1.0)]])
    changed = (policy.augment(batch, seeded()).x != 0).any(1).double().mean()
    assert changed == pytest.approx(0.15, abs=0.03)


@pytest.mark.parametrize("kind", KINDS)
def test_a_search_tries_none_and_then_stronger_and_stronger_policies(kind, seeded):
    search = AutoAugment(6, n_sub_policies=4, n_operations=3)
    none, *found = candidates(search, kind, seeded())
    assert none == ()
    assert len(found) == 6
    strengths = []
    for (policy,) in found:
        assert check_augmentation("Net", policy, kind) == (policy,)
        assert [len(steps) for steps in policy.sub_policies] == [3] * 4
        steps = [step for sub_policy in policy.sub_policies for step in sub_policy]
        strengths.append(max(strength for *_, strength in steps))
    assert strengths == sorted(strengths)
    again = candidates(search, kind, seeded())
    assert repr(again) == repr([none, *found])
    assert repr(candidates(search, kind, seeded(1))) != repr(again)


def test_a_search_draws_from_the_operations_named(seeded):
    search = AutoAugment(5, operations=["rotation", "identity"])
    for (policy,) in candidates(search, "images", seeded())[1:]:
        names = {name for steps in policy.sub_policies for name, *_ in steps}
        assert names == {"rotation"}


def test_a_search_that_has_not_run_changes_nothing(batch_of, seeded):
    batch = batch_of()
    assert AutoAugment().augment(batch, seeded()) is batch
