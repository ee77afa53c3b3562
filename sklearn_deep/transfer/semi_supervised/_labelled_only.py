"""Cross-validation with rows without a label: folds are tested on labelled rows only."""

from typing import Any

import numpy as np
from sklearn.model_selection import BaseCrossValidator, check_cv
from sklearn.utils import _safe_indexing

from sklearn_deep._arguments import names_unknown_arguments
from sklearn_deep.transfer.semi_supervised._labels import split_labels


class LabelledOnly(BaseCrossValidator):
    """Split so that only labelled rows are tested; all others are trained on.

    Plain cross-validation counts -1 as a class and scores the rows without a label as
    errors.

    Parameters
    ----------
    cv : int, cross-validation generator or iterable, default=None
        How labelled rows are split: the number of folds, stratified; or a splitter. None
        means 5 folds.
    unlabelled : object, default=-1
        Value of y in rows without a label, beside None and NaN; None for only those.

    See Also
    --------
    SemiSupervised : Learns from rows without a label.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_deep import LabelledOnly
    >>> y = np.array([0, 1, 0, 1, -1, -1])
    >>> for train, test in LabelledOnly(2).split(np.zeros((6, 1)), y):
    ...     print(train.tolist(), test.tolist())
    [2, 3, 4, 5] [0, 1]
    [0, 1, 4, 5] [2, 3]
    """

    @names_unknown_arguments
    def __init__(self, cv=None, *, unlabelled=-1):
        self.cv = cv
        self.unlabelled = unlabelled

    def split(self, X, y=None, groups=None):
        """Yield indices of training and test rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,), default=None
            Labels.
        groups : array-like of shape (n_samples,), default=None
            Groups of rows, for splitters that take them. Rows without a label, of a group
            that is tested, are not trained on.

        Returns
        -------
        folds : iterator of (ndarray, ndarray)
            Indices of all rows but the tested ones, and of the tested labelled rows.
        """
        rows, labels = self._labelled(y)
        n = len(y)
        of_rows = None if groups is None else np.asarray(groups)[rows]
        splitter = check_cv(5 if self.cv is None else self.cv, labels, classifier=True)
        for _, test in splitter.split(_safe_indexing(X, rows), labels, of_rows):
            tested = rows[test]
            left_out = tested
            if groups is not None:
                inside = np.isin(np.asarray(groups), np.asarray(groups)[tested])
                left_out = np.flatnonzero(inside)
            yield np.setdiff1d(np.arange(n), left_out), tested

    def get_n_splits(self, X=None, y=None, groups=None):
        """Get the number of folds.

        Parameters
        ----------
        X : array-like, default=None
            Features.
        y : array-like, default=None
            Labels.
        groups : array-like, default=None
            Groups of rows.

        Returns
        -------
        n_splits : int
            The number of folds.
        """
        cv: Any = 5 if self.cv is None else self.cv
        if groups is None or y is None:
            return check_cv(cv).get_n_splits(X, y, groups)
        rows, labels = self._labelled(y)
        of_rows = np.asarray(groups)[rows]
        return check_cv(cv, labels, classifier=True).get_n_splits(None, labels, of_rows)

    def _labelled(self, y: Any) -> tuple[np.ndarray, np.ndarray]:
        """Indices of the labelled rows, and their labels."""
        is_labelled, labels = split_labels(type(self).__name__, y, self.unlabelled)
        return np.flatnonzero(is_labelled), labels
