"""Networks on sparse X many at once: each as it would be alone, on dense batches."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from joblib import parallel_config
from sklearn.model_selection import GridSearchCV
from torch import nn

from sklearn_deep import (
    GaussianNoise,
    MLPClassifier,
    MLPRegressor,
    stacking_report,
)
from sklearn_deep.data import _batches
from sklearn_deep.training.loop._loop import train_alone
from sklearn_deep.training.stacking._entries import Member
from sklearn_deep.training.stacking._grouping import reason_not_stackable, stack_key
from sklearn_deep.training.stacking._stack import train_stack

N_ROWS = 150


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(0)
    return np.where(rng.random((N_ROWS, 12)) < 0.3, rng.normal(size=(N_ROWS, 12)), 0)


@pytest.fixture(scope="module")
def y(X):
    return (X[:, 0] + X[:, 1] > 0.1).astype(int)


def networks(kind, own, **common):
    settings = {
        "batch_size": 16,
        "max_epochs": 6,
        "n_iter_no_change": None,
        "random_state": 0,
        **common,
    }
    return [kind((9,), **{**settings, **mine}) for mine in own]


def trained(make_job, networks, X, y, rows, weight=None):
    """Modules of each network, alone on dense rows, and in a stack on sparse ones."""

    def jobs(X):
        return [
            make_job(
                network,
                X[r],
                y[r],
                sample_weight=None if weight is None else weight[r],
            )
            for network, r in zip(networks, rows, strict=True)
        ]

    alone = [train_alone(job) for job in jobs(X)]
    members = [Member(job) for job in jobs(sp.csr_matrix(X))]
    assert [reason_not_stackable(member) for member in members] == [None] * len(members)
    assert len({stack_key(member.job) for member in members}) == 1
    train_stack(members)
    for one, member in zip(alone, members, strict=True):
        assert member.error is None, member.error
        assert one.best_epoch == member.result.best_epoch
        yield one.module, member.result.module


def assert_equal(pairs, x, dtype):
    tolerance = 1e-8 if dtype == np.float64 else 1e-4
    for one, other in pairs:
        with torch.no_grad():
            torch.testing.assert_close(one(x), other(x), rtol=tolerance, atol=tolerance)


OWN = {
    "one seed": [{"dropout": d} for d in (0.0, 0.2, 0.4)],
    "seeds of their own": [{"random_state": k, "dropout": 0.1} for k in range(3)],
    "early stopping": [
        {"early_stopping": True, "n_iter_no_change": n} for n in (1, 2, 9)
    ],
    "noise": [{"augmentation": [GaussianNoise(s)]} for s in (0.1, 0.2, 0.3)],
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("own", OWN.values(), ids=list(OWN))
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_sparse_rows_stack_as_dense_ones_train_alone(kind, own, dtype, X, y, make_job):
    X = X.astype(dtype)
    target = y if kind is MLPClassifier else X[:, 2] + y
    rows = [slice(0, 120), slice(0, 120), slice(20, 150)]
    pairs = trained(make_job, networks(kind, own), X, target, rows)
    assert_equal(pairs, torch.from_numpy(X), dtype)


def test_weighted_sparse_rows_and_all_of_them_in_one_batch(X, y, make_job):
    weight = np.random.default_rng(1).uniform(0.5, 2, N_ROWS)
    rows = [slice(0, 120)] * 3  # where all rows are a batch, equal ones become one
    for settings in ({}, {"batch_size": 500}, {"optimizer": "gd"}):
        many = networks(MLPClassifier, [{}] * 3, **settings)
        pairs = trained(make_job, many, X, y, rows, weight)
        assert_equal(pairs, torch.from_numpy(X), np.float64)


class Halves(nn.Module):
    """A network that works in place on its input."""

    def __init__(self, n_features, n_outputs, **others):
        super().__init__()
        self.output = nn.Linear(n_features, n_outputs)

    def forward(self, x):
        return self.output(x.mul_(0.5))


class HalvesClassifier(MLPClassifier):
    _network = staticmethod(Halves)


def test_a_network_that_changes_its_batch_in_place_shares_none(X, y, make_job):
    own = [{"learning_rate": rate} for rate in (1e-3, 1e-2, 1e-1)]
    many = networks(HalvesClassifier, own)
    members = [Member(make_job(net, sp.csr_matrix(X), y)) for net in many]
    train_stack(members)
    for net, member in zip(many, members, strict=True):
        one = train_alone(make_job(net, sp.csr_matrix(X), y)).module
        for p, other in zip(
            one.parameters(), member.result.module.parameters(), strict=True
        ):
            torch.testing.assert_close(p, other, rtol=1e-8, atol=1e-8)


def test_a_search_over_sparse_rows_is_stacked_and_scores_as_alone(X, y):
    grid = {"learning_rate": [1e-3, 1e-2], "dropout": [0.0, 0.3]}
    (network,) = networks(MLPClassifier, [{}])
    search = GridSearchCV(network, grid, cv=3, refit=False)
    expected = search.fit(sp.csr_matrix(X), y).cv_results_["mean_test_score"]
    with parallel_config(backend="stacked"):
        search.fit(sp.csr_matrix(X), y)
    report = stacking_report()
    assert sum(report.stacks) == 12
    assert report.alone == {}
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], expected)


def test_x_is_densified_a_batch_at_a_time_and_once_for_those_of_one_seed(
    X, y, make_job, monkeypatch
):
    sizes = []
    dense_rows = _batches._dense_rows

    def counted(x, rows):
        sizes.append(len(rows))
        return dense_rows(x, rows)

    rates = [{"dropout": d} for d in (0.1, 0.2, 0.3)]
    one_seed = networks(MLPClassifier, rates, early_stopping=False)
    members = [Member(make_job(net, sp.csr_matrix(X), y)) for net in one_seed]
    monkeypatch.setattr(_batches, "_dense_rows", counted)
    train_stack(members)
    assert max(sizes) == 16
    assert sum(sizes) == N_ROWS * 6  # each row once an epoch, for three networks
