"""What a network is trained for: one class per kind of target.

A task validates y, learns its encoding (a ``Targets`` value that decodes predictions),
and says how rows are stratified and weighted. It knows no network and no estimator:
``Settings`` holds the parameters that it reads.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from sklearn.utils.class_weight import compute_sample_weight

from sklearn_deep.data._features import Features
from sklearn_deep.data._ragged import Ragged
from sklearn_deep.data._reconstruction import Reconstruction
from sklearn_deep.data._targets import (
    ClassTargets,
    RealTargets,
    check_class_targets,
    check_real_targets,
)
from sklearn_deep.data._weights import class_weights


class Targets(Protocol):
    """What was learnt about y: a frozen value.

    Attributes
    ----------
    kind : {"softmax", "sigmoid", "real"}
        Kind of raw output that predicts it, as in the table of losses.
    n_outputs : int
        Number of raw outputs per row that a loss of one output per target needs.
    n_columns : int
        Number of columns of y.
    """

    @property
    def kind(self) -> str: ...

    @property
    def n_outputs(self) -> int: ...

    @property
    def n_columns(self) -> int: ...

    def codes(self, y: np.ndarray) -> np.ndarray:
        """Targets as numbers in which equal targets are equal."""

    def encode(self, y: np.ndarray, dtype: Any, name: str = "y") -> np.ndarray:
        """Targets as the loss takes them."""

    def decode(self, raw: np.ndarray) -> np.ndarray:
        """Raw outputs as predictions, in the labels or units of y."""


@dataclass(frozen=True)
class Settings:
    """Parameters of an estimator that a task reads.

    Attributes
    ----------
    owner : str
        Name of the estimator, for errors.
    scaling : {"standard", "mean", None}
        How the loss wants numeric targets scaled, see ``LossRow``.
    class_weight : dict, "balanced" or None
    """

    owner: str
    scaling: str | None = None
    class_weight: Mapping | str | None = None


@dataclass(frozen=True)
class Task(ABC):
    """A kind of target. What is learnt from y is in ``Targets``, not here."""

    settings: Settings

    @abstractmethod
    def check(self, y: Any) -> Any:
        """Validate targets."""

    def check_rows(
        self, features: Features, X: Any, y: Any, dtype: Any, *, reset: bool
    ) -> tuple[Any, Any]:
        """Validate features and targets, which are of as many rows."""
        X, y = features.check(X, y, dtype, reset=reset)
        return X, self.check(y)

    @abstractmethod
    def learn(self, y: Any, weight: np.ndarray | None, classes: Any) -> Any:
        """Learn the encoding from validated targets of the training rows.

        ``classes`` are all labels that may come, those of other rows included.
        """

    def classes(self, y: Any) -> np.ndarray | None:
        """Sorted labels of validated targets; None where rows have no single label."""
        return None

    def check_classes(self, classes: np.ndarray | None) -> None:  # noqa: B027
        """Raise for classes that are too few to learn from; one is enough here."""

    def strata(self, y: Any) -> np.ndarray | None:
        """Classes to stratify a validation split by; None for a plain split."""
        return None

    def row_weights(
        self, targets: Any, y: Any, weight: np.ndarray | None
    ) -> np.ndarray | None:
        """Weights of rows, by sample and by class."""
        return weight


class Classification(Task):
    """One label per row, or several (multilabel, an indicator matrix)."""

    def check(self, y: Any) -> np.ndarray:
        """Validate labels."""
        return check_class_targets(y)

    def classes(self, y: np.ndarray) -> np.ndarray | None:
        """Sorted labels; None for multilabel targets."""
        return np.unique(y) if y.ndim == 1 else None

    def check_classes(self, classes: np.ndarray | None) -> None:
        """Raise for fewer than two classes."""
        if classes is not None and len(classes) < 2:
            raise ValueError(
                f"{self.settings.owner} needs at least 2 classes in y, got 1 class:"
                f" {classes.tolist()[0]!r}. Check the split that made y."
            )

    def strata(self, y: np.ndarray) -> np.ndarray | None:
        """The labels; None for multilabel targets."""
        return y if y.ndim == 1 else None

    def learn(
        self,
        y: np.ndarray,
        weight: np.ndarray | None,
        classes: Any,
    ) -> ClassTargets:
        """Learn the labels, or take those given."""
        targets = ClassTargets.learn(y, classes)
        if len(targets.classes) < 2 and not targets.multilabel:
            raise ValueError(
                f"{self.settings.owner}.partial_fit needs at least 2 classes in its first"
                f" call, got 1 class: {targets.classes.tolist()[0]!r}. Pass all labels"
                " that will ever come as classes."
            )
        return targets

    def row_weights(
        self,
        targets: ClassTargets,
        y: np.ndarray,
        weight: np.ndarray | None,
    ) -> np.ndarray | None:
        """Sample weights times class weights."""
        if self.settings.class_weight is None:
            return weight
        if targets.multilabel:
            by_class = _label_weights(self.settings, y)
        else:
            codes = targets.codes(y)
            by_class = class_weights(
                self.settings.class_weight, targets.classes, codes, weight
            )[codes]
        return by_class if weight is None else by_class * weight


def _label_weights(settings: Settings, y: np.ndarray) -> np.ndarray:
    """Weights of multilabel rows: the product over labels, as scikit-learn has it."""
    if settings.class_weight != "balanced":
        raise ValueError(
            f"class_weight of {settings.owner} must be None or 'balanced' for"
            f" multilabel y, where a row has no single class; got"
            f" {settings.class_weight!r}. Pass sample_weight instead."
        )
    return compute_sample_weight("balanced", y)


class Regression(Task):
    """One number per row, or several columns of numbers."""

    def check(self, y: Any) -> np.ndarray:
        """Validate numbers."""
        return check_real_targets(y)

    def learn(
        self,
        y: np.ndarray,
        weight: np.ndarray | None,
        classes: Any,
    ) -> RealTargets:
        """Learn centre and scale of each column."""
        return RealTargets.learn(y, weight, self.settings.scaling)


class Autoencoding(Task):
    """The values of a row of X are its targets; they are validated with X."""

    def check(self, y: np.ndarray) -> np.ndarray:
        """Give the values as they are."""
        return y

    def learn(
        self,
        y: np.ndarray,
        weight: np.ndarray | None,
        classes: Any,
    ) -> Reconstruction:
        """Learn the centre of each column, and one scale."""
        return Reconstruction.learn(y, weight)


class PerStep(Task):
    """Another task at every step of sequences, where y has targets of steps."""

    # The task of a step.
    step: ClassVar[type[Task]]

    @property
    def _task(self) -> Task:
        return self.step(self.settings)

    def check(self, y: Any) -> Any:
        """Validate the targets of all steps."""
        if isinstance(y, Ragged):
            return y.with_values(self._task.check(y.values))
        return self._task.check(y)

    def classes(self, y: Any) -> np.ndarray | None:
        """Sorted labels of all steps."""
        return self._task.classes(y.values if isinstance(y, Ragged) else y)

    def check_classes(self, classes: np.ndarray | None) -> None:
        """Raise for classes that are too few to learn from."""
        self._task.check_classes(classes)

    def strata(self, y: Any) -> np.ndarray | None:
        """Nothing for targets of steps: a row has many."""
        return None if isinstance(y, Ragged) else self._task.strata(y)

    def learn(self, y: Any, weight: np.ndarray | None, classes: Any) -> Any:
        """Learn the encoding from all steps; those of a row have its weight."""
        y, weight = _of_steps(y, weight)
        return self._task.learn(y, weight, classes)

    def row_weights(
        self, targets: Any, y: Any, weight: np.ndarray | None
    ) -> np.ndarray | None:
        """Weights of steps."""
        y, weight = _of_steps(y, weight)
        return self._task.row_weights(targets, y, weight)


class ClassificationPerStep(PerStep):
    """One label per row or per step."""

    step = Classification


class RegressionPerStep(PerStep):
    """Numbers per row or per step."""

    step = Regression


def _of_steps(y: Any, weight: np.ndarray | None) -> tuple[Any, np.ndarray | None]:
    if not isinstance(y, Ragged):
        return y, weight
    return y.values, None if weight is None else y.repeat(weight)
