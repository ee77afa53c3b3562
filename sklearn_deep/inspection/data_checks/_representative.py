"""Whether the rows stand for those to come: drift, rare classes and groups, time order."""

import numpy as np
from scipy.stats import chi2_contingency, ks_2samp, norm, rankdata, spearmanr

from sklearn_deep.inspection.data_checks._finding import DataFinding
from sklearn_deep.inspection.data_checks._input import CheckInput, Found
from sklearn_deep.inspection.data_checks._multiplicity import holm
from sklearn_deep.inspection.data_checks._out_of_fold import boosting
from sklearn_deep.inspection.data_checks._rows import TABLE
from sklearn_deep.inspection.data_checks._sentences import (
    clean_line,
    few,
    labels,
    named,
)
from sklearn_deep.inspection.data_checks._target import Target

_N_PERMUTATIONS = 2000

# Rows of each side that tell the two apart.
_MOST_ROWS = 4000


def drift(data: CheckInput) -> list[Found]:
    """A classifier that tells X from X_test, and the columns that it may use.

    Half of the rows train it, and its ranking of the other half is compared with
    rankings by chance (Lopez-Paz and Oquab, arXiv:1610.06545): the split makes the
    permutation test exact, whatever the classifier learnt.
    """
    area, p_value = _two_samples(data)
    # Two ways to find drift share the level of the check.
    columns = _drifted_columns(data, data.alpha / 2)
    whole = {"auc": np.array([area]), "p_value": np.array([p_value])}
    found = Found("two_sample", whole)
    if p_value <= data.alpha / 2:
        finding = DataFinding(
            "two_sample",
            "high",
            f"a classifier tells X from X_test: the area under its curve is {area:.3f}"
            " (0.5 without a difference).",
            p_value,
            "The test rows are no sample of the same kind: split at random if the rows are"
            " exchangeable, or collect rows like those to come.",
            "X, X_test = train_test_split(pd.concat([X, X_test]), random_state=0)",
        )
        found = Found("two_sample", whole, finding)
    return [found, columns]


def _two_samples(data: CheckInput) -> tuple[float, float]:
    assert data.rows_test is not None
    rng, is_table = data.rng(5), data.rows.kind == TABLE
    sides = [
        r.columns if is_table else r.positions for r in (data.rows, data.rows_test)
    ]
    drawn = [_drawn(len(side), rng) for side in sides]
    values = np.concatenate([s[d] for s, d in zip(sides, drawn, strict=True)])
    side = np.repeat([0, 1], [len(d) for d in drawn])
    order = rng.permutation(len(side))
    train, test = np.array_split(order, 2)
    if len(np.unique(side[train])) < 2 or len(np.unique(side[test])) < 2:
        return 0.5, 1.0
    categorical = data.rows.categorical
    if not is_table:
        categorical = np.zeros(values.shape[1], bool)
    model = boosting(categorical, values, Target(side, side, np.array([0, 1])))
    score = model.fit(values[train], side[train]).predict_proba(values[test])[:, 1]
    return _area_by_chance(score, side[test], rng)


def _drawn(n: int, rng: np.random.Generator) -> np.ndarray:
    return rng.choice(n, min(n, _MOST_ROWS), replace=False)


def _area_by_chance(
    score: np.ndarray, side: np.ndarray, rng: np.random.Generator
) -> tuple[float, float]:
    """Area under the ROC curve, and its permutation p-value."""
    rank, n_one = rankdata(score), int(side.sum())
    orders = (rng.permutation(len(rank))[:n_one] for _ in range(_N_PERMUTATIONS))
    by_chance = np.array([rank[order].sum() for order in orders])
    observed = rank[side == 1].sum()
    p_value = (1 + (by_chance >= observed).sum()) / (1 + _N_PERMUTATIONS)
    area = (observed - n_one * (n_one + 1) / 2) / (n_one * (len(rank) - n_one))
    return float(area), float(p_value)


