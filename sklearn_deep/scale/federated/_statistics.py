"""Statistics of transformers that owners can share: one row of a table per class.

An owner *collects* what its rows say (counts, means, extremes, categories), the server
*merges* what all owners sent, and *fitted* makes the transformer that their rows together
would have fitted. No row is in any of it, but extremes and categories are values of rows.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
)
from sklearn.utils import check_array, get_tags

from sklearn_deep.exceptions import FederatedError

# By name: lists, arrays, numbers or None; see ``_wire``.
Statistics = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes
    ----------
    collect : callable ``(step, X) -> Statistics``
    merge : callable ``(list of Statistics) -> Statistics``
    example : callable ``(step, Statistics) -> list of columns``
        Made-up rows that have the merged extremes or categories; the step is fitted to
        them, for its shape and names.
    correct : callable ``(fitted step, Statistics) -> None``
        Sets what made-up rows cannot give.
    refusal : callable ``(step) -> str or None``
        Why a step with these parameters cannot be shared, and the fix.
    """

    collect: Callable[[Any, Any], Statistics]
    merge: Callable[[Sequence[Statistics]], Statistics]
    example: Callable[[Any, Statistics], list[list[Any]]]
    correct: Callable[[Any, Statistics], object] = lambda fitted, merged: None
    refusal: Callable[[Any], str | None] = lambda step: None


# Means and variances.


def _numbers(X: Any) -> Any:
    """Validated numbers, NaN among them; an owner may have no other in a column."""
    return check_array(
        X, accept_sparse="csc", dtype=np.float64, ensure_all_finite="allow-nan"
    )


def _collect_moments(step: Any, X: Any) -> Statistics:
    X = _numbers(X)
    if sp.issparse(X):
        scaler = StandardScaler(with_mean=False).fit(X)
        n = np.broadcast_to(scaler.n_samples_seen_, X.shape[1]).astype(float)
        return {"n": n, "mean": scaler.mean_, "var": scaler.var_}
    there = ~np.isnan(X)
    n = there.sum(0).astype(float)
    safe = np.maximum(n, 1.0)
    mean = np.where(there, X, 0.0).sum(0) / safe
    var = np.where(there, np.square(X - mean), 0.0).sum(0) / safe
    return {"n": n, "mean": mean, "var": var}


def merge_moments(parts: Sequence[Statistics]) -> Statistics:
    """Counts, means and variances of all rows from those of each owner.

    The same as sums and sums of squares, without their rounding (Chan et al., 1979).
    """
    n = sum(np.asarray(part["n"], dtype=float) for part in parts)
    safe = np.where(n > 0, n, 1.0)
    mean = sum(_times(part, part["mean"]) for part in parts) / safe
    spread = sum(
        _times(part, part["var"] + np.square(part["mean"] - mean)) for part in parts
    )
    empty = np.where(n > 0, 0.0, np.nan)
    return {"n": n, "mean": mean + empty, "var": spread / safe + empty}


def _times(part: Statistics, values: Any) -> np.ndarray:
    """Values times the number of rows; 0 where there is none, whose mean is NaN."""
    n = np.asarray(part["n"], dtype=float)
    return np.where(n > 0, n * np.where(n > 0, values, 0.0), 0.0)


def _two_rows(step: Any, merged: Statistics) -> list[list[Any]]:
    spread = np.sqrt(merged["var"])
    return _columns_of(merged["mean"] - spread, merged["mean"] + spread)


def _columns_of(*rows: np.ndarray) -> list[list[Any]]:
    return [list(column) for column in zip(*(r.tolist() for r in rows), strict=True)]


def _correct_scaler(fitted: Any, merged: Statistics) -> None:
    n, mean, var = merged["n"], merged["mean"], merged["var"]
    fitted.n_samples_seen_ = _count(n)
    if fitted.mean_ is not None:
        fitted.mean_ = mean
    if fitted.var_ is not None:
        fitted.var_, fitted.scale_ = var, _scale(n, mean, var)


def _scale(n: np.ndarray, mean: np.ndarray, var: np.ndarray) -> np.ndarray:
    """Standard deviations; 1 for constant columns, by the bound that scikit-learn has."""
    eps = np.finfo(np.float64).eps
    constant = var <= n * eps * var + np.square(n * mean * eps)
    scale = np.sqrt(var)
    scale[constant | (scale == 0)] = 1.0
    return scale


