"""``capacity_curve`` and what it gives."""

import math
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.metrics import check_scoring
from sklearn.model_selection import GridSearchCV

from sklearn_deep._params import (
    InstanceOf,
    Number,
    OneOf,
    Rules,
    SequenceOf,
    check_value,
)
from sklearn_deep.estimators.core._fit_warnings import without_fit_warnings
from sklearn_deep.estimators.core._fitted import fitted_of
from sklearn_deep.estimators.core._layers import as_frame, n_bytes, n_values
from sklearn_deep.inspection._fit_curve import find_network
from sklearn_deep.inspection.capacity._sizes import size_settings
from sklearn_deep.inspection.summary._before_fit import initial_state
from sklearn_deep.training.stacking._backend import stacked_by_default

_FACTOR = Number(Real, 0.0, open_low=True)
_RULES: Rules = {
    "sizes": (
        OneOf("auto"),
        SequenceOf(_FACTOR, 2),
        InstanceOf((dict,), "a dict of parameters to lists"),
        SequenceOf(InstanceOf((dict,), "a dict"), 1),
    )
}


@dataclass(frozen=True)
class CapacityCurve:
    """Train and test scores of one network in several sizes; ``print`` shows it.

    The sizes are in the order of their numbers of parameters.

    Parameters
    ----------
    params : list of dict
        Parameters of the estimator that make each size.
    n_parameters : ndarray of shape (n_sizes,)
        Parameters of the network.
    train_scores, test_scores : ndarray of shape (n_sizes, n_folds)
        Scores on the rows of each fold's fit, and on those left out; higher is better.
    seconds : ndarray of shape (n_sizes,)
        Mean seconds of a fit's training; in a stack, its share.
    n_bytes : ndarray of shape (n_sizes,)
        Bytes of the network's parameters.
    scoring : str
        Name of the score.

    Attributes
    ----------
    best_index : int
        The size with the best mean test score.
    smallest_index : int
        The smallest size whose mean test score is within one standard error of the best
        (the rule of Breiman et al., 1984): prefer it.
    double_descent : bool
        Whether the test error falls, rises above the interpolation of the training rows,
        and falls again, each by more than one standard error [1]_.

    See Also
    --------
    capacity_curve : Makes one.
    CapacityCurveDisplay : Plots it.

    References
    ----------
    .. [1] Belkin et al., "Reconciling modern machine-learning practice and the classical
       bias-variance trade-off", arXiv:1812.11118.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_deep import CapacityCurve
    >>> curve = CapacityCurve(
    ...     params=[{"hidden_layer_sizes": (n,)} for n in (4, 64)],
    ...     n_parameters=np.array([25, 385]),
    ...     train_scores=np.array([[0.90, 0.92], [1.0, 1.0]]),
    ...     test_scores=np.array([[0.88, 0.91], [0.89, 0.90]]),
    ...     seconds=np.array([0.1, 0.2]),
    ...     n_bytes=np.array([200, 3080]),
    ...     scoring="accuracy",
    ... )
    >>> curve.params[curve.smallest_index]
    {'hidden_layer_sizes': (4,)}
    """

    params: list[dict[str, Any]]
    n_parameters: np.ndarray
    train_scores: np.ndarray
    test_scores: np.ndarray
    seconds: np.ndarray
    n_bytes: np.ndarray
    scoring: str

    @property
    def best_index(self) -> int:
        """The size with the best mean test score."""
        return int(np.argmax(self.test_scores.mean(1)))

    @property
    def smallest_index(self) -> int:
        """The smallest size within one standard error of the best."""
        best = self.best_index
        least = self.test_scores[best].mean() - standard_error(self.test_scores[best])
        return int(np.argmax(self.test_scores.mean(1) >= least))

    @property
    def double_descent(self) -> bool:
        """Whether the test error falls a second time, after a peak."""
        means = self.test_scores.mean(1)
        return any(
            self._is_worse(i, int(np.argmax(means[:i])))
            and self._is_worse(i, i + 1 + int(np.argmax(means[i + 1 :])))
            for i in range(1, len(means) - 1)
        )

    def _is_worse(self, i: int, than: int) -> bool:
        """Whether a size is worse by more than the error of the folds' differences."""
        gain = self.test_scores[than] - self.test_scores[i]
        return bool(gain.mean() > standard_error(gain))

    def to_frame(self):
        """Convert the curve to a DataFrame, or to a list of dicts without pandas.

        Returns
        -------
        frame : DataFrame
            One row per size: its parameters, numbers, mean scores and standard errors.
        """
        return as_frame([self._row(i) for i in range(len(self.params))])

    def _row(self, i: int) -> dict[str, Any]:
        return {
            **self.params[i],
            "n_parameters": int(self.n_parameters[i]),
            "train_score": float(self.train_scores[i].mean()),
            "test_score": float(self.test_scores[i].mean()),
            "standard_error": standard_error(self.test_scores[i]),
            "seconds": float(self.seconds[i]),
            "bytes": int(self.n_bytes[i]),
        }

    def __str__(self) -> str:
        head = ("", "parameters", "train", "test", "+/-", "seconds", "bytes")
        rows = [head, *(self._cells(i) for i in range(len(self.params)))]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        chosen = self.params[self.smallest_index]
        said = ", ".join(f"{name}={value!r}" for name, value in chosen.items())
        return "\n".join(
            [*lines, f"{self.scoring}; * smallest within one standard error: {said}"]
        )

    def _cells(self, i: int) -> tuple[str, ...]:
        row = self._row(i)
        return (
            "*" if i == self.smallest_index else "",
            f"{row['n_parameters']:,}",
            *(f"{row[k]:.4g}" for k in ("train_score", "test_score")),
            f"{row['standard_error']:.2g}",
            f"{row['seconds']:.2g}",
            f"{row['bytes']:,}",
        )


