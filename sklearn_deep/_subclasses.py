"""A base class that reports its subclasses to callbacks.

skl2onnx finds a converter by an estimator's exact class, so that a user's subclass of
ours must be registered when it is made. Estimators do not import the export: they
report a new subclass to the callbacks that are registered here.
"""

from collections.abc import Callable
from typing import Any

_callbacks: list[Callable[[type], None]] = []


class TracksSubclasses:
    """Base of the package's estimators."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Report the new class to all callbacks."""
        super().__init_subclass__(**kwargs)
        for callback in _callbacks:
            callback(cls)


def on_new_subclass(callback: Callable[[type], None]) -> None:
    """Call ``callback`` with every existing subclass and every future one."""
    _callbacks.append(callback)
    waiting = TracksSubclasses.__subclasses__()
    while waiting:
        cls = waiting.pop()
        callback(cls)
        waiting.extend(cls.__subclasses__())
