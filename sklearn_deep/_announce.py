"""Classes that tell of their subclasses, and those who want to know.

skl2onnx finds a converter by an estimator's exact class, so that a user's subclass of
ours must be registered when it is made. Estimators do not know the export, which
stands behind them: they announce the subclass to whoever listens.
"""

from collections.abc import Callable
from typing import Any

_listeners: list[Callable[[type], None]] = []


class Announced:
    """Base of the package's estimators."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Tell the listeners."""
        super().__init_subclass__(**kwargs)
        for listener in _listeners:
            listener(cls)


def listen(listener: Callable[[type], None]) -> None:
    """Call ``listener`` with every class there is and every one to come."""
    _listeners.append(listener)
    waiting = Announced.__subclasses__()
    while waiting:
        cls = waiting.pop()
        listener(cls)
        waiting.extend(cls.__subclasses__())
