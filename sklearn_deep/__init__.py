"""Deep networks as real scikit-learn estimators.

Names are loaded when they are first used, so that ``import sklearn_deep`` is fast and
does not import torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sklearn_deep.estimators._holdout import ValidationHoldout
    from sklearn_deep.estimators._lr_finder import LearningRateFinder
    from sklearn_deep.estimators._mlp import MLPClassifier, MLPRegressor
    from sklearn_deep.exceptions import (
        InvalidParameterError,
        MissingDependencyError,
        SklearnDeepError,
        TrainingDivergedError,
    )
    from sklearn_deep.inspection._fit_curve import FitCurveDisplay

__version__ = "0.1.0"

_HOMES = {
    "FitCurveDisplay": "inspection._fit_curve",
    "InvalidParameterError": "exceptions",
    "LearningRateFinder": "estimators._lr_finder",
    "MLPClassifier": "estimators._mlp",
    "MLPRegressor": "estimators._mlp",
    "MissingDependencyError": "exceptions",
    "SklearnDeepError": "exceptions",
    "TrainingDivergedError": "exceptions",
    "ValidationHoldout": "estimators._holdout",
}

__all__ = [
    "FitCurveDisplay",
    "InvalidParameterError",
    "LearningRateFinder",
    "MLPClassifier",
    "MLPRegressor",
    "MissingDependencyError",
    "SklearnDeepError",
    "TrainingDivergedError",
    "ValidationHoldout",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
