"""A training that was interrupted continues to the same bits as one that was not."""

import contextlib
import dataclasses
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
import torch
import torch.nn.functional as F
from torch import nn

from sklearn_deep import (
    Checkpoint,
    CheckpointWarning,
    CNNAutoencoder,
    CNNClassifier,
    GaussianNoise,
    Mixup,
    MLPAutoencoder,
    MLPClassifier,
    MLPRegressor,
    ModuleClassifier,
    RNNClassifier,
    RNNRegressor,
    TabularClassifier,
    TabularRegressor,
)
from sklearn_deep.estimators.core._fit import prepare
from sklearn_deep.estimators.core._parts import FitArguments
from sklearn_deep.training._train import train
from sklearn_deep.training.job._job import OptimizerState
from sklearn_deep.training.job._optimizers import OPTIMIZERS
from sklearn_deep.training.job._schedules import SCHEDULES
from sklearn_deep.training.loop import _evaluations
from sklearn_deep.training.loop._run import Watcher

RNG = np.random.default_rng(0)
X = RNG.normal(size=(97, 5))
LABELS = (X[:, 0] + 0.3 * RNG.normal(size=97) > 0).astype(int)
IMAGES = RNG.normal(size=(60, 1, 6, 6))
SERIES = RNG.normal(size=(60, 7, 2))
EPOCHS = 7


class Interrupts(Watcher):
    """Counts epochs, and ends the process, as it were, within one of them."""

    def __init__(self, within=None):
        self.within, self.epochs = within, []

    def epoch_begin(self, run):
        if len(run.history) + 1 == self.within:
            raise KeyboardInterrupt

    def epoch_end(self, run, row):
        self.epochs.append(row["epoch"])
        return False


class Own(nn.Module):
    """Dropout and batch normalisation, and draws of its own."""

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.inner = nn.Linear(n_features, 8)
        self.norm = nn.BatchNorm1d(8)
        self.drop = nn.Dropout(0.3)
        self.outer = nn.Linear(8, n_outputs)

    def forward(self, x):
        h = F.dropout(self.inner(x).relu(), 0.2, self.training)
        return self.outer(self.drop(self.norm(h)))


def mlp(**params):
    return MLPClassifier((8, 6), **params), X, LABELS


def tabular(**params):
    return TabularClassifier(hidden_layer_sizes=(8,), **params), X, LABELS


