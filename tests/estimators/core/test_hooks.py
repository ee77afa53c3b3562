"""``module_`` takes hooks of every kind, as explainers hang them into a network."""

import copy
import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from skorch.callbacks import Callback
from torch import nn

from sklearn_deep import (
    CNNAutoencoder,
    CNNClassifier,
    MLPAutoencoder,
    MLPClassifier,
    MLPRegressor,
    ModuleClassifier,
    Pruned,
    RNNClassifier,
    Sliced,
)
from sklearn_deep.nn._activations import ACTIVATIONS
from sklearn_deep.nn._cnn import ARCHITECTURES

rng = np.random.default_rng(0)
TABLE = rng.normal(size=(40, 5)).astype("float32")
IMAGES = rng.normal(size=(24, 8, 8, 1)).astype("float32")
SERIES = rng.normal(size=(24, 20, 2)).astype("float32")
RELU = {"activation": "relu", "max_epochs": 1, "random_state": 0}


class Own(nn.Module):
    """Uses what goes into the rectifier again behind it."""

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.hidden = nn.Linear(n_features, 4)
        self.relu = nn.ReLU()
        self.output = nn.Linear(4, n_outputs)

    def forward(self, x):
        z = self.hidden(x)
        return self.output(self.relu(z) + z)


NETWORKS = {
    **{
        f"MLP of {name}": (
            MLPClassifier((6, 6), **{**RELU, "activation": name}),
            TABLE,
        )
        for name in ACTIVATIONS
    },
    **{
        f"MLP with {key}={value}": (
            MLPClassifier((6, 6), **{key: value}, **RELU),
            TABLE,
        )
        for key, value in [
            ("normalization", "batch"),
            ("normalization", "layer"),
            ("residual", True),
            ("dropout", 0.5),
        ]
    },
    "regressor": (MLPRegressor((6, 6), **RELU), TABLE),
    "autoencoder": (MLPAutoencoder(**RELU), TABLE),
    **{
        f"{architecture} over {kind}": (
            CNNClassifier(
                architecture=architecture, conv_channels=(4, 4, 4), **RELU
            ),
            X,
        )
        for architecture in ARCHITECTURES
        for kind, X in [("images", IMAGES), ("series", SERIES)]
    },
    "residual CNN": (CNNClassifier(residual=True, **RELU), IMAGES),
    "CNN autoencoder": (CNNAutoencoder(**RELU), IMAGES),
    "RNN": (RNNClassifier(max_epochs=1, random_state=0), SERIES),
    "own module": (ModuleClassifier(Own, max_epochs=1, random_state=0), TABLE),
    "pruned": (Pruned(MLPClassifier((6, 6), **RELU), fine_tune_epochs=1), TABLE),
    "sliced": (Sliced(MLPClassifier((6, 6), **RELU), fine_tune_epochs=1), TABLE),
}  # fmt: skip


@pytest.fixture(scope="module", params=NETWORKS)
def fitted(request):
    estimator, X = NETWORKS[request.param]
    estimator.fit(X, (np.arange(len(X)) % 3).astype(float))
    return getattr(estimator, "estimator_", estimator), X


def outputs(estimator, X):
    names = ("predict_proba", "predict", "transform")
    return getattr(estimator, next(n for n in names if hasattr(estimator, n)))(X)


def rectifiers(module):
    return [m for m in module.modules() if isinstance(m, nn.ReLU)]


def gradient(module, X):
    x = torch.from_numpy(X[:6]).requires_grad_()
    module(x).square().sum().backward()
    module.zero_grad()
    return x.grad


def test_full_backward_hooks_see_gradients_and_change_none(fitted):
    estimator, X = fitted
    module = copy.deepcopy(estimator.module_)
    wanted = gradient(module, X)
    seen = []
    for child in module.modules():
        child.register_full_backward_hook(lambda m, into, out: seen.append(out[0]))
    assert torch.allclose(gradient(module, X), wanted, atol=1e-6)
    assert len(seen) >= len([c for c in module.modules() if not list(c.children())]) - 2
    assert all(torch.isfinite(g).all() for g in seen if g is not None)


def test_forward_hooks_see_values_that_stay(fitted):
    estimator, X = fitted
    before = outputs(estimator, X)
    seen, handles = [], []

    def note(module, inputs, output):
        tensors = [t for t in (*inputs, output) if isinstance(t, torch.Tensor)]
        seen.extend((t, t.clone()) for t in tensors)

    for child in estimator.module_.modules():
        handles.append(child.register_forward_hook(note))
    hooked = outputs(estimator, X)
    for handle in handles:
        handle.remove()
    assert seen
    assert all(torch.equal(now, then) for now, then in seen)
    assert_array_equal(hooked, before)


def test_no_rectifier_works_in_place_nor_twice(fitted):
    estimator, X = fitted
    outputs(estimator, X)
    for module in (
        estimator.module_,
        pickle.loads(pickle.dumps(estimator)).module_,
        copy.deepcopy(estimator).module_,
    ):
        calls = []
        for layer in rectifiers(module):
            assert not layer.inplace
            assert type(layer) is nn.ReLU
            layer.register_forward_hook(lambda m, *_, calls=calls: calls.append(m))
        module(torch.from_numpy(X[:3]))
        assert len(calls) == len(set(calls)) == len(rectifiers(module))
    for layer in rectifiers(estimator.module_):
        layer._forward_hooks.clear()


def test_predictions_are_those_of_the_module(fitted):
    estimator, X = fitted
    with torch.no_grad():
        wanted = estimator.module_(torch.from_numpy(X)).numpy()
    assert_allclose(estimator._raw(X).numpy(), wanted, rtol=1e-4, atol=1e-5)


class Explains(Callback):
    """Hangs full backward hooks behind the first layer of a network in training."""

    def on_train_begin(self, net, **kwargs):
        self.seen_ = 0
        self.handles_ = [
            child.register_full_backward_hook(self._note)
            for child in (*rectifiers(net.module_), net.module_.output)
        ]

    def _note(self, module, into, out):
        self.seen_ += 1

    def on_train_end(self, net, **kwargs):
        for handle in self.handles_:
            handle.remove()


@pytest.mark.parametrize("name", ["MLP of relu", "plain over images", "RNN"])
def test_hooks_of_a_callback_watch_the_training(name):
    estimator, X = NETWORKS[name]
    y = np.arange(len(X)) % 3
    callback = Explains()
    plain = copy.deepcopy(estimator).set_params(callbacks=None).fit(X, y)
    watched = copy.deepcopy(estimator).set_params(callbacks=[callback]).fit(X, y)
    assert callback.seen_ > 0
    assert_allclose(watched.predict_proba(X), plain.predict_proba(X), rtol=1e-4)
    assert not any(layer.inplace for layer in rectifiers(watched.module_))
