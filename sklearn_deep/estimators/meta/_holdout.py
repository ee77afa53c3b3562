"""Validation rows that are held out before any transformer is fitted."""

from contextlib import nullcontext
from typing import Any, ClassVar

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone, is_classifier
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing, assert_all_finite, get_tags, indexable
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    get_routing_for_object,
    process_routing,
)
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from sklearn_deep._arguments import names_unknown_arguments
from sklearn_deep._params import SEED, Number, Rules, Satisfies, check_params
from sklearn_deep._subclasses import TracksSubclasses
from sklearn_deep.data._copies import copies
from sklearn_deep.data._split import split_without_copies, validation_split
from sklearn_deep.estimators.core._all_or_nothing import all_or_nothing
from sklearn_deep.private._sklearn import (
    HAS_CALLBACKS,
    CallbackSupportMixin,
    make_callback_context,
    with_callbacks,
)
from sklearn_deep.training.job._seeds import draw_seed

# Arguments of ``fit`` with one value per row of X; those of X_val end in "_val".
_OF_ROWS = ("sample_weight", "lengths")


def _final(estimator: Any) -> Any:
    return estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator


def _head(estimator: Any) -> Pipeline | None:
    """The transformers before the last step; None where there are none."""
    several = isinstance(estimator, Pipeline) and len(estimator.steps) > 1
    return estimator[:-1] if several else None


def _copies(X: Any, y: Any) -> np.ndarray | None:
    """Numbers that copies of a row share; None where rows cannot be compared."""
    if not (hasattr(X, "columns") or hasattr(X, "dtype")):
        return None
    X = X.tocsr() if hasattr(X, "tocsr") else X
    return copies(X, y if hasattr(y, "toarray") else np.asarray(y))


def _split_rows(
    n: int, share: float, seed: int, strata: Any, groups: Any, numbers: Any
) -> tuple[np.ndarray, np.ndarray]:
    if numbers is None:
        return validation_split(n, share, seed, strata, groups)
    return split_without_copies(numbers, share, seed, strata)


def _has(method: str):
    def check(self) -> bool:
        getattr(getattr(self, "estimator_", self.estimator), method)
        return True

    return check


