"""What a fit came to: one frozen value, from which the public attributes are read."""

import copy
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import numpy as np
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from sklearn_deep.estimators.core._state import (
    as_tensor,
    pack_module,
    pack_optimizer,
    unpack_optimizer,
)
from sklearn_deep.nn._losses import Loss
from sklearn_deep.nn._randomness import restore_class
from sklearn_deep.training.job._job import (
    NetSettings,
    OptimizerState,
    TrainJob,
    TrainResult,
)
from sklearn_deep.training.loop._outcome import check_outcome

_Estimator = TypeVar("_Estimator")


@dataclass(frozen=True, eq=False)
class Fitted:
    """A trained network, with all that predicts with it or trains it further.

    A meta-estimator changes a model by ``dataclasses.replace`` on this value.

    Attributes
    ----------
    module : torch.nn.Module
        The network. While it is being trained: as it is at that time.
    architecture : dict
        Arguments that build the module without its values.
    features : Features
        How X is validated and encoded.
    targets : Targets
        How targets are encoded and decoded.
    loss : Loss
    seed : int
        The seed of the fit that drew the initial values; the validation split and the
        order of pruning come from it too.
    dtype : numpy.dtype
        The compute dtype.
    history : list of dict
        One row per epoch, those of earlier calls of ``partial_fit`` included.
    best_epoch : int
        Epoch, from 1, whose weights the module has.
    stop_reason : str
    learning_rate : float
    augmentation : tuple
        Augmentations of the training, those of a found policy included.
    policy : tuple of Policy or None
        What ``AutoAugment`` found; None where there was no search.
    net_settings : NetSettings or None
        What a skorch ``NeuralNet`` around the module tells of its training.
    optimizer : str or None
        Name of the optimizer that ``optimizer_state`` belongs to.
    optimizer_state : OptimizerState or None
        Where a later ``partial_fit`` resumes; None after ``fit``.
    weight_mask : dict of str to Tensor, or None
        Per parameter: 1 where later training may change a value, 0 where it was pruned.
    bits : int or None
        Bits per weight of a quantized network.
    importances : tuple of two ndarrays, or None
        Permutation importances of the columns and their standard errors, if this fit
        measured them.
    frozen : tuple of str
        Names of parameters and buffers that training leaves as they are.
    net : skorch.NeuralNet or None
        The net that the callbacks of this process saw. It is never pickled.
    """

    module: nn.Module
    architecture: dict[str, Any]
    features: Any  # the kind of Features that the family has
    targets: Any  # the kind of Targets that the task has
    loss: Loss
    seed: int
    dtype: np.dtype
    history: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    best_epoch: int = 0
    stop_reason: str = ""
    learning_rate: float = 0.0
    augmentation: tuple[Any, ...] = ()
    policy: tuple[Any, ...] | None = None
    net_settings: NetSettings | None = None
    optimizer: str | None = None
    optimizer_state: OptimizerState | None = None
    weight_mask: dict[str, Tensor] | None = None
    bits: int | None = None
    importances: tuple[np.ndarray, np.ndarray] | None = None
    frozen: tuple[str, ...] = ()
    net: Any = None

    def encode(self, X: Any) -> Any:
        """Rows of the user as input of the module."""
        return self.features.encode(X, self.dtype)

    def encode_for_net(self, X: Any) -> Any:
        """Rows as skorch passes them on: names of columns count where X has some."""
        features = self.features
        if not hasattr(X, "columns"):
            features = features.without_names()
        return features.encode(X, self.dtype)

    def trained(
        self, job: TrainJob, result: TrainResult, settings: NetSettings
    ) -> "Fitted":
        """The value after a training; a job that resumes adds to the history."""
        resumes = job.state is not None
        earlier = self.history if resumes else []
        result = check_outcome(job, result, [row["train_loss"] for row in earlier])
        restore_class(result.module)
        return dataclasses.replace(
            self,
            module=result.module,
            history=earlier
            + [{**row, "epoch": row["epoch"] + len(earlier)} for row in result.history],
            best_epoch=result.best_epoch + len(earlier),
            stop_reason=result.stop_reason,
            learning_rate=job.optimizer.learning_rate,
            augmentation=copy.deepcopy(job.augmentation),
            net_settings=settings,
            optimizer=job.optimizer.name if resumes else None,
            optimizer_state=result.state if resumes else None,
        )

    def pack(self) -> dict[str, Any]:
        """Give the fields as NumPy arrays and plain Python, for pickling."""
        fields = dict(vars(self))
        del fields["net"]
        fields["module"] = pack_module(self.module)
        fields["dtype"] = self.dtype.name
        if self.optimizer_state is not None:
            fields["optimizer_state"] = pack_optimizer(self.optimizer_state)
        if self.weight_mask is not None:
            fields["weight_mask"] = {
                name: mask.bool().cpu().numpy()
                for name, mask in self.weight_mask.items()
            }
        return fields

    @classmethod
    def unpack(
        cls, fields: dict[str, Any], build: Callable[["Fitted", dict], nn.Module]
    ) -> "Fitted":
        """Invert ``pack``; ``build`` makes the module of its values, on the CPU."""
        fields = {**fields, "dtype": np.dtype(fields["dtype"])}
        values = fields.pop("module")
        if fields.get("optimizer_state") is not None:
            fields["optimizer_state"] = unpack_optimizer(fields["optimizer_state"])
        fitted = cls(module=nn.Identity(), **fields)
        module = build(fitted, values)
        mask = fitted.weight_mask
        if mask is not None:
            mask = {
                name: as_tensor(kept).to(module.get_parameter(name))
                for name, kept in mask.items()
            }
        return dataclasses.replace(fitted, module=module, weight_mask=mask)


def find_fitted(estimator: Any) -> Fitted | None:
    """The fitted state of a network estimator; None before its fit."""
    return vars(estimator).get("_fitted")


def fitted_of(estimator: Any) -> Fitted:
    """The fitted state of a network estimator.

    Raises
    ------
    NotFittedError
        Before its fit.
    """
    fitted = find_fitted(estimator)
    if fitted is None:
        check_is_fitted(estimator)
    return cast("Fitted", fitted)


def with_fitted(estimator: _Estimator, fitted: Fitted, **params: Any) -> _Estimator:
    """A light copy of an estimator with another fitted state and other parameters."""
    fresh = object.__new__(type(estimator))
    vars(fresh).update({**vars(estimator), **params, "_fitted": fitted})
    return fresh


class FittedAttribute(property):
    """A public attribute that is read from ``Fitted``; missing before the fit."""

    def __init__(self, read: Callable[[Fitted], Any], doc: str):
        super().__init__(self._of, doc=doc)
        self._read, self._public_name = read, ""

    def __set_name__(self, owner: type, name: str) -> None:
        """Remember the name, for the error before a fit."""
        self._public_name = name

    def _of(self, estimator: Any) -> Any:
        fitted = find_fitted(estimator)
        if fitted is None:
            raise AttributeError(
                f"{type(estimator).__name__} has no {self._public_name} before it is"
                " fitted."
            )
        return self._read(fitted)
