"""Folds of a search as views of X.

joblib hands a backend ``BatchedCalls``, a list of functions with their arguments;
scikit-learn's searches and cross-validations call
``_fit_and_score(estimator, X, y, ..., train=, test=, scorer=, parameters=)`` and
``cross_val_predict`` calls ``_fit_and_predict(estimator, X, y, ...)``, which cut X by
``X[train, ...]``. A call that looks otherwise is left as it is.

A view goes only to code that is known to read it as an array: our estimators,
scikit-learn's transformers and its own scorers.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from sklearn_deep.data._row_view import RowView, SharedArray
from sklearn_deep.private._joblib import calls_of
from sklearn_deep.private._sklearn import (
    callbacks_of,
    config_of_call,
    scorers_of,
    trains_a_fold,
)

# Transformers of these modules convert X by ``check_array`` before they read it ...
_CONVERTING = ("sklearn.preprocessing.", "sklearn.decomposition.", "sklearn.impute.")
# ... but for this one, which hands it to the user's function.
_NOT_CONVERTING = ("FunctionTransformer",)

# The callback that never reads X.
_BLIND_CALLBACK = "ProgressBar"


class FoldLender:
    """Replaces X by views in the tasks of one ``joblib.Parallel`` call."""

    def __init__(self) -> None:
        self._views: dict[int, RowView] = {}

    def lend(self, batch: Any) -> bool:
        """Replace X in a batch of calls, where that is safe.

        Returns
        -------
        bool
            Whether every call of the batch trains on rows of X itself.
        """
        items = calls_of(batch)
        if not isinstance(items, list):
            return False
        shares = [self._lend_to(items, i) for i in range(len(items))]
        return bool(shares) and all(shares)

    def _lend_to(self, items: list, i: int) -> bool:
        try:
            function, args, kwargs = items[i]
            estimator, X, *others = args
        except (TypeError, ValueError):
            return False
        if not (_is_known(function) and _can_be_shared(X) and _reads_arrays(kwargs)):
            return False
        direct = _takes_views(estimator)
        if not (direct or _converts_first(estimator, kwargs.get("parameters"))):
            return False
        items[i] = function, (estimator, self._view(X), *others), kwargs
        return direct

    def _view(self, X: np.ndarray) -> RowView:
        if id(X) not in self._views:
            self._views[id(X)] = RowView(SharedArray(X))
        return self._views[id(X)]


def _is_known(function: Any) -> bool:
    config = config_of_call(function)
    if isinstance(config, Mapping) and config.get("array_api_dispatch"):
        return False  # namespaces are looked up by the type of X
    return trains_a_fold(function)


def _can_be_shared(X: Any) -> bool:
    return type(X) is np.ndarray and X.ndim > 1 and X.dtype.kind in "fiub"


def _takes_views(estimator: Any) -> bool:
    """Whether it is a network of this package; a subclass may read X otherwise."""
    return (
        type(estimator).__module__.startswith("sklearn_deep.estimators.")
        and getattr(estimator, "_takes_row_views", False)
        and not _has_callbacks(estimator)
        and not getattr(estimator, "callbacks", None)
    )


def _converts_first(estimator: Any, parameters: Mapping[str, Any] | None) -> bool:
    """Whether an estimator is a Pipeline whose first step converts X to an array."""
    if type(estimator) is not Pipeline or not estimator.steps:
        return False
    name, step = estimator.steps[0]
    module = type(step).__module__
    return (
        estimator.memory is None
        and len(estimator.steps) > 1
        and module.startswith(_CONVERTING)
        and type(step).__name__ not in _NOT_CONVERTING
        and not {name, "steps", "memory"} & set(parameters or ())
        and not any(_has_callbacks(each) for each in (estimator, step))
    )


def _reads_arrays(kwargs: Mapping[str, Any]) -> bool:
    """Whether the other functions that get X, such as scorers, read it as an array."""
    parameters = kwargs.get("parameters") or {}
    scorer = kwargs.get("scorer")
    scorers = scorers_of(scorer)
    every = list(scorers.values()) if isinstance(scorers, Mapping) else [scorer]
    return (
        all(_is_standard(each) for each in every)
        and not any(str(name).endswith("callbacks") for name in parameters)
        and not _has_callbacks(kwargs.get("caller"))
    )


def _is_standard(scorer: Any) -> bool:
    """Whether a scorer passes X to methods of the estimator only; None is no scorer."""
    return scorer is None or type(scorer).__module__.startswith("sklearn.metrics.")


def _has_callbacks(estimator: Any) -> bool:
    callbacks = callbacks_of(estimator)
    return any(type(each).__name__ != _BLIND_CALLBACK for each in callbacks)
