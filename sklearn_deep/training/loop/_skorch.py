"""A skorch ``NeuralNet`` around a network that our loop trains; imports skorch.

skorch's own loop is not used: on small data its data loader and a synchronisation per
batch take three times as long as training itself. ``AdoptedNet`` holds the module, an
optimizer and the history where skorch's callbacks look for them; ``_skorch_callbacks``
notifies them.
"""

import copy
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.base import ClassifierMixin, RegressorMixin
from skorch import NeuralNet
from skorch.callbacks import Callback, LRScheduler
from skorch.dataset import Dataset
from skorch.utils import is_dataset, to_tensor
from torch import Tensor, nn

from sklearn_deep.data._batches import Rows, batch_bounds
from sklearn_deep.data._padded import Padded
from sklearn_deep.data._ragged import Ragged
from sklearn_deep.nn._losses import Loss, probabilities
from sklearn_deep.training.job._job import NetSettings
from sklearn_deep.training.loop._skorch_optimizer import TrainingOptimizer, options_of


class Criterion(nn.Module):
    """A loss of ours as a torch module that gives the mean over rows."""

    def __init__(self, loss: Loss):
        super().__init__()
        self.loss = loss

    def forward(self, raw: Tensor, target: Tensor) -> Tensor:
        """Compute the loss; binary targets are a column or one-dimensional."""
        if self.loss.kind == "sigmoid":
            target = target.reshape(raw.shape).to(raw.dtype)
        return self.loss.rows(raw, target).mean()


class RowsDataset(Dataset):
    """The rows of a fit as skorch's data set, with NumPy arrays made when asked for.

    Attributes
    ----------
    X : ndarray, CSR matrix, or object array of one sequence per row
        Features as the network takes them.
    y : ndarray
        Encoded targets; one-dimensional for two classes.
    """

    def __init__(self, rows: Rows, binary: bool = False):
        self.rows, self._binary = rows, binary
        self.X_indexing = self.y_indexing = None  # skorch finds out itself

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def X(self) -> Any:
        """Features."""
        x, index = self.rows.x, self.rows.index
        if isinstance(x, Tensor):
            return (x if index is None else x[index.to(x.device)]).cpu().numpy()
        if index is not None:
            x = x[index.cpu().numpy()]
        return x.arrays() if isinstance(x, Ragged) else x

    @cached_property
    def y(self) -> np.ndarray:
        """Encoded targets."""
        return self.flat(self.rows.y).cpu().numpy()

    def flat(self, y: Tensor) -> Tensor:
        """Targets as scikit-learn's metrics take them."""
        return y.squeeze(-1) if self._binary else y


class _Batches:
    """Batches of a data set, in order."""

    def __init__(self, dataset: RowsDataset, batch_size: int | None):
        self._dataset, self._size = dataset, batch_size

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[tuple[Any, Tensor]]:
        rows = self._dataset.rows
        if self._size is None:
            batches = rows.in_order()
        else:
            bounds = batch_bounds(len(rows), self._size)
            batches = (rows.take(torch.arange(*b, device=rows.device)) for b in bounds)
        return ((batch.x, self._dataset.flat(batch.y)) for batch in batches)


class _HeldOut:
    """``train_split`` of a fit whose validation rows have been chosen."""

    def __init__(self, dataset: Dataset):
        self._dataset: Dataset | None = dataset

    def __call__(self, dataset: Any, y: Any = None, **params: Any) -> tuple:
        return dataset, self._dataset

    def __getstate__(self) -> dict[str, Any]:
        return {"_dataset": None}  # a pickle holds no rows


