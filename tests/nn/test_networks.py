"""Activations, initial values, dropout, penalties and the network of blocks."""

import math

import pytest
import torch
from torch import nn

from sklearn_deep.nn._activations import ACTIVATIONS
from sklearn_deep.nn._dropout import AlphaDropout, Dropout, set_source
from sklearn_deep.nn._initializers import INITIALIZERS, Initialization, materialize
from sklearn_deep.nn._mlp import MLP, BatchNorm, Output
from sklearn_deep.nn._penalties import PENALTIES
from sklearn_deep.training.step._random_bits import RandomBits


def build(**changes):
    settings = {
        "n_features": 6,
        "n_outputs": 3,
        "hidden_layer_sizes": [200, 100],
        "activation": "relu",
        "activation_params": {},
        "dropout": [0.0, 0.0],
        "normalization": None,
        "residual": False,
    }
    with torch.device("meta"):
        return MLP(**{**settings, **changes})


def initialised(seed=0, weight_init="auto", params=None, bias_init="zeros", **changes):
    module = build(**changes)
    activation = changes.get("activation", "relu")
    how = Initialization.make("Net", weight_init, params, bias_init, activation, 0.01)
    generator = torch.Generator().manual_seed(seed)
    return materialize(module, module.output, how, generator)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_builds_a_network_that_bends_as_it_should(name):
    row = ACTIVATIONS[name]
    module = initialised(activation=name, activation_params=dict(row.defaults))
    x = torch.linspace(-2, 2, 60).reshape(10, 6)
    assert module(x).shape == (10, 3)
    linear = torch.allclose(module(2 * x), 2 * module(x), atol=1e-4)
    assert linear == (name in ("identity", "relu", "leaky_relu", "prelu"))
    sums = torch.allclose(module(x) + module(-x), torch.zeros(()), atol=1e-4)
    assert sums == (name in ("identity", "tanh"))


STD = {
    "xavier_uniform": lambda g, i, o: g * math.sqrt(2 / (i + o)),
    "xavier_normal": lambda g, i, o: g * math.sqrt(2 / (i + o)),
    "kaiming_uniform": lambda g, i, o: g / math.sqrt(i),
    "kaiming_normal": lambda g, i, o: g / math.sqrt(i),
    "orthogonal": lambda g, i, o: g / math.sqrt(max(i, o)),
    "lecun_uniform": lambda g, i, o: 1 / math.sqrt(i),
    "lecun_normal": lambda g, i, o: 1 / math.sqrt(i),
    "uniform": lambda g, i, o: 0.1 / math.sqrt(12),
    "normal": lambda g, i, o: 0.05,
}


@pytest.mark.parametrize("name", INITIALIZERS)
def test_initial_weights_have_the_spread_of_their_rule(name):
    module = initialised(weight_init=name)
    weight = module.hidden[1].layers[0].weight.detach()  # 100 x 200
    expected = STD[name](math.sqrt(2), 200, 100)
    assert float(weight.std()) == pytest.approx(expected, rel=0.03)
    assert float(weight.mean()) == pytest.approx(0, abs=0.03 * expected)


@pytest.mark.parametrize("name", INITIALIZERS)
def test_initial_weights_come_from_the_generator_alone(name):
    before = torch.get_rng_state()
    one, same, other = (initialised(seed, weight_init=name) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one.output.weight, same.output.weight)
    assert not torch.equal(one.output.weight, other.output.weight)


def test_the_gain_of_the_user_replaces_that_of_the_activation():
    half, whole = (
        initialised(weight_init="kaiming_normal", params={"gain": gain})
        for gain in (0.5, 1.0)
    )
    for a, b in zip(half.parameters(), whole.parameters(), strict=True):
        assert torch.allclose(2 * a, b)


