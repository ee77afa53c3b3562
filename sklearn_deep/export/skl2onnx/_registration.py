"""Registration of our converters with skl2onnx.

Meta-estimators that skl2onnx supports keep its converter, unless a network of this package
is inside, or ``sklearn_deep.to_onnx`` makes the call.
"""

import threading
import warnings
from typing import Any

from skl2onnx import update_registered_converter
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import (
    FixedThresholdClassifier,
    TunedThresholdClassifierCV,
)
from sklearn.multiclass import (
    OneVsOneClassifier,
    OneVsRestClassifier,
    OutputCodeClassifier,
)
from sklearn.multioutput import (
    ClassifierChain,
    MultiOutputClassifier,
    MultiOutputRegressor,
    RegressorChain,
)
from sklearn.pipeline import FeatureUnion, Pipeline

import sklearn_deep.export.layers
import sklearn_deep.export.networks
import sklearn_deep.export.skl2onnx._fallback
import sklearn_deep.export.sklearn  # noqa: F401
from sklearn_deep._subclasses import TracksSubclasses, on_new_subclass
from sklearn_deep.exceptions import SklearnDeepWarning
from sklearn_deep.export.inputs._walk import walk_parts
from sklearn_deep.export.skl2onnx._converters import (
    OPTIONS,
    REQUEST,
    convert,
    parse,
    shape,
)
from sklearn_deep.export.skl2onnx._private import (
    check_names,
    get_converter,
    get_shape_calculator,
    operator_names,
    parse_simple_model,
    parsers,
    unsupported,
)
from sklearn_deep.export.sklearn._composition import SEARCHES

META_ESTIMATORS = (
    *SEARCHES,
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    CalibratedClassifierCV,
    ClassifierChain,
    ColumnTransformer,
    FeatureUnion,
    FixedThresholdClassifier,
    FrozenEstimator,
    MultiOutputClassifier,
    MultiOutputRegressor,
    OneVsOneClassifier,
    OneVsRestClassifier,
    OutputCodeClassifier,
    Pipeline,
    RegressorChain,
    StackingClassifier,
    StackingRegressor,
    TransformedTargetRegressor,
    TunedThresholdClassifierCV,
    VotingClassifier,
    VotingRegressor,
)


_REGISTERED: set[type] = set()


def in_registered_class(model: Any) -> Any:
    """Wrap an estimator, if needed, so that skl2onnx converts it by our rules.

    skl2onnx looks up converters by exact class. An estimator of an unregistered class, such
    as a subclass of Pipeline or a model of scikit-learn, is wrapped in a FrozenEstimator;
    the rules then look it up by its base classes.
    """
    return model if type(model) in _REGISTERED else FrozenEstimator(model)


def contains_own_estimator(model: Any) -> bool:
    """Tell whether an estimator of this package is nested in a fitted estimator."""
    return any(isinstance(part, TracksSubclasses) for part in walk_parts(model))


def _uses_rules(model: Any) -> bool:
    return REQUEST.get() is not None or contains_own_estimator(model)


def _register_new(cls: type) -> None:
    _REGISTERED.add(cls)
    alias = f"SklearnDeep{cls.__module__}.{cls.__qualname__}"
    update_registered_converter(
        cls, alias, shape, convert, parser=parse, options=OPTIONS
    )


def _register_override(cls: type) -> None:
    """Register converters that choose between our rules and the present converter."""
    _REGISTERED.add(cls)
    alias = operator_names[cls]
    old_converter, old_shape = get_converter(alias), get_shape_calculator(alias)
    old_parser = parsers.get(cls, parse_simple_model)

    def either_parse(scope, model, inputs, custom_parsers=None):
        chosen = parse if _uses_rules(model) else old_parser
        return chosen(scope, model, inputs, custom_parsers=custom_parsers)

    def either_shape(operator):
        chosen = shape if _uses_rules(operator.raw_operator) else old_shape
        return chosen(operator)

    def either_convert(scope, operator, container):
        chosen = convert if _uses_rules(operator.raw_operator) else old_converter
        return chosen(scope, operator, container)

    old_options = old_converter.get_allowed_options()
    options = (
        old_options
        if isinstance(old_options, str)
        else {**OPTIONS, **(old_options or {})}
    )
    update_registered_converter(
        cls, alias, either_shape, either_convert, parser=either_parse, options=options
    )


_lock = threading.Lock()
_done: list[bool] = []


def register() -> None:
    """Register the converters, once.

    Raises
    ------
    OnnxExportError
        If the installed versions of the ONNX libraries do not work.
    """
    with _lock:
        if _done:
            return
        check_names()
        try:
            for cls in META_ESTIMATORS:
                known = cls in operator_names
                (_register_override if known else _register_new)(cls)
            on_new_subclass(_register_subclass)
        except Exception as error:  # e.g. a function of skl2onnx has other parameters
            raise unsupported(f"{type(error).__name__}: {error}") from error
        _done.append(True)


def _register_subclass(cls: type) -> None:
    """Register a subclass when it is defined; a failure must not break the definition."""
    try:
        _register_new(cls)
    except Exception as error:
        warnings.warn(
            f"skl2onnx will not convert {cls.__qualname__}. {unsupported(error)}",
            SklearnDeepWarning,
            stacklevel=4,
        )
