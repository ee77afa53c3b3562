"""Deep networks as real scikit-learn estimators.

Names are imported on first use, so that ``import sklearn_deep`` is fast and does not
import torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sklearn_deep._late import import_after
from sklearn_deep._version import __version__ as __version__
from sklearn_deep._waiting import patient_threads

if TYPE_CHECKING:
    from sklearn_deep._not_converged import NotConvergedWarning
    from sklearn_deep._trusted import SKOPS_TRUSTED_TYPES
    from sklearn_deep.augmentation._auto import AutoAugment
    from sklearn_deep.augmentation._base import Augmentation
    from sklearn_deep.augmentation._colour import Brightness, Contrast
    from sklearn_deep.augmentation._geometry import Rotation, Scaling, Translation
    from sklearn_deep.augmentation._image import Crop, Erasing, Flip
    from sklearn_deep.augmentation._mix import CutMix, Mixup
    from sklearn_deep.augmentation._policies import Policy, RandAugment, TrivialAugment
    from sklearn_deep.augmentation._series import (
        Jitter,
        MagnitudeScaling,
        SegmentPermutation,
        TimeShift,
        TimeWarp,
        WindowSlice,
    )
    from sklearn_deep.augmentation._table import FeatureMask, GaussianNoise, SwapNoise
    from sklearn_deep.compression._prune import Pruned
    from sklearn_deep.compression._quantize import Quantized
    from sklearn_deep.compression._slice import Sliced
    from sklearn_deep.deployment.split._report import split_report
    from sklearn_deep.deployment.split._result import OnnxSplit
    from sklearn_deep.deployment.split._split import split
    from sklearn_deep.deployment.split._table import SplitReport
    from sklearn_deep.deployment.variants._result import Variants
    from sklearn_deep.deployment.variants._variants import variants
    from sklearn_deep.deployment.web._to_web import to_web
    from sklearn_deep.estimators.families._autoencoder import MLPAutoencoder
    from sklearn_deep.estimators.families._cnn import CNNClassifier, CNNRegressor
    from sklearn_deep.estimators.families._conv_autoencoder import CNNAutoencoder
    from sklearn_deep.estimators.families._mlp import MLPClassifier, MLPRegressor
    from sklearn_deep.estimators.families._module import (
        ModuleClassifier,
        ModuleRegressor,
    )
    from sklearn_deep.estimators.families._rnn import RNNClassifier, RNNRegressor
    from sklearn_deep.estimators.families._tabular import (
        TabularClassifier,
        TabularRegressor,
    )
    from sklearn_deep.estimators.meta._holdout import ValidationHoldout
    from sklearn_deep.estimators.meta._lr_finder import LearningRateFinder
    from sklearn_deep.exceptions import (
        CheckpointWarning,
        DeadUnitsWarning,
        FederatedError,
        FitWarning,
        InvalidParameterError,
        MissingDependencyError,
        ModelFileError,
        NegativeTransferError,
        NegativeTransferWarning,
        OnnxExportError,
        OnnxFileError,
        OnnxImportError,
        OnnxParityError,
        RankLostError,
        RanksDifferError,
        ScoreDropError,
        ScoreDropWarning,
        ServerError,
        ShuffleWarning,
        SklearnDeepError,
        SklearnDeepWarning,
        SmallValidationWarning,
        TrainingDivergedError,
        TrainingWarning,
        UnscaledFeaturesWarning,
        UnsupportedVersionError,
        WorkerLostWarning,
    )
    from sklearn_deep.export._onnx_export import OnnxExport
    from sklearn_deep.export._to_onnx import to_onnx
    from sklearn_deep.export.layers._feed_forward import register_onnx_layer
    from sklearn_deep.files._describe import describe
    from sklearn_deep.files._load import load
    from sklearn_deep.files._save import save
    from sklearn_deep.files._signature import sign
    from sklearn_deep.inspection._augmentation_preview import augmentation_preview
    from sklearn_deep.inspection._compression_display import CompressionDisplay
    from sklearn_deep.inspection._compression_report import (
        CompressionReport,
        compression_report,
    )
    from sklearn_deep.inspection._fit_curve import FitCurveDisplay
    from sklearn_deep.inspection._standard_error import (
        standard_error_of_estimate,
        standard_error_of_estimate_scorer,
    )
    from sklearn_deep.inspection.capacity._capacity_curve import (
        CapacityCurve,
        capacity_curve,
    )
    from sklearn_deep.inspection.capacity._display import CapacityCurveDisplay
    from sklearn_deep.inspection.data_checks._check_data import check_data
    from sklearn_deep.inspection.data_checks._finding import DataFinding
    from sklearn_deep.inspection.data_checks._report import DataReport
    from sklearn_deep.inspection.diagnosis._diagnosis import Diagnosis, diagnose
    from sklearn_deep.inspection.diagnosis._display import DiagnosisDisplay
    from sklearn_deep.inspection.more_data._display import MoreDataCurveDisplay
    from sklearn_deep.inspection.more_data._more_data_curve import (
        MoreDataCurve,
        more_data_curve,
    )
    from sklearn_deep.inspection.summary._summary import NetworkSummary, summary
    from sklearn_deep.scale.chunked._chunked_fit import ChunkedFit
    from sklearn_deep.scale.federated._apps import (
        FederatedResult,
        client_app,
        server_app,
    )
    from sklearn_deep.scale.federated._federated import (
        FederatedClassifier,
        FederatedRegressor,
    )
    from sklearn_deep.serving._estimators import (
        OnnxClassifier,
        OnnxRegressor,
        OnnxTransformer,
    )
    from sklearn_deep.serving._multi_task import OnnxMultiTask
    from sklearn_deep.serving._split import SplitClassifier, SplitRegressor
    from sklearn_deep.training.checkpoints._report import (
        CheckpointReport,
        checkpoint_report,
        clear_checkpoints,
    )
    from sklearn_deep.training.job._checkpoint import Checkpoint
    from sklearn_deep.training.stacking._report import StackingReport, stacking_report
    from sklearn_deep.transfer._features import NetworkFeatures
    from sklearn_deep.transfer.conversion._from_keras import from_keras
    from sklearn_deep.transfer.conversion._from_onnx import from_onnx
    from sklearn_deep.transfer.conversion._from_sklearn import from_sklearn
    from sklearn_deep.transfer.conversion._to_sklearn import to_sklearn
    from sklearn_deep.transfer.fine_tuning._fine_tuned import FineTuned
    from sklearn_deep.transfer.multi_task._multi_task import MultiTask
    from sklearn_deep.transfer.semi_supervised._labelled_only import LabelledOnly
    from sklearn_deep.transfer.semi_supervised._semi_supervised import SemiSupervised

_HOMES = {
    "Augmentation": "augmentation._base",
    "AutoAugment": "augmentation._auto",
    "Brightness": "augmentation._colour",
    "CNNAutoencoder": "estimators.families._conv_autoencoder",
    "CNNClassifier": "estimators.families._cnn",
    "CNNRegressor": "estimators.families._cnn",
    "CapacityCurve": "inspection.capacity._capacity_curve",
    "CapacityCurveDisplay": "inspection.capacity._display",
    "Checkpoint": "training.job._checkpoint",
    "CheckpointReport": "training.checkpoints._report",
    "CheckpointWarning": "exceptions",
    "ChunkedFit": "scale.chunked._chunked_fit",
    "CompressionDisplay": "inspection._compression_display",
    "CompressionReport": "inspection._compression_report",
    "Contrast": "augmentation._colour",
    "Crop": "augmentation._image",
    "CutMix": "augmentation._mix",
    "DeadUnitsWarning": "exceptions",
    "Diagnosis": "inspection.diagnosis._diagnosis",
    "DiagnosisDisplay": "inspection.diagnosis._display",
    "DataFinding": "inspection.data_checks._finding",
    "DataReport": "inspection.data_checks._report",
    "Erasing": "augmentation._image",
    "FeatureMask": "augmentation._table",
    "FederatedClassifier": "scale.federated._federated",
    "FederatedError": "exceptions",
    "FederatedRegressor": "scale.federated._federated",
    "FederatedResult": "scale.federated._apps",
    "FineTuned": "transfer.fine_tuning._fine_tuned",
    "FitCurveDisplay": "inspection._fit_curve",
    "FitWarning": "exceptions",
    "Flip": "augmentation._image",
    "GaussianNoise": "augmentation._table",
    "InvalidParameterError": "exceptions",
    "Jitter": "augmentation._series",
    "LabelledOnly": "transfer.semi_supervised._labelled_only",
    "LearningRateFinder": "estimators.meta._lr_finder",
    "MLPAutoencoder": "estimators.families._autoencoder",
    "MLPClassifier": "estimators.families._mlp",
    "MLPRegressor": "estimators.families._mlp",
    "MagnitudeScaling": "augmentation._series",
    "MissingDependencyError": "exceptions",
    "NegativeTransferError": "exceptions",
    "NegativeTransferWarning": "exceptions",
    "Mixup": "augmentation._mix",
    "ModelFileError": "exceptions",
    "ModuleClassifier": "estimators.families._module",
    "ModuleRegressor": "estimators.families._module",
    "MoreDataCurve": "inspection.more_data._more_data_curve",
    "MoreDataCurveDisplay": "inspection.more_data._display",
    "MultiTask": "transfer.multi_task._multi_task",
    "NetworkFeatures": "transfer._features",
    "NetworkSummary": "inspection.summary._summary",
    "NotConvergedWarning": "_not_converged",
    "OnnxClassifier": "serving._estimators",
    "OnnxExport": "export._onnx_export",
    "OnnxExportError": "exceptions",
    "OnnxFileError": "exceptions",
    "OnnxImportError": "exceptions",
    "OnnxMultiTask": "serving._multi_task",
    "OnnxParityError": "exceptions",
    "OnnxRegressor": "serving._estimators",
    "OnnxTransformer": "serving._estimators",
    "Policy": "augmentation._policies",
    "Pruned": "compression._prune",
    "Quantized": "compression._quantize",
    "RNNClassifier": "estimators.families._rnn",
    "RNNRegressor": "estimators.families._rnn",
    "RandAugment": "augmentation._policies",
    "RankLostError": "exceptions",
    "RanksDifferError": "exceptions",
    "Rotation": "augmentation._geometry",
    "SKOPS_TRUSTED_TYPES": "_trusted",
    "Scaling": "augmentation._geometry",
    "ScoreDropError": "exceptions",
    "ScoreDropWarning": "exceptions",
    "SegmentPermutation": "augmentation._series",
    "SemiSupervised": "transfer.semi_supervised._semi_supervised",
    "SklearnDeepError": "exceptions",
    "SklearnDeepWarning": "exceptions",
    "SmallValidationWarning": "exceptions",
    "Sliced": "compression._slice",
    "StackingReport": "training.stacking._report",
    "SwapNoise": "augmentation._table",
    "TabularClassifier": "estimators.families._tabular",
    "TabularRegressor": "estimators.families._tabular",
    "TimeShift": "augmentation._series",
    "TimeWarp": "augmentation._series",
    "TrainingDivergedError": "exceptions",
    "TrainingWarning": "exceptions",
    "Translation": "augmentation._geometry",
    "TrivialAugment": "augmentation._policies",
    "UnscaledFeaturesWarning": "exceptions",
    "UnsupportedVersionError": "exceptions",
    "WorkerLostWarning": "exceptions",
    "ValidationHoldout": "estimators.meta._holdout",
    "OnnxSplit": "deployment.split._result",
    "ServerError": "exceptions",
    "ShuffleWarning": "exceptions",
    "SplitClassifier": "serving._split",
    "SplitRegressor": "serving._split",
    "SplitReport": "deployment.split._table",
    "Variants": "deployment.variants._result",
    "split": "deployment.split._split",
    "split_report": "deployment.split._report",
    "WindowSlice": "augmentation._series",
    "augmentation_preview": "inspection._augmentation_preview",
    "capacity_curve": "inspection.capacity._capacity_curve",
    "check_data": "inspection.data_checks._check_data",
    "checkpoint_report": "training.checkpoints._report",
    "clear_checkpoints": "training.checkpoints._report",
    "client_app": "scale.federated._apps",
    "compression_report": "inspection._compression_report",
    "from_keras": "transfer.conversion._from_keras",
    "from_onnx": "transfer.conversion._from_onnx",
    "from_sklearn": "transfer.conversion._from_sklearn",
    "describe": "files._describe",
    "diagnose": "inspection.diagnosis._diagnosis",
    "load": "files._load",
    "more_data_curve": "inspection.more_data._more_data_curve",
    "register_onnx_layer": "export.layers._feed_forward",
    "save": "files._save",
    "server_app": "scale.federated._apps",
    "sign": "files._signature",
    "stacking_report": "training.stacking._report",
    "standard_error_of_estimate": "inspection._standard_error",
    "standard_error_of_estimate_scorer": "inspection._standard_error",
    "summary": "inspection.summary._summary",
    "to_onnx": "export._to_onnx",
    "to_sklearn": "transfer.conversion._to_sklearn",
    "to_web": "deployment.web._to_web",
    "variants": "deployment.variants._variants",
}

# Optional libraries, and the extra that installs each.
_EXTRAS = {"kornia": "image", "onnx": "onnx", "onnxruntime": "onnx", "skl2onnx": "onnx"}

# Names that need more than the library that is missed first: the extra with all of it.
_WIDER_EXTRAS = {"from_keras": "keras"}

__all__ = [
    "Augmentation",
    "AutoAugment",
    "Brightness",
    "CNNAutoencoder",
    "CNNClassifier",
    "CNNRegressor",
    "CapacityCurve",
    "CapacityCurveDisplay",
    "Checkpoint",
    "CheckpointReport",
    "CheckpointWarning",
    "ChunkedFit",
    "CompressionDisplay",
    "CompressionReport",
    "Contrast",
    "Crop",
    "CutMix",
    "DeadUnitsWarning",
    "Diagnosis",
    "DiagnosisDisplay",
    "DataFinding",
    "DataReport",
    "Erasing",
    "FeatureMask",
    "FederatedClassifier",
    "FederatedError",
    "FederatedRegressor",
    "FederatedResult",
    "FineTuned",
    "FitCurveDisplay",
    "FitWarning",
    "Flip",
    "GaussianNoise",
    "InvalidParameterError",
    "Jitter",
    "LabelledOnly",
    "LearningRateFinder",
    "MLPAutoencoder",
    "MLPClassifier",
    "MLPRegressor",
    "MagnitudeScaling",
    "MissingDependencyError",
    "NegativeTransferError",
    "NegativeTransferWarning",
    "Mixup",
    "ModelFileError",
    "ModuleClassifier",
    "ModuleRegressor",
    "MoreDataCurve",
    "MoreDataCurveDisplay",
    "MultiTask",
    "NetworkFeatures",
    "NetworkSummary",
    "NotConvergedWarning",
    "OnnxClassifier",
    "OnnxExport",
    "OnnxExportError",
    "OnnxFileError",
    "OnnxImportError",
    "OnnxMultiTask",
    "OnnxParityError",
    "OnnxRegressor",
    "OnnxTransformer",
    "Policy",
    "Pruned",
    "Quantized",
    "RNNClassifier",
    "RNNRegressor",
    "RandAugment",
    "RankLostError",
    "RanksDifferError",
    "Rotation",
    "SKOPS_TRUSTED_TYPES",
    "Scaling",
    "ScoreDropError",
    "ScoreDropWarning",
    "SegmentPermutation",
    "SemiSupervised",
    "SklearnDeepError",
    "SklearnDeepWarning",
    "Sliced",
    "SmallValidationWarning",
    "StackingReport",
    "SwapNoise",
    "TabularClassifier",
    "TabularRegressor",
    "TimeShift",
    "TimeWarp",
    "TrainingDivergedError",
    "TrainingWarning",
    "Translation",
    "TrivialAugment",
    "UnscaledFeaturesWarning",
    "UnsupportedVersionError",
    "WorkerLostWarning",
    "ValidationHoldout",
    "OnnxSplit",
    "ServerError",
    "ShuffleWarning",
    "SplitClassifier",
    "SplitRegressor",
    "SplitReport",
    "Variants",
    "split",
    "split_report",
    "WindowSlice",
    "augmentation_preview",
    "capacity_curve",
    "check_data",
    "checkpoint_report",
    "clear_checkpoints",
    "client_app",
    "compression_report",
    "from_keras",
    "from_onnx",
    "from_sklearn",
    "describe",
    "diagnose",
    "load",
    "more_data_curve",
    "register_onnx_layer",
    "save",
    "server_app",
    "sign",
    "stacking_report",
    "standard_error_of_estimate",
    "standard_error_of_estimate_scorer",
    "summary",
    "to_onnx",
    "to_sklearn",
    "to_web",
    "variants",
]

# joblib knows the backend named "stacked", likewise.
import_after(("joblib",), "sklearn_deep.training.stacking._registration")

# skl2onnx converts our estimators automatically.
import_after(
    ("skl2onnx", "sklearn_deep.estimators.core._base"),
    "sklearn_deep.export.skl2onnx._on_import",
)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        with patient_threads():
            value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    except ImportError as error:
        if error.name in _EXTRAS and isinstance(error, ModuleNotFoundError):
            missing = import_module(f"{__name__}.exceptions").MissingDependencyError
            extra = _WIDER_EXTRAS.get(name, _EXTRAS[error.name])
            raise missing(name, error.name, extra) from error
        versions = import_module(f"{__name__}.export.graph._versions")
        if versions.is_about_onnx(error):
            raise versions.unsupported(error.name, error) from error
        raise
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