@pytest.mark.parametrize(
    ("how", "low", "high"), [("zeros", 0, 0), (0.3, 0.3, 0.3), ("uniform", -0.41, 0.41)]
)
def test_biases_start_as_asked(how, low, high):
    bias = initialised(bias_init=how).hidden[0].layers[0].bias.detach()
    assert low - 1e-6 <= float(bias.min()) <= float(bias.max()) <= high + 1e-6
    assert (how == "uniform") == (float(bias.std()) > 0.1)


@pytest.mark.parametrize(
    "drop", [Dropout(0.3), AlphaDropout(0.3)], ids=["plain", "alpha"]
)
def test_dropout_rests_in_evaluation_and_repeats_with_its_generator(drop):
    x = torch.randn(50, 20)
    assert torch.equal(drop.eval()(x), x)
    drop.train()
    draws = []
    for seed in (0, 0, 1):
        set_source(drop, RandomBits([seed], torch.device("cpu")))
        draws.append(drop(x))
    set_source(drop, None)
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_dropout_drops_its_share_and_keeps_the_mean():
    drop = Dropout(0.3).train()
    set_source(drop, RandomBits([0], torch.device("cpu")))
    out = drop(torch.ones(400, 500))
    assert float((out == 0).float().mean()) == pytest.approx(0.3, abs=0.01)
    assert float(out.mean()) == pytest.approx(1.0, abs=0.01)


def test_alpha_dropout_keeps_mean_and_variance_of_selu_units():
    drop = AlphaDropout(0.4).train()
    set_source(drop, RandomBits([0], torch.device("cpu")))
    x = nn.functional.selu(
        torch.randn(400, 500, generator=torch.Generator().manual_seed(1))
    )
    out = drop(x)
    assert float(out.mean()) == pytest.approx(float(x.mean()), abs=0.02)
    assert float(out.std()) == pytest.approx(float(x.std()), rel=0.02)


def test_selu_takes_alpha_dropout():
    module = build(activation="selu", dropout=[0.2, 0.2])
    kinds = {type(m) for m in module.modules()}
    assert AlphaDropout in kinds
    assert Dropout not in kinds


def test_a_residual_block_adds_its_input():
    module = initialised(hidden_layer_sizes=[6, 4], residual=True)
    block, x = module.hidden[0], torch.randn(5, 6)
    assert torch.allclose(block(x), block.layers(x) + x)
    projected = module.hidden[1]
    assert torch.allclose(
        projected(x), projected.layers(x) + x @ projected.shortcut.weight.T
    )


def test_batch_normalisation_of_one_row_uses_the_running_moments():
    norm = BatchNorm(3).train()
    norm(torch.randn(64, 3) * 5 + 2)
    x = torch.randn(1, 3)
    assert torch.allclose(norm(x), norm.eval()(x))


@pytest.mark.parametrize("n_outputs", [1, 10, 15, 16, 40])
def test_the_output_layer_is_a_linear_layer_in_values_and_gradients(n_outputs):
    layer = Output(7, n_outputs).double()
    x = torch.randn(9, 7, dtype=torch.float64, requires_grad=True)
    expected = nn.functional.linear(x, layer.weight, layer.bias)
    assert torch.allclose(layer(x), expected, rtol=0, atol=1e-12)
    ours = torch.autograd.grad(layer(x).square().sum(), [x, layer.weight, layer.bias])
    theirs = torch.autograd.grad(expected.square().sum(), [x, layer.weight, layer.bias])
    for a, b in zip(ours, theirs, strict=True):
        assert torch.allclose(a, b, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", PENALTIES)
def test_a_penalty_adds_the_gradient_of_its_value(name):
    weights = torch.randn(30, dtype=torch.float64, requires_grad=True)
    (expected,) = torch.autograd.grad(PENALTIES[name].value(weights, 0.7), weights)
    gradient = torch.ones(30, dtype=torch.float64)
    PENALTIES[name].add_gradient(gradient, weights.detach(), 0.7)
    assert torch.allclose(gradient - 1, expected)