def _drifted_columns(data: CheckInput, alpha: float) -> Found:
    assert data.rows_test is not None
    pairs = zip(data.rows.columns.T, data.rows_test.columns.T, strict=True)
    kinds = data.rows.categorical
    tests = [
        _column_drift(a, b, kind) for (a, b), kind in zip(pairs, kinds, strict=True)
    ]
    statistic, p_value = np.array(tests).reshape(-1, 2).T
    adjusted = holm(p_value)
    column = np.flatnonzero(adjusted <= alpha)
    column = column[np.argsort(adjusted[column], kind="stable")]
    table = {
        "column": column,
        "label": labels(data, column),
        "distance": statistic[column],
        "p_value": adjusted[column],
    }
    if not len(column):
        return Found("drift", table)
    finding = DataFinding(
        "drift",
        "medium",
        f"columns that are distributed otherwise in X_test than in X, {len(column)} of"
        f" {len(kinds)}: {named(data, column)}.",
        float(adjusted[column].max()),
        "Ask what changed between the two; a column in another unit, or one that counts"
        " up with time, is better left out or taken as a difference.",
        clean_line(data, "drift"),
        columns=column,
    )
    return Found("drift", table, finding, "columns")


def _column_drift(
    one: np.ndarray, other: np.ndarray, kind: bool
) -> tuple[float, float]:
    """Distance of two distributions and a p-value; missing values are a value too."""
    counts = np.array([[np.isnan(v).sum(), (~np.isnan(v)).sum()] for v in (one, other)])
    missing = _independence(counts)
    one, other = one[~np.isnan(one)], other[~np.isnan(other)]
    if not len(one) or not len(other):
        return missing
    found = _categories(one, other) if kind else _numbers(one, other)
    distance, p_value = min(missing, found, key=lambda test: test[1])
    return distance, min(1.0, 2 * p_value)


