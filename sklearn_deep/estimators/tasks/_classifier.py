"""What classifiers of every network family share."""

from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.base import ClassifierMixin

from sklearn_deep._arguments import names_unknown_arguments
from sklearn_deep.data._tasks import Classification, Task
from sklearn_deep.estimators.core._base import DeepEstimator
from sklearn_deep.estimators.core._fitted import FittedAttribute
from sklearn_deep.nn._losses import probabilities


class DeepClassifier(ClassifierMixin, DeepEstimator):
    """A network that predicts class labels."""

    _task: ClassVar[type[Task]] = Classification

    # The log loss of a network that overfits grows without bound.
    _auto_keeps_best_epoch = True

    classes_ = FittedAttribute(
        lambda f: f.targets.classes, "Labels; label numbers for multilabel targets."
    )
    n_outputs_ = FittedAttribute(
        lambda f: f.targets.n_columns, "Number of labels per row."
    )

    @names_unknown_arguments
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Go on training for one epoch over these rows.

        Rows are not held out, and the training is not stopped.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Labels.
        classes : array-like of shape (n_classes,), default=None
            All labels that will ever come; needed in the first call, unless ``y``
            holds them all.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        ValueError
            For fewer than two classes in the first call, and as ``fit``.
        """
        return self._partial_fit(X, y, sample_weight, classes)

    def predict(self, X):
        """Predict labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_labels)
            Labels, or 0 and 1 for each label of a multilabel problem.
        """
        return self._targets_of(self._raw(X).numpy())

    def predict_proba(self, X):
        """Predict the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        p : ndarray of shape (n_samples, n_classes)
            Columns as in ``classes_``; for multilabel problems the probability of
            each label by itself.
        """
        raw = self._raw(X)
        # Not 1 - p, which is 0 long before the sigmoid of the other side is.
        raw = torch.cat([-raw, raw], 1) if self._is_binary else raw
        return probabilities(raw, self._fitted.targets.kind).numpy()

    def predict_log_proba(self, X):
        """Predict the logarithm of each class's probability.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        log_p : ndarray of shape (n_samples, n_classes)
            Exact also where the probability itself rounds to 0.
        """
        raw = self._raw(X)
        raw = torch.cat([-raw, raw], 1) if self._is_binary else raw
        kind = self._fitted.targets.kind
        exact = F.logsigmoid(raw) if kind == "sigmoid" else F.log_softmax(raw, 1)
        p = probabilities(raw, kind)
        # Near 1 both are exact, and log(p) agrees with predict_proba to the bit.
        return torch.where(p > 0.5, p.log(), exact).numpy()

    def decision_function(self, X):
        """Give the raw outputs (logits).

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        z : ndarray of shape (n_samples,), (n_samples, n_classes) or \
                (n_samples, n_labels)
            For two classes positive where the second is the more probable.
        """
        raw = self._raw(X).numpy()
        return raw[:, 0] if self._is_binary else raw

    @property
    def _is_binary(self) -> bool:
        return (
            not self._fitted.targets.multilabel
            and self._fitted.targets.kind == "sigmoid"
        )

    def _targets_of(self, raw: np.ndarray) -> np.ndarray:
        return self._fitted.targets.decode(raw)

    def __sklearn_tags__(self):
        """Say that multilabel y is welcome."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
