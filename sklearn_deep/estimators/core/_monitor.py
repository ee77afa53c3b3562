"""The score that early stopping watches on the validation part."""

import inspect
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.metrics import check_scoring
from torch import nn

from sklearn_deep.data._ragged import Ragged
from sklearn_deep.data._targets import ClassTargets
from sklearn_deep.estimators.core._fitted import Fitted, with_fitted
from sklearn_deep.estimators.core._hooks import NetworkHooks
from sklearn_deep.estimators.core._parts import Part, of_steps
from sklearn_deep.exceptions import InvalidParameterError

# Names of scorers that fit a task, for errors.
_SUGGESTIONS = {
    "binary": "'roc_auc', 'f1' or 'balanced_accuracy'",
    "multiclass": "'f1_macro', 'roc_auc_ovr' or 'balanced_accuracy'",
    "multilabel": "'f1_samples' or 'roc_auc'",
    "regression": "'r2' or 'neg_mean_absolute_error'",
}
_MOST_CLASSES = 10  # that an error lists


def make_monitor(
    estimator: NetworkHooks, fitted: Fitted, part: Part | None
) -> Callable[[nn.Module], float] | None:
    """Give the function that scores a network; None where the loss is monitored.

    Raises
    ------
    InvalidParameterError
        For a metric in place of a scorer.
    """
    if isinstance(estimator.monitor, str) and estimator.monitor == "loss":
        return None
    scorer = _scorer(estimator)
    return None if part is None else Monitor(estimator, fitted, part, scorer)


def _scorer(estimator: NetworkHooks) -> Callable[..., float]:
    try:
        return check_scoring(estimator, scoring=estimator.monitor)
    except ValueError as error:  # a function of sklearn.metrics
        raise InvalidParameterError(
            f"The 'monitor' parameter of {type(estimator).__name__} must be a scorer,"
            f" called with (estimator, X, y). Got the metric {estimator.monitor!r}:"
            " wrap it in sklearn.metrics.make_scorer(...), or pass a scorer's name."
        ) from error


class Monitor:
    """Scores a network in training on the validation part: ``monitor(module)``.

    Parameters
    ----------
    estimator : DeepEstimator
    fitted : Fitted
        What it will be, except for the module's values.
    part : Part
        Validation rows.
    scorer : callable ``(estimator, X, y) -> float``

    Raises
    ------
    ValueError
        When called: where the scorer raises, or gives no finite number. The message
        names the validation part.
    """

    def __init__(
        self,
        estimator: NetworkHooks,
        fitted: Fitted,
        part: Part,
        scorer: Callable[..., float],
    ):
        self._owner, self._monitor = type(estimator).__name__, estimator.monitor
        self._score = scorer
        by_step, part = isinstance(part.y, Ragged), of_steps(part)
        self._part = part
        self._targets = targets = fitted.targets
        self._X, self._y = part.features(), part.y
        if isinstance(estimator.monitor, str) and _is_binary(targets):
            # Scorers like "f1" take 1 as the positive label, whatever the labels are.
            self._y = targets.codes(part.y, part.name)
            coded = replace(targets, classes=np.arange(len(targets.classes)))
            fitted = replace(fitted, targets=coded)
        features = fitted.features.without_names()  # X is an array here
        if by_step:  # predictions of all steps, one behind the other, as y is
            features = features.without_steps()
        fitted = replace(fitted, features=features)
        self._network: Any = with_fitted(estimator, fitted)
        self._fitted = fitted
        self._weights = {} if part.weight is None else {"sample_weight": part.weight}
        if not _takes_weights(scorer):
            self._weights = {}

    def fingerprint_parts(self) -> tuple[Any, ...]:
        """What decides the scores, beside the module."""
        part = self._part
        rows = part.X, part.index, self._y, part.weight
        return type(self._network), self._monitor, rows, self._fitted.targets

    def __call__(self, module: nn.Module) -> float:
        """Score the network; higher is better."""
        fitted = replace(self._fitted, module=module)
        self._network = with_fitted(self._network, fitted)
        try:
            score = self._scored()
        except Warning:  # the user has turned warnings into errors
            raise
        except Exception as error:
            raise ValueError(
                f"monitor={self._monitor!r} cannot score this {self._owner} on its"
                f" validation part, {self._described()}: {type(error).__name__}:"
                f" {str(error).rstrip('.')}. {self._fix(error)}"
            ) from error
        score = score.item() if isinstance(score, np.ndarray) else score
        if not isinstance(score, (float, int, np.number)):
            raise ValueError(
                f"monitor={self._monitor!r} of {self._owner} must give one number; got"
                f" {score!r}. Return a float, higher for a better network."
            )
        if not math.isfinite(score):
            raise ValueError(
                f"monitor={self._monitor!r} of {self._owner} gave {float(score)} on the"
                f" validation part, {self._described()}. {self._fix()}"
            )
        return float(score)

    def _scored(self) -> Any:
        try:
            return self._score(self._network, self._X, self._y, **self._weights)
        except TypeError as error:
            # A scorer made of a metric takes weights where the metric does.
            if not self._weights or "'sample_weight'" not in str(error):
                raise
            self._weights = {}
            return self._scored()

    def _described(self) -> str:
        """Say what the validation part holds."""
        how = "held-out" if self._part.name == "y" else "given"
        rows = f"{len(self._part)} {how} rows"
        labels = self._labels()
        if labels is None:
            return rows
        if len(labels) == len(self._targets.classes):
            return f"{rows} of the classes {labels[:_MOST_CLASSES]}"
        return (
            f"{rows} of {'class' if len(labels) == 1 else 'the classes'}"
            f" {', '.join(map(repr, labels[:_MOST_CLASSES]))} only, of the classes"
            f" {self._targets.classes.tolist()[:_MOST_CLASSES]}"
        )

    def _labels(self) -> list | None:
        """Labels in the validation part; None where a row has no single class."""
        if not isinstance(self._targets, ClassTargets) or self._targets.multilabel:
            return None
        return np.unique(self._part.y).tolist()

    def _fix(self, error: Exception | None = None) -> str:
        """Say how to get a score."""
        if error is not None and not isinstance(self._monitor, str):
            return (
                "A monitor is called with (estimator, X, y); wrap a metric of (y_true,"
                " y_pred) in sklearn.metrics.make_scorer, with pos_label for labels"
                " other than 0 and 1."
            )
        labels = self._labels()
        if labels is not None and len(labels) < len(self._targets.classes):
            return (
                "Pass X_val and y_val with rows of every class, raise"
                " validation_fraction, or set monitor='loss'."
            )
        return (
            f"Choose a scorer for such targets, e.g. {_SUGGESTIONS[self._task]}, pass"
            " other validation rows as X_val and y_val, or set monitor='loss'."
        )

    @property
    def _task(self) -> str:
        if not isinstance(self._targets, ClassTargets):
            return "regression"
        if self._targets.multilabel:
            return "multilabel"
        return "binary" if _is_binary(self._targets) else "multiclass"


def _is_binary(targets: Any) -> bool:
    return (
        isinstance(targets, ClassTargets)
        and not targets.multilabel
        and len(targets.classes) == 2
    )


def _takes_weights(scorer: Callable) -> bool:
    try:
        return "sample_weight" in inspect.signature(scorer).parameters
    except (TypeError, ValueError):  # some callables have no signature
        return False
