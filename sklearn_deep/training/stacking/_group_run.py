"""What a worker does with a group of tasks: it runs them with the backend "stacked"."""

import os
import pickle
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import joblib

from sklearn_deep.training.stacking._backend import StackedBackend
from sklearn_deep.training.stacking._engines import engine_of
from sklearn_deep.training.stacking._groups import Layout
from sklearn_deep.training.stacking._report import Recorder, StackingReport
from sklearn_deep.training.stacking._sessions import Session, SharedSession

# How often a worker is asked whether a group that it runs was cancelled.
_SECONDS_BETWEEN_LOOKS = 0.5

Warned = tuple[Warning | str, type[Warning], str, int]


@dataclass(frozen=True)
class GroupResult:
    """Results of the tasks of a group, and what else a caller learns.

    Attributes
    ----------
    values : list
        Result of each task; fewer where one failed.
    error : Exception or None
        Error of the first task that failed; the others were cancelled.
    trace : str
        Where it was raised.
    warned : list of tuple
        Message, category, file and line of each warning.
    report : StackingReport or None
    worker : str
        Name of the process that ran it.
    """

    values: list[Any]
    error: Exception | None
    trace: str
    warned: list[Warned]
    report: StackingReport | None
    worker: str

    def unpack(self) -> list[Any]:
        """Return the results, or raise the error."""
        if self.error is None:
            return self.values
        self.error.add_note(f"It was raised in the worker {self.worker}:\n{self.trace}")
        raise self.error


@dataclass(frozen=True, eq=False)  # Dask hashes functions
class RunGroup:
    """The function of a group.

    Parameters
    ----------
    layout : Layout
        The tasks.
    engine : str
        Name of the outer backend.
    cores : int or None
        Of the worker; None for those that it has been given.
    processes : int
        Workers that share the memory of a machine.
    """

    layout: Layout
    engine: str
    cores: int | None
    processes: int

    def __call__(self, *objects: Any) -> GroupResult:
        """Run the tasks."""
        engine = engine_of(self.engine)
        calls = self.layout.calls(engine.fetch(objects))
        backend = _InWorker(self.cores or engine.cores_here(), self.processes)
        values, error, trace = [], None, ""
        try:
            with _ending(backend, engine.cancelled_here()):
                values = joblib.Parallel(n_jobs=-1, backend=backend)(calls)
        except Exception as raised:  # whatever a task raises
            error, trace = _sendable_error(raised), traceback.format_exc()
        worker = f"{socket.gethostname()}:{os.getpid()}"
        return GroupResult(values, error, trace, backend.warned, backend.report, worker)

    def __str__(self) -> str:  # in the names that Dask gives to its tasks
        return "stacked"


class Group:
    """A group of tasks as an outer backend takes it: like joblib's ``BatchedCalls``.

    Attributes
    ----------
    items : list of tuple
        The one call that it consists of: function, arguments, keyword arguments.
    """

    def __init__(
        self,
        run: RunGroup,
        objects: list[Any],
        before: Callable[[], None] | None = None,
    ):
        self.items: list[tuple] = [(run, tuple(objects), {})]
        self._before = before

    def __call__(self) -> list[GroupResult]:
        """Run it."""
        ((run, objects, _),) = self.items
        return [run(*objects)]

    def __reduce__(self) -> tuple:
        """Tell that it is about to be sent."""
        if self._before is not None:
            self._before()
        ((run, objects, _),) = self.items
        return Group, (run, list(objects))


class _InWorker(StackedBackend):
    """The backend "stacked" in a worker; its report and warnings go to the caller."""

    def __init__(self, cores: int | None, processes: int):
        super().__init__(cores=cores)
        self._processes = processes
        self.report: StackingReport | None = None
        self.warned: list[Warned] = []

    def _begin_session(self) -> Session:
        return SharedSession.join(self._cores_here(), self._processes)

    def _publish(self, record: Recorder) -> None:
        self.report = record.report()
        self.warned = [_sendable(*each) for each in record.warned]


@contextmanager
def _ending(
    backend: StackedBackend, cancelled: Callable[[], bool] | None
) -> Iterator[None]:
    """End the tasks of a backend where nobody waits for them."""
    if cancelled is None:
        yield
        return
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(_SECONDS_BETWEEN_LOOKS):
            if cancelled():
                backend.abort_everything()
                return

    thread = threading.Thread(target=watch, name="stacked end", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _sendable_error(error: Exception) -> Exception:
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # whatever a class does that is pickled
        return RuntimeError(f"{type(error).__qualname__}: {error}")
    return error


def _sendable(message: Any, category: Any, filename: str, lineno: int) -> Warned:
    try:
        pickle.dumps((message, category))
    except Exception:  # whatever a class does that is pickled
        return f"{category.__name__}: {message}", UserWarning, filename, lineno
    return message, category, filename, lineno
