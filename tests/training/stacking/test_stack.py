"""A network is the same alone and in a stack, whatever else is in the stack."""

import copy

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits

from sklearn_deep import MLPClassifier, MLPRegressor, TrainingDivergedError
from sklearn_deep.nn._activations import ACTIVATIONS
from sklearn_deep.nn._initializers import INITIALIZERS
from sklearn_deep.nn._losses import LOSSES
from sklearn_deep.nn._mlp import NORMALIZATIONS
from sklearn_deep.nn._penalties import PENALTIES
from sklearn_deep.training.job._optimizers import OPTIMIZERS
from sklearn_deep.training.job._schedules import SCHEDULES
from sklearn_deep.training.loop._loop import train_alone
from sklearn_deep.training.loop._run import Watcher
from sklearn_deep.training.stacking._entries import Member
from sklearn_deep.training.stacking._grouping import reason_not_stackable, stack_key
from sklearn_deep.training.stacking._stack import train_stack
from sklearn_deep.training.step import _step

N_ROWS, N_FEATURES = 120, 6


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_ROWS, N_FEATURES))
    return {
        "X": X,
        "binary": (X[:, 0] + 0.5 * rng.normal(size=N_ROWS) > 0).astype(int),
        "classes": rng.integers(0, 3, N_ROWS) + (X[:, 1] > 0),
        "labels": (X[:, :3] > 0.3).astype(int),
        "target": X @ rng.normal(size=N_FEATURES) + rng.normal(size=N_ROWS),
        "targets": X @ rng.normal(size=(N_FEATURES, 2)),
        "counts": rng.poisson(np.exp(X[:, 0])),
        "weight": rng.uniform(0.5, 2, N_ROWS),
    }


def three(kind, own=({}, {}, {}), **common):
    """Three networks of one shape that differ in seed, and in what is their own."""
    settings = {
        "hidden_layer_sizes": (7, 5),
        "max_epochs": 6,
        "batch_size": 16,
        "learning_rate": 0.01,
        "n_iter_no_change": None,
        "early_stopping": False,
        **common,
    }
    return [
        kind(**{**settings, "random_state": k, **mine}) for k, mine in enumerate(own)
    ]


class Parity:
    """Trains jobs both ways; the rows of each are its own."""

    def __init__(self, make_job, X):
        self._make_job, self._X = make_job, X

    def jobs(self, networks, y, weights=None, rows=None):
        rows = rows or [slice(0, N_ROWS - 7 * k) for k in range(len(networks))]
        weights = weights or [None] * len(networks)
        return [
            self._make_job(
                network,
                self._X[r],
                y[r],
                sample_weight=None if weight is None else weight[r],
            )
            for network, r, weight in zip(networks, rows, weights, strict=True)
        ]

    def both(self, networks, y, **kwargs):
        alone = [train_alone(job) for job in self.jobs(networks, y, **kwargs)]
        members = [Member(job) for job in self.jobs(networks, y, **kwargs)]
        assert [reason_not_stackable(member) for member in members] == [None] * len(
            members
        )
        assert len({stack_key(member.job) for member in members}) == 1
        train_stack(members)
        for member in members:
            if member.error is not None:
                raise member.error
        return alone, [member.result for member in members]

    def check(self, networks, y, atol=1e-8, **kwargs):
        for one, other in zip(*self.both(networks, y, **kwargs), strict=True):
            assert_same_result(one, other, self._X, atol)


def assert_same_result(alone, stacked, X, atol):
    assert len(alone.history) == len(stacked.history)
    assert alone.best_epoch == stacked.best_epoch
    assert alone.stop_reason == stacked.stop_reason
    for one, other in zip(alone.history, stacked.history, strict=True):
        for name in ("train_loss", "valid_loss", "valid_score", "learning_rate"):
            assert one[name] == pytest.approx(other[name], abs=atol, nan_ok=True)
    first = next(alone.module.parameters())
    x = torch.as_tensor(X).to(first.dtype)
    with torch.no_grad():
        torch.testing.assert_close(
            alone.module(x), stacked.module(x), rtol=atol, atol=atol
        )
    for one, other in zip(
        alone.module.buffers(), stacked.module.buffers(), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=atol, atol=atol)


@pytest.fixture
def parity(make_job, data):
    return Parity(make_job, data["X"])


