"""What comes in through ``fit``, validated and split; rows are index arrays."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from sklearn_deep.data._rows import merge_equal_rows
from sklearn_deep.data._split import validation_split


@dataclass(frozen=True)
class Part:
    """Rows of a fit: the training part or the validation part.

    Attributes
    ----------
    X : ndarray or CSR matrix of shape (n_all, n_features)
        Shared by the parts; in the compute dtype.
    y : ndarray of shape (n_rows,) or (n_rows, n_targets)
        In the user's labels or units.
    weight : ndarray of shape (n_rows,) or None
        Sample weights, all positive.
    index : ndarray of shape (n_rows,) or None
        Where the rows are in ``X``; None for all, in order.
    """

    X: Any
    y: np.ndarray
    weight: np.ndarray | None
    index: np.ndarray | None = None

    @classmethod
    def make(cls, X: Any, y: np.ndarray, weight: np.ndarray | None) -> "Part":
        """All rows but those of weight zero: they are as if they were not there."""
        part = cls(X, y, weight)
        if weight is not None and not weight.all():
            part = part.take(np.flatnonzero(weight))
        return part

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: np.ndarray) -> "Part":
        """Some of these rows."""
        weight = None if self.weight is None else self.weight[rows]
        index = rows if self.index is None else self.index[rows]
        return Part(self.X, self.y[rows], weight, index)

    def features(self) -> Any:
        """These rows of X; a copy, where they are not all of it."""
        return self.X if self.index is None else self.X[self.index]

    def split(
        self, fraction: float, seed: int, stratify: np.ndarray | None
    ) -> tuple["Part", "Part"]:
        """Set a share of the rows aside."""
        train, aside = validation_split(len(self), fraction, seed, stratify)
        return self.take(train), self.take(aside)

    def merged(self, codes: np.ndarray) -> "Part":
        """Equal rows as one with the sum of their weights, in canonical order."""
        X = self.features()
        if sp.issparse(X):
            X = X.tocsr()
        rows, weight = merge_equal_rows(X, codes, self.weight)
        equal = bool((weight == weight[0]).all())
        return replace(
            self,
            X=X[rows],
            y=self.y[rows],
            weight=None if equal else weight,
            index=None,
        )
