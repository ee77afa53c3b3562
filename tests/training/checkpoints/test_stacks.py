"""Networks whose products a stack rounds otherwise stay in a stack, or by themselves."""

import contextlib
import dataclasses

import numpy as np
import pytest
import torch

from sklearn_deep import Checkpoint, CNNClassifier, MLPClassifier
from sklearn_deep.estimators.core._fit import prepare
from sklearn_deep.estimators.core._parts import FitArguments
from sklearn_deep.training._train import train
from sklearn_deep.training.checkpoints._recorder import recording
from sklearn_deep.training.loop._run import Watcher
from sklearn_deep.training.stacking._entries import Member
from sklearn_deep.training.stacking._grouping import plan_units, reason_not_stackable
from sklearn_deep.training.stacking._stack import train_stack

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(60, 1, 5, 5))
Y = np.arange(60) % 2
EPOCHS = 5
NETWORKS = {
    "cnn": (CNNClassifier, IMAGES, {"dtype": "float64"}),
    "batch normalization": (MLPClassifier, IMAGES[:, 0, 0], {"normalization": "batch"}),
    "plain": (MLPClassifier, IMAGES[:, 0, 0], {}),
}


class Interrupts(Watcher):
    def __init__(self, within):
        self.within = within

    def epoch_begin(self, run):
        if len(run.history) + 1 == self.within:
            raise KeyboardInterrupt


def make_job(name, seed, folder=None):
    cls, X, params = NETWORKS[name]
    settings = {"max_epochs": EPOCHS, "batch_size": 8, "random_state": seed, **params}
    job = prepare(cls((4,), **settings), FitArguments(X, Y)).job
    stored = None if folder is None else Checkpoint(folder, every_epochs=1)
    return dataclasses.replace(job, checkpoint=stored)


def members(name, folder, stack, within=None):
    """Members of a stack, with their recorders; one may interrupt it."""
    jobs = [make_job(name, seed, folder) for seed in range(6)]
    each = [Member(j, recorder=stack.enter_context(recording(j))) for j in jobs]
    if within is not None:
        each[3].watchers = [Interrupts(within)]
    return each


def assert_equal_bits(one, other):
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("name", NETWORKS)
def test_an_interrupted_stack_is_continued_by_its_networks_one_by_one(name, tmp_path):
    expected = [Member(make_job(name, seed)) for seed in range(6)]
    train_stack(expected)
    with contextlib.suppress(KeyboardInterrupt), contextlib.ExitStack() as stack:
        train_stack(members(name, tmp_path, stack, within=4))
    for seed, member in enumerate(expected):
        result = train(make_job(name, seed, tmp_path))
        assert len(result.history) == EPOCHS
        assert_equal_bits(result.module, member.result.module)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_last_ones_of_a_stack_are_not_too_few(name, tmp_path, stacks_convolutions):
    with contextlib.suppress(KeyboardInterrupt), contextlib.ExitStack() as stack:
        train_stack(members(name, tmp_path, stack, within=4))
    with contextlib.ExitStack() as stack:
        left = members(name, tmp_path, stack)[:3]
        (unit,) = plan_units(left, cores=1)
        assert len(unit.members) == 3


@pytest.mark.parametrize("name", NETWORKS)
def test_what_was_trained_by_itself_joins_no_stack_that_rounds_otherwise(
    name, tmp_path
):
    with contextlib.suppress(KeyboardInterrupt):
        train(make_job(name, 0, tmp_path), [Interrupts(3)])
    with contextlib.ExitStack() as stack:
        first, *others = members(name, tmp_path, stack)
        reason = "continued by itself" if name == "cnn" else None
        assert reason_not_stackable(first) == reason
        assert not any(map(reason_not_stackable, others))
