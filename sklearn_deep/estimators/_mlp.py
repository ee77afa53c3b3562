"""Feed-forward networks."""

from typing import Any

import numpy as np

from sklearn_deep._arguments import names_unknown_arguments
from sklearn_deep._params import OneOf, Rules
from sklearn_deep.data._layout import Layout
from sklearn_deep.estimators._classifier import DeepClassifier
from sklearn_deep.estimators._docs import document
from sklearn_deep.estimators._family import LayeredEstimator
from sklearn_deep.estimators._regressor import DeepRegressor
from sklearn_deep.estimators._rules import (
    CLASSIFIER_RULES,
    HIDDEN_LAYER_SIZES,
    NETWORK_RULES,
    TRAINING_RULES,
)
from sklearn_deep.nn._losses import CLASSIFIER_LOSSES, REGRESSOR_LOSSES
from sklearn_deep.nn._mlp import MLP

_RULES: Rules = {
    "hidden_layer_sizes": HIDDEN_LAYER_SIZES,
    **NETWORK_RULES,
    **TRAINING_RULES,
}


class _MLPFamily(LayeredEstimator):
    """The network of both estimators."""

    def _architecture(self, layout: Layout, n_outputs: int) -> dict[str, Any]:
        sizes = [int(n) for n in np.atleast_1d(self.hidden_layer_sizes)]
        return {
            "n_features": layout.n_values,
            "n_outputs": n_outputs,
            "hidden_layer_sizes": sizes,
            "activation": self.activation,
            "activation_params": self._activation_params(),
            "dropout": self._rates(len(sizes)),
            "normalization": self.normalization,
            "residual": bool(self.residual),
        }

    _network = staticmethod(MLP)


