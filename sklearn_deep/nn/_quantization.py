"""Conversion of a network of floats to a quantized one, layer by layer."""

import copy
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from sklearn_deep.data._padded import Padded
from sklearn_deep.nn import _quantized_series  # noqa: F401  (its rules)
from sklearn_deep.nn._cnn import CNN
from sklearn_deep.nn._conv_autoencoder import ConvAutoencoder
from sklearn_deep.nn._convolutions import (
    Branches,
    Flatten,
    Residual,
    Subsample,
)
from sklearn_deep.nn._dropout import AlphaDropout, Dropout
from sklearn_deep.nn._hooks import all_hooks
from sklearn_deep.nn._layout import Arrange
from sklearn_deep.nn._masked import masked_forward
from sklearn_deep.nn._mlp import MLP, BatchNorm, Block
from sklearn_deep.nn._quantized import (
    LIMITS,
    FakeQuantize,
    Quantize,
    QuantizedLinear,
    WeightOnly,
)
from sklearn_deep.nn._quantized_rnn import (
    FakeQuantizeEmbed,
    FakeQuantizeRecurrent,
    StoredEmbed,
    StoredLayer,
)
from sklearn_deep.nn._rnn import RNN, Embed, Layer
from sklearn_deep.nn._stages import Stages
from sklearn_deep.nn._tabular import Average, Ensemble, SideBySide

# Networks that can be quantized: all their layers have a rule here.
NETWORKS: tuple[type[nn.Module], ...] = (
    MLP,
    CNN,
    ConvAutoencoder,
    Ensemble,
    RNN,
)

# Networks of which only the weights are quantized.
WEIGHTS_ONLY: tuple[type[nn.Module], ...] = (RNN,)

_WEIGHTED: tuple[type[nn.Module], ...] = (nn.Linear, nn.Conv1d, nn.Conv2d)
_MAX_POOLS: tuple[type[nn.Module], ...] = (nn.MaxPool1d, nn.MaxPool2d)

# Layers that keep values on the quantization grid of their input.
_KEEPS_GRID: tuple[type[nn.Module], ...] = (
    *_MAX_POOLS,
    nn.Identity,
    nn.ReLU,
    Flatten,
    Subsample,
    Dropout,
    AlphaDropout,
    nn.ConstantPad1d,
    nn.ConstantPad2d,
)


class Staged(nn.Module):
    """Stages of a network, one after the other.

    Shape: that of the network

    Parameters
    ----------
    stages : Stages
    n_encoding : int
        Number of stages of the encoder, of an autoencoder.
    """

    def __init__(self, stages: Stages, n_encoding: int = 0):
        super().__init__()
        self.names = tuple(name for name, _ in stages)
        self.parts = nn.ModuleList(part for _, part in stages)
        self.n_encoding = n_encoding

    def stages(self) -> Stages:
        """The consecutive stages with their names."""
        return list(zip(self.names, self.parts, strict=True))

    def encoder(self) -> Stages:
        """The stages up to the code."""
        return self.stages()[: self.n_encoding]

    def decoder(self) -> Stages:
        """The stages from the code on."""
        return self.stages()[self.n_encoding :]

    def forward(self, x: Any) -> Tensor:
        """Map rows to raw outputs."""
        if isinstance(x, Padded) and any(
            isinstance(m, Arrange) for m in self.modules()
        ):
            return masked_forward(self.parts, x)
        for part in self.parts:
            x = part(x)
        return x


class QuantizedNetwork(Staged):
    """A quantized network, made from one with fake quantization.

    Attributes
    ----------
    multiply_adds, units : int
        Multiply-adds and output values per row, where the network of floats has them.
    """

    def __init__(self, fake_quantized: Staged):
        super().__init__(
            [(name, _final(part)) for name, part in fake_quantized.stages()],
            fake_quantized.n_encoding,
        )
        for name in ("multiply_adds", "units", "positions"):
            if hasattr(fake_quantized, name):
                setattr(self, name, getattr(fake_quantized, name))

    @classmethod
    def rebuilt(
        cls, network: Callable[..., Any], bits: int, **architecture: Any
    ) -> "QuantizedNetwork":
        """The network for an architecture, with arbitrary values."""
        return cls(with_fake_quant(network(**architecture), bits))


