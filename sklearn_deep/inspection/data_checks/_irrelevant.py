"""Columns without a measurable relation to the target."""

import numpy as np
from scipy.stats import chi2_contingency, kruskal, norm, spearmanr
from scipy.stats import t as student

from sklearn_deep.inspection.data_checks._finding import DataFinding
from sklearn_deep.inspection.data_checks._input import CheckInput, Found
from sklearn_deep.inspection.data_checks._multiplicity import benjamini_hochberg
from sklearn_deep.inspection.data_checks._out_of_fold import boosting, fold_numbers
from sklearn_deep.inspection.data_checks._sentences import clean_line, labels, named
from sklearn_deep.inspection.data_checks._target import Target

_MOST_ROWS, _N_FOLDS, _FALSE_DISCOVERIES = 4000, 3, 0.05

# Share of what a model explains that columns may add and still be irrelevant.
_NEGLIGIBLE = 0.1

# Halvings of the set of columns that might be left out.
_N_ATTEMPTS = 3


def irrelevant(data: CheckInput) -> list[Found]:
    """Columns that a model does without.

    Two steps. A model is fitted to every column beside a shuffled copy of it, and what
    shuffling costs on rows left out is compared between columns and copies: columns above
    the copies, at a rate of false discoveries of 5 %, are relevant, and so are those that
    relate to the target alone, by a test of ranks or counts, or beside the others in a
    linear model. The others are left out
    together, and are irrelevant if that costs less than a tenth of what the model
    explains (a test of non-inferiority).
    """
    assert data.target is not None
    rows = data.sample(7, _MOST_ROWS)
    target = data.target.of_rows(rows)
    folds = fold_numbers(target.strata(), data.rows.keys[rows], _N_FOLDS, data.rng(7))
    values, kinds = data.rows.columns[rows], data.rows.categorical
    gain, p_value = _importances(values, kinds, target, folds, data.rng(8))
    varies = np.array([len(np.unique(v[~np.isnan(v)])) > 1 for v in values.T], bool)
    alone = np.array(
        [_relation(v, k, target) for v, k in zip(values.T, kinds, strict=True)]
    )
    beside = _linear_relation(values, target)
    tests = [benjamini_hochberg(p) for p in (p_value, alone, beside)]
    candidates = varies & (np.min(tests, axis=0) > _FALSE_DISCOVERIES)
    column, worst = _dispensable(data, values, target, folds, gain, candidates)
    table = {
        "column": column,
        "label": labels(data, column),
        "importance": gain[column],
    }
    if not len(column):
        return [Found("irrelevant", table)]
    finding = DataFinding(
        "irrelevant",
        "low",
        f"columns without a measurable relation to the target, {len(column)} of"
        f" {len(kinds)}:"
        f" {named(data, column)}.",
        worst,
        "Leave them out: each costs a network rows to learn that it means nothing.",
        clean_line(data, "irrelevant"),
        columns=column,
    )
    return [Found("irrelevant", table, finding, "columns")]


def _relation(values: np.ndarray, is_category: bool, target: Target) -> float:
    """p-value of a column that is independent of the target, by itself."""
    there = ~np.isnan(values)
    values, codes = values[there], target.codes[there]
    if len(np.unique(values)) < 2 or len(np.unique(codes)) < 2:
        return 1.0
    if is_category and target.is_classes:
        counts = np.zeros((int(values.max()) + 1, len(target.classes)))
        np.add.at(counts, (values.astype(int), codes), 1)
        counts = counts[counts.sum(1) > 0][:, counts.sum(0) > 0]
        return float(chi2_contingency(counts).pvalue)
    if not is_category and not target.is_classes:
        return float(spearmanr(values, codes).pvalue)
    label, number = (codes, values) if target.is_classes else (values, codes)
    return float(kruskal(*(number[label == k] for k in np.unique(label))).pvalue)


def _linear_relation(values: np.ndarray, target: Target) -> np.ndarray:
    """p-values of the columns in a linear model of all; the smallest over the classes."""
    filled = np.where(np.isnan(values), np.nanmedian(_finite(values), axis=0), values)
    spread = filled.std(0)
    design = (filled - filled.mean(0)) / np.where(spread > 0, spread, 1.0)
    y = np.eye(len(target.classes))[target.codes] if target.is_classes else target.codes
    y = (y - y.mean(0)).reshape(len(values), -1)
    inverse = np.linalg.pinv(design.T @ design)
    dof = max(len(values) - values.shape[1] - 1, 1)
    weights = inverse @ design.T @ y
    noise = ((y - design @ weights) ** 2).sum(0) / dof
    error = np.sqrt(np.diag(inverse)[:, None] * noise)
    t = np.divide(np.abs(weights), error, out=np.zeros_like(weights), where=error > 0)
    return np.minimum(2 * student.sf(t, dof).min(1) * y.shape[1], 1.0)