class ValidationHoldout(
    TracksSubclasses, CallbackSupportMixin, MetaEstimatorMixin, BaseEstimator
):
    """Hold out validation rows before any transformer is fitted.

    Early stopping inside a Pipeline leaks: the transformers before the network are
    fitted on the rows that it holds out. This meta-estimator around the Pipeline holds
    the rows out first, fits the transformers on the other rows, and passes the
    transformed validation rows to the last step as ``X_val`` and ``y_val``.

    Parameters
    ----------
    estimator : estimator or Pipeline
        An estimator whose ``fit`` takes ``X_val`` and ``y_val``, such as
        :class:`MLPClassifier`, or a Pipeline that ends in one. With
        ``early_stopping=False`` the network only records its validation scores.
    validation_fraction : float, default=0.1
        Fraction of the rows (of the groups, with ``groups``) that is held out, in
        (0, 1); stratified by class. Without groups, copies of a row stay together.
    random_state : int, RandomState or None, default=None
        Seed of the split, and of the steps whose own ``random_state`` is None.

    Attributes
    ----------
    estimator_ : estimator
        The fitted estimator or Pipeline.
    validation_indices_ : ndarray of shape (n_validation,)
        Indices of the validation rows in X.
    classes_ : ndarray of shape (n_classes,)
        Labels, for a classifier.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if the column names of X are strings.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_deep import MLPClassifier, ValidationHoldout
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> pipe = make_pipeline(StandardScaler(), MLPClassifier(random_state=0))
    >>> model = ValidationHoldout(pipe, random_state=0).fit(X, y)
    >>> len(model.validation_indices_)
    57
    """

    _rules: ClassVar[Rules] = {
        "estimator": (
            Satisfies(
                lambda e: hasattr(e, "fit") and has_fit_parameter(_final(e), "X_val"),
                "an estimator whose fit takes X_val and y_val, or a Pipeline that"
                " ends in one",
            ),
        ),
        "validation_fraction": (Number(low=0, high=1, open_low=True, open_high=True),),
        "random_state": SEED,
    }

    @names_unknown_arguments
    def __init__(self, estimator, *, validation_fraction=0.1, random_state=None):
        self.estimator = estimator
        self.validation_fraction = validation_fraction
        self.random_state = random_state

    def fit(self, X, y, groups=None, **params):
        """Hold out rows, fit the transformers on the others, and train the last step.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Features, as the first step takes them.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        groups : array-like of shape (n_samples,), default=None
            Groups of rows; a group is held out as a whole or not at all.
        **params : dict
            ``sample_weight`` is split like X and passed to the last step,
            ``step__name`` to that step. With metadata routing enabled, each goes to the
            steps that request it.

        Returns
        -------
        self : object
            The fitted meta-estimator.
        """
        with all_or_nothing(self):
            return self._fit(X, y, groups, params)

    @with_callbacks
    def _fit(self, X, y, groups, params):
        self._check(y, params)
        X, y, groups = indexable(X, y, groups)
        if np.asarray(y).dtype.kind == "f":
            assert_all_finite(y, input_name="y")
        n = X.shape[0] if hasattr(X, "shape") else len(X)
        seed = draw_seed(self.random_state)
        estimator = _seeded(clone(self.estimator), seed)
        head, final = _head(estimator), _final(estimator)
        head_params, final_params = self._route(params, estimator, head)
        weight = final_params.get("sample_weight")
        train, aside = self._split(X, y, groups, weight, n, seed)
        X_train, X_val = _safe_indexing(X, train), _safe_indexing(X, aside)
        y_train, y_val = _safe_indexing(y, train), _safe_indexing(y, aside)
        if head is not None:
            X_train = head.fit_transform(
                X_train, y_train, **_take(head_params, train, n)
            )
            X_val = head.transform(X_val)
            # With ``memory`` a Pipeline fits clones: take the fitted steps of the head.
            estimator.steps[:-1] = head.steps
        of_rows = {k: v for k, v in final_params.items() if k in _OF_ROWS}
        validation = {f"{k}_val": v for k, v in _take(of_rows, aside, n).items()}
        validation |= {"X_val": X_val, "y_val": y_val}
        with self._callbacks_of(final):
            final.fit(X_train, y_train, **validation, **_take(final_params, train, n))
        self.estimator_ = estimator
        self.validation_indices_ = aside
        return self

    def _check(self, y: Any, params: dict) -> None:
        """Raise for wrong parameters and for arguments of ``fit`` that it makes itself."""
        check_params(self, self._rules)
        if taken := [name for name in params if name.endswith(("X_val", "y_val"))]:
            raise TypeError(
                f"{type(self).__name__}.fit() got {taken[0]!r}, but holds out rows"
                " itself. Leave it out, or call fit of the network with X_val and y_val."
            )
        if y is None:
            raise ValueError(
                "ValidationHoldout requires y to be passed, but the target y is None."
            )

    def _split(
        self, X: Any, y: Any, groups: Any, weight: Any, n: int, seed: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Indices of the training rows and of the validation rows.

        Rows of weight zero are never held out: they count as removed, and the network
        drops them from its training rows.
        """
        share = self.validation_fraction
        numbers = None if groups is not None else _copies(X, y)
        of_rows = (self._stratify(y), groups, numbers)
        if np.shape(weight) != (n,) or np.all(weight) or not np.any(weight):
            return _split_rows(n, share, seed, *of_rows)
        counted = np.flatnonzero(weight)
        of_counted = (
            None if each is None else _safe_indexing(each, counted) for each in of_rows
        )
        try:
            _, aside = _split_rows(len(counted), share, seed, *of_counted)
        except ValueError as error:
            raise ValueError(
                f"{error} Rows whose sample_weight is zero are not counted."
            ) from error
        aside = counted[aside]
        if groups is not None:  # whole groups: transformers must not see part of one
            groups = np.asarray(groups)
            aside = np.flatnonzero(np.isin(groups, groups[aside]))
        return np.setdiff1d(np.arange(n), aside), aside

    def _stratify(self, y: Any) -> np.ndarray | None:
        if not is_classifier(self.estimator):
            return None
        y = np.asarray(y) if not hasattr(y, "toarray") else y
        kind = type_of_target(y, input_name="y")
        return np.ravel(y) if kind in ("binary", "multiclass") else None

    def _callbacks_of(self, final: Any):
        """Context that propagates scikit-learn's callbacks to the network."""
        if not HAS_CALLBACKS:
            return nullcontext()
        context = make_callback_context(self, max_subtasks=1)
        task = context.subcontext(task_name="fit-final-estimator")
        return task.propagate_callback_context(final)

    def _route(self, params: dict, estimator: Any, head: Any) -> tuple[dict, dict]:
        """Split fit parameters into those of the transformers and of the last step."""
        if get_config()["enable_metadata_routing"]:
            return self._route_requested(params, estimator, head)
        if head is None:
            return {}, params
        prefix = f"{self.estimator.steps[-1][0]}__"
        to_head, to_final = {}, {}
        for name, value in params.items():
            if name.startswith(prefix) or name == "sample_weight":
                to_final[name.removeprefix(prefix)] = value
            else:
                to_head[name] = value
        return to_head, to_final

    def _route_requested(
        self, params: dict, estimator: Any, head: Any
    ) -> tuple[dict, dict]:
        """Split metadata by what the steps request."""
        routed = dict(process_routing(self, "fit", **params).estimator.fit)
        if not isinstance(estimator, Pipeline):
            return {}, routed
        # The Pipeline raises for metadata that no step requests.
        last = estimator.steps[-1][0]
        to_final = process_routing(estimator, "fit", **routed)[last].fit
        if head is None:
            return {}, dict(to_final)
        wanted = get_routing_for_object(head).consumes("fit_transform", routed.keys())
        return {k: routed[k] for k in wanted}, dict(to_final)

    def get_metadata_routing(self):
        """Get the metadata routing.

        Returns
        -------
        routing : MetadataRouter
            Routes ``groups`` to this object and all else to the estimator.
        """
        mapping = MethodMapping()
        for method in ("fit", "predict", "predict_proba", "decision_function", "score"):
            mapping.add(caller=method, callee=method)
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(estimator=self.estimator, method_mapping=mapping)
        )

    # Methods of the fitted estimator.

    @available_if(_has("predict"))
    def predict(self, X, **params):
        """Predict with the fitted estimator.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Features.
        **params : dict
            Further arguments of the estimator's ``predict``, such as ``return_std``.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predictions.
        """
        check_is_fitted(self)
        return self.estimator_.predict(X, **params)

    @available_if(_has("predict_proba"))
    def predict_proba(self, X):
        """Predict class probabilities with the fitted estimator.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        p : ndarray of shape (n_samples, n_classes)
            Probabilities.
        """
        check_is_fitted(self)
        return self.estimator_.predict_proba(X)

    @available_if(_has("predict_log_proba"))
    def predict_log_proba(self, X):
        """Predict logarithms of class probabilities with the fitted estimator.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        log_p : ndarray of shape (n_samples, n_classes)
            Logarithms of probabilities.
        """
        check_is_fitted(self)
        return self.estimator_.predict_log_proba(X)

    @available_if(_has("decision_function"))
    def decision_function(self, X):
        """Compute the decision function of the fitted estimator.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        z : ndarray of shape (n_samples,) or (n_samples, n_classes)
            Raw outputs.
        """
        check_is_fitted(self)
        return self.estimator_.decision_function(X)

    @available_if(_has("score"))
    def score(self, X, y, **params):
        """Score the fitted estimator.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        **params : dict
            Further arguments of the estimator's ``score``, such as ``sample_weight``.

        Returns
        -------
        score : float
            Accuracy or R^2.
        """
        check_is_fitted(self)
        return self.estimator_.score(X, y, **params)

    @property
    def classes_(self):
        """Labels of the fitted classifier."""
        return self._inner("classes_")

    @property
    def n_features_in_(self):
        """Number of features of the fitted estimator."""
        return self._inner("n_features_in_")

    @property
    def feature_names_in_(self):
        """Feature names of the fitted estimator."""
        return self._inner("feature_names_in_")

    def _inner(self, name: str) -> Any:
        if "estimator_" not in vars(self):
            raise AttributeError(
                f"ValidationHoldout has no {name} before it is fitted."
            )
        return getattr(self.estimator_, name)

    def __sklearn_tags__(self):
        """Report the tags of the wrapped estimator."""
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        for name in (
            "estimator_type",
            "target_tags",
            "classifier_tags",
            "regressor_tags",
            "input_tags",
            "non_deterministic",
        ):
            setattr(tags, name, getattr(inner, name))
        return tags


def _seeded(estimator: Any, seed: int) -> Any:
    """Set each ``random_state`` that is None to one drawn from the seed."""
    params = estimator.get_params(deep=True)
    bare = sorted(
        name
        for name, value in params.items()
        if (name == "random_state" or name.endswith("__random_state")) and value is None
    )
    seeds = np.random.RandomState(seed).randint(2**31 - 1, size=len(bare))
    return estimator.set_params(**dict(zip(bare, seeds.tolist(), strict=True)))


def _take(params: dict, rows: np.ndarray, n_samples: int) -> dict:
    """Select rows of the parameters that have one value per row."""
    return {
        name: _safe_indexing(value, rows)
        if hasattr(value, "__len__")
        and not isinstance(value, (str, dict))
        and len(value) == n_samples
        else value
        for name, value in params.items()
    }
