"""A fitted pipeline with another network inside."""

import copy
from collections.abc import Callable
from typing import Any

from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from sklearn_deep.compression._delegation import Delegating
from sklearn_deep.estimators.core._base import DeepEstimator

# Takes a fitted network, rows as the network takes them, and targets.
Change = Callable[[Any, Any, Any], Any]


def with_changed_network(model: Any, X: Any, y: Any, change: Change) -> Any:
    """Copy a fitted model with a changed network; the model itself is not modified.

    Parameters
    ----------
    model : fitted estimator
        A network, a compression of one, or a Pipeline, a search or a FrozenEstimator
        around either. Of a search, the best estimator is copied.
    X, y : object
        Rows as the model takes them, and their targets.
    change : callable
        Called with the network, the rows as the network takes them, and the targets.

    Raises
    ------
    TypeError
        If there is no network, or if it is in another meta-estimator.
    """
    if isinstance(model, (DeepEstimator, Delegating)):
        return change(model, X, y)
    if hasattr(model, "best_estimator_"):
        return with_changed_network(model.best_estimator_, X, y, change)
    if isinstance(model, FrozenEstimator):
        return with_changed_network(model.estimator, X, y, change)
    if isinstance(model, Pipeline):
        return _with_changed_step(model, X, y, change)
    raise TypeError(
        f"{type(model).__name__} is not a network of sklearn_deep, nor a Pipeline or search"
        " around one, so it cannot be compressed."
    )


def _with_changed_step(model: Pipeline, X: Any, y: Any, change: Change) -> Pipeline:
    *before, (name, last) = model.steps
    rows = model[:-1].transform(X) if before else X
    changed = copy.copy(model)
    changed.steps = [*before, (name, with_changed_network(last, rows, y, change))]
    return changed
