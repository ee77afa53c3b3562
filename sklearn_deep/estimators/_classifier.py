"""What classifiers of every network family share."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_sample_weight

from sklearn_deep._arguments import names_unknown_arguments
from sklearn_deep.data._targets import ClassTargets, check_class_targets
from sklearn_deep.data._weights import class_weights
from sklearn_deep.estimators._base import DeepEstimator
from sklearn_deep.estimators._data import FitArguments, Part
from sklearn_deep.estimators._fitted import Fitted, FittedAttribute
from sklearn_deep.nn._losses import Loss, probabilities


class DeepClassifier(ClassifierMixin, DeepEstimator):
    """Hooks about class labels, and the methods that predict them."""

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

    # Hooks

    def _check_y(self, y: Any) -> np.ndarray:
        return check_class_targets(y)

    def _labels(self, y: np.ndarray) -> np.ndarray | None:
        return np.unique(y) if y.ndim == 1 else None

    def _check_enough(self, part: Part, given: FitArguments) -> None:
        if part.labels is None or given.incremental:
            return
        if len(part.labels) < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least 2 classes in y, got 1 class:"
                f" {part.labels.tolist()[0]!r}. Check the split that made y."
            )

    def _stratify(self, y: np.ndarray) -> np.ndarray | None:
        return y if y.ndim == 1 else None

    def _learn_targets(self, y: np.ndarray, train: Part, classes: Any) -> ClassTargets:
        targets = ClassTargets.learn(y, classes)
        if len(targets.classes) < 2 and not targets.multilabel:
            raise ValueError(
                f"{type(self).__name__}.partial_fit needs at least 2 classes in its first"
                f" call, got 1 class: {targets.classes.tolist()[0]!r}. Pass all labels"
                " that will ever come as classes."
            )
        return targets

    def _make_loss(self, targets: ClassTargets, before: Fitted | None) -> Loss:
        return Loss.make(
            type(self).__name__,
            self.loss,
            targets.kind,
            self.loss_params,
            self.label_smoothing,
        )

    def _row_weights(self, part: Part, targets: ClassTargets) -> np.ndarray | None:
        if self.class_weight is None:
            return part.weight
        if targets.multilabel:
            by_class = self._label_weights(part.y)
            return by_class if part.weight is None else by_class * part.weight
        codes = targets.codes(part.y)
        weights = class_weights(self.class_weight, targets.classes, codes, part.weight)
        by_class = weights[codes]
        return by_class if part.weight is None else by_class * part.weight

    def _label_weights(self, y: np.ndarray) -> np.ndarray:
        """Weights of multilabel rows: the product over labels, as scikit-learn has it."""
        if self.class_weight != "balanced":
            raise ValueError(
                f"class_weight of {type(self).__name__} must be None or 'balanced' for"
                f" multilabel y, where a row has no single class; got"
                f" {self.class_weight!r}. Pass sample_weight instead."
            )
        return compute_sample_weight("balanced", y)

    def __sklearn_tags__(self):
        """Say that multilabel y is welcome."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
