"""``more_data_curve`` and what it gives."""

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.metrics import check_scoring
from sklearn.model_selection import check_cv

from sklearn_deep._params import Number, Rules, SequenceOf, check_value
from sklearn_deep.estimators.core._base import DeepEstimator
from sklearn_deep.estimators.core._layers import as_frame
from sklearn_deep.inspection._power_law import (
    PowerLaw,
    curve_of_folds,
    fit_power_law,
)
from sklearn_deep.inspection.capacity._capacity_curve import score_name, standard_error
from sklearn_deep.inspection.more_data._rows import (
    first_of,
    nested_order,
    rows_in_memory,
)
from sklearn_deep.scale.chunked._chunked_fit import ChunkedFit
from sklearn_deep.scale.chunked._transformers import network_of

_SIZE = Number(Real, 0.0, open_low=True)
_RULES: Rules = {
    "sizes": (SequenceOf(_SIZE, 1),),
    "max_rows": (Number(Integral, 2),),
    "random_state": (Number(Integral, 0, 2**32 - 1),),
}


@dataclass(frozen=True)
class MoreDataCurve:
    """Scores of one network by the number of training rows; ``print`` shows it.

    Parameters
    ----------
    n_rows : ndarray of shape (n_sizes,)
        Training rows, from few to many; each size has the rows of the smaller ones.
    scratch_scores : ndarray of shape (n_sizes, n_folds)
        Scores on the rows left out of networks that begin with new weights; higher is
        better.
    continued_scores : ndarray of shape (n_sizes, n_folds)
        Those of networks that begin with the weights of the next smaller size.
    scratch_seconds, continued_seconds : ndarray of shape (n_sizes,)
        Mean seconds of a fit, transformers included.
    scoring : str
        Name of the score.

    See Also
    --------
    more_data_curve : Makes one.
    MoreDataCurveDisplay : Plots it.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_deep import MoreDataCurve
    >>> curve = MoreDataCurve(
    ...     n_rows=np.array([100, 200, 400]),
    ...     scratch_scores=np.array([[0.80, 0.82], [0.87, 0.87], [0.91, 0.92]]),
    ...     continued_scores=np.array([[0.80, 0.82], [0.86, 0.88], [0.91, 0.91]]),
    ...     scratch_seconds=np.array([0.1, 0.2, 0.4]),
    ...     continued_seconds=np.array([0.1, 0.1, 0.2]),
    ...     scoring="accuracy",
    ... )
    >>> expected, low, high = curve.expected_score(800)
    >>> bool(low < expected < high)
    True
    """

    n_rows: np.ndarray
    scratch_scores: np.ndarray
    continued_scores: np.ndarray
    scratch_seconds: np.ndarray
    continued_seconds: np.ndarray
    scoring: str

    def expected_score(self, n_rows, level=0.9):
        """Expect a score for another number of rows, by a power law of the error.

        The law of [1]_, with the interval of its parameters.

        Parameters
        ----------
        n_rows : int
            Number of training rows; more than there were extrapolates.
        level : float, default=0.9
            Probability of the interval, in (0, 1).

        Returns
        -------
        expected, low, high : float
            Median and interval of the mean score from scratch.

        Raises
        ------
        ValueError
            For fewer than 3 sizes or 2 folds, which tell no law.

        References
        ----------
        .. [1] Hestness et al., "Deep learning scaling is predictable, empirically",
               arXiv:1712.00409.
        """
        law = self._law()
        low, high = law.interval(n_rows, level)
        best = self._best
        return best - law.predict(n_rows), best - high, best - low

    @property
    def _best(self) -> float:
        """The score that no network exceeds: errors are measured from there."""
        return 0.0 if self.scoring.startswith("neg_") else 1.0

    def _law(self) -> PowerLaw:
        if self.scratch_scores.shape[1] < 2 or len(self.n_rows) < 3:
            raise ValueError(
                "expected_score needs 3 sizes and 2 folds at least; got"
                f" {len(self.n_rows)} and {self.scratch_scores.shape[1]}."
            )
        n_folds = self.scratch_scores.shape[1]
        errors = (self._best - self.scratch_scores).T
        mean, covariance, dof = curve_of_folds(errors, shared_rows=1 / (n_folds - 1))
        return fit_power_law(self.n_rows, mean, covariance, dof=dof)

    def to_frame(self):
        """Convert the curve to a DataFrame, or to a list of dicts without pandas.

        Returns
        -------
        frame : DataFrame
            One row per size: rows, mean scores with standard errors, seconds.
        """
        return as_frame([self._row(i) for i in range(len(self.n_rows))])

    def _row(self, i: int) -> dict[str, Any]:
        scratch, continued = self.scratch_scores[i], self.continued_scores[i]
        return {
            "n_rows": int(self.n_rows[i]),
            "scratch_score": float(scratch.mean()),
            "scratch_error": standard_error(scratch),
            "continued_score": float(continued.mean()),
            "continued_error": standard_error(continued),
            "scratch_seconds": float(self.scratch_seconds[i]),
            "continued_seconds": float(self.continued_seconds[i]),
        }

    def __str__(self) -> str:
        head = ("rows", "scratch", "+/-", "continued", "+/-", "seconds", "continued")
        rows = [head, *(self._cells(i) for i in range(len(self.n_rows)))]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True))
            for row in rows
        ]
        return "\n".join([*lines, self.scoring])

    def _cells(self, i: int) -> tuple[str, ...]:
        row = self._row(i)
        return (
            f"{row['n_rows']:,}",
            f"{row['scratch_score']:.4g}",
            f"{row['scratch_error']:.2g}",
            f"{row['continued_score']:.4g}",
            f"{row['continued_error']:.2g}",
            f"{row['scratch_seconds']:.2g}",
            f"{row['continued_seconds']:.2g}",
        )


