"""The joblib backend named "stacked"; what it runs elsewhere is in ``_over.py``."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from numbers import Integral
from typing import Any

import joblib
import torch
from joblib.parallel import (
    FallbackToBackend,
    ParallelBackendBase,
    SequentialBackend,
)

from sklearn_deep._params import NONE, Number, check_value
from sklearn_deep.training.checkpoints._signals import storing_on_signals
from sklearn_deep.training.stacking._report import Recorder, publish
from sklearn_deep.training.stacking._scheduler import MOST_IN_FLIGHT, StackScheduler
from sklearn_deep.training.stacking._sessions import Session
from sklearn_deep.training.stacking._shared_folds import FoldLender
from sklearn_deep.training.stacking._stored import stores_states
from sklearn_deep.training.stacking._tasks import Call, Outcome, Task, current_task

# What joblib takes where nobody has chosen: a class, as ``get_active_backend`` gives no
# more away.
_DEFAULT = joblib.parallel.BACKENDS[joblib.parallel.DEFAULT_BACKEND]

CORES = (NONE, Number(Integral, 1))


class StackedBackend(ParallelBackendBase):
    """Runs tasks in threads, and trains their networks in stacks."""

    supports_retrieve_callback = True
    uses_threads = True
    supports_sharedmem = True
    default_n_jobs = -1

    def __init__(self, nesting_level: int | None = None, cores: int | None = None):
        super().__init__(nesting_level=nesting_level)
        check_value("the backend 'stacked'", "cores", cores, CORES)
        self._cores = cores
        self._call: Call | None = None
        self._scheduler: StackScheduler
        self._session: Session | None = None  # of an outermost call
        self._lender = FoldLender()
        self._signals: ExitStack | None = None

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """Networks that may be in flight; memory may keep them fewer."""
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        return MOST_IN_FLIGHT if n_jobs is None or n_jobs < 0 else n_jobs

    def configure(
        self, n_jobs: int = 1, parallel: Any = None, **backend_kwargs: Any
    ) -> int:
        """Prepare for a call."""
        n_jobs = self.effective_n_jobs(n_jobs)
        if n_jobs == 1:
            raise FallbackToBackend(SequentialBackend(nesting_level=self.nesting_level))
        self.parallel, self._n_jobs = parallel, n_jobs
        return n_jobs

    def start_call(self) -> None:
        """Begin a call: with a new scheduler, or with that of the enclosing call."""
        parent = current_task()
        if parent is None:
            self._session = self._begin_session()
            self._scheduler = self._session.scheduler
        else:
            scheduler = parent.call.scheduler
            assert isinstance(scheduler, StackScheduler)
            self._scheduler = scheduler
        self._call = self._scheduler.open_call(self._n_jobs, parent)
        self._lender, self._signals = FoldLender(), None

    def _begin_session(self) -> Session:
        return Session(self._cores_here())

    def _cores_here(self) -> int:
        return self._cores or min(joblib.cpu_count(), torch.get_num_threads())

    def submit(self, func: Callable[[], Any], callback: Any = None) -> Task:
        """Submit a task."""
        assert self._call is not None
        if self._signals is None:  # the first task, which the caller's thread submits
            self._signals = ExitStack()
            if stores_states(func):
                self._signals.enter_context(storing_on_signals())
        shares_rows = self._lender.lend(func)
        task = Task(func, callback, self._call)
        task.shares_rows = shares_rows
        self._scheduler.submit(self._call, task)
        return task

    apply_async = submit  # its name before joblib 1.5

    def retrieve_result_callback(self, out: Outcome) -> Any:
        """Give a task's result, or raise its error."""
        return out.unpack()

    @contextmanager
    def retrieval_context(self) -> Iterator[None]:
        """Let the tasks run while the caller waits for them."""
        call = self._call
        assert call is not None
        self._scheduler.begin_waiting(call)
        try:
            yield
        except BaseException:
            self._scheduler.cancel(call)
            for thread in call.threads:
                thread.join()
            self._scheduler.end_waiting(call)
            raise
        self._scheduler.end_waiting(call)

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """End the tasks of this call."""
        if self._call is not None:
            self._scheduler.cancel(self._call)

    def stop_call(self) -> None:
        """End the call: no thread of it is left."""
        call, self._call = self._call, None
        if call is None:
            return
        self._scheduler.close_call(call)
        if self._signals is not None:
            self._signals.close()
        if self._session is not None:
            self._session.leave()
            self._session = None
            self._publish(call.record)

    def _publish(self, record: Recorder) -> None:
        publish(record.report())

    def get_nested_backend(self) -> tuple[ParallelBackendBase, None]:
        """Backend of calls within a task: it joins the same scheduler."""
        return StackedBackend(nesting_level=(self.nesting_level or 0) + 1), None


@contextmanager
def stacked_by_default() -> Iterator[None]:
    """The backend "stacked" for calls inside, unless the user has chosen one."""
    backend, n_jobs = joblib.parallel.get_active_backend()
    chosen = n_jobs not in (None, 1) or not isinstance(backend, _DEFAULT)
    with nullcontext() if chosen else joblib.parallel_config(backend="stacked"):
        yield
