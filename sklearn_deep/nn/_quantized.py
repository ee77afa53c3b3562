"""Layers that compute with 8-bit integers.

Values between layers are floats on a grid, ``(q - zero) * scale``. A layer with weights
recovers ``q - zero``, multiplies integers, which is exact in float32 below 2**24, and
scales the sum. onnxruntime's kernels do the same with the exported graph, so both give
the same results.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sklearn_deep.nn._ranges import LEVELS, Range, short

# The largest sum whose every part float32 holds exactly.
_EXACT = 2**24

# Weights of 8 bits are from -127 to 127.
LIMITS = {8: 127, 7: 63, 4: 7}

# CPUs without VNNI add the products of two neighbouring weights in 16 bits. With activations
# of at most 255, weights whose sum is within 128 cannot overflow; each may be rounded up.
_PAIR = 127


class Rounded(torch.autograd.Function):
    """Rounding whose gradient is that of the identity.

    References
    ----------
    Bengio et al., "Estimating or propagating gradients through stochastic neurons for
    conditional computation", arXiv:1308.3432.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Round, halves to even numbers."""
        return torch.round(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        """Pass the gradient on."""
        return gradient


def rounded(x: Tensor) -> Tensor:
    """Round; differentiable in the straight-through sense."""
    out: Tensor = Rounded.apply(x)  # type: ignore[no-untyped-call]
    return out


class Quantize(nn.Module):
    """Round activations to a grid of 256 levels (quantize and dequantize).

    Shape: (batch, ...); the output has the shape of the input, in float32.

    Attributes
    ----------
    scale : Tensor of shape (), float32
    zero : Tensor of shape (), uint8
        The zero point: the integer that represents 0.
    observer : Range or None
        Set while ranges are learnt: it observes the values, which pass unchanged.
    weight_of_rows : Tensor or None
        Weights of the rows that pass meanwhile.
    """

    scale: Tensor
    zero: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("zero", torch.zeros((), dtype=torch.uint8))
        self.observer: Range | None = None
        self.weight_of_rows: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Round to a level."""
        x = x.float()
        if self.observer is not None:
            self.observer.observe(x, self.weight_of_rows)
            return x
        return self.values(x / self.scale)

    def values(self, steps: Tensor) -> Tensor:
        """Dequantized values: the levels of the grid nearest to ``steps``."""
        zero = self.zero.float()
        return rounded(steps).clamp(-zero, LEVELS - zero) * self.scale


def per_channel(weight: Tensor, scale: Tensor) -> Tensor:
    """Values per output channel, in a shape that broadcasts against weights."""
    return scale.view(-1, *(1,) * (weight.ndim - 1))


def weight_scale(weight: Tensor, limit: int) -> Tensor:
    """Scale of each output channel, (n_out,).

    Chosen so that neither an integer weight nor the sum of two adjacent ones is too
    large, whether a kernel reads the weights of a convolution position by position or
    channel by channel.
    """
    weight = weight.detach()
    orders = [weight.flatten(1), weight.movedim(1, -1).flatten(1)]
    step = orders[0].abs().amax(1) / limit
    for flat in orders:
        pairs = F.pad(flat, (0, flat.shape[1] % 2)).unflatten(1, (-1, 2))
        step = torch.maximum(step, pairs.sum(2).abs().amax(1) / _PAIR)
    return short(step)


def fake_quantize_weight(weight: Tensor, limit: int) -> Tensor:
    """A weight after rounding; differentiable in the straight-through sense."""
    scale = per_channel(weight, weight_scale(weight, limit))
    return rounded(weight / scale) * scale


def product(x: Tensor, weight: Tensor, how: dict[str, Any]) -> Tensor:
    """A matrix product, or a convolution along the axes of the weights."""
    if weight.ndim == 2:
        return F.linear(x, weight)
    if weight.ndim == 3:
        return F.conv1d(x, weight, **how)
    return F.conv2d(x, weight.contiguous(memory_format=torch.channels_last), **how)


def along_channels(x: Tensor, numbers: Tensor) -> Tensor:
    """Values per output channel, in a shape that broadcasts against outputs."""
    return numbers.view(-1, *(1,) * (x.ndim - 2))


class FakeQuantize(nn.Module):
    """A layer with fake quantization: float weights are rounded before use.

    Shape: that of the layer it stands for

    Parameters
    ----------
    weight : Tensor of shape (n_out, n_in, ...)
    bias : Tensor of shape (n_out,)
    how : dict
        Stride, padding, dilation and groups of a convolution.
    limit : int
        Largest integer of a weight.
    before : Quantize or None
        The layer that quantizes the input; None where only weights are quantized.
    """

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor,
        how: dict[str, Any],
        limit: int,
        before: Quantize | None,
    ):
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(bias)
        self.how, self.limit = how, limit
        self.before = (before,)  # a tuple: it is a layer of its own elsewhere

    def forward(self, x: Tensor) -> Tensor:
        """Round the weights, and apply the layer."""
        weight = fake_quantize_weight(self.weight, self.limit)
        out = product(x.float(), weight, self.how)
        return out + along_channels(out, self.bias)


class QuantizedLinear(nn.Module):
    """A linear layer or convolution that multiplies integers.

    Shape: that of the layer it stands for; input and output in float32

    Attributes
    ----------
    weight : Tensor of shape (n_out, n_in, ...), int8
    scale : Tensor of shape (n_out,), float32
    bias : Tensor of shape (n_out,), int32
        In steps of ``scale * input_scale``.
    input_scale : Tensor of shape (), float32
    after : tuple of Quantize
        The ``Quantize`` after this layer, with at most a ReLU between them: sums are
        then requantized in one step, as a fused kernel does.
    """

    weight: Tensor
    scale: Tensor
    bias: Tensor
    input_scale: Tensor

    def __init__(self, layer: FakeQuantize):
        super().__init__()
        (before,) = layer.before
        assert before is not None
        weight = layer.weight.detach()
        scale = weight_scale(weight, layer.limit)
        whole = torch.round(weight / per_channel(weight, scale))
        input_scale = before.scale.clone()
        bias = torch.round(
            layer.bias.detach().double() / (scale.double() * input_scale)
        )
        most = 2**30
        self.register_buffer("weight", whole.to(torch.int8))
        self.register_buffer("scale", scale)
        self.register_buffer("bias", bias.clamp(-most, most).to(torch.int32))
        self.register_buffer("input_scale", input_scale)
        self.how = layer.how
        self.after: tuple[Quantize, ...] = ()
        largest = LEVELS * layer.limit * weight[0].numel()
        self._dtype = torch.float32 if largest < _EXACT else torch.float64

    @property
    def multiply_adds(self) -> int:
        """Number of weights."""
        return self.weight.numel()

    def extra_repr(self) -> str:
        """Show the shape of the weights."""
        return f"{tuple(self.weight.shape)}"

    def forward(self, x: Tensor) -> Tensor:
        """Multiply integers, and scale their sums."""
        q = torch.round(x / self.input_scale).to(self._dtype)
        total = product(q, self.weight.to(self._dtype), self.how)
        total = (total + along_channels(total, self.bias)).float()
        step = along_channels(total, self.scale * self.input_scale)
        for grid in self.after:
            return grid.values(total * (step / grid.scale))
        return total * step


class Stored(nn.Module):
    """A weight that is stored as integers and used as floats.

    Shape: gives (n_out, n_in, ...)

    Parameters
    ----------
    weight : Tensor of shape (n_out, n_in, ...)
    limit : int
        Largest integer; 4-bit integers are stored two per byte.

    Attributes
    ----------
    numbers : Tensor of shape (n_out, n_in, ...), int8; or (n / 2,), uint8
        With two weights per byte, the earlier one in the lower half.
    scale : Tensor of shape (n_out,), float32
    """

    numbers: Tensor
    scale: Tensor

    def __init__(self, weight: Tensor, limit: int):
        super().__init__()
        weight = weight.detach()
        scale = weight_scale(weight, limit)
        whole = torch.round(weight / per_channel(weight, scale)).to(torch.int8)
        self.shape, self.in_pairs = weight.shape, limit <= LIMITS[4]
        if self.in_pairs:
            flat = F.pad(whole.reshape(-1), (0, whole.numel() % 2))
            halves = flat.view(torch.uint8) & 15
            whole = halves[::2] | (halves[1::2] << 4)
        self.register_buffer("numbers", whole)
        self.register_buffer("scale", scale)

    @property
    def integers(self) -> Tensor:
        """The integers, int8."""
        if not self.in_pairs:
            return self.numbers
        pairs = torch.stack([self.numbers & 15, self.numbers >> 4], 1).reshape(-1)
        numbers = pairs.to(torch.int8)
        numbers = torch.where(numbers > 7, numbers - 16, numbers)
        return numbers[: self.shape.numel()].view(self.shape)

    def extra_repr(self) -> str:
        """Show the shape of the weight."""
        return f"{tuple(self.shape)}"

    def forward(self) -> Tensor:
        """The weight."""
        weight = self.integers.float()
        return weight * per_channel(weight, self.scale)


class WeightOnly(nn.Module):
    """A linear layer or convolution whose weights are stored as integers.

    Shape: that of the layer it stands for; input and output in float32

    Attributes
    ----------
    weight : Stored
    bias : Tensor of shape (n_out,), float32
    """

    bias: Tensor

    def __init__(self, layer: FakeQuantize):
        super().__init__()
        self.weight, self.how = Stored(layer.weight, layer.limit), layer.how
        self.register_buffer("bias", layer.bias.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer."""
        out = product(x.float(), self.weight(), self.how)
        return out + along_channels(out, self.bias)
