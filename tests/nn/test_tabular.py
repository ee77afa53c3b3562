"""Embeddings of columns, and ensembles of networks for tables."""

import copy
import math

import pytest
import torch

from sklearn_deep.data._folds import fold_numbers
from sklearn_deep.nn._columns import (
    NUMERIC_EMBEDDINGS,
    CategoryEmbedding,
    Columns,
    PeriodicEmbedding,
    PiecewiseLinearEmbedding,
)
from sklearn_deep.nn._initializers import Initialization
from sklearn_deep.nn._losses import probabilities
from sklearn_deep.nn._tabular import AVERAGES, Ensemble, drawn_ensemble
from sklearn_deep.training.job._seeds import generator

EMBEDDINGS = [None, *NUMERIC_EMBEDDINGS]


def drawn(layer, seed=0):
    layer.draw(torch.Generator().manual_seed(seed))
    return layer


def architecture(**changed):
    return {
        "n_numeric": 3,
        "n_plain": 2,
        "cardinalities": (4, 6),
        "n_outputs": 2,
        "numeric_embedding": "periodic",
        "category_embedding": 5,
        "hidden_layer_sizes": (8, 7),
        "activation": "relu",
        "activation_params": {},
        "dropout": (0.0, 0.0),
        "normalization": None,
        "residual": False,
        **changed,
    }


def ensemble(kind="softmax", n_networks=3, prior=None, **changed):
    given = {"n_networks": n_networks, "kind": kind, **architecture(**changed)}
    how = Initialization.make("Net", "auto", None, "zeros", "relu", None)
    generators = [generator(k, "weights") for k in range(n_networks)]
    module = drawn_ensemble(given, how, generators, rows(50), prior)
    return module.eval()


def rows(n, seed=0):
    g = torch.Generator().manual_seed(seed)
    numbers = torch.randn(n, 5, generator=g)
    codes = [torch.randint(0, m, (n, 1), generator=g) for m in (4, 6)]
    return torch.cat([numbers, *codes], 1)


@pytest.mark.parametrize("name", EMBEDDINGS)
def test_columns_stand_in_order(name):
    """Numbers, what is learnt of them, plain columns, vectors of categories."""
    columns = ensemble(numeric_embedding=name).networks[0].columns
    x = rows(11)
    out = columns(x)
    learnt = 0 if name is None else 3 * 3
    assert out.shape == (11, columns.width) == (11, 3 + learnt + 2 + 2 * 5)
    assert torch.equal(out[:, :3], x[:, :3])
    assert torch.equal(out[:, 3 + learnt : 5 + learnt], x[:, 3:5])
    first, second = columns.categories.weight.split([4, 6])
    assert torch.equal(out[:, -10:-5], first[x[:, 5].long()])
    assert torch.equal(out[:, -5:], second[x[:, 6].long()])


@pytest.mark.parametrize("name", EMBEDDINGS)
@pytest.mark.parametrize("sizes", [(0, 2, ()), (2, 0, ()), (0, 0, (3,)), (1, 0, (2,))])
def test_any_kind_of_column_may_be_missing(name, sizes):
    columns = Columns(*sizes, name, 4)
    for layer in (columns.numeric, columns.categories):
        if layer is not None:
            drawn(layer)
    x = torch.zeros(5, sizes[0] + sizes[1] + len(sizes[2]))
    columns.learn(x)
    assert columns(x).shape == (5, columns.width)


def test_periodic_features_are_cosines():
    layer, x = drawn(PeriodicEmbedding(2)), rows(9)[:, :2]
    cycles = x[:, :, None] * layer.frequency + layer.phase
    expected = torch.cos(2 * math.pi * cycles)
    torch.testing.assert_close(layer.features(x), expected.movedim(0, -1))
    mapped = torch.einsum("ndf,dwf->ndw", expected, layer.weight) + layer.bias
    expected = torch.cat([x, mapped.flatten(1)], 1)
    torch.testing.assert_close(layer(x).mT, expected)