# Each gives an estimator, X and y.
CASES = {
    **{
        f"{name} {dtype}": (mlp, {"optimizer": name, "dtype": dtype})
        for name in OPTIMIZERS
        for dtype in ("float32", "float64")
    },
    **{
        f"{name} warmup {warmup}": (
            mlp,
            {"learning_rate_schedule": name, "warmup": warmup},
        )
        for name in SCHEDULES
        for warmup in (0, 2.5)
    },
    "plateau that falls": (
        mlp,
        {
            "learning_rate_schedule": "plateau",
            "schedule_params": {"patience": 0, "factor": 0.5},
            "learning_rate": 0.3,
            "early_stopping": True,
        },
    ),
    "plateau of the mean training loss": (
        mlp,
        {
            "learning_rate_schedule": "plateau",
            "schedule_params": {"patience": 0, "factor": 0.5},
            "learning_rate": 0.5,
            "dropout": 0.5,
            "early_stopping": False,
        },
    ),
    "dropout": (mlp, {"dropout": 0.4}),
    "batch normalization": (mlp, {"normalization": "batch"}),
    "restored best": (
        mlp,
        {"early_stopping": True, "learning_rate": 0.1, "normalization": "batch"},
    ),
    "stopped early": (
        mlp,
        {"early_stopping": True, "n_iter_no_change": 3, "learning_rate": 0.5},
    ),
    "converged": (mlp, {"n_iter_no_change": 3, "tol": 0.2}),
    "score": (mlp, {"early_stopping": True, "monitor": "roc_auc"}),
    "penalties": (mlp, {"l1": 0.01, "l2": 0.1, "gradient_clip": 0.1}),
    "noise": (mlp, {"augmentation": GaussianNoise(0.3)}),
    "mixed rows": (mlp, {"augmentation": [GaussianNoise(0.1), Mixup()]}),
    "momentum and batches": (mlp, {"optimizer": "momentum", "batch_size": 96}),
    "lbfgs and batch normalization": (
        mlp,
        {"optimizer": "lbfgs", "normalization": "batch", "dropout": 0.2},
    ),
    "lbfgs that keeps the best": (
        mlp,
        {"optimizer": "lbfgs", "early_stopping": True, "weight_decay": 0.1},
    ),
    "sparse": (
        lambda **params: (MLPClassifier((8,), **params), sp.csr_matrix(X), LABELS),
        {},
    ),
    "regressor": (
        lambda **params: (MLPRegressor((8,), **params), X, X[:, :2]),
        {"loss": "gaussian"},
    ),
    "autoencoder": (
        lambda **params: (MLPAutoencoder((8,), **params), X, X),
        {"augmentation": GaussianNoise(0.1)},
    ),
    "cnn": (
        lambda **params: (CNNClassifier((4,), **params), IMAGES, LABELS[:60]),
        {"normalization": "batch", "early_stopping": True},
    ),
    "cnn autoencoder": (
        lambda **params: (CNNAutoencoder((4,), **params), IMAGES, IMAGES),
        {"normalization": "batch"},
    ),
    **{
        cell: (
            lambda **params: (RNNClassifier(6, **params), SERIES, LABELS[:60]),
            {"cell": cell, "dropout": 0.3, "num_layers": 2},
        )
        for cell in ("rnn", "lstm", "gru")
    },
    "sequences": (
        lambda **params: (
            RNNRegressor(6, **params),
            [list("abcde"[: 1 + i % 5]) for i in range(60)],
            X[:60, 0],
        ),
        {},
    ),
    "own module": (
        lambda **params: (ModuleClassifier(Own, **params), X, LABELS),
        {"early_stopping": True},
    ),
    "ensemble": (tabular, {"n_networks": 3, "validation": None}),
    "ensemble that holds out": (
        tabular,
        {"n_networks": 2, "validation": 0.2, "learning_rate": 0.3},
    ),
    "ensemble of folds": (tabular, {"n_networks": 3, "batch_size": 11}),
    "ensemble without averages": (tabular, {"n_networks": 2, "averaging": 0.0}),
    "one network with averages": (tabular, {"n_networks": 1}),
    "ensemble of spreads": (
        lambda **params: (
            TabularRegressor(hidden_layer_sizes=(8,), **params),
            X,
            X[:, 0],
        ),
        {"n_networks": 2, "loss": "gaussian"},
    ),
}


def make_job(name, folder=None, **checkpoint):
    """A fresh job; training changes its module."""
    make, params = CASES[name]
    settings = {"max_epochs": EPOCHS, "batch_size": 16, "random_state": 3, **params}
    network, features, y = make(**settings)
    given = FitArguments(features, y)
    job = prepare(network, given).job
    if folder is None:
        return job
    options = {"every_epochs": 1, "every_seconds": None, **checkpoint}
    return dataclasses.replace(job, checkpoint=Checkpoint(folder, **options))


def interrupted(job, within):
    with contextlib.suppress(KeyboardInterrupt):
        train(job, [Interrupts(within)])


def without_seconds(history):
    return repr([{k: v for k, v in row.items() if k != "seconds"} for row in history])


def assert_equal_bits(one, other):
    a, b = one.module.state_dict(), other.module.state_dict()
    assert a.keys() == b.keys()
    assert not [name for name in a if not torch.equal(a[name], b[name])]
    assert without_seconds(one.history) == without_seconds(other.history)
    assert one.best_epoch == other.best_epoch
    assert one.stop_reason == other.stop_reason


@pytest.mark.parametrize("name", CASES)
def test_an_interrupted_training_continues_to_the_same_bits(name, tmp_path):
    expected = train(make_job(name))
    n_epochs = len(expected.history)
    half = n_epochs // 2 + 2
    interrupted(make_job(name, tmp_path), 2)
    interrupted(make_job(name, tmp_path), half)
    seen = Interrupts()
    continued = train(make_job(name, tmp_path), [seen])
    assert_equal_bits(expected, continued)
    assert seen.epochs == list(range(half, n_epochs + 1))

    # A finished training is read, and not repeated.
    seen = Interrupts()
    read = train(make_job(name, tmp_path), [seen])
    assert_equal_bits(expected, read)
    assert repr(read.history) == repr(continued.history)
    assert seen.epochs == []
    assert not read.module.training


