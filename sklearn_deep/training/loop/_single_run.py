"""One job in training by itself: its module, its random streams and its run."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from sklearn_deep.data._batches import Batch
from sklearn_deep.nn._dropout import set_source
from sklearn_deep.nn._frozen import begin_training
from sklearn_deep.training.checkpoints._recorder import Recorder
from sklearn_deep.training.checkpoints._run_state import RunState
from sklearn_deep.training.job._job import TrainJob, TrainResult
from sklearn_deep.training.job._optimizers import OPTIMIZERS
from sklearn_deep.training.job._seeds import reseed
from sklearn_deep.training.loop._evaluation import evaluate, to_numbers
from sklearn_deep.training.loop._evaluations import Evaluations
from sklearn_deep.training.loop._run import Run, Watcher
from sklearn_deep.training.ranks._sharing import Sharing
from sklearn_deep.training.step._augmenting import Augmenter
from sklearn_deep.training.step._averaging import averaged_weights
from sklearn_deep.training.step._random_bits import RandomBits
from sklearn_deep.training.step._step import SingleStep


class SingleRun:
    """A run with its optimizer steps and its streams of random numbers."""

    def __init__(
        self,
        job: TrainJob,
        watchers: Sequence[Watcher],
        recorder: Recorder | None = None,
    ):
        self.job = job
        # Its watchers may freeze parameters.
        self.sharing = Sharing.of(job)
        ranks = None if self.sharing is None else self.sharing.ranks
        self.run = Run(job, watchers, recorder=recorder, ranks=ranks)
        self.stepper = SingleStep(job, self.run.state, self.sharing)
        self.evaluations = self._make_evaluations()
        self.run.resume(self.stepper.flat)
        for watcher in watchers:
            watcher.optimizer_ready(self.run, self.stepper)
        self.order = torch.Generator()
        self._bits = RandomBits([job.seed], job.rows.device)
        self._begin_sharing()
        self._augmenter = Augmenter(job) if job.augmentation else None
        self._average = averaged_weights(
            self.stepper.values, [job], [self.run.state.weights]
        )

    def _begin_sharing(self) -> None:
        """Connect the random layers; all ranks start with the tensors of the first."""
        if self.sharing is None:
            set_source(self.job.module, self._bits)
            return
        self.sharing.set_source(self.job.module, self._bits)
        slots, weights = self.run.state.slots, self.run.state.weights
        tensors = [self.stepper.values, *self.job.module.buffers(), *slots]
        self.sharing.ranks.tensors_of_first(
            tensors if weights is None else [*tensors, weights]
        )

    def begin_epoch(self) -> None:
        """Seed the epoch and notify the watchers."""
        reseed(self.order, self.job.seed, "order", self.run.state.epoch)
        self.rewind_masks()
        if self._augmenter is not None:
            self._augmenter.begin(self.run.state.epoch)
        begin_training(self.job.module, self.job.frozen)
        self.run.begin_epoch()
        if self._average is not None:
            self._average.begin_epoch()
        if any(watcher.per_batch for watcher in self.run.watchers):
            self.stepper.choose_gradient()  # they may have registered hooks

    def batches(self) -> Iterator[Batch]:
        """The minibatches of this epoch, augmented."""
        batches = self.job.rows.epoch(self.job.batch_size, self.order)
        return batches if self._augmenter is None else map(self._augmenter, batches)

    def show(self, batch: Batch, loss: Tensor, raw: Tensor) -> None:
        """Notify the watchers of a batch that the L-BFGS loop has used."""
        per_batch = [watcher for watcher in self.run.watchers if watcher.per_batch]
        if per_batch:
            raw = self.raw_of_all(raw)
            for watcher in per_batch:
                watcher.batch_begin(self.run, batch)
                watcher.batch_end(self.run, batch, loss, raw)

    def ends_early(self) -> bool:
        """Whether the epoch ends before all its steps are taken; on all ranks or none."""
        run, timed = self.run, self.job.stopping.time_limit is not None
        ends = run.interrupted or (timed and run.out_of_time)
        if self.sharing is None:
            return ends
        watched = any(watcher.per_batch for watcher in run.watchers)
        return self.sharing.ranks.any(ends) if timed or watched else ends

    def raw_of_all(self, raw: Tensor) -> Tensor:
        """Raw outputs of a whole batch, where ranks have computed some each."""
        return raw if self.sharing is None else self.sharing.of_all_rows(raw)

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
            tensors += evaluate(self.job, self.job.validation, self.sharing)
        (numbers,) = to_numbers(tensors)
        ends = self.run.end_epoch(numbers, stepper.flat)
        if not ends:
            self._record()
        return ends

    def finish(self) -> TrainResult:
        """Return the result."""
        return self.run.finish(self.stepper.flat)

    def _record(self) -> None:
        """Let the recorder store the state after an epoch."""
        recorder, evaluations = self.run.recorder, self.evaluations
        if recorder is not None and (evaluations is None or evaluations.complete):
            recorder.end_epoch(self._captured)

    def _captured(self) -> RunState:
        state = self.run.capture(self.stepper.flat)
        if self.evaluations is not None:
            state.arrays.update(self.evaluations.arrays())
        return state

    def _make_evaluations(self) -> Evaluations | None:
        """The record of L-BFGS: the stored one, where SciPy repeats it, or a new one."""
        recorder, values = self.run.recorder, self.stepper.values.cpu().numpy()
        if recorder is None or OPTIMIZERS[self.job.optimizer.name].update is not None:
            return None
        found = recorder.found
        # A state that does not fit the network is refused with a warning.
        if found is not None and not recorder.finished and self._fits(found):
            n_iterations = len(found.numbers["history"])
            record = Evaluations.from_arrays(found.arrays, n_iterations)
            if record.lead_to(found.arrays["weights.0.0"]):
                return record
            recorder.refuse()
        return Evaluations(values.astype(np.float64), values.dtype)

    def _fits(self, found: RunState) -> bool:
        return found.arrays["weights.0.0"].shape == tuple(self.stepper.values.shape)
