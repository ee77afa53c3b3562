"""``diagnose`` and what it gives."""

import html
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_deep.estimators.core._layers import as_frame
from sklearn_deep.inspection.diagnosis._changes import Change
from sklearn_deep.inspection.diagnosis._evidence import Evidence, Scores, gather
from sklearn_deep.inspection.diagnosis._paired import Difference
from sklearn_deep.inspection.diagnosis._verdicts import Verdict, judge

CANNOT_TELL = "cannot tell"

# Advice is given from this confidence in a gain on; a search tries what is likelier to
# help than not.
_ADVISED, _WORTH_TRYING = 0.8, 0.6
_MOST_DROPOUT = 0.8


@dataclass(frozen=True)
class Advice:
    """A change and what it is expected to gain."""

    change: Change
    gain: Difference

    def __str__(self) -> str:
        return (
            f"{self.change}: expected {self.gain.mean:+.3g} ± {self.gain.error:.2g}"
            f" ({self.gain.probability_above():.0%} sure of a gain)"
        )


@dataclass(frozen=True)
class Diagnosis:
    """Verdicts on a model with their evidence; ``print`` shows the report.

    Made by :func:`diagnose`.

    Parameters
    ----------
    estimator_name : str
        Class of the estimator.
    verdicts : list of Verdict
        All verdicts, the most certain first; each has a ``name``, a ``confidence`` in
        [0, 1], and says what it rests on. One ``holds`` from a confidence of 0.9 on.
    main : Verdict or None
        The one that counts most; None where nothing is certain.
    advice : list of Advice
        Changes that are 80 % sure to help, the largest expected gain first.
    evidence : Evidence
        All scores.

    Attributes
    ----------
    verdict : str
        Name of the main verdict, or ``"cannot tell"``.

    See Also
    --------
    diagnose : Makes one.
    DiagnosisDisplay : Plots it.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_deep import MLPClassifier, diagnose
    >>> X, y = load_iris(return_X_y=True)
    >>> net = MLPClassifier((16,), max_epochs=5, random_state=0)
    >>> diagnosis = diagnose(net, X, y, cv=3)
    >>> str(diagnosis.advice[0].change)
    'learning_rate 0.005 -> 0.025'
    """

    estimator_name: str
    verdicts: list[Verdict]
    main: Verdict | None
    advice: list[Advice]
    evidence: Evidence

    @property
    def verdict(self) -> str:
        """Name of the main verdict, or ``"cannot tell"``."""
        return CANNOT_TELL if self.main is None else self.main.name

    def suggested_search(self):
        """Parameters for the next search: the present values, and what may be better.

        Returns
        -------
        param_distributions : dict of str to list
            For :class:`sklearn.model_selection.RandomizedSearchCV` or as a grid; empty
            where no change promises anything.
        """
        found: dict[str, list[Any]] = {}
        for change, gain in self._by_gain():
            if gain.probability_above() >= _WORTH_TRYING:
                for name, value in change.params.items():
                    _extend(
                        found.setdefault(name, []), name, change.before[name], value
                    )
        return found

    def _by_gain(self) -> list[tuple[Change, Difference]]:
        pairs = [
            (change, self.evidence.gain(name))
            for name, (change, _) in self.evidence.changed.items()
        ]
        return sorted(pairs, key=lambda pair: -pair[1].mean)

    def to_frame(self):
        """Convert the evidence to a DataFrame, or to a list of dicts without pandas.

        Returns
        -------
        frame : DataFrame
            One row per model: the estimator, its changes, other models; with mean scores,
            the gain over the estimator, its standard error and the confidence in it.
        """
        evidence = self.evidence
        rows = [_row(self.estimator_name, "", evidence.base, None)]
        rows += [
            _row(name, str(change), scores, evidence.gain(name))
            for name, (change, scores) in evidence.changed.items()
        ]
        rows += [
            _row(name, "", scores, evidence.gain(name))
            for name, scores in evidence.references.items()
        ]
        return as_frame(rows)

    def __str__(self) -> str:
        evidence = self.evidence
        lines = [
            f"{self.estimator_name}: {self.verdict}",
            f"  {evidence.scoring} {evidence.base.test.mean():.4g} ±"
            f" {evidence.error():.2g} on rows left out, {evidence.base.train.mean():.4g}"
            f" on training rows, {evidence.n_fits} networks trained",
            "verdicts",
            *(f"  {v.confidence:4.0%}  {v.name}: {v.because}" for v in self.verdicts),
            "advice" if self.advice else "advice: none of the changes is sure to help",
            *(f"  {advice}" for advice in self.advice),
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Show the report in notebooks."""
        rows = "".join(
            f"<tr><td>{v.confidence:.0%}</td><td>{html.escape(v.name)}</td>"
            f'<td style="text-align:left">{html.escape(v.because)}</td></tr>'
            for v in self.verdicts
        )
        advice = "".join(f"<li>{html.escape(str(a))}</li>" for a in self.advice)
        title = html.escape(f"{self.estimator_name}: {self.verdict}")
        return f"<b>{title}</b><table>{rows}</table><ul>{advice}</ul>"


def _row(
    name: str, change: str, scores: Scores, gain: Difference | None
) -> dict[str, Any]:
    return {
        "model": name,
        "change": change,
        "train_score": float(scores.train.mean()),
        "test_score": float(scores.test.mean()),
        "gain": 0.0 if gain is None else gain.mean,
        "standard_error": 0.0 if gain is None else gain.error,
        "confidence": np.nan if gain is None else gain.probability_above(),
    }


def _extend(values: list[Any], name: str, before: Any, after: Any) -> None:
    """Add the old and the new value, and for numbers one as far on again."""
    for value in (before, after, *_further(name, before, after)):
        if value not in values:
            values.append(value)


def _further(name: str, before: Any, after: Any) -> list[Any]:
    numbers = not isinstance(after, (bool, tuple)) and before and after
    if not numbers:
        return []
    beyond = after * after / before
    if name.endswith("dropout") and beyond > _MOST_DROPOUT:
        return []
    return [round(beyond) if isinstance(after, int) else float(beyond)]


def diagnose(estimator, X, y, *, cv=5, scoring=None, groups=None, n_jobs=None):
    """Tell what keeps a network from a better score, and what to change.

    It cross-validates the estimator, the estimator on fewer rows and with another random
    state, and after each change of parameters that may help, beside a constant, a linear
    model and boosting on the same folds. A verdict rests on differences of scores on rows
    left out, row by row where the score is a mean over rows, with the variance that folds
    with common training rows have [1]_, moderated over the comparisons [3]_, and on a power
    law of the learning curve [2]_; confidences are corrected for the number of changes that
    were tried. With 5 folds or more, changes without a prospect on the first two are not
    tried on the others.

    Parameters
    ----------
    estimator : estimator or Pipeline
        A network, or a Pipeline around one; it is not changed.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Rows, as its ``fit`` takes them.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Targets.
    cv : int, splitter or iterable, default=5
        Folds; at least 3.
    scoring : str, callable or None, default=None
        Score, higher is better. None is the mean log-likelihood of the classes for
        classifiers, which tells more from few rows than counts of errors, and R^2 for
        regressors.
    groups : array-like of shape (n_samples,), default=None
        Groups for the splitter.
    n_jobs : int, default=None
        Processes; without them, and outside of a :func:`joblib.parallel_config`, the
        networks are trained in stacks.

    Returns
    -------
    diagnosis : Diagnosis
        Verdicts, advice, and the scores behind them.

    Raises
    ------
    TypeError
        If there is no network in ``estimator``.
    ValueError
        For fewer than 3 folds.

    See Also
    --------
    DiagnosisDisplay : Plots the diagnosis.
    capacity_curve : Errors by the number of parameters.

    References
    ----------
    .. [1] Nadeau and Bengio, "Inference for the Generalization Error", 2003,
       https://doi.org/10.1023/A:1024068626366.
    .. [2] Hestness et al., "Deep Learning Scaling is Predictable, Empirically",
       arXiv:1712.00409.
    .. [3] Smyth, "Linear Models and Empirical Bayes Methods", 2004,
       https://doi.org/10.2202/1544-6115.1027.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_deep import MLPClassifier, diagnose
    >>> X, y = load_iris(return_X_y=True)
    >>> net = MLPClassifier((16,), max_epochs=5, random_state=0)
    >>> diagnose(net, X, y, cv=3).verdict
    'learning rate too low'
    """
    evidence = gather(estimator, X, y, cv, scoring, groups, n_jobs)
    verdicts, main = judge(evidence)
    gains = [(c, evidence.gain(name)) for name, (c, _) in evidence.changed.items()]
    advice = [Advice(c, g) for c, g in gains if g.probability_above() >= _ADVISED]
    advice.sort(key=lambda one: -one.gain.mean)
    return Diagnosis(type(estimator).__name__, verdicts, main, advice, evidence)