@pytest.mark.oldest
@pytest.mark.parametrize(
    ("activation", "normalization"),
    [
        # Each by itself; together they are slow.
        pytest.param(a, n, marks=[pytest.mark.slow] * (n is not None and a != "relu"))
        for a in ACTIVATIONS
        for n in (None, *NORMALIZATIONS)
    ],
)
def test_every_activation_and_normalisation(activation, normalization, parity, data):
    own = ({"dropout": 0.0}, {"dropout": 0.2}, {"dropout": [0.5, 0.1]})
    networks = three(
        MLPClassifier, own, activation=activation, normalization=normalization
    )
    parity.check(networks, data["classes"])


@pytest.mark.parametrize("how", INITIALIZERS)
def test_every_initial_value(how, parity, data):
    parity.check(three(MLPRegressor, weight_init=how, max_epochs=5), data["target"])


TARGETS = {"sigmoid": ["binary", "labels"], "softmax": ["classes"]}


@pytest.mark.parametrize(
    ("name", "kind", "target"),
    [
        (name, kind, target)
        for name, kind in LOSSES
        for target in TARGETS.get(
            kind, ["counts"] if name == "poisson" else ["target", "targets"]
        )
    ],
)
def test_every_loss_and_kind_of_target(name, kind, target, parity, data):
    estimator = MLPRegressor if kind == "real" else MLPClassifier
    parity.check(three(estimator, loss=name, dropout=0.1), data[target])


@pytest.mark.parametrize("name", ["log_loss", "brier", "focal"])
@pytest.mark.parametrize("target", ["binary", "classes", "labels"])
def test_label_smoothing_of_each(name, target, parity, data):
    own = [{"label_smoothing": s} for s in (0.0, 0.1, 0.3)]
    parity.check(three(MLPClassifier, own, loss=name), data[target])


@pytest.mark.parametrize("name", [n for n, row in OPTIMIZERS.items() if row.update])
def test_every_optimizer_with_numbers_of_each(name, parity, data):
    own = (
        {"learning_rate": 0.01, "momentum": 0.5, "betas": (0.9, 0.99)},
        {"learning_rate": 0.002, "momentum": 0.9, "betas": (0.8, 0.999)},
        {"learning_rate": 0.02, "momentum": 0.0, "betas": (0.9, 0.99)},
    )
    rows = [slice(0, 100)] * 3 if OPTIMIZERS[name].full_batch else None
    parity.check(three(MLPClassifier, own, optimizer=name), data["classes"], rows=rows)


@pytest.mark.parametrize("name", [*PENALTIES, "weight_decay"])
def test_every_penalty_of_each(name, parity, data):
    own = [{name: strength} for strength in (0.0, 0.001, 0.05)]
    parity.check(three(MLPRegressor, own), data["target"])


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule_in_one_stack_with_others(schedule, parity, data):
    params = {"plateau": {"patience": 0}, "step": {"every": 3}}.get(schedule)
    own = (
        {"learning_rate_schedule": schedule, "schedule_params": params},
        {"learning_rate_schedule": schedule, "schedule_params": params, "warmup": 2},
        {"learning_rate_schedule": "exponential", "max_epochs": 9},
    )
    parity.check(three(MLPRegressor, own, max_epochs=12), data["target"])


def test_clipping_of_each(parity, data):
    own = [{"gradient_clip": norm} for norm in (None, 1.0, 0.01)]
    parity.check(three(MLPRegressor, own), data["target"])


@pytest.mark.parametrize("normalization", [None, "batch"])
def test_early_stopping_of_each(normalization, parity, data):
    own = (
        {"early_stopping": True, "n_iter_no_change": 2},
        {"early_stopping": True, "n_iter_no_change": 40, "restore_best": False},
        {"early_stopping": True, "n_iter_no_change": 5, "validation_fraction": 0.4},
        {"n_iter_no_change": 3, "tol": 0.1},
        {"early_stopping": True, "monitor": "roc_auc", "n_iter_no_change": 4},
    )
    networks = three(
        MLPClassifier,
        own,
        normalization=normalization,
        dropout=0.2,
        max_epochs=60,
        learning_rate=0.05,
    )
    alone, _ = parity.both(networks, data["binary"])
    assert len({len(result.history) for result in alone}) > 2
    parity.check(networks, data["binary"])


def test_many_validation_parts_of_one_size_are_judged_at_once(parity, data):
    own = [{"early_stopping": True}] * 6
    rows = [slice(0, 100)] * 3 + [slice(10, 120)] * 3
    for target in ("binary", "classes", "labels"):
        parity.check(three(MLPClassifier, own, dropout=0.1), data[target], rows=rows)
    parity.check(three(MLPRegressor, own), data["targets"], rows=rows)


