"""How much of the time of all fits of a process is spent on storing their states."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

# Storing a state now and then may take this share of the time; where it would take more,
# it is done less often.
_SHARE = 0.02


class Budget:
    """Seconds spent, of those since the first of the fits began that are training."""

    def __init__(self) -> None:
        self._n_fits = 0
        self._begun = self._spent = 0.0

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Take part, while a fit trains."""
        if not self._n_fits:
            self._begun, self._spent = time.monotonic(), 0.0
        self._n_fits += 1
        try:
            yield
        finally:
            self._n_fits -= 1

    @contextmanager
    def spending(self) -> Iterator[None]:
        """Count the time that a block takes."""
        start = time.monotonic()
        try:
            yield
        finally:
            self._spent += time.monotonic() - start

    def allows(self, now: float) -> bool:
        """Whether a state may be stored now."""
        return self._spent <= _SHARE * (now - self._begun)


BUDGET = Budget()
