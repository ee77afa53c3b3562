"""Columns by themselves: constant ones, identifiers, and those that give the target away."""

import numpy as np
from scipy.stats import beta, norm
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sklearn_deep.inspection.data_checks._finding import DataFinding
from sklearn_deep.inspection.data_checks._input import CheckInput, Found
from sklearn_deep.inspection.data_checks._multiplicity import holm
from sklearn_deep.inspection.data_checks._out_of_fold import (
    boosting,
    fit_and_predict,
    fold_numbers,
)
from sklearn_deep.inspection.data_checks._sentences import clean_line, labels, named
from sklearn_deep.inspection.data_checks._target import Target


def constant(data: CheckInput) -> list[Found]:
    """Columns of one value, or of missing values only."""
    values = data.rows.columns
    filled = np.where(np.isnan(values), -np.inf, values)
    column = np.flatnonzero((filled == filled[:1]).all(0))
    table = {"column": column, "label": labels(data, column)}
    if not len(column):
        return [Found("constant", table)]
    finding = DataFinding(
        "constant",
        "low",
        f"columns with one value only: {named(data, column)}.",
        0.0,
        "Leave them out: they tell rows apart by nothing.",
        clean_line(data, "constant"),
        columns=column,
    )
    return [Found("constant", table, finding, "columns")]


def identifiers(data: CheckInput) -> list[Found]:
    """Columns that number the rows, or whose values hardly ever come again."""
    tests = [_repeats_too_little(data, j) for j in range(data.rows.n_columns)]
    adjusted = holm(np.array(tests))
    column = np.flatnonzero(adjusted <= data.alpha)
    table = {
        "column": column,
        "label": labels(data, column),
        "p_value": adjusted[column],
    }
    if not len(column):
        return [Found("identifiers", table)]
    finding = DataFinding(
        "identifiers",
        "medium",
        f"columns that look like identifiers: {named(data, column)}.",
        float(adjusted[column].max()),
        "Leave them out: a network learns rows by their number, which no new row has.",
        clean_line(data, "identifiers"),
        columns=column,
    )
    return [Found("identifiers", table, finding, "columns")]


def _repeats_too_little(data: CheckInput, j: int) -> float:
    values = data.rows.columns[:, j]
    values = values[~np.isnan(values)]
    size = np.unique(values, return_counts=True)[1]
    if len(values) < 2:
        return 1.0
    if data.rows.categorical[j]:
        return _next_value_is_known(int((size == 1).sum()), len(values))
    if not data.rows.integers[j] or len(size) < len(values):
        return 1.0
    return _no_number_twice(len(values), float(np.ptp(values)) + 1)


def _next_value_is_known(n_once: int, n: int) -> float:
    """p-value of "half of the next rows, or more, have a category that was seen".

    The share of categories still unseen is the share of values seen once (Good, 1953).
    """
    return float(beta.cdf(0.5, n_once, n - n_once + 1)) if n_once else 1.0


def _no_number_twice(n: int, n_possible: float) -> float:
    """Chance that so many whole numbers of a range differ, drawn with equal chances.

    Unequal chances make it smaller.
    """
    if n > n_possible:
        return 1.0
    return float(np.exp(np.log1p(-np.arange(n) / n_possible).sum()))


# A column gives the target away if it leaves less than this share of the loss of a constant.
NEAR_PERFECT = 0.05

_MOST_ROWS, _N_FOLDS = 5000, 3


def leakage(data: CheckInput) -> list[Found]:
    """Columns that predict the target near-perfectly alone, and better than all others do."""
    assert data.target is not None
    rows = data.sample(6, _MOST_ROWS)
    target = data.target.of_rows(rows)
    every = np.arange(len(rows))
    folds = fold_numbers(target.strata(), data.rows.keys[rows], _N_FOLDS, data.rng(6))
    constant_loss = target.constant(every)
    losses = [
        target.loss(_alone(data.rows.columns[rows, j], target, folds), every)
        for j in range(data.rows.n_columns)
    ]
    p_value = np.array([_below(loss - NEAR_PERFECT * constant_loss) for loss in losses])
    left = np.array([loss.mean() / constant_loss.mean() for loss in losses])
    adjusted = holm(p_value)
    column = np.flatnonzero(adjusted <= data.alpha)
    column = column[_better_than_others(data, rows, target, folds, losses, column)]
    table = {
        "column": column,
        "label": labels(data, column),
        "unexplained": left[column],
        "p_value": adjusted[column],
    }
    if not len(column):
        return [Found("leakage", table)]
    finding = DataFinding(
        "leakage",
        "high",
        f"columns that give the target away: {named(data, column)}. One alone leaves"
        f" {100 * left[column].max():.2g} % of the error of a constant.",
        float(adjusted[column].max()),
        "Ask whether the column is known when a prediction is due; if not, leave it out.",
        clean_line(data, "leakage"),
        columns=column,
    )
    return [Found("leakage", table, finding, "columns")]


def _alone(values: np.ndarray, target: Target, folds: np.ndarray) -> np.ndarray:
    """Out-of-fold predictions by a tree on one column."""
    tree = DecisionTreeClassifier if target.is_classes else DecisionTreeRegressor
    least = 5 if target.is_classes else 2
    model = tree(min_samples_leaf=least, random_state=0)
    return _predict_folds(model, values[:, None], target, folds)


def _predict_folds(
    model: object, values: np.ndarray, target: Target, folds: np.ndarray
) -> np.ndarray:
    shape = (len(folds), len(target.classes)) if target.is_classes else (len(folds),)
    predicted = np.zeros(shape)
    for k in np.unique(folds):
        train, test = np.flatnonzero(folds != k), np.flatnonzero(folds == k)
        predicted[test] = fit_and_predict(
            model, values, target.codes, target, train, test
        )
    return predicted


def _better_than_others(
    data: CheckInput,
    rows: np.ndarray,
    target: Target,
    folds: np.ndarray,
    losses: list[np.ndarray],
    column: np.ndarray,
) -> np.ndarray:
    """Which near-perfect columns beat a model of all the columns that are not."""
    if not len(column):
        return np.zeros(0, bool)
    others = np.setdiff1d(np.arange(data.rows.n_columns), column)
    if not len(others):
        return np.ones(len(column), bool)
    values = data.rows.columns[np.ix_(rows, others)]
    model = boosting(data.rows.categorical[others], values, target)
    rest = target.loss(
        _predict_folds(model, values, target, folds), np.arange(len(rows))
    )
    tests = holm(np.array([_below(losses[j] - rest) for j in column]))
    return tests <= data.alpha


def _below(difference: np.ndarray) -> float:
    """p-value of a mean of 0 or more."""
    error = difference.std(ddof=1) / np.sqrt(len(difference))
    if error == 0:
        return float(difference.mean() >= 0)
    return float(norm.cdf(difference.mean() / error))
