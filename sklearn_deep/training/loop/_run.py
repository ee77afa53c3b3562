"""State of one network's training: clock, history, stopping and watchers."""

import math
import time
import warnings
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from torch import Tensor, nn

from sklearn_deep.data._batches import Batch
from sklearn_deep.exceptions import CheckpointWarning, TrainingDivergedError
from sklearn_deep.nn._dropout import set_source
from sklearn_deep.training.checkpoints._recorder import Recorder
from sklearn_deep.training.checkpoints._run_state import RunState
from sklearn_deep.training.job._job import OptimizerState, TrainJob, TrainResult
from sklearn_deep.training.job._schedules import Schedule
from sklearn_deep.training.job._stopping import Stopper
from sklearn_deep.training.loop._capture import (
    captured,
    put_back,
    weights_as_tensors,
)
from sklearn_deep.training.ranks._ranks import Ranks
from sklearn_deep.training.step._flat import FlatParameters

# The monitored training loss is the mean of this many epochs: that of one epoch is
# noisy because of batches and dropout, and its minimum is a lucky value that a falling
# learning rate takes long to reach again.
_SMOOTHED = 5

# Attributes of a run that are numbers of its state.
_NUMBERS = ("learning_rate", "stop_reason", "best_epoch", "seconds")


class Watcher:
    """A callback of the training loop; every method may be overridden.

    ``per_batch`` enables the calls for each batch, which cost time. Where several ranks
    train one fit, ``only_on_first`` leaves a watcher to the first of them.
    """

    per_batch = False
    only_on_first = False

    def train_begin(self, run: "Run") -> None:
        """Training is about to begin."""

    def optimizer_ready(self, run: "Run", stepper: Any) -> None:
        """The optimizer of a network that trains alone has its state (a ``SingleStep``)."""

    def epoch_begin(self, run: "Run") -> None:
        """An epoch is about to begin."""

    def gradient_ready(self, run: "Run", batch: Batch) -> None:
        """The gradient of a batch has been computed, and not been used yet."""

    def batch_begin(self, run: "Run", batch: Batch) -> None:
        """A batch is about to be used."""

    def batch_end(self, run: "Run", batch: Batch, loss: Tensor, raw: Tensor) -> None:
        """A batch has been used."""

    def epoch_end(self, run: "Run", row: dict[str, Any]) -> bool:
        """An epoch has ended with this row of the history; True stops training."""
        return False

    def train_end(self, run: "Run") -> None:
        """Training has ended; the module has its final weights."""


class EpochNumbers(NamedTuple):
    """Results of one epoch of one network."""

    train_loss: float
    total: float  # sum of the weights; not finite if a weight is not
    penalty: float
    valid_loss: float = math.nan
    valid_score: float = math.nan


def stopwatch() -> Callable[[], float]:
    """Start a clock: each call returns the seconds since then."""
    start = time.monotonic()
    return lambda: time.monotonic() - start


