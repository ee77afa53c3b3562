"""The fingerprint of a job: equal for jobs that come to the same network.

A value is taken apart down to numbers, strings and arrays, each with its type and its
length. Nothing depends on addresses, on the order of sets, or on ``PYTHONHASHSEED``.
"""

import enum
import functools
import hashlib
import struct
import types
import weakref
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn

from sklearn_deep.nn._hooks import all_hooks
from sklearn_deep.training.checkpoints._code import (
    is_versioned,
    name_of,
    parts_of_class,
    parts_of_code,
    parts_of_function,
    parts_of_property,
)
from sklearn_deep.training.checkpoints._contents import Contents
from sklearn_deep.training.checkpoints._versions import versions
from sklearn_deep.training.job._job import TrainJob

# Fields of a job that change nothing in its result.
_UNDECIDING = {"architecture_key", "checkpoint", "n_ranks"}

# Values of no more bytes take part in a digest themselves; all longer ones by their own.
_LONGEST_LEAF = 24

# Attributes that torch sets on every module, and those of one fit.
_OF_TORCH = set(vars(nn.Module())) - {"training"}
_OF_FIT = {"source", "under_vmap"}


def fingerprint(job: TrainJob, contents: Contents | None = None) -> str:
    """Fingerprint of what decides the result of a job that has not been trained.

    The device, watchers and the checkpoint are no part of it; the versions of this
    package, torch, NumPy, SciPy and scikit-learn are.

    Parameters
    ----------
    job : TrainJob
    contents : Contents or None
        Remembers large arrays that several jobs of one search share.

    Raises
    ------
    TypeError
        For a part of the job, such as an attribute of the user's module, that cannot be
        compared between processes. The message names its type.
    """
    decisive = {
        field.name: getattr(job, field.name)
        for field in fields(job)
        if field.name not in _UNDECIDING
    }
    walk = _Walk(contents or Contents())
    return walk.digest([versions(), decisive]).hex()


class _Walk:
    """Digests of a value and of all that it holds."""

    def __init__(self, contents: Contents):
        self.contents = contents
        # By address: the number of each function, class, module and parameter in the
        # order in which they were met, and the depth of each object around this one.
        self._met: dict[int, int] = {}
        self._around: dict[int, int] = {}

    def digest(self, value: Any) -> bytes:
        """Digest of a value by the rule of its type."""
        kind: type = type(value)
        is_leaf, rule = _rule_of(kind)
        return rule(value, self) if is_leaf else self._inside(value, rule)

    def joined(self, name: str, values: Iterable[Any]) -> bytes:
        """Digest of a sequence of values."""
        return _join(name, [self.digest(value) for value in values])

    def unordered(self, name: str, values: Iterable[Any]) -> bytes:
        """Digest of values whose order is no part of them."""
        each = [_Walk(self.contents).digest(value) for value in values]
        return _join(name, sorted(each))

    def once(self, value: Any, parts: Callable[[Any], Iterable[Any]]) -> bytes:
        """Digest of a function, class or module; where it is met again, of its number."""
        number = self.number_of(value)
        if number is not None:
            return _leaf("met", str(number).encode())
        return self.joined("code", parts(value))

    def number_of(self, value: Any) -> int | None:
        """Number of an object that was met before; else it gets one, and it is None."""
        number = len(self._met)
        found = self._met.setdefault(id(value), number)
        return None if found == number else found

    def _inside(self, value: Any, rule: "_Rule") -> bytes:
        """Digest of a value that may hold itself."""
        depth = len(self._around)
        if self._around.setdefault(id(value), depth) < depth:
            return _leaf("around", str(depth - self._around[id(value)]).encode())
        try:
            return rule(value, self)
        finally:
            del self._around[id(value)]


_Rule = Callable[[Any, _Walk], bytes]


@functools.lru_cache(maxsize=1_000)
def _rule_of(kind: type) -> tuple[bool, _Rule]:
    """Whether values of a type hold no others, and how they are taken apart."""
    for base in kind.__mro__:
        if base in _LEAVES:
            return True, _rule_of_leaf(base.__name__, _LEAVES[base])
        if base in _RULES:
            return False, _RULES[base]
    whole = is_dataclass(kind) and not hasattr(kind, "fingerprint_parts")
    return False, _dataclass if whole else _object


def _rule_of_leaf(name: str, content: Callable[[Any], bytes]) -> _Rule:
    return lambda value, walk: _leaf(name, content(value))


