"""Rules of estimators that combine or wrap others: pipelines, searches, selectors."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import RFE, SelectorMixin
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    RandomizedSearchCV,
)
from sklearn.pipeline import FeatureUnion, Pipeline

from sklearn_deep.compression._delegation import Delegating
from sklearn_deep.estimators.meta._holdout import ValidationHoldout
from sklearn_deep.exceptions import OnnxExportError
from sklearn_deep.export.graph._graph import Graph
from sklearn_deep.export.graph._limits import skip_probing
from sklearn_deep.export.graph._registry import apply, rule
from sklearn_deep.export.graph._table import Table

SEARCHES = (
    GridSearchCV,
    RandomizedSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
)

# Estimators that delegate all methods to another one, and how to get it.
WRAPPERS: dict[type, Callable[[Any], Any]] = {
    FrozenEstimator: lambda model: model.estimator,
    Delegating: lambda model: model.estimator_,
    ValidationHoldout: lambda model: model.estimator_,
    **dict.fromkeys(SEARCHES, lambda model: _best(model)),
}


skip_probing(*WRAPPERS, ColumnTransformer, FeatureUnion, Pipeline)


def _best(search: Any) -> Any:
    if not hasattr(search, "best_estimator_"):
        raise OnnxExportError(
            f"This {type(search).__name__} has no best_estimator_, because of"
            " refit=False. Set refit=True, or export an estimator fitted with its"
            " best_params_."
        )
    return search.best_estimator_


def unwrap(model: Any) -> Any:
    """Return the estimator inside all wrappers; other estimators are returned as they are."""
    wrapped = _wrapped(model)
    return model if wrapped is None else unwrap(wrapped)


def _wrapped(model: Any) -> Any:
    for cls in type(model).__mro__:
        if cls in WRAPPERS:
            return WRAPPERS[cls](model)
    return None


def prediction_chain(model: Any) -> Iterator[Any]:
    """Iterate from an estimator to the one that predicts, through wrappers and pipelines."""
    while model is not None:
        yield model
        last = model.steps[-1][1] if isinstance(model, Pipeline) else None
        model = _wrapped(model) if last is None else last


def final_estimator(model: Any) -> Any:
    """Return the estimator that predicts, inside wrappers and at the end of pipelines."""
    *_, last = prediction_chain(model)
    return last


def _wrapper_rule(method: str) -> Callable[[Graph, Any, Table], Any]:
    return lambda graph, model, table: apply(graph, unwrap(model), method, table)


def _pipeline_rule(method: str) -> Callable[[Graph, Any, Table], Any]:
    def run(graph: Graph, model: Pipeline, table: Table) -> Any:
        *before, (name, last) = model.steps
        for earlier, step in before:
            if is_sampler(step):
                continue
            with _in_step(earlier):
                table = transformed(graph, step, table)
        with _in_step(name):
            if method == "transform":
                return transformed(graph, last, table)
            return apply(graph, last, method, table)

    return run


def is_sampler(step: Any) -> bool:
    """Tell whether a step is a resampler, which ``predict`` skips.

    The Pipeline of imbalanced-learn uses the same test.
    """
    return hasattr(step, "fit_resample")


def steps_before(model: Pipeline) -> list[Any]:
    """Steps that transform the rows before the last step."""
    return [
        step
        for _, step in model.steps[:-1]
        if not (step is None or step == "passthrough" or is_sampler(step))
    ]


@contextmanager
def _in_step(name: str) -> Iterator[None]:
    """Add the name of the step to the message of an error."""
    try:
        yield
    except OnnxExportError as error:
        raise OnnxExportError(f"Step {name!r}: {error}") from error


def transformed(graph: Graph, step: Any, table: Table) -> Table:
    """Apply a transformer, ``"passthrough"`` or None."""
    if step is None or (isinstance(step, str) and step == "passthrough"):
        return table
    return apply(graph, step, "transform", table)


for _method in (
    "predict",
    "predict_proba",
    "decision_function",
    "predict_std",
    "each_task",
    "transform",
    "inverse_transform",
    "score_samples",
):
    rule(_method, *WRAPPERS)(_wrapper_rule(_method))
    if _method != "inverse_transform":
        rule(_method, Pipeline)(_pipeline_rule(_method))


@rule("inverse_transform", Pipeline)
def _pipeline_inverse(graph: Graph, model: Pipeline, table: Table) -> Table:
    for _, step in reversed(model.steps):
        if step is not None and step != "passthrough" and not is_sampler(step):
            table = apply(graph, step, "inverse_transform", table)
    return table


@rule("transform", SelectorMixin)
def _selector(graph: Graph, model: Any, table: Table) -> Table:
    return table.select(graph, np.flatnonzero(model.get_support()).tolist())


def _selected_rule(method: str) -> Callable[[Graph, Any, Table], Any]:
    def run(graph: Graph, model: RFE, table: Table) -> Any:
        return apply(graph, model.estimator_, method, _selector(graph, model, table))

    return run


for _method in ("predict", "predict_proba", "decision_function"):
    rule(_method, RFE)(_selected_rule(_method))


@rule("transform", FeatureUnion)
def _feature_union(graph: Graph, model: FeatureUnion, table: Table) -> Table:
    parts = [
        _weighted(graph, model, name, transformed(graph, step, table))
        for name, step in model.transformer_list
        if not (isinstance(step, str) and step == "drop")
    ]
    return _one_dtype(graph, Table.join(parts))


@rule("transform", ColumnTransformer)
def _column_transformer(graph: Graph, model: Any, table: Table) -> Table:
    parts = []
    for name, step, columns in model.transformers_:
        indices = column_indices(model, columns)
        if (isinstance(step, str) and step == "drop") or not indices:
            continue
        with _in_step(name):
            part = transformed(graph, step, table.select(graph, indices))
        parts.append(_weighted(graph, model, name, part))
    # In a frame each column has its dtype, so blocks are not converted to one.
    return Table.join(parts)


def _weighted(graph: Graph, model: Any, name: str, part: Table) -> Table:
    weights = model.transformer_weights or {}
    if name not in weights:
        return part
    return Table.of(graph.math("Mul", part.matrix(graph), weights[name]), part.width)


def _one_dtype(graph: Graph, table: Table) -> Table:
    return Table.of(table.matrix(graph), table.width)


def column_indices(model: Any, columns: Any) -> list[int]:
    """Resolve the columns of one transformer to indices of X."""
    names = list(getattr(model, "feature_names_in_", []))
    n_columns = model.n_features_in_

    def index(column: Any) -> int:
        if isinstance(column, str):
            return names.index(column)
        return int(column) % n_columns

    if isinstance(columns, slice):
        return _sliced(columns, index, n_columns)
    if isinstance(columns, (str, int, np.integer)):
        return [index(columns)]
    listed: Sequence[Any] = list(columns)
    if listed and all(isinstance(c, (bool, np.bool_)) for c in listed):
        return [int(j) for j in np.flatnonzero(listed)]
    return [index(column) for column in listed]


def _sliced(columns: slice, index: Callable[[Any], int], n_columns: int) -> list[int]:
    start, stop = columns.start, columns.stop
    if isinstance(start, str):
        start = index(start)
    if isinstance(stop, str):
        stop = index(stop) + 1  # slices of names include the stop
    return list(range(n_columns))[slice(start, stop, columns.step)]
