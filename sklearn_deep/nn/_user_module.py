"""User modules: how they are built, and how they are compared."""

import copy
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from sklearn_deep.exceptions import InvalidParameterError
from sklearn_deep.nn._dropout import RateModule
from sklearn_deep.nn._hooks import all_hooks
from sklearn_deep.nn._randomness import RedirectRandomness, adopt_dropout

Factory = Callable[..., nn.Module]


def bind_arguments(
    owner: str, factory: Factory, given: Mapping[str, Any], sizes: Mapping[str, Any]
) -> dict[str, Any]:
    """The arguments of a factory: those given, and the sizes that it names.

    Raises
    ------
    InvalidParameterError
        For an argument that it does not take, or one that it needs and has not.
    """
    parameters = _parameters(factory)
    named = {
        name: kind
        for name, kind in parameters.items()
        if kind.kind in (kind.POSITIONAL_OR_KEYWORD, kind.KEYWORD_ONLY)
    }
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    who = f"The module {name_of(factory)} of {owner}"
    unknown = sorted(set(given) - set(named))
    if unknown and not open_ended:
        listed = ", ".join(f"module__{name}" for name in named) or "none"
        raise InvalidParameterError(
            f"{who} takes no argument {unknown[0]!r}. Got module__{unknown[0]}; those it"
            f" takes: {listed}."
        )
    arguments = {name: size for name, size in sizes.items() if name in named}
    arguments.update(given)
    missing = [
        name
        for name, parameter in named.items()
        if parameter.default is parameter.empty and name not in arguments
    ]
    if missing:
        raise InvalidParameterError(
            f"{who} needs an argument {missing[0]!r}. Pass module__{missing[0]}, or give"
            f" it a default. Only {', '.join(sizes)} are filled in."
        )
    return arguments


def _parameters(factory: Factory) -> dict[str, inspect.Parameter]:
    try:
        return dict(inspect.signature(factory).parameters)
    except ValueError:  # written in C; it says itself what it does not take
        name = inspect.Parameter("arguments", inspect.Parameter.VAR_KEYWORD)
        return {"arguments": name}


def name_of(factory: Factory) -> str:
    """The name of a class or function."""
    return getattr(factory, "__name__", None) or repr(factory)


def build(
    owner: str,
    factory: Factory,
    arguments: Mapping[str, Any],
    generator: torch.Generator,
) -> nn.Module:
    """Build a new module, whose initial values are drawn from a generator.

    The module's own initialisation scheme is kept. torch's dropout layers are replaced
    by ours.

    Raises
    ------
    TypeError
        Where it is no module.
    ValueError
        Where it cannot be made, or has nothing to learn.
    """
    # A layer among the arguments must not be shared by two networks.
    arguments = copy.deepcopy(dict(arguments))
    with RedirectRandomness(generator):
        try:
            module = factory(**arguments)
        except Exception as error:
            raise ValueError(
                f"The module {name_of(factory)} of {owner} cannot be made with"
                f" {_call(arguments)}: {type(error).__name__}: {error}"
            ) from error
    if not isinstance(module, nn.Module):
        raise TypeError(
            f"module of {owner} must make a torch.nn.Module; {name_of(factory)} made"
            f" {type(module).__name__}."
        )
    if not any(p.requires_grad for p in module.parameters()):
        raise ValueError(
            f"The module {name_of(factory)} of {owner} has no parameter to train. Layers"
            " in a plain list are not seen: use torch.nn.ModuleList or Sequential."
        )
    return adopt_dropout(module)


def _call(arguments: Mapping[str, Any]) -> str:
    shown = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    return f"({shown})"


# Attributes that torch sets on every module.
_OF_TORCH = set(vars(nn.Module()))
_PLAIN = (bool, int, float, complex, str, bytes, type(None), torch.dtype, torch.device)


def fingerprint(module: nn.Module) -> tuple | None:
    """A key that is equal for modules that compute the same function of their tensors.

    Rates of our dropout are left out: networks of a stack have one each.

    Returns
    -------
    tuple or None
        Hashable; None where a module holds what cannot be compared.
    """
    try:
        parts = tuple(
            (name, *_of_one(child))
            for name, child in module.named_modules(remove_duplicate=False)
        )
        hash(parts)
    except TypeError:
        return None
    return parts


def _of_one(module: nn.Module) -> tuple:
    state = vars(module)
    if any(all_hooks(module)):  # they make a function that no comparison sees
        raise TypeError("hooks")
    named = (module.named_parameters, module.named_buffers)
    tensors = tuple(
        (name, tuple(t.shape), t.dtype, t.requires_grad)
        for tensors_of in named
        for name, t in tensors_of(recurse=False, remove_duplicate=False)
    )
    hidden = {"rate", "source", "under_vmap"} if isinstance(module, RateModule) else ()
    rest = tuple(
        (name, _plain(value))
        for name, value in sorted(state.items())
        if name not in _OF_TORCH and name not in hidden
    )
    return type(module), module.training, tensors, rest


def _plain(value: Any) -> Any:
    """A value that can be compared and hashed, with its type."""
    if isinstance(value, (list, tuple)):
        return type(value), tuple(map(_plain, value))
    if isinstance(value, dict):
        return dict, tuple((_plain(k), _plain(v)) for k, v in value.items())
    if isinstance(value, (set, frozenset)):
        return set, frozenset(map(_plain, value))
    if isinstance(value, _PLAIN):
        return type(value), value
    if isinstance(value, type) or inspect.isfunction(value) or inspect.isbuiltin(value):
        return value
    if isinstance(value, Tensor):
        raise TypeError("a tensor that is neither parameter nor buffer")
    raise TypeError(type(value).__name__)
