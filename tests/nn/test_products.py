"""Float64 convolutions as products are torch's own, with every derivative."""

import itertools
import pickle

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import grad, vmap

from sklearn_deep import CNNClassifier, ModuleClassifier
from sklearn_deep.nn._cnn import ARCHITECTURES
from sklearn_deep.nn._fast_float64 import FastFloat64, has_float64_kernels
from sklearn_deep.nn._products import Correlate, Geometry, KernelGradient, Spread

CONVOLVE = {1: F.conv1d, 2: F.conv2d}
TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d}


def tensors(*shapes, seed=0):
    rng = np.random.default_rng(seed)
    return [torch.from_numpy(rng.normal(size=shape)) for shape in shapes]


def compare(function, *inputs):
    """Values and gradients, with torch's own form and with the fast one."""
    inputs = [x.clone().requires_grad_() for x in inputs]
    own = function(*inputs)
    with FastFloat64():
        fast = function(*inputs)
    names = {type(node[0]).__name__ for node in graph(fast)}
    assert "ConvolutionBackward0" not in names  # the fast form has been taken
    (g,) = tensors(own.shape, seed=1)
    wanted = [own, *torch.autograd.grad(own, inputs, g)]
    got = [fast, *torch.autograd.grad(fast, inputs, g)]
    for one, other in zip(got, wanted, strict=True):
        assert one.shape == other.shape
        largest = max(1.0, other.abs().max().item())
        assert (one - other).abs().max() <= 1e-12 * largest


def graph(tensor):
    """The functions behind a tensor."""
    left = [(tensor.grad_fn,)]
    while left:
        node = left.pop()
        yield node
        left += [(before,) for before, _ in node[0].next_functions if before]


SETTINGS = [
    (size, stride, padding, dilation)
    for size, stride, padding, dilation in itertools.product(
        (1, 2, 3, 5), (1, 2, 3), (0, 1, 2), (1, 2)
    )
    if 7 + 2 * padding > dilation * (size - 1)
]


@pytest.mark.parametrize("n_axes", [1, 2])
@pytest.mark.parametrize("channels", [(1, 4), (3, 2), (9, 1)])
def test_a_convolution_is_torchs(channels, n_axes):
    n_in, n_out = channels
    for size, stride, padding, dilation in SETTINGS:
        x, weight, bias = tensors(
            (3, n_in, *(7, 8)[:n_axes]), (n_out, n_in, *(size,) * n_axes), (n_out,)
        )
        compare(
            lambda x, w, b, s=stride, p=padding, d=dilation: CONVOLVE[n_axes](
                x, w, b, s, p, d
            ),
            *(x, weight, bias),
        )


@pytest.mark.parametrize("n_axes", [1, 2])
@pytest.mark.parametrize("channels", [(1, 4), (3, 2), (9, 1)])
def test_a_transposed_convolution_is_torchs(channels, n_axes):
    n_in, n_out = channels
    for size, stride, padding, dilation in SETTINGS:
        x, weight, bias = tensors(
            (3, n_in, *(7, 8)[:n_axes]), (n_in, n_out, *(size,) * n_axes), (n_out,)
        )
        for more in {0, stride - 1}:
            compare(
                lambda x, w, b, s=stride, p=padding, m=more, d=dilation: TRANSPOSED[
                    n_axes
                ](x, w, b, s, p, m, 1, d),
                *(x, weight, bias),
            )


@pytest.mark.parametrize(
    ("shape", "kernel", "padding"),
    [
        ((2, 16, 20, 21), (2, 16, 5, 5), 2),  # in parts, along the first axis
        ((2, 16, 20, 21), (2, 16, 5, 5), (0, 3)),
        ((2, 16, 70, 71), (2, 16, 5, 5), 2),  # and in several blocks of lines
        ((2, 4, 120, 119), (3, 4, 5, 5), 2),  # whole, in several blocks of lines
        ((300, 2, 8), (64, 2, 5), 2),  # in several blocks
        ((90, 1, 28, 28), (8, 1, 3, 3), 1),  # in planes, in several blocks
        ((2, 4, 9), (3, 4, 3), "same"),
        ((2, 4, 9), (3, 4, 4), "same"),
        ((2, 4, 9), (3, 4, 3), "valid"),
    ],
)
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
def test_every_way_to_the_products_is_torchs(shape, kernel, padding):
    convolve = CONVOLVE[len(shape) - 2]
    compare(lambda x, w: convolve(x, w, padding=padding), *tensors(shape, kernel))


