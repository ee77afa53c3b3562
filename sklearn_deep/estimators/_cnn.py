"""Convolutional networks over images and series."""

from sklearn_deep._arguments import names_unknown_arguments
from sklearn_deep._params import OneOf
from sklearn_deep.estimators._convolutional import CNN_RULES
from sklearn_deep.estimators._docs import document
from sklearn_deep.estimators._rules import CLASSIFIER_RULES
from sklearn_deep.estimators._sequence_tasks import (
    SequenceClassifier,
    SequenceRegressor,
)
from sklearn_deep.estimators._unequal_series import SeriesOfAnyLength
from sklearn_deep.nn._losses import CLASSIFIER_LOSSES, REGRESSOR_LOSSES


@document
class CNNClassifier(SequenceClassifier, SeriesOfAnyLength):
    """Convolutional network for classes of images or series.

    Takes images of shape (n, height, width) or (n, height, width, channels), series of
    shape (n, time) or (n, time, channels), and flat rows that ``input_shape`` makes
    images or series of again, so that it stands behind a scaler in a
    :class:`~sklearn.pipeline.Pipeline`. Images of dtype uint8 are scaled to [0, 1]
    inside. Series may be of unequal length: a list, an object array or a column of arrays,
    or a padded array with ``lengths``; padding changes no prediction.

    Parameters
    ----------
    {convolutions}
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
    CNNRegressor : The same network for numeric targets.
    MLPClassifier : A network for tables.

    References
    ----------
    {references}
    .. [2] Lin et al., "Focal loss for dense object detection", arXiv:1708.02002.
    .. [3] Loshchilov and Hutter, "Decoupled weight decay regularization",
           arXiv:1711.05101.
    .. [4] Smith, "Cyclical learning rates for training neural networks",
           arXiv:1506.01186.
    {convolution_references}

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_deep import CNNClassifier
    >>> digits = load_digits()
    >>> X, y = digits.images / 16, digits.target
    >>> net = CNNClassifier((16, 32), learning_rate=0.01, max_epochs=5, random_state=0)
    >>> net = net.fit(X[:1000], y[:1000])
    >>> bool(net.score(X[1000:], y[1000:]) > 0.85)
    True
    """

    _rules = {**CNN_RULES, "loss": (OneOf(*CLASSIFIER_LOSSES),), **CLASSIFIER_RULES}

    @names_unknown_arguments
    def __init__(
        self,
        conv_channels="auto",
        *,
        kernel_size="auto",
        stride="auto",
        pooling="auto",
        pool_size=2,
        global_pooling="auto",
        architecture="plain",
        spatial_dims="auto",
        input_shape=None,
        channels="last",
        hidden_layer_sizes="auto",
        activation="relu",
        activation_params=None,
        dropout=0.2,
        normalization="batch",
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
        learning_rate=2e-3,
        learning_rate_scaling=None,
        momentum=0.9,
        betas=(0.9, 0.999),
        batch_size="auto",
        max_epochs="auto",
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
        self.conv_channels = conv_channels
        self.kernel_size = kernel_size
        self.stride = stride
        self.pooling = pooling
        self.pool_size = pool_size
        self.global_pooling = global_pooling
        self.architecture = architecture
        self.spatial_dims = spatial_dims
        self.input_shape = input_shape
        self.channels = channels
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
class CNNRegressor(SequenceRegressor, SeriesOfAnyLength):
    """Convolutional network for numbers that images or series tell.

    Takes images of shape (n, height, width) or (n, height, width, channels), series of
    shape (n, time) or (n, time, channels), and flat rows that ``input_shape`` makes
    images or series of again. Series may be of unequal length, as for
    :class:`CNNClassifier`. Targets are standardised inside and given back in their own
    units.

    Parameters
    ----------
    {convolutions}
    {network}
    {regressor_objective}
    {training}

    Attributes
    ----------
    {fitted}

    See Also
    --------
    CNNClassifier : The same network for classes.
    MLPRegressor : A network for tables.

    References
    ----------
    {references}
    .. [2] Nix and Weigend, "Estimating the mean and variance of the target
           probability distribution", ICNN 1994.
    .. [3] Loshchilov and Hutter, "Decoupled weight decay regularization",
           arXiv:1711.05101.
    .. [4] Smith, "Cyclical learning rates for training neural networks",
           arXiv:1506.01186.
    {convolution_references}

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_deep import CNNRegressor
    >>> t = np.linspace(0, 1, 40)
    >>> frequency = np.random.default_rng(0).uniform(1, 5, 200)
    >>> X = np.sin(2 * np.pi * frequency[:, None] * t)
    >>> net = CNNRegressor((16, 16), learning_rate=0.01, max_epochs=40, random_state=0)
    >>> net = net.fit(X, frequency)
    >>> bool(net.score(X, frequency) > 0.9)
    True
    """

    _rules = {**CNN_RULES, "loss": (OneOf(*REGRESSOR_LOSSES),)}

    @names_unknown_arguments
    def __init__(
        self,
        conv_channels="auto",
        *,
        kernel_size="auto",
        stride="auto",
        pooling="auto",
        pool_size=2,
        global_pooling="auto",
        architecture="plain",
        spatial_dims="auto",
        input_shape=None,
        channels="last",
        hidden_layer_sizes="auto",
        activation="relu",
        activation_params=None,
        dropout=0.2,
        normalization="batch",
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
        learning_rate=2e-3,
        learning_rate_scaling=None,
        momentum=0.9,
        betas=(0.9, 0.999),
        batch_size="auto",
        max_epochs="auto",
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
        self.conv_channels = conv_channels
        self.kernel_size = kernel_size
        self.stride = stride
        self.pooling = pooling
        self.pool_size = pool_size
        self.global_pooling = global_pooling
        self.architecture = architecture
        self.spatial_dims = spatial_dims
        self.input_shape = input_shape
        self.channels = channels
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
