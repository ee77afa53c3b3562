"""The hand-derived gradient against autograd, for every row that it claims."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_deep import MLPClassifier
from sklearn_deep.data._batches import Batch
from sklearn_deep.nn._activations import ACTIVATIONS
from sklearn_deep.nn._autoencoder import Autoencoder
from sklearn_deep.nn._backward import LOSS_BACKWARD
from sklearn_deep.nn._dropout import set_source
from sklearn_deep.nn._losses import LOSSES, Loss
from sklearn_deep.nn._mlp import MLP, NORMALIZATIONS
from sklearn_deep.training.step._derived import DerivedGradient, derived_gradient
from sklearn_deep.training.step._random_bits import RandomBits

N_ROWS, N_FEATURES, N_TARGETS = 9, 4, 3


def network(n_outputs=N_TARGETS, activation="relu", seed=0, **changed):
    options = {
        "hidden_layer_sizes": (6, 5, 5),
        "activation_params": ACTIVATIONS[activation].defaults,
        "dropout": (0.0, 0.0, 0.0),
        "normalization": None,
        "residual": False,
        **changed,
    }
    torch.manual_seed(seed)
    module = MLP(N_FEATURES, n_outputs, activation=activation, **options).double()
    for p in module.parameters():
        p.data.normal_()
        p.grad = torch.full_like(p, torch.nan)  # must be overwritten
    return module.train()


def draw(kind, n_outputs=N_TARGETS, weighted=True, seed=1):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(N_ROWS, N_FEATURES, dtype=torch.float64, generator=g)
    y = {
        "softmax": lambda: torch.randint(0, n_outputs, (N_ROWS,), generator=g),
        "sigmoid": lambda: torch.randint(
            0, 2, (N_ROWS, n_outputs), generator=g
        ).double(),
        "real": lambda: torch.rand(N_ROWS, n_outputs, dtype=torch.float64, generator=g),
    }[kind]()
    weight = torch.rand(N_ROWS, dtype=torch.float64, generator=g) if weighted else None
    return Batch(x, y, weight)


def by_autograd(module, loss, batch):
    for p in module.parameters():
        p.grad = None
    rows = loss.training_rows(module(batch.x), batch.y)
    value = (rows if batch.weight is None else rows * batch.weight).mean()
    value.backward()
    return value.detach(), [p.grad.clone() for p in module.parameters()]


def assert_same(module, loss, batch):
    derived = derived_gradient(module, loss)
    assert derived is not None
    set_source(module, RandomBits([2], torch.device("cpu")))
    value, raw = derived(batch)
    got = [p.grad.clone() for p in module.parameters()]
    set_source(module, RandomBits([2], torch.device("cpu")))
    expected_value, expected = by_autograd(module, loss, batch)
    torch.testing.assert_close(value, expected_value, rtol=1e-10, atol=1e-10)
    for one, other in zip(got, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)
    return raw


SQUARED = Loss.make("Net", "squared_error", "real", None)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("normalization", [None, *NORMALIZATIONS])
def test_every_activation_and_normalisation_agrees(activation, normalization):
    module = network(activation=activation, normalization=normalization)
    assert_same(module, SQUARED, draw("real"))


@pytest.mark.parametrize(
    ("activation", "params"),
    [
        ("leaky_relu", {"negative_slope": 0.3}),
        ("elu", {"alpha": 2.5}),
        ("gelu", {"approximate": "tanh"}),
    ],
)
def test_parameters_of_an_activation_count(activation, params):
    module = network(activation=activation, activation_params=params)
    assert_same(module, SQUARED, draw("real"))


@pytest.mark.parametrize(("name", "kind"), LOSSES)
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("n_outputs", [1, 3, 20])
def test_every_loss_agrees(name, kind, weighted, smoothing, n_outputs):
    if kind == "softmax" and n_outputs == 1:
        n_outputs = 2
    loss = Loss.make("Net", name, kind, None, smoothing if kind != "real" else 0.0)
    n_raw = n_outputs * loss.raw_per_target
    module = network(n_raw)
    raw = assert_same(module, loss, draw(kind, n_outputs, weighted))
    assert raw.shape == (N_ROWS, n_raw)
    assert not raw.requires_grad


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_several_quantiles_agree(n_outputs, weighted):
    loss = Loss.make("Net", "quantile", "real", {"quantile": [0.1, 0.5, 0.8]})
    assert_same(network(3 * n_outputs), loss, draw("real", n_outputs, weighted))


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("dropout", [(0.0,) * 3, (0.5, 0.2, 0.4)])
@pytest.mark.parametrize("activation", ["relu", "silu"])
def test_dropout_and_shortcuts_agree_with_the_same_masks(residual, dropout, activation):
    module = network(activation=activation, residual=residual, dropout=dropout)
    assert_same(module, SQUARED, draw("real"))


@pytest.mark.parametrize("sizes", [(), (7,), (3, 8, 2, 4)])
def test_any_depth_agrees(sizes):
    module = network(hidden_layer_sizes=sizes, dropout=(0.3,) * len(sizes))
    assert_same(module, SQUARED, draw("real"))


def test_a_network_without_hidden_layers_has_its_gradient():
    module = network(hidden_layer_sizes=(), dropout=())
    assert_same(module, Loss.make("Net", "log_loss", "softmax", None), draw("softmax"))


@pytest.mark.parametrize("n_rows", [1, 2, N_ROWS])
def test_running_moments_are_those_of_the_layer(n_rows):
    derived, plain = (network(normalization="batch") for _ in range(2))
    batch = Batch(*(part[:n_rows] for part in draw("real")))
    for _ in range(3):
        derived_gradient(derived, SQUARED)(batch)
        plain(batch.x)
    for one, other in zip(derived.buffers(), plain.buffers(), strict=True):
        torch.testing.assert_close(one, other)
    if n_rows == 1:
        assert_same(derived, SQUARED, batch)


@pytest.mark.parametrize("residual", [False, True])
def test_alpha_dropout_agrees_with_the_same_masks(residual):
    module = network(activation="selu", dropout=(0.3, 0.1, 0.2), residual=residual)
    assert_same(module, SQUARED, draw("real"))


def test_what_it_does_not_know_is_left_to_autograd():
    class Own(MLP):
        pass

    frozen, hooked = network(), network()
    frozen.hidden[0].layers[0].weight.requires_grad_(False)
    hooked.hidden[1].register_forward_hook(lambda *_: None)
    replaced = network()
    replaced.hidden.append(nn.Tanh())
    slopes, free = network(activation="prelu"), network(normalization="batch")
    slopes.hidden[0].layers[1] = nn.PReLU(6)
    free.hidden[0].layers[1].momentum = None
    other = network()
    other.__class__ = Own
    for module in (frozen, hooked, replaced, slopes, free, other, nn.Linear(2, 2)):
        assert derived_gradient(module, SQUARED) is None


@pytest.mark.parametrize(("name", "kind"), [*LOSS_BACKWARD, ("huber", "real")])
@pytest.mark.parametrize("n_outputs", [3, 20])
def test_many_networks_take_the_step_of_each_for_every_loss(name, kind, n_outputs):
    loss = Loss.make("Net", name, kind, None, 0.1 if kind != "real" else 0.0)
    assert_stacks(loss, kind, n_outputs, activation="silu", residual=True)


def test_many_networks_take_the_step_of_each_for_several_quantiles():
    loss = Loss.make("Net", "quantile", "real", {"quantile": [0.1, 0.5, 0.8]})
    assert_stacks(loss, "real", 3, activation="silu")


@pytest.mark.parametrize("normalization", [None, *NORMALIZATIONS])
@pytest.mark.parametrize("activation", ["relu", "prelu", "gelu"])
def test_many_networks_take_the_step_of_each_for_every_layer(activation, normalization):
    assert_stacks(
        SQUARED, "real", 3, activation=activation, normalization=normalization
    )


def assert_stacks(loss, kind, n_outputs, **changed):
    n_raw = n_outputs * loss.raw_per_target
    modules = [network(n_raw, seed=k, **changed) for k in range(3)]
    batches = [draw(kind, n_outputs, seed=k) for k in range(3)]
    alone = [by_autograd(m, loss, b) for m, b in zip(modules, batches, strict=True)]
    stack = copy.deepcopy(modules[0])
    for p, *parts in zip(
        stack.parameters(), *(m.parameters() for m in modules), strict=True
    ):
        p.grad = None
        p.data = torch.stack([part.data for part in parts])
        p.grad = torch.full_like(p, torch.nan)
    for name, buffer in stack.named_buffers():
        parts = [m.get_buffer(name) for m in map(copy.deepcopy, modules)]
        buffer.data = torch.stack(parts)
    together = Batch(*(torch.stack(parts) for parts in zip(*batches, strict=True)))
    values, raw = DerivedGradient(stack, loss)(together)
    assert raw.shape == (3, N_ROWS, n_raw)
    for k, (_, gradients) in enumerate(alone):
        for p, expected in zip(stack.parameters(), gradients, strict=True):
            torch.testing.assert_close(p.grad[k], expected, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(values, torch.stack([value for value, _ in alone]))


def test_a_fit_is_that_of_autograd(monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 5))
    y = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)
    fits = []
    for derive in (True, False):
        if not derive:
            monkeypatch.setattr(
                "sklearn_deep.training.step._step.derived_gradient", lambda *_: None
            )
        network = MLPClassifier((8, 8), batch_size=16, max_epochs=20, random_state=0)
        fits.append(network.fit(X, y))
    derived, plain = fits
    np.testing.assert_allclose(
        derived.predict_proba(X), plain.predict_proba(X), rtol=1e-8, atol=1e-9
    )
    np.testing.assert_allclose(derived.loss_curve_, plain.loss_curve_, rtol=1e-9)


@pytest.mark.parametrize("first", [1, 2, 3])
def test_hooks_of_a_callback_see_every_step_from_then_on(first):
    from skorch.callbacks import Callback

    class Counts(Callback):
        def on_train_begin(self, net, X=None, y=None, **kwargs):
            self.count = self.epoch = 0

        def on_epoch_begin(self, net, **kwargs):
            self.epoch += 1
            if self.epoch == first:
                net.module_.register_forward_hook(self.note)

        def note(self, module, args, out):
            self.count += module.training

    X = np.random.default_rng(0).normal(size=(40, 3))
    counts = Counts()
    MLPClassifier((4,), batch_size=10, max_epochs=3, callbacks=[counts]).fit(
        X, X[:, 0] > 0
    )
    assert counts.count == 4 * (4 - first)


def test_the_gradient_of_an_autoencoder_is_derived_too():
    torch.manual_seed(0)
    module = Autoencoder(
        N_FEATURES,
        N_FEATURES,
        hidden_layer_sizes=(6, 5),
        code_size=2,
        activation="silu",
        activation_params={},
        dropout=(0.2, 0.1),
        normalization="layer",
    )
    for p in module.double().parameters():
        p.grad = torch.full_like(p, torch.nan)
    loss = Loss.make("Net", "squared_error", "real", None)
    assert_same(module.train(), loss, draw("real", N_FEATURES))
