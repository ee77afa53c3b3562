"""Training one job: ``train(job) -> TrainResult``."""

from collections.abc import Sequence

import torch

from sklearn_deep.data._batches import batch_bounds, epoch_batches
from sklearn_deep.training._devices import step_products, threads_for
from sklearn_deep.training._job import TrainJob, TrainResult
from sklearn_deep.training._lbfgs import minimise
from sklearn_deep.training._optimizers import OPTIMIZERS
from sklearn_deep.training._run import Run, Watcher


def train(job: TrainJob, watchers: Sequence[Watcher] = ()) -> TrainResult:
    """Train the job's module in place.

    Raises
    ------
    TrainingDivergedError
        When the loss or a weight is no longer finite after an epoch.
    """
    products = step_products(job.module, job.batch_size)
    with threads_for(products, job.rows.device):
        run = Run(job, watchers)
        loop = descend if OPTIMIZERS[job.optimizer.name].update else minimise
        loop(run)
        return run.finish()


def descend(run: Run) -> None:
    """Epochs of minibatch steps until the run says stop."""
    job, stepper = run.job, run.stepper
    n_rows = len(job.rows)
    n_steps = len(batch_bounds(n_rows, job.batch_size))
    base = job.optimizer.learning_rate
    per_batch = [watcher for watcher in run.watchers if watcher.per_batch]
    take_step = stepper.step if not per_batch else _watched_step(run, per_batch)
    while True:
        run.begin_epoch()
        epoch = stepper.state.epoch
        total, seen = None, 0
        for i, batch in enumerate(epoch_batches(job.rows, job.batch_size, run.order)):
            if job.schedule.moves:
                # The middle of the step: warm-up never starts at a rate of zero.
                run.learning_rate = base * run.schedule.factor(
                    epoch + (i + 0.5) / n_steps
                )
            loss = take_step(batch, run.learning_rate)
            n = len(batch)
            total = loss * n if total is None else total.add_(loss, alpha=n)
            seen += n
            if job.stopping.time_limit is not None and run.out_of_time:
                break
        assert total is not None
        if run.end_epoch(total / seen):
            return


def _watched_step(run: Run, watchers: Sequence[Watcher]):
    def step(batch, learning_rate: float) -> torch.Tensor:
        for watcher in watchers:
            watcher.batch_begin(run, batch)
        loss, raw = run.stepper.gradient(batch)
        for watcher in watchers:
            watcher.gradient_ready(run, batch)
        run.stepper.update(run.learning_rate)
        for watcher in watchers:
            watcher.batch_end(run, batch, loss, raw)
        return loss

    return step
