"""Training one job by itself."""

from collections.abc import Sequence

from torch import Tensor

from sklearn_deep.data._batches import Batch, batch_bounds
from sklearn_deep.nn._fast_float64 import has_float64_kernels
from sklearn_deep.training.checkpoints._recorder import Recorder
from sklearn_deep.training.job._devices import step_multiply_adds, threads_for
from sklearn_deep.training.job._job import TrainJob, TrainResult
from sklearn_deep.training.job._optimizers import OPTIMIZERS
from sklearn_deep.training.loop._lbfgs import run_lbfgs
from sklearn_deep.training.loop._run import Watcher
from sklearn_deep.training.loop._single_run import SingleRun


def train_alone(
    job: TrainJob,
    watchers: Sequence[Watcher] = (),
    recorder: Recorder | None = None,
) -> TrainResult:
    """Train the job's module in place; from the recorder's state, if it has one.

    Raises
    ------
    TrainingDivergedError
        When the loss or a weight is no longer finite after an epoch.
    """
    job = job.to_device()
    multiply_adds = step_multiply_adds(job.module, job.batch_size, job.rows.x)
    float64 = has_float64_kernels(job.module)
    with threads_for(multiply_adds, job.rows.device, float64):
        single = SingleRun(job, watchers, recorder)
        loop = run_epochs if OPTIMIZERS[job.optimizer.name].update else run_lbfgs
        if single.run.stop_reason is None:
            loop(single)
        return single.finish()


def run_epochs(single: SingleRun) -> None:
    """Train by epochs of minibatch steps until the run ends."""
    job, run, stepper = single.job, single.run, single.stepper
    n_steps = len(batch_bounds(len(job.rows), job.batch_size))
    base = job.optimizer.learning_rate
    per_batch = [watcher for watcher in run.watchers if watcher.per_batch]
    take_step = stepper.step if not per_batch else _watched_step(single, per_batch)
    while True:
        single.begin_epoch()
        epoch = run.state.epoch
        total, seen = None, 0
        for i, batch in enumerate(single.batches()):
            if job.schedule.moves and run.follows_schedule:
                run.learning_rate = base * run.schedule.during(epoch, i, n_steps)
            loss = take_step(batch, run.learning_rate)
            n = len(batch)
            total = loss * n if total is None else total.add_(loss, alpha=n)
            seen += n
            if single.ends_early():
                break
        assert total is not None
        if single.end_epoch(total / seen):
            return


def _watched_step(single: SingleRun, watchers: Sequence[Watcher]):
    run, stepper = single.run, single.stepper

    def step(batch: Batch, learning_rate: float) -> Tensor:
        for watcher in watchers:
            watcher.batch_begin(run, batch)
        loss, raw = stepper.gradient(batch)
        for watcher in watchers:
            watcher.gradient_ready(run, batch)
        stepper.update(run.learning_rate)
        raw = single.raw_of_all(raw)
        for watcher in watchers:
            watcher.batch_end(run, batch, loss, raw)
        return loss

    return step
