"""Classes that tell of their subclasses, and those who want to know.

skl2onnx finds a converter by an estimator's exact class, so that a user's subclass of
ours must be registered when it is made. Estimators do not know the export, which
stands behind them: they announce the subclass to whoever listens.
"""

from collections.abc import Callable
from typing import Any

_callbacks: list[Callable[[type], None]] = []


class TracksSubclasses:
    """Base of the package's estimators."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Tell the listeners."""
        super().__init_subclass__(**kwargs)
        for callback in _callbacks:
            callback(cls)


def on_new_subclass(callback: Callable[[type], None]) -> None:
    """Call ``callback`` with every class there is and every one to come."""
    _callbacks.append(callback)
    waiting = TracksSubclasses.__subclasses__()
    while waiting:
        cls = waiting.pop()
        callback(cls)
        waiting.extend(cls.__subclasses__())
