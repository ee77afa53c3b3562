"""Convolutional networks over images and series."""

from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np

from sklearn_deep._params import NONE, Number, OneOf, Rules, SequenceOf
from sklearn_deep.data._layout import Layout, spatial_layout
from sklearn_deep.estimators._classifier import DeepClassifier
from sklearn_deep.estimators._data import check_data
from sklearn_deep.estimators._docs import document
from sklearn_deep.estimators._family import LayeredEstimator
from sklearn_deep.estimators._regressor import DeepRegressor
from sklearn_deep.estimators._rules import (
    CLASSIFIER_RULES,
    HIDDEN_LAYER_SIZES,
    NETWORK_RULES,
    TRAINING_RULES,
)
from sklearn_deep.exceptions import InvalidParameterError
from sklearn_deep.nn._cnn import ARCHITECTURES, CNN
from sklearn_deep.nn._losses import CLASSIFIER_LOSSES, REGRESSOR_LOSSES

_POSITIVE_INT = Number(Integral, 1)
_AUTO = OneOf("auto")
_POOLING = (_AUTO, NONE, OneOf("max", "average"))

_RULES: Rules = {
    "conv_channels": (_AUTO, _POSITIVE_INT, SequenceOf(_POSITIVE_INT, 1)),
    "kernel_size": (_AUTO, _POSITIVE_INT, SequenceOf(_POSITIVE_INT, 1)),
    "stride": (_AUTO, _POSITIVE_INT, SequenceOf(_POSITIVE_INT, 1)),
    "pooling": _POOLING,
    "pool_size": (_POSITIVE_INT,),
    "global_pooling": _POOLING,
    "architecture": (OneOf(*ARCHITECTURES),),
    "spatial_dims": (_AUTO, OneOf(1, 2)),
    "input_shape": (NONE, SequenceOf(_POSITIVE_INT, 1, 3)),
    "channels": (OneOf("last", "first"),),
    "hidden_layer_sizes": (_AUTO, *HIDDEN_LAYER_SIZES),
    **NETWORK_RULES,
    **TRAINING_RULES,
}


class _CNNFamily(LayeredEstimator):
    """The network of both estimators, and the shapes of X that it takes."""

    _network = staticmethod(CNN)

    _seen: Layout  # of the rows of the last fit

    def _layout(self, X: Any) -> Layout:
        layout = self._layout_of(X.shape[1:])
        return replace(layout, pixels=X.dtype == np.uint8)

    def _layout_of(self, row_shape: tuple[int, ...]) -> Layout:
        return spatial_layout(
            type(self).__name__,
            row_shape,
            self.input_shape,
            self.spatial_dims,
            self.channels,
        )

    def _check_data(self, X: Any, y: Any, dtype: Any, *, reset: bool) -> Any:
        shape = X.shape if hasattr(X, "shape") else np.asarray(X).shape
        # Flat rows are left to scikit-learn's own checks and words.
        fitted = None if reset else self._seen
        if fitted is not None and shape[1:] != fitted.row_shape and len(shape) > 2:
            raise ValueError(
                f"X has shape {shape}, but {type(self).__name__} was fitted on rows of"
                f" shape {fitted.row_shape}: it takes (n_samples,"
                f" {', '.join(map(str, fitted.row_shape))})."
            )
        if getattr(X, "dtype", None) == np.uint8 and len(shape) > 1:
            layout = fitted or self._layout_of(shape[1:])
            dtype = np.uint8 if layout.kind == "images" else dtype
        elif isinstance(dtype, np.dtype) and dtype == np.uint8:
            dtype = np.float32  # no cast to pixels, without a word
        checked = check_data(self, X, y, dtype, reset=reset, allow_nd=True)
        rows = checked if y is None else checked[0]
        if fitted is None:
            self._seen = self._layout(rows)  # validation rows come before the network
        else:
            self._check_pixels(rows, fitted)
        return checked

    def __sklearn_tags__(self):
        """Say that rows are dense, and may have three axes."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        tags.input_tags.three_d_array = True
        return tags

    def _check_pixels(self, X: Any, fitted: Layout) -> None:
        if (X.dtype == np.uint8) != fitted.pixels:
            raise ValueError(
                f"{type(self).__name__} was fitted on"
                f" {'uint8 images' if fitted.pixels else 'numbers'} and got X of dtype"
                f" {X.dtype}: uint8 images are scaled to [0, 1], other numbers are not."
                " Pass X of the same kind as in fit."
            )

    def _architecture(self, layout: Layout, n_outputs: int) -> dict[str, Any]:
        row = ARCHITECTURES[self.architecture]
        n_dims = len(layout.spatial)
        channels = self._chosen("conv_channels", row.channels[n_dims])
        channels = [int(n) for n in np.atleast_1d(channels)]
        pooling = self._chosen("pooling", row.pooling[n_dims])
        stride = self._of_each_layer(
            "stride", row.stride[n_dims], len(channels), "block"
        )
        if row.widths > 1 and (pooling is not None or set(stride) != {1}):
            raise InvalidParameterError(
                f"The 'architecture' parameter of {type(self).__name__} is"
                f" {self.architecture!r}, which keeps every position: pooling must be"
                f" None or 'auto', and stride 1 or 'auto'. Got {self.pooling!r} and"
                f" {self.stride!r} instead."
            )
        hidden = self._chosen("hidden_layer_sizes", row.hidden[n_dims])
        hidden = [int(n) for n in np.atleast_1d(hidden)]
        return {
            "layout": layout.plain(),
            "n_outputs": n_outputs,
            "architecture": self.architecture,
            "conv_channels": channels,
            "kernel_size": self._of_each_layer(
                "kernel_size", row.kernel_size[n_dims], len(channels), "block"
            ),
            "stride": stride,
            "pooling": pooling,
            "pool_size": int(self.pool_size),
            "global_pooling": self._chosen(
                "global_pooling", row.global_pooling[n_dims]
            ),
            "residual": bool(self.residual),
            "hidden_layer_sizes": hidden,
            "activation": self.activation,
            "activation_params": self._activation_params(),
            "dropout": self._rates(len(hidden) + 1, "hidden layer and one more"),
            "normalization": self.normalization,
        }


@document
class CNNClassifier(DeepClassifier, _CNNFamily):
    """Convolutional network for classes of images or series.

    Takes images of shape (n, height, width) or (n, height, width, channels), series of
    shape (n, time) or (n, time, channels), and flat rows that ``input_shape`` makes
    images or series of again, so that it stands behind a scaler in a
    :class:`~sklearn.pipeline.Pipeline`. Images of dtype uint8 are scaled to [0, 1]
    inside.

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
    >>> net = CNNClassifier((8, 16), max_epochs=5, random_state=0).fit(X[:1000], y[:1000])
    >>> bool(net.score(X[1000:], y[1000:]) > 0.85)
    True
    """

    _rules = {**_RULES, "loss": (OneOf(*CLASSIFIER_LOSSES),), **CLASSIFIER_RULES}

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
class CNNRegressor(DeepRegressor, _CNNFamily):
    """Convolutional network for numbers that images or series tell.

    Takes images of shape (n, height, width) or (n, height, width, channels), series of
    shape (n, time) or (n, time, channels), and flat rows that ``input_shape`` makes
    images or series of again. Targets are standardised inside and given back in their
    own units.

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
    >>> net = CNNRegressor((16,), max_epochs=40, random_state=0).fit(X, frequency)
    >>> bool(net.score(X, frequency) > 0.9)
    True
    """

    _rules = {**_RULES, "loss": (OneOf(*REGRESSOR_LOSSES),)}

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
