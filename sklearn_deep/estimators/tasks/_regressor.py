"""What regressors of every network family share."""

from typing import Any, ClassVar

from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score

from sklearn_deep._arguments import names_unknown_arguments
from sklearn_deep.data._scores import quantile_score
from sklearn_deep.data._tasks import Regression, Task
from sklearn_deep.estimators.core._base import DeepEstimator
from sklearn_deep.estimators.core._fitted import FittedAttribute


class DeepRegressor(RegressorMixin, DeepEstimator):
    """A network that predicts numbers."""

    _task: ClassVar[type[Task]] = Regression

    n_outputs_ = FittedAttribute(lambda f: f.targets.n_columns, "Number of targets.")

    @names_unknown_arguments
    def partial_fit(self, X, y, sample_weight=None):
        """Go on training for one epoch over these rows.

        Rows are not held out, and the training is not stopped. The scale of the
        targets is learnt in the first call.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.

        Returns
        -------
        self : object
            The estimator.
        """
        return self._partial_fit(X, y, sample_weight)

    def predict(self, X, return_std=False):
        """Predict targets, in the units and the shape of ``y``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        return_std : bool, default=False
            Whether to give the standard deviation too; needs ``loss="gaussian"``.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
            The mean; the quantile or the median where the loss asks for it. Several
            quantiles are on a last axis, in their order: (n_samples, n_quantiles) or
            (n_samples, n_targets, n_quantiles).
        std : ndarray of the same shape
            Standard deviation of the target, with ``return_std=True`` only.

        Raises
        ------
        ValueError
            With ``return_std=True`` for a network of another loss.
        """
        raw = self._raw(X)
        location, *spread = (part.numpy() for part in self._fitted.loss.decode(raw))
        y = self._fitted.targets.decode(location)
        if not return_std:
            return y
        if not spread:
            raise ValueError(
                f"return_std=True needs a {type(self).__name__} fitted with"
                f" loss='gaussian'; this one was fitted with loss={self._fitted.loss.name!r}."
            )
        return y, self._fitted.targets.decode_spread(spread[0])

    def score(self, X, y, sample_weight=None):
        """Give R^2; for several quantiles, the mean of their D^2 pinball scores.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            True targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.

        Returns
        -------
        score : float
            The coefficient of determination of the predictions; with several quantiles
            the mean of :func:`~sklearn.metrics.d2_pinball_score` over them. Either is 1
            at best, and 0 for the best constant.
        """
        return self._score(y, self.predict(X), sample_weight=sample_weight)

    def _score(self, y: Any, predicted: Any, sample_weight: Any = None) -> float:
        if self._fitted.loss.has_several_quantiles:
            quantiles = self._fitted.loss.params["quantile"]
            return quantile_score(y, predicted, quantiles, sample_weight)
        return r2_score(y, predicted, sample_weight=sample_weight)

    def __sklearn_tags__(self):
        """Say that y of several columns is welcome."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
