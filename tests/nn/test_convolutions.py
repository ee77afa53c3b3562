"""Parts of convolutional networks."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sklearn_deep.nn._convolutions import (
    Branches,
    ChannelNorm,
    Convolution2d,
    Flatten,
    GlobalPool,
    Kit,
    Residual,
    Subsample,
)


def kit(spatial, normalization=None, activation="relu"):
    return Kit(spatial, normalization, activation, {})


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n_in", [1, 3])
def test_the_channels_last_convolution_is_torchs(n_in, dtype):
    torch_own = nn.Conv2d(n_in, 4, 3, padding=1, dtype=dtype)
    ours = Convolution2d(n_in, 4, 3, padding=1, dtype=dtype)
    ours.load_state_dict(torch_own.state_dict())
    x = torch.randn(2, n_in, 6, 5, dtype=dtype, requires_grad=True)
    torch.testing.assert_close(ours(x), torch_own(x))
    loss = (ours(x) ** 2).sum()
    grads = torch.autograd.grad(loss, [x, *ours.parameters()])
    loss = (torch_own(x) ** 2).sum()
    wanted = torch.autograd.grad(loss, [x, *torch_own.parameters()])
    for got, want in zip(grads, wanted, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("spatial", [(7,), (8,), (7, 8)])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 12])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_a_convolution_keeps_every_stride_th_position(spatial, size, stride):
    made = kit(spatial)
    layers = nn.Sequential(*made.convolution(2, 3, size, stride))
    out = layers(torch.randn(4, 2, *spatial))
    assert out.shape == (4, 3, *(-(-n // stride) for n in spatial))
    assert out.shape[2:] == made.spatial


def test_an_even_kernel_looks_one_further_ahead_than_back():
    layers = nn.Sequential(*kit((6,)).convolution(1, 1, 4))
    layers[-1].bias.data.zero_()
    layers[-1].weight.data.copy_(torch.tensor([[[1.0, 2, 4, 8]]]))
    x = torch.zeros(1, 1, 6)
    x[0, 0, 3] = 1
    assert layers(x).flatten().tolist() == [0, 8, 4, 2, 1, 0]


def test_a_strided_convolution_of_size_one_is_torchs():
    layers = nn.Sequential(*kit((5, 6)).convolution(3, 4, 1, 2))
    assert isinstance(layers[0], Subsample)
    x = torch.randn(2, 3, 5, 6)
    wanted = F.conv2d(x, layers[1].weight, layers[1].bias, stride=2)
    torch.testing.assert_close(layers(x), wanted)


def test_only_batch_normalisation_makes_a_bias_needless():
    for normalization in [None, "layer", "batch"]:
        (layer,) = kit((5,), normalization).convolution(1, 2, 3)
        assert (layer.bias is None) == (normalization == "batch")


@pytest.mark.parametrize("activation", ["relu", "tanh", "elu"])
@pytest.mark.parametrize("how", ["max", "average"])
def test_pooling_comes_after_the_activation_whatever_is_computed_first(how, activation):
    torch.manual_seed(0)
    made = kit((6, 7), None, activation)
    block = made.block(1, 2, 3)
    x = torch.randn(3, 1, 6, 7)
    pool = {"max": F.max_pool2d, "average": F.avg_pool2d}[how]
    wanted = pool(block(x), (2, 2))
    pooled = made.pooled(block, how, 2)
    torch.testing.assert_close(pooled(x), wanted)
    assert made.spatial == (3, 3)


def test_an_axis_shorter_than_the_window_is_pooled_to_one():
    made = kit((2, 9))
    (layer,) = made.pool("max", 4)
    assert layer(torch.randn(1, 1, 2, 9)).shape == (1, 1, 1, 2)
    assert made.spatial == (1, 2)


@pytest.mark.parametrize("spatial", [(5,), (4, 3)])
def test_channel_norm_is_layer_norm_of_a_row_with_weights_of_channels(spatial):
    norm = ChannelNorm(3)
    norm.weight.data.copy_(torch.tensor([1.0, 2.0, 3.0]))
    norm.bias.data.copy_(torch.tensor([0.0, -1.0, 1.0]))
    out = norm(torch.randn(6, 3, *spatial) * 5 + 2)
    of_channels = [out[:, c].flatten(1) for c in range(3)]
    centred = torch.cat(
        [
            (o + b) / s
            for o, s, b in zip(of_channels, (1, 2, 3), (0, 1, -1), strict=True)
        ],
        1,
    )
    torch.testing.assert_close(centred.mean(1), torch.zeros(6), atol=1e-5, rtol=0)
    variance = centred.var(1, unbiased=False)
    torch.testing.assert_close(variance, torch.ones(6), atol=1e-4, rtol=0)


def test_global_pools_and_flatten_give_a_vector_a_row():
    x = torch.randn(4, 3, 5, 6)
    torch.testing.assert_close(GlobalPool("average")(x), x.mean((2, 3)))
    torch.testing.assert_close(GlobalPool("max")(x), x.amax((2, 3)))
    assert Flatten()(x).shape == (4, 90)


def test_residual_adds_and_branches_lay_side_by_side():
    x = torch.randn(2, 3, 5)
    double = nn.Conv1d(3, 3, 1, bias=False)
    double.weight.data.copy_(2 * torch.eye(3)[:, :, None])
    torch.testing.assert_close(
        Residual(double, nn.Identity(), nn.ReLU())(x), F.relu(3 * x)
    )
    torch.testing.assert_close(
        Branches([double, nn.Identity()])(x), torch.cat([2 * x, x], 1)
    )


@pytest.mark.parametrize("spatial", [(20,), (6, 7)])
@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
def test_the_kit_counts_multiplications_and_values(spatial, normalization):
    made = kit(spatial, normalization)
    layers = nn.Sequential(made.block(2, 4, 3), made.block(4, 5, 3, 2))
    products = units = 0

    def count(layer, inputs, output):
        nonlocal products, units
        if isinstance(layer, (nn.Conv1d, nn.Conv2d)):
            products += output[0, 0].numel() * layer.weight.numel()
        if not isinstance(layer, (nn.ReLU, nn.Sequential)):
            units += output[0].numel()

    for layer in layers.modules():
        layer.register_forward_hook(count)
    for norm in [m for m in layers.modules() if hasattr(m, "reset_parameters")]:
        norm.reset_parameters()
    layers(torch.randn(3, 2, *spatial))
    assert (made.multiply_adds, made.units) == (products, units)
