"""The parameters of one network, or of many of one architecture, as one tensor."""

import copy
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sklearn_deep.nn._dropout import rate_modules
from sklearn_deep.nn._frozen import begin_training
from sklearn_deep.training.step._products import padded_size


class FlatParameters:
    """The trainable parameters of some modules as one tensor, and their gradients.

    The modules' parameters become views of ``values`` and their gradients views of
    ``gradient``, so that a penalty, a norm, an update or a snapshot is one operation,
    whatever the number of layers. The first ``n_penalised`` values of a network are
    weights (two or more dimensions); biases and normalisation follow. Each parameter
    begins at a boundary in memory; the values between them are zeros and stay so.

    Parameters
    ----------
    modules : sequence of torch.nn.Module
        Of one architecture.
    stacked : bool
        Whether tensors have an axis of networks; without, there is one module.
    frozen : collection of str
        Names of parameters that are not trained. Until ``release`` they need no gradient.

    Attributes
    ----------
    values, gradient : Tensor of shape (n_values,), or (n_nets, n_values) if stacked
    message : Tensor of shape (n_nets * n_values + n_nets,)
        The gradient, and behind it a place for the loss of each network: what ranks that
        train together add up.
    """

    def __init__(
        self,
        modules: Sequence[nn.Module],
        stacked: bool = False,
        frozen: Collection[str] = (),
    ):
        self.modules, self.stacked = list(modules), stacked
        self._frozen = frozen
        for module in self.modules if frozen else ():
            _require_gradients(module, frozen, required=False)
        if stacked:
            self._pattern = _pattern(self.modules)
        params = [
            (name, p)
            for name, p in self.modules[0].named_parameters()
            if p.requires_grad
        ]
        params.sort(key=lambda item: item[1].ndim < 2)
        self._shapes = {name: p.shape for name, p in params}
        self._sizes = [padded_size(p.numel(), p.dtype) for _, p in params]
        n_matrices = sum(p.ndim >= 2 for _, p in params)
        self.n_penalised = sum(self._sizes[:n_matrices])
        with torch.no_grad():
            rows = [self._packed(module) for module in self.modules]
        self.values = torch.stack(rows) if self.stacked else rows[0]
        n_nets = len(self.modules)
        self.message = self.values.new_zeros(self.values.numel() + n_nets)
        self.gradient = self.message[:-n_nets].view_as(self.values)
        self._rows = self.values.unbind() if self.stacked else (self.values,)
        gradients = self.gradient.unbind() if self.stacked else (self.gradient,)
        for module, values, gradient in zip(
            self.modules, self._rows, gradients, strict=True
        ):
            for name, value, slope in self._named(values, gradient):
                parameter = module.get_parameter(name)
                parameter.data, parameter.grad = value, slope
        if self.stacked:
            self._stack_constants()

    def _packed(self, module: nn.Module) -> Tensor:
        """Parameters of a module one behind the other, each at a boundary."""
        parts = [module.get_parameter(name).reshape(-1) for name in self._shapes]
        return torch.cat(
            [
                F.pad(part, (0, size - len(part)))
                for part, size in zip(parts, self._sizes, strict=True)
            ]
        )

    def template(self, nets: slice) -> nn.Module:
        """A module with stacked views of the parameters and buffers of some networks.

        Without an axis of networks: the network itself.
        """
        if not self.stacked:
            return self.modules[0]
        template = copy.deepcopy(self._pattern)
        values, gradient = self.values[nets], self.gradient[nets]
        for name, value, slope in self._named(values, gradient):
            owner, leaf = _owner(template, name)
            parameter = nn.Parameter(value)
            parameter.grad = slope
            owner.register_parameter(leaf, parameter)
        for name, constant in self._constants.items():
            _set_tensor(template, name, constant[nets])
        return begin_training(template, self._frozen)

    def flattened(self, named: Mapping[str, Tensor], fill: float) -> Tensor:
        """Flatten tensors by name to (n_values,); other parameters get ``fill``."""
        like = self._rows[0]
        flat = torch.full_like(like, fill)
        for name, place, _ in self._named(flat, flat):
            if name in named:
                place.copy_(named[name])
        return flat

    def by_name(self, flat: Tensor) -> dict[str, Tensor]:
        """Views of a tensor like ``values``, by name of the parameter."""
        return {name: part for name, part, _ in self._named(flat, flat)}

    def segments(
        self, factors: Mapping[str, Any], by_decay: bool
    ) -> list[tuple[slice, Any]]:
        """Adjacent values with one factor, given by name of the parameter.

        With ``by_decay`` no segment holds both penalised values and others.
        """
        segments: list[tuple[slice, Any]] = []
        stop = 0
        for name, size in zip(self._shapes, self._sizes, strict=True):
            start, stop = stop, stop + size
            joins = segments and not (by_decay and start == self.n_penalised)
            if joins and segments[-1][1] == factors[name]:
                start = segments.pop()[0].start
            segments.append((slice(start, stop), factors[name]))
        return segments

    def snapshot(self, k: int = 0) -> list[Tensor]:
        """A copy of all values and buffers of a network."""
        return [tensor.clone() for tensor in self._tensors(k)]

    def restore(self, snapshot: list[Tensor], k: int = 0) -> None:
        """Put a snapshot back."""
        for tensor, saved in zip(self._tensors(k), snapshot, strict=True):
            tensor.copy_(saved)

    def release(self, k: int = 0) -> None:
        """Give a network's parameters and buffers memory of their own again."""
        for name in self._shapes:
            parameter = self.modules[k].get_parameter(name)
            parameter.data, parameter.grad = parameter.data.clone(), None
        if self.stacked:
            for name in self._constants:
                _set_tensor(self.modules[k], name, self._constants[name][k].clone())
        _require_gradients(self.modules[k], self._frozen, required=True)

    def _tensors(self, k: int) -> list[Tensor]:
        return [self._rows[k], *self.modules[k].buffers()]

    def _named(self, values: Tensor, gradient: Tensor):
        """Each parameter's name, its part of the values, and of the gradient."""
        start = 0
        for (name, shape), n_padded in zip(
            self._shapes.items(), self._sizes, strict=True
        ):
            place = slice(start, start + shape.numel())
            size = (*values.shape[:-1], *shape)
            yield name, values[..., place].view(size), gradient[..., place].view(size)
            start += n_padded

    def _stack_constants(self) -> None:
        """Stack what is not trained by a gradient: buffers and frozen parameters."""
        self._constants: dict[str, Tensor] = {}
        first = self.modules[0]
        names = [name for name, p in first.named_parameters() if not p.requires_grad]
        for name in [*names, *(name for name, _ in first.named_buffers())]:
            rows = [_tensor(module, name).detach() for module in self.modules]
            self._constants[name] = stacked = torch.stack(rows)
            for module, row in zip(self.modules, stacked.unbind(), strict=True):
                _set_tensor(module, name, row)


