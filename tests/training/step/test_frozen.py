"""What is frozen keeps its bits, whatever the optimizer does to the rest."""

import dataclasses

import numpy as np
import pytest
import torch

from sklearn_deep import CNNClassifier, MLPClassifier, TabularClassifier
from sklearn_deep.estimators.core._fit import prepare
from sklearn_deep.estimators.core._parts import FitArguments
from sklearn_deep.training._train import train
from sklearn_deep.training.stacking._entries import Member
from sklearn_deep.training.stacking._grouping import stack_key
from sklearn_deep.training.stacking._stack import train_stack

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 6))
Y = RNG.integers(0, 3, 90)
IMAGES = RNG.normal(size=(90, 6, 6, 1))

NETWORKS = {
    "mlp": (MLPClassifier, X, {"hidden_layer_sizes": (8, 8)}, "hidden."),
    "batch_norm": (
        MLPClassifier,
        X,
        {"hidden_layer_sizes": (8, 8), "normalization": "batch"},
        "hidden.",
    ),
    "cnn": (
        CNNClassifier,
        IMAGES,
        {"conv_channels": (4,), "normalization": "batch", "dtype": "float64"},
        "blocks.",
    ),
    "tabular": (
        TabularClassifier,
        X,
        {"n_networks": 2, "hidden_layer_sizes": (8, 8)},
        ("networks.0.hidden.", "networks.1.hidden."),
    ),
}
MOVERS = {
    "adamw": {"optimizer": "adamw", "weight_decay": 0.5},
    "momentum": {"optimizer": "momentum", "momentum": 0.9, "learning_rate": 0.01},
    "l1": {"l1": 0.1},
    "l2": {"l2": 0.1},
    "gradient_clip": {"gradient_clip": 0.01},
    "dropout": {"dropout": 0.3},
}


def job_of(network, seed=0, **params):
    cls, rows, of_network, prefix = NETWORKS[network]
    settings = {"batch_size": 32, "max_epochs": 2, "random_state": seed}
    estimator = cls(**{**settings, **of_network, **params})
    job = prepare(estimator, FitArguments(rows, Y)).job
    names = frozenset(k for k in job.module.state_dict() if k.startswith(prefix))
    return dataclasses.replace(job, frozen=names)


def bits(job):
    return {k: v.clone() for k, v in job.module.state_dict().items()}


def assert_only_the_rest_moved(before, job, after):
    for name, value in before.items():
        same = torch.equal(value, after[name])
        counter = name.endswith("num_batches_tracked")
        assert same == (name in job.frozen) or counter, name


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("mover", MOVERS)
def test_frozen_parameters_and_buffers_keep_their_bits(network, mover):
    job = job_of(network, **MOVERS[mover])
    before = bits(job)
    result = train(job)
    moving = {k: v for k, v in before.items() if "first" not in k}
    assert_only_the_rest_moved(moving, job, result.module.state_dict())
    assert all(p.requires_grad for p in result.module.parameters())


@pytest.mark.parametrize("network", ["mlp", "batch_norm", "cnn"])
def test_a_stack_keeps_the_bits_too_and_trains_as_one_network_alone(network):
    params = {"learning_rate": 0.01, "dropout": 0.2}
    alone = [train(job_of(network, seed, **params)) for seed in range(5)]
    jobs = [job_of(network, seed, **params) for seed in range(5)]
    before = [bits(job) for job in jobs]
    members = [Member(job) for job in jobs]
    train_stack(members)
    for member, job, start, single in zip(members, jobs, before, alone, strict=True):
        assert member.error is None
        after = member.result.module.state_dict()
        assert_only_the_rest_moved(start, job, after)
        for name, value in single.module.state_dict().items():
            torch.testing.assert_close(after[name], value, rtol=1e-5, atol=1e-6)
        assert all(p.requires_grad for p in member.result.module.parameters())


def test_what_is_frozen_is_not_among_the_values_of_the_optimizer():
    job = dataclasses.replace(job_of("mlp"), state=None)
    result = train(job)
    n_head = sum(p.numel() for p in result.module.output.parameters())
    (first, *_) = result.state.slots
    assert first.numel() < n_head + 32  # each parameter ends at a boundary in memory


def test_frozen_moments_leave_the_weights_of_a_batch_normalisation_trainable():
    job = job_of("batch_norm")
    moments = frozenset(name for name, _ in job.module.named_buffers())
    job = dataclasses.replace(job, frozen=moments)
    before = bits(job)
    after = train(job).module.state_dict()
    assert_only_the_rest_moved(before, job, after)
    assert all(torch.equal(before[name], after[name]) for name in moments)


def test_jobs_that_freeze_something_else_are_not_stacked():
    one, other = job_of("mlp"), job_of("mlp")
    assert stack_key(one) == stack_key(other)
    other = dataclasses.replace(other, frozen=frozenset())
    assert stack_key(one) != stack_key(other)
    slow = dataclasses.replace(one, rates={"output.weight": 0.1})
    assert stack_key(slow) != stack_key(one)


RATES = {"hidden.0.layers.0.weight": 0.1, "hidden.0.layers.0.bias": 0.0}


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("width", [8, 400])  # the fused update is for large networks
def test_rates_scale_the_steps_and_the_decay_of_single_parameters(optimizer, width):
    moved = {}
    for rates in (None, RATES):
        params = {"hidden_layer_sizes": (width,), "optimizer": optimizer}
        estimator = MLPClassifier(
            **params,
            weight_decay=0.3,
            learning_rate=0.1,
            learning_rate_schedule="constant",
            dtype="float32",
            batch_size=len(X),
            max_epochs=1,
            random_state=0,
        )
        job = prepare(estimator, FitArguments(X, Y)).job
        job = dataclasses.replace(job, rates=rates)
        before = bits(job)
        after = train(job).module.state_dict()
        moved[rates is None] = {k: after[k] - v for k, v in before.items()}
    for name, step in moved[True].items():
        factor = RATES.get(name, 1.0)
        torch.testing.assert_close(
            moved[False][name], factor * step, rtol=1e-3, atol=1e-6
        )


def test_rates_of_a_stack_are_those_of_each_network_alone():
    jobs = [dataclasses.replace(job_of("mlp", seed), rates=RATES) for seed in (0, 1)]
    twins = [dataclasses.replace(job_of("mlp", seed), rates=RATES) for seed in (0, 1)]
    jobs = [dataclasses.replace(job, frozen=frozenset()) for job in jobs]
    twins = [dataclasses.replace(job, frozen=frozenset()) for job in twins]
    members = [Member(job) for job in jobs]
    train_stack(members)
    for member, twin in zip(members, twins, strict=True):
        single = train(twin).module.state_dict()
        for name, value in member.result.module.state_dict().items():
            torch.testing.assert_close(value, single[name], rtol=1e-6, atol=1e-7)
