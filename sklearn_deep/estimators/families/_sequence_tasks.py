"""Classification and regression of sequences: the methods have a parameter ``lengths``."""

from typing import ClassVar

from sklearn.metrics import accuracy_score

from sklearn_deep._arguments import names_unknown_arguments
from sklearn_deep.data._tasks import ClassificationPerStep, RegressionPerStep, Task
from sklearn_deep.estimators.families._lengths import (
    VariableLengthEstimator,
    without_padding,
)
from sklearn_deep.estimators.tasks._classifier import DeepClassifier
from sklearn_deep.estimators.tasks._regressor import DeepRegressor


class SequenceClassifier(VariableLengthEstimator, DeepClassifier):
    """Predicts labels of sequences, or of each of their steps."""

    _task: ClassVar[type[Task]] = ClassificationPerStep

    @names_unknown_arguments
    def partial_fit(self, X, y, classes=None, sample_weight=None, lengths=None):
        """Continue training for one epoch on these rows.

        No rows are held out, and training does not stop early. The vocabulary of tokens
        is learnt in the first call: set ``vocabulary`` if later calls have other tokens.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...), or n_samples sequences
            As in ``fit``.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Labels; with ``return_sequences`` one per step.
        classes : array-like of shape (n_classes,), default=None
            All labels of this and later calls; needed in the first call, unless ``y``
            contains all of them.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.
        lengths : array-like of int of shape (n_samples,), default=None
            True lengths of the rows of a padded ``X``.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        ValueError
            For fewer than two classes in the first call, and as in ``fit``.
        """
        return self._partial_fit(
            without_padding(self, X, lengths), y, sample_weight, classes
        )

    def predict(self, X, lengths=None):
        """Predict labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...), or n_samples sequences
            As in ``fit``; a list of sequences may be of any lengths.
        lengths : array-like of int of shape (n_samples,), default=None
            True lengths of the rows of a padded ``X``.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_labels)
            Labels, or 0 and 1 for each label of a multilabel problem. With
            ``return_sequences`` for each step: of shape (n_samples, time) for an array,
            otherwise an object array with one array per sequence.
        """
        return self._predicted(super().predict, X, lengths)

    def predict_proba(self, X, lengths=None):
        """Predict the probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...), or n_samples sequences
            As in ``fit``; a list of sequences may be of any lengths.
        lengths : array-like of int of shape (n_samples,), default=None
            True lengths of the rows of a padded ``X``.

        Returns
        -------
        p : ndarray of shape (n_samples, n_classes)
            Columns as in ``classes_``; for multilabel problems the probability of
            each label. With ``return_sequences`` for each step, shaped as in
            ``predict``.
        """
        return self._predicted(super().predict_proba, X, lengths)

    def predict_log_proba(self, X, lengths=None):
        """Predict the logarithm of each class's probability.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...), or n_samples sequences
            As in ``fit``; a list of sequences may be of any lengths.
        lengths : array-like of int of shape (n_samples,), default=None
            True lengths of the rows of a padded ``X``.

        Returns
        -------
        log_p : ndarray of shape (n_samples, n_classes)
            Exact even if the probability itself rounds to 0. With
            ``return_sequences`` for each step, shaped as in ``predict``.
        """
        return self._predicted(super().predict_log_proba, X, lengths)

    def decision_function(self, X, lengths=None):
        """Compute the raw outputs (logits).

        Parameters
        ----------
        X : array-like of shape (n_samples, ...), or n_samples sequences
            As in ``fit``; a list of sequences may be of any lengths.
        lengths : array-like of int of shape (n_samples,), default=None
            True lengths of the rows of a padded ``X``.

        Returns
        -------
        z : ndarray of shape (n_samples,), (n_samples, n_classes) or \
                (n_samples, n_labels)
            For two classes, positive if the second is more probable. With
            ``return_sequences`` for each step, shaped as in ``predict``.
        """
        return self._predicted(super().decision_function, X, lengths)

    def score(self, X, y, sample_weight=None, lengths=None):
        """Compute the accuracy; with ``return_sequences`` over all steps, without padding.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...), or n_samples sequences
            As in ``fit``; a list of sequences may be of any lengths.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            True labels; with ``return_sequences`` one per step.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows; each step of a row has the row's weight.
        lengths : array-like of int of shape (n_samples,), default=None
            True lengths of the rows of a padded ``X``.

        Returns
        -------
        score : float
            Fraction of correct labels.
        """
        return self._scored(
            accuracy_score, super().predict, X, y, sample_weight, lengths
        )


class SequenceRegressor(VariableLengthEstimator, DeepRegressor):
    """Predicts numbers for sequences, or for each of their steps."""

    _task: ClassVar[type[Task]] = RegressionPerStep

    @names_unknown_arguments
    def partial_fit(self, X, y, sample_weight=None, lengths=None):
        """Continue training for one epoch on these rows.

        No rows are held out, and training does not stop early. The scale of the
        targets and the vocabulary of tokens are learnt in the first call.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...), or n_samples sequences
            As in ``fit``.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets; with ``return_sequences`` one per step.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.
        lengths : array-like of int of shape (n_samples,), default=None
            True lengths of the rows of a padded ``X``.

        Returns
        -------
        self : object
            The estimator.
        """
        return self._partial_fit(without_padding(self, X, lengths), y, sample_weight)

    def predict(self, X, return_std=False, lengths=None):
        """Predict targets, in the units of ``y``.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...), or n_samples sequences
            As in ``fit``; a list of sequences may be of any lengths.
        return_std : bool, default=False
            Whether to return the standard deviation too; needs ``loss="gaussian"``.
        lengths : array-like of int of shape (n_samples,), default=None
            True lengths of the rows of a padded ``X``.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
            The mean, or the median or quantiles if the loss predicts these. With
            ``return_sequences`` for each step: of shape (n_samples, time) for an array,
            otherwise an object array with one array per sequence. Several quantiles are
            on the last axis.
        std : ndarray of the same shape
            Standard deviation of the target; only with ``return_std=True``.

        Raises
        ------
        ValueError
            With ``return_std=True`` if the network has another loss.
        """
        return self._predicted(super().predict, X, lengths, return_std=return_std)

    def score(self, X, y, sample_weight=None, lengths=None):
        """Compute R^2, or D^2 for several quantiles; with ``return_sequences`` over all steps.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...), or n_samples sequences
            As in ``fit``; a list of sequences may be of any lengths.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            True targets; with ``return_sequences`` one per step.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows; each step of a row has the row's weight.
        lengths : array-like of int of shape (n_samples,), default=None
            True lengths of the rows of a padded ``X``.

        Returns
        -------
        score : float
            The coefficient of determination, 1 at best; with several quantiles the
            mean of :func:`~sklearn.metrics.d2_pinball_score` over them.
        """
        return self._scored(self._score, super().predict, X, y, sample_weight, lengths)
