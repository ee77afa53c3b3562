"""Targets that are probably wrong: labels, and numbers."""

import numpy as np

from sklearn_deep.inspection.data_checks._finding import DataFinding
from sklearn_deep.inspection.data_checks._input import CheckInput, Found
from sklearn_deep.inspection.data_checks._label_noise import (
    fit_floor,
    margins,
    suspects,
)
from sklearn_deep.inspection.data_checks._multiplicity import benjamini_hochberg
from sklearn_deep.inspection.data_checks._sentences import few, rows_line, share
from sklearn_deep.inspection.data_checks._tails import tail_p_values


def labels(data: CheckInput) -> list[Found]:
    """Labels that a model of the other rows contradicts with confidence."""
    assert data.target is not None
    result, classes = data.out_of_fold, data.target.classes
    codes, predicted = data.target.codes[result.rows], result.predicted
    best = predicted.argmax(1)
    floor = fit_floor(margins(predicted), best != codes)
    given = predicted[np.arange(len(codes)), codes]
    doubt = np.flatnonzero(suspects(predicted, codes) & (best != codes))
    doubt = doubt[np.argsort(given[doubt] - predicted[doubt].max(1), kind="stable")]
    table = {
        "row": result.rows[doubt],
        "given": classes[codes[doubt]],
        "suggested": classes[best[doubt]],
        "p_given": given[doubt],
        "p_wrong": floor.wrong[doubt],
    }
    candidates = Found("label_candidates", table)
    sure = floor.wrong[doubt] > 0.5
    if floor.p_value > data.alpha or not sure.any():
        return [candidates, Found("labels", {k: v[:0] for k, v in table.items()})]
    table = {name: column[sure] for name, column in table.items()}
    finding = DataFinding(
        "labels",
        "high",
        f"about {100 * floor.rate:.2g} % of the labels look wrong:"
        f" {share(int(sure.sum()), len(codes))} contradicting a model of the others where"
        f" it is sure (rows {few(table['row'])}); about"
        f" {100 * table['p_wrong'].mean():.0f} % of these are wrong.",
        floor.p_value,
        "Look the first ones up; leave out or correct what is wrong, in the training rows"
        " only.",
        rows_line(data, "labels"),
        rows=table["row"],
    )
    return [candidates, Found("labels", table, finding, "rows")]


def target_outliers(data: CheckInput) -> list[Found]:
    """Numbers that lie too far from what a model of the other rows predicts."""
    assert data.target is not None
    result = data.robust_out_of_fold
    residual = data.target.codes[result.rows] - result.predicted
    scaled = residual / _spread_around(result.predicted, residual)
    adjusted = benjamini_hochberg(tail_p_values(scaled))
    found = np.flatnonzero(adjusted <= data.alpha)
    found = found[np.argsort(adjusted[found], kind="stable")]
    table = {
        "row": result.rows[found],
        "given": data.target.codes[result.rows][found],
        "predicted": result.predicted[found],
        "p_value": adjusted[found],
    }
    if not len(found):
        return [Found("target_outliers", table)]
    finding = DataFinding(
        "target_outliers",
        "medium",
        f"{share(len(found), len(residual))} with a target outside the tail of the"
        f" other residuals (rows {few(table['row'])}).",
        float(adjusted[found].max()),
        "Look them up for slips of unit or decimals; a robust loss"
        " (loss='huber') bears those that are real.",
        rows_line(data, "target_outliers"),
        rows=table["row"],
    )
    return [Found("target_outliers", table, finding, "rows")]


_N_BINS = 10


def _spread_around(predicted: np.ndarray, residual: np.ndarray) -> np.ndarray:
    """Median absolute residual among rows with similar predictions."""
    order = np.argsort(predicted, kind="stable")
    n_bins = int(np.clip(len(residual) // 100, 1, _N_BINS))
    spread = np.empty(len(residual))
    least = np.median(np.abs(residual)) / 10
    for part in np.array_split(order, n_bins):
        spread[part] = np.median(np.abs(residual[part]))
    return np.maximum(spread, max(least, 1e-300))
