"""What autoencoders of every network family share: the third task, beside two others."""

from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from sklearn_deep._arguments import names_unknown_arguments
from sklearn_deep.data._features import Features, ReconstructedTable
from sklearn_deep.data._tasks import Autoencoding, Task
from sklearn_deep.estimators.core._all_or_nothing import all_or_nothing
from sklearn_deep.estimators.core._base import DeepEstimator
from sklearn_deep.estimators.core._parts import FitArguments
from sklearn_deep.nn._stages import half_of
from sklearn_deep.training.loop._forward import raw_outputs

RECONSTRUCTION_LOSSES = ("squared_error", "absolute_error", "huber")


class DeepReconstructor(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, DeepEstimator
):
    """Hooks about rows that are their own targets, and the methods of an autoencoder.

    The network has ``encoder`` and ``decoder``: its stages on both sides of the code.
    """

    _task: ClassVar[type[Task]] = Autoencoding
    # There are no targets that a scorer could know.
    monitor = "loss"

    @names_unknown_arguments
    def fit(
        self,
        X,
        y=None,
        sample_weight=None,
        X_val=None,
        y_val=None,
        sample_weight_val=None,
    ):
        """Train a network: a fresh one, or with ``warm_start`` the one there is.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows, of any real dtype.
        y : None, default=None
            Ignored: the rows are their own targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights. Only their ratios matter; rows of weight 0 are as
            if they were not there.
        X_val : array-like of shape (n_val, n_features), default=None
            Validation rows; then nothing is held out of ``X``.
        y_val : None, default=None
            Ignored.
        sample_weight_val : array-like of shape (n_val,), default=None
            Validation weights.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            For input that cannot be used; the message says why, and how to fix it.
        TrainingDivergedError
            When the loss or a weight is no longer finite. Then, as after any error,
            the estimator is as it was before the call.
        """
        with all_or_nothing(self):
            return self._fit(
                FitArguments(X, X, sample_weight, X_val, X_val, sample_weight_val)
            )

    @names_unknown_arguments
    def partial_fit(self, X, y=None, sample_weight=None):
        """Go on training for one epoch over these rows.

        Rows are not held out, and the training is not stopped. The scale of the rows is
        learnt in the first call.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : None, default=None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.

        Returns
        -------
        self : object
            The estimator.
        """
        return self._partial_fit(X, X, sample_weight)

    def transform(self, X):
        """Encode rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        code : ndarray of shape (n_samples, code_size)
            Their codes, in the dtype of the network.
        """
        check_is_fitted(self)
        X = self._fitted.features.encode(X, self._fitted.dtype)
        return raw_outputs(half_of(self.module_, "encoder"), X).numpy()

    def inverse_transform(self, X):
        """Decode codes; ``inverse_transform(transform(X))`` is the reconstruction.

        Parameters
        ----------
        X : array-like of shape (n_samples, code_size)
            Codes.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features)
            Rows, in the units of X.
        """
        check_is_fitted(self)
        code = check_array(X, dtype=self._fitted.dtype, order="C", input_name="X")
        if code.shape[1] != self._n_features_out:
            raise ValueError(
                f"{type(self).__name__}.inverse_transform takes codes of"
                f" {self._n_features_out} columns; got {code.shape[1]}."
            )
        return self._decoded(raw_outputs(half_of(self.module_, "decoder"), code))

    def score_samples(self, X):
        """Tell how well rows are reconstructed: the higher, the more normal a row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        score : ndarray of shape (n_samples,)
            Minus the mean squared error of each row's reconstruction, in squared units
            of X; 0 at best.
        """
        error = np.asarray(self._decoded(self._raw(X)))
        features = self._fitted.features
        X = features.encode(X, self._fitted.dtype)
        error = error.reshape(len(X), -1) - features.values(X)
        return -np.square(error, out=error).mean(1)

    def score(self, X, y=None):
        """Give the mean of ``score_samples``, for searches to choose by.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : None, default=None
            Ignored.

        Returns
        -------
        score : float
            Minus the mean squared error of the reconstruction.
        """
        return float(self.score_samples(X).mean())

    @property
    def _n_features_out(self) -> int:
        return self._fitted.architecture["code_size"]

    # Hooks

    def _make_features(self) -> Features:
        return ReconstructedTable(type(self).__name__)

    def _decoded(self, raw: Any) -> np.ndarray:
        """Raw outputs as rows in the units of X."""
        return self._fitted.targets.decode(raw.numpy())

    def __sklearn_tags__(self):
        """Say that rows are dense, and codes of their dtype."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        of_auto = ["float32"] if self._auto_is_float32 else ["float64", "float32"]
        kept = of_auto if self.dtype == "auto" else []
        tags.transformer_tags.preserves_dtype = kept
        return tags
