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
from contextlib import contextmanager, suppress
from functools import partial
from pickle import PicklingError
from typing import Any

import joblib
from joblib.parallel import FallbackToBackend, ParallelBackendBase, SequentialBackend

from sklearn_deep._params import check_value
from sklearn_deep.exceptions import InvalidParameterError, WorkerLostWarning
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


class _Sent:
    """A group that was sent: its calls, and the tasks of joblib that they are."""

    def __init__(self, calls: list, pending: list[_Pending]):
        self.calls, self.pending = calls, pending
        self.attempts, self.generation, self.answered = 0, 0, False


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
        self._outer = _make_outer(over, cores, params)
        self._engine = engine_of(over)
        self._lock = threading.RLock()
        # Its name before joblib 1.5 is the other one.
        self._submit = getattr(self._outer, "submit", None) or self._outer.apply_async
        # Not the same: the old workers' thread may need the other to end.
        self._renewing = threading.Lock()

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """Networks that may be in flight, in all workers."""
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        if n_jobs == 1:
            return 1
        return MOST_IN_FLIGHT * (1 if _within_a_task() else self._n_workers(n_jobs))

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
        if _within_a_task():
            raise FallbackToBackend(here)
        try:
            n_jobs = self._at_most(n_jobs)
            self._configure = partial(
                self._outer.configure, n_jobs, parallel, **backend_kwargs
            )
            self._configure()
        except FallbackToBackend:  # one worker, or a process that may have none
            raise FallbackToBackend(here) from None
        self.parallel, self._slots = parallel, self._n_workers(n_jobs)
        self._processes = self._engine.per_machine(self._outer, self._slots)
        return n_in_flight

    def _at_most(self, n_jobs: int) -> int:
        """Limit workers to those of ``parallel_config``, or to all there are.

        Estimators that divide their work ask for a worker for each network that may be
        in flight.
        """
        _, configured = joblib.parallel.get_active_backend()
        limit = self._n_workers(configured)
        return min(n_jobs, limit) if n_jobs > 0 else n_jobs

    def start_call(self) -> None:
        """Begin a call."""
        self._pending: list[_Pending] = []
        self._stored: dict[int, Any] = {}
        self._finished: list[GroupResult] = []
        self._start = time.monotonic()
        self._warned: list[str] = []
        self._waits, self._aborted, self._generation = False, False, 0
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
            self._send_group(
                _Sent([calls[i] for i in group], [pending[i] for i in group])
            )

    def _send_group(self, sent: _Sent) -> None:
        sent.attempts += 1
        sent.generation, attempt = self._generation, sent.attempts

        def ended(out: Any) -> None:
            try:
                (result,) = self._outer.retrieve_result_callback(out)
            except BaseException as error:  # not of a task: those are in the result
                self._ended(sent, attempt, error)
            else:
                self._ended(sent, attempt, result)

        def failed(job: Any) -> None:  # Dask's backend calls back for results only
            if not job.cancelled() and job.exception() is not None:
                self._ended(sent, attempt, job.exception())

        try:
            layout, objects = lay_out(sent.calls)
            run = RunGroup(layout, self._over, self._cores, self._processes)
            shared = self._engine.share(objects, self._stored)
            group = Group(run, shared, sends_memmaps_of(self._outer, self.parallel))
            job = self._submit(group, callback=ended)
        except Exception as error:  # whatever an object does that is pickled
            self._answer(sent, [Outcome(error=error)] * len(sent.pending))
            return
        if hasattr(job, "add_done_callback"):
            job.add_done_callback(failed)

    def _ended(
        self, sent: _Sent, attempt: int, result: GroupResult | BaseException
    ) -> None:
        """Tell joblib the results of a group, or run it again where its worker is lost."""
        with self._lock:
            if self._aborted or sent.answered or sent.attempts != attempt:
                return
            sent.answered = True
        if isinstance(result, BaseException):
            self._lost(sent, result)
            return
        self._finished.append(result)
        try:
            outcomes = [Outcome([value]) for value in result.unpack()]
        except Exception as error:  # whatever a task raised
            outcomes = [Outcome(error=error)] * len(sent.pending)
        self._answer(sent, outcomes)

    def _lost(self, sent: _Sent, error: BaseException) -> None:
        """Run a group again whose worker is gone, in a thread that may wait."""
        lost = isinstance(error, Exception) and not isinstance(error, PicklingError)
        if not lost or sent.attempts >= self._engine.attempts:
            self._answer(sent, [Outcome(error=error)] * len(sent.pending))
            return
        self._warned.append(
            f"A worker of the backend {self._over!r} was lost"
            f" ({type(error).__name__}); the {len(sent.pending)} tasks of its group run"
            f" again, attempt {sent.attempts + 1} of {self._engine.attempts}."
        )
        threading.Thread(target=self._send_again, args=(sent,), daemon=True).start()

    def _send_again(self, sent: _Sent) -> None:
        try:
            with self._renewing:
                if self._aborted:
                    return
                if sent.generation == self._generation:
                    self._engine.renew(self._outer, self._configure)
                    self._generation += 1
        except Exception as error:  # there are no workers any more
            self._answer(sent, [Outcome(error=error)] * len(sent.pending))
        else:
            sent.answered = False
            self._send_group(sent)

    def _answer(self, sent: _Sent, outcomes: list[Outcome]) -> None:
        for each, outcome in zip(sent.pending, outcomes, strict=True):
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
        for text in self._warned:
            warnings.warn(text, WorkerLostWarning, stacklevel=2)
        registry: dict[Any, Any] = {}
        for result in self._finished:
            for message, category, filename, lineno in result.warned:
                warnings.warn_explicit(
                    message, category, filename, lineno, registry=registry
                )

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """End the tasks of this call, as far as the outer backend can."""
        with self._lock:
            self._waits, self._aborted, self._pending = False, True, []
        with self._renewing:
            with suppress(Exception):  # the workers may be gone
                self._engine.cancel(self._outer)
            self._outer.abort_everything(ensure_ready=ensure_ready)

    def stop_call(self) -> None:
        """End the call."""
        self._outer.stop_call()
        reports = [(each.worker, each.report) for each in self._finished]
        publish(merge(reports, time.monotonic() - self._start))
        self._stored, self._finished = {}, []

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


def _within_a_task() -> bool:
    """Whether this is a call within a task of another one, which it joins."""
    return current_task() is not None


def _as_one(calls: list) -> Any:
    """The call of a batch, which is one where joblib does not batch."""
    (call,) = calls
    return call
