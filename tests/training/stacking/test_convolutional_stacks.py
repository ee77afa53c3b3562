"""Convolutional networks many at once: each as it would be alone, and alone on a CPU.

``train_stack`` is called directly where stacks of them are tested.
"""

import numpy as np
import pytest
import torch
from joblib import parallel_config
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from sklearn_deep import CNNClassifier, CNNRegressor, Flip, GaussianNoise, Mixup
from sklearn_deep.nn._cnn import ARCHITECTURES
from sklearn_deep.training.loop._loop import train_alone
from sklearn_deep.training.stacking._entries import Member
from sklearn_deep.training.stacking._grouping import (
    plan_units,
    reason_not_stackable,
    stack_width,
)
from sklearn_deep.training.stacking._stack import train_stack

SHAPES = {1: (12, 2), 2: (7, 6, 2)}


def both(make_job, networks, X, y):
    """Outputs of each network, alone and in a stack."""
    alone = [train_alone(make_job(network, X, y)) for network in networks]
    members = [Member(make_job(network, X, y)) for network in networks]
    assert [reason_not_stackable(member) for member in members] == [None] * len(members)
    train_stack(members)
    x = torch.from_numpy(X)
    for one, member in zip(alone, members, strict=True):
        assert member.error is None
        assert len(one.history) == len(member.result.history)
        assert one.best_epoch == member.result.best_epoch
        with torch.no_grad():
            yield one.module(x), member.result.module(x)


def networks(kind, n_dims, own=({}, {}, {}), **common):
    settings = {
        "spatial_dims": n_dims,
        "dtype": "float64",  # in which rounding is far from a fault
        "max_epochs": 2,
        "batch_size": 16,
        "early_stopping": False,
        "n_iter_no_change": None,
        **common,
    }
    return [
        kind((3, 4), **{**settings, "random_state": k, **mine})
        for k, mine in enumerate(own)
    ]


@pytest.fixture(params=[1, 2])
def n_dims(request):
    return request.param


@pytest.fixture
def rows(n_dims):
    return np.random.default_rng(0).normal(size=(50, *SHAPES[n_dims]))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
def test_every_architecture_is_the_same_alone_and_in_a_stack(
    architecture, normalization, n_dims, rows, make_job
):
    own = (
        {"dropout": 0.0},
        {"dropout": 0.2, "learning_rate": 0.01},
        {"weight_decay": 0.1, "l1": 1e-3},
    )
    # Batch normalisation of few rows amplifies rounding, by some seeds beyond 1e-8.
    own = [{"random_state": 6 + k, **mine} for k, mine in enumerate(own)]
    many = networks(
        CNNClassifier,
        n_dims,
        own,
        architecture=architecture,
        normalization=normalization,
    )
    # 40 rows: normalising a last batch of two would amplify the last bits.
    for one, other in both(make_job, many, rows[:40], np.arange(40) % 3):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("augmentation", [GaussianNoise(0.1), Mixup(), Flip()])
def test_each_draws_its_own_augmentation(augmentation, make_job):
    X = np.random.default_rng(0).normal(size=(50, *SHAPES[2]))
    many = networks(CNNClassifier, 2, augmentation=augmentation)
    for one, other in both(make_job, many, X, np.arange(50) % 3):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-8)


def test_they_stop_early_each_on_its_own(n_dims, rows, make_job):
    many = networks(
        CNNRegressor, n_dims, early_stopping=True, n_iter_no_change=2, max_epochs=12
    )
    y = rows.reshape(50, -1)[:, 0]
    for one, other in both(make_job, many, rows, y):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-8)


def test_pixels_stack(make_job):
    X = np.random.default_rng(0).integers(0, 256, (50, 7, 6), dtype=np.uint8)
    for one, other in both(make_job, networks(CNNClassifier, 2), X, np.arange(50) % 3):
        torch.testing.assert_close(one, other, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_a_stacked_search_has_the_bits_of_a_plain_one(dtype, n_dims):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (60, *SHAPES[n_dims])).astype(dtype)
    grid = {"learning_rate": [1e-3, 3e-3, 1e-2], "dropout": [0.0, 0.2]}
    (network,) = networks(CNNClassifier, n_dims, ({},))
    network.set_params(dtype="auto")
    search = GridSearchCV(network, grid, cv=2, scoring="neg_log_loss")
    plain = clone(search).fit(X, np.arange(60) % 3)
    with parallel_config("stacked"):
        search.fit(X, np.arange(60) % 3)
    scores = "mean_test_score"
    assert search.cv_results_[scores].tolist() == plain.cv_results_[scores].tolist()
    assert np.array_equal(search.predict_proba(X), plain.predict_proba(X))


@pytest.mark.parametrize("channels", [(4, 4), (64, 64)])
def test_on_a_cpu_they_are_trained_alone(channels, make_job):
    X = np.zeros((80, 8, 8), np.float32)
    network = CNNClassifier(channels, batch_size=32, random_state=0)
    members = [Member(make_job(network, X, np.arange(80) % 2)) for _ in range(6)]
    assert stack_width(members[0].job) == 1
    units = plan_units(members, 1)
    assert {unit.reason for unit in units} == {"its convolutions are faster alone"}
    assert len(units) == 6
