"""Which classes skl2onnx converts by our rules.

Importing this module registers them. Meta-estimators that skl2onnx knows keep its own
converter, unless a network of ours is inside, or ``sklearn_deep.to_onnx`` asks.
"""

from typing import Any

from skl2onnx import update_registered_converter
from skl2onnx._parse import _parse_sklearn_simple_model, sklearn_parsers_map
from skl2onnx._supported_operators import sklearn_operator_name_map
from skl2onnx.common._registration import get_converter, get_shape_calculator
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
from sklearn_deep.export.inputs._walk import parts_within
from sklearn_deep.export.skl2onnx._converters import (
    OPTIONS,
    REQUEST,
    convert,
    parse,
    shape,
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
    alias = sklearn_operator_name_map[cls]
    their_converter, their_shape = get_converter(alias), get_shape_calculator(alias)
    their_parser = sklearn_parsers_map.get(cls, _parse_sklearn_simple_model)

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


for _cls in META_ESTIMATORS:
    known = _cls in sklearn_operator_name_map
    (_register_beside if known else _register_new)(_cls)
on_new_subclass(_register_new)
