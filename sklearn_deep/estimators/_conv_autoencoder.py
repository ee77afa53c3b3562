"""Convolutional autoencoders."""

from numbers import Integral
from typing import Any

import numpy as np
import torch

from sklearn_deep._arguments import names_unknown_arguments
from sklearn_deep._params import NONE, Number, OneOf, SequenceOf
from sklearn_deep.data._layout import Layout
from sklearn_deep.estimators._autoencoder import RECONSTRUCTION_RULES
from sklearn_deep.estimators._convolutional import Convolutional
from sklearn_deep.estimators._docs import document
from sklearn_deep.estimators._reconstructor import DeepReconstructor
from sklearn_deep.nn._conv_autoencoder import ConvAutoencoder

_POSITIVE_INT = Number(Integral, 1)
_EACH = (_POSITIVE_INT, SequenceOf(_POSITIVE_INT, 1))


@document
class CNNAutoencoder(DeepReconstructor, Convolutional):
    """Convolutional network that learns a short code of each image or series.

    Blocks of convolution and pooling lead to ``code_size`` linear units, and blocks of
    enlargement and convolution from them back [2]_. ``transform`` gives the code as flat rows,
    ``inverse_transform`` decodes it into rows of the shape of X, and ``score_samples``
    tells how well a row is reconstructed. With an ``augmentation`` it is a denoising
    autoencoder [5]_: the network gets the augmented row and has to give the clean one.

    Takes images and series as :class:`CNNClassifier` does. Images of dtype uint8 are
    scaled to [0, 1] inside, and reconstructed in [0, 255].

    Parameters
    ----------
    conv_channels : int or sequence of int, default=(16, 32)
        Channels of each block, from the outside to the code.
    kernel_size : int or sequence of int, default=3
        Positions that a convolution sees along each axis, one number or one a block.
    pool_size : int, default=2
        Neighbours that become one along each axis, behind each block.
    code_size : int, default=32
        Number of features that ``transform`` gives.
    spatial_dims : {"auto", 1, 2}, default="auto"
        1 for series, 2 for images. "auto": flat rows are series of one channel, 3-D X is
        of grey images, 4-D X of images.
    input_shape : sequence of int, default=None
        What a flat row is: (height, width), (height, width, channels), (time,) or, with
        ``spatial_dims=1``, (time, channels).
    channels : {"last", "first"}, default="last"
        Where the axis of channels is.
    {conv_encoder}
    {reconstruction_objective}
    {unmonitored_training}

    Attributes
    ----------
    {learnt}

    See Also
    --------
    MLPAutoencoder : The same for tables.
    NetworkFeatures : Features that a network has learnt from targets.

    References
    ----------
    .. [2] Masci et al., "Stacked convolutional auto-encoders for hierarchical feature
           extraction", ICANN 2011.
    .. [3] Loshchilov and Hutter, "Decoupled weight decay regularization",
           arXiv:1711.05101.
    .. [4] Smith, "Cyclical learning rates for training neural networks",
           arXiv:1506.01186.
    .. [5] Vincent et al., "Stacked denoising autoencoders", JMLR 11, 2010.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_deep import CNNAutoencoder
    >>> X = load_digits().images / 16
    >>> net = CNNAutoencoder((8, 16), code_size=10, max_epochs=5, random_state=0).fit(X)
    >>> net.transform(X).shape
    (1797, 10)
    >>> net.inverse_transform(net.transform(X)).shape
    (1797, 8, 8)
    """

    _rules = {
        "conv_channels": _EACH,
        "kernel_size": _EACH,
        "pool_size": (_POSITIVE_INT,),
        "spatial_dims": (OneOf("auto"), OneOf(1, 2)),
        "input_shape": (NONE, SequenceOf(_POSITIVE_INT, 1, 3)),
        "channels": (OneOf("last", "first"),),
        **{k: v for k, v in RECONSTRUCTION_RULES.items() if k != "dropout"},
        # Its output bias is one a channel, and rows are centred a value each.
        "bias_init": (OneOf("zeros", "uniform"), Number()),
    }

    _network = staticmethod(ConvAutoencoder)  # type: ignore[assignment]

    @names_unknown_arguments
    def __init__(
        self,
        conv_channels=(16, 32),
        *,
        kernel_size=3,
        pool_size=2,
        code_size=32,
        spatial_dims="auto",
        input_shape=None,
        channels="last",
        activation="relu",
        activation_params=None,
        normalization="batch",
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
        self.pool_size = pool_size
        self.code_size = code_size
        self.spatial_dims = spatial_dims
        self.input_shape = input_shape
        self.channels = channels
        self.activation = activation
        self.activation_params = activation_params
        self.normalization = normalization
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
        self.time_limit = time_limit
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.device = device
        self.dtype = dtype
        self.verbose = verbose
        self.random_state = random_state

    def _architecture(self, layout: Layout, n_outputs: int) -> dict[str, Any]:
        channels = [int(n) for n in np.atleast_1d(self.conv_channels)]
        return {
            "layout": layout.plain(),
            "n_outputs": n_outputs,
            "conv_channels": channels,
            "kernel_size": self._of_each_layer(
                "kernel_size", None, len(channels), "block"
            ),
            "pool_size": int(self.pool_size),
            "code_size": int(self.code_size),
            "activation": self.activation,
            "activation_params": self._activation_params(),
            "normalization": self.normalization,
        }

    def _check_rows(self, X: Any, dtype: Any, *, reset: bool) -> Any:
        return Convolutional._check_data(self, X, None, dtype, reset=reset)

    def _values(self, X: np.ndarray) -> np.ndarray:
        flat = X.reshape(len(X), -1)
        return flat.astype(np.float32) if X.dtype == np.uint8 else flat

    def _decoded(self, raw: torch.Tensor) -> np.ndarray:
        rows = super()._decoded(raw)
        return rows.reshape(len(rows), *self._built_as["layout"]["row_shape"])
