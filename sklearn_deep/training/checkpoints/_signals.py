"""SIGTERM and SIGINT store the states of all fits in training, then end them as usual."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

# The handlers that are replaced while a fit stores its state, and no others.
_DEFAULTS: dict[int, Any] = {
    signal.SIGTERM: signal.SIG_DFL,
    signal.SIGINT: signal.default_int_handler,
}


class _Flushes(Protocol):
    def flush(self, durable: bool = True) -> None:
        """Store what is not stored yet."""


_live: dict[int, _Flushes] = {}


class _Held:
    """A signal that waits until the main thread has stored a state."""

    depth = 0
    signal: int | None = None


@contextmanager
def live(recorder: _Flushes) -> Iterator[None]:
    """Let signals store the state of a fit while it trains."""
    _live[id(recorder)] = recorder
    try:
        yield
    finally:
        del _live[id(recorder)]


def n_live() -> int:
    """Number of fits of this process that train and store their states."""
    return len(_live)


@contextmanager
def storing_on_signals() -> Iterator[None]:
    """Store the states of all fits where a signal comes that nobody else handles.

    Only the main thread can set handlers; in other threads this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    mine = {
        number: before
        for number, before in _DEFAULTS.items()
        if signal.getsignal(number) == before
    }
    for number in mine:
        signal.signal(number, _handle)
    try:
        yield
    finally:
        for number, before in mine.items():
            if signal.getsignal(number) is _handle:
                signal.signal(number, before)


@contextmanager
def signals_held() -> Iterator[None]:
    """Let a signal wait until the main thread has left this block."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _Held.depth += 1
    try:
        yield
    finally:
        _Held.depth -= 1
        if not _Held.depth and _Held.signal is not None:
            number, _Held.signal = _Held.signal, None
            _handle(number, None)


def _handle(number: int, frame: Any) -> None:
    if _Held.depth:
        _Held.signal = number
        return
    for recorder in list(_live.values()):
        with suppress(Exception):  # a warning may be an error: the signal comes first
            recorder.flush(durable=False)  # there may be many, and little time
    if number == signal.SIGINT:
        signal.default_int_handler(number, frame)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
