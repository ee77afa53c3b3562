"""The backend "stacked" over another one: groups of tasks, a stack of networks each.

A thousand fits on ten workers are some groups for each worker, which trains the networks
of a group in stacks. joblib hands over single tasks; they are collected until the caller
waits, divided into groups, and each group is one task of the outer backend. Where a group
ends, joblib learns of each of its tasks, and hands over further ones.
"""

import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import joblib
from joblib.parallel import FallbackToBackend, ParallelBackendBase, SequentialBackend

from sklearn_deep._params import check_value
from sklearn_deep.exceptions import InvalidParameterError
from sklearn_deep.private._joblib import calls_of, sends_memmaps_of
from sklearn_deep.training.stacking._backend import CORES, StackedBackend
from sklearn_deep.training.stacking._engines import ENGINES, engine_of
from sklearn_deep.training.stacking._group_run import Group, GroupResult, RunGroup
from sklearn_deep.training.stacking._groups import divide, lay_out
from sklearn_deep.training.stacking._report import merge, publish
from sklearn_deep.training.stacking._scheduler import MOST_IN_FLIGHT
from sklearn_deep.training.stacking._tasks import Outcome, current_task

# Backends that run tasks in this process, as "stacked" does itself.
_IN_PROCESS = ("stacked", "threading", "sequential")


class _Pending:
    """A task that joblib has handed over, and whom to tell its result."""

    def __init__(self, batch: Any, callback: Callable[[Outcome], None]):
        self.calls, self.callback = calls_of(batch), callback


class StacksOver(ParallelBackendBase):
    """Runs groups of tasks by another backend, each with the backend "stacked".

    Parameters
    ----------
    over : str
        Name of the outer backend.
    nesting_level : int or None
    cores : int or None
        Cores of a worker that networks train on; None for all that it has been given.
    **params
        Of the outer backend.
    """

    supports_retrieve_callback = True
    default_n_jobs = -1

    def __init__(
        self,
        over: str,
        nesting_level: int | None = None,
        cores: int | None = None,
        **params: Any,
    ):
        super().__init__(nesting_level=nesting_level)
        check_value("the backend 'stacked'", "cores", cores, CORES)
        self._over, self._cores = over, cores
        self._engine = engine_of(over)
        self._outer = _make_outer(over, cores, params)
        self._lock = threading.RLock()

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """Networks that may be in flight, in all workers."""
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        return 1 if n_jobs == 1 else MOST_IN_FLIGHT * self._n_workers(n_jobs)

    def _n_workers(self, n_jobs: int | None) -> int:
        self._outer.nesting_level = self.nesting_level or 0
        return max(1, self._outer.effective_n_jobs(-1 if n_jobs is None else n_jobs))

    def configure(
        self, n_jobs: int = 1, parallel: Any = None, **backend_kwargs: Any
    ) -> int:
        """Prepare for calls."""
        n_in_flight = self.effective_n_jobs(n_jobs)
        level = self.nesting_level or 0
        if n_in_flight == 1:
            raise FallbackToBackend(SequentialBackend(nesting_level=level))
        here = StackedBackend(nesting_level=level, cores=self._cores)
        if current_task() is not None:  # within a task of another call
            raise FallbackToBackend(here)
        try:
            self._outer.configure(n_jobs=n_jobs, parallel=parallel, **backend_kwargs)
        except FallbackToBackend:  # one worker, or a process that may have none
            raise FallbackToBackend(here) from None
        self.parallel, self._slots = parallel, self._n_workers(n_jobs)
        self._processes = self._engine.per_machine(self._outer, self._slots)
        return n_in_flight

    def start_call(self) -> None:
        """Begin a call."""
        self._pending: list[_Pending] = []
        self._stored: dict[int, Any] = {}
        self._results: list[GroupResult] = []
        self._start = time.monotonic()
        self._waits = False
        self._outer.start_call()

    def submit(self, func: Callable[[], Any], callback: Any = None) -> None:
        """Collect a task."""
        with self._lock:
            self._pending.append(_Pending(func, callback))

    apply_async = submit  # its name before joblib 1.5

    def _send(self) -> None:
        """Divide what was collected into groups, and hand them to the outer backend."""
        with self._lock:
            pending, self._pending = self._pending, []
        calls = [_as_one(each.calls) for each in pending]
        for group in divide(calls, self._slots) if calls else []:
            self._send_group([calls[i] for i in group], [pending[i] for i in group])

    def _send_group(self, calls: list, pending: list[_Pending]) -> None:
        layout, objects = lay_out(calls)
        run = RunGroup(layout, self._over, self._cores, self._processes)
        shared = self._engine.share(objects, self._stored)
        group = Group(run, shared, sends_memmaps_of(self._outer, self.parallel))
        self._outer.submit(group, callback=lambda out: self._ended(out, pending))

    def _ended(self, out: Any, pending: list[_Pending]) -> None:
        """Tell joblib the results of a group; send what it hands over in return."""
        try:
            (result,) = self._outer.retrieve_result_callback(out)
            self._results.append(result)
            outcomes = [Outcome([value]) for value in result.unpack()]
        except BaseException as error:
            outcomes = [Outcome(error=error) for _ in pending]
        for each, outcome in zip(pending, outcomes, strict=True):
            each.callback(outcome)
        if self._waits:
            self._send()

    def retrieve_result_callback(self, out: Outcome) -> Any:
        """Give a task's result, or raise its error."""
        return out.unpack()

    @contextmanager
    def retrieval_context(self) -> Iterator[None]:
        """Send the tasks, and wait for them as the outer backend does."""
        with self._outer.retrieval_context():
            self._waits = True
            self._send()
            yield
        self._show_warnings()

    def _show_warnings(self) -> None:
        registry: dict[Any, Any] = {}
        for result in self._results:
            for message, category, filename, lineno in result.warned:
                warnings.warn_explicit(
                    message, category, filename, lineno, registry=registry
                )

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """End the tasks of this call, as far as the outer backend can."""
        self._waits = False
        self._pending = []
        self._outer.abort_everything(ensure_ready=ensure_ready)

    def stop_call(self) -> None:
        """End the call."""
        self._outer.stop_call()
        reports = [(each.worker, each.report) for each in self._results]
        publish(merge(reports, time.monotonic() - self._start))
        self._stored, self._results = {}, []

    def terminate(self) -> None:
        """End what the outer backend began for calls."""
        self._outer.terminate()

    def get_nested_backend(self) -> tuple[ParallelBackendBase, None]:
        """Backend of calls within a task: that of its worker."""
        return StackedBackend(nesting_level=(self.nesting_level or 0) + 1), None


def _make_outer(over: Any, cores: int | None, params: dict[str, Any]) -> Any:
    known = sorted({*joblib.parallel.BACKENDS, *ENGINES} - {*_IN_PROCESS})
    if over not in known:
        raise InvalidParameterError(
            f"The 'over' parameter of the backend 'stacked' is {over!r}. It is the name"
            f" of the joblib backend that runs groups of tasks: one of"
            f" {', '.join(map(repr, known))}."
        )
    engine_of(over).ready()
    if over not in joblib.parallel.BACKENDS:
        joblib.parallel.EXTERNAL_BACKENDS[over]()
    outer = joblib.parallel.BACKENDS[over](**params)
    if outer.supports_inner_max_num_threads and cores is not None:
        outer.inner_max_num_threads = cores
    return outer


def _as_one(calls: list) -> Any:
    """The call of a batch, which is one where joblib does not batch."""
    (call,) = calls
    return call
