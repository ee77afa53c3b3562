"""Networks with fewer units: what goes, what stays, what they predict."""

import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from sklearn_deep import (
    CNNAutoencoder,
    CNNClassifier,
    InvalidParameterError,
    MLPAutoencoder,
    MLPClassifier,
    ModuleClassifier,
    RNNClassifier,
    Sliced,
    TabularClassifier,
)
from sklearn_deep.compression._widths import Widths
from sklearn_deep.estimators.core._parts import FitArguments

QUICK = {"max_epochs": 2, "random_state": 0, "dtype": "float64"}


def images(n=40):
    rng = np.random.default_rng(0)
    y = np.arange(n) % 3
    return rng.normal(size=(n, 8, 8, 1)) + y[:, None, None, None], y


def series(n=40):
    rng = np.random.default_rng(0)
    y = np.arange(n) % 3
    return rng.normal(size=(n, 12, 2)) + y[:, None, None], y


def table(n=40):
    rng = np.random.default_rng(0)
    y = np.arange(n) % 3
    return rng.normal(size=(n, 6)) + y[:, None], y


def words(n=40):
    rng = np.random.default_rng(0)
    y = np.arange(n) % 2
    return [
        " ".join(rng.choice(["a", "b", "c", "d"][k * 2 :], size=3 + i % 4))
        for i, k in enumerate(y)
    ], y


FAMILIES = {
    "mlp": (MLPClassifier((8, 6)), table),
    "mlp-batch": (MLPClassifier((8, 6), normalization="batch"), table),
    "mlp-layer": (MLPClassifier((8,), normalization="layer"), table),
    "mlp-selu-dropout": (MLPClassifier((8, 6), activation="selu", dropout=0.1), table),
    "mlp-residual": (MLPClassifier((8, 8, 12, 12), residual=True), table),
    "mlp-residual-inputs": (MLPClassifier((6, 6, 10), residual=True), table),
    "ensemble": (TabularClassifier((8, 6), n_networks=3), table),
    "ensemble-dropout": (
        TabularClassifier((8, 6), n_networks=2, activation="prelu", dropout=0.1),
        table,
    ),
    "cnn": (CNNClassifier((8, 4), hidden_layer_sizes=(6,)), images),
    "cnn-biases": (CNNClassifier((8, 4), normalization=None), images),
    "cnn-strided": (CNNClassifier((8, 4), pooling=None, stride=2), images),
    "cnn-residual": (CNNClassifier((4, 4, 8), residual=True), images),
    "cnn-even": (CNNClassifier((8, 4), kernel_size=4, normalization="layer"), series),
    "resnet": (CNNClassifier((4, 8, 8), architecture="resnet"), images),
    "resnet-series": (CNNClassifier((4, 8), architecture="resnet"), series),
    "fcn": (CNNClassifier((4, 8, 4), architecture="fcn"), series),
    "inception_time": (
        CNNClassifier((4,) * 4, kernel_size=8, architecture="inception_time"),
        series,
    ),
    "inception_time-two": (
        CNNClassifier((4,) * 6, kernel_size=8, architecture="inception_time"),
        series,
    ),
    "rnn": (RNNClassifier(8, cell="rnn"), series),
    "lstm": (RNNClassifier(8, cell="lstm", num_layers=2), series),
    "gru": (RNNClassifier(8, cell="gru", bidirectional=True, num_layers=2), series),
    "attention": (RNNClassifier(8, readout="attention"), series),
    "tokens": (RNNClassifier(8, readout="mean", embedding_dim=5), words),
    "autoencoder": (MLPAutoencoder((8, 6), code_size=3), table),
    "conv-autoencoder": (CNNAutoencoder((4, 8), code_size=3), images),
    "conv-autoencoder-three": (CNNAutoencoder((4, 6, 8), code_size=3), images),
}


@pytest.fixture(scope="module", params=FAMILIES)
def fitted(request):
    estimator, data = FAMILIES[request.param]
    X, y = data()
    return estimator.set_params(**QUICK).fit(X, y), X, y


def silence(network, share=0.5):
    """Let a share of the units of every layer give nothing."""
    widths = Widths(network)
    values = network.module_.state_dict()
    for width in widths.prunable:
        for root in width.roots:
            silent = torch.arange(width.size)[1::2][: round(share * width.size)]
            for name, axes in widths.units.axes.items():
                start = 0
                for segment in axes[0]:
                    if segment.group.root is root and "running" not in name:
                        n = segment.positions
                        for k in silent.tolist():
                            values[name][start + k * n : start + (k + 1) * n] = 0
                    start += segment.length


def outputs(estimator, X):
    method = "transform" if hasattr(estimator, "transform") else "predict_proba"
    return getattr(estimator, method)(X)


def n_values(estimator):
    return sum(p.numel() for p in estimator.module_.parameters())


def test_removing_silent_units_changes_no_output(fitted):
    network, X, y = fitted
    silence(network)
    before = outputs(network, X)
    small = Sliced(network, keep=0.5, fine_tune_epochs=0, prefit=True).fit(X, y)
    assert n_values(small) < n_values(network)
    # What goes into the mean of a layer's units is not silent.
    if getattr(network, "normalization", None) != "layer":
        assert_allclose(outputs(small, X), before, atol=1e-12)
    # The same class of module, built anew from parameters that say its widths.
    assert type(small.module_) is type(network.module_)
    assert_allclose(outputs(pickle.loads(pickle.dumps(small)), X), outputs(small, X))
    small.estimator_.partial_fit(X, y)


@pytest.fixture(scope="module")
def trained(iris):
    X, y = iris
    settings = {"max_epochs": 10, "learning_rate": 0.03, "random_state": 0}
    return MLPClassifier((16, 8), **settings).fit(X, y)


