"""What a family of networks writes, and what the functions of a fit ask of it.

``TrainsNetwork`` calls the hooks. The other functions of a fit take an estimator by this
type and read its parameters; they call no hook, and know nothing of ``fit``.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from typing import Any, ClassVar, NamedTuple

from sklearn.base import BaseEstimator
from torch import nn

from sklearn_deep._params import Rules
from sklearn_deep.data._batches import Rows
from sklearn_deep.data._features import Features, TableFeatures
from sklearn_deep.data._layout import Layout
from sklearn_deep.data._tasks import Task
from sklearn_deep.estimators.core._fitted import Fitted
from sklearn_deep.nn._losses import Loss
from sklearn_deep.training.job._job import TrainJob


class AutoBatch(NamedTuple):
    """What ``batch_size="auto"`` means: about ``n_steps`` an epoch, within bounds."""

    n_steps: int = 20
    smallest: int = 32
    largest: int = 256


class NetworkHooks(BaseEstimator, ABC):
    """Hooks of an estimator with one network, and its fitted state."""

    _rules: ClassVar[Rules]
    _fitted: Fitted

    # What the network is trained for.
    _task: ClassVar[type[Task]]

    # The class of the module; its output layer is the attribute ``output``.
    _network: ClassVar[Callable[..., nn.Module]]

    # Parameters of the architecture in which networks of one stack may differ.
    _of_each: ClassVar[frozenset[str]] = frozenset({"dropout"})
    # What ``max_epochs="auto"`` means: enough steps, within these numbers of epochs.
    _enough_steps: ClassVar[int] = 2_500
    _epoch_range: ClassVar[tuple[int, int]] = (12, 200)
    # Rows that ``weight_decay="auto"`` counts as; 0 for a decay that is the same for any
    # number of rows.
    _rows_of_decay: ClassVar[float] = 0.0
    # What ``batch_size="auto"`` means.
    _auto_batch: ClassVar[AutoBatch] = AutoBatch()
    # X may be a ``RowView``: ``fit`` and what predicts read it through ``Features``.
    _takes_row_views: ClassVar[bool] = True
    # Whether ``early_stopping="auto"`` holds rows out of small sets too. Steps that use
    # all rows are excepted: there an integer weight equals a repeated row.
    _auto_keeps_best_epoch: ClassVar[bool] = False
    # Whether columns of X should have mean 0 and standard deviation 1. A network of the
    # user's may scale them itself.
    _wants_scaled: ClassVar[bool] = True
    # Whether batches hold sequences of about one length.
    _batches_by_length: ClassVar[bool] = False
    # What ``dtype="auto"`` means on a CPU: the dtype of X, or float32 in any case.
    _auto_is_float32: ClassVar[bool] = False

    @abstractmethod
    def _architecture(
        self, layout: Layout, n_outputs: int, kind: str
    ) -> dict[str, Any]:
        """Describe the network in plain data, checked; it has ``n_outputs`` of a kind."""

    @abstractmethod
    def _nonlinearity(self) -> tuple[str, float | None]:
        """The activation's name and its slope, for initial weights."""

    def _make_features(self) -> Features:
        """Features of the rows that this family takes, before they have learnt."""
        return TableFeatures(type(self).__name__)

    @abstractmethod
    def _initialized(
        self, architecture: dict[str, Any], loss: Loss, rows: Rows, seed: int
    ) -> nn.Module:
        """Build the network with initial values, in float32 on the CPU."""

    def _measured(self, job: TrainJob, fitted: Fitted) -> Fitted:
        """The fitted state after a training, with what is measured on rows of its job."""
        return fitted

    @abstractmethod
    def _architecture_key(self, architecture: dict[str, Any]) -> Hashable:
        """What networks of one stack have in common; None for no others."""

    @abstractmethod
    def _load_module(self, fitted: Fitted, values: dict[str, Any]) -> nn.Module:
        """Build the network anew with these values, on the CPU where they are arrays."""
