"""Feed-forward networks."""

from typing import Any

import numpy as np

from sklearn_deep._arguments import names_unknown_arguments
from sklearn_deep._params import OneOf, Rules
from sklearn_deep.data._layout import Layout
from sklearn_deep.estimators.families._family import LayeredEstimator
from sklearn_deep.estimators.families._rules import (
    CLASSIFIER_RULES,
    HIDDEN_LAYER_SIZES,
    NETWORK_RULES,
    TRAINING_RULES,
)
from sklearn_deep.estimators.tasks._classifier import DeepClassifier
from sklearn_deep.estimators.tasks._regressor import DeepRegressor
from sklearn_deep.nn._losses import CLASSIFIER_LOSSES, REGRESSOR_LOSSES
from sklearn_deep.nn._mlp import MLP

_RULES: Rules = {
    "hidden_layer_sizes": HIDDEN_LAYER_SIZES,
    **NETWORK_RULES,
    **TRAINING_RULES,
}


class _MLPFamily(LayeredEstimator):
    """Builds the network of the classifier and the regressor."""

    def _architecture(
        self, layout: Layout, n_outputs: int, kind: str
    ) -> dict[str, Any]:
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


class MLPClassifier(DeepClassifier, _MLPFamily):
    """Feed-forward network for classification.

    Takes binary, multiclass and multilabel targets of any label type. Scale the
    features first, e.g. with a :class:`~sklearn.preprocessing.StandardScaler` in a
    :class:`~sklearn.pipeline.Pipeline`.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(256, 128)
        Number of units of each hidden layer; an empty sequence gives a linear model.
    activation : {"relu", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", \
            "prelu", "sigmoid", "tanh", "identity"}, default="relu"
        Activation function of the hidden units.
    activation_params : dict, default=None
        Parameters of the activation: ``negative_slope`` (leaky_relu, default 0.01),
        ``alpha`` (elu, 1.0), ``approximate`` (gelu, "none" or "tanh"), ``init`` (prelu,
        0.25).
    dropout : float or sequence of float, default=0.2
        Fraction of hidden units dropped in training, in [0, 1): one number, or one per
        hidden layer [1]_. With ``activation="selu"`` it is alpha dropout.
    normalization : {None, "batch", "layer"}, default=None
        Normalisation before each activation.
    residual : bool, default=False
        Whether the input of each hidden layer is added to its output.
    weight_init : {"auto", "xavier_uniform", "xavier_normal", "kaiming_uniform", \
            "kaiming_normal", "orthogonal", "lecun_uniform", "lecun_normal", \
            "uniform", "normal"}, default="auto"
        Initialiser of the weights. "auto" depends on the activation: kaiming_uniform
        for relu and similar ones, xavier_uniform for sigmoid and tanh, lecun_normal for
        selu.
    weight_init_params : dict, default=None
        ``gain`` (xavier, kaiming, orthogonal; default: the activation's), ``low`` and
        ``high`` (uniform, -0.05 and 0.05), ``mean`` and ``std`` (normal, 0 and 0.05).
    bias_init : {"zeros", "uniform", "prior"} or float, default="zeros"
        Initial biases: zeros; uniform in +-1/sqrt(fan-in); a constant; or, for "prior",
        zeros except in the output layer, which starts at the best constant prediction
        (class log-odds, mean of the target).
    loss : {"log_loss", "brier", "focal"}, default="log_loss"
        Training loss: cross-entropy, squared error of the probabilities, or focal loss
        [2]_; of the sigmoid for binary and multilabel targets, of the softmax
        otherwise.
    loss_params : dict, default=None
        Parameters of the loss: ``gamma`` (focal, default 2.0).
    label_smoothing : float, default=0.0
        Fraction of each training label that is spread evenly over the classes, in [0,
        1).
    class_weight : {None, "balanced"} or dict, default=None
        Weights of the classes, as ``{label: weight}`` (1 for labels left out), or
        inversely proportional to the class frequencies. The dict may name a class that
        is missing from y, as happens in a fold, if it also names all classes of y.
    weight_decay : float or "auto", default="auto"
        Decoupled weight decay [3]_; each step multiplies it by the learning rate. With
        adamw, "auto" is ``800 / n_samples``, and at least 0.1 and at most 4, less at
        learning rates above 5e-3 (0.1 in ``partial_fit``, with a learning rate of "auto",
        and where each step uses all rows); it is 0 with the others. lbfgs has no learning
        rate and adds it to ``l2``.
    l2 : float, default=0.0
        L2 penalty: ``0.5 * l2 * sum(w ** 2)`` is added to the loss.
    l1 : float, default=0.0
        L1 penalty: ``l1 * sum(abs(w))`` is added to the loss. Penalties and weight
        decay do not apply to biases and normalisation parameters.
    gradient_clip : float, default=None
        Largest norm of the gradient; longer gradients are scaled down to it.
    augmentation : augmentation or list of augmentations, default=None
        Augmentations applied to training batches, in order, with random numbers from
        ``random_state``; never to validation rows or in ``predict``. Their parameters
        are named ``augmentation__std``, or ``augmentation__gaussiannoise__std`` in a
        list.
    optimizer : {"adam", "adamw", "sgd", "momentum", "nesterov", "rmsprop", "gd", \
            "lbfgs"}, default="adamw"
        "gd" (gradient descent) and "lbfgs" use all rows in every step. "rmsprop"
        averages squared gradients with ``betas[1]``.
    learning_rate : float or "auto", default=0.005
        Learning rate. "auto" takes the suggestion of a range test [4]_.
    learning_rate_scaling : {None, "linear", "sqrt"}, default=None
        Multiplies the learning rate by ``batch_size / 256`` or its square root, so that
        one learning rate suits several batch sizes.
    momentum : float, default=0.9
        Momentum of "momentum" and "nesterov", in [0, 1).
    betas : tuple of float, default=(0.9, 0.999)
        Decay rates of the two moving averages of adam and adamw, each in [0, 1).
    batch_size : int or "auto", default="auto"
        Rows per step. "auto" is the power of two near ``n_samples / 20``, in
        [32, 256]; with up to 32 rows, all of them.
    max_epochs : int or "auto", default=50
        Largest number of passes over the training rows (for lbfgs: of iterations).
        "auto" gives about 2,500 steps, but at least 12 and at most 200 epochs.
    learning_rate_schedule : {"constant", "step", "exponential", "cosine", \
            "one_cycle", "plateau", "warm_restarts"}, default="cosine"
        How the learning rate changes over the ``max_epochs`` epochs.
    schedule_params : dict, default=None
        ``every`` (epochs) and ``factor`` (step: 30, 0.1), ``factor`` (exponential: 0.95
        per epoch), ``final`` (cosine: 0), ``start``, ``peak_at``, ``final`` (one_cycle:
        0.04, 0.3, 1e-5), ``factor`` and ``patience`` in epochs (plateau: 0.2, 4),
        ``period`` in epochs, ``multiplier``, ``final`` (warm_restarts: 10, 2, 0).
        ``start`` and ``final`` are fractions of ``learning_rate``.
    warmup : float, default=0
        Number of epochs of linear increase before the schedule.
    early_stopping : bool or "auto", default="auto"
        Whether rows are held out for validation, to decide when training stops. "auto":
        if ``X_val`` is given, for more than 10,000 rows, and for at least 1,000 rows unless
        each step uses all of them ("gd", "lbfgs"); for fewer only with a ``weight_decay``
        of your own, unless the rows held out would be fewer than the classes. Otherwise
        the training loss decides.
    validation_fraction : float, default=0.1
        Fraction of the rows that is held out, in (0, 1); stratified by class.
    n_iter_no_change : int or None, default=20
        Training stops after this number of epochs without an improvement by ``tol``;
        None turns this off.
    tol : float, default=0.0001
        Smallest decrease of the loss, or increase of the score, that is an improvement.
    restore_best : bool, default=True
        Whether early stopping restores the weights of the best epoch.
    monitor : "loss", str or callable, default="loss"
        What early stopping compares on the validation rows: the loss, or a score
        (higher is better). A score is the name of a scorer of scikit-learn, such as
        "roc_auc" or "f1" (for two classes, ``classes_[1]`` is the positive one), a
        scorer made by :func:`sklearn.metrics.make_scorer`, or a function ``(estimator,
        X, y) -> float``.
    time_limit : float, default=None
        Seconds after which training ends.
    warm_start : bool, default=False
        Whether ``fit`` continues from the weights of the previous fit.
    callbacks : list, default=None
        skorch callbacks, or pairs of a name and a callback. Their parameters are
        ``callbacks__<name>__<parameter>``; the name defaults to that of the callback's
        class. (scikit-learn's callbacks are set with ``set_callbacks``.)
    checkpoint : str, path or Checkpoint, default=None
        Folder in which the fit stores its state every 30 seconds and at its end; a
        :class:`Checkpoint` says how often. A fit with the same parameters, data and
        ``random_state`` that was interrupted continues from there, to the same network; one
        that has finished is not trained again. It needs a ``random_state``. Callbacks are
        not compared, and see only the epochs that are trained now.
    device : {"auto", "cpu", "cuda", "mps", "cuda:all"} or str, default="auto"
        Device for training and prediction; "auto" uses an accelerator if there is one.
        "cuda:all" trains each fit on all GPUs of this machine, with a process for each, and
        "cpu*2" or "cuda*2" in two processes; see :ref:`ranks`.
    dtype : {"auto", "float32", "float64"}, default="auto"
        Floating-point type of all computations; "auto" is the dtype of X on a CPU
        (float64 for integers) and float32 on an accelerator.
    verbose : int, default=0
        0 prints nothing, 1 shows one progress line, 2 prints one line per epoch.
    random_state : int, RandomState or None, default=None
        Seed of the initial weights, batches, dropout and the validation split. None gives
        different results in each fit; global random generators are never used or
        changed.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels; label numbers for multilabel targets.
    n_outputs_ : int
        Number of targets (labels, for multilabel).
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if the column names of X are strings.
    n_iter_ : int
        Number of epochs trained.
    best_epoch_ : int
        Epoch, counted from 1, that the weights are from.
    history_ : DataFrame (a list of dicts without pandas)
        One row per epoch: epoch, train_loss, valid_loss, valid_score (the monitored
        score, else accuracy or R^2), learning_rate, seconds since the start.
    loss_curve_ : list of float
        Training loss of each epoch, without penalties.
    learning_rate_ : float
        Learning rate used, before any schedule.
    stop_reason_ : {"max_epochs", "early_stopping", "converged", "diverged", \
            "time_limit", "callback"}
        Why training ended. "converged": the training loss stopped improving.
        "diverged": it stopped improving far above the loss of a constant prediction.
    augmentation_ : tuple of augmentations
        Augmentations applied to training batches. An ``AutoAugment`` is replaced by the
        ``Policy`` that it found, or left out if it found none.
    module_ : torch.nn.Module
        The network, in evaluation mode.
    net_ : skorch.NeuralNet
        The same network for code that expects skorch.
    layers_ : DataFrame (a list of dicts without pandas)
        One row per layer with values of its own: layer (its name in ``module_``), kind,
        shape (of its weights), parameters (their number), trainable (whether training
        changes any).
    n_parameters_ : int
        Number of parameters of the network.

    See Also
    --------
    MLPRegressor : The same network for numeric targets.
    ValidationHoldout : Early stopping in a Pipeline without a leak.
    LearningRateFinder : Plot a range test before choosing a learning rate.

    Notes
    -----
    If each step uses all rows (``batch_size >= n_samples``, "gd", "lbfgs"),
    an integer sample weight has exactly the effect of repeating the row. With
    minibatches it cannot: the batches differ.

    References
    ----------
    .. [1] Srivastava et al., "Dropout: a simple way to prevent neural networks from
           overfitting", JMLR 15, 2014.
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
    >>> net = MLPClassifier((32,), max_epochs=200, dropout=0.1, random_state=0)
    >>> pipe = make_pipeline(StandardScaler(), net).fit(X, y)
    >>> bool(pipe.score(X, y) > 0.9)
    True
    """

    _rules = {**_RULES, "loss": (OneOf(*CLASSIFIER_LOSSES),), **CLASSIFIER_RULES}
    _rows_of_decay = 800.0

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
        checkpoint=None,
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
        self.checkpoint = checkpoint
        self.device = device
        self.dtype = dtype
        self.verbose = verbose
        self.random_state = random_state


