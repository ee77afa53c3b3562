"""Convolutional autoencoders."""

from numbers import Integral
from typing import Any

import numpy as np
import torch

from sklearn_deep._arguments import names_unknown_arguments
from sklearn_deep._params import NONE, Number, OneOf, SequenceOf
from sklearn_deep.data._features import Features
from sklearn_deep.data._layout import Layout
from sklearn_deep.data._spatial_features import ReconstructedSpatial
from sklearn_deep.estimators.families._autoencoder import RECONSTRUCTION_RULES
from sklearn_deep.estimators.families._convolutional import ConvolutionalEstimator
from sklearn_deep.estimators.tasks._reconstructor import DeepReconstructor
from sklearn_deep.nn._conv_autoencoder import ConvAutoencoder

_POSITIVE_INT = Number(Integral, 1)
_EACH = (_POSITIVE_INT, SequenceOf(_POSITIVE_INT, 1))


class CNNAutoencoder(DeepReconstructor, ConvolutionalEstimator):
    """Convolutional network that learns a short code of each image or series.

    Blocks of convolution and pooling lead to a code of ``code_size`` linear units, and
    blocks of upsampling and convolution back from it [2]_. ``transform`` computes the
    code as 2-D array, ``inverse_transform`` decodes it to the shape of X, and
    ``score_samples`` scores how well a row is reconstructed. With an ``augmentation``
    it is a denoising autoencoder [5]_, trained to reconstruct the clean row from the
    augmented one.

    Takes images and series like :class:`CNNClassifier`. Images of dtype uint8 are
    scaled to [0, 1] internally, and reconstructed in [0, 255].

    Parameters
    ----------
    conv_channels : int or sequence of int, default=(16, 32)
        Number of channels of each block, from the input to the code.
    kernel_size : int or sequence of int, default=3
        Kernel size along each axis: one number, or one per block.
    pool_size : int, default=2
        Size of the pooling window along each axis, after each block.
    code_size : int, default=32
        Number of features of the code.
    spatial_dims : {"auto", 1, 2}, default="auto"
        1 for series, 2 for images. "auto" reads it from X: 2-D X holds series of one
        channel, 3-D X grey images, 4-D X images with channels.
    input_shape : sequence of int, default=None
        Shape that each row of a 2-D X is reshaped to: (height, width), (height, width,
        channels), (time,) or, with ``spatial_dims=1``, (time, channels).
    channels : {"last", "first"}, default="last"
        Position of the channel axis: (n, height, width, channels) and (n, time,
        channels), or (n, channels, height, width) and (n, channels, time).
    activation : {"relu", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", \
            "prelu", "sigmoid", "tanh", "identity"}, default="relu"
        Activation function of the hidden units.
    activation_params : dict, default=None
        Parameters of the activation: ``negative_slope`` (leaky_relu, default 0.01),
        ``alpha`` (elu, 1.0), ``approximate`` (gelu, "none" or "tanh"), ``init`` (prelu,
        0.25).
    normalization : {None, "batch", "layer"}, default="batch"
        Normalisation before each activation.
    weight_init : {"auto", "xavier_uniform", "xavier_normal", "kaiming_uniform", \
            "kaiming_normal", "orthogonal", "lecun_uniform", "lecun_normal", \
            "uniform", "normal"}, default="auto"
        Initialiser of the weights. "auto" depends on the activation: kaiming_uniform
        for relu and similar ones, xavier_uniform for sigmoid and tanh, lecun_normal for
        selu.
    weight_init_params : dict, default=None
        ``gain`` (xavier, kaiming, orthogonal; default: the activation's), ``low`` and
        ``high`` (uniform, -0.05 and 0.05), ``mean`` and ``std`` (normal, 0 and 0.05).
    bias_init : {"zeros", "uniform"} or float, default="zeros"
        Initial biases: zeros; uniform in +-1/sqrt(fan-in); or a constant.
    loss : {"squared_error", "absolute_error", "huber"}, default="squared_error"
        Training loss, averaged over all columns of a row.
    loss_params : dict, default=None
        Parameters of the loss: ``delta`` (huber, in standard deviations of X, default
        1.0).
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
    learning_rate : float or "auto", default=0.002
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
        [8, 256]; with up to 32 rows, all of them.
    max_epochs : int or "auto", default="auto"
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
        Floating-point type of all computations; "auto" is float32. Convolutions in
        float64 take two to three times as long on a CPU.
    verbose : int, default=0
        0 prints nothing, 1 shows one progress line, 2 prints one line per epoch.
    random_state : int, RandomState or None, default=None
        Seed of the initial weights, batches, dropout and the validation split. None gives
        different results in each fit; global random generators are never used or
        changed.

    Attributes
    ----------
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
    MLPAutoencoder : The same for tables.
    NetworkFeatures : Features that a network learnt from targets.

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
        # No "prior": the output bias has one value per channel, but rows are centred
        # per value.
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
        checkpoint=None,
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
        self.checkpoint = checkpoint
        self.device = device
        self.dtype = dtype
        self.verbose = verbose
        self.random_state = random_state

    def _architecture(
        self, layout: Layout, n_outputs: int, kind: str
    ) -> dict[str, Any]:
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

    def _make_features(self) -> Features:
        return ReconstructedSpatial(
            type(self).__name__, self.input_shape, self.spatial_dims, self.channels
        )

    def _decoded(self, raw: torch.Tensor) -> np.ndarray:
        rows = super()._decoded(raw)
        return rows.reshape(
            len(rows), *self._fitted.architecture["layout"]["row_shape"]
        )