def standard_error(scores: np.ndarray) -> float:
    """Standard error of the mean of folds; 0 for one fold."""
    n = len(scores)
    return float(scores.std(ddof=1) / math.sqrt(n)) if n > 1 else 0.0


def capacity_curve(
    estimator, X, y, *, sizes="auto", cv=5, scoring=None, groups=None, n_jobs=None
):
    """Cross-validate a network in several sizes, from small to large.

    All fits are one search: without ``n_jobs``, and outside of a
    :func:`joblib.parallel_config`, they run with the backend ``"stacked"``, which trains
    the folds of a size at once.

    Parameters
    ----------
    estimator : estimator or Pipeline
        A network, or a Pipeline or other meta-estimator around one; it is not changed.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Rows.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Targets.
    sizes : "auto", sequence of float, dict or list of dict, default="auto"
        Factors of the widths of all layers (``hidden_layer_sizes``, ``conv_channels``,
        ``hidden_size``); "auto" is 1/16, 1/8, ..., 4. A dict is a grid of parameters, as
        :class:`sklearn.model_selection.GridSearchCV` takes it: depths, own modules.
    cv : int, splitter or iterable, default=5
        Folds, as GridSearchCV takes them.
    scoring : str, callable or None, default=None
        One score; None for the estimator's own ``score``.
    groups : array-like of shape (n_samples,), default=None
        Groups for the splitter.
    n_jobs : int, default=None
        Processes, in place of stacks.

    Returns
    -------
    curve : CapacityCurve
        Scores by number of parameters.

    Raises
    ------
    ValueError
        If no parameter holds the widths, and ``sizes`` names none.

    See Also
    --------
    CapacityCurveDisplay : Plots the curve.
    summary : The layers of one size.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_deep import MLPClassifier, capacity_curve
    >>> X, y = load_iris(return_X_y=True)
    >>> net = MLPClassifier((16,), max_epochs=30, random_state=0)
    >>> curve = capacity_curve(net, X, y, sizes=[0.25, 1, 4], cv=3)
    >>> curve.n_parameters
    array([ 35, 131, 515])
    """
    check_value("capacity_curve", "sizes", sizes, _RULES["sizes"])
    present, _ = initial_state(estimator, X, y, None, 1)
    settings = size_settings(estimator, present.architecture, sizes)
    scorer = check_scoring(estimator, scoring=scoring)
    search = GridSearchCV(
        clone(estimator),
        [{name: [value] for name, value in s.items()} for s in settings],
        scoring=_Measures(scorer),
        cv=cv,
        n_jobs=n_jobs,
        refit=False,
        return_train_score=True,
        error_score="raise",
    )
    with without_fit_warnings(), stacked_by_default():
        search.fit(X, y, **({} if groups is None else {"groups": groups}))
    return _curve(search.cv_results_, settings, score_name(estimator, scoring))


class _Measures:
    """A scorer that tells the size of the network too, and how long it was trained."""

    def __init__(self, scorer: Any) -> None:
        self.scorer = scorer

    def __call__(self, estimator: Any, X: Any, y: Any) -> dict[str, float]:
        fitted = fitted_of(find_network(estimator, "capacity_curve"))
        return {
            "score": self.scorer(estimator, X, y),
            "n_parameters": n_values(fitted.module),
            "n_bytes": n_bytes(fitted.module),
            "seconds": fitted.history[-1]["seconds"],
        }


def score_name(estimator: Any, scoring: Any) -> str:
    """Name of a score, for tables and axes."""
    if isinstance(scoring, str):
        return scoring
    if callable(scoring):
        return getattr(scoring, "__name__", str(scoring))
    known = {is_classifier: "accuracy", is_regressor: "R2"}
    names = [name for holds, name in known.items() if holds(estimator)]
    return names[0] if names else f"score of {type(estimator).__name__}"


def _curve(
    results: dict[str, Any], settings: list[dict[str, Any]], scoring: str
) -> CapacityCurve:
    order = np.argsort(results["mean_test_n_parameters"], kind="stable")
    of_folds = {
        part: np.column_stack(
            [
                results[name]
                for name in results
                if name.startswith("split") and name.endswith(f"_{part}_score")
            ]
        )[order]
        for part in ("train", "test")
    }
    return CapacityCurve(
        params=[settings[i] for i in order],
        n_parameters=results["mean_test_n_parameters"][order].round().astype(int),
        train_scores=of_folds["train"],
        test_scores=of_folds["test"],
        seconds=results["mean_test_seconds"][order],
        n_bytes=results["mean_test_n_bytes"][order].round().astype(int),
        scoring=scoring,
    )