def _finite(values: np.ndarray) -> np.ndarray:
    """The values, with zeros in columns that have none."""
    return np.where(np.isnan(values).all(0), 0.0, values)


def _importances(
    values: np.ndarray,
    kinds: np.ndarray,
    target: Target,
    folds: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """What shuffling each column costs, and p-values against shuffled copies."""
    n_columns = values.shape[1]
    copies = np.column_stack([rng.permutation(column) for column in values.T])
    both = np.concatenate([values, copies], axis=1)
    cost = np.zeros((len(values), 2 * n_columns))
    for k in np.unique(folds):
        train, test = np.flatnonzero(folds != k), np.flatnonzero(folds == k)
        cost[test] = _costs(both, np.tile(kinds, 2), target, train, test, rng)
    error = cost.std(0, ddof=1) / np.sqrt(len(cost))
    z = cost.mean(0) / np.maximum(error, 1e-300)
    z[error == 0] = 0.0
    spread = max(float(np.sqrt((z[n_columns:] ** 2).mean())), 1.0)
    return cost.mean(0)[:n_columns], norm.sf(z[:n_columns] / spread)


def _costs(
    values: np.ndarray,
    kinds: np.ndarray,
    target: Target,
    train: np.ndarray,
    test: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """By how much the loss of each row of ``test`` grows when a column is shuffled."""
    model = boosting(kinds, values, target).fit(values[train], target.codes[train])
    inside = values[test].copy()
    before = target.loss(_predicted(model, inside, target), test)
    cost = np.zeros((len(test), values.shape[1]))
    for j in range(values.shape[1]):
        column = inside[:, j].copy()
        inside[:, j] = rng.permutation(column)
        cost[:, j] = target.loss(_predicted(model, inside, target), test) - before
        inside[:, j] = column
    return cost


def _predicted(model: object, values: np.ndarray, target: Target) -> np.ndarray:
    if not target.is_classes:
        return model.predict(values)  # type: ignore[attr-defined]
    found = np.zeros((len(values), len(target.classes)))
    found[:, model.classes_] = model.predict_proba(values)  # type: ignore[attr-defined]
    return found


def _dispensable(
    data: CheckInput,
    values: np.ndarray,
    target: Target,
    folds: np.ndarray,
    gain: np.ndarray,
    candidates: np.ndarray,
) -> tuple[np.ndarray, float]:
    """Columns that a model does without, and the p-value of that."""
    kinds = data.rows.categorical
    column = np.flatnonzero(candidates)
    column = column[np.argsort(gain[column], kind="stable")]
    if not len(column) or len(column) == len(kinds):
        return column[
            :0
        ], 1.0  # nothing is left: the target, not the columns, is at fault
    full = _losses(values, kinds, target, folds)
    margin = _NEGLIGIBLE * (target.constant(np.arange(len(full))) - full).mean()
    for _ in range(_N_ATTEMPTS):
        kept = np.setdiff1d(np.arange(len(kinds)), column)
        excess = _losses(values[:, kept], kinds[kept], target, folds) - full
        error = max(float(excess.std(ddof=1)) / np.sqrt(len(excess)), 1e-300)
        p_value = _N_ATTEMPTS * float(norm.cdf((excess.mean() - margin) / error))
        if p_value <= data.alpha:
            return np.sort(column), p_value
        column = column[: len(column) // 2]
        if not len(column):
            break
    return column[:0], 1.0


def _losses(
    values: np.ndarray, kinds: np.ndarray, target: Target, folds: np.ndarray
) -> np.ndarray:
    losses = np.empty(len(values))
    for k in np.unique(folds):
        train, test = np.flatnonzero(folds != k), np.flatnonzero(folds == k)
        model = boosting(kinds, values, target).fit(values[train], target.codes[train])
        losses[test] = target.loss(_predicted(model, values[test], target), test)
    return losses