@pytest.mark.parametrize("stride", [2, 3, (1, 2)])
def test_large_images_are_taken_in_blocks_of_lines(stride):
    x, w, bias = tensors((2, 16, 120, 119), (32, 16, 3, 4), (32,))
    compare(lambda x, w, b: F.conv2d(x, w, b, stride, 1), x, w, bias)
    x, w, bias = tensors((2, 32, 60, 61), (32, 2, 3, 4), (2,))
    compare(lambda x, w, b: F.conv_transpose2d(x, w, b, stride, 1), x, w, bias)


def test_padding_beyond_the_kernel_reaches_no_input():
    x, w, bias = tensors((2, 3, 4, 5), (2, 3, 3, 2), (2,))
    compare(lambda x, w, b: F.conv2d(x, w, b, (1, 2), (5, 4)), x, w, bias)
    compare(lambda x, w, b: F.conv2d(x, w, b, (3, 2), (7, 5), (2, 3)), x, w, bias)


def test_axes_have_settings_of_their_own():
    x, w = tensors((2, 3, 9, 8), (4, 3, 3, 2))
    compare(lambda x, w: F.conv2d(x, w, None, (2, 1), (0, 1), (1, 2)), x, w)


def test_rows_in_any_order_of_memory_are_torchs():
    x, w = tensors((2, 9, 8, 3), (4, 3, 3, 3))
    compare(lambda x, w: F.conv2d(x.movedim(-1, 1), w, padding=1), x, w)
    compare(lambda x, w: F.conv2d(x.movedim(-1, 1)[:, :, ::2], w, padding=1), x, w)


@pytest.mark.parametrize(
    "call",
    [
        lambda x, w: F.conv1d(x, w[:, :1], groups=2),
        lambda x, w: F.conv1d(x.float(), w.float()),
        lambda x, w: F.conv1d(x[0], w),
        lambda x, w: F.conv1d(x[:0], w),
    ],
    ids=["groups", "float32", "without an axis of rows", "no rows"],
)
def test_what_the_products_have_no_form_of_is_left_to_torch(call):
    x, w = tensors((4, 2, 6), (4, 2, 3))
    with FastFloat64():
        fast = call(x, w)
    torch.testing.assert_close(fast, call(x, w), rtol=0, atol=0)


@pytest.mark.parametrize(
    "call",
    [
        lambda x, w: F.conv1d(x, w[:, :1]),
        lambda x, w: F.conv1d(x[:, :, :1], w),
        lambda x, w: F.conv1d(x, w, stride=2, padding="same"),
        lambda x, w: F.conv_transpose1d(x, w[:2], output_padding=3),
    ],
    ids=["channels", "short rows", "same with a stride", "output_padding"],
)
def test_what_torch_refuses_is_refused_in_its_words(call):
    x, w = tensors((4, 2, 6), (4, 2, 3))
    with pytest.raises(RuntimeError) as own:
        call(x, w)
    with FastFloat64(), pytest.raises(RuntimeError) as fast:
        call(x, w)
    assert str(fast.value) == str(own.value)


@pytest.mark.parametrize("stride", [1, 2])
def test_derivatives_of_the_first_and_second_order_are_right(stride):
    where = Geometry((3, 2), (stride, 1), (1, 1), ((1, 0), (0, 1)))
    x, kernel = tensors((2, 4, 3, 2), (2, 2, 3, 2))
    outputs = where.outputs((4, 3))
    (g,) = tensors((2, *outputs, 2), seed=2)
    for t in (x, kernel, g):
        t.requires_grad_()

    checks = [
        (lambda a, b: Correlate.apply(a, b, where, None), (x, kernel)),
        (lambda a, b: Spread.apply(a, b, where, (4, 3), None), (g, kernel)),
        (lambda a, b: KernelGradient.apply(a, b, where), (x, g)),
    ]
    for function, inputs in checks:
        assert torch.autograd.gradcheck(function, inputs)
        assert torch.autograd.gradgradcheck(function, inputs)


