"""Functions and classes of the user, taken apart into what decides what they do."""

import functools
import inspect
import sys
import types
from collections.abc import Iterator
from typing import Any

# Their versions stand for their code.
_VERSIONED = {"numpy", "scipy", "sklearn", "sklearn_deep", "torch"}

# Attributes that Python or a library adds to a class, and that change nothing in it.
_ADDED = {
    "__abstractmethods__",
    "__annotate__",
    "__annotate_func__",
    "__annotations__",
    "__annotations_cache__",
    "__dict__",
    "__doc__",
    "__firstlineno__",
    "__module__",
    "__orig_bases__",
    "__parameters__",
    "__qualname__",
    "__slotnames__",
    "__static_attributes__",
    "__weakref__",
    "_abc_impl",
}

# Values of global variables that are compared; of others only the type is.
_CONSTANTS = (bool, int, float, complex, str, bytes, type(None), tuple, frozenset)
_CODE = (types.FunctionType, type, functools.partial)


def name_of(value: Any) -> tuple[str, str]:
    """Where a class or function is defined, and its name there."""
    name = getattr(value, "__qualname__", None) or type(value).__qualname__
    return str(getattr(value, "__module__", "")), name


def is_versioned(value: Any) -> bool:
    """Whether a class or function comes with Python or a library with a version."""
    root = name_of(value)[0].split(".")[0]
    return root in _VERSIONED or root in sys.stdlib_module_names


def parts_of_class(cls: type) -> list[Any]:
    """Its bases and attributes."""
    attributes = {n: v for n, v in vars(cls).items() if n not in _ADDED}
    return [cls.__bases__, attributes]


def parts_of_function(function: types.FunctionType) -> list[Any]:
    """Its code, defaults, and the variables that it reads from outside."""
    return [
        function.__code__,
        function.__defaults__,
        function.__kwdefaults__,
        [_content_of(cell) for cell in function.__closure__ or ()],
        dict(_globals_of(function)),
    ]


def parts_of_code(code: types.CodeType) -> list[Any]:
    """Its instructions and constants, without the places of its lines in a file."""
    return [
        code.co_code,
        code.co_consts,
        code.co_names,
        code.co_varnames,
        code.co_freevars,
        code.co_cellvars,
        code.co_argcount,
        code.co_posonlyargcount,
        code.co_kwonlyargcount,
        code.co_flags,
        code.co_exceptiontable,
    ]


def parts_of_property(value: property) -> list[Any]:
    """Its functions."""
    return [value.fget, value.fset, value.fdel]


def _content_of(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # a variable that is not set yet
        return "unset"


def _globals_of(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    for name in sorted(set(_names_in(function.__code__))):
        if name not in function.__globals__:
            continue
        value = function.__globals__[name]
        if isinstance(value, (*_CODE, *_CONSTANTS)):
            yield name, value
        elif inspect.ismodule(value):
            yield name, value.__name__
        else:
            yield name, type(value)


def _names_in(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names_in(constant)