def test_an_interruption_may_follow_another(tmp_path):
    for within in range(2, EPOCHS + 1):
        interrupted(make_job("dropout", tmp_path), within)
    seen = Interrupts()
    result = train(make_job("dropout", tmp_path), [seen])
    assert_equal_bits(train(make_job("dropout")), result)
    assert seen.epochs == [EPOCHS]


def test_a_checkpoint_changes_no_result(tmp_path):
    plain = train(make_job("restored best"))
    stored = train(make_job("restored best", tmp_path, every_epochs=2))
    assert_equal_bits(plain, stored)


def test_seconds_go_on_where_they_were(tmp_path):
    interrupted(make_job("dropout", tmp_path), 5)
    history = train(make_job("dropout", tmp_path)).history
    seconds = [row["seconds"] for row in history]
    assert seconds == sorted(seconds)
    assert seconds[4] < 60  # and not the time since another process began


class Hurries(Watcher):
    """Makes every epoch take 300,000 seconds."""

    def epoch_begin(self, run):
        run._earlier += 3e5


def test_a_time_limit_counts_the_seconds_of_earlier_processes(tmp_path):
    job = make_job("dropout", tmp_path)
    stopping = dataclasses.replace(job.stopping, time_limit=1e6)
    with contextlib.suppress(KeyboardInterrupt):
        train(dataclasses.replace(job, stopping=stopping), [Hurries(), Interrupts(3)])
    job = dataclasses.replace(make_job("dropout", tmp_path), stopping=stopping)
    result = train(job, [Hurries()])
    assert (result.stop_reason, len(result.history)) == ("time_limit", 4)


def test_a_finished_state_holds_the_optimizer_only_where_training_may_go_on(tmp_path):
    def job(folder=None):
        return dataclasses.replace(make_job("dropout", folder), state=OptimizerState())

    expected = train(job())
    train(job(tmp_path))
    state = train(job(tmp_path)).state
    assert (state.step, state.epoch) == (expected.state.step, expected.state.epoch)
    for a, b in zip(expected.state.slots, state.slots, strict=True):
        assert torch.equal(a, b)


def test_a_state_is_removed_after_the_fit_where_that_is_asked_for(tmp_path):
    interrupted(make_job("dropout", tmp_path, on_done="remove"), 4)
    assert list(tmp_path.glob("*.state"))
    train(make_job("dropout", tmp_path, on_done="remove"))
    assert not list(tmp_path.glob("*.state"))


def test_a_long_search_of_lbfgs_begins_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(_evaluations, "_MOST_BYTES", 3000)
    name = "lbfgs float64"
    expected = train(make_job(name))
    interrupted(make_job(name, tmp_path), len(expected.history))
    seen = Interrupts()
    assert_equal_bits(expected, train(make_job(name, tmp_path), [seen]))
    assert len(seen.epochs) > 1


def test_a_search_of_lbfgs_that_another_scipy_repeats_otherwise_begins_anew(
    tmp_path, monkeypatch
):
    name = "lbfgs float64"
    expected = train(make_job(name))
    interrupted(make_job(name, tmp_path), 5)
    monkeypatch.setattr(_evaluations.Evaluations, "lead_to", lambda *_: False)
    seen = Interrupts()
    assert_equal_bits(expected, train(make_job(name, tmp_path), [seen]))
    assert seen.epochs[0] == 1


class Freezes(Watcher):
    def train_begin(self, run):
        next(run.job.module.parameters()).requires_grad_(False)


@pytest.mark.parametrize("name", ["dropout", "lbfgs float32"])
def test_other_parameters_in_training_are_named_and_training_begins_anew(
    name, tmp_path
):
    interrupted(make_job(name, tmp_path), 4)
    expected = train(make_job(name), [Freezes()])
    with pytest.warns(CheckpointWarning, match="begins anew"):
        result = train(make_job(name, tmp_path), [Freezes()])
    assert_equal_bits(expected, result)


def test_what_has_no_fingerprint_is_named_and_trained(tmp_path):
    job = dataclasses.replace(make_job("score", tmp_path), monitor=Unknown())
    with pytest.warns(CheckpointWarning, match="stores no state"):
        result = train(job)
    assert len(result.history) == EPOCHS


class Unknown:
    """A score that cannot be compared between processes."""

    def __call__(self, module):
        return 0.5

    def __reduce_ex__(self, protocol):
        raise TypeError("a lock, a file, a socket")


def test_nothing_is_stored_or_compared_without_a_checkpoint(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(make_job("dropout"))
    assert not list(tmp_path.iterdir())
