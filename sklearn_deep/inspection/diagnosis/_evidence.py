"""All scores that the verdicts rest on, from a few stacked searches."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.model_selection import GridSearchCV, check_cv, train_test_split

from sklearn_deep.estimators.core._fit_warnings import without_fit_warnings
from sklearn_deep.inspection._named_network import named_network
from sklearn_deep.inspection._power_law import PowerLaw, curve_of_folds, fit_power_law
from sklearn_deep.inspection.diagnosis._changes import Change, Present, changes_of
from sklearn_deep.inspection.diagnosis._paired import Difference, paired
from sklearn_deep.inspection.diagnosis._references import references
from sklearn_deep.inspection.diagnosis._scoring import Measures, chosen_scorer
from sklearn_deep.inspection.summary._before_fit import initial_state
from sklearn_deep.training.job._seeds import draw_seed
from sklearn_deep.training.stacking._backend import stacked_by_default

# Shares of the training rows of the learning curve.
SHARES = (0.15, 0.3, 0.55, 1.0)

# A gap of training and test score from this confidence on calls for regularisation.
_GAP = 0.9


@dataclass(frozen=True)
class Scores:
    """Scores of one model on the folds, on training rows and on those left out."""

    train: np.ndarray
    test: np.ndarray
    chance: np.ndarray


@dataclass(frozen=True)
class Evidence:
    """What was measured.

    Attributes
    ----------
    scoring : str
    perfect : float
        Score of a perfect model; NaN if unknown.
    base : Scores
        The estimator as it is.
    reseeded : Scores
        The same with another random state.
    sizes : ndarray of shape (n_sizes,)
        Mean numbers of training rows of the learning curve.
    curve : ndarray of shape (n_folds, n_sizes)
        Test scores.
    changed : dict of str to (Change, Scores)
        The estimator after each change that was tried.
    references : dict of str to Scores
        Other models.
    test_share : float
        Test rows per training row.
    n_fits : int
        Networks that were trained.
    """

    scoring: str
    perfect: float
    base: Scores
    reseeded: Scores
    sizes: np.ndarray
    curve: np.ndarray
    changed: dict[str, tuple[Change, Scores]]
    references: dict[str, Scores]
    test_share: float
    n_fits: int

    def gain(self, name: str) -> Difference:
        """What a change, or another model, gains on rows left out."""
        scores = self.references.get(name)
        if scores is None:
            scores = self.changed[name][1]
        return paired(scores.test, self.base.test, self.test_share)

    def gap(self) -> Difference:
        """By how much the training score is above that of rows left out."""
        return paired(self.base.train, self.base.test, self.test_share)

    def error(self) -> float:
        """Standard error of the mean test score."""
        n = len(self.base.test)
        return float(self.base.test.std(ddof=1) * np.sqrt(1 / n + self.test_share))

    def law(self) -> PowerLaw | None:
        """The learning curve as a power law of the distance to a perfect score."""
        top = 0.0 if np.isnan(self.perfect) else self.perfect
        mean, covariance, dof = curve_of_folds(
            top - self.curve, shared_rows=self.test_share
        )
        if not np.isfinite(mean).all():
            return None
        lowest = -np.inf if np.isnan(self.perfect) else 0.0
        if lowest == -np.inf:
            lowest = float(mean.min() - 10 * np.ptp(mean) - 1.0)
        return fit_power_law(self.sizes, mean, covariance, dof=dof, lowest=lowest)


@dataclass(frozen=True)
class _Runner:
    """Trains an estimator in several settings on several splits, as one search."""

    estimator: Any
    X: Any
    y: Any
    measures: Measures
    n_jobs: int | None

    def scores(self, settings: list[dict[str, Any]], splits: list[Any]) -> list[Scores]:
        search = GridSearchCV(
            self.estimator,
            [{name: [value] for name, value in s.items()} for s in settings],
            scoring=self.measures,
            cv=splits,
            n_jobs=self.n_jobs,
            refit=False,
            return_train_score=True,
            error_score="raise",
        )
        with without_fit_warnings(), stacked_by_default():
            results = search.fit(self.X, self.y).cv_results_
        return [_scores(results, i, len(splits)) for i in range(len(settings))]


def _scores(results: dict[str, Any], i: int, n_splits: int) -> Scores:
    train, test, chance = (
        np.array([results[f"split{k}_{name}"][i] for k in range(n_splits)])
        for name in ("train_score", "test_score", "test_chance")
    )
    return Scores(train, test, chance)


def gather(
    estimator: Any, X: Any, y: Any, cv: Any, scoring: Any, groups: Any, n_jobs: Any
) -> Evidence:
    """Measure an estimator, changes of it, fewer rows, and other models."""
    prefix, network = named_network(estimator)
    seed = draw_seed(network.random_state)
    fixed = clone(estimator).set_params(**{f"{prefix}random_state": seed})
    folds = _folds(estimator, X, y, cv, groups)
    scorer, name, perfect = chosen_scorer(estimator, y, scoring)
    runner = _Runner(fixed, X, y, Measures(scorer, seed), n_jobs)
    n = len(folds)

    splits = _learning_splits(folds, y, is_classifier(estimator), seed)
    (of_curve,) = runner.scores([{}], splits)
    base = Scores(*(values[-n:] for values in vars(of_curve).values()))
    test_share = float(np.mean([len(test) / len(train) for train, test in folds]))

    present = _present(fixed, network, X, y, folds)
    again = {f"{prefix}random_state": (seed + 1) % 2**31}
    gap = paired(base.train, base.test, test_share).probability_above()
    changes = [c for c in changes_of(present, prefix) if _is_called_for(c, gap)]
    settings = [again, *(change.params for change in changes)]
    reseeded, *changed = runner.scores(settings, folds)
    return Evidence(
        scoring=name,
        perfect=perfect,
        base=base,
        reseeded=reseeded,
        sizes=np.array([len(p) for p, _ in splits]).reshape(-1, n).mean(1),
        curve=of_curve.test.reshape(-1, n).T,
        changed={c.name: (c, s) for c, s in zip(changes, changed, strict=True)},
        references=_reference_scores(runner, folds),
        test_share=test_share,
        n_fits=len(splits) + n * len(settings),
    )


def _folds(estimator: Any, X: Any, y: Any, cv: Any, groups: Any) -> list[Any]:
    splitter = check_cv(cv, y, classifier=is_classifier(estimator))
    folds = list(splitter.split(X, y, groups))
    if len(folds) < 3:
        raise ValueError(
            f"diagnose compares scores over folds, and needs at least 3 folds; cv={cv!r}"
            f" gives {len(folds)}."
        )
    return folds


def _learning_splits(
    folds: list[Any], y: Any, stratified: bool, seed: int
) -> list[Any]:
    """The folds with each share of their training rows; all of them last."""
    return [
        split
        for share in SHARES
        for split in _smaller(folds, y, share, stratified, seed)
    ]


def _is_called_for(change: Change, gap: float) -> bool:
    """Nothing is regularised where training rows score no better than others."""
    return change.remedy != "regularise" or gap >= _GAP


def _present(estimator: Any, network: Any, X: Any, y: Any, folds: list[Any]) -> Present:
    fitted, _ = initial_state(estimator, X, y, None, 1)
    n_rows = int(np.mean([len(train) for train, _ in folds]))
    n_classes = len(np.unique(y)) if is_classifier(network) and np.ndim(y) == 1 else 0
    return Present(network, fitted.architecture, n_rows, n_classes)


def _smaller(
    folds: list[Any], y: Any, share: float, stratified: bool, seed: int
) -> list[Any]:
    """The folds with a share of their training rows, all classes among them."""
    if share == 1.0:
        return folds
    y, smaller = np.asarray(y), []
    for k, (train, test) in enumerate(folds):
        strata = y[train] if stratified and y.ndim == 1 else None
        if strata is not None and np.unique(strata, return_counts=True)[1].min() < 2:
            strata = None
        part, _ = train_test_split(
            train, train_size=share, stratify=strata, random_state=(seed + k) % 2**31
        )
        smaller.append((np.sort(part), test))
    return smaller


def _reference_scores(runner: _Runner, folds: list[Any]) -> dict[str, Scores]:
    """Scores of the other models; one that cannot take the rows is left out."""
    found = {}
    for name, model in references(runner.estimator, runner.X, runner.y).items():
        of_model = _Runner(model, runner.X, runner.y, runner.measures, runner.n_jobs)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a linear model that has not converged
            (found[name],) = of_model.scores([{}], folds)
    return found
