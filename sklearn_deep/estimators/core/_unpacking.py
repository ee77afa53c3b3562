"""Checks of a packed network before it is built, for readers of files."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

Check = Callable[[Any, dict[str, Any]], None]

_check: ContextVar[Check | None] = ContextVar("check of packed networks", default=None)


@contextmanager
def checking_with(check: Check) -> Iterator[None]:
    """Call ``check(estimator, fields)`` before a network is built of packed fields."""
    token = _check.set(check)
    try:
        yield
    finally:
        _check.reset(token)


def check_packed(estimator: Any, fields: Any) -> None:
    """Check packed fields where a reader of files asks for it."""
    check = _check.get()
    if check is not None:
        check(estimator, fields)