def _count(n: Any) -> Any:
    """One number where all columns have as many values, as scikit-learn has it."""
    n = np.asarray(n).astype(np.int64)
    return int(n[0]) if (n == n[0]).all() else n


# Extremes.


def _collect_extremes(step: Any, X: Any) -> Statistics:
    X = _numbers(X)
    missing = np.isnan(X)
    low = np.where(missing, np.inf, X).min(0)
    high = np.where(missing, -np.inf, X).max(0)
    return {"n": len(X), "low": low, "high": high}


def _merge_extremes(parts: Sequence[Statistics]) -> Statistics:
    low = np.min([part["low"] for part in parts], 0)
    high = np.max([part["high"] for part in parts], 0)
    empty = low > high
    return {
        "n": sum(int(part["n"]) for part in parts),
        "low": np.where(empty, np.nan, low),
        "high": np.where(empty, np.nan, high),
    }


def _collect_largest(step: Any, X: Any) -> Statistics:
    X = _numbers(X)
    sizes = abs(X).max(0).toarray()[0] if sp.issparse(X) else _largest(X)
    return {"n": X.shape[0], "low": -sizes, "high": sizes}


def _largest(X: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(X), -np.inf, np.abs(X)).max(0)


def _set_count(fitted: Any, merged: Statistics) -> None:
    fitted.n_samples_seen_ = int(merged["n"])


def _extremes(step: Any, merged: Statistics) -> list[list[Any]]:
    return _columns_of(merged["low"], merged["high"])


# Categories.


def _collect_categories(step: Any, X: Any) -> Statistics:
    # Categories that the user lists, or that are unknown to others, change nothing here.
    unknown = {"handle_unknown": "use_encoded_value", "unknown_value": -1}
    plain = OrdinalEncoder(categories=step.categories, **unknown).fit(X)
    return {"categories": [each.tolist() for each in plain.categories_]}


def _merge_categories(parts: Sequence[Statistics]) -> Statistics:
    columns = zip(*(part["categories"] for part in parts), strict=True)
    return {"categories": [union(values) for values in columns]}


def union(parts: Iterable[Iterable[Any]]) -> list[Any]:
    """Sorted values that are in any of the parts; None and NaN last, as scikit-learn."""
    seen: dict[Any, Any] = {
        None if _is_nan(v) else v: v for part in parts for v in part
    }
    missing = [seen.pop(None)] if None in seen else []
    try:
        return [*sorted(seen), *missing]
    except TypeError as error:
        kinds = sorted({type(value).__name__ for value in seen})
        raise FederatedError(
            f"The owners' categories or labels are of several types: {kinds}. Give a"
            " column one type at all owners."
        ) from error


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and np.isnan(value)


def _category_rows(step: Any, merged: Statistics) -> list[list[Any]]:
    columns = merged["categories"]
    longest = max(map(len, columns))
    return [[*values, *values[:1] * (longest - len(values))] for values in columns]


def _refuse_rare(step: Any) -> str | None:
    if getattr(step, "min_frequency", None) is None and (
        getattr(step, "max_categories", None) is None
    ):
        return None
    return (
        "groups rare categories, which needs counts of categories: set min_frequency=None"
        " and max_categories=None"
    )


# Missing values.


def _collect_present(step: Any, X: Any) -> Statistics:
    if step.strategy == "constant":
        return {"width": X.shape[1]}
    missing = MissingIndicator(missing_values=step.missing_values, features="all")
    there = ~missing.fit_transform(X)
    columns = [
        np.asarray(column)[kept]
        for column, kept in zip(_columns(X), there.T, strict=True)
    ]
    if step.strategy == "mean":
        sums = [float(np.sum(np.asarray(c, dtype=float))) for c in columns]
        return {"n": there.sum(0).astype(float), "sum": np.array(sums)}
    counts = [np.unique(column, return_counts=True) for column in columns]
    return {
        "counts": [list(zip(v.tolist(), n.tolist(), strict=True)) for v, n in counts]
    }