def with_fake_quant(network: Any, bits: int) -> Staged:
    """A copy of a network with fake quantization of weights and activations.

    Batch normalisation is folded into the layer before it. The ``Quantize`` layers
    still have to observe the ranges of activations.
    """
    weights_only = bits == 4 or isinstance(network, WEIGHTS_ONLY)
    walk = _Walk(LIMITS[bits], weights_only=weights_only)
    stages: Stages = [
        (name, nn.Sequential(*walk.sequence([stage])))
        for name, stage in _stages(network)
    ]
    n_encoding = len(network.encoder()) if hasattr(network, "encoder") else 0
    staged = Staged(stages, n_encoding).float()
    numbers = {
        "multiply_adds": sum(p.numel() for p in network.parameters()),
        "units": max((p.shape[0] for p in network.parameters() if p.ndim), default=1),
    }
    for name, number in numbers.items():
        setattr(staged, name, getattr(network, name, number))
    if hasattr(network, "positions"):
        staged.positions = network.positions
    return staged


def _stages(network: Any) -> Stages:
    """What is converted one after the other: of an ensemble, each network as a whole."""
    if not isinstance(network, Ensemble):
        return network.stages()
    networks: Any = network.networks
    wholes = [
        nn.Sequential(*(stage for _, stage in each.stages())) for each in networks
    ]
    both = SideBySide(wholes, first=True), Average(network.kind)
    return list(zip(("networks", "average"), both, strict=True))


class _Walk:
    """Walks through layers in order, and tracks the quantization grid of the values."""

    def __init__(self, limit: int, *, weights_only: bool):
        self.limit, self.weights_only = limit, weights_only
        self.grid: Quantize | None = None

    def sequence(self, modules: Iterable[nn.Module]) -> list[nn.Module]:
        """Convert consecutive layers."""
        layers, out = _flat(modules), list[nn.Module]()
        while layers:
            layer = layers.pop(0)
            if isinstance(layer, _WEIGHTED):
                norm = layers.pop(0) if layers and _is(layers[0], BatchNorm) else None
                out += self._onto_grid()
                out += self._weighted(layer, norm, layers)
            elif isinstance(layer, Residual):
                out += self._onto_grid()
                out += self._residual(layer.layers, layer.shortcut)
                out += self.sequence([layer.after])
            elif isinstance(layer, Block):
                assert layer.shortcut is not None
                out += self._onto_grid()
                out += self._residual(layer.layers, layer.shortcut)
            elif isinstance(layer, Branches):
                out += self._onto_grid()
                parts = [self._beside([branch]) for branch in layer.branches]
                out.append(Branches(parts))
                self.grid = None
            elif isinstance(layer, SideBySide):
                whole = [self._beside([part]) for part in layer.parts]
                out.append(SideBySide(whole, layer.first))
                self.grid = None
            elif isinstance(layer, Embed):
                out.append(FakeQuantizeEmbed(layer, self.limit))
            elif isinstance(layer, Layer):
                out.append(FakeQuantizeRecurrent(layer, self.limit))
            else:
                out.append(_copy(layer))
                if not isinstance(layer, _KEEPS_GRID):
                    self.grid = None
        return out

    def _onto_grid(self) -> list[nn.Module]:
        if self.weights_only or self.grid is not None:
            return []
        self.grid = Quantize()
        return [self.grid]

    def _weighted(
        self, layer: Any, norm: Any, rest: list[nn.Module]
    ) -> list[nn.Module]:
        weight, bias = _folded(layer, norm)
        out: list[nn.Module] = [
            FakeQuantize(weight, bias, _how(layer), self.limit, self.grid)
        ]
        self.grid = None
        if len(rest) > 1 and _is(rest[0], *_MAX_POOLS) and _is(rest[1], nn.ReLU):
            rest[0], rest[1] = rest[1], rest[0]
        bends = bool(rest) and _is(rest[0], nn.ReLU)
        if bends:
            out.append(_copy(rest.pop(0)))
        # onnxruntime convolves integers only where the output is quantized immediately.
        return [*out, *(self._onto_grid() if bends or weight.ndim > 2 else [])]

    def _residual(self, layers: nn.Module, shortcut: nn.Module) -> list[nn.Module]:
        both = [self._beside([layers]), self._beside([shortcut])]
        self.grid = None
        return [Residual(*both)]

    def _beside(self, modules: Iterable[nn.Module]) -> nn.Sequential:
        """Convert a branch that shares its input with others."""
        before = self.grid
        out = nn.Sequential(*self.sequence(modules))
        self.grid = before
        return out


