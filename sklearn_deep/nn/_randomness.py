"""Random numbers of user modules, drawn from the fit's generator.

A user's module draws with ``torch.randn``, ``nn.init.normal_`` or ``F.dropout``, from
torch's global generator. ``RedirectRandomness`` hands every such draw another generator, in
this thread only: the module's own scheme is kept, nothing global is read or changed, and
two fits in two threads do not meet.
"""

import copy
import copyreg
import threading
from typing import Any

import torch
from torch import Tensor, nn

from sklearn_deep.nn._dropout import (
    AlphaDropout,
    Dropout,
    RandomModule,
    without_source,
)
from sklearn_deep.private._torch import TorchDispatchMode, schema_of

# 16-bit numbers per seed: torch's seeds are signed 64-bit integers.
_WORDS = 3

_global_state = threading.Lock()


class RedirectRandomness(TorchDispatchMode):
    """Context in which draws from torch's global generators use ``generator`` instead.

    Parameters
    ----------
    generator : torch.Generator
        On the CPU. Draws on another device have a generator that is seeded from it.

    Attributes
    ----------
    drew : bool
        Whether anything was drawn.
    """

    def __init__(self, generator: torch.Generator):
        super().__init__()
        self._generators = {"cpu": generator}
        self.drew = False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        """Run an operation; a random one with the generator."""
        kwargs = dict(kwargs or {})
        random = torch.Tag.nondeterministic_seeded in func.tags
        if not random or kwargs.get("generator") is not None:
            return func(*args, **kwargs)
        device = _device_of(args, kwargs)
        if device.type == "meta":
            return func(*args, **kwargs)
        self.drew = True
        return _draw(func, args, kwargs, self._generator(device))

    def _generator(self, device: torch.device) -> torch.Generator:
        key = str(device)
        if key not in self._generators:
            seed = _seed(self._generators["cpu"])
            self._generators[key] = torch.Generator(device).manual_seed(seed)
        return self._generators[key]


def _draw(func: Any, args: tuple, kwargs: dict, generator: torch.Generator) -> Any:
    arguments = getattr(schema_of(func), "arguments", ())
    if any(argument.name == "generator" for argument in arguments):
        return func(*args, **{**kwargs, "generator": generator})
    _, _, overload = func.name().partition(".")  # of "aten::normal.Tensor_float"
    twin = f"{overload}_generator" if overload else "generator"
    packet = func.overloadpacket
    if twin in packet.overloads():
        return getattr(packet, twin)(*args, **kwargs, generator=generator)
    return _seeded(func, args, kwargs, generator)


def _seeded(func: Any, args: tuple, kwargs: dict, generator: torch.Generator) -> Any:
    """Run an operation that takes no generator, such as GPU attention with dropout.

    The global generator is seeded for it; its state is restored afterwards.
    """
    cuda = [generator.device] if generator.device.type == "cuda" else []
    with _global_state, torch.random.fork_rng(cuda):
        torch.manual_seed(_seed(generator))
        return func(*args, **kwargs)


def _seed(generator: torch.Generator) -> int:
    bits = torch.empty((), dtype=torch.int64, device=generator.device)
    return int(bits.random_(generator=generator))


def _device_of(args: tuple, kwargs: dict) -> torch.device:
    for value in args:
        if isinstance(value, Tensor):
            return value.device
    return torch.device(kwargs.get("device") or "cpu")


class _Drawing(RandomModule):
    """A user's module whose draws in training come from ``source``.

    Attributes
    ----------
    original_class : type
        The user's class.
    """

    original_class: type[nn.Module]

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Apply the module; random numbers are seeded by the fit's next bits."""
        if not self.training:
            return super().forward(*args, **kwargs)  # type: ignore[misc]
        like = next(self.parameters()).new_empty(_WORDS)
        words = self.source.draw(like).tolist()
        seed = sum((word & 0xFFFF) << (16 * i) for i, word in enumerate(words))
        with RedirectRandomness(torch.Generator().manual_seed(seed)):
            return super().forward(*args, **kwargs)  # type: ignore[misc]

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Pickle and copy as the user's class: the subclass cannot be imported."""
        reduced: Any = super().__reduce_ex__(protocol)
        if isinstance(reduced, str):
            return reduced
        make, arguments, *rest = reduced
        if make is copyreg.__newobj__:  # type: ignore[attr-defined]
            # pickle wants the class of the object itself there.
            make = self.original_class.__new__
        own = tuple(self.original_class if a is type(self) else a for a in arguments)
        if rest:  # a class may write its own __getstate__ and not call ours
            rest[0] = without_source(rest[0])
        return (self.original_class if make is type(self) else make, own, *rest)


def copy_to_train(module: nn.Module) -> nn.Module:
    """A copy that draws from its ``source`` too; a plain copy draws as torch does."""
    twin = copy.deepcopy(module)
    if isinstance(module, _Drawing):
        install_generator(twin)
    return twin


def install_generator(module: nn.Module) -> None:
    """Make a module draw its random numbers in training from its ``source``.

    Its class is replaced by a subclass until ``restore_class``.
    """
    cls = type(module)
    module.__class__ = type(cls.__name__, (_Drawing, cls), {"original_class": cls})


def draws_from_source(module: nn.Module) -> bool:
    """Whether ``install_generator`` was called for a module."""
    return isinstance(module, _Drawing)


def restore_class(module: nn.Module) -> None:
    """Restore the original class of a module."""
    if isinstance(module, _Drawing):
        module.__class__ = module.original_class  # type: ignore[assignment]


class _TorchCompatible:
    """A dropout layer of ours with torch's name for its rate."""

    rate: Any

    @property
    def p(self) -> Any:
        """The rate."""
        return self.rate


class TorchCompatibleDropout(_TorchCompatible, Dropout):
    """Replaces ``torch.nn.Dropout`` in a user's module."""


class TorchCompatibleAlphaDropout(_TorchCompatible, AlphaDropout):
    """Replaces ``torch.nn.AlphaDropout`` in a user's module."""


_REPLACEMENTS: dict[type[nn.Module], type[nn.Module]] = {
    nn.Dropout: TorchCompatibleDropout,
    nn.AlphaDropout: TorchCompatibleAlphaDropout,
}


def adopt_dropout(module: nn.Module) -> nn.Module:
    """Replace torch's dropout layers, which cannot be stacked, by ours.

    Layers with a rate of 1 and dropout of whole channels are not replaced.
    """
    twins: dict[nn.Module, nn.Module] = {}  # one layer may stand in several places
    for name, child in list(module.named_modules(remove_duplicate=False)):
        if type(child) in _REPLACEMENTS and child.p < 1:  # type: ignore[operator]
            if child not in twins:
                twins[child] = _REPLACEMENTS[type(child)](child.p)
            parent, _, leaf = name.rpartition(".")
            setattr(module.get_submodule(parent), leaf, twins[child])
    return module