def _columns(X: Any) -> list[Any]:
    if hasattr(X, "iloc"):
        return [X.iloc[:, k].to_numpy() for k in range(X.shape[1])]
    return list(np.asarray(X).T)


def _merge_present(parts: Sequence[Statistics]) -> Statistics:
    if "width" in parts[0]:
        return parts[0]
    if "sum" in parts[0]:
        return {name: sum(np.asarray(p[name]) for p in parts) for name in ("n", "sum")}
    columns = zip(*(part["counts"] for part in parts), strict=True)
    return {"counts": [_summed(column) for column in columns]}


def _summed(parts: Iterable[Iterable[Any]]) -> list[Any]:
    total: dict[Any, int] = {}
    for part in parts:
        for value, n in part:
            total[value] = total.get(value, 0) + n
    return sorted(map(list, total.items()))


def _imputed_row(step: Any, merged: Statistics) -> list[list[Any]]:
    if "width" in merged:
        fill = 0.0 if step.fill_value is None else step.fill_value
        return [[fill]] * int(merged["width"])
    return _columns_of(_imputed(merged))


def _imputed(merged: Statistics) -> np.ndarray:
    """What stands for a missing value in each column."""
    if "sum" in merged:
        with np.errstate(invalid="ignore"):
            return merged["sum"] / merged["n"]
    # The most frequent value; of equally frequent ones the smallest.
    most = [
        max(c, key=lambda item: item[1])[0] if c else np.nan for c in merged["counts"]
    ]
    numeric = all(isinstance(value, (int, float)) for value in most)
    return np.array(most, dtype=float if numeric else object)


def _correct_imputer(fitted: Any, merged: Statistics) -> None:
    if "width" not in merged:
        fitted.statistics_ = _imputed(merged)


def _refuse_median(step: Any) -> str | None:
    if callable(step.strategy) or step.strategy == "median":
        return (
            f"has strategy={step.strategy!r}, which needs the rows of all owners at once:"
            " set strategy='mean', 'most_frequent' or 'constant'"
        )
    return (
        "adds indicator columns: set add_indicator=False"
        if step.add_indicator
        else None
    )


_CATEGORIES = Row(
    _collect_categories, _merge_categories, _category_rows, refusal=_refuse_rare
)

FEDERATED: dict[type, Row] = {
    StandardScaler: Row(_collect_moments, merge_moments, _two_rows, _correct_scaler),
    MinMaxScaler: Row(_collect_extremes, _merge_extremes, _extremes, _set_count),
    MaxAbsScaler: Row(_collect_largest, _merge_extremes, _extremes, _set_count),
    OneHotEncoder: _CATEGORIES,
    OrdinalEncoder: _CATEGORIES,
    SimpleImputer: Row(
        _collect_present, _merge_present, _imputed_row, _correct_imputer, _refuse_median
    ),
}

ROWS_BY_NAME = {cls.__name__: row for cls, row in FEDERATED.items()}


def learns_nothing(step: Any) -> bool:
    """Whether a step needs no rows of the owners."""
    return isinstance(step, FrozenEstimator) or not get_tags(step).requires_fit


def row_of(name: str, step: Any) -> Row | None:
    """The row of a step; None for one that learns nothing.

    Raises
    ------
    FederatedError
        For a step whose statistics cannot be shared.
    """
    row = FEDERATED.get(type(step))
    if row is None and learns_nothing(step):
        return None
    reason = _UNKNOWN if row is None else row.refusal(step)
    if reason is not None:
        raise FederatedError(f"The step {name!r} ({type(step).__name__}) {reason}.")
    return row


_UNKNOWN = (
    "cannot be fitted by owners who keep their rows. Take one of"
    f" {', '.join(cls.__name__ for cls in FEDERATED)}, or fit it to public rows and pass"
    " it in a sklearn.frozen.FrozenEstimator"
)


def fitted_step(row: Row, step: Any, merged: Statistics, wrap: Callable) -> Any:
    """The transformer that the rows of all owners together would have fitted.

    ``wrap`` makes of rows what the transformer gets, with names of columns.
    """
    fitted = clone(step).fit(wrap(row.example(step, merged)))
    row.correct(fitted, merged)
    return fitted