def _is(layer: nn.Module, *kinds: type[nn.Module]) -> bool:
    return isinstance(layer, kinds)


def _flat(modules: Iterable[nn.Module]) -> list[nn.Module]:
    """Layers of nested sequences in one list."""
    out: list[nn.Module] = []
    for module in modules:
        if isinstance(module, nn.Sequential):
            out += _flat(module)
        elif isinstance(module, Block) and module.shortcut is None:
            out += _flat([module.layers])
        else:
            out.append(module)
    return out


def _copy(layer: nn.Module) -> nn.Module:
    """A copy of a layer without hooks, whose parameters can all be trained."""
    return _without_hooks(copy.deepcopy(layer)).requires_grad_()


def _without_hooks(layer: nn.Module) -> nn.Module:
    for part in layer.modules():
        for hooks in all_hooks(part):
            hooks.clear()
    return layer


def _folded(layer: Any, norm: Any) -> tuple[Tensor, Tensor]:
    """Weights and bias of a layer, with the normalisation after it folded in."""
    weight = layer.weight.detach().double()
    bias = torch.zeros_like(weight.flatten(1)[:, 0])
    if layer.bias is not None:
        bias = layer.bias.detach().double()
    if norm is not None:
        factor = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
        weight = weight * factor.detach().view(-1, *(1,) * (weight.ndim - 1))
        bias = (bias - norm.running_mean.double()) * factor + norm.bias.double()
    return weight.float(), bias.detach().float()


def _how(layer: Any) -> dict[str, Any]:
    names = ("stride", "padding", "dilation", "groups")
    return {n: getattr(layer, n) for n in names if hasattr(layer, n)}


def _final_product(layer: FakeQuantize) -> nn.Module:
    return (WeightOnly if layer.before == (None,) else QuantizedLinear)(layer)


_FINAL: dict[type[nn.Module], Callable[[Any], nn.Module]] = {
    FakeQuantize: _final_product,
    FakeQuantizeEmbed: StoredEmbed,
    FakeQuantizeRecurrent: StoredLayer,
}


def _final(module: nn.Module) -> nn.Module:
    """Convert a module with fake quantization to one of integers."""
    for kind, final in _FINAL.items():
        if isinstance(module, kind):
            return final(module)
    # A deep copy takes from the memo what stands for each of its layers.
    finals = {id(layer): _final(layer) for layer in module.children()}
    fresh = _without_hooks(copy.deepcopy(module, finals))
    if isinstance(fresh, nn.Sequential):
        _join(list(fresh))
    return fresh


def _join(layers: list[nn.Module]) -> None:
    """Let layers requantize their sums, where a ``Quantize`` follows."""
    for i, layer in enumerate(layers):
        rest = [m for m in layers[i + 1 : i + 3] if not isinstance(m, nn.ReLU)]
        if (
            isinstance(layer, QuantizedLinear)
            and rest
            and isinstance(rest[0], Quantize)
        ):
            layer.after = (rest[0],)
