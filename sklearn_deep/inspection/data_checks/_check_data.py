"""The public function: reads the data, divides the level, runs the checks."""

from collections.abc import Iterable
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils import check_consistent_length, check_random_state

from sklearn_deep._params import (
    NONE,
    SEED,
    Number,
    OneOf,
    SequenceOf,
    check_value,
)
from sklearn_deep.inspection.data_checks._finding import SEVERITIES
from sklearn_deep.inspection.data_checks._input import (
    CheckInput,
    Found,
    missing_need,
)
from sklearn_deep.inspection.data_checks._report import DataReport
from sklearn_deep.inspection.data_checks._rows import OWNER, read
from sklearn_deep.inspection.data_checks._table import CHECKS, TABLES
from sklearn_deep.inspection.data_checks._target import Target, read_target

_RULES = {
    "checks": (OneOf("all"), SequenceOf(OneOf(*CHECKS), min_length=1)),
    "level": (Number(low=0, high=1, open_low=True, open_high=True),),
    "cv": (Number(Integral, 2),),
    "max_rows": (Number(Integral, 50),),
    "random_state": SEED,
    "n_jobs": (NONE, Number(Integral)),
}

_FEWEST_ROWS = 10


def check_data(
    X,
    y=None,
    X_test=None,
    y_test=None,
    estimator=None,
    groups=None,
    *,
    checks="all",
    level=0.05,
    cv=5,
    max_rows=10_000,
    random_state=None,
    n_jobs=None,
):
    """Look for what is wrong with training data, and say what to do.

    Checks for duplicates, wrong labels, rows that stand for no others, columns that are
    useless or give the target away, scales that hurt a network, and whether more rows would
    help. Behind each finding is a statistical test: on data without faults, a report has any
    finding with a probability of at most ``level``.

    Parameters
    ----------
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, ...)
        Training rows: a table, as an array or as a frame of pandas or polars, with text,
        categories, dates and missing values; images (n, height, width[, channels]); series
        (n, time, channels); a list of sequences or of texts.
    y : array-like of shape (n_samples,), default=None
        Targets: classes, or numbers. Whole numbers are classes where there are ten rows or
        more per value, unless ``estimator`` is a regressor. Checks that need a target are
        left out without one, or with several columns.
    X_test : {array-like, sparse matrix, DataFrame} of shape (n_test, ...), default=None
        Test rows, or newer ones, to be compared with X.
    y_test : array-like of shape (n_test,), default=None
        Their targets, to be compared with y.
    estimator : estimator, default=None
        The model that is meant for the data; it is cloned, and fitted to folds of X. None
        takes boosting for tables, a small network for images and series, and a linear model
        of letters for texts.
    groups : array-like of shape (n_samples,), default=None
        Rows of one group, such as the pictures of one patient, stay in one fold.
    checks : "all" or sequence of str, default="all"
        Names of the checks, as the keys of ``report.p_values_``.
    level : float, default=0.05
        Probability of any finding on data without faults. It is divided by the number of
        checks that run.
    cv : int, default=5
        Number of folds of predictions.
    max_rows : int, default=10_000
        Rows, drawn at random, that models are fitted to. Copies are looked for among all.
    random_state : int, RandomState instance or None, default=None
        Seed of folds, samples and permutations; an int gives the same report again.
    n_jobs : int, default=None
        Fits of folds that run at once. Networks of the folds are trained as one stack,
        unless another backend is set by :func:`joblib.parallel_config`.

    Returns
    -------
    report : DataReport
        Findings in order of severity, a table per check, and ``clean``.

    Raises
    ------
    InvalidParameterError
        For a parameter out of its range.
    ValueError
        For infinite values, missing targets, a single class, unequal numbers of rows, or
        fewer than 10 rows.

    See Also
    --------
    DataReport : The result.

    References
    ----------
    .. [1] Northcutt, Jiang and Chuang, Confident Learning: Estimating Uncertainty in
       Dataset Labels (2021), arXiv:1911.00068.
    .. [2] Lopez-Paz and Oquab, Revisiting Classifier Two-Sample Tests (2017),
       arXiv:1610.06545.
    .. [3] Hestness et al., Deep Learning Scaling is Predictable, Empirically (2017),
       arXiv:1712.00409.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_deep import check_data
    >>> X, y = load_iris(return_X_y=True)
    >>> order = np.random.default_rng(0).permutation(150)
    >>> X, y = X[order], y[order]
    >>> X[7] = X[3]
    >>> report = check_data(X, y, checks=["duplicates", "constant"], random_state=0)
    >>> report.duplicates_["row"]
    array([7])
    >>> X, y = report.clean(X, y, what="duplicates")
    >>> X.shape
    (149, 4)
    """
    given = {
        "checks": checks,
        "level": level,
        "cv": cv,
        "max_rows": max_rows,
        "random_state": random_state,
        "n_jobs": n_jobs,
    }
    for name, allowed in _RULES.items():
        check_value(OWNER, name, given[name], allowed)
    names = list(CHECKS) if isinstance(checks, str) else list(dict.fromkeys(checks))
    data = _read(X, y, X_test, y_test, estimator, groups, given)
    skipped = {name: missing_need(CHECKS[name], data) for name in names}
    running = [name for name in names if skipped[name] is None]
    data = CheckInput(**{**vars(data), "alpha": level / max(len(running), 1)})
    found = [one for name in running for one in CHECKS[name].run(data)]
    reasons = {name: reason for name, reason in skipped.items() if reason is not None}
    return _report(data, found, reasons)


def _read(
    X: Any,
    y: Any,
    X_test: Any,
    y_test: Any,
    estimator: Any,
    groups: Any,
    given: dict[str, Any],
) -> CheckInput:
    check_consistent_length(X, y, groups)
    check_consistent_length(X_test, y_test)
    rows, rows_test = read(X, X_test)
    if len(rows) < _FEWEST_ROWS:
        raise ValueError(
            f"{OWNER} needs at least {_FEWEST_ROWS} rows, got {len(rows)}: fewer tell"
            " nothing."
        )
    seed = check_random_state(given["random_state"]).randint(2**31 - 1)
    return CheckInput(
        X=X,
        y=y,
        rows=rows,
        rows_test=rows_test,
        target=None if y is None else read_target(y, estimator),
        target_test=_test_target(y_test, estimator),
        groups=None if groups is None else _codes(groups),
        estimator=estimator,
        alpha=given["level"],
        seed=int(seed),
        cv=given["cv"],
        max_rows=given["max_rows"],
        n_jobs=given["n_jobs"],
    )


def _test_target(y_test: Any, estimator: Any) -> Target | None:
    return None if y_test is None else read_target(y_test, estimator, "y_test")


def _codes(groups: Any) -> np.ndarray:
    return np.unique(np.asarray(groups), return_inverse=True)[1]


def _report(
    data: CheckInput, found: Iterable[Found], skipped: dict[str, str]
) -> DataReport:
    found = list(found)
    findings = [one.finding for one in found if one.finding is not None]
    findings.sort(key=lambda f: (SEVERITIES.index(f.severity), f.p_value))
    tables: dict[str, dict[str, np.ndarray]] = {name: {} for name in TABLES}
    tables |= {one.name: one.table for one in found}
    return DataReport(
        findings,
        tables,
        skipped,
        {one.name: one.removes for one in found if one.finding is not None},
        len(data.rows),
        data.rows.index,
    )
