"""Base class of estimators whose rows may have different lengths."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.utils.validation import (
    check_is_fitted,
)

from sklearn_deep._arguments import names_unknown_arguments
from sklearn_deep.data._ragged import Ragged
from sklearn_deep.data._sequences import sequences_in, unpad
from sklearn_deep.data._weights import check_sample_weight
from sklearn_deep.estimators.core._base import DeepEstimator
from sklearn_deep.estimators.core._fitted import fitted_of


class VariableLengthEstimator(DeepEstimator):
    """Base class with ``fit(..., lengths=...)``, and predictions for each step.

    Subclasses have a parameter ``channels``, and their features are ``LengthFeatures``.
    """

    @names_unknown_arguments
    def fit(
        self,
        X,
        y,
        sample_weight=None,
        X_val=None,
        y_val=None,
        sample_weight_val=None,
        lengths=None,
        lengths_val=None,
    ):
        """Train a new network, or with ``warm_start`` the present one.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...), or n_samples sequences
            Series of shape (n_samples, time) or (n_samples, time, channels), with
            ``channels="first"`` (n_samples, channels, time); a list, an object array
            or a column of sequences of unequal length, each of shape (time,) or (time,
            channels). Recurrent networks take text and lists of tokens too,
            convolutional networks images.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets. With ``return_sequences``, one per step: of shape (n_samples, time)
            or (n_samples, time, n_outputs), or one sequence per row.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights. Only their ratios matter. Rows of weight 0 are
            ignored, except that their labels are in ``classes_``.
        X_val : as X, default=None
            Validation sequences; no rows of ``X`` are held out then.
        y_val : as y, default=None
            Validation targets.
        sample_weight_val : array-like of shape (n_val,), default=None
            Validation weights.
        lengths : array-like of int of shape (n_samples,), default=None
            True lengths of the rows of a padded ``X``.
        lengths_val : array-like of int of shape (n_val,), default=None
            True lengths of the rows of a padded ``X_val``.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError, TypeError
            For invalid input; the message names the sequence.
        TrainingDivergedError
            If the loss or a weight becomes NaN or infinite. As after any error, the
            estimator is unchanged then.
        """
        return super().fit(
            without_padding(self, X, lengths, channels=self.channels),
            y,
            sample_weight,
            without_padding(self, X_val, lengths_val, "X_val", self.channels),
            y_val,
            sample_weight_val,
        )

    # Predictions

    def _predicted(self, predict: Callable, X: Any, lengths: Any, **kwargs: Any) -> Any:
        """Call a method of the task; with targets per step, shape its result as X."""
        check_is_fitted(self)
        X = without_padding(self, X, lengths)
        if not self._fitted.features.by_step:
            return predict(X, **kwargs)
        equal = not isinstance(X, Ragged) and sequences_in(X) is None
        X = self._fitted.features.encode(X, self._fitted.dtype)
        flat = predict(X, **kwargs)
        if isinstance(flat, tuple):
            return tuple(_by_rows(each, X, equal) for each in flat)
        return _by_rows(flat, X, equal)

    def _scored(
        self,
        metric: Callable,
        predict: Callable,
        X: Any,
        y: Any,
        weight: Any,
        lengths: Any,
    ) -> float:
        check_is_fitted(self)
        if y is None:
            raise ValueError(
                f"{type(self).__name__}.score needs y, the true targets; got None."
            )
        X = without_padding(self, X, lengths)
        if not self._fitted.features.by_step:
            weight = check_sample_weight(weight, len(X))
            return metric(y, predict(X), sample_weight=weight)
        fitted = self._fitted
        X, targets = fitted.features.check(X, y, fitted.dtype, reset=False)
        weight = check_sample_weight(weight, len(X))
        if weight is not None:
            weight = X.repeat(weight)
        return metric(targets.values, predict(X), sample_weight=weight)


def without_padding(
    estimator: Any, X: Any, lengths: Any, name: str = "X", channels: str | None = None
) -> Any:
    """Convert a padded array to sequences; ``channels`` is that of a fit in progress."""
    if lengths is None:
        return X
    learnt = estimator.channels
    if estimator.__sklearn_is_fitted__():
        learnt = fitted_of(estimator).features.channels
    return unpad(X, lengths, type(estimator).__name__, channels or learnt, name)


def _by_rows(flat: np.ndarray, X: Ragged, equal: bool) -> np.ndarray:
    """Split the predictions of all steps by sequence, as X is."""
    if equal:
        return flat.reshape(len(X), -1, *flat.shape[1:])
    return X.with_values(flat).arrays()
