"""Networks with zeros: where they are, and that they stay."""

import copy

import joblib
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.frozen import FrozenEstimator
from torch import nn

from sklearn_deep import (
    CNNClassifier,
    MLPClassifier,
    ModuleClassifier,
    Pruned,
    RNNClassifier,
)
from sklearn_deep.compression._importance import IMPORTANCES
from sklearn_deep.compression._prune import _cubic, _sparsity
from sklearn_deep.estimators._data import FitArguments
from sklearn_deep.training._optimizers import OPTIMIZERS

QUICK = {"max_epochs": 4, "learning_rate": 0.03, "random_state": 0}


def zeros(network):
    return {
        name: (p == 0).numpy()
        for name, p in network.module_.named_parameters()
        if p.ndim >= 2
    }


def test_the_weakest_connections_become_zero_and_the_others_stay(iris):
    network = MLPClassifier((8, 6), **QUICK).fit(*iris)
    model = Pruned(
        FrozenEstimator(network), 0.6, method="magnitude", fine_tune_epochs=0
    )
    model.fit(*iris)
    before = [p.detach() for p in network.module_.parameters() if p.ndim > 1]
    after = [p.detach() for p in model.module_.parameters() if p.ndim > 1]
    flat, pruned = (
        torch.cat([p.flatten() for p in before]),
        torch.cat([p.flatten() for p in after]),
    )
    n_zeros = int((pruned == 0).sum())
    assert n_zeros == round(0.6 * len(flat))
    assert torch.equal(pruned[pruned != 0], flat[pruned != 0])
    assert flat[pruned == 0].abs().max() <= flat[pruned != 0].abs().min()
    assert model.sparsity_["all"] == n_zeros / len(flat)


def test_each_layer_loses_its_share_with_scope_layer(iris):
    model = Pruned(MLPClassifier((10, 10), **QUICK), 0.7, scope="layer").fit(*iris)
    assert_allclose(list(model.sparsity_.values()), 0.7, atol=0.02)
    assert set(model.sparsity_) == {
        "hidden.0.layers.0",
        "hidden.1.layers.0",
        "output",
        "all",
    }


def test_no_layer_is_left_without_a_connection(iris):
    model = Pruned(MLPClassifier((8,), **QUICK), 0.99, fine_tune_epochs=1).fit(*iris)
    assert all(not empty.all() for empty in zeros(model).values())


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_zeros_stay_zero_under_every_optimizer(optimizer, iris):
    X, y = iris
    network = MLPClassifier((8, 6), l1=1e-3, l2=1e-3, gradient_clip=1.0, **QUICK)
    frozen = FrozenEstimator(network.set_params(optimizer=optimizer).fit(X, y))
    how = {"amount": 0.5, "schedule": "one_shot"}
    bare = Pruned(frozen, fine_tune_epochs=0, **how).fit(X, y)
    tuned = Pruned(frozen, fine_tune_epochs=3, **how).fit(X, y)
    for name, empty in zeros(bare).items():
        assert (zeros(tuned)[name] == empty).all()
    assert not torch.equal(tuned.module_.output.weight, bare.module_.output.weight)


def by_autograd(n_features, n_outputs):
    return nn.Sequential(
        nn.Linear(n_features, 8), nn.Softplus(), nn.Linear(8, n_outputs)
    )


@pytest.mark.parametrize(
    "network",
    [
        MLPClassifier((8,), normalization="batch", batch_size=16, **QUICK),
        ModuleClassifier(by_autograd, **QUICK),
        CNNClassifier((4,), input_shape=(4,), spatial_dims=1, **QUICK),
        RNNClassifier(4, **QUICK),
    ],
    ids=lambda network: type(network).__name__,
)
def test_zeros_stay_zero_in_every_kind_of_network(network, iris):
    model = Pruned(network, 0.5, fine_tune_epochs=2).fit(*iris)
    assert model.sparsity_["all"] == pytest.approx(0.5, abs=0.01)


def test_embeddings_are_not_pruned():
    texts = ["a b c", "b c d a", "d d", "a c"] * 5
    y = np.arange(20) % 2
    model = Pruned(RNNClassifier(4, embedding_dim=3, **QUICK), 0.8).fit(texts, y)
    assert (model.module_.embedding.table.weight != 0).all()
    assert "embedding.table" not in model.sparsity_


def test_a_gradual_schedule_prunes_more_from_epoch_to_epoch(iris):
    model = Pruned(
        MLPClassifier((8, 6), **QUICK), 0.8, schedule="gradual", fine_tune_epochs=20
    )
    network = MLPClassifier((8, 6), **QUICK).fit(*iris)
    from_given = model._levels(network, FitArguments(*iris))
    levels = [_sparsity(level)["all"] for level in from_given]
    assert levels == sorted(levels)
    assert len(levels) == 5
    assert levels[-1] == pytest.approx(0.8, abs=0.01)
    assert_allclose(levels[:-1], [0.8 * _cubic(i, 4) for i in range(4)], atol=0.01)


def test_the_gradient_method_keeps_what_the_loss_needs(rng):
    X = rng.normal(size=(200, 6))
    X[:, 3:] *= 1e-3  # whatever their weights, they change nothing
    y = X[:, 0] > 0
    network = MLPClassifier((), **{**QUICK, "max_epochs": 20}).fit(X, y)
    with torch.no_grad():
        network.module_.output.weight[:, 3:] = 5.0
    settings = {"prefit": True, "fine_tune_epochs": 0}
    kept = Pruned(network, 0.5, method="gradient", **settings).fit(X, y)
    assert kept.score(X, y) > 0.9
    lost = Pruned(network, 0.5, method="magnitude", **settings).fit(X, y)
    assert lost.score(X, y) < 0.9


def test_lamp_does_not_mind_the_scale_of_a_layer(iris):
    network = MLPClassifier((8, 6), **QUICK).fit(*iris)
    other = copy.deepcopy(network)
    with torch.no_grad():
        other.module_.hidden[0].layers[0].weight *= 1e-3
    settings = {"method": "lamp", "prefit": True, "fine_tune_epochs": 0}
    models = [Pruned(n, 0.7, **settings).fit(*iris) for n in (network, other)]
    assert models[0].sparsity_ == models[1].sparsity_
    emptied = Pruned(other, 0.7, **{**settings, "method": "magnitude"}).fit(*iris)
    assert emptied.sparsity_["hidden.0.layers.0"] > 0.9


@pytest.mark.parametrize("scope", ["global", "layer"])
@pytest.mark.parametrize("method", IMPORTANCES)
def test_every_method_prunes_the_amount(method, scope, iris):
    model = Pruned(MLPClassifier((8, 6), **QUICK), 0.5, method=method, scope=scope)
    model.fit(*iris)
    assert model.sparsity_["all"] == pytest.approx(0.5, abs=0.02)


def test_stacked_fine_tuning_gives_the_same_networks(iris):
    X, y = iris
    models = [
        Pruned(MLPClassifier((8,), **QUICK), amount, fine_tune_epochs=3)
        for amount in (0.3, 0.5, 0.7)
    ]
    alone = [model.fit(X, y).predict_proba(X) for model in models]
    fit = joblib.delayed(lambda model: model.fit(X, y).predict_proba(X))
    with joblib.parallel_config(backend="stacked"):
        stacked = joblib.Parallel(n_jobs=3)(fit(model) for model in models)
    assert_allclose(stacked, alone, atol=1e-6)
