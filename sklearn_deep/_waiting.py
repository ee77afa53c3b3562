"""Torch's threads wait asleep for one another, where we are the first to import it.

By default they wait for milliseconds without leaving their core. On a machine that has
other work to do, such a thread keeps the one that it waits for from running: two threads
then take many times as long as one. OpenMP reads how to wait once, when torch is imported.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Tries before a thread sleeps: half a millisecond.
_TRIES = "10000"

_VARIABLES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")


@contextmanager
def patient_threads() -> Iterator[None]:
    """Inside, an import of torch sets its threads up to wait asleep.

    What the user has asked for in the environment counts; the environment is as before
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
