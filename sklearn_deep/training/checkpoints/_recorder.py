"""When the state of a fit is stored: now and then, at its end, and before a signal ends it."""

import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sklearn_deep.exceptions import CheckpointWarning
from sklearn_deep.training.checkpoints._budget import BUDGET
from sklearn_deep.training.checkpoints._contents import Contents
from sklearn_deep.training.checkpoints._fingerprint import fingerprint
from sklearn_deep.training.checkpoints._run_state import RunState
from sklearn_deep.training.checkpoints._signals import (
    live,
    n_live,
    signals_held,
    storing_on_signals,
)
from sklearn_deep.training.checkpoints._store import Store
from sklearn_deep.training.job._checkpoint import Checkpoint
from sklearn_deep.training.job._job import TrainJob

# Seconds between two copies of the state in memory; the last one is stored where a signal
# ends the fit in the middle of an epoch.
_PAUSE = 0.5

# The pause is so many times as long as a copy takes for all fits that train, at least.
_FACTOR = 100

# Whoever ends the process waits this many seconds for a thread that stores a state.
_PATIENCE = 10.0

Capture = Callable[[], RunState]


class Recorder:
    """Stores the state of one fit, and reads it when the fit begins.

    Parameters
    ----------
    checkpoint : Checkpoint
    owner : str
        Name of the estimator.
    key : str
        Fingerprint of the job.

    Attributes
    ----------
    found : RunState or None
        The state from which the fit continues; None without one, or once it is taken.
    finished : bool
        Whether it is that of a finished fit.
    of_stack : bool or None
        Whether the network was trained in a stack so far; None where nothing of its
        training is left to continue.
    """

    def __init__(self, checkpoint: Checkpoint, owner: str, key: str):
        self._checkpoint, self._key = checkpoint, key
        self._store = Store(checkpoint, owner)
        self.found = self._store.read(key)
        self.finished = self.found is not None and bool(self.found.numbers["done"])
        self.of_stack = self._of_stack()
        self._snapshot: RunState | None = None  # not stored yet
        self._lock, self._process = threading.Lock(), os.getpid()
        self._n_epochs = 0
        self._stored_at = self._copied_at = time.monotonic()
        self._pause = _PAUSE

    def take(self) -> RunState | None:
        """The state from which the fit continues; it is not kept here any longer."""
        found, self.found = self.found, None
        return found

    def refuse(self) -> None:
        """Note that the fit does not continue from the state, but begins anew."""
        self.found, self.finished, self.of_stack = None, False, None

    def end_epoch(self, capture: Capture) -> None:
        """Note that an epoch has ended, and training goes on."""
        self._n_epochs += 1
        now = time.monotonic()
        if self._is_due(now):
            self._snapshot = capture()
            with BUDGET.spending():
                self.flush()
        elif now - self._copied_at >= self._pause:
            self._snapshot = capture()
            self._copied_at = time.monotonic()
            copying = n_live() * (self._copied_at - now)
            self._pause = max(_PAUSE, _FACTOR * copying)

    def end(self, capture: Capture) -> None:
        """Note that the fit has ended by itself."""
        self._snapshot = None
        if self.finished:
            return
        if self._checkpoint.on_done == "remove":
            self._store.remove(self._key)
            return
        self._snapshot = capture()
        # Hundreds of short fits would wait for the disk longer than they train.
        with BUDGET.spending():
            self.flush(durable=BUDGET.allows(time.monotonic()))

    def flush(self, durable: bool = True) -> None:
        """Store the last copy of the state, if it is not stored yet.

        Without ``durable`` it outlives this process, and not a failure of the power.
        """
        if self._process != os.getpid():
            return  # a fork has no part in the training of its parent
        with signals_held():
            acquired = self._lock.acquire(timeout=_PATIENCE)
            try:
                state, self._snapshot = self._snapshot, None
                if state is not None:
                    self._store.write(self._key, state, durable)
                    self._stored_at = self._copied_at = time.monotonic()
            finally:
                if acquired:
                    self._lock.release()

    def _of_stack(self) -> bool | None:
        if self.found is None or self.finished:
            return None
        return "steps" in self.found.numbers

    def _is_due(self, now: float) -> bool:
        checkpoint = self._checkpoint
        if checkpoint.every_epochs and self._n_epochs % checkpoint.every_epochs == 0:
            return True
        pause = checkpoint.every_seconds
        if pause is None or now - self._stored_at < pause:
            return False
        return pause == 0 or BUDGET.allows(now)


@contextmanager
def recording(
    job: TrainJob, contents: Contents | None = None
) -> Iterator[Recorder | None]:
    """The recorder of a job, which signals and errors cause to store its state.

    It is None for a job without a checkpoint. ``contents`` are those of the search that
    the job belongs to.
    """
    key = key_of(job, contents)
    if job.checkpoint is None or key is None:
        yield None
        return
    recorder = Recorder(job.checkpoint, job.owner, key)
    with storing_on_signals(), BUDGET.shared(), live(recorder):
        try:
            yield recorder
        except BaseException:
            recorder.flush()
            raise


def key_of(job: TrainJob, contents: Contents | None = None) -> str | None:
    """Fingerprint of a job with a checkpoint, unless it has a part without one."""
    if job.checkpoint is None:
        return None
    try:
        return fingerprint(job, contents)
    except TypeError as error:
        warnings.warn(
            f"{job.owner} stores no state of its training: {error}.",
            CheckpointWarning,
            stacklevel=2,
        )
        return None
