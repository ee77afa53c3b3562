"""skorch, in this file only: its callbacks on our loop, and ``net_``.

skorch's own loop is not used: its data loader and a sync in every batch cost three
times the training on small data. Here a ``NeuralNet`` holds the module, an optimizer
and the history where skorch's callbacks look for them, and is told what happens.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback
from skorch.dataset import Dataset
from torch import Tensor, nn

from sklearn_deep.data._batches import Batch, Rows
from sklearn_deep.nn._losses import Loss, probabilities
from sklearn_deep.training._job import TrainJob
from sklearn_deep.training._run import Run, Watcher


class _Criterion(nn.Module):
    """One of our losses as torch has them: a module that gives a mean."""

    def __init__(self, loss: Loss):
        super().__init__()
        self.loss = loss

    def forward(self, raw: Tensor, target: Tensor) -> Tensor:
        return self.loss.rows(raw, target).mean()


class _LearningRate(torch.optim.Optimizer):
    """An optimizer that holds a learning rate for schedulers to change."""

    def __init__(self, params, lr: float):
        super().__init__(params, {"lr": lr})

    def step(self, closure=None):
        """Do nothing: our own loop changes the weights."""


class AdoptedNet(NeuralNet):
    """A ``NeuralNet`` around a module that is there already and trained elsewhere.

    Its predictions are in encoded targets: class codes, standardised numbers.
    """

    def initialize_module(self):
        """Take the module as it is."""
        self.module_ = self.module
        return self

    def initialize_criterion(self):
        """Take the loss as it is."""
        self.criterion_ = self.criterion
        return self

    @property
    def _default_callbacks(self):
        return []

    def predict_proba(self, X):
        """Probabilities for a classifier; raw outputs for a regressor."""
        raw = self.forward(X).cpu()
        kind = self.criterion_.loss.kind
        return (raw if kind == "real" else probabilities(raw, kind)).numpy()

    def predict(self, X):
        """Class codes, indicator rows, or standardised numbers."""
        raw = self.forward(X).cpu()
        loss = self.criterion_.loss
        if loss.kind == "softmax":
            return raw.argmax(-1).numpy()
        if loss.kind == "sigmoid":
            return (raw > 0).to(raw.dtype).numpy()
        return loss.row.decode(raw)[0].numpy()


def make_net(
    module: nn.Module, loss: Loss, learning_rate: float = 1.0, callbacks: Sequence = ()
) -> AdoptedNet:
    """Adopt a module into an initialised skorch net."""
    net = AdoptedNet(
        module,
        _Criterion(loss),
        optimizer=_LearningRate,
        lr=learning_rate,
        callbacks=list(callbacks),
        train_split=None,
        device=str(next(module.parameters()).device),
        verbose=0,
    )
    return net.initialize()


def fitted_net(
    module: nn.Module, loss: Loss, history: Sequence[dict[str, Any]]
) -> AdoptedNet:
    """A skorch net around a trained module, with its history."""
    net = make_net(module, loss)
    record = _Recorder(net)
    for row in history:
        net.history.new_epoch()
        record(row)
    return net


class _Recorder:
    """Writes our rows into a net's history, under the names that skorch uses."""

    def __init__(self, net: NeuralNet):
        self._history = net.history
        self._best = {"train_loss": math.inf, "valid_loss": math.inf}
        self._seconds = 0.0

    def __call__(self, row: dict[str, Any]) -> None:
        record = self._history.record
        record("epoch", row["epoch"])
        record("learning_rate", row["learning_rate"])
        record("dur", row["seconds"] - self._seconds)
        self._seconds = row["seconds"]
        for name, best in self._best.items():
            if not math.isnan(row[name]):
                record(name, row[name])
                record(f"{name}_best", row[name] < best)
                self._best[name] = min(best, row[name])
        if not math.isnan(row["valid_score"]):
            record("valid_score", row["valid_score"])


def _dataset(rows: Rows | None) -> Dataset | None:
    if rows is None:
        return None
    x = rows.x
    if rows.index is not None:
        index = rows.index.cpu()
        x = x[index.to(x.device)] if isinstance(x, Tensor) else x[index.numpy()]
    return Dataset(x, rows.y)


