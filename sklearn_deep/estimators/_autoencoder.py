"""Autoencoders."""

from numbers import Integral
from typing import Any

import numpy as np

from sklearn_deep._arguments import names_unknown_arguments
from sklearn_deep._params import Number, OneOf, Rules
from sklearn_deep.data._layout import Layout
from sklearn_deep.estimators._docs import document
from sklearn_deep.estimators._family import LayeredEstimator
from sklearn_deep.estimators._reconstructor import (
    RECONSTRUCTION_LOSSES,
    DeepReconstructor,
)
from sklearn_deep.estimators._rules import (
    HIDDEN_LAYER_SIZES,
    NETWORK_RULES,
    TRAINING_RULES,
)
from sklearn_deep.nn._autoencoder import Autoencoder

# The decoder is the encoder's mirror, and there is no target that a scorer knows.
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


@document
class MLPAutoencoder(DeepReconstructor, LayeredEstimator):
    """Feed-forward network that learns a short code of each row.

    An encoder of ``hidden_layer_sizes`` leads to ``code_size`` linear units, and a
    mirrored decoder from them back to the row [2]_. ``transform`` gives the code,
    ``inverse_transform`` decodes it, and ``score_samples`` tells how well a row is
    reconstructed: rows unlike those of the training have low scores. With an
    ``augmentation`` such as noise the network gets the augmented row and has to give
    the clean one (a denoising autoencoder [5]_).

    Scale the features first, e.g. with a :class:`~sklearn.preprocessing.StandardScaler`
    in a :class:`~sklearn.pipeline.Pipeline`: columns count by their spread.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(128,)
        Units of each layer of the encoder, from the outside to the code.
    code_size : int, default=8
        Number of features that ``transform`` gives.
    {encoder}
    {reconstruction_objective}
    {unmonitored_training}

    Attributes
    ----------
    {learnt}

    See Also
    --------
    NetworkFeatures : Features that a network has learnt from targets.
    sklearn.decomposition.PCA : The linear one.

    References
    ----------
    {references}
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

    def _architecture(self, layout: Layout, n_outputs: int) -> dict[str, Any]:
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
        self.device = device
        self.dtype = dtype
        self.verbose = verbose
        self.random_state = random_state