class AdoptedNet(NeuralNet):
    """A ``NeuralNet`` around a module that exists already and is trained elsewhere.

    Its targets and predictions are encoded: class codes, standardised numbers. ``X`` may
    be a data set of the fit, or whatever the estimator's ``predict`` takes.
    """

    owner = "the estimator"
    n_outputs = 0
    encode: Callable[[Any], Any] | None = None
    _datasets: Sequence[Any] = ()

    def initialize_module(self):
        """Take the module as it is."""
        asked = self.get_params_for("module")
        if any(value != self._width for value in asked.values()):
            raise ValueError(
                f"A callback of {self.owner} asks for a network with"
                f" {', '.join(f'module__{k}={v!r}' for k, v in asked.items())}, but"
                " training has begun: set parameters of the estimator instead."
            )
        self.module_ = self.module
        return self

    def initialize_criterion(self):
        """Take the loss as it is."""
        self.criterion_ = self.criterion
        return self

    def initialize_optimizer(self, *args, **kwargs):
        """Set our optimizer; a quantized network has no parameters for it."""
        if not any(True for _ in self.get_all_learnable_params()):
            self.optimizer_ = self.optimizer([nn.Parameter(torch.empty(0))], lr=self.lr)
            return self
        return super().initialize_optimizer(*args, **kwargs)

    def get_default_callbacks(self):
        """Have no callbacks but the user's."""
        return []

    # Data

    def get_dataset(self, X, y=None):
        """Get the data set of some features."""
        if isinstance(X, Padded) or is_dataset(X):
            return X
        for known in self._datasets:
            if known is not None and known.__dict__.get("X") is X:
                return known
        encoded = self._encoded(X)
        if y is not None:
            host = encoded.arrays() if isinstance(encoded, Ragged) else encoded
            return Dataset(host, y)
        nothing = np.zeros(encoded.shape[0], np.float32)
        like = self._like
        rows = Rows.make(encoded, nothing, None, None, like.dtype, like.device)
        return RowsDataset(rows)

    def get_iterator(self, dataset, training=False):
        """Iterate over batches of a data set, in order."""
        if isinstance(dataset, Padded):
            return [(dataset, None)]
        if isinstance(dataset, RowsDataset):
            return _Batches(dataset, self.batch_size if training else None)
        return super().get_iterator(dataset, training=training)

    def infer(self, x, **fit_params):
        """Apply the module to one batch."""
        if isinstance(x, Padded):
            return self.module_(x, **fit_params)
        if not isinstance(x, Mapping):
            x = to_tensor(x, device=self.device)
            if x.is_floating_point():
                x = x.to(self._like.dtype)
        return super().infer(x, **fit_params)

    def forward_iter(self, X, training=False, device="cpu"):
        """Yield raw outputs of each batch; the module's mode stays as it is."""
        before = self.module_.training
        try:
            yield from super().forward_iter(X, training=training, device=device)
        finally:
            self.module_.train(before)

    def _encoded(self, X: Any) -> Any:
        if isinstance(X, Tensor):
            return X
        if self.encode is not None:
            return self.encode(X)
        return X if sp.issparse(X) else np.asarray(X)

    @property
    def _like(self) -> Tensor:
        """A tensor of the module's dtype and device."""
        module = self.module_
        tensors = itertools.chain(module.parameters(), module.buffers())
        return next((t for t in tensors if t.is_floating_point()), torch.empty(0))

    @property
    def _width(self) -> int | None:
        """Width of the rows that the network was built for: ``InputShapeSetter``."""
        train = self._datasets[0] if self._datasets else None
        return None if train is None else train.rows.x.shape[-1]

    def give_data(self, rows: Rows, validation: Rows | None) -> dict[str, Any]:
        """Attach the rows of a fit; return the data sets for callbacks."""
        train = RowsDataset(rows, self._binary)
        valid = None if validation is None else RowsDataset(validation, self._binary)
        self._datasets = (train, valid)
        self.train_split = None if valid is None else _HeldOut(valid)
        return {"dataset_train": train, "dataset_valid": valid}

    def take_data(self) -> None:
        """Detach the rows of a fit."""
        self._datasets, self.train_split = (), None

    # Predictions

    def predict_proba(self, X):
        """Probabilities of classes or labels; raw outputs for a regressor."""
        raw = self.forward(X).cpu()
        kind = self.criterion_.loss.kind
        if kind == "real":
            return raw.numpy()
        p = probabilities(raw, kind)
        return (torch.cat([1 - p, p], -1) if self._binary else p).numpy()

    def predict(self, X):
        """Class codes, indicator rows, or standardised numbers."""
        raw = self.forward(X).cpu()
        loss = self.criterion_.loss
        if loss.kind == "softmax":
            return raw.argmax(-1).numpy()
        if loss.kind == "sigmoid":
            codes = (raw > 0).to(torch.int64)
            return (codes.squeeze(-1) if self._binary else codes).numpy()
        return loss.decode(raw)[0].numpy()

    @property
    def _binary(self) -> bool:
        return self.criterion_.loss.kind == "sigmoid" and self.n_outputs == 1

    # Training is ours.

    def fit_loop(self, X=None, y=None, *args, **kwargs):
        """Refuse to train.

        Raises
        ------
        TypeError
            Always: the estimator trains the network.
        """
        raise TypeError(
            f"skorch cannot train net_ of {self.owner}: the estimator trains it. Call"
            " estimator.partial_fit(X, y), or set_params(warm_start=True).fit(X, y). For"
            " SkorchDoctor or a training loop of skorch's, make a net of your own of"
            " copy.deepcopy(estimator.module_) and estimator.net_.criterion_."
        )

    fit = partial_fit = train_step = train_step_single = fit_loop

    def __getstate__(self):
        """Leave out the rows of the fit and the estimator.

        While training, parameters are views of one tensor, which a pickle would hold
        once per parameter: each is copied.
        """
        state = {**vars(self), "encode": None, "_datasets": ()}
        moments = itertools.chain(*(m.values() for m in self.optimizer_.state.values()))
        memo: dict[int, Any] = {id(m): m.detach().clone() for m in moments}
        names = ("module", "module_", "optimizer_")
        state.update(copy.deepcopy({name: state[name] for name in names}, memo))
        twin = object.__new__(type(self))
        twin.__dict__.update(state)
        return super(AdoptedNet, twin).__getstate__()


