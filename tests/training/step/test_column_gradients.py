"""The hand-derived gradient of networks for tables against autograd."""

import copy

import pytest
import torch

from sklearn_deep.data._batches import Batch
from sklearn_deep.nn._columns import NUMERIC_EMBEDDINGS
from sklearn_deep.nn._initializers import LAYERS
from sklearn_deep.nn._losses import Loss
from sklearn_deep.nn._tabular import TabularNetwork
from sklearn_deep.training.step._derived import derived_gradient
from sklearn_deep.training.step._flat import FlatParameters

SQUARED = Loss.make("Net", "squared_error", "real", None)
EMBEDDINGS = [None, *NUMERIC_EMBEDDINGS]


def network(numeric_embedding, seed=0, hidden_layer_sizes=(6, 5), cardinalities=(3, 4)):
    module = TabularNetwork(
        2,
        1,
        cardinalities,
        2,
        numeric_embedding=numeric_embedding,
        category_embedding=2,
        hidden_layer_sizes=hidden_layer_sizes,
        activation="relu",
        activation_params={},
        dropout=(0.0,) * len(hidden_layer_sizes),
        normalization=None,
        residual=False,
    ).double()
    generator = torch.Generator().manual_seed(seed)
    for layer in module.modules():
        if type(layer) in LAYERS:
            LAYERS[type(layer)](layer, None, generator)
    module.columns.learn(draw(0, cardinalities).x)
    for p in module.parameters():
        p.data.normal_(generator=generator)
        p.grad = torch.full_like(p, torch.nan)  # must be overwritten
    return module.train()


def draw(seed, cardinalities=(3, 4)):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(9, 3, dtype=torch.float64, generator=g)
    codes = [torch.randint(0, n, (9, 1), generator=g).double() for n in cardinalities]
    y = torch.randn(9, 2, dtype=torch.float64, generator=g)
    return Batch(torch.cat([x, *codes], 1), y, torch.rand(9, generator=g).double())


def by_autograd(module, batch):
    module.zero_grad()
    loss = (SQUARED.training_rows(module(batch.x), batch.y) * batch.weight).mean()
    loss.backward()
    return loss.detach(), {name: p.grad for name, p in module.named_parameters()}


@pytest.mark.parametrize("cardinalities", [(), (3, 4)])
@pytest.mark.parametrize("hidden_layer_sizes", [(), (6, 5)])
@pytest.mark.parametrize("name", EMBEDDINGS)
def test_the_gradient_is_that_of_autograd(name, hidden_layer_sizes, cardinalities):
    module = network(name, 1, hidden_layer_sizes, cardinalities)
    batch = draw(1, cardinalities)
    value, raw = derived_gradient(module, SQUARED)(batch)
    got = {name: p.grad.clone() for name, p in module.named_parameters()}
    expected_value, expected = by_autograd(module, batch)
    torch.testing.assert_close(raw, module(batch.x).detach())
    torch.testing.assert_close(value, expected_value)
    torch.testing.assert_close(got, expected)


@pytest.mark.parametrize("name", EMBEDDINGS)
def test_the_gradients_of_a_stack_are_those_of_its_networks(name):
    modules, batches = [network(name, k) for k in range(3)], list(map(draw, range(3)))
    alone = [
        by_autograd(copy.deepcopy(m), b) for m, b in zip(modules, batches, strict=True)
    ]
    flat = FlatParameters(modules, stacked=True)
    template = flat.template(slice(0, 3))
    together = Batch(*(torch.stack(parts) for parts in zip(*batches, strict=True)))
    values, _ = derived_gradient(template, SQUARED)(together)
    for module, value, (expected_value, expected) in zip(
        modules, values, alone, strict=True
    ):
        torch.testing.assert_close(value, expected_value)
        got = {name: p.grad for name, p in module.named_parameters()}
        torch.testing.assert_close(got, expected)
