"""Which classes skl2onnx converts by our rules.

``register`` registers them. Meta-estimators that skl2onnx knows keep its own
converter, unless a network of ours is inside, or ``sklearn_deep.to_onnx`` asks.
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
from sklearn_deep.export.inputs._walk import parts_within
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
    """Give an estimator that skl2onnx converts by our rules, and that predicts the same.

    skl2onnx finds a converter by the exact class. An estimator of any other class, such
    as a subclass of Pipeline or one of scikit-learn's own models, is wrapped; the rules
    then find it by its base classes.
    """
    return model if type(model) in _REGISTERED else FrozenEstimator(model)


def holds_ours(model: Any) -> bool:
    """Tell whether an estimator of this package is inside a fitted estimator."""
    return any(isinstance(part, TracksSubclasses) for part in parts_within(model))


def _by_rules(model: Any) -> bool:
    return REQUEST.get() is not None or holds_ours(model)


def _register_new(cls: type) -> None:
    _REGISTERED.add(cls)
    alias = f"SklearnDeep{cls.__module__}.{cls.__qualname__}"
    update_registered_converter(
        cls, alias, shape, convert, parser=parse, options=OPTIONS
    )


def _register_beside(cls: type) -> None:
    """Register a class that skl2onnx converts itself, for when one of ours is inside."""
    _REGISTERED.add(cls)
    alias = operator_names[cls]
    their_converter, their_shape = get_converter(alias), get_shape_calculator(alias)
    their_parser = parsers.get(cls, parse_simple_model)

    def either_parse(scope, model, inputs, custom_parsers=None):
        chosen = parse if _by_rules(model) else their_parser
        return chosen(scope, model, inputs, custom_parsers=custom_parsers)

    def either_shape(operator):
        chosen = shape if _by_rules(operator.raw_operator) else their_shape
        return chosen(operator)

    def either_convert(scope, operator, container):
        chosen = convert if _by_rules(operator.raw_operator) else their_converter
        return chosen(scope, operator, container)

    theirs = their_converter.get_allowed_options()
    options = theirs if isinstance(theirs, str) else {**OPTIONS, **(theirs or {})}
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
        Where the installed skl2onnx is not one that this works with.
    """
    with _lock:
        if _done:
            return
        check_names()
        try:
            for cls in META_ESTIMATORS:
                known = cls in operator_names
                (_register_beside if known else _register_new)(cls)
            on_new_subclass(_register_subclass)
        except Exception as error:  # a function of skl2onnx that takes other arguments
            raise unsupported(f"{type(error).__name__}: {error}") from error
        _done.append(True)


def _register_subclass(cls: type) -> None:
    """Register a subclass while a user's module defines it, which must not fail."""
    try:
        _register_new(cls)
    except Exception as error:
        warnings.warn(
            f"skl2onnx will not convert {cls.__qualname__}. {unsupported(error)}",
            SklearnDeepWarning,
            stacklevel=4,
        )