@document
class MLPClassifier(DeepClassifier, _MLPFamily):
    """Feed-forward network for classification.

    Takes binary, multiclass and multilabel targets of any label type. Scale the
    features first, e.g. with a :class:`~sklearn.preprocessing.StandardScaler` in a
    :class:`~sklearn.pipeline.Pipeline`.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(256, 128)
        Units of each hidden layer; an empty sequence gives a linear model.
    {network}
    {classifier_objective}
    {training}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels; label numbers for multilabel targets.
    {fitted}

    See Also
    --------
    MLPRegressor : The same network for numeric targets.
    ValidationHoldout : Early stopping in a Pipeline, without a leak.
    LearningRateFinder : Look at the range test before choosing a learning rate.

    Notes
    -----
    Where a step sees all rows (``batch_size >= n_samples``, "gd", "lbfgs"), integer
    weights are exactly equal to repeated rows. With minibatches they cannot be: the
    batches differ.

    References
    ----------
    {references}
    .. [2] Lin et al., "Focal loss for dense object detection", arXiv:1708.02002.
    .. [3] Loshchilov and Hutter, "Decoupled weight decay regularization",
           arXiv:1711.05101.
    .. [4] Smith, "Cyclical learning rates for training neural networks",
           arXiv:1506.01186.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_deep import MLPClassifier
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> net = MLPClassifier((32,), dropout=0.1, random_state=0)
    >>> pipe = make_pipeline(StandardScaler(), net).fit(X, y)
    >>> bool(pipe.score(X, y) > 0.9)
    True
    """

    _rules = {**_RULES, "loss": (OneOf(*CLASSIFIER_LOSSES),), **CLASSIFIER_RULES}

    @names_unknown_arguments
    def __init__(
        self,
        hidden_layer_sizes=(256, 128),
        *,
        activation="relu",
        activation_params=None,
        dropout=0.2,
        normalization=None,
        residual=False,
        weight_init="auto",
        weight_init_params=None,
        bias_init="zeros",
        loss="log_loss",
        loss_params=None,
        label_smoothing=0.0,
        class_weight=None,
        weight_decay="auto",
        l2=0.0,
        l1=0.0,
        gradient_clip=None,
        augmentation=None,
        optimizer="adamw",
        learning_rate=5e-3,
        learning_rate_scaling=None,
        momentum=0.9,
        betas=(0.9, 0.999),
        batch_size="auto",
        max_epochs=50,
        learning_rate_schedule="cosine",
        schedule_params=None,
        warmup=0,
        early_stopping="auto",
        validation_fraction=0.1,
        n_iter_no_change=20,
        tol=1e-4,
        restore_best=True,
        monitor="loss",
        time_limit=None,
        warm_start=False,
        callbacks=None,
        device="auto",
        dtype="auto",
        verbose=0,
        random_state=None,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.activation_params = activation_params
        self.dropout = dropout
        self.normalization = normalization
        self.residual = residual
        self.weight_init = weight_init
        self.weight_init_params = weight_init_params
        self.bias_init = bias_init
        self.loss = loss
        self.loss_params = loss_params
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight
        self.weight_decay = weight_decay
        self.l2 = l2
        self.l1 = l1
        self.gradient_clip = gradient_clip
        self.augmentation = augmentation
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.learning_rate_scaling = learning_rate_scaling
        self.momentum = momentum
        self.betas = betas
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.learning_rate_schedule = learning_rate_schedule
        self.schedule_params = schedule_params
        self.warmup = warmup
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.restore_best = restore_best
        self.monitor = monitor
        self.time_limit = time_limit
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.device = device
        self.dtype = dtype
        self.verbose = verbose
        self.random_state = random_state


@document
class MLPRegressor(DeepRegressor, _MLPFamily):
    """Feed-forward network for regression on one or more targets.

    Targets are standardised inside and given back in their own units. Scale the
    features first, e.g. with a :class:`~sklearn.preprocessing.StandardScaler` in a
    :class:`~sklearn.pipeline.Pipeline`.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(128, 128, 128)
        Units of each hidden layer; an empty sequence gives a linear model.
    {network}
    {regressor_objective}
    {training}

    Attributes
    ----------
    {fitted}

    See Also
    --------
    MLPClassifier : The same network for classes.
    ValidationHoldout : Early stopping in a Pipeline, without a leak.
    LearningRateFinder : Look at the range test before choosing a learning rate.

    Notes
    -----
    Where a step sees all rows (``batch_size >= n_samples``, "gd", "lbfgs"), integer
    weights are exactly equal to repeated rows. With minibatches they cannot be: the
    batches differ.

    References
    ----------
    {references}
    .. [2] Nix and Weigend, "Estimating the mean and variance of the target
           probability distribution", ICNN 1994.
    .. [3] Loshchilov and Hutter, "Decoupled weight decay regularization",
           arXiv:1711.05101.
    .. [4] Smith, "Cyclical learning rates for training neural networks",
           arXiv:1506.01186.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_deep import MLPRegressor
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> net = MLPRegressor((32,), early_stopping=True, random_state=0)
    >>> pipe = make_pipeline(StandardScaler(), net).fit(X, y)
    >>> bool(pipe.score(X, y) > 0.4)
    True
    """

    _rules = {**_RULES, "loss": (OneOf(*REGRESSOR_LOSSES),)}

    @names_unknown_arguments
    def __init__(
        self,
        hidden_layer_sizes=(128, 128, 128),
        *,
        activation="silu",
        activation_params=None,
        dropout=0.1,
        normalization=None,
        residual=False,
        weight_init="auto",
        weight_init_params=None,
        bias_init="zeros",
        loss="squared_error",
        loss_params=None,
        weight_decay="auto",
        l2=0.0,
        l1=0.0,
        gradient_clip=None,
        augmentation=None,
        optimizer="adamw",
        learning_rate=5e-3,
        learning_rate_scaling=None,
        momentum=0.9,
        betas=(0.9, 0.999),
        batch_size="auto",
        max_epochs=100,
        learning_rate_schedule="cosine",
        schedule_params=None,
        warmup=0,
        early_stopping="auto",
        validation_fraction=0.1,
        n_iter_no_change=20,
        tol=1e-4,
        restore_best=True,
        monitor="loss",
        time_limit=None,
        warm_start=False,
        callbacks=None,
        device="auto",
        dtype="auto",
        verbose=0,
        random_state=None,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.activation_params = activation_params
        self.dropout = dropout
        self.normalization = normalization
        self.residual = residual
        self.weight_init = weight_init
        self.weight_init_params = weight_init_params
        self.bias_init = bias_init
        self.loss = loss
        self.loss_params = loss_params
        self.weight_decay = weight_decay
        self.l2 = l2
        self.l1 = l1
        self.gradient_clip = gradient_clip
        self.augmentation = augmentation
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.learning_rate_scaling = learning_rate_scaling
        self.momentum = momentum
        self.betas = betas
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.learning_rate_schedule = learning_rate_schedule
        self.schedule_params = schedule_params
        self.warmup = warmup
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.restore_best = restore_best
        self.monitor = monitor
        self.time_limit = time_limit
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.device = device
        self.dtype = dtype
        self.verbose = verbose
        self.random_state = random_state
