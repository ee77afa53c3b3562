"""The best candidates of a search, fitted on all rows as one stack."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from sklearn_deep.estimators.core._fit_warnings import without_fit_warnings
from sklearn_deep.training.stacking._backend import stacked_by_default


class Candidate(NamedTuple):
    """A fitted candidate, and a label that says what is its own."""

    label: str
    estimator: Any


def best_candidates(search: Any, X: Any, y: Any, n_best: int) -> list[Candidate]:
    """Fit the best candidates of a search, the best one first.

    Those of one rank keep the order of ``cv_results_``. ``best_estimator_``, where there
    is one, is taken as it is.
    """
    _check(search)
    results = search.cv_results_
    name = _ranked_by(search)
    ranked = np.argsort(results[f"rank_test_{name}"], kind="stable")[:n_best]
    order = [i for i in ranked if np.isfinite(results[f"mean_test_{name}"][i])]
    if not order:
        raise ValueError(
            "FitCurveDisplay found no candidate of the search with a score."
        )
    settings = [results["params"][i] for i in order]
    labels = _labels(settings, [results[f"mean_test_{name}"][i] for i in order])
    return [
        Candidate(*pair)
        for pair in zip(labels, _fitted(search, settings, X, y), strict=True)
    ]


def _check(search: Any) -> None:
    if not (hasattr(search, "estimator") and hasattr(search, "refit")):
        raise TypeError(
            "FitCurveDisplay.from_search needs a fitted search, e.g. a GridSearchCV; got"
            f" {type(search).__name__}. Plot one fit by from_estimator."
        )
    check_is_fitted(search, "cv_results_")


def _ranked_by(search: Any) -> str:
    """Name of the score that the search chooses by; the only one, or that of ``refit``."""
    results = search.cv_results_
    if "rank_test_score" in results:
        return "score"
    if isinstance(search.refit, str):
        return search.refit
    names = [
        key[len("rank_test_") :] for key in results if key.startswith("rank_test_")
    ]
    return names[0]


def _fitted(search: Any, settings: list[dict[str, Any]], X: Any, y: Any) -> list[Any]:
    known = getattr(search, "best_params_", None) if search.refit else None
    missing = [setting for setting in settings if setting != known]
    with without_fit_warnings(), stacked_by_default():
        fitted = Parallel(n_jobs=search.n_jobs)(
            delayed(_fit)(search.estimator, setting, X, y) for setting in missing
        )
    others = iter(fitted)
    return [
        search.best_estimator_ if setting == known else next(others)
        for setting in settings
    ]


def _fit(estimator: Any, setting: dict[str, Any], X: Any, y: Any) -> Any:
    own = clone(setting, safe=False)
    return clone(estimator).set_params(**own).fit(X, y)


def _labels(settings: list[dict[str, Any]], scores: list[float]) -> list[str]:
    """What differs between the candidates and the mean score of each, a line each."""
    varied = [
        name
        for name in dict.fromkeys(name for setting in settings for name in setting)
        if len({repr(setting.get(name)) for setting in settings}) > 1
    ]
    return [
        "\n".join(
            [
                *(
                    f"{name.rpartition('__')[2]}={setting[name]}"
                    for name in varied
                    if name in setting
                ),
                f"score {score:.3f}",
            ]
        )
        for setting, score in zip(settings, scores, strict=True)
    ]