class Run:
    """One run of a job; a loop drives it epoch by epoch.

    Parameters
    ----------
    job : TrainJob
    watchers : sequence of Watcher
    clock : callable ``() -> float``
        Seconds of training so far; by default counted from now.
    recorder : Recorder or None
        Stores the state of the run.
    ranks : Ranks or None
        Processes that drive runs of the same job: all end alike, as the first decides.

    Attributes
    ----------
    follows_schedule : bool
        Whether the job's schedule sets the learning rate; a watcher may take that over.
    interrupted : bool
        A watcher sets it to end training after the current batch.
    cancelled : bool
        Whether the run ends because nobody needs its result.
    best_epoch : int
        Epoch, from 1, of the weights that are kept; known once training has ended.
    """

    def __init__(
        self,
        job: TrainJob,
        watchers: Sequence[Watcher] = (),
        clock: Callable[[], float] | None = None,
        recorder: Recorder | None = None,
        ranks: Ranks | None = None,
    ):
        self.job, self.watchers, self.recorder = job, watchers, recorder
        self._ranks = ranks
        self.history: list[dict[str, Any]] = []
        self.stop_reason: str | None = None
        self.state = job.state or OptimizerState()
        self.schedule = Schedule(job.schedule)
        self.learning_rate = job.optimizer.learning_rate
        self.follows_schedule, self.interrupted = True, False
        self.cancelled = False
        self.best_epoch = 0
        self._stopper = Stopper(job.stopping)
        self._best: list[list[Tensor]] | None = None
        self._recent: deque[float] = deque(maxlen=_SMOOTHED)
        for watcher in watchers:
            watcher.train_begin(self)
        self._earlier, self._clock = 0.0, clock or stopwatch()

    @property
    def seconds(self) -> float:
        """Seconds since training began, without those between two processes."""
        return self._earlier + self._clock()

    @property
    def out_of_time(self) -> bool:
        """Whether the time limit has passed."""
        return self._stopper.out_of_time(self.seconds)

    def begin_epoch(self) -> None:
        """Notify the watchers that an epoch begins."""
        for watcher in self.watchers:
            watcher.epoch_begin(self)

    def end_epoch(
        self, numbers: EpochNumbers, flat: FlatParameters, nets: Sequence[int] = (0,)
    ) -> bool:
        """Record an epoch; return whether training ends.

        Parameters
        ----------
        numbers : EpochNumbers
        flat : FlatParameters
            Holds the parameters.
        nets : sequence of int
            The job's networks in ``flat``.

        Raises
        ------
        TrainingDivergedError
            When the loss or a weight is no longer finite.
        """
        self.state.epoch += 1
        if self._ranks is not None:
            numbers = EpochNumbers(*self._ranks.numbers_of_first(numbers))
        row = self._row(numbers)
        self.history.append(row)
        value = self._monitored(row, numbers)
        self.schedule.observe(value)
        if self._stopper.observe(value, row["epoch"]) and self._restores:
            self._best = [flat.snapshot(k) for k in nets]
        self.stop_reason = self._stopper.reason(len(self.history), row["seconds"])
        stops = False
        for watcher in self.watchers:  # all are notified, also when one stops
            stops = watcher.epoch_end(self, row) or stops
        if stops if self._ranks is None else self._ranks.any(stops):
            self.stop_reason = self.stop_reason or "callback"
        return self.stop_reason is not None

    def finish(self, flat: FlatParameters, nets: Sequence[int] = (0,)) -> TrainResult:
        """Restore the best weights and return the result."""
        assert self.stop_reason is not None
        if not self.best_epoch:  # a finished run has the weights of its best epoch
            self._restore_best(flat, nets)
        if self.recorder is not None and not self.cancelled:
            self.recorder.end(lambda: self.capture(flat, nets))
        self.job.module.eval()
        for watcher in self.watchers:
            watcher.train_end(self)
        set_source(self.job.module, None)
        for k in nets:
            flat.release(k)
        return TrainResult(
            self.job.module, self.history, self.best_epoch, self.stop_reason, self.state
        )

    def capture(
        self, flat: FlatParameters, nets: Sequence[int] = (0,), **numbers: Any
    ) -> RunState:
        """State after an epoch, from which ``resume`` continues; further numbers in it."""
        done = self.stop_reason is not None
        numbers |= {name: getattr(self, name) for name in _NUMBERS}
        numbers |= {
            "done": done,
            "history": list(self.history),
            "recent": list(self._recent),
            "schedule": self.schedule.state(),
            "stopper": self._stopper.state(),
        }
        return captured(
            numbers,
            self.state,
            flat,
            nets,
            None if done else self._best,
            with_optimizer=not done or self.job.state is not None,
        )

    def resume(
        self, flat: FlatParameters, nets: Sequence[int] = (0,)
    ) -> RunState | None:
        """Continue from the recorder's state, if there is one; return it."""
        found = None if self.recorder is None else self.recorder.take()
        if self.recorder is None or found is None:
            return None
        if not put_back(found, self.state, flat, nets):
            self.recorder.refuse()
            warnings.warn(
                f"{self.job.owner} begins anew: its stored state has other parameters"
                " in training. A callback may have frozen some.",
                CheckpointWarning,
                stacklevel=2,
            )
            return None
        self._continue_from(found)
        return found

    def _continue_from(self, found: RunState) -> None:
        numbers = found.numbers
        self.history = list(numbers["history"])
        self.stop_reason, self.best_epoch = (
            numbers["stop_reason"],
            numbers["best_epoch"],
        )
        self.learning_rate = numbers["learning_rate"]
        self.schedule.resume(numbers["schedule"])
        self._stopper.resume(numbers["stopper"])
        self._recent.extend(numbers["recent"])
        self._best = weights_as_tensors("best", found.arrays) or None
        self._earlier = numbers["seconds"] - self._clock()

    def _restore_best(self, flat: FlatParameters, nets: Sequence[int]) -> None:
        """Restore the weights of the best epoch where they are kept."""
        self.best_epoch = len(self.history)
        if self._best is not None:
            for k, best in zip(nets, self._best, strict=True):
                flat.restore(best, k)
            self.best_epoch = self._stopper.best_epoch

    @property
    def _restores(self) -> bool:
        return self.job.stopping.restore_best and self.job.stopping.on_validation

    def _row(self, numbers: EpochNumbers) -> dict[str, Any]:
        if not (math.isfinite(numbers.train_loss) and math.isfinite(numbers.total)):
            epoch = self.state.epoch  # of a stream, over all its calls
            raise TrainingDivergedError(self.job.owner, epoch, self.learning_rate)
        score = numbers.valid_score
        if self.job.monitor is not None:
            self.job.module.eval()
            score = self._monitor_score(self.job.monitor)
        return {
            "epoch": len(self.history) + 1,
            "train_loss": numbers.train_loss,
            "valid_loss": numbers.valid_loss,
            "valid_score": score,
            "learning_rate": self.learning_rate,
            "seconds": self._seconds_of_first(),
        }

    def _monitor_score(self, monitor: Callable[[nn.Module], float]) -> float:
        module = self.job.module
        if self._ranks is None:
            return float(monitor(module))
        return self._ranks.by_first(lambda: float(monitor(module)))

    def _seconds_of_first(self) -> float:
        if self._ranks is None:
            return self.seconds
        return self._ranks.numbers_of_first([self.seconds])[0]

    def _monitored(self, row: dict[str, Any], numbers: EpochNumbers) -> float:
        if not self.job.stopping.on_validation:
            self._recent.append(numbers.train_loss + numbers.penalty)
            return math.fsum(self._recent) / len(self._recent)
        return -row["valid_score"] if self.job.monitor else row["valid_loss"]
