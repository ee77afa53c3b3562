"""skorch's callbacks on our training loop."""

import hashlib
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sklearn_deep.data._batches import Batch
from sklearn_deep.nn._frozen import begin_training
from sklearn_deep.training.job._job import NetSettings, TrainJob
from sklearn_deep.training.loop._evaluation import judge
from sklearn_deep.training.loop._run import Run, Watcher
from sklearn_deep.training.loop._skorch import (
    Recorder,
    check_callbacks,
    has_scheduler,
    make_net,
)
from sklearn_deep.training.loop._skorch_optimizer import updated
from sklearn_deep.training.step._step import SingleStep


class SkorchCallbacks(Watcher):
    """Notifies skorch callbacks, and applies the changes that they make.

    A callback may change learning rate, momentum, betas and weight decay of
    ``net.optimizer_``, change gradients in place, freeze parameters, load weights and
    optimizer state, and stop the training by raising ``KeyboardInterrupt``, as
    ``skorch.callbacks.EarlyStopping`` does. Once a callback sets the learning rate, the
    estimator's own schedule no longer does.

    Parameters
    ----------
    job : TrainJob
    callbacks : sequence of skorch callbacks
        Instances, classes, or pairs of a name and one of them.
    X, y : array-like
        As the user gave them.
    settings : NetSettings
    encode : callable
        Maps user features to those that the network takes.
    earlier : sequence of dict
        History of the training that this one continues.
    """

    per_batch = True

    def __init__(
        self,
        job: TrainJob,
        callbacks: Sequence[Any],
        X: Any,
        y: Any,
        settings: NetSettings,
        encode: Callable[[Any], Any],
        earlier: Sequence[dict[str, Any]] = (),
    ):
        check_callbacks(job.owner, callbacks)
        self.net = make_net(job.module, job.loss, settings, callbacks, encode)
        self._given = {"X": X, "y": y}
        self._data = self.net.give_data(job.rows, job.validation)
        self._record = Recorder(self.net)
        for row in earlier:
            self._open_epoch()
            self._record(row)
        if earlier:  # torch's schedulers read it when they resume
            self._group["initial_lr"] = self._group["lr"]
            if has_scheduler(self.net):  # they take their next step from the last rate
                self._group["lr"] = earlier[-1]["learning_rate"]
        self._stepper: SingleStep | None = None
        self._frozen: list[tuple[Tensor, Tensor]] = []
        self._epoch_of: dict[bytes, int] = {}
        self._n_batches = 0
        self._stopped = self._sets_rate = False
        self._rate = self._group["lr"]

    def train_begin(self, run: Run) -> None:
        """Tell that training begins."""
        try:
            self.net.notify("on_train_begin", **self._given)
        except ValueError as error:
            if "cycle_momentum" not in str(error):
                raise
            raise ValueError(
                f"{error}: optimizer={run.job.optimizer.name!r} of {run.job.owner} has no"
                " momentum. Set optimizer to 'momentum', 'nesterov', 'adam' or 'adamw',"
                " or pass cycle_momentum=False to the scheduler."
            ) from error
        self._sets_rate = has_scheduler(self.net) or "initial_lr" in self._group
        self._rate = float(self._group["lr"])
        self._take(run)

    def optimizer_ready(self, run: Run, stepper: SingleStep) -> None:
        """Show the optimizer's state, and set it to what a callback has loaded."""
        self._stepper = stepper
        self._optimizer.follow(run.job.module, stepper)

    def epoch_begin(self, run: Run) -> None:
        """Tell that an epoch begins; the net opens it in its history."""
        self._n_batches = 0
        self._tell(run, "on_epoch_begin", **self._data)

    def batch_begin(self, run: Run, batch: Batch) -> None:
        """Tell that a batch begins."""
        if not self._sets_rate and run.job.schedule.moves:
            self._group["lr"] = self._rate = run.learning_rate
        self._tell(run, "on_batch_begin", batch=self._pair(batch), training=True)
        begin_training(run.job.module, run.job.frozen)  # a callback may have predicted

    def gradient_ready(self, run: Run, batch: Batch) -> None:
        """Let callbacks look at the gradient, or change it in place."""
        # A parameter frozen in a later epoch has no gradient, but would still decay, and
        # move by the momentum of earlier steps.
        frozen = [p for p in run.job.module.parameters() if not p.requires_grad]
        moments = self._optimizer.moments_of
        tensors = [t for p in frozen for t in (p, *moments(p))]
        self._frozen = [(t, t.detach().clone()) for t in tensors]
        self._tell(
            run,
            "on_grad_computed",
            named_parameters=list(self.net.get_all_learnable_params()),
            batch=self._pair(batch),
            training=True,
        )

    def batch_end(self, run: Run, batch: Batch, loss: Tensor, raw: Tensor) -> None:
        """Record the batch and notify the callbacks."""
        with torch.no_grad():
            for tensor, value in self._frozen:
                tensor.copy_(value)
        self._optimizer.step()  # torch's schedulers warn where nobody calls it
        self._n_batches += 1
        self._batch_done(run, batch, loss, raw, "train")

    def epoch_end(self, run: Run, row: dict[str, Any]) -> bool:
        """Record the epoch, tell of it, and stop where a callback says so."""
        self.net.history.record("train_batch_count", self._n_batches)
        accuracy = math.nan
        if run.job.validation is not None and not self._stopped:
            accuracy = self._validate(run)
        self._record(row, accuracy)
        # A callback may keep a copy of the weights before or after another changes them.
        self._epoch_of.setdefault(_digest(run.job.module), row["epoch"])
        if not self._stopped:
            self._tell(run, "on_epoch_end", **self._data)
        self._epoch_of.setdefault(_digest(run.job.module), row["epoch"])
        return self._stopped

    def train_end(self, run: Run) -> None:
        """Tell that training has ended; a callback may restore weights of an epoch."""
        before = _digest(run.job.module)
        self.net.notify("on_train_end", **self._given)
        after = _digest(run.job.module)
        if after != before:
            run.best_epoch = self._epoch_of.get(after, len(run.history))
        self._optimizer.let_go()
        self._stepper = None
        self.net.take_data()

    def _validate(self, run: Run) -> float:
        """Notify of the validation batches, as skorch does; return the accuracy."""
        job = run.job
        job.module.eval()
        raws = []
        for batch in job.validation.in_order():  # type: ignore[union-attr]
            pair = self._pair(batch)
            self._tell(run, "on_batch_begin", batch=pair, training=False)
            with torch.no_grad():
                raws.append(job.module(batch.x))
                loss = job.loss.rows(raws[-1], batch.y).mean()
            self._batch_done(run, batch, loss, raws[-1], "valid")
        self.net.history.record("valid_batch_count", len(raws))
        if job.loss.kind == "real":
            return math.nan
        y = job.validation.y  # type: ignore[union-attr]
        return float(judge(job.loss, torch.cat(raws), y, None)[1])

    def _batch_done(
        self, run: Run, batch: Batch, loss: Tensor, raw: Tensor, prefix: str
    ) -> None:
        self.net.history.record_batch(f"{prefix}_loss", loss.item())
        self.net.history.record_batch(f"{prefix}_batch_size", len(batch))
        self._tell(
            run,
            "on_batch_end",
            batch=self._pair(batch),
            training=prefix == "train",
            loss=loss,
            y_pred=raw,
        )

    def _pair(self, batch: Batch) -> tuple[Any, Tensor]:
        return batch.x, self._data["dataset_train"].flat(batch.y)

    def _tell(self, run: Run, method: str, **kwargs: Any) -> None:
        """Notify the callbacks, and apply the changes that they made."""
        try:
            self.net.notify(method, **kwargs)
        except KeyboardInterrupt:
            self._stopped = run.interrupted = True
        except KeyError as error:
            if run.job.validation is not None or "valid" not in str(error):
                raise
            raise ValueError(
                f"A callback of {run.job.owner} looks for {error} in the history, and"
                " there is no validation part. Set early_stopping=True, or pass X_val and"
                " y_val to fit."
            ) from error
        self._take(run)

    def _take(self, run: Run) -> None:
        """Apply what callbacks have set in the optimizer."""
        group = self._group
        rate = float(group["lr"])
        if rate != self._rate:
            self._rate, self._sets_rate = rate, True
        if self._sets_rate or not run.job.schedule.moves:
            run.learning_rate, run.follows_schedule = rate, False
        if self._stepper is not None:
            self._stepper.spec = updated(self._stepper.spec, group)

    def _open_epoch(self) -> None:
        self.net.history.new_epoch()
        self.net.history.record("epoch", len(self.net.history))

    @property
    def _optimizer(self) -> Any:
        return self.net.optimizer_  # a callback may have re-created it

    @property
    def _group(self) -> dict[str, Any]:
        return self._optimizer.param_groups[0]


def _digest(module: nn.Module) -> bytes:
    """A hash of all parameters and buffers."""
    digest = hashlib.blake2b(digest_size=16)
    for tensor in (*module.parameters(), *module.buffers()):
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.digest()