def sliced(trained, iris, **settings):
    settings = {"fine_tune_epochs": 0, "prefit": True, **settings}
    return Sliced(trained, **settings).fit(*iris)


def test_every_layer_keeps_its_share(trained, iris):
    small = sliced(trained, iris, keep=0.25)
    assert small.architecture_ == {"hidden_layer_sizes": [4, 2]}
    assert small.estimator_.get_params()["hidden_layer_sizes"] == (4, 2)


def test_layers_share_what_is_kept_with_scope_global(trained, iris):
    small = sliced(trained, iris, keep=0.5, scope="global")
    assert sum(small.architecture_["hidden_layer_sizes"]) == 12


def test_all_units_are_the_same_network(trained, iris):
    small = sliced(trained, iris, keep=1.0, fine_tune_epochs=3)
    assert small.estimator_.module_ is trained.module_


def test_the_units_that_are_kept_are_those_that_matter(iris):
    X, y = iris
    network = MLPClassifier((6,), activation="tanh", max_epochs=2, random_state=0)
    network.fit(X, y)
    hidden, output = network.module_.hidden[0].layers[0], network.module_.output
    with torch.no_grad():
        hidden.weight.fill_(0.1)
        hidden.bias.zero_()
        hidden.weight[[1, 2]] = 0  # constant, of whatever weight
        hidden.bias[1] = 2.0
        output.weight[:, 1] = 9.0
        output.weight[:, [0, 3]] = 1.0
        output.weight[:, [4, 5]] = 1e-6  # varying, of no weight
    small = sliced(network, iris, keep=1 / 3)
    assert_allclose(small.module_.output.weight.detach(), 1.0)
    assert_allclose(small.predict_proba(X), network.predict_proba(X), atol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_constant_outputs_of_removed_units_go_into_the_next_bias(dtype, iris):
    X, y = iris
    network = MLPClassifier(
        (8, 6), activation="tanh", max_epochs=1, dtype=dtype, random_state=0
    ).fit(X, y)
    with torch.no_grad():
        for block in network.module_.hidden:
            block.layers[0].weight[1::2] = 0
            block.layers[0].bias[1::2] = torch.linspace(-2, 2, 4)[
                : len(block.layers[0].bias) // 2
            ]
    small = sliced(network, iris, keep=0.5)
    assert small.architecture_ == {"hidden_layer_sizes": [4, 3]}
    assert_allclose(
        small.decision_function(X),
        network.decision_function(X),
        atol=1e-5 if dtype == "float32" else 1e-12,
    )


def test_rounds_shrink_the_network_step_by_step(trained, iris):
    model = Sliced(trained, keep=0.25, rounds=2, fine_tune_epochs=0)
    levels = list(model._levels(trained, FitArguments(*iris)))
    widths = [level.get_params()["hidden_layer_sizes"] for level in levels]
    assert widths == [(8, 4), (4, 2)]


def test_max_params_is_a_budget_that_is_used(trained, iris):
    for scope in ("layer", "global"):
        small = sliced(trained, iris, max_params=100, rounds=2, scope=scope)
        assert 70 < n_values(small) <= 100
    assert n_values(sliced(trained, iris, max_params=10**6)) == n_values(trained)


def test_max_latency_leaves_what_is_fast_enough(trained, iris):
    small = sliced(trained, iris, max_latency=10.0)
    assert n_values(small) == n_values(trained)
    with pytest.raises(ValueError, match="max_latency"):
        sliced(trained, iris, max_latency=1e-12)


def test_a_budget_that_cannot_be_met_is_an_error(trained, iris):
    with pytest.raises(ValueError, match="more than max_params"):
        sliced(trained, iris, max_params=5)


def test_an_empty_layer_is_an_error(trained, iris):
    with pytest.raises(ValueError, match="leave none of the 8 units"):
        sliced(trained, iris, keep=0.05)


@pytest.mark.parametrize("keep", [0, 1.5, -1])
def test_keep_is_a_share(keep, iris):
    with pytest.raises(InvalidParameterError, match="'keep'"):
        Sliced(MLPClassifier(), keep).fit(*iris)


def test_a_network_without_hidden_units_is_an_error(iris):
    with pytest.raises(ValueError, match="no hidden units"):
        Sliced(MLPClassifier((), max_epochs=1)).fit(*iris)


def test_a_module_of_ones_own_is_refused(iris):
    own = ModuleClassifier(linear, max_epochs=1)
    with pytest.raises(TypeError, match="Pruned takes any network"):
        Sliced(own).fit(*iris)


def linear(n_features, n_outputs):
    return nn.Linear(n_features, n_outputs)


def test_a_shortcut_between_layers_of_unlike_width_stays(iris):
    X, y = iris
    network = MLPClassifier((8, 7), residual=True, max_epochs=1, random_state=0)
    small = Sliced(network, keep=0.5, fine_tune_epochs=0).fit(X, y)
    assert small.architecture_ == {"hidden_layer_sizes": [5, 4]}
    assert isinstance(small.module_.hidden[1].shortcut, nn.Linear)


def test_weights_of_rows_count(rng):
    X = rng.normal(size=(60, 4))
    y = np.arange(60) % 2
    weight = rng.integers(1, 4, 60)
    network = MLPClassifier((12,), optimizer="gd", max_epochs=3, random_state=0)
    weighted = Sliced(network, fine_tune_epochs=2).fit(X, y, sample_weight=weight)
    repeated = Sliced(network, fine_tune_epochs=2)
    repeated.fit(np.repeat(X, weight, 0), np.repeat(y, weight))
    assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), rtol=1e-7)
