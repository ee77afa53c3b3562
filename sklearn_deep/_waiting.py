"""Shorter busy waiting of torch's threads, if this package imports torch first.

By default a waiting thread spins for milliseconds. On a busy machine it thereby blocks
the core that the thread it waits for needs: two threads can take many times as long as
one. OpenMP reads its settings once, when torch is imported.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Spins before a thread sleeps: about half a millisecond.
_TRIES = "10000"

_VARIABLES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")


@contextmanager
def patient_threads() -> Iterator[None]:
    """Context in which importing torch makes its threads sleep soon when they wait.

    Settings of the user in the environment take precedence; the environment is restored
    afterwards.
    """
    if "torch" in sys.modules or any(name in os.environ for name in _VARIABLES):
        yield
        return
    os.environ["GOMP_SPINCOUNT"] = _TRIES
    try:
        yield
    finally:
        os.environ.pop("GOMP_SPINCOUNT", None)
