"""Everything private that this package uses of scikit-learn.

Callbacks are new in scikit-learn 1.9. With a version that lacks them, or has renamed what
is private of them, estimators accept no scikit-learn callbacks.
"""

from collections.abc import Callable
from typing import Any

from sklearn_deep.exceptions import UnsupportedVersionError
from sklearn_deep.private._library import Library

TESTED = ">=1.7,<1.10"

_export = Library("scikit-learn", TESTED, "to_onnx", UnsupportedVersionError)
_search = Library("scikit-learn", TESTED, "A search")
_callbacks = Library("scikit-learn", TESTED, "set_callbacks")

# What was learnt, where no public attribute has it.

box_cox_scaler = _export.attribute("_scaler")  # of PowerTransformer
imputer_rows = _export.attribute("_fit_X")  # of KNNImputer
pls_mean = _export.attribute("_x_mean")
pls_std = _export.attribute("_x_std")
n_target_axes = _export.attribute("_training_dim")  # of TransformedTargetRegressor
first_raw_prediction = _export.attribute("_baseline_prediction")  # of boosted trees
_rounds = _export.attribute("_predictors")
_nodes = _export.attribute("nodes")


def histogram_trees(model: Any) -> list[list[Any]]:
    """Nodes of the trees of histogram-based boosting: one list per round."""
    return [[_nodes(tree) for tree in trees] for trees in _rounds(model)]


# A pair of classifier and calibrators in ``calibrated_classifiers_``, and calibrators.

calibration_method = _export.attribute("method")
calibrated_classes = _export.attribute("classes")
calibrators = _export.attribute("calibrators")
calibrators_if_any = _export.attribute("calibrators", None)
sigmoid_slope = _export.attribute("a_")
sigmoid_offset = _export.attribute("b_")
inverse_temperature = _export.attribute("beta_")

# Calls that searches make for each fold. Where they look otherwise, every fit copies its
# rows.

_VALIDATION = "sklearn.model_selection._validation"
_is_score_call = _search.recognizer(_VALIDATION, "_fit_and_score")
_is_predict_call = _search.recognizer(_VALIDATION, "_fit_and_predict")
config_of_call = _search.attribute("config", None)
scorers_of = _search.attribute("_scorers", None)
callbacks_of = _search.attribute("_skl_callbacks", ())


def trains_a_fold(function: Any) -> bool:
    """Tell whether a function fits an estimator to rows of X, as searches do."""
    return _is_score_call(function) or _is_predict_call(function)


# Callbacks.

_context_maker = _callbacks.find(
    "sklearn.callback", "CallbackSupportMixin._init_callback_context"
)
HAS_CALLBACKS = _context_maker is not None

if HAS_CALLBACKS:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
else:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Substitute without callbacks."""

    def with_callbacks(method: Callable[..., Any]) -> Callable[..., Any]:
        """Return the method unchanged."""
        return method


def make_callback_context(estimator: Any, max_subtasks: int) -> Any:
    """Make the root context of the callbacks of one fit."""
    return _context_maker(estimator, max_subtasks=max_subtasks)
