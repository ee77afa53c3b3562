"""All scores that the verdicts rest on, from a few stacked searches."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.model_selection import check_cv, train_test_split
from sklearn.utils import _safe_indexing
from sklearn.utils.parallel import Parallel, delayed

from sklearn_deep.estimators.core._fit_warnings import without_fit_warnings
from sklearn_deep.inspection._named_network import named_network
from sklearn_deep.inspection._power_law import PowerLaw, curve_of_folds, fit_power_law
from sklearn_deep.inspection.diagnosis._changes import Change, Present, changes_of
from sklearn_deep.inspection.diagnosis._paired import (
    Difference,
    noise_ratio,
    paired,
    paired_by_rows,
    typical_ratio,
)
from sklearn_deep.inspection.diagnosis._references import references
from sklearn_deep.inspection.diagnosis._scoring import (
    FoldScores,
    Measures,
    chosen_scorer,
)
from sklearn_deep.inspection.summary._before_fit import initial_state
from sklearn_deep.training.job._seeds import draw_seed
from sklearn_deep.training.stacking._backend import stacked_by_default

# Shares of the training rows of the learning curve.
SHARES = (0.15, 0.3, 0.55, 1.0)

# A change is tried on the first folds; where a gain is less probable there than this, not on
# the others.
_FIRST_FOLDS, _FEWEST_FOLDS, _PROSPECT = 2, 5, 0.1

# A gap of training and test score from this confidence on calls for regularisation.
_GAP = 0.9


@dataclass(frozen=True)
class Scores:
    """Scores of one model on the folds, on training rows and on those left out.

    Attributes
    ----------
    train, test, chance : ndarray of shape (n_folds,)
        A change without a prospect has those of the first folds only.
    rows : tuple of ndarray, or None
        Scores of the rows left out, one array per fold.
    """

    train: np.ndarray
    test: np.ndarray
    chance: np.ndarray
    rows: tuple[np.ndarray, ...] | None = None

    @classmethod
    def of(cls, folds: Sequence[FoldScores]) -> "Scores":
        """Put the folds together."""
        train, test, chance = (np.array([f[i] for f in folds]) for i in range(3))
        rows = tuple(f.rows for f in folds if f.rows is not None)
        return cls(train, test, chance, rows if len(rows) == len(folds) else None)

    def part(self, folds: slice) -> "Scores":
        """Some of the folds."""
        rows = None if self.rows is None else self.rows[folds]
        return Scores(self.train[folds], self.test[folds], self.chance[folds], rows)

    def joined(self, others: "Scores") -> "Scores":
        """These folds and further ones."""
        known = self.rows is not None and others.rows is not None
        return Scores(
            np.concatenate([self.train, others.train]),
            np.concatenate([self.test, others.test]),
            np.concatenate([self.chance, others.chance]),
            (*self.rows, *others.rows) if known else None,  # type: ignore[misc]
        )


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
        return gain_of(scores, self.base, self.test_share, self.noise_ratio())

    def noise_ratio(self) -> float:
        """How much more the folds' gains vary than their test rows explain."""
        return ratio_of([scores for _, scores in self.changed.values()], self.base)

    def noise_of_one_fit(self) -> float:
        """Standard deviation of the score of one network, by its training rows and seed."""
        rest = self.curve - self.curve.mean(0)
        rest = rest - rest.mean(1, keepdims=True)
        dof = (rest.shape[0] - 1) * (rest.shape[1] - 1)
        return float(np.sqrt((rest**2).sum() / dof))

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


def ratio_of(changed: Sequence[Scores], base: Scores) -> float:
    """Noise ratio of several models against the same one."""
    if base.rows is None:
        return 1.0
    return typical_ratio(
        noise_ratio(scores.rows, base.rows[: len(scores.rows)])
        for scores in changed
        if scores.rows is not None
    )


def gain_of(
    scores: Scores, base: Scores, test_share: float, typical: float
) -> Difference:
    """What a model gains on the folds that it was tried on."""
    base = base.part(slice(len(scores.test)))
    if scores.rows is None or base.rows is None:
        return paired(scores.test, base.test, test_share)
    return paired_by_rows(scores.rows, base.rows, test_share, typical)


