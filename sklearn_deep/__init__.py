"""Deep networks as real scikit-learn estimators.

Names are loaded when they are first used, so that ``import sklearn_deep`` is fast and
does not import torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sklearn_deep._late import import_after

if TYPE_CHECKING:
    from sklearn_deep.estimators._cnn import CNNClassifier, CNNRegressor
    from sklearn_deep.estimators._holdout import ValidationHoldout
    from sklearn_deep.estimators._lr_finder import LearningRateFinder
    from sklearn_deep.estimators._mlp import MLPClassifier, MLPRegressor
    from sklearn_deep.estimators._rnn import RNNClassifier, RNNRegressor
    from sklearn_deep.exceptions import (
        InvalidParameterError,
        MissingDependencyError,
        OnnxExportError,
        OnnxFileError,
        OnnxParityError,
        SklearnDeepError,
        TrainingDivergedError,
    )
    from sklearn_deep.export._layers import register_onnx_layer
    from sklearn_deep.export._reader import OnnxClassifier, OnnxRegressor
    from sklearn_deep.export._to_onnx import OnnxExport, to_onnx
    from sklearn_deep.inspection._fit_curve import FitCurveDisplay
    from sklearn_deep.training._report import StackingReport, stacking_report

__version__ = "0.1.0"

_HOMES = {
    "CNNClassifier": "estimators._cnn",
    "CNNRegressor": "estimators._cnn",
    "FitCurveDisplay": "inspection._fit_curve",
    "InvalidParameterError": "exceptions",
    "LearningRateFinder": "estimators._lr_finder",
    "MLPClassifier": "estimators._mlp",
    "MLPRegressor": "estimators._mlp",
    "MissingDependencyError": "exceptions",
    "OnnxClassifier": "export._reader",
    "OnnxExport": "export._to_onnx",
    "OnnxExportError": "exceptions",
    "OnnxFileError": "exceptions",
    "OnnxParityError": "exceptions",
    "OnnxRegressor": "export._reader",
    "RNNClassifier": "estimators._rnn",
    "RNNRegressor": "estimators._rnn",
    "SklearnDeepError": "exceptions",
    "StackingReport": "training._report",
    "TrainingDivergedError": "exceptions",
    "ValidationHoldout": "estimators._holdout",
    "register_onnx_layer": "export._layers",
    "stacking_report": "training._report",
    "to_onnx": "export._to_onnx",
}

# Optional libraries, and the extra that installs each.
_EXTRAS = {"onnx": "onnx", "onnxruntime": "onnx", "skl2onnx": "onnx"}

__all__ = [
    "CNNClassifier",
    "CNNRegressor",
    "FitCurveDisplay",
    "InvalidParameterError",
    "LearningRateFinder",
    "MLPClassifier",
    "MLPRegressor",
    "MissingDependencyError",
    "OnnxClassifier",
    "OnnxExport",
    "OnnxExportError",
    "OnnxFileError",
    "OnnxParityError",
    "OnnxRegressor",
    "RNNClassifier",
    "RNNRegressor",
    "SklearnDeepError",
    "StackingReport",
    "TrainingDivergedError",
    "ValidationHoldout",
    "register_onnx_layer",
    "stacking_report",
    "to_onnx",
]

# joblib knows the backend named "stacked", likewise.
import_after(("joblib",), "sklearn_deep.training._registration")

# skl2onnx converts our estimators without a word from the user.
import_after(
    ("skl2onnx", "sklearn_deep.estimators._base"), "sklearn_deep.export._registration"
)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name not in _EXTRAS:
            raise
        missing = import_module(f"{__name__}.exceptions").MissingDependencyError
        raise missing(name, error.name, _EXTRAS[error.name]) from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