def _join(name: str, parts: Iterable[bytes]) -> bytes:
    """Digest of parts, each with its length."""
    pieces = [name.encode()]
    for part in parts:
        pieces += [b"%d:" % len(part), part]
    return hashlib.sha256(b"\0".join(pieces)).digest()


def _leaf(name: str, content: bytes) -> bytes:
    """A value that holds no other: itself with its type, or a digest where it is long."""
    leaf = name.encode() + b"\0" + content
    return leaf if len(leaf) < _LONGEST_LEAF else _join("leaf", [leaf])


def _type_name(value: Any) -> str:
    return ".".join(name_of(type(value)))


def _sequence(value: Any, walk: _Walk) -> bytes:
    return walk.joined(_type_name(value), value)


def _set(value: Any, walk: _Walk) -> bytes:
    return walk.unordered(_type_name(value), value)


def _mapping(value: Any, walk: _Walk) -> bytes:
    by_key = sorted([(_key(key, walk), key) for key in value])
    return _items(by_key, value, walk)


def _items(by_key: Sequence[tuple[bytes, Any]], value: Any, walk: _Walk) -> bytes:
    """Digest of values by their keys, which come with their own digests, sorted by them."""
    parts = (part for key, k in by_key for part in (key, walk.digest(value[k])))
    return _join("dict", parts)


def _key(key: Any, walk: _Walk) -> bytes:
    return _name(key) if type(key) is str else _Walk(walk.contents).digest(key)


@functools.lru_cache(maxsize=10_000)
def _name(name: str) -> bytes:
    """Digest of a string; those of attributes and parameters come again and again."""
    return _leaf("str", _LEAVES[str](name))


def _scalar(value: Any, walk: _Walk) -> bytes:
    item = value.item()
    if isinstance(item, np.generic):  # no number of Python is as precise
        return _join(value.dtype.str, [value.tobytes()])
    return walk.digest(item)


def _array(value: Any, walk: _Walk) -> bytes:
    if value.dtype.hasobject:
        return walk.joined("array", [value.shape, value.tolist()])
    content = walk.contents.of(value)
    return _join(
        "array", [value.dtype.str.encode(), str(value.shape).encode(), content]
    )


def _tensor(value: Any, walk: _Walk) -> bytes:
    if value.layout is not torch.strided:
        value = value.to_dense()
    content, shape = walk.contents.of(value), str(tuple(value.shape))
    return _join("tensor", [str(value.dtype).encode(), shape.encode(), content])


def _sparse(value: Any, walk: _Walk) -> bytes:
    rows = value.tocsr()
    return walk.joined("csr", [rows.shape, rows.indptr, rows.indices, rows.data])


def _dataclass(value: Any, walk: _Walk) -> bytes:
    kind: type = type(value)
    values = _items(_fields(kind), _Attributes(value), walk)
    return _join("dataclass", [walk.digest(kind), values])


@functools.lru_cache(maxsize=1_000)
def _fields(kind: type) -> list[tuple[bytes, str]]:
    """Names of the fields of a dataclass with their digests, sorted by them."""
    return sorted((_name(field.name), field.name) for field in fields(kind))


class _Attributes:
    """The attributes of an object as items."""

    def __init__(self, value: Any):
        self._value = value

    def __getitem__(self, name: str) -> Any:
        return getattr(self._value, name)


def _module(value: nn.Module, walk: _Walk) -> bytes:
    """Digest of a module; modules and parameters of several places are one."""
    return walk.once(value, lambda module: _parts_of_module(module, walk))


def _parts_of_module(module: nn.Module, walk: _Walk) -> list[Any]:
    parts: list[Any] = [type(module), *_attributes(module)]
    for named in (module.named_parameters, module.named_buffers):
        for name, tensor in named(recurse=False, remove_duplicate=False):
            number = walk.number_of(tensor)
            parts += [name, number]
            if number is None:
                parts += [tensor.requires_grad, tensor]
    for name, child in module.named_modules(remove_duplicate=False):
        if name and "." not in name:  # unlike named_children, with those met before
            parts += [name, child]
    return parts


def _attributes(module: nn.Module) -> list[Any]:
    left_out = _OF_TORCH | _OF_FIT
    own = {name: v for name, v in vars(module).items() if name not in left_out}
    hooks = enumerate(list(each.values()) for each in all_hooks(module))
    return [own, [(kind, each) for kind, each in hooks if each]]


