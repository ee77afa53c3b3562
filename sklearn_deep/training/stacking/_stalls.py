"""Detection of stalls: tasks that wait for one another unseen by the scheduler.

A task that waits for its network may hold a lock (of a cached property, around a fit, of a
module that is imported) for which another task waits, in its turn. Then no thread computes,
and none ever changes the scheduler's state: a stall.
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

# Seconds without a change after which a first stall is assumed. Where tasks share a lock,
# one stall follows another: they are found sooner.
FIRST_PATIENCE, LATER_PATIENCE = 1.5, 0.05

# Seconds after which another task is started in place of waiting ones; it may compete
# with a subprocess that they wait for.
START_PATIENCE = 5.0

# Seconds after which threads that always compute count as waiting, such as polling a
# flag.
BUSY_PATIENCE = 60.0

# Share of a core above which threads count as computing.
_COMPUTES = 0.1


class Look(NamedTuple):
    """A snapshot of a scheduler's state.

    Attributes
    ----------
    moves : int
        Grows with every change of the scheduler's state.
    clocks : list of int or None
        CPU clocks of the threads that have a slot; None where the system has none.
    held_up : bool
        Whether a task waits that could continue with a slot.
    training : bool
        Whether a network is being trained.
    """

    moves: int
    clocks: Sequence[int | None]
    held_up: bool
    training: bool


def thread_clock() -> int | None:
    """CPU clock of this thread, for others to read; None where the system has none."""
    try:
        return time.pthread_getcpuclockid(threading.get_ident())
    except (AttributeError, OSError):
        return None


def cpu_seconds(clocks: Sequence[int | None]) -> float:
    """CPU seconds that some threads have used; of the whole process, if one has no clock."""
    total = 0.0
    for clock in clocks:
        if clock is None:
            return time.process_time()
        try:
            total += time.clock_gettime(clock)
        except OSError:  # its thread has ended
            continue
    return total


class Watch:
    """A thread that polls a scheduler and reports stalls.

    Parameters
    ----------
    look : callable () -> Look
    resolve : callable (moves, may_start) -> bool
        Called when there is a stall, with the number of moves that it was found at, and
        whether to start another task if nothing else helps. Returns whether it did
        anything.
    """

    def __init__(self, look: Callable[[], Look], resolve: Callable[[int, bool], bool]):
        self._look, self._resolve = look, resolve
        self._patience: float = FIRST_PATIENCE
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread, if it is not running."""
        if self._thread is not None or self._stop.is_set():
            return
        self._thread = threading.Thread(
            target=self._run, name="stacked watch", daemon=True
        )
        try:
            self._thread.start()
        except RuntimeError:  # the system has no more threads
            self._thread = None

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        seen = self._look()
        moved = idle_since = time.monotonic()
        cpu = cpu_seconds(seen.clocks)
        while not self._stop.wait(self._patience / 4):
            now, before, seen = time.monotonic(), seen, self._look()
            used = cpu_seconds(seen.clocks)
            if seen.moves != before.moves or not seen.held_up:
                moved = idle_since = now
                cpu = used
            elif used - cpu > _COMPUTES * (now - idle_since):
                idle_since, cpu = now, used
            idle, still = now - idle_since, now - moved
            if idle >= self._patience or (still > BUSY_PATIENCE and not seen.training):
                self._report(seen.moves, idle >= START_PATIENCE)

    def _report(self, moves: int, may_start: bool) -> None:
        if self._resolve(moves, may_start):
            self._patience = LATER_PATIENCE