@dataclass(frozen=True)
class _Runner:
    """Trains an estimator in several settings on several splits, in stacks."""

    estimator: Any
    X: Any
    y: Any
    measures: Measures
    n_jobs: int | None

    def scores(self, settings: list[dict[str, Any]], splits: list[Any]) -> list[Scores]:
        return self._together([(setting, splits) for setting in settings])

    def _together(self, jobs: list[tuple[dict[str, Any], list[Any]]]) -> list[Scores]:
        """Scores of settings, each on splits of its own; all networks at once."""
        with without_fit_warnings(), stacked_by_default():
            found = iter(
                Parallel(n_jobs=self.n_jobs)(
                    delayed(_judged)(self, setting, *split)
                    for setting, splits in jobs
                    for split in splits
                )
            )
        return [Scores.of(list(islice(found, len(splits)))) for _, splits in jobs]

    def promising(
        self,
        again: dict[str, Any],
        settings: list[dict[str, Any]],
        folds: list[Any],
        base: Scores,
    ) -> list[Scores]:
        """Scores of one setting on all folds, and of others, as far as they promise a gain.

        Those without a prospect on the first folds have the scores of these only.
        """
        in_parts = base.rows is not None and len(folds) >= _FEWEST_FOLDS
        first = folds[:_FIRST_FOLDS] if in_parts else folds
        whole, *found = self._together(
            [(again, folds), *((setting, first) for setting in settings)]
        )
        if not in_parts:
            return [whole, *found]
        typical, share = ratio_of(found, base), _share(folds)
        better = [gain_of(s, base, share, typical).probability_above() for s in found]
        left = [i for i, sure in enumerate(better) if sure >= _PROSPECT]
        others = self.scores([settings[i] for i in left], folds[_FIRST_FOLDS:])
        for i, rest in zip(left, others, strict=True):
            found[i] = found[i].joined(rest)
        return [whole, *found]


def _judged(
    runner: _Runner, setting: dict[str, Any], train: np.ndarray, test: np.ndarray
) -> FoldScores:
    """Fit a setting on a split, and score it."""
    own = clone(runner.estimator).set_params(**clone(setting, safe=False))
    of_train, of_test = (
        (_safe_indexing(runner.X, rows), _safe_indexing(runner.y, rows))
        for rows in (train, test)
    )
    return runner.measures(own.fit(*of_train), of_train, of_test)


def gather(
    estimator: Any, X: Any, y: Any, cv: Any, scoring: Any, groups: Any, n_jobs: Any
) -> Evidence:
    """Measure an estimator, changes of it, fewer rows, and other models."""
    prefix, network = named_network(estimator)
    seed = draw_seed(network.random_state)
    fixed = clone(estimator).set_params(**{f"{prefix}random_state": seed})
    folds = _folds(estimator, X, y, cv, groups)
    scorer, name, perfect = chosen_scorer(estimator, y, scoring)
    runner = _Runner(fixed, X, y, Measures(scorer, name, seed), n_jobs)
    n = len(folds)

    splits = _learning_splits(folds, y, is_classifier(estimator), seed)
    (of_curve,) = runner.scores([{}], splits)
    base, test_share = of_curve.part(slice(-n, None)), _share(folds)

    present = _present(fixed, network, X, y, folds)
    again = {f"{prefix}random_state": (seed + 1) % 2**31}
    gap = paired(base.train, base.test, test_share).probability_above()
    changes = [c for c in changes_of(present, prefix) if _is_called_for(c, gap)]
    settings = [change.params for change in changes]
    reseeded, *changed = runner.promising(again, settings, folds, base)
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
        n_fits=len(splits) + n + sum(len(scores.test) for scores in changed),
    )


def _share(folds: list[Any]) -> float:
    """Test rows per training row."""
    return float(np.mean([len(test) / len(train) for train, test in folds]))


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
