"""Autoencoders."""

from numbers import Integral
from typing import Any

import numpy as np

from sklearn_deep._arguments import names_unknown_arguments
from sklearn_deep._params import Number, OneOf, Rules
from sklearn_deep.data._layout import Layout
from sklearn_deep.estimators.families._family import LayeredEstimator
from sklearn_deep.estimators.families._rules import (
    HIDDEN_LAYER_SIZES,
    NETWORK_RULES,
    TRAINING_RULES,
)
from sklearn_deep.estimators.tasks._reconstructor import (
    RECONSTRUCTION_LOSSES,
    DeepReconstructor,
)
from sklearn_deep.nn._autoencoder import Autoencoder

# A mirrored decoder rules out residual connections, and scorers need a target.
_NOT_THERE = {"residual", "monitor"}

RECONSTRUCTION_RULES: Rules = {
    "code_size": (Number(Integral, 1),),
    "loss": (OneOf(*RECONSTRUCTION_LOSSES),),
    **{
        name: rule
        for name, rule in {**NETWORK_RULES, **TRAINING_RULES}.items()
        if name not in _NOT_THERE
    },
}


class MLPAutoencoder(DeepReconstructor, LayeredEstimator):
    """Feed-forward network that learns a short code of each row.

    An encoder with ``hidden_layer_sizes`` maps a row to a code of ``code_size`` linear
    units, and a mirrored decoder maps the code back to the row [2]_. ``transform``
    computes the code, ``inverse_transform`` decodes it, and ``score_samples`` scores
    how well a row is reconstructed: rows unlike the training rows have low scores. With
    an ``augmentation`` such as noise, it is trained to reconstruct the clean row from
    the augmented one (a denoising autoencoder [5]_).

    Scale the features first, e.g. with a :class:`~sklearn.preprocessing.StandardScaler`
    in a :class:`~sklearn.pipeline.Pipeline`: the loss weights columns by their
    variance.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(128,)
        Number of units of each encoder layer, from the input to the code.
    code_size : int, default=8
        Number of features of the code.
    activation : {"relu", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", \
            "prelu", "sigmoid", "tanh", "identity"}, default="relu"
        Activation function of the hidden units.
    activation_params : dict, default=None
        Parameters of the activation: ``negative_slope`` (leaky_relu, default 0.01),
        ``alpha`` (elu, 1.0), ``approximate`` (gelu, "none" or "tanh"), ``init`` (prelu,
        0.25).
    dropout : float or sequence of float, default=0.0
        Fraction of hidden units dropped in training, in [0, 1): one number, or one per
        hidden layer [1]_. With ``activation="selu"`` it is alpha dropout.
    normalization : {None, "batch", "layer"}, default=None
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
    bias_init : {"zeros", "uniform", "prior"} or float, default="zeros"
        Initial biases: zeros; uniform in +-1/sqrt(fan-in); a constant; or, for "prior",
        zeros except in the output layer, which starts at the best constant prediction
        (class log-odds, mean of the target).
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
    NetworkFeatures : Features that a network learnt from targets.
    sklearn.decomposition.PCA : Linear dimension reduction.

    References
    ----------
    .. [1] Srivastava et al., "Dropout: a simple way to prevent neural networks from
           overfitting", JMLR 15, 2014.
    .. [2] Hinton and Salakhutdinov, "Reducing the dimensionality of data with neural
           networks", Science 313, 2006.
    .. [3] Loshchilov and Hutter, "Decoupled weight decay regularization",
           arXiv:1711.05101.
    .. [4] Smith, "Cyclical learning rates for training neural networks",
           arXiv:1506.01186.
    .. [5] Vincent et al., "Stacked denoising autoencoders", JMLR 11, 2010.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_deep import MLPAutoencoder
    >>> X, y = load_digits(return_X_y=True)
    >>> net = MLPAutoencoder((64,), code_size=10, max_epochs=20, random_state=0)
    >>> code = net.fit_transform(X / 16)
    >>> code.shape
    (1797, 10)
    >>> error = ((net.inverse_transform(code) - X / 16) ** 2).mean()
    >>> bool(error < (X / 16).var(0).mean() / 3)
    True
    """

    _rules = {"hidden_layer_sizes": HIDDEN_LAYER_SIZES, **RECONSTRUCTION_RULES}

    _network = staticmethod(Autoencoder)

    def _architecture(
        self, layout: Layout, n_outputs: int, kind: str
    ) -> dict[str, Any]:
        sizes = [int(n) for n in np.atleast_1d(self.hidden_layer_sizes)]
        return {
            "n_features": layout.n_values,
            "n_outputs": n_outputs,
            "hidden_layer_sizes": sizes,
            "code_size": int(self.code_size),
            "activation": self.activation,
            "activation_params": self._activation_params(),
            "dropout": self._rates(len(sizes), "layer of the encoder"),
            "normalization": self.normalization,
        }

    @names_unknown_arguments
    def __init__(
        self,
        hidden_layer_sizes=(128,),
        *,
        code_size=8,
        activation="relu",
        activation_params=None,
        dropout=0.0,
        normalization=None,
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
        self.hidden_layer_sizes = hidden_layer_sizes
        self.code_size = code_size
        self.activation = activation
        self.activation_params = activation_params
        self.dropout = dropout
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
