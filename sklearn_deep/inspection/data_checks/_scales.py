"""Scales of columns that hurt a network: units, heavy tails, outliers, sentinels."""

from typing import Any

import numpy as np
from scipy.stats import chi2

from sklearn_deep.inspection.data_checks._finding import DataFinding
from sklearn_deep.inspection.data_checks._input import CheckInput, Found
from sklearn_deep.inspection.data_checks._multiplicity import (
    benjamini_hochberg,
    holm,
)
from sklearn_deep.inspection.data_checks._sentences import (
    clean_line,
    count,
    few,
    labels,
    named,
)
from sklearn_deep.inspection.data_checks._tails import FEWEST, tail_p_values

# Standard deviations within this factor of one another are no matter to one learning rate:
# Adam's default of 0.001 is good within a factor of 10 (Goodfellow et al., Deep Learning,
# section 11.4.1).
_FACTOR = 10.0

# Names of steps and models that scales do not matter to.
_INDIFFERENT = (
    "Tree",
    "Forest",
    "Boosting",
    "Tabular",
    "Scaler",
    "QuantileTransformer",
    "PowerTransformer",
    "ColumnTransformer",
    "KBins",
)


def scales(data: CheckInput) -> list[Found]:
    """Columns whose numbers hurt models that take them as they are."""
    numbers = np.flatnonzero(~data.rows.categorical)
    columns = [data.rows.columns[:, j] for j in numbers]
    columns = [column[~np.isnan(column)] for column in columns]
    codes = [_sentinel(column) for column in columns]
    columns = [
        column if code is None else column[column != code[0]]
        for column, code in zip(columns, codes, strict=True)
    ]
    alpha = data.alpha / 4  # four findings share the level of the check
    return [
        _units(data, numbers, columns, alpha),
        _heavy_tails(data, numbers, columns, alpha),
        *_far_values(data, numbers, codes, alpha),
    ]


def matters_to(estimator: Any) -> bool:
    """Whether an estimator takes numbers as they are: networks, linear models, neighbours."""
    steps = getattr(estimator, "steps", None)
    first = steps[0][1] if steps else estimator
    return not any(name in type(first).__name__ for name in _INDIFFERENT)


_WHOM = (
    " It matters to networks on plain numbers (MLP..., CNN..., RNN...), linear models and"
    " neighbours; not to trees, to Tabular... or behind a scaler."
)


def _units(
    data: CheckInput, numbers: np.ndarray, columns: list[np.ndarray], alpha: float
) -> Found:
    """Columns with deviations more than tenfold from 1, by a test of the variance."""
    deviation = np.array([c.std(ddof=1) if len(c) > 1 else 0.0 for c in columns])
    size = np.array([len(c) for c in columns])
    large, small = deviation > _FACTOR, (deviation < 1 / _FACTOR) & (deviation > 0)
    with np.errstate(divide="ignore"):
        ratio = np.where(large, deviation / _FACTOR, deviation * _FACTOR) ** 2
    statistic, dof = ratio * (size - 1), np.maximum(size - 1, 1)
    p_value = np.where(large, chi2.sf(statistic, dof), chi2.cdf(statistic, dof))
    adjusted = holm(np.where(large | small, p_value, 1.0))
    found = np.flatnonzero((adjusted <= alpha) & matters_to(data.estimator))
    table = {
        "column": numbers[found],
        "label": labels(data, numbers[found]),
        "deviation": deviation[found],
        "p_value": adjusted[found],
    }
    if not len(found):
        return Found("unscaled", table)
    extreme = np.array([deviation[found].min(), deviation[found].max()])
    finding = DataFinding(
        "unscaled",
        "low" if data.estimator is None else "high",
        "columns that are not in units of their spread:"
        f" {named(data, numbers[found])} (standard deviations"
        f" {extreme[0]:.3g} to {extreme[1]:.3g}).",
        float(adjusted[found].max()),
        "Scale them: make_pipeline(StandardScaler(), estimator)." + _WHOM,
        "estimator = make_pipeline(StandardScaler(), estimator)",
        columns=numbers[found],
    )
    return Found("unscaled", table, finding)


# Hill's estimate is made of this share of the values, those with the largest deviations.
_TAIL, _FEWEST_IN_TAIL = 0.05, 20

# Below this tail index the fourth moment is infinite, and with it the error of a standard
# deviation.
_FOURTH_MOMENT = 4.0


def _heavy_tails(
    data: CheckInput, numbers: np.ndarray, columns: list[np.ndarray], alpha: float
) -> Found:
    tests = [_tail_index(column) for column in columns]
    index, p_value = np.array(tests).reshape(-1, 2).T
    adjusted = holm(p_value)
    found = np.flatnonzero((adjusted <= alpha) & matters_to(data.estimator))
    table = {
        "column": numbers[found],
        "label": labels(data, numbers[found]),
        "tail_index": index[found],
        "p_value": adjusted[found],
    }
    if not len(found):
        return Found("heavy_tails", table)
    finding = DataFinding(
        "heavy_tails",
        "low",
        "columns with tails so heavy that a standard deviation says little:"
        f" {named(data, numbers[found])}.",
        float(adjusted[found].max()),
        "Take their logarithm or ranks: QuantileTransformer(output_distribution='normal')."
        + _WHOM,
        "estimator = make_pipeline(QuantileTransformer(output_distribution='normal'),"
        " estimator)",
        columns=numbers[found],
    )
    return Found("heavy_tails", table, finding)