@pytest.mark.parametrize("rows_shared", [False, True])
def test_many_networks_are_each_as_alone_to_the_last_bit(rows_shared):
    x, weight = tensors((3, 5, 2, 6, 7), (3, 4, 2, 3, 3))
    x = x[0] if rows_shared else x

    def loss(weight, x):
        return F.conv2d(x, weight, padding=1, stride=2).square().sum()

    with FastFloat64():
        in_dims = (0, None if rows_shared else 0)
        together = vmap(grad(loss, (0, 1)), in_dims)(weight, x)
        alone = [
            grad(loss, (0, 1))(weight[k], x if rows_shared else x[k]) for k in range(3)
        ]
    for i, stacked in enumerate(together):
        for k, one in enumerate(alone):
            assert torch.equal(stacked[k], one[i])


@pytest.mark.parametrize("shape", [(6, 3, 5), (6, 3, 5, 4)])
def test_normalising_padding_and_joining_keep_channels_side_by_side(shape):
    (x,) = tensors((shape[0], *shape[2:], shape[1]))
    norm = nn.BatchNorm1d(3) if len(shape) == 3 else nn.BatchNorm2d(3)
    norm.double()
    sides = (1, 2) * (len(shape) - 2)

    def layers(x):
        x = norm(x.movedim(-1, 1))
        return torch.cat([F.pad(x, sides), F.pad(x, sides, value=2.0)], 1)

    compare(layers, x)
    with FastFloat64():
        assert layers(x).movedim(1, -1).is_contiguous()


@pytest.mark.parametrize("shape", [(6, 3, 5), (6, 3, 5, 4)])
def test_a_rectifier_in_place_overwrites_no_view_that_has_a_gradient(shape):
    (x,) = tensors((shape[0], *shape[2:], shape[1]))
    norm = (nn.BatchNorm1d(3) if len(shape) == 3 else nn.BatchNorm2d(3)).double()
    compare(lambda x: F.relu(norm(x.movedim(-1, 1)), inplace=True), x)
    x.requires_grad_()
    with FastFloat64():
        y = F.relu(norm(x.movedim(-1, 1)), inplace=True)
        names = {type(node[0]).__name__ for node in graph(y)}
        assert not names & {"CopySlices", "AsStridedBackward0"}
        with torch.inference_mode():
            z = norm.eval()(x.movedim(-1, 1))
            assert F.relu(z, inplace=True) is z


def fitted(X, y, **params):
    net = CNNClassifier((3, 4), max_epochs=2, batch_size=16, random_state=0, **params)
    return net.fit(X, y)


@pytest.mark.parametrize("shape", [(40, 9, 2), (40, 7, 6, 2)])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_network_predicts_what_its_module_gives_and_again(architecture, shape):
    (X,) = tensors(shape)
    X, y = X.numpy(), np.arange(40) % 2
    params = {"architecture": architecture, "spatial_dims": len(shape) - 2}
    params["dtype"] = "float64"
    net = fitted(X, y, **params)
    again = fitted(X, y, **params)
    assert has_float64_kernels(net.module_)
    probabilities = net.predict_proba(X)
    np.testing.assert_array_equal(probabilities, again.predict_proba(X))
    copy = pickle.loads(pickle.dumps(net))
    np.testing.assert_array_equal(probabilities, copy.predict_proba(X))
    with torch.no_grad():  # torch's own convolution
        own = torch.sigmoid(net.module_.eval()(torch.from_numpy(X)))[:, 0]
    np.testing.assert_allclose(probabilities[:, 1], own, rtol=0, atol=1e-12)


def test_a_users_own_convolutions_are_fast_too(monkeypatch):
    def net():
        return nn.Sequential(
            nn.Conv1d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 7, 1)
        )

    (X,) = tensors((20, 2, 9))
    calls = []
    forward = Correlate.forward
    monkeypatch.setattr(
        Correlate, "forward", lambda *args: calls.append(1) or forward(*args)
    )
    estimator = ModuleClassifier(net, max_epochs=1, random_state=0)
    estimator.fit(X.numpy(), np.arange(20) % 2)
    n_fit = len(calls)
    assert n_fit
    estimator.predict(X.numpy())
    assert len(calls) > n_fit
    n_all = len(calls)
    estimator.module_(X)  # in the user's hands it is torch's own
    assert len(calls) == n_all