def _class(value: type, walk: _Walk) -> bytes:
    known = _versioned_class(value)
    return known or walk.once(value, lambda cls: [name_of(cls), *parts_of_class(cls)])


@functools.lru_cache(maxsize=1_000)
def _versioned_class(value: type) -> bytes | None:
    """Digest of a class whose version stands for its code, by its name."""
    if not is_versioned(value):
        return None
    return _join("class", [_name(part) for part in name_of(value)])


def _function(value: types.FunctionType, walk: _Walk) -> bytes:
    if is_versioned(value):
        return walk.joined("function", [*name_of(value), value.__closure__ is None])
    return walk.once(value, parts_of_function)


def _builtin(value: Any, walk: _Walk) -> bytes:
    owner = getattr(value, "__self__", None)
    bound = None if isinstance(owner, types.ModuleType) else owner
    return walk.joined("builtin", [*name_of(value), bound])


def _object(value: Any, walk: _Walk) -> bytes:
    """Digest of another object by the parts that it names, or what pickle would take."""
    if hasattr(value, "fingerprint_parts"):
        return walk.joined("parts", [type(value), *value.fingerprint_parts()])
    try:
        reduced = value.__reduce_ex__(2)
    except Exception as error:
        name = _type_name(value)
        raise TypeError(f"an object of type {name} has no fingerprint") from error
    if isinstance(reduced, str):  # a global object, which has a name
        return walk.joined("global", [*name_of(value), reduced, *_wrapped(value)])
    function, arguments, *state = reduced
    parts = [None if part is None else _listed(part) for part in state]
    return walk.joined("object", [type(value), function, arguments, *parts])


def _listed(part: Any) -> Any:
    """The items of an iterator, which pickle takes for those of a list or a dict."""
    return list(part) if hasattr(part, "__next__") else part


def _wrapped(value: Any) -> list[Any]:
    return [value.__wrapped__] if hasattr(value, "__wrapped__") else []


def _parts(name: str, parts: Callable[[Any], Iterable[Any]]) -> _Rule:
    return lambda value, walk: walk.joined(name, parts(value))


def _text(value: Any) -> bytes:
    return str(value).encode("utf-8", "surrogatepass")


# Attributes of classes that were not written in Python.
_OF_COMPILED_CLASSES = (
    types.ClassMethodDescriptorType,
    types.GetSetDescriptorType,
    types.MemberDescriptorType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
)

_LEAVES: dict[type, Callable[[Any], bytes]] = {
    type(None): _text,
    type(...): _text,
    type(NotImplemented): _text,
    bool: _text,
    int: lambda value: _text(int(value)),
    float: lambda value: struct.pack("<d", value),
    complex: lambda value: struct.pack("<dd", value.real, value.imag),
    str: lambda value: value.encode("utf-8", "surrogatepass"),
    bytes: bytes,
    torch.dtype: _text,
    torch.device: _text,
    torch.layout: _text,
    torch.memory_format: _text,
    types.ModuleType: lambda value: _text(value.__name__),
}

_RULES: dict[type, _Rule] = {
    enum.Enum: _parts("enum", lambda value: [type(value), value.name]),
    np.generic: _scalar,
    np.ndarray: _array,
    np.ufunc: _parts("ufunc", lambda value: [value.__name__]),
    Tensor: _tensor,
    torch.Generator: _parts("generator", lambda value: [value.get_state()]),
    nn.Module: _module,
    sp.spmatrix: _sparse,
    sp.sparray: _sparse,
    tuple: _sequence,
    list: _sequence,
    set: _set,
    frozenset: _set,
    dict: _mapping,
    OrderedDict: _mapping,
    defaultdict: _parts(
        "defaultdict", lambda value: [value.default_factory, {**value}]
    ),
    types.MappingProxyType: _mapping,
    type: _class,
    types.FunctionType: _function,
    types.BuiltinFunctionType: _builtin,
    **dict.fromkeys(_OF_COMPILED_CLASSES, _parts("descriptor", name_of)),
    types.MethodType: _parts("method", lambda value: [value.__func__, value.__self__]),
    types.CodeType: _parts("instructions", parts_of_code),
    staticmethod: _parts("staticmethod", lambda value: [value.__func__]),
    classmethod: _parts("classmethod", lambda value: [value.__func__]),
    property: _parts("property", parts_of_property),
    functools.partial: _parts(
        "partial", lambda value: [value.func, value.args, value.keywords]
    ),
    weakref.ref: _parts("weakref", lambda value: [value()]),
}
