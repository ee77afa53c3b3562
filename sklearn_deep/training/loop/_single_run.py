"""One job in training by itself: its module, its random streams and its run."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from sklearn_deep.data._batches import Batch, epoch_batches
from sklearn_deep.nn._dropout import set_source
from sklearn_deep.training.job._job import TrainJob, TrainResult
from sklearn_deep.training.job._seeds import reseed
from sklearn_deep.training.loop._evaluation import evaluate, to_numbers
from sklearn_deep.training.loop._run import Run, Watcher
from sklearn_deep.training.step._augmenting import Augmenter
from sklearn_deep.training.step._averaging import averaged_weights
from sklearn_deep.training.step._random_bits import RandomBits
from sklearn_deep.training.step._step import SingleStep


class SingleRun:
    """A run with its optimizer steps and its streams of random numbers."""

    def __init__(self, job: TrainJob, watchers: Sequence[Watcher]):
        self.job = job
        self.run = Run(job, watchers)  # its watchers may freeze parameters
        self.stepper = SingleStep(job, self.run.state)
        for watcher in watchers:
            watcher.optimizer_ready(self.run, self.stepper)
        self.order = torch.Generator()
        self._bits = RandomBits([job.seed], job.rows.device)
        set_source(job.module, self._bits)
        self._augmenter = Augmenter(job) if job.augmentation else None
        self._average = averaged_weights(
            self.stepper.values, [job], [self.run.state.weights]
        )

    def begin_epoch(self) -> None:
        """Seed the epoch and notify the watchers."""
        reseed(self.order, self.job.seed, "order", self.run.state.epoch)
        self.rewind_masks()
        if self._augmenter is not None:
            self._augmenter.begin(self.run.state.epoch)
        self.job.module.train()
        self.run.begin_epoch()
        if self._average is not None:
            self._average.begin_epoch()
        if any(watcher.per_batch for watcher in self.run.watchers):
            self.stepper.choose_gradient()  # they may have registered hooks

    def batches(self) -> Iterator[Batch]:
        """The minibatches of this epoch, augmented."""
        batches = epoch_batches(self.job.rows, self.job.batch_size, self.order)
        return batches if self._augmenter is None else map(self._augmenter, batches)

    def show(self, batch: Batch, loss: Tensor, raw: Tensor) -> None:
        """Notify the watchers of a batch that the L-BFGS loop has used."""
        for watcher in self.run.watchers:
            if watcher.per_batch:
                watcher.batch_begin(self.run, batch)
                watcher.batch_end(self.run, batch, loss, raw)

    def rewind_masks(self) -> None:
        """Rewind the random bits to this epoch's first dropout mask."""
        self._bits.begin([self.run.state.epoch])

    def end_epoch(self, train_loss: Tensor) -> bool:
        """Evaluate and record an epoch; return whether training ends."""
        stepper = self.stepper
        if self._average is not None:
            self._average.end_epoch()
            self.run.state.weights = self._average.trained
        tensors = [train_loss, stepper.values.sum(), stepper.penalty()]
        if self.job.validation is not None:
            tensors += evaluate(self.job, self.job.validation)
        (numbers,) = to_numbers(tensors)
        return self.run.end_epoch(numbers, stepper.flat)

    def finish(self) -> TrainResult:
        """Return the result."""
        return self.run.finish(self.stepper.flat)
