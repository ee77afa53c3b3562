"""Schedulers of this process: one of each outermost call, or one that calls share.

The calls that several threads of a cluster's worker make share a scheduler: its cores are
the worker's, and the networks of all calls meet.
"""

import os
import threading
import warnings
from typing import Any

from sklearn_deep.training.stacking._scheduler import StackScheduler
from sklearn_deep.training.stacking._tasks import current_task


class Session:
    """A scheduler, and the warning filters of this process while it has calls."""

    def __init__(self, cores: int, processes: int = 1):
        self.scheduler = StackScheduler(cores, processes)
        self.n_calls = 1
        # Threads that alternate would leave one another's warning filters behind.
        self._filters = warnings.catch_warnings()
        self._filters.__enter__()

    def leave(self) -> None:
        """End it."""
        self.scheduler.close()
        self._filters.__exit__(None, None, None)


class SharedSession(Session):
    """A session of several calls; warnings of their tasks are collected, not shown."""

    _lock = threading.Lock()
    _current: "SharedSession | None" = None

    def __init__(self, cores: int, processes: int = 1):
        super().__init__(cores, processes)
        self._show = warnings.showwarning
        warnings.showwarning = self._collect

    @classmethod
    def join(cls, cores: int, processes: int) -> "SharedSession":
        """The session of this process, which the first call begins."""
        with cls._lock:
            if cls._current is None:
                cls._current = cls(cores, processes)
            else:
                cls._current.n_calls += 1
            return cls._current

    def leave(self) -> None:
        """End a call; the last one ends the session."""
        with SharedSession._lock:
            self.n_calls -= 1
            if self.n_calls == 0:
                SharedSession._current = None
                super().leave()

    @classmethod
    def forget(cls) -> None:
        """Begin anew, in a process that was forked."""
        cls._lock, cls._current = threading.Lock(), None

    def _collect(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        *where: Any,
        **options: Any,
    ) -> None:
        task = current_task()
        if task is None:
            self._show(message, category, filename, lineno, *where, **options)
        else:
            task.call.record.warned.append((message, category, filename, lineno))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=SharedSession.forget)
