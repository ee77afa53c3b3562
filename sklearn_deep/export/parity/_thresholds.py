"""Numbers at which a fitted pipeline is discontinuous: bin edges, splits, thresholds.

A file that compares with them differently from scikit-learn is wrong for such rows only.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import (
    Binarizer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    RobustScaler,
    StandardScaler,
)

from sklearn_deep.export.inputs._walk import walk_parts
from sklearn_deep.export.sklearn._composition import column_indices, unwrap
from sklearn_deep.private._sklearn import histogram_trees

# Largest number of thresholds to compare, evenly spaced among all.
_MAX_THRESHOLDS = 40

Columns = list[np.ndarray]


def _edges(model: KBinsDiscretizer) -> Columns:
    return [np.asarray(edges[1:-1]) for edges in model.bin_edges_]


def _binarizer_threshold(model: Binarizer) -> Columns:
    return [np.array([model.threshold], float)] * model.n_features_in_


def _splits(model: Any) -> Columns:
    """Splits of a tree, or of the first trees of an ensemble."""
    trees = [part.tree_ for part in walk_parts(model) if hasattr(part, "tree_")]
    feature = np.concatenate([tree.feature for tree in trees[:_MAX_THRESHOLDS]])
    threshold = np.concatenate([tree.threshold for tree in trees[:_MAX_THRESHOLDS]])
    return [threshold[feature == j] for j in range(model.n_features_in_)]


def _histogram_splits(model: Any) -> Columns:
    rounds = [trees[0] for trees in histogram_trees(model)[:_MAX_THRESHOLDS]]
    splits = np.concatenate([nodes[nodes["is_leaf"] == 0] for nodes in rounds])
    feature, threshold = splits["feature_idx"], splits["num_threshold"]
    return [threshold[feature == j] for j in range(model.n_features_in_)]


_THRESHOLDS: dict[type, Callable[[Any], Columns]] = {
    KBinsDiscretizer: _edges,
    Binarizer: _binarizer_threshold,
    HistGradientBoostingClassifier: _histogram_splits,
    HistGradientBoostingRegressor: _histogram_splits,
}

# Element-wise and invertible: thresholds after them can be converted to units of X.
_SCALERS = MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler


class _Position(NamedTuple):
    """The input of a part of a model: columns of X, and the scalers before it."""

    columns: list[int]
    scalers: tuple[Any, ...] = ()

    def to_input_units(self, column: int, values: np.ndarray) -> np.ndarray:
        """Convert numbers in one column of the part's input to units of X."""
        for scaler in reversed(self.scalers):
            rows = np.zeros((len(values), len(self.columns)))
            rows[:, column] = values
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                values = scaler.inverse_transform(rows)[:, column]
        return values


def thresholds(model: Any, n_columns: int) -> list[tuple[int, float]]:
    """Find (column of X, threshold) pairs of a model; at most ``_MAX_THRESHOLDS``."""
    found: dict[tuple[int, float], None] = {}
    for index, columns in _thresholds_of(model, _Position(list(range(n_columns)))):
        for j, values in enumerate(columns[: len(index.columns)]):
            values = values[np.isfinite(values)][:_MAX_THRESHOLDS]
            if len(values):
                numbers = index.to_input_units(j, values)
                found.update(((index.columns[j], float(v)), None) for v in numbers)
    listed = list(found)
    return listed[:: max(1, -(-len(listed) // _MAX_THRESHOLDS))]


def _thresholds_of(model: Any, index: _Position) -> Iterator[tuple[_Position, Columns]]:
    """Iterate over the parts that see numbers of X, scaled or not, with thresholds."""
    model = unwrap(model)
    for cls in type(model).__mro__:
        if cls in _THRESHOLDS:
            yield index, _THRESHOLDS[cls](model)
            return
    if isinstance(model, Pipeline):
        yield from _in_pipeline(model, index)
    elif isinstance(model, ColumnTransformer):
        for _, part, columns in model.transformers_:
            if not isinstance(part, str):
                seen = [index.columns[j] for j in column_indices(model, columns)]
                # The columns of scalers before it would have to be selected.
                if not index.scalers:
                    yield from _thresholds_of(part, _Position(seen))
    elif isinstance(model, FeatureUnion):
        for _, part in model.transformer_list:
            yield from _thresholds_of(part, index)
    elif any(hasattr(part, "tree_") for part in walk_parts(model)):
        yield index, _splits(model)


def _in_pipeline(
    model: Pipeline, index: _Position
) -> Iterator[tuple[_Position, Columns]]:
    for _, step in model.steps:
        if step is None or isinstance(step, str):
            continue
        yield from _thresholds_of(step, index)
        if not isinstance(step, _SCALERS):
            return
        index = index._replace(scalers=(*index.scalers, step))


def neighbours(value: float, dtype: np.dtype) -> Sequence[Any]:
    """Numbers of a dtype at a threshold and next to it, also rounded to float32."""
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        rounded = [np.floor(value), np.ceil(value)]
        return [dtype.type(v) for v in rounded if limits.min <= v <= limits.max]
    values = [dtype.type(value)]
    if dtype == np.float64:
        values.append(dtype.type(np.float32(value)))
    lower = [np.nextafter(v, dtype.type(-np.inf)) for v in values]
    upper = [np.nextafter(v, dtype.type(np.inf)) for v in values]
    return list(dict.fromkeys([*values, *lower, *upper]))
