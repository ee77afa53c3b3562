"""The target of the checks: classes or numbers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import is_classifier, is_regressor
from sklearn.utils.validation import column_or_1d

from sklearn_deep.data._missing import refuse_missing_targets

OWNER = "check_data"

# Whole numbers are classes where a class has ten rows or more on average.
_ROWS_PER_CLASS = 10


@dataclass(frozen=True)
class Target:
    """y, and what it is.

    Attributes
    ----------
    values : ndarray of shape (n_rows,)
        As given.
    codes : ndarray of shape (n_rows,)
        Places in ``classes``; numbers as floats in a regression.
    classes : ndarray
        Empty in a regression.
    """

    values: np.ndarray
    codes: np.ndarray
    classes: np.ndarray

    @property
    def is_classes(self) -> bool:
        """Whether the target is a class."""
        return len(self.classes) > 0

    def of_rows(self, rows: np.ndarray) -> "Target":
        """The target of some rows; classes stay."""
        return Target(self.values[rows], self.codes[rows], self.classes)

    def loss(self, predicted: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Brier score or squared error of each row; lower is better."""
        codes = self.codes[rows]
        if not self.is_classes:
            return (codes - predicted) ** 2
        return ((predicted - np.eye(len(self.classes))[codes]) ** 2).sum(1)

    def constant(self, rows: np.ndarray) -> np.ndarray:
        """Loss of each row for a constant prediction."""
        codes = self.codes[rows]
        if not self.is_classes:
            return (codes - codes.mean()) ** 2
        share = np.bincount(codes, minlength=len(self.classes)) / len(codes)
        return self.loss(np.tile(share, (len(codes), 1)), rows)

    def strata(self) -> np.ndarray:
        """Classes, or tenths of the numbers, for folds that are alike."""
        if self.is_classes:
            return self.codes
        edges = np.quantile(self.codes, np.linspace(0, 1, 11)[1:-1])
        return np.searchsorted(edges, self.codes)


def read_target(y: Any, estimator: Any = None, name: str = "y") -> Target | None:
    """Validate y; None where it has several columns.

    Raises
    ------
    ValueError
        For missing values, infinity, or a single class.
    """
    refuse_missing_targets(y, OWNER, name)
    values = np.asarray(y)
    if values.ndim == 2 and values.shape[1] > 1:
        return None
    values = column_or_1d(values)
    if values.dtype.kind == "O" and all(isinstance(v, (int, float)) for v in values):
        values = values.astype(float)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values))[0])
        raise ValueError(
            f"{name}[{row}] of {OWNER} is {values[row]}: leave out rows without a target."
        )
    if not _are_classes(values, estimator):
        return Target(values, values.astype(float), np.empty(0))
    if values.dtype.kind == "O":
        values = values.astype(str)
    classes, codes = np.unique(values, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(
            f"{OWNER} needs at least 2 classes in {name}, got one: {str(classes[0])!r}."
            " Check the split that made it."
        )
    return Target(values, codes, classes)


def _are_classes(values: np.ndarray, estimator: Any) -> bool:
    if estimator is not None and is_classifier(estimator):
        return True
    if values.dtype.kind not in "fiu":
        return True
    if estimator is not None and is_regressor(estimator):
        return False
    whole = bool((values == np.round(values)).all())
    return whole and len(np.unique(values)) * _ROWS_PER_CLASS <= len(values)
