"""Training one job by itself."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from sklearn_deep.data._batches import Batch, batch_bounds, epoch_batches
from sklearn_deep.nn._dropout import set_source
from sklearn_deep.nn._fast_float64 import has_float64_kernels
from sklearn_deep.training.job._devices import step_products, threads_for
from sklearn_deep.training.job._job import TrainJob, TrainResult
from sklearn_deep.training.job._optimizers import OPTIMIZERS
from sklearn_deep.training.job._seeds import reseed
from sklearn_deep.training.loop._evaluation import evaluate, to_numbers
from sklearn_deep.training.loop._lbfgs import minimise
from sklearn_deep.training.loop._run import Run, Watcher
from sklearn_deep.training.step._augmenting import Augmenter
from sklearn_deep.training.step._masks import Masks
from sklearn_deep.training.step._step import Stepper


def train_alone(job: TrainJob, watchers: Sequence[Watcher] = ()) -> TrainResult:
    """Train the job's module in place.

    Raises
    ------
    TrainingDivergedError
        When the loss or a weight is no longer finite after an epoch.
    """
    job = job.placed()
    products = step_products(job.module, job.batch_size, job.rows.x)
    float64 = has_float64_kernels(job.module)
    with threads_for(products, job.rows.device, float64):
        solo = Solo(job, watchers)
        loop = descend if OPTIMIZERS[job.optimizer.name].update else minimise
        loop(solo)
        return solo.finish()


class Solo:
    """A run with the stepper of its network, and the network's own random numbers."""

    def __init__(self, job: TrainJob, watchers: Sequence[Watcher]):
        self.job = job
        self.run = Run(job, watchers)  # its watchers may freeze parameters
        self.stepper = Stepper(job, self.run.state)
        for watcher in watchers:
            watcher.optimizer_ready(self.run, self.stepper)
        self.order = torch.Generator()
        self._masks = Masks([job.seed], job.rows.device)
        set_source(job.module, self._masks)
        self._augmenter = Augmenter(job) if job.augmentation else None

    def begin_epoch(self) -> None:
        """Seed the epoch and tell the watchers."""
        reseed(self.order, self.job.seed, "order", self.run.state.epoch)
        self.rewind_masks()
        if self._augmenter is not None:
            self._augmenter.begin(self.run.state.epoch)
        self.job.module.train()
        self.run.begin_epoch()
        if any(watcher.per_batch for watcher in self.run.watchers):
            self.stepper.choose_gradient()  # they may have hung hooks into the module

    def batches(self) -> Iterator[Batch]:
        """The minibatches of this epoch, as the network sees them."""
        batches = epoch_batches(self.job.rows, self.job.batch_size, self.order)
        return batches if self._augmenter is None else map(self._augmenter, batches)

    def show(self, batch: Batch, loss: Tensor, raw: Tensor) -> None:
        """Tell the watchers of a batch that another loop has used."""
        for watcher in self.run.watchers:
            if watcher.per_batch:
                watcher.batch_begin(self.run, batch)
                watcher.batch_end(self.run, batch, loss, raw)

    def rewind_masks(self) -> None:
        """Start this epoch's dropout masks from the first again."""
        self._masks.begin([self.run.state.epoch])

    def end_epoch(self, train_loss: Tensor) -> bool:
        """Evaluate, record and decide; True when training is over."""
        stepper = self.stepper
        tensors = [train_loss, stepper.values.sum(), stepper.penalty()]
        if self.job.validation is not None:
            tensors += evaluate(self.job, self.job.validation)
        (numbers,) = to_numbers(tensors)
        return self.run.end_epoch(numbers, stepper.flat, 0)

    def finish(self) -> TrainResult:
        """Hand over the result."""
        return self.run.finish(self.stepper.flat, 0)


def descend(solo: Solo) -> None:
    """Epochs of minibatch steps until the run says stop."""
    job, run, stepper = solo.job, solo.run, solo.stepper
    n_steps = len(batch_bounds(len(job.rows), job.batch_size))
    base = job.optimizer.learning_rate
    per_batch = [watcher for watcher in run.watchers if watcher.per_batch]
    take_step = stepper.step if not per_batch else _watched_step(solo, per_batch)
    while True:
        solo.begin_epoch()
        epoch = run.state.epoch
        total, seen = None, 0
        for i, batch in enumerate(solo.batches()):
            if job.schedule.moves and run.follows_schedule:
                run.learning_rate = base * run.schedule.during(epoch, i, n_steps)
            loss = take_step(batch, run.learning_rate)
            n = len(batch)
            total = loss * n if total is None else total.add_(loss, alpha=n)
            seen += n
            if run.interrupted or (
                job.stopping.time_limit is not None and run.out_of_time
            ):
                break
        assert total is not None
        if solo.end_epoch(total / seen):
            return


def _watched_step(solo: Solo, watchers: Sequence[Watcher]):
    run, stepper = solo.run, solo.stepper

    def step(batch: Batch, learning_rate: float) -> Tensor:
        for watcher in watchers:
            watcher.batch_begin(run, batch)
        loss, raw = stepper.gradient(batch)
        for watcher in watchers:
            watcher.gradient_ready(run, batch)
        stepper.update(run.learning_rate)
        for watcher in watchers:
            watcher.batch_end(run, batch, loss, raw)
        return loss

    return step
