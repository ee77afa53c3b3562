"""Delegation to the wrapped network: its methods, attributes and tags."""

from collections.abc import Callable
from typing import Any

from sklearn.base import BaseEstimator, MetaEstimatorMixin
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sklearn_deep.compression._network import unwrap_frozen

# Tags that are copied from the wrapped network.
_TAGS = (
    "estimator_type",
    "target_tags",
    "transformer_tags",
    "classifier_tags",
    "regressor_tags",
    "input_tags",
    "non_deterministic",
)

# Methods that pass their metadata on to the network.
_ROUTED = (
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
    "transform",
    "inverse_transform",
    "score",
)


def _has(method: str) -> Callable[[Any], bool]:
    def check(self: "Delegating") -> bool:
        getattr(vars(self).get("estimator_", self.estimator), method)
        return True

    return check


class Delegating(MetaEstimatorMixin, BaseEstimator):
    """Has the methods and tags of ``estimator``, and calls those of ``estimator_``."""

    estimator: Any

    # Methods of the fitted network.

    @available_if(_has("predict"))
    def predict(self, X, **params):
        """Predict with the fitted network.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        **params : dict
            Further arguments of the network's ``predict`` , such as ``return_std``.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predictions.
        """
        return self._delegate("predict", X, **params)

    @available_if(_has("predict_proba"))
    def predict_proba(self, X, **params):
        """Predict the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        **params : dict
            Further arguments of the network's ``predict_proba``.

        Returns
        -------
        p : ndarray of shape (n_samples, n_classes)
            Columns as in ``classes_``.
        """
        return self._delegate("predict_proba", X, **params)

    @available_if(_has("predict_log_proba"))
    def predict_log_proba(self, X, **params):
        """Predict the logarithm of each class's probability.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        **params : dict
            Further arguments of the network's ``predict_log_proba``.

        Returns
        -------
        log_p : ndarray of shape (n_samples, n_classes)
            Columns as in ``classes_``.
        """
        return self._delegate("predict_log_proba", X, **params)

    @available_if(_has("decision_function"))
    def decision_function(self, X, **params):
        """Compute the raw outputs (logits).

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        **params : dict
            Further arguments of the network's ``decision_function``.

        Returns
        -------
        z : ndarray of shape (n_samples,) or (n_samples, n_classes)
            For two classes one column, positive if the second class is more probable.
        """
        return self._delegate("decision_function", X, **params)

    @available_if(_has("transform"))
    def transform(self, X):
        """Encode rows with the fitted autoencoder.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        code : ndarray of shape (n_samples, code_size)
            Their codes.
        """
        return self._delegate("transform", X)

    @available_if(_has("transform"))
    def fit_transform(self, X, y=None, **params):
        """Fit on rows, then encode them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : None, default=None
            Ignored.
        **params : dict
            Further arguments of ``fit``.

        Returns
        -------
        code : ndarray of shape (n_samples, code_size)
            Their codes.
        """
        return self.fit(X, y, **params).transform(X)

    @available_if(_has("inverse_transform"))
    def inverse_transform(self, X):
        """Decode codes with the fitted autoencoder.

        Parameters
        ----------
        X : array-like of shape (n_samples, code_size)
            Codes.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features)
            Rows, in the units of X.
        """
        return self._delegate("inverse_transform", X)

    @available_if(_has("score_samples"))
    def score_samples(self, X):
        """Score how well each row is reconstructed.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        score : ndarray of shape (n_samples,)
            Higher for rows more like the training rows.
        """
        return self._delegate("score_samples", X)

    @available_if(_has("score"))
    def score(self, X, y=None, **params):
        """Compute the network's own score, for the fitted network.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Targets.
        **params : dict
            Further arguments of the network's ``score``, such as ``sample_weight``.

        Returns
        -------
        score : float
            Higher is better.
        """
        return self._delegate("score", X, y, **params)

    @available_if(_has("get_feature_names_out"))
    def get_feature_names_out(self, input_features=None):
        """Get the column names of the output of ``transform``.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Only checked against the names seen in ``fit``.

        Returns
        -------
        names : ndarray of str
            Names of the columns.
        """
        return self._delegate("get_feature_names_out", input_features)

    @available_if(_has("set_output"))
    def set_output(self, *, transform=None):
        """Choose the container that ``transform`` returns.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            Kind of container; None changes nothing.

        Returns
        -------
        self : object
            The estimator.
        """
        for inner in (self.estimator, vars(self).get("estimator_")):
            if inner is not None:
                inner.set_output(transform=transform)
        return self

    def _delegate(self, method: str, *args: Any, **kwargs: Any) -> Any:
        check_is_fitted(self)
        return getattr(self.estimator_, method)(*args, **kwargs)

    def get_metadata_routing(self):
        """Get the metadata routing.

        Returns
        -------
        routing : MetadataRouter
            Routes all metadata to the network.
        """
        mapping = MethodMapping()
        for method in ("fit", *_ROUTED):
            mapping.add(caller=method, callee=method)
        return MetadataRouter(owner=self).add(
            estimator=unwrap_frozen(self.estimator), method_mapping=mapping
        )

    # Fitted attributes and tags.

    def __sklearn_is_fitted__(self):
        """Whether ``fit`` has made a fitted network."""
        return "estimator_" in vars(self)

    def __getattr__(self, name: str) -> Any:
        """Read fitted attributes from the fitted network."""
        learnt = name.endswith("_") and not name.startswith("_")
        if learnt and "estimator_" in vars(self):
            return getattr(self.estimator_, name)
        before = " before it is fitted" if learnt else ""
        raise AttributeError(f"{type(self).__name__} has no {name}{before}.")

    def __sklearn_tags__(self):
        """Report the tags of the wrapped network."""
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        for name in _TAGS:
            setattr(tags, name, getattr(inner, name))
        return tags
