"""Parameter rules: small objects that define the allowed values of a parameter.

Each ``__init__`` has a table ``{name: (rule, ...)}`` next to it; a value is allowed if
one of its rules allows it. ``check_params`` is called once, at the start of ``fit``.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Protocol, cast

import numpy as np

from sklearn_deep.exceptions import InvalidParameterError


class Rule(Protocol):
    """A test of a value, and its description for error messages."""

    def allows(self, value: Any) -> bool:
        """Whether ``value`` is allowed."""

    def __str__(self) -> str: ...


Rules = Mapping[str, tuple[Rule, ...]]


# Tensors and NumPy arrays hold 64-bit integers.
_END_OF_INTEGERS = 2**63

_LONGEST_REPR = 500


def _is_bool(value: Any) -> bool:
    return isinstance(value, (bool, np.bool_))


@dataclass(frozen=True)
class Number:
    """A finite number of ``kind`` in an interval; booleans are not allowed.

    Integers must fit into 64 bits.
    """

    kind: type = Real
    low: float = -np.inf
    high: float = np.inf
    open_low: bool = False
    open_high: bool = False

    def allows(self, value: Any) -> bool:
        """Whether ``value`` is such a number in the interval."""
        if not isinstance(value, self.kind) or _is_bool(value):
            return False
        value = cast("float", value)
        if self.kind is Integral and not (
            -_END_OF_INTEGERS <= value < _END_OF_INTEGERS
        ):
            return False
        try:
            number = float(value)
        except OverflowError:  # Python's integers are unbounded
            return False
        if not math.isfinite(number):
            return False
        above = value > self.low if self.open_low else value >= self.low
        below = value < self.high if self.open_high else value <= self.high
        return bool(above and below)

    def __str__(self) -> str:
        noun = "an int" if self.kind is Integral else "a float"
        left = "(" if self.open_low or np.isinf(self.low) else "["
        right = ")" if self.open_high or np.isinf(self.high) else "]"
        counts = self.kind is Integral and np.isinf(self.high)
        high = "2**63" if counts else self.high
        return f"{noun} in the range {left}{self.low}, {high}{right}"


class OneOf:
    """One of several values, compared including their type (``True`` is not ``1``).

    NumPy's booleans and strings are treated as Python's: an array of names in a
    parameter grid holds ``numpy.str_``.
    """

    def __init__(self, *options: Any):
        self.options = options

    def allows(self, value: Any) -> bool:
        """Whether ``value`` is one of the options."""
        if isinstance(value, (np.bool_, np.str_)):
            value = value.item()
        return any(type(value) is type(o) and value == o for o in self.options)

    def __str__(self) -> str:
        return f"one of {{{', '.join(map(repr, self.options))}}}"


@dataclass(frozen=True)
class SequenceOf:
    """A list, tuple or 1-D array whose items a rule allows."""

    item: Rule
    min_length: int = 0
    max_length: int | None = None

    def allows(self, value: Any) -> bool:
        """Whether ``value`` is such a sequence."""
        if not isinstance(value, (list, tuple, np.ndarray)) or (
            isinstance(value, np.ndarray) and value.ndim == 0
        ):
            return False
        longest = len(value) if self.max_length is None else self.max_length
        return self.min_length <= len(value) <= longest and all(
            map(self.item.allows, value)
        )

    def __str__(self) -> str:
        length = f" {self.max_length}" if self.max_length == self.min_length else ""
        return f"a sequence of{length} values, each {self.item}"


@dataclass(frozen=True)
class InstanceOf:
    """An instance of one of several types."""

    types: tuple[type, ...]
    noun: str

    def allows(self, value: Any) -> bool:
        """Whether ``value`` is such an instance."""
        return isinstance(value, self.types)

    def __str__(self) -> str:
        return self.noun


@dataclass(frozen=True)
class Satisfies:
    """Any value that a function accepts; for rules that no other class expresses."""

    test: Callable[[Any], bool]
    noun: str

    def allows(self, value: Any) -> bool:
        """Whether the function accepts ``value``."""
        return self.test(value)

    def __str__(self) -> str:
        return self.noun


NONE = OneOf(None)
# Range of initial parameters of a network. Initial values are float32, and products of
# larger ones over several layers overflow.
INITIAL_VALUE = Number(low=-1e6, high=1e6)
BOOLEAN = OneOf(True, False)
MAPPING = InstanceOf((Mapping,), "a dict")
SEED = (
    NONE,
    Number(Integral, 0, 2**32 - 1),
    InstanceOf((np.random.RandomState,), "a numpy.random.RandomState"),
)


def check_params(owner: Any, rules: Rules) -> None:
    """Check every constructor argument of an estimator against its rules.

    Raises
    ------
    InvalidParameterError
        For the first parameter whose value none of its rules allows.
    """
    for name, allowed in rules.items():
        check_value(type(owner).__name__, name, getattr(owner, name), allowed)


def check_value(owner: str, name: str, value: Any, allowed: Iterable[Rule]) -> None:
    """Raise ``InvalidParameterError`` unless one of the rules allows ``value``."""
    allowed = tuple(allowed)
    if not any(rule.allows(value) for rule in allowed):
        instead = "" if isinstance(value, type) else " instead"
        raise InvalidParameterError(
            f"The {name!r} parameter of {owner} must be"
            f" {' or '.join(map(str, allowed))}. Got {shown(value)}{instead}."
        )


def shown(value: Any) -> str:
    """Representation of a value for an error message, shortened if it is long."""
    if isinstance(value, type):
        return f"the class {value.__name__}, not an instance of it: {value.__name__}()"
    if isinstance(value, int) and abs(value) >= _END_OF_INTEGERS:
        return f"an int of {value.bit_length()} bits"  # Python may refuse to print it
    text, half = repr(value), _LONGEST_REPR // 2
    return text if len(text) <= _LONGEST_REPR else f"{text[:half]}...{text[-half:]}"


def merge_named(
    owner: str, name: str, given: Mapping | None, rules: Rules, defaults: Mapping
) -> dict:
    """Check a dict parameter and merge it with its defaults.

    The allowed keys of ``activation_params``, ``loss_params`` etc. depend on another
    parameter; ``rules`` and ``defaults`` come from that parameter's row of a table.
    """
    given = dict(given or {})
    if unknown := sorted(set(given) - set(rules), key=str):
        allowed = ", ".join(sorted(rules)) or "none"
        raise InvalidParameterError(
            f"The {name!r} parameter of {owner} must be a dict with keys among:"
            f" {allowed}. Got {unknown} instead."
        )
    for key, value in given.items():
        check_value(owner, f"{name}[{key!r}]", value, rules[key])
    return {**defaults, **given}