class SkorchCallbacks(Watcher):
    """Tells skorch callbacks what happens, and does what they ask for.

    A callback may change the learning rate of ``net.optimizer_``, change gradients
    in place, freeze parameters when training begins, and stop the training by
    raising ``KeyboardInterrupt``, as ``skorch.callbacks.EarlyStopping`` does.
    """

    per_batch = True

    def __init__(self, job: TrainJob, callbacks: Sequence[Any], X: Any, y: Any):
        for item in callbacks:
            one = item[1] if isinstance(item, tuple) else item
            kind = one if isinstance(one, type) else type(one)
            if not issubclass(kind, Callback):
                raise TypeError(
                    f"callbacks of {job.owner} must be skorch callbacks; got {one!r}."
                    " scikit-learn's callbacks go to set_callbacks()."
                )
        rate = job.optimizer.learning_rate
        self.net = make_net(job.module, job.loss, rate or 1.0, callbacks)
        self._given = {"X": X, "y": y}
        self._data = {
            "dataset_train": _dataset(job.rows),
            "dataset_valid": _dataset(job.validation),
        }
        self._record = _Recorder(self.net)
        self._frozen: list[tuple[Tensor, Tensor]] = []
        self._stopped = False

    def train_begin(self, run: Run) -> None:
        """Tell that training begins."""
        self._tell("on_train_begin", **self._given)

    def epoch_begin(self, run: Run) -> None:
        """Tell that an epoch begins; the net opens it in its history."""
        self._tell("on_epoch_begin", **self._data)
        self._take_rate(run)

    def batch_begin(self, run: Run, batch: Batch) -> None:
        """Tell that a batch begins."""
        if run.job.schedule.moves:
            self.net.optimizer_.param_groups[0]["lr"] = run.learning_rate
        self._tell("on_batch_begin", batch=(batch.x, batch.y), training=True)

    def gradient_ready(self, run: Run, batch: Batch) -> None:
        """Let callbacks look at the gradient, or change it in place."""
        # A parameter frozen in a later epoch has no gradient, but would still decay.
        frozen = [p for p in run.job.module.parameters() if not p.requires_grad]
        self._frozen = [(p, p.detach().clone()) for p in frozen]
        self._tell(
            "on_grad_computed",
            named_parameters=list(self.net.get_all_learnable_params()),
            batch=(batch.x, batch.y),
            training=True,
        )

    def batch_end(self, run: Run, batch: Batch, loss: Tensor, raw: Tensor) -> None:
        """Record the batch and tell of it."""
        with torch.no_grad():
            for parameter, kept in self._frozen:
                parameter.copy_(kept)
        self.net.optimizer_.step()  # torch's schedulers warn where nobody calls it
        self._batch_done(batch, loss, raw, "train")
        self._take_rate(run)

    def epoch_end(self, run: Run, row: dict[str, Any]) -> bool:
        """Record the epoch, tell of it, and stop where a callback says so."""
        if run.job.validation is not None:
            self._validate(run)
        self._record(row)
        self._tell("on_epoch_end", **self._data)
        self._take_rate(run)
        return self._stopped

    def train_end(self, run: Run) -> None:
        """Tell that training has ended."""
        self._tell("on_train_end", **self._given)

    def _validate(self, run: Run) -> None:
        """Show the validation batches: ``EpochScoring`` takes its outputs from them."""
        run.job.module.eval()
        for batch in run.job.validation.in_order():  # type: ignore[union-attr]
            self._tell("on_batch_begin", batch=(batch.x, batch.y), training=False)
            with torch.no_grad():
                raw = run.job.module(batch.x)
                loss = run.job.loss.rows(raw, batch.y).mean()
            self._batch_done(batch, loss, raw, "valid")

    def _batch_done(self, batch: Batch, loss: Tensor, raw: Tensor, prefix: str) -> None:
        self.net.history.record_batch(f"{prefix}_loss", loss.item())
        self.net.history.record_batch(f"{prefix}_batch_size", len(batch))
        self._tell(
            "on_batch_end",
            batch=(batch.x, batch.y),
            training=prefix == "train",
            loss=loss,
            y_pred=raw,
        )

    def _tell(self, method: str, **kwargs: Any) -> None:
        try:
            self.net.notify(method, **kwargs)
        except KeyboardInterrupt:
            self._stopped = True

    def _take_rate(self, run: Run) -> None:
        run.learning_rate = self.net.optimizer_.param_groups[0]["lr"]