def more_data_curve(
    estimator,
    X,
    y=None,
    *,
    sizes=(0.1, 0.2, 0.4, 0.7, 1.0),
    cv=3,
    scoring=None,
    max_rows=100_000,
    random_state=0,
):
    """Train a network on more and more rows: from scratch, and from smaller weights.

    Tells whether more rows would help, and whether a network that is there can be trained
    further as they come, in place of a new one. Sizes are nested random subsets of the
    training rows of each fold, stratified by class.

    Parameters
    ----------
    estimator : estimator or Pipeline
        A network, or a Pipeline that ends in one; of a :class:`ChunkedFit` the one inside.
        It is not changed.
    X : source, or array-like of shape (n_samples, ...)
        Rows, or a source of chunks as :class:`ChunkedFit` takes it, of which a random
        sample is read into memory.
    y : array-like of shape (n_samples,) or str, default=None
        Targets, or the name of a column of the source.
    sizes : sequence of float or int, default=(0.1, 0.2, 0.4, 0.7, 1.0)
        Training rows: shares of those of a fold up to 1, or numbers of rows above.
    cv : int, splitter or iterable, default=3
        Folds, as GridSearchCV takes them.
    scoring : str, callable or None, default=None
        One score; None for the estimator's own ``score``.
    max_rows : int, default=100_000
        Rows that are read of a source.
    random_state : int, default=0
        Seed of the subsets, and of the rows that are read of a source.

    Returns
    -------
    curve : MoreDataCurve
        Scores and seconds by number of rows.

    Raises
    ------
    ValueError
        For sizes that are larger than the training rows of a fold.
    TypeError
        If there is no network, or it cannot be trained further.

    See Also
    --------
    MoreDataCurveDisplay : Plots the curve.
    capacity_curve : Scores by the size of the network.
    diagnose : What limits a network.

    Notes
    -----
    A network that goes on from a smaller size keeps what that one learnt of the encoding of
    X and y, as with ``warm_start=True``; transformers of a Pipeline are fitted anew.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_deep import MLPClassifier, more_data_curve
    >>> X, y = load_iris(return_X_y=True)
    >>> net = MLPClassifier((16,), max_epochs=20, random_state=0)
    >>> curve = more_data_curve(net, X, y, sizes=[0.2, 0.5, 1.0], cv=2)
    >>> curve.n_rows
    array([15, 38, 75])
    """
    for name, value in (
        ("sizes", sizes),
        ("max_rows", max_rows),
        ("random_state", random_state),
    ):
        check_value("more_data_curve", name, value, _RULES[name])
    if isinstance(estimator, ChunkedFit):
        estimator = estimator.estimator
    _check_network(estimator)
    scorer = check_scoring(estimator, scoring=scoring)
    X, y = rows_in_memory(X, y, max_rows, random_state)
    labels = _labels(estimator, y)
    folds = list(check_cv(cv, y, classifier=labels is not None).split(X, y))
    fewest = min(len(train) for train, _ in folds)
    numbers = _numbers(sizes, fewest)
    runs = [
        _Fold(estimator, X, y, labels, train, test, random_state).run(numbers, scorer)
        for train, test in folds
    ]
    scratch, continued, seconds, further = (
        np.array(part).T for part in zip(*runs, strict=True)
    )
    return MoreDataCurve(
        n_rows=np.array(numbers),
        scratch_scores=scratch,
        continued_scores=continued,
        scratch_seconds=seconds.mean(1),
        continued_seconds=further.mean(1),
        scoring=score_name(estimator, scoring),
    )


