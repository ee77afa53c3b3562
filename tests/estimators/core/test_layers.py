"""The table of layers of a fitted network."""

import dataclasses
import pickle

import numpy as np
import pytest

from sklearn_deep import MLPClassifier, TabularClassifier
from sklearn_deep.estimators.core._fitted import fitted_of, with_fitted


@pytest.fixture
def network(iris):
    net = MLPClassifier((8, 4), normalization="batch", max_epochs=2, random_state=0)
    return net.fit(*iris)


def test_layers_has_a_row_for_each_layer_with_values(network):
    layers = network.layers_
    assert layers["layer"].tolist() == [
        "hidden.0.layers.0",
        "hidden.0.layers.1",
        "hidden.1.layers.0",
        "hidden.1.layers.1",
        "output",
    ]
    assert layers["kind"].tolist()[:2] == ["Linear", "BatchNorm"]
    assert layers["shape"].tolist() == [(8, 4), (8,), (4, 8), (4,), (3, 4)]
    total = sum(p.numel() for p in network.module_.parameters())
    assert layers["parameters"].sum() == total
    assert layers["trainable"].all()


def test_frozen_layers_are_not_trainable_and_a_pickle_remembers_it(network):
    names = tuple(n for n in network.module_.state_dict() if n.startswith("hidden.0."))
    fitted = dataclasses.replace(fitted_of(network), frozen=names)
    frozen = pickle.loads(pickle.dumps(with_fitted(network, fitted)))
    assert frozen.layers_["trainable"].tolist() == [False, False, True, True, True]


def test_partial_fit_goes_on_with_what_is_frozen(network, iris):
    names = tuple(n for n in network.module_.state_dict() if n.startswith("hidden."))
    fitted = dataclasses.replace(fitted_of(network), frozen=names)
    before = {k: v.clone() for k, v in network.module_.state_dict().items()}
    after = with_fitted(network, fitted).partial_fit(*iris).module_.state_dict()
    moved = {k for k, v in before.items() if not np.array_equal(v, after[k])}
    assert moved == {"output.weight", "output.bias"}


def test_layers_of_an_ensemble_are_those_of_all_its_networks(iris):
    net = TabularClassifier(hidden_layer_sizes=4, n_networks=2, max_epochs=2)
    layers = net.fit(*iris).layers_
    assert {name.split(".")[1] for name in layers["layer"]} == {"0", "1"}


def test_layers_are_missing_before_the_fit():
    with pytest.raises(AttributeError, match="no layers_ before it is fitted"):
        _ = MLPClassifier().layers_
