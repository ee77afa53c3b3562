"""Numbers at which a fitted pipeline jumps: edges of bins, splits of trees, thresholds.

A file that compares them otherwise than scikit-learn differs in no other row.
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

from sklearn_deep.export.inputs._walk import parts_within
from sklearn_deep.export.sklearn._composition import column_places, inside

# So many thresholds are tried, evenly taken from all there are.
_MOST = 40

Columns = list[np.ndarray]


def _edges(model: KBinsDiscretizer) -> Columns:
    return [np.asarray(edges[1:-1]) for edges in model.bin_edges_]


def _one_each(model: Binarizer) -> Columns:
    return [np.array([model.threshold], float)] * model.n_features_in_


def _splits(model: Any) -> Columns:
    """Splits of a tree; of what holds trees, those of its first ones."""
    trees = [part.tree_ for part in parts_within(model) if hasattr(part, "tree_")]
    feature = np.concatenate([tree.feature for tree in trees[:_MOST]])
    threshold = np.concatenate([tree.threshold for tree in trees[:_MOST]])
    return [threshold[feature == j] for j in range(model.n_features_in_)]


def _histogram_splits(model: Any) -> Columns:
    rounds = [predictors[0].nodes for predictors in model._predictors[:_MOST]]
    splits = np.concatenate([nodes[nodes["is_leaf"] == 0] for nodes in rounds])
    feature, threshold = splits["feature_idx"], splits["num_threshold"]
    return [threshold[feature == j] for j in range(model.n_features_in_)]


_THRESHOLDS: dict[type, Callable[[Any], Columns]] = {
    KBinsDiscretizer: _edges,
    Binarizer: _one_each,
    HistGradientBoostingClassifier: _histogram_splits,
    HistGradientBoostingRegressor: _histogram_splits,
}

# Each number of a row by itself, and back: behind them a threshold is still one of X.
_SCALERS = MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler


class _Place(NamedTuple):
    """Where a part of a model stands: which columns of X it sees, behind which scalers."""

    columns: list[int]
    scalers: tuple[Any, ...] = ()

    def in_units_of_x(self, column: int, values: np.ndarray) -> np.ndarray:
        """Numbers of one column in front of the part as numbers of X."""
        for scaler in reversed(self.scalers):
            rows = np.zeros((len(values), len(self.columns)))
            rows[:, column] = values
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                values = scaler.inverse_transform(rows)[:, column]
        return values


def thresholds(model: Any, n_columns: int) -> list[tuple[int, float]]:
    """Find columns of X with a number at which the model jumps; at most ``_MOST``."""
    found: dict[tuple[int, float], None] = {}
    for place, columns in _jumps(model, _Place(list(range(n_columns)))):
        for j, values in enumerate(columns[: len(place.columns)]):
            values = values[np.isfinite(values)][:_MOST]
            if len(values):
                numbers = place.in_units_of_x(j, values)
                found.update(((place.columns[j], float(v)), None) for v in numbers)
    listed = list(found)
    return listed[:: max(1, -(-len(listed) // _MOST))]


def _jumps(model: Any, place: _Place) -> Iterator[tuple[_Place, Columns]]:
    """Go through what sees numbers of X, scaled or not."""
    model = inside(model)
    for cls in type(model).__mro__:
        if cls in _THRESHOLDS:
            yield place, _THRESHOLDS[cls](model)
            return
    if isinstance(model, Pipeline):
        yield from _in_pipeline(model, place)
    elif isinstance(model, ColumnTransformer):
        for _, part, columns in model.transformers_:
            if not isinstance(part, str):
                seen = [place.columns[j] for j in column_places(model, columns)]
                # Scalers in front of it would have to be taken apart.
                if not place.scalers:
                    yield from _jumps(part, _Place(seen))
    elif isinstance(model, FeatureUnion):
        for _, part in model.transformer_list:
            yield from _jumps(part, place)
    elif any(hasattr(part, "tree_") for part in parts_within(model)):
        yield place, _splits(model)


def _in_pipeline(model: Pipeline, place: _Place) -> Iterator[tuple[_Place, Columns]]:
    for _, step in model.steps:
        if step is None or isinstance(step, str):
            continue
        yield from _jumps(step, place)
        if not isinstance(step, _SCALERS):
            return
        place = place._replace(scalers=(*place.scalers, step))


def beside(value: float, dtype: np.dtype) -> Sequence[Any]:
    """Numbers of a dtype at a threshold and next to it, in float32 as well."""
    if dtype.kind in "iu":
        room = np.iinfo(dtype)
        whole = [np.floor(value), np.ceil(value)]
        return [dtype.type(v) for v in whole if room.min <= v <= room.max]
    near = [dtype.type(value)]
    if dtype == np.float64:
        near.append(dtype.type(np.float32(value)))
    lower = [np.nextafter(v, dtype.type(-np.inf)) for v in near]
    upper = [np.nextafter(v, dtype.type(np.inf)) for v in near]
    return list(dict.fromkeys([*near, *lower, *upper]))