def _tail_index(values: np.ndarray) -> tuple[float, float]:
    """Hill's estimate of the tail index, and the p-value of one of 4 or more."""
    size = np.sort(np.abs(values - np.median(values)))[::-1] if len(values) else values
    k = int(_TAIL * len(size))
    # Steps of few values have no tail.
    if k < _FEWEST_IN_TAIL or size[k] <= 0 or len(np.unique(size[:k])) < k / 2:
        return np.inf, 1.0
    mean_log = float(np.log(size[:k] / size[k]).mean())
    # Under an index of 4 the mean is Gamma(k) / (4 k).
    p_value = float(chi2.sf(2 * k * mean_log * _FOURTH_MOMENT, 2 * k))
    return (1 / mean_log if mean_log > 0 else np.inf), p_value


def _far_values(
    data: CheckInput,
    numbers: np.ndarray,
    sentinels: list[tuple[float, int, float] | None],
    alpha: float,
) -> list[Found]:
    """Values outside the tail of their column; those that come again are sentinels."""
    cells: list[tuple[int, int, float, float]] = []
    codes: list[tuple[int, float, int, float]] = []
    n_cells = 0
    for j, sentinel in zip(numbers, sentinels, strict=True):
        values = data.rows.columns[:, j]
        there = np.flatnonzero(~np.isnan(values))
        if sentinel is not None:
            codes.append((j, *sentinel))
            there = there[values[there] != sentinel[0]]
        n_cells += len(there)
        p_value = tail_p_values(values[there])
        for i in np.flatnonzero(p_value < alpha):
            cells.append((there[i], j, values[there[i]], p_value[i]))
    return [
        _sentinels(data, codes, alpha, len(numbers)),
        _outliers(data, cells, alpha, n_cells),
    ]


def _sentinel(values: np.ndarray) -> tuple[float, int, float] | None:
    """The smallest or the largest value, if it comes often and far from all others.

    Returns
    -------
    value, count, p_value, or None
    """
    best = None
    for value in (values.min(), values.max()) if len(values) > FEWEST else ():
        same = values == value
        rest = values[~same]
        if same.sum() < 2 or len(rest) < 2 * FEWEST:
            continue
        low, high = np.quantile(rest, [0.25, 0.75])
        if np.abs(rest - value).min() <= high - low:
            continue  # it continues them
        # As one more value of the rest, it lies outside of their tail.
        p_value = float(tail_p_values(np.append(rest, value))[-1])
        if best is None or p_value < best[2]:
            best = (float(value), int(same.sum()), p_value)
    return best if best is not None and best[2] < _SUSPICIOUS else None


_SUSPICIOUS = 1e-3


def _sentinels(
    data: CheckInput,
    codes: list[tuple[int, float, int, float]],
    alpha: float,
    n_columns: int,
) -> Found:
    p_value = np.array([code[3] for code in codes])
    adjusted = np.minimum(p_value * 2 * max(n_columns, 1), 1.0)  # two ends a column
    kept = [i for i in range(len(codes)) if adjusted[i] <= alpha]
    column = np.array([codes[i][0] for i in kept], np.intp)
    table = {
        "column": column,
        "label": labels(data, column),
        "value": np.array([codes[i][1] for i in kept]),
        "n_rows": np.array([codes[i][2] for i in kept], np.intp),
        "p_value": adjusted[kept],
    }
    if not kept:
        return Found("sentinels", table)
    finding = DataFinding(
        "sentinels",
        "high",
        "numbers that seem to mean 'missing':"
        f" {few(f'{v:g}' for v in table['value'])} in {named(data, column)}.",
        float(adjusted[kept].max()),
        "Make them missing values and impute those (SimpleImputer(add_indicator=True));"
        " Tabular... and boosting take missing values as they are.",
        clean_line(data, "sentinels"),
        columns=column,
    )
    return Found("sentinels", table, finding, "values")


def _outliers(
    data: CheckInput,
    cells: list[tuple[int, int, float, float]],
    alpha: float,
    n_cells: int,
) -> Found:
    p_value = np.array([cell[3] for cell in cells])
    # Cells that were not stored have p-values above these.
    padded = np.append(p_value, np.ones(max(n_cells - len(cells), 0)))
    adjusted = benjamini_hochberg(padded)[: len(cells)]
    kept = np.flatnonzero((adjusted <= alpha) & matters_to(data.estimator))
    chosen = [cells[i] for i in kept]
    column = np.array([cell[1] for cell in chosen], np.intp)
    table = {
        "row": np.array([cell[0] for cell in chosen], np.intp),
        "column": column,
        "label": labels(data, column),
        "value": np.array([cell[2] for cell in chosen]),
        "p_value": adjusted[kept],
    }
    if not chosen:
        return Found("outliers", table)
    finding = DataFinding(
        "outliers",
        "medium",
        f"{count(len(chosen), 'value')} outside the tail of their column:"
        f" {few(f'{v:.4g}' for v in table['value'])} in"
        f" {named(data, np.unique(column))}.",
        float(adjusted[kept].max()),
        "Look them up; a RobustScaler or a QuantileTransformer bears those that are real."
        + _WHOM,
        clean_line(data, "outliers"),
        rows=np.unique(table["row"]),
        columns=np.unique(column),
    )
    return Found("outliers", table, finding, "rows")
