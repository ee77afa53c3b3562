"""What every check is given."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from sklearn_deep.inspection.data_checks._finding import DataFinding
from sklearn_deep.inspection.data_checks._out_of_fold import OutOfFold, out_of_fold
from sklearn_deep.inspection.data_checks._rows import TABLE, Rows
from sklearn_deep.inspection.data_checks._target import Target


@dataclass(frozen=True)
class CheckInput:
    """Data, and how they may be looked at.

    Attributes
    ----------
    X, y : object
        As the user gave them.
    rows, rows_test : Rows
    target, target_test : Target or None
    groups : ndarray of shape (n_rows,) or None
        Codes.
    estimator : estimator or None
    alpha : float
        Level of each check: that of the report, divided by the number of checks.
    seed : int
    cv : int
        Number of folds.
    max_rows : int
        Rows that models are fitted to.
    n_jobs : int or None
    """

    X: Any
    y: Any
    rows: Rows
    rows_test: Rows | None
    target: Target | None
    target_test: Target | None
    groups: np.ndarray | None
    estimator: Any
    alpha: float
    seed: int
    cv: int
    max_rows: int
    n_jobs: int | None

    def rng(self, stream: int) -> np.random.Generator:
        """Random numbers of one check, whatever others draw."""
        return np.random.default_rng((self.seed, stream))

    def sample(self, stream: int, n_most: int | None = None) -> np.ndarray:
        """Row numbers, in order: all of them, or as many as a model may be fitted to."""
        n, most = len(self.rows), min(self.max_rows, n_most or self.max_rows)
        if n <= most:
            return np.arange(n)
        return np.sort(self.rng(stream).choice(n, most, replace=False))

    @cached_property
    def out_of_fold(self) -> OutOfFold:
        """Predictions of the estimator on rows that it was not fitted to."""
        return self._predict(robust=False)

    @cached_property
    def robust_out_of_fold(self) -> OutOfFold:
        """The same by a model that a few wrong numbers hardly move, if it is ours."""
        return self._predict(robust=True)

    def _predict(self, robust: bool) -> OutOfFold:
        assert self.target is not None
        return out_of_fold(
            self.X,
            self.rows,
            self.target,
            self.sample(0),
            groups=self.rows.keys if self.groups is None else self.groups,
            estimator=self.estimator,
            n_folds=self.cv,
            rng=self.rng(0),
            n_jobs=self.n_jobs,
            robust=robust,
        )


@dataclass(frozen=True)
class Found:
    """A finding, if there is one, and the table behind it.

    Attributes
    ----------
    table : dict of str to ndarray
        Columns of the report's attribute ``{name}_``.
    finding : DataFinding or None
    removes : {"rows", "columns", "values", ""}
        What ``clean`` does with those of the finding.
    """

    name: str
    table: dict[str, np.ndarray]
    finding: DataFinding | None = None
    removes: str = ""


@dataclass(frozen=True)
class Check:
    """A row of the table of checks.

    Attributes
    ----------
    run : callable
        ``run(data)`` gives a list of Found.
    tables : sequence of str
        Names of the tables that it gives.
    needs : sequence of str
        Among the keys of ``NEEDS``.
    """

    run: Callable[[CheckInput], list[Found]]
    tables: Sequence[str]
    needs: Sequence[str] = ()


def _is_table(data: CheckInput) -> bool:
    return data.rows.kind == TABLE


# What a check needs, and what is said where it is not there.
NEEDS: dict[str, tuple[Callable[[CheckInput], bool], str]] = {
    "y": (lambda data: data.target is not None, "needs y of one column"),
    "classes": (
        lambda data: data.target is not None and data.target.is_classes,
        "needs y of classes",
    ),
    "numbers": (
        lambda data: data.target is not None and not data.target.is_classes,
        "needs y of numbers",
    ),
    "X_test": (lambda data: data.rows_test is not None, "needs X_test"),
    "table": (_is_table, "needs columns: X of two dimensions, or a frame"),
}


def missing_need(check: Check, data: CheckInput) -> str | None:
    """Why a check cannot run, if so."""
    reasons = (NEEDS[need][1] for need in check.needs if not NEEDS[need][0](data))
    return next(reasons, None)
