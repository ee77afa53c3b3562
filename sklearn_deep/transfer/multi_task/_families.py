"""Families of networks that several tasks may share: a classifier and a regressor each."""

from typing import Any

from sklearn_deep.estimators.families._cnn import CNNClassifier, CNNRegressor
from sklearn_deep.estimators.families._mlp import MLPClassifier, MLPRegressor
from sklearn_deep.estimators.families._rnn import RNNClassifier, RNNRegressor
from sklearn_deep.estimators.families._tabular import (
    TabularClassifier,
    TabularRegressor,
)
from sklearn_deep.estimators.tasks._classifier import DeepClassifier
from sklearn_deep.estimators.tasks._regressor import DeepRegressor

FAMILIES: tuple[tuple[type, type], ...] = (
    (MLPClassifier, MLPRegressor),
    (CNNClassifier, CNNRegressor),
    (RNNClassifier, RNNRegressor),
    (TabularClassifier, TabularRegressor),
)
NAMES = tuple(cls.__name__ for family in FAMILIES for cls in family)


def is_shared(estimator: Any) -> bool:
    """Whether several tasks may share such a network."""
    return isinstance(estimator, tuple(cls for family in FAMILIES for cls in family))


def class_for(estimator: Any, classification: bool) -> type:
    """The class that predicts labels, or numbers, with networks like this one."""
    if isinstance(estimator, DeepClassifier if classification else DeepRegressor):
        return type(estimator)
    family = next(f for f in FAMILIES if isinstance(estimator, f))
    return family[0 if classification else 1]


def converted(estimator: Any, cls: type, **params: Any) -> Any:
    """An estimator of another class with the parameters that both have, and others."""
    fresh: Any = cls()
    own = fresh.get_params(deep=False)
    given = {**estimator.get_params(deep=False), **params}
    return fresh.set_params(**{k: v for k, v in given.items() if k in own})