def test_frequencies_start_low():
    frequency = drawn(PeriodicEmbedding(500)).frequency
    assert frequency.std().item() == pytest.approx(0.1, rel=0.05)


def test_a_number_passes_through_the_bins_one_after_the_other():
    layer = drawn(PiecewiseLinearEmbedding(1, n_features=3))
    layer.learn(torch.linspace(0, 6, 7)[:, None])  # bins 0 to 2, to 4, to 6
    got = layer.features(torch.tensor([[-1.0], [1.0], [3.0], [6.0], [8.0]]))
    expected = [[-0.5, 0, 0], [0.5, 0, 0], [1, 0.5, 0], [1, 1, 1], [1, 1, 2]]
    torch.testing.assert_close(got[0].mT, torch.tensor(expected))


def test_bins_without_a_width_have_no_effect():
    layer = drawn(PiecewiseLinearEmbedding(1, n_features=4))
    layer.learn(torch.tensor([[0.0]] * 9 + [[1.0]]))
    got = layer.features(torch.tensor([[0.0], [0.5], [5.0]]))
    assert torch.isfinite(got).all()
    assert (got[0, :2] == 0).all()


def test_category_0_starts_as_zeros():
    layer = drawn(CategoryEmbedding((3, 2), 4))
    zero = (layer.weight == 0).all(1)
    assert zero.tolist() == [True, False, False, True, False]


def test_a_seed_gives_one_network():
    one, other = ensemble(), ensemble()
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
    first, second = (net.state_dict() for net in one.networks[:2])
    assert not torch.equal(first["output.weight"], second["output.weight"])


@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
def test_probabilities_are_those_of_the_networks_on_average(kind):
    module, x = ensemble(kind), rows(13)
    with torch.no_grad():
        raw, each = module(x), module.each(x)
    assert each.shape == (3, 13, 2)
    expected = torch.stack([probabilities(own, kind) for own in each]).mean(0)
    torch.testing.assert_close(probabilities(raw, kind), expected)


def test_numbers_are_averaged():
    module, x = ensemble("real"), rows(13)
    torch.testing.assert_close(module(x), module.each(x).mean(0))


@pytest.mark.parametrize("kind", AVERAGES)
def test_confident_networks_give_finite_outputs(kind):
    raw = torch.tensor([[[400.0, -400.0]], [[300.0, -500.0]]])
    assert torch.isfinite(AVERAGES[kind](raw)).all()


@pytest.mark.parametrize("name", EMBEDDINGS)
def test_a_module_is_rebuilt_from_its_values(name):
    module = ensemble(numeric_embedding=name)
    with torch.device("meta"):
        fresh = Ensemble(3, "softmax", **architecture(numeric_embedding=name))
    fresh.load_state_dict(copy.deepcopy(module.state_dict()), assign=True)
    assert torch.equal(module(rows(4)), fresh.eval()(rows(4)))


def test_every_network_starts_from_the_prior():
    prior = torch.tensor([0.25, -1.0])
    for network in ensemble(prior=prior).networks:
        assert torch.equal(network.output.bias, prior)


def test_rows_of_a_group_come_into_one_fold():
    groups = torch.arange(60).numpy() // 3
    folds = fold_numbers(60, 5, 0, groups=groups)
    assert (folds.reshape(20, 3) == folds[::3, None]).all()
    assert [(folds == k).sum() for k in range(5)] == [12] * 5


def test_folds_are_even_and_alike():
    y = torch.arange(103) % 3
    folds = fold_numbers(103, 10, 0, y.numpy())
    sizes = [(folds == k).sum() for k in range(10)]
    assert sorted(set(sizes)) == [10, 11]
    for k in range(10):
        counts = torch.bincount(y[folds == k], minlength=3)
        assert counts.max() - counts.min() <= 2
    assert (fold_numbers(103, 10, 0, y.numpy()) == folds).all()
    assert (fold_numbers(103, 10, 1, y.numpy()) != folds).any()
