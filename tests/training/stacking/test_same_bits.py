"""A feed-forward network has the same bits alone and in a stack, whatever differs in it."""

import numpy as np
import pytest
import torch

from library_rounding import rounds_alike
from sklearn_deep import (
    MLPAutoencoder,
    MLPClassifier,
    MLPRegressor,
    TabularClassifier,
    TabularRegressor,
)
from sklearn_deep.estimators.core._fit import prepare
from sklearn_deep.estimators.core._parts import FitArguments
from sklearn_deep.training._train import train
from sklearn_deep.training.stacking._entries import Member
from sklearn_deep.training.stacking._stack import train_stack

needs_equal_rounding = pytest.mark.skipif(
    not rounds_alike(), reason="the library rounds one product otherwise than many"
)

N_ROWS = 113  # the last batch has a size that fills no register
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N_ROWS, 7))
LABELS = (X[:, 0] > 0).astype(int)
SEVERAL = RNG.integers(0, 3, N_ROWS)

# What differs between the networks of one stack.
DIFFERENT = {
    "seeds": [{"random_state": seed} for seed in range(3)],
    "dropout": [{"dropout": rate} for rate in (0.0, 0.2, 0.37)],
    "learning_rate": [{"learning_rate": rate} for rate in (0.001, 0.003, 0.01)],
    "weight_decay": [{"weight_decay": decay} for decay in (0.0, 0.1, 0.3)],
    "penalties": [{"l1": 0.01}, {"l2": 0.1}, {}],
    "gradient_clip": [{"gradient_clip": norm} for norm in (None, 0.1, 0.2)],
    "betas": [{"betas": betas} for betas in ((0.9, 0.99), (0.8, 0.999), (0.9, 0.95))],
}
ESTIMATORS = {
    "binary": (MLPClassifier, LABELS),
    "multiclass": (MLPClassifier, SEVERAL),
    "regressor": (MLPRegressor, X[:, 0]),
    "autoencoder": (MLPAutoencoder, X),
    "tabular": (TabularClassifier, LABELS),
    "tabular regressor": (TabularRegressor, X[:, 0]),
}


def assert_same_bits(cls, y, settings, **params):
    """Train networks alone and in one stack, and compare weights and losses."""
    params = {"batch_size": 32, "max_epochs": 3, "random_state": 0, **params}
    jobs = [
        [prepare(cls(**{**params, **own}), FitArguments(X, y)).job for own in settings]
        for _ in range(2)
    ]
    alone = [train(job, []) for job in jobs[0]]
    members = [Member(job) for job in jobs[1]]
    train_stack(members)
    for one, member in zip(alone, members, strict=True):
        stacked = member.result
        for (name, a), b in zip(
            one.module.state_dict().items(),
            stacked.module.state_dict().values(),
            strict=True,
        ):
            assert torch.equal(a, b), name
        for a, b in zip(one.history, stacked.history, strict=True):
            assert a["train_loss"] == b["train_loss"]


@needs_equal_rounding
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("different", DIFFERENT)
@pytest.mark.parametrize("name", ESTIMATORS)
def test_networks_of_a_stack_have_the_bits_of_single_ones(name, different, dtype):
    cls, y = ESTIMATORS[name]
    sizes = {"hidden_layer_sizes": (17, 16), "dtype": dtype}
    if name.startswith("tabular"):
        sizes["n_networks"] = 2
    assert_same_bits(cls, y, DIFFERENT[different], **sizes)


@needs_equal_rounding
@pytest.mark.parametrize(
    "optimizer", ["sgd", "momentum", "nesterov", "rmsprop", "adam"]
)
@pytest.mark.parametrize("different", ["learning_rate", "weight_decay"])
def test_every_optimizer_gives_the_same_bits(optimizer, different):
    params = {"hidden_layer_sizes": (17,), "optimizer": optimizer}
    assert_same_bits(MLPClassifier, LABELS, DIFFERENT[different], **params)


@needs_equal_rounding
@pytest.mark.parametrize("loss", ["absolute_error", "huber", "poisson", "gaussian"])
@pytest.mark.parametrize("activation", ["silu", "gelu", "tanh", "sigmoid", "selu"])
def test_every_loss_and_activation_gives_the_same_bits(loss, activation):
    y = np.abs(X[:, 0])
    params = {"hidden_layer_sizes": (17,), "loss": loss, "activation": activation}
    assert_same_bits(MLPRegressor, y, DIFFERENT["dropout"], **params)


@needs_equal_rounding
@pytest.mark.parametrize("residual", [False, True])
def test_layer_normalization_and_shortcuts_give_the_same_bits(residual):
    params = {
        "hidden_layer_sizes": (17, 17),
        "normalization": "layer",
        "residual": residual,
    }
    assert_same_bits(MLPClassifier, LABELS, DIFFERENT["seeds"], **params)
    assert_same_bits(MLPClassifier, LABELS, DIFFERENT["learning_rate"], **params)


@needs_equal_rounding
def test_a_wide_network_has_the_same_bits():
    params = {"hidden_layer_sizes": (256, 128), "max_epochs": 2}
    assert_same_bits(MLPClassifier, LABELS, DIFFERENT["learning_rate"], **params)