class MLPRegressor(DeepRegressor, _MLPFamily):
    """Feed-forward network for regression on one or more targets.

    Targets are standardised internally; predictions are in the original units. Scale
    the features first, e.g. with a :class:`~sklearn.preprocessing.StandardScaler` in a
    :class:`~sklearn.pipeline.Pipeline`.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(128, 128, 128)
        Number of units of each hidden layer; an empty sequence gives a linear model.
    activation : {"relu", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", \
            "prelu", "sigmoid", "tanh", "identity"}, default="silu"
        Activation function of the hidden units.
    activation_params : dict, default=None
        Parameters of the activation: ``negative_slope`` (leaky_relu, default 0.01),
        ``alpha`` (elu, 1.0), ``approximate`` (gelu, "none" or "tanh"), ``init`` (prelu,
        0.25).
    dropout : float or sequence of float, default=0.1
        Fraction of hidden units dropped in training, in [0, 1): one number, or one per
        hidden layer [1]_. With ``activation="selu"`` it is alpha dropout.
    normalization : {None, "batch", "layer"}, default=None
        Normalisation before each activation.
    residual : bool, default=False
        Whether the input of each hidden layer is added to its output.
    weight_init : {"auto", "xavier_uniform", "xavier_normal", "kaiming_uniform", \
            "kaiming_normal", "orthogonal", "lecun_uniform", "lecun_normal", \
            "uniform", "normal"}, default="auto"
        Initialiser of the weights. "auto" depends on the activation: kaiming_uniform
        for relu and similar ones, xavier_uniform for sigmoid and tanh, lecun_normal for
        selu.
    weight_init_params : dict, default=None
        ``gain`` (xavier, kaiming, orthogonal; default: the activation's), ``low`` and
        ``high`` (uniform, -0.05 and 0.05), ``mean`` and ``std`` (normal, 0 and 0.05).
    bias_init : {"zeros", "uniform", "prior"} or float, default="zeros"
        Initial biases: zeros; uniform in +-1/sqrt(fan-in); a constant; or, for "prior",
        zeros except in the output layer, which starts at the best constant prediction
        (class log-odds, mean of the target).
    loss : {"squared_error", "absolute_error", "huber", "quantile", "poisson", \
            "gaussian"}, default="squared_error"
        Training loss, over internally standardised targets. "poisson" has a log link
        and needs targets >= 0; "gaussian" learns mean and standard deviation, see
        ``predict(X, return_std=True)`` [2]_.
    loss_params : dict, default=None
        Parameters of the loss: ``delta`` (huber, in standard deviations of the target,
        default 1.0); ``quantile`` (in (0, 1), default 0.5), or an increasing sequence
        of quantiles, which one network then predicts; ``calibrate`` (gaussian and
        several quantiles, default True): whether predicted spreads are rescaled to
        match rows that the network was not trained on. These are the validation rows,
        if there are any. Otherwise a second network is trained without a
        ``validation_fraction`` of the rows, a larger one for small X, which doubles the
        training time; fits of fewer than 60 rows and ``partial_fit`` are not calibrated
        in this way.
    weight_decay : float or "auto", default="auto"
        Decoupled weight decay [3]_; each step multiplies it by the learning rate.
        "auto" is 0.1 for adamw and 0 for the others. lbfgs has no learning rate and
        adds it to ``l2``.
    l2 : float, default=0.0
        L2 penalty: ``0.5 * l2 * sum(w ** 2)`` is added to the loss.
    l1 : float, default=0.0
        L1 penalty: ``l1 * sum(abs(w))`` is added to the loss. Penalties and weight
        decay do not apply to biases and normalisation parameters.
    gradient_clip : float, default=None
        Largest norm of the gradient; longer gradients are scaled down to it.
    augmentation : augmentation or list of augmentations, default=None
        Augmentations applied to training batches, in order, with random numbers from
        ``random_state``; never to validation rows or in ``predict``. Their parameters
        are named ``augmentation__std``, or ``augmentation__gaussiannoise__std`` in a
        list.
    optimizer : {"adam", "adamw", "sgd", "momentum", "nesterov", "rmsprop", "gd", \
            "lbfgs"}, default="adamw"
        "gd" (gradient descent) and "lbfgs" use all rows in every step. "rmsprop"
        averages squared gradients with ``betas[1]``.
    learning_rate : float or "auto", default=0.005
        Learning rate. "auto" takes the suggestion of a range test [4]_.
    learning_rate_scaling : {None, "linear", "sqrt"}, default=None
        Multiplies the learning rate by ``batch_size / 256`` or its square root, so that
        one learning rate suits several batch sizes.
    momentum : float, default=0.9
        Momentum of "momentum" and "nesterov", in [0, 1).
    betas : tuple of float, default=(0.9, 0.999)
        Decay rates of the two moving averages of adam and adamw, each in [0, 1).
    batch_size : int or "auto", default="auto"
        Rows per step. "auto" is the power of two near ``n_samples / 20``, in
        [32, 256]; with up to 32 rows, all of them.
    max_epochs : int or "auto", default=100
        Largest number of passes over the training rows (for lbfgs: of iterations).
        "auto" gives about 2,500 steps, but at least 12 and at most 200 epochs.
    learning_rate_schedule : {"constant", "step", "exponential", "cosine", \
            "one_cycle", "plateau", "warm_restarts"}, default="cosine"
        How the learning rate changes over the ``max_epochs`` epochs.
    schedule_params : dict, default=None
        ``every`` (epochs) and ``factor`` (step: 30, 0.1), ``factor`` (exponential: 0.95
        per epoch), ``final`` (cosine: 0), ``start``, ``peak_at``, ``final`` (one_cycle:
        0.04, 0.3, 1e-5), ``factor`` and ``patience`` in epochs (plateau: 0.2, 4),
        ``period`` in epochs, ``multiplier``, ``final`` (warm_restarts: 10, 2, 0).
        ``start`` and ``final`` are fractions of ``learning_rate``.
    warmup : float, default=0
        Number of epochs of linear increase before the schedule.
    early_stopping : bool or "auto", default="auto"
        Whether rows are held out for validation, to decide when training stops. "auto":
        if ``X_val`` is given, or for more than 10,000 rows. Otherwise the training loss
        decides.
    validation_fraction : float, default=0.1
        Fraction of the rows that is held out, in (0, 1); stratified by class.
    n_iter_no_change : int or None, default=20
        Training stops after this number of epochs without an improvement by ``tol``;
        None turns this off.
    tol : float, default=0.0001
        Smallest decrease of the loss, or increase of the score, that is an improvement.
    restore_best : bool, default=True
        Whether early stopping restores the weights of the best epoch.
    monitor : "loss", str or callable, default="loss"
        What early stopping compares on the validation rows: the loss, or a score
        (higher is better). A score is the name of a scorer of scikit-learn, such as
        "roc_auc" or "f1" (for two classes, ``classes_[1]`` is the positive one), a
        scorer made by :func:`sklearn.metrics.make_scorer`, or a function ``(estimator,
        X, y) -> float``.
    time_limit : float, default=None
        Seconds after which training ends.
    warm_start : bool, default=False
        Whether ``fit`` continues from the weights of the previous fit.
    callbacks : list, default=None
        skorch callbacks, or pairs of a name and a callback. Their parameters are
        ``callbacks__<name>__<parameter>``; the name defaults to that of the callback's
        class. (scikit-learn's callbacks are set with ``set_callbacks``.)
    checkpoint : str, path or Checkpoint, default=None
        Folder in which the fit stores its state every 30 seconds and at its end; a
        :class:`Checkpoint` says how often. A fit with the same parameters, data and
        ``random_state`` that was interrupted continues from there, to the same network; one
        that has finished is not trained again. It needs a ``random_state``. Callbacks are
        not compared, and see only the epochs that are trained now.
    device : {"auto", "cpu", "cuda", "mps", "cuda:all"} or str, default="auto"
        Device for training and prediction; "auto" uses an accelerator if there is one.
        "cuda:all" trains each fit on all GPUs of this machine, with a process for each, and
        "cpu*2" or "cuda*2" in two processes; see :ref:`ranks`.
    dtype : {"auto", "float32", "float64"}, default="auto"
        Floating-point type of all computations; "auto" is the dtype of X on a CPU
        (float64 for integers) and float32 on an accelerator.
    verbose : int, default=0
        0 prints nothing, 1 shows one progress line, 2 prints one line per epoch.
    random_state : int, RandomState or None, default=None
        Seed of the initial weights, batches, dropout and the validation split. None gives
        different results in each fit; global random generators are never used or
        changed.

    Attributes
    ----------
    n_outputs_ : int
        Number of targets.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if the column names of X are strings.
    n_iter_ : int
        Number of epochs trained.
    best_epoch_ : int
        Epoch, counted from 1, that the weights are from.
    history_ : DataFrame (a list of dicts without pandas)
        One row per epoch: epoch, train_loss, valid_loss, valid_score (the monitored
        score, else accuracy or R^2), learning_rate, seconds since the start.
    loss_curve_ : list of float
        Training loss of each epoch, without penalties.
    learning_rate_ : float
        Learning rate used, before any schedule.
    stop_reason_ : {"max_epochs", "early_stopping", "converged", "diverged", \
            "time_limit", "callback"}
        Why training ended. "converged": the training loss stopped improving.
        "diverged": it stopped improving far above the loss of a constant prediction.
    augmentation_ : tuple of augmentations
        Augmentations applied to training batches. An ``AutoAugment`` is replaced by the
        ``Policy`` that it found, or left out if it found none.
    module_ : torch.nn.Module
        The network, in evaluation mode.
    net_ : skorch.NeuralNet
        The same network for code that expects skorch.
    layers_ : DataFrame (a list of dicts without pandas)
        One row per layer with values of its own: layer (its name in ``module_``), kind,
        shape (of its weights), parameters (their number), trainable (whether training
        changes any).
    n_parameters_ : int
        Number of parameters of the network.

    See Also
    --------
    MLPClassifier : The same network for classes.
    ValidationHoldout : Early stopping in a Pipeline without a leak.
    LearningRateFinder : Plot a range test before choosing a learning rate.

    Notes
    -----
    If each step uses all rows (``batch_size >= n_samples``, "gd", "lbfgs"),
    an integer sample weight has exactly the effect of repeating the row. With
    minibatches it cannot: the batches differ.

    References
    ----------
    .. [1] Srivastava et al., "Dropout: a simple way to prevent neural networks from
           overfitting", JMLR 15, 2014.
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
        checkpoint=None,
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
        self.checkpoint = checkpoint
        self.device = device
        self.dtype = dtype
        self.verbose = verbose
        self.random_state = random_state