class AdoptedClassifier(ClassifierMixin, AdoptedNet):
    """A classifier: scikit-learn's scorers ask for probabilities."""

    @property
    def classes_(self):
        """Class codes; label numbers for multilabel targets."""
        return np.arange(2 if self._binary else self.n_outputs)


class AdoptedRegressor(RegressorMixin, AdoptedNet):
    """A regressor."""


def make_net(
    module: nn.Module,
    loss: Loss,
    settings: NetSettings,
    callbacks: Sequence = (),
    encode: Callable[[Any], Any] | None = None,
) -> AdoptedNet:
    """Make an initialised skorch net around a module.

    Parameters
    ----------
    module : torch.nn.Module
    loss : Loss
    settings : NetSettings
    callbacks : sequence of skorch callbacks
    encode : callable or None
        Maps user features to those that the network takes.
    """
    optimizer = settings.optimizer
    options = {f"optimizer__{k}": v for k, v in options_of(optimizer).items()}
    if settings.valid_batch_size is not None:
        options["iterator_valid__batch_size"] = settings.valid_batch_size
    kind: type[AdoptedNet] = (
        AdoptedRegressor if loss.kind == "real" else AdoptedClassifier
    )
    tensors = itertools.chain(module.parameters(), module.buffers())
    net = kind(
        module,
        Criterion(loss),
        optimizer=TrainingOptimizer,
        lr=optimizer.learning_rate,
        max_epochs=settings.max_epochs,
        batch_size=settings.batch_size,
        callbacks=list(callbacks),
        train_split=None,
        warm_start=settings.warm_start,
        device=str(next((t.device for t in tensors), "cpu")),
        verbose=settings.verbose,
        **options,
    )
    net.owner, net.n_outputs, net.encode = settings.owner, settings.n_outputs, encode
    return net.initialize()


def check_callbacks(owner: str, callbacks: Sequence[Any]) -> None:
    """Raise a TypeError for objects that are not skorch callbacks."""
    for item in callbacks:
        one = item[1] if isinstance(item, (tuple, list)) and len(item) == 2 else item
        kind = one if isinstance(one, type) else type(one)
        if not issubclass(kind, Callback):
            raise TypeError(
                f"callbacks of {owner} must be skorch callbacks; got {one!r}."
                " scikit-learn's callbacks go to set_callbacks()."
            )


def has_scheduler(net: AdoptedNet) -> bool:
    """Tell whether a callback schedules the learning rate."""
    return any(isinstance(callback, LRScheduler) for _, callback in net.callbacks_)


def fitted_net(
    module: nn.Module,
    loss: Loss,
    settings: NetSettings,
    history: Sequence[dict[str, Any]],
    encode: Callable[[Any], Any] | None = None,
) -> AdoptedNet:
    """A skorch net around a trained module, with its history."""
    net = make_net(module, loss, settings, encode=encode)
    record = Recorder(net)
    for row in history:
        net.history.new_epoch()
        net.history.record("epoch", len(net.history))
        record(row)
    return net


class Recorder:
    """Copies our history into a net's, under skorch's names."""

    def __init__(self, net: NeuralNet):
        self._net = net  # not its history, which callbacks may replace
        self._best: dict[str, float] = {}
        self._seconds = 0.0

    def __call__(self, row: dict[str, Any], accuracy: float = math.nan) -> None:
        """Record an epoch; scores are better when higher, losses when lower."""
        record = self._net.history.record
        record("learning_rate", row["learning_rate"])
        began = self._seconds if self._seconds <= row["seconds"] else 0.0
        record("dur", row["seconds"] - began)
        self._seconds = row["seconds"]
        for name, value, sign in (
            ("train_loss", row["train_loss"], 1),
            ("valid_loss", row["valid_loss"], 1),
            ("valid_score", row["valid_score"], -1),
            ("valid_acc", accuracy, -1),
        ):
            if not math.isnan(value):
                record(name, value)
                best = self._best.get(name, math.inf)
                record(f"{name}_best", sign * value < best)
                self._best[name] = min(best, sign * value)