class _Fold:
    """Fits of all sizes on the training rows of one fold."""

    def __init__(
        self,
        estimator: Any,
        X: Any,
        y: Any,
        labels: np.ndarray | None,
        train: np.ndarray,
        test: np.ndarray,
        seed: int,
    ):
        self._estimator, self._X, self._y = estimator, X, y
        of_train = None if labels is None else labels[train]
        self._order = train[nested_order(of_train, len(train), seed)]
        self._test = first_of(X, y, test)

    def run(self, numbers: Sequence[int], scorer: Any) -> tuple[list[float], ...]:
        """Scores and seconds of each size, from scratch and continued."""
        found: list[list[float]] = []
        smaller = None
        for n in numbers:
            rows = first_of(self._X, self._y, np.sort(self._order[:n]))
            scratch, seconds = _timed(clone(self._estimator), rows)
            further, time_of = scratch, seconds
            if smaller is not None:
                further, time_of = _timed(_continuing(smaller), rows)
            scores = [scorer(model, *self._test) for model in (scratch, further)]
            found.append([*scores, seconds, time_of])
            smaller = further
        return tuple(list(column) for column in zip(*found, strict=True))


def _check_network(estimator: Any) -> None:
    network = network_of(estimator)
    if isinstance(network, DeepEstimator) and "warm_start" in network.get_params(False):
        return
    raise TypeError(
        "more_data_curve needs a network of sklearn_deep, or a Pipeline that ends in one;"
        f" got {type(network).__name__}, which cannot be trained further."
    )


def _timed(model: Any, rows: tuple[Any, Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    return model.fit(*rows), time.perf_counter() - start


def _continuing(fitted: Any) -> Any:
    """A copy of a fitted estimator whose network goes on from its weights."""
    model = copy.deepcopy(fitted)
    network_of(model).set_params(warm_start=True)
    return model


def _labels(estimator: Any, y: Any) -> np.ndarray | None:
    """Labels of a classifier; None where rows have no single label."""
    values = np.asarray(y)
    return values if is_classifier(estimator) and values.ndim == 1 else None


def _numbers(sizes: Sequence[float], most: int) -> list[int]:
    """Numbers of training rows, sorted, each once."""
    found = [round(s * most) if s <= 1 and not _is_count(s) else int(s) for s in sizes]
    wrong = [n for n in found if not 1 <= n <= most]
    if wrong:
        raise ValueError(
            f"sizes of more_data_curve ask for {wrong[0]} training rows, and a fold has"
            f" {most}. Give shares of them up to 1, or numbers from 2 to {most}."
        )
    return sorted(set(found))


def _is_count(size: float) -> bool:
    return isinstance(size, Integral) and size > 1