def _numbers(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    test = ks_2samp(one, other, method="asymp")
    return float(test.statistic), float(test.pvalue)


# Expected counts below which a chi-squared distribution is none.
_FEWEST_EXPECTED = 5


def _categories(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    codes = np.concatenate([one, other]).astype(int)
    n = codes.max() + 1
    counts = np.stack(
        [np.bincount(part.astype(int), minlength=n) for part in (one, other)]
    )
    least = min(len(one), len(other)) / len(codes)
    rare = counts.sum(0) * least < _FEWEST_EXPECTED
    return _independence(np.column_stack([counts[:, ~rare], counts[:, rare].sum(1)]))


def _independence(counts: np.ndarray) -> tuple[float, float]:
    """Total variation between two rows of counts, and the p-value of their independence."""
    counts = counts[:, counts.sum(0) > 0]
    share = counts / counts.sum(1, keepdims=True)
    distance = float(np.abs(share[0] - share[1]).sum() / 2)
    if counts.shape[1] < 2:
        return 0.0, 1.0
    return distance, float(chi2_contingency(counts).pvalue)


def rare(data: CheckInput) -> list[Found]:
    """Classes and groups of so few rows that no score on them means anything.

    A model that guesses one of two classes gets all of ``n`` rows right with probability
    0.5 ** n: below 5 rows, even a perfect score is no evidence at 5 %.
    """
    return [_rare_classes(data), _rare_groups(data)]


_LEVEL = 0.05


def _rare_classes(data: CheckInput) -> Found:
    target = data.target
    if target is None or not target.is_classes:
        return Found("rare_classes", {"label": np.empty(0), "n_rows": np.empty(0, int)})
    size = np.bincount(target.codes)
    few_rows = np.flatnonzero(0.5**size > _LEVEL)
    table = {"label": target.classes[few_rows], "n_rows": size[few_rows]}
    if not len(few_rows):
        return Found("rare_classes", table)
    finding = DataFinding(
        "rare_classes",
        "medium",
        f"classes of so few rows that even a perfect score on them is no evidence:"
        f" {few(table['label'])}.",
        float((0.5**size).max()),
        "Collect more rows of them, merge them into a class 'other', or leave them out.",
        clean_line(data, "rare_classes"),
        rows=np.flatnonzero(np.isin(target.codes, few_rows)),
    )
    return Found("rare_classes", table, finding, "rows")


def _rare_groups(data: CheckInput) -> Found:
    if data.groups is None:
        return Found("rare_groups", {"group": np.empty(0), "n_rows": np.empty(0, int)})
    size = np.bincount(data.groups)
    few_rows = np.flatnonzero(0.5**size > _LEVEL)
    table = {"group": few_rows, "n_rows": size[few_rows]}
    if not len(few_rows) or len(few_rows) == len(size):
        return Found("rare_groups", table)
    finding = DataFinding(
        "rare_groups",
        "low",
        f"groups of fewer than 5 rows, too few for a score of their own: {len(few_rows)}"
        f" of {len(size)}.",
        float((0.5**size).max()),
        "Report scores over groups of these together, or collect more of them.",
        clean_line(data, "rare_groups"),
        rows=np.flatnonzero(np.isin(data.groups, few_rows)),
    )
    return Found("rare_groups", table, finding, "rows")


def time_order(data: CheckInput) -> list[Found]:
    """A target that depends on where its row stands: sorted, trending, or like the last."""
    assert data.target is not None
    codes, is_classes = data.target.codes, data.target.is_classes
    tests = {
        "trend": _trend(codes, is_classes),
        "neighbours": _like_the_last(codes, is_classes),
    }
    adjusted = dict(zip(tests, holm(np.array(list(tests.values()))), strict=True))
    table = {
        "test": np.array(list(tests)),
        "p_value": np.array(list(adjusted.values())),
    }
    worst = min(adjusted, key=lambda name: adjusted[name])
    if adjusted[worst] > data.alpha:
        return [Found("time_order", table)]
    finding = DataFinding(
        "time_order",
        "medium",
        f"the target depends on the order of the rows ({worst}).",
        adjusted[worst],
        "Where rows come in order of time, validate on later rows (TimeSeriesSplit);"
        " where they were sorted, shuffle them.",
        "cv = TimeSeriesSplit(5)  # or, of sorted rows: KFold(5, shuffle=True)",
    )
    return [Found("time_order", table, finding)]


_N_BLOCKS = 10


def _trend(codes: np.ndarray, is_classes: bool) -> float:
    """p-value of a target that is independent of ten stretches of rows, or of rank."""
    n = len(codes)
    if not is_classes:
        constant = np.ptp(codes) == 0
        return 1.0 if constant else float(spearmanr(np.arange(n), codes).pvalue)
    size = np.bincount(codes)
    n_blocks = int(np.clip(n // (_FEWEST_EXPECTED * len(size)), 2, _N_BLOCKS))
    block = np.arange(n) * n_blocks // n
    counts = np.zeros((n_blocks, len(size)))
    np.add.at(counts, (block, codes), 1)
    rare_classes = size / n_blocks < _FEWEST_EXPECTED
    kept = np.column_stack([counts[:, ~rare_classes], counts[:, rare_classes].sum(1)])
    kept = kept[:, kept.sum(0) > 0]
    return float(chi2_contingency(kept).pvalue) if kept.shape[1] > 1 else 1.0


def _like_the_last(codes: np.ndarray, is_classes: bool) -> float:
    """p-value of neighbours that are as alike as rows drawn at random."""
    n = len(codes)
    indicators = (
        np.eye(codes.max() + 1)[codes] if is_classes else rankdata(codes)[:, None]
    )
    centred = indicators - indicators.mean(0)
    gram = centred.T @ centred
    variance = float((gram**2).sum()) / (n - 1)
    if n < 3 or variance == 0:
        return 1.0
    # Sum over neighbours in a random order: mean and variance of a permutation.
    total = float((centred[1:] * centred[:-1]).sum())
    mean = -float(np.trace(gram)) / n
    return float(norm.sf((total - mean) / np.sqrt(variance)))
