"""Tasks of the stacked backend, and the calls that they belong to."""

import os
import threading
from collections import deque
from collections.abc import Callable, Hashable
from typing import Any, Protocol

from sklearn_deep.training.checkpoints._contents import Contents
from sklearn_deep.training.job._job import TrainResult
from sklearn_deep.training.stacking._entries import Member
from sklearn_deep.training.stacking._grouping import TrainingUnit
from sklearn_deep.training.stacking._report import Recorder

_here = threading.local()


class Cancelled(BaseException):
    """The task was cancelled: no error of the task, so no Exception."""


class Task:
    """A function that runs in its own thread, and its state in the scheduler."""

    def __init__(self, function: Callable[[], Any], callback: Any, call: "Call"):
        self.function, self.callback, self.call = function, callback, call
        self.cancelled = False
        self.thread: threading.Thread | None = None
        self.member: Member | None = None  # while it waits for a network
        self.unit: TrainingUnit | None = None  # what it is to train: its own job ...
        self.companions: list[Task] = []  # ... and those of these
        self.kind = 0, 1  # number of its job's stack key, and width of a full stack
        self.shares_rows = False  # its fold is a view of rows that others read too
        self.has_slot = False
        self.clock: int | None = None  # of its thread's CPU time
        self.woken = threading.Event()
        self.children: list[Call] = []


class Outcome:
    """Result or error of a task, for joblib to unpack."""

    def __init__(self, value: Any = None, error: BaseException | None = None):
        self._value, self._error = value, error

    def unpack(self) -> Any:
        """Return the result or raise the error."""
        if self._error is not None:
            raise self._error
        return self._value


class Scheduler(Protocol):
    """Trains the jobs of tasks; implemented in ``_scheduler.py``.

    Attributes
    ----------
    contents : Contents
        Digests of the arrays that fits of the outermost call share.
    warned : dict
        Keys are the kinds of warnings that its fits have given.
    """

    contents: Contents
    warned: dict[Hashable, object]

    def train(self, task: Task, member: Member) -> TrainResult:
        """Train the job of a task."""


class Call:
    """One call of ``joblib.Parallel``: its tasks, and how many may be in flight."""

    def __init__(self, scheduler: Scheduler, limit: int, parent: Task | None):
        self.scheduler, self.limit, self.parent = scheduler, limit, parent
        self.record: Recorder = Recorder() if parent is None else parent.call.record
        self.queue: deque[Task] = deque()
        self.tasks: set[Task] = set()  # that have not ended
        self.threads: list[threading.Thread] = []
        self.in_flight = 0
        self.caller_has_slot = False  # the caller of an outermost call
        self.clock: int | None = None  # of that caller's CPU time

    def may_start(self, has_room: bool) -> bool:
        """Whether another task may start; one always may, so that the call ends."""
        return self.in_flight == 0 or (has_room and self.in_flight < self.limit)


def current_task() -> Task | None:
    """The task that this thread runs, if any."""
    return getattr(_here, "task", None)


def first_of_its_kind(kind: Hashable) -> bool:
    """Whether no fit of the same outermost call has given this kind of warning.

    A fit outside of the stacked backend always is the first.
    """
    task, own = current_task(), object()
    return task is None or task.call.scheduler.warned.setdefault(kind, own) is own


def enter_task(task: Task) -> None:
    """Mark this thread as running a task."""
    _here.task = task


def _leave_task() -> None:
    _here.task = None


# A process that a task forks has none of the threads that the task would wait for.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_task)