def test_class_and_sample_weights_of_each(parity, data):
    own = ({"class_weight": "balanced"}, {}, {"class_weight": {0: 3.0}})
    weights = [None, data["weight"], data["weight"]]
    parity.check(three(MLPClassifier, own), data["binary"], weights=weights)
    parity.check(three(MLPRegressor), data["target"], weights=weights)


def test_rows_that_overlap_or_not_and_of_any_number(parity, data):
    rows = [slice(0, 40), slice(10, 120), slice(80, 97), slice(0, 49), slice(0, 40)]
    networks = three(MLPClassifier, [{}] * 5, dropout=0.3, normalization="batch")
    parity.check(networks, data["binary"], rows=rows)


@pytest.mark.parametrize("residual", [False, True])
def test_float32_agrees_to_rounding(residual, make_job, data):
    X = data["X"].astype(np.float32)
    networks = three(
        MLPClassifier, [{"dropout": 0.2}] * 3, residual=residual, max_epochs=5
    )
    Parity(make_job, X).check(networks, data["classes"], atol=1e-3)


def test_networks_of_a_real_set_agree_in_float32(make_job):
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)[:600]
    networks = three(
        MLPClassifier,
        [{"dropout": d, "early_stopping": True} for d in (0.0, 0.2, 0.4)],
        hidden_layer_sizes=(64,),
        batch_size=32,
        max_epochs=5,
    )
    Parity(make_job, X).check(
        networks, y, atol=1e-3, rows=[slice(0, 600), slice(0, 590), slice(0, 600)]
    )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("normalization", [None, "batch"])
def test_networks_on_a_gpu_agree(normalization, parity, data):
    networks = three(
        MLPClassifier,
        [{"dropout": d, "early_stopping": True} for d in (0.0, 0.2, 0.4)],
        normalization=normalization,
        max_epochs=5,
        device="cuda",
    )
    alone, stacked = parity.both(networks, data["classes"])
    for one, other in zip(alone, stacked, strict=True):
        for tensor, same in zip(
            one.module.parameters(), other.module.parameters(), strict=True
        ):
            torch.testing.assert_close(tensor, same, rtol=1e-3, atol=1e-3)


def test_a_network_that_diverges_fails_alone(parity, data):
    own = ({}, {"learning_rate": 1e160, "optimizer": "sgd"}, {})
    networks = three(MLPRegressor, own, optimizer="sgd")
    members = [Member(job) for job in parity.jobs(networks, data["target"])]
    train_stack(members)
    assert isinstance(members[1].error, TrainingDivergedError)
    assert members[1].result is None
    for k in (0, 2):
        (job,) = parity.jobs(
            [networks[k]], data["target"], rows=[slice(0, N_ROWS - 7 * k)]
        )
        assert_same_result(train_alone(job), members[k].result, data["X"], 1e-8)


class Fails(Watcher):
    def __init__(self, where, epoch=2):
        self._where, self._epoch = where, epoch

    def __getattribute__(self, name):
        if name in ("train_begin", "epoch_begin", "epoch_end", "train_end"):
            return object.__getattribute__(self, "_at")(name)
        return object.__getattribute__(self, name)

    def _at(self, name):
        def call(run, *args):
            if name == self._where and (len(run.history) >= self._epoch):
                raise OSError(name)

        return call


@pytest.mark.parametrize("where", ["epoch_begin", "epoch_end", "train_end"])
def test_a_watcher_that_fails_ends_its_own_network_only(where, parity, data):
    jobs = parity.jobs(three(MLPRegressor, max_epochs=5), data["target"])
    members = [Member(jobs[0]), Member(jobs[1], [Fails(where)]), Member(jobs[2])]
    train_stack(members)
    assert isinstance(members[1].error, OSError)
    assert [len(m.result.history) for m in members[::2]] == [5, 5]


def test_a_watcher_that_fails_at_the_start_ends_its_own_network_only(parity, data):
    jobs = parity.jobs(three(MLPRegressor, max_epochs=5), data["target"])
    members = [Member(jobs[0]), Member(jobs[1], [Fails("train_begin", 0)])]
    train_stack(members)
    assert isinstance(members[1].error, OSError)
    assert len(members[0].result.history) == 5


class Sees(Watcher):
    def __init__(self):
        self.rows = []

    def epoch_end(self, run, row):
        self.rows.append((row, copy.deepcopy(run.job.module.state_dict())))
        return row["epoch"] == 4


