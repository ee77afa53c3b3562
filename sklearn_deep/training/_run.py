"""A training under way: its clock, history, stopping and watchers."""

import math
import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from sklearn_deep.data._batches import Batch, Rows
from sklearn_deep.exceptions import TrainingDivergedError
from sklearn_deep.nn._dropout import set_generator
from sklearn_deep.nn._scores import SCORES
from sklearn_deep.training._job import TrainJob, TrainResult
from sklearn_deep.training._schedules import Schedule
from sklearn_deep.training._seeds import reseed
from sklearn_deep.training._step import Stepper
from sklearn_deep.training._stopping import Stopper


class Watcher:
    """Something that is told what happens; every method may be overridden.

    ``per_batch`` asks for the two calls in every batch, which cost time.
    """

    per_batch = False

    def train_begin(self, run: "Run") -> None:
        """Training is about to begin."""

    def epoch_begin(self, run: "Run") -> None:
        """An epoch is about to begin."""

    def gradient_ready(self, run: "Run", batch: Batch) -> None:
        """The gradient of a batch is there, and not used yet."""

    def batch_begin(self, run: "Run", batch: Batch) -> None:
        """A batch is about to be used."""

    def batch_end(self, run: "Run", batch: Batch, loss: Tensor, raw: Tensor) -> None:
        """A batch has been used."""

    def epoch_end(self, run: "Run", row: dict[str, Any]) -> bool:
        """An epoch has ended with this row of the history; True stops training."""
        return False

    def train_end(self, run: "Run") -> None:
        """Training has ended; the module has its final weights."""


class Run:
    """One job under way; the loops drive it, epoch by epoch."""

    def __init__(self, job: TrainJob, watchers: Sequence[Watcher] = ()):
        self.job, self.watchers = job, watchers
        self.history: list[dict[str, Any]] = []
        self.stop_reason: str | None = None
        for watcher in watchers:  # they may freeze parameters: before the stepper
            watcher.train_begin(self)
        self.stepper = Stepper(job)
        self.schedule = Schedule(job.schedule)
        self.learning_rate = job.optimizer.learning_rate
        self._stopper = Stopper(job.stopping)
        self._best: list[Tensor] | None = None
        self._start = time.monotonic()
        self._masks = torch.Generator(job.rows.device)
        self.order = torch.Generator()
        set_generator(job.module, self._masks)

    @property
    def seconds(self) -> float:
        """Seconds since training began."""
        return time.monotonic() - self._start

    @property
    def out_of_time(self) -> bool:
        """Whether the time limit has passed."""
        return self._stopper.out_of_time(self.seconds)

    def begin_epoch(self) -> None:
        """Seed the epoch and tell the watchers."""
        epoch = self.stepper.state.epoch
        reseed(self.order, self.job.seed, "order", epoch)
        self.rewind_masks()
        self.job.module.train()
        for watcher in self.watchers:
            watcher.epoch_begin(self)
        if any(watcher.per_batch for watcher in self.watchers):
            self.stepper.choose_gradient()  # they may have hung hooks into the module

    def rewind_masks(self) -> None:
        """Start this epoch's dropout masks from the first again."""
        reseed(self._masks, self.job.seed, "masks", self.stepper.state.epoch)

    def end_epoch(self, train_loss: Tensor) -> bool:
        """Evaluate, record and decide; True when training is over."""
        self.stepper.state.epoch += 1
        row, objective = self._row(train_loss)
        self.history.append(row)
        value = self._monitored(row, objective)
        self.schedule.observe(value)
        if self._stopper.observe(value, row["epoch"]) and self._restores:
            self._best = self.stepper.flat.snapshot()
        self.stop_reason = self._stopper.reason(len(self.history), self.seconds)
        for watcher in self.watchers:  # each hears of it, also when one stops
            if watcher.epoch_end(self, row):
                self.stop_reason = self.stop_reason or "callback"
        return self.stop_reason is not None

    def finish(self) -> TrainResult:
        """Put the best weights back and hand over the result."""
        assert self.stop_reason is not None
        best_epoch = len(self.history)
        if self._best is not None:
            self.stepper.flat.restore(self._best)
            best_epoch = self._stopper.best_epoch
        self.job.module.eval()
        for watcher in self.watchers:
            watcher.train_end(self)
        set_generator(self.job.module, None)
        self.stepper.flat.release()
        return TrainResult(
            self.job.module,
            self.history,
            best_epoch,
            self.stop_reason,
            self.stepper.state,
        )

    @property
    def _restores(self) -> bool:
        return self.job.stopping.restore_best and self.job.stopping.on_validation

    def _row(self, train_loss: Tensor) -> tuple[dict[str, Any], float]:
        """The epoch's row, and the training loss with its penalties."""
        # One transfer from the device an epoch: everything the row needs, at once.
        numbers = [train_loss, self.stepper.flat.values.sum(), self.stepper.penalty()]
        if self.job.validation is not None:
            numbers += evaluate(self.job, self.job.validation)
        loss, total, penalty, *validation = torch.stack(
            [n.to(torch.float64) if n.device.type != "mps" else n for n in numbers]
        ).tolist()
        valid_loss, valid_score = validation or (math.nan, math.nan)
        epoch = len(self.history) + 1
        if not (math.isfinite(loss) and math.isfinite(total)):
            raise TrainingDivergedError(self.job.owner, epoch, self.learning_rate)
        if self.job.monitor is not None:
            self.job.module.eval()
            valid_score = float(self.job.monitor(self.job.module))
        row = {
            "epoch": epoch,
            "train_loss": loss,
            "valid_loss": valid_loss,
            "valid_score": valid_score,
            "learning_rate": self.learning_rate,
            "seconds": self.seconds,
        }
        return row, loss + penalty

    def _monitored(self, row: dict[str, Any], objective: float) -> float:
        if not self.job.stopping.on_validation:
            return objective
        return -row["valid_score"] if self.job.monitor else row["valid_loss"]


def evaluate(job: TrainJob, rows: Rows) -> list[Tensor]:
    """Loss and score of the module on some rows, as scalar tensors."""
    job.module.eval()
    with torch.inference_mode():
        raw = torch.cat([job.module(batch.x) for batch in rows.in_order()])
        weight = rows.weight
        if weight is None:
            weight = torch.ones(len(rows), dtype=raw.dtype, device=raw.device)
        loss = (job.loss.rows(raw, rows.y) * weight).sum() / weight.sum()
        location = job.loss.row.decode(raw)[0]
        return [loss, SCORES[job.loss.kind](location, rows.y, weight)]
