"""Networks with zeros: where they are, and that they stay."""

import copy
import pickle

import joblib
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from torch import nn

from sklearn_deep import (
    CNNClassifier,
    MLPAutoencoder,
    MLPClassifier,
    MLPRegressor,
    ModuleClassifier,
    NetworkFeatures,
    Pruned,
    Quantized,
    RNNClassifier,
    Sliced,
)
from sklearn_deep.compression._importance import IMPORTANCES
from sklearn_deep.compression._prune import _cubic, _sparsity
from sklearn_deep.estimators.core._parts import FitArguments
from sklearn_deep.training.job._optimizers import OPTIMIZERS

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


# Training that goes on


def same_zeros(network, expected):
    """Whether exactly those weights are zero, and others have moved."""
    found = zeros(network)
    return all((found[name] == expected[name]).all() for name in expected)


@pytest.mark.parametrize(
    "params",
    [
        *({"optimizer": name} for name in OPTIMIZERS),
        {"l1": 0.01, "l2": 0.01, "weight_decay": 0.1},
        {"gradient_clip": 0.1, "weight_decay": 0.5},
        {"dropout": 0.2, "batch_size": 16, "normalization": "batch"},
        {"learning_rate": "auto"},
        {"dtype": "float64"},
    ],
    ids=str,
)
def test_zeros_stay_zero_in_partial_fit_and_warm_starts(params, iris):
    X, y = iris
    network = MLPClassifier((8, 6), **{**QUICK, **params})
    model = Pruned(network, 0.6, fine_tune_epochs=2).fit(X, y)
    pruned, before = model.estimator_, zeros(model)
    if params.get("optimizer") != "lbfgs":
        weights = pruned.module_.output.weight.detach().clone()
        for _ in range(3):
            pruned.partial_fit(X, y)
        assert same_zeros(pruned, before)
        assert not torch.equal(pruned.module_.output.weight, weights)
    pruned.set_params(warm_start=True).fit(X, y)
    assert same_zeros(pruned, before)


def test_zeros_stay_zero_with_another_optimizer_and_without_the_earlier_momentum(iris):
    X, y = iris
    network = MLPClassifier((8, 6), **QUICK, optimizer="momentum").fit(X, y)
    for _ in range(3):
        network.partial_fit(X, y)  # leaves momentum in every weight
    pruned = Pruned(network, 0.6, fine_tune_epochs=0, prefit=True).fit(X, y).estimator_
    before = zeros(pruned)
    pruned.partial_fit(X, y)
    assert same_zeros(pruned, before)
    pruned.set_params(optimizer="adam").partial_fit(X, y)
    assert same_zeros(pruned, before)


@pytest.mark.parametrize(
    "network",
    [
        MLPRegressor((8, 6), residual=True, **QUICK),
        MLPAutoencoder((8,), code_size=2, **QUICK),
        ModuleClassifier(by_autograd, **QUICK),
        CNNClassifier((4,), input_shape=(4,), spatial_dims=1, **QUICK),
        RNNClassifier(4, bidirectional=True, **QUICK),
    ],
    ids=lambda network: type(network).__name__,
)
@pytest.mark.parametrize(
    "copied",
    [lambda m: m, lambda m: pickle.loads(pickle.dumps(m)), copy.deepcopy],
    ids=["itself", "pickled", "copied"],
)
def test_zeros_stay_zero_in_every_network_and_in_its_copies(network, copied, iris):
    model = Pruned(network, 0.5, fine_tune_epochs=1).fit(*iris)
    before, pruned = zeros(model), copied(model).estimator_
    pruned.partial_fit(*iris).set_params(warm_start=True).fit(*iris)
    assert same_zeros(pruned, before)


def test_other_compressions_train_around_the_zeros_after_partial_fit(iris):
    X, y = iris
    model = Pruned(MLPClassifier((16, 8), **QUICK), 0.6, fine_tune_epochs=1).fit(X, y)
    frozen = FrozenEstimator(model.estimator_.partial_fit(X, y))
    before = model.sparsity_["all"]
    whole = Quantized(frozen, fine_tune_epochs=2).fit(X, y)
    counts = [
        int((p != 0).sum())
        for name, p in whole.module_.named_buffers()
        if name.endswith("weight")
    ]
    assert sum(counts) <= sum(int((~z).sum()) for z in zeros(model).values())
    half = Sliced(frozen, 0.5, fine_tune_epochs=0).fit(X, y)
    tuned = Sliced(frozen, 0.5, fine_tune_epochs=3).fit(X, y)
    assert same_zeros(tuned, zeros(half))
    assert same_zeros(tuned.estimator_.partial_fit(X, y), zeros(half))
    more = Pruned(frozen, 0.8, fine_tune_epochs=2).fit(X, y)
    assert more.sparsity_["all"] == pytest.approx(0.8, abs=0.02)
    less = Pruned(frozen, 0.2, fine_tune_epochs=5).fit(X, y)
    assert less.sparsity_["all"] == before
    features = NetworkFeatures(FrozenEstimator(less)).fit(X, y)
    assert same_zeros(features.estimator_.partial_fit(X, y), zeros(model))


@pytest.mark.parametrize("fresh", [clone, lambda network: network])
def test_a_fresh_fit_is_dense(fresh, iris):
    model = Pruned(MLPClassifier((8, 6), **QUICK), 0.6, fine_tune_epochs=1).fit(*iris)
    network = fresh(model.estimator_).fit(*iris)
    dense = MLPClassifier((8, 6), **QUICK).fit(*iris)
    for a, b in zip(
        network.module_.parameters(), dense.module_.parameters(), strict=True
    ):
        assert torch.equal(a, b)
    network.partial_fit(*iris)
    assert not any(empty.any() for empty in zeros(network).values())


def test_stacked_warm_starts_leave_the_zeros_of_each_network(iris):
    X, y = iris
    models = [
        Pruned(MLPClassifier((8,), **QUICK), amount, fine_tune_epochs=1).fit(X, y)
        for amount in (0.3, 0.5, 0.0)
    ]
    networks = [m.estimator_.set_params(warm_start=True) for m in models]
    before = [zeros(network) for network in networks]
    alone = [copy.deepcopy(n).fit(X, y).predict_proba(X) for n in networks]
    with joblib.parallel_config(backend="stacked"):
        joblib.Parallel(n_jobs=3)(joblib.delayed(n.fit)(X, y) for n in networks)
    assert all(map(same_zeros, networks, before))
    assert_allclose([n.predict_proba(X) for n in networks], alone, atol=1e-6)


def test_a_kept_weight_that_happens_to_be_zero_is_trained_again(iris):
    X, y = iris
    pruned = Pruned(MLPClassifier((8,), max_epochs=3, random_state=0), amount=0.5)
    network = pruned.fit(X, y).estimator_
    mask = network._fitted.weight_mask["output.weight"]
    weight = network.module_.output.weight
    place = tuple(mask.nonzero()[0])
    with torch.no_grad():
        weight[place] = 0.0
    network = pickle.loads(pickle.dumps(network)).partial_fit(X, y)
    weight = network.module_.output.weight
    assert weight[place] != 0
    assert (weight[mask == 0] == 0).all()
