"""The convolutional networks."""

import pytest
import torch
from torch import nn

from sklearn_deep.data._layout import Layout
from sklearn_deep.nn._activations import ACTIVATIONS
from sklearn_deep.nn._cnn import ARCHITECTURES, CNN
from sklearn_deep.nn._convolutions import Residual
from sklearn_deep.nn._initializers import Initialization, materialize
from sklearn_deep.nn._layout import Arrange, as_floats

ROWS = {1: (20, 2), 2: (9, 8, 2)}


def build(n_dims, architecture="plain", *, pixels=False, **changes):
    row = ROWS[n_dims]
    settings = {
        "layout": Layout(row, row, pixels=pixels).plain(),
        "n_outputs": 3,
        "architecture": architecture,
        "conv_channels": [4, 5, 6],
        "kernel_size": [3, 3, 3],
        "stride": [1, 1, 1],
        "pooling": None,
        "pool_size": 2,
        "global_pooling": "average",
        "residual": False,
        "hidden_layer_sizes": [],
        "activation": "relu",
        "activation_params": {},
        "dropout": [0.0],
        "normalization": "batch",
    }
    with torch.device("meta"):
        module = CNN(**{**settings, **changes})
    activation = changes.get("activation", "relu")
    how = Initialization.make("Net", "auto", None, "zeros", activation, 0.01)
    return materialize(module, module.output, how, torch.Generator().manual_seed(0))


def rows(n_dims, n=5):
    return torch.randn(n, *ROWS[n_dims])


@pytest.mark.parametrize("n_dims", [1, 2])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
def test_every_architecture_maps_rows_to_outputs(architecture, n_dims, normalization):
    module = build(n_dims, architecture, normalization=normalization)
    out = module(rows(n_dims))
    assert out.shape == (5, 3)
    assert torch.isfinite(out).all()
    out.sum().backward()
    assert all(p.grad is not None for p in module.parameters())


@pytest.mark.parametrize("n_dims", [1, 2])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_stages_one_after_the_other_are_the_network(architecture, n_dims):
    module = build(n_dims, architecture, hidden_layer_sizes=[4], dropout=[0.0, 0.0])
    module.eval()
    x = y = rows(n_dims)
    for _, stage in module.stages():
        y = stage(y)
    torch.testing.assert_close(y, module(x))


@pytest.mark.parametrize("n_dims", [1, 2])
@pytest.mark.parametrize("pooling", [None, "max", "average"])
@pytest.mark.parametrize("global_pooling", [None, "max", "average"])
@pytest.mark.parametrize("architecture", ["plain", "resnet"])
def test_pooling_and_strides_fit_the_layers_behind(
    architecture, n_dims, pooling, global_pooling
):
    for stride in ([1, 1, 1], [2, 1, 3]):
        for residual in (False, True):
            module = build(
                n_dims,
                architecture,
                stride=stride,
                pooling=pooling,
                global_pooling=global_pooling,
                residual=residual,
                hidden_layer_sizes=[7],
                dropout=[0.0, 0.0],
            )
            assert module(rows(n_dims)).shape == (5, 3)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_builds(name):
    module = build(
        2, "resnet", activation=name, activation_params=dict(ACTIVATIONS[name].defaults)
    )
    assert torch.isfinite(module(rows(2))).all()


def test_every_third_inception_module_closes_a_residual_connection():
    module = build(
        1, "inception_time", conv_channels=[2] * 7, kernel_size=[8] * 7, stride=[1] * 7
    )
    kinds = [type(block) for block in module.blocks]
    assert kinds == [Residual, Residual, nn.Sequential]


def test_a_residual_block_of_zero_weights_passes_its_input_on():
    module = build(2, "resnet", conv_channels=[2], kernel_size=[3], stride=[1]).eval()
    block = module.blocks[0]
    for layer in block[0].layers.modules():
        if isinstance(layer, nn.Conv2d):
            layer.weight.data.zero_()
    x = torch.rand(2, 2, 9, 8)
    torch.testing.assert_close(block(x), x)


def test_what_it_says_of_its_cost_counts_every_product():
    module = build(2, hidden_layer_sizes=[4], dropout=[0.0, 0.0], global_pooling=None)
    products = 0

    def count(layer, inputs, output):
        nonlocal products
        positions = output[0, 0].numel() if output.ndim > 2 else 1
        products += positions * layer.weight.numel()
        products += 0 if layer.bias is None or output.ndim > 2 else layer.bias.numel()

    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            layer.register_forward_hook(count)
    module.eval()(rows(2))
    dense_norms = sum(p.numel() for p in module.hidden.parameters() if p.ndim == 1)
    dense_norms -= sum(
        m.bias.numel() for m in module.hidden.modules() if isinstance(m, nn.Linear)
    )
    assert module.multiply_adds == products + dense_norms


def test_pixels_become_numbers_in_zero_to_one():
    layout = Layout((4, 4, 1), (4, 4, 1), pixels=True)
    arrange = Arrange(layout)
    arrange.reset_parameters()
    x = (
        torch.tensor([0, 51, 255], dtype=torch.uint8)
        .repeat(16)[:32]
        .reshape(2, 4, 4, 1)
    )
    out = arrange(x)
    assert out.dtype == torch.float32
    assert out.shape == (2, 1, 4, 4)
    torch.testing.assert_close(out, layout.canonical(x / 255.0))
    torch.testing.assert_close(arrange(as_floats(x, torch.float32)), out)