def test_watchers_see_each_epoch_of_their_own_network_and_may_stop_it(parity, data):
    networks = three(MLPRegressor, max_epochs=6, dropout=0.1)
    seen = []
    for together in (False, True):
        watchers = [Sees() for _ in networks]
        jobs = parity.jobs(networks, data["target"])
        if together:
            train_stack([Member(j, [w]) for j, w in zip(jobs, watchers, strict=True)])
        else:
            for job, watcher in zip(jobs, watchers, strict=True):
                assert train_alone(job, [watcher]).stop_reason == "callback"
        seen.append(watchers)
    for alone, stacked in zip(*seen, strict=True):
        assert len(alone.rows) == len(stacked.rows) == 4
        for (_, one), (_, other) in zip(alone.rows, stacked.rows, strict=True):
            for name, tensor in one.items():
                torch.testing.assert_close(tensor, other[name], rtol=1e-8, atol=1e-8)


def test_nobody_waits_for_a_cancelled_network(parity, data):
    class Cancels(Watcher):
        def epoch_end(self, run, row):
            members[1].cancelled = True

    jobs = parity.jobs(three(MLPRegressor, max_epochs=5), data["target"])
    members = [Member(jobs[0], [Cancels()]), Member(jobs[1]), Member(jobs[2])]
    train_stack(members)
    assert not members[1].ended
    assert [len(m.result.history) for m in members[::2]] == [5, 5]


def test_a_result_keeps_no_memory_of_the_stack(parity, data):
    networks = three(MLPClassifier, normalization="batch", max_epochs=3)
    _, stacked = parity.both(networks, data["classes"])
    for result in stacked:
        for tensor in (*result.module.parameters(), *result.module.buffers()):
            own = tensor.numel() * tensor.element_size()
            assert tensor.untyped_storage().nbytes() == own
        assert all(p.grad is None for p in result.module.parameters())
        assert not result.module.training


def test_going_on_in_a_stack_is_going_on_alone(make_job, data):
    X, y = data["X"], data["classes"]
    networks = [
        MLPClassifier((5,), batch_size=16, random_state=k, dropout=0.2).partial_fit(
            X, y
        )
        for k in range(3)
    ]
    results = []
    for together in (False, True):
        jobs = [make_job(network, X, y, incremental=True) for network in networks]
        if together:
            members = [Member(job) for job in jobs]
            train_stack(members)
            results.append([member.result for member in members])
        else:
            results.append([train_alone(job) for job in jobs])
    for one, other in zip(*results, strict=True):
        assert_same_result(one, other, X, 1e-8)
        assert (one.state.step, one.state.epoch) == (
            other.state.step,
            other.state.epoch,
        )
        for slot, same in zip(one.state.slots, other.state.slots, strict=True):
            torch.testing.assert_close(slot, same, rtol=1e-8, atol=1e-10)


def test_the_seconds_of_a_stack_are_shared_out(parity, data):
    _, stacked = parity.both(three(MLPRegressor), data["target"])
    seconds = [row["seconds"] for row in stacked[0].history]
    assert (np.diff(seconds) > 0).all()


@pytest.mark.parametrize("normalization", [None, "batch"])
def test_large_networks_with_numbers_of_each_agree(
    normalization, monkeypatch, parity, data
):
    """Their update is another one: a single pass over each."""
    monkeypatch.setattr(_step, "_LARGE", 1)
    own = (
        {"learning_rate": 0.01, "weight_decay": 0.1, "dropout": 0.2},
        {"learning_rate": 0.002, "weight_decay": 0.0, "dropout": 0.2},
        {"learning_rate": 0.02, "betas": (0.8, 0.99), "dropout": 0.2},
    )
    networks = three(MLPClassifier, own, normalization=normalization)
    parity.check(networks, data["classes"])


def test_a_shape_of_its_own_does_not_stack(make_job, data):
    X, y = data["X"], data["classes"]
    base = MLPClassifier((5,), batch_size=16, dropout=0.1)

    def key(**changed):
        return stack_key(make_job(clone(base).set_params(**changed), X, y))

    for changed in (
        {"hidden_layer_sizes": (6,)},
        {"activation": "tanh"},
        {"batch_size": 8},
        {"optimizer": "sgd"},
        {"loss": "brier"},
        {"normalization": "layer"},
        {"residual": True},
        {"dtype": "float32"},
        {"loss": "focal", "loss_params": {"gamma": 1.0}},
    ):
        assert key() != key(**changed)
    for changed in (
        {"dropout": 0.0},
        {"learning_rate": 1.0},
        {"random_state": 3},
        {"learning_rate_schedule": "constant"},
        {"weight_init": "normal"},
        {"max_epochs": 7},
        {"early_stopping": True},
    ):
        assert key() == key(**changed)