def _pattern(modules: list[nn.Module]) -> nn.Module:
    """A module of the same architecture without values."""
    # A module with dropout layers can stand for one without (rate 0), not the reverse.
    richest = max(modules, key=lambda m: len(rate_modules(m)))
    # Copied without its values, which may be views of a large stack.
    memo = {
        id(t): t.detach().to("meta").requires_grad_(t.requires_grad)
        for t in (*richest.parameters(), *richest.buffers())
    }
    return copy.deepcopy(richest, memo)


def _require_gradients(
    module: nn.Module, names: Collection[str], required: bool
) -> None:
    for name, parameter in module.named_parameters():
        if name in names:
            parameter.requires_grad_(required)


def _tensor(module: nn.Module, name: str) -> Tensor:
    owner, leaf = _owner(module, name)
    value: Tensor = getattr(owner, leaf)
    return value


def _set_tensor(module: nn.Module, name: str, value: Any) -> None:
    """Set a buffer, or the values of a parameter that is not trained."""
    owner, leaf = _owner(module, name)
    before = getattr(owner, leaf)
    if isinstance(before, nn.Parameter):
        before.data = value
    elif leaf in dict(owner.named_parameters(recurse=False)):  # a pattern: no Parameter
        owner.register_parameter(leaf, nn.Parameter(value, requires_grad=False))
    else:
        setattr(owner, leaf, value)


def _owner(module: nn.Module, name: str) -> tuple[nn.Module, str]:
    """The submodule that a parameter or buffer belongs to, and its name there."""
    path, _, leaf = name.rpartition(".")
    return module.get_submodule(path), leaf
