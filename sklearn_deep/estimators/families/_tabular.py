"""Ensembles of networks for tables of any columns."""

import dataclasses
from collections.abc import Callable
from numbers import Integral
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sklearn_deep._arguments import names_unknown_arguments
from sklearn_deep._params import NONE, InstanceOf, Number, OneOf, Rules
from sklearn_deep.data._batches import Rows
from sklearn_deep.data._copies import copies
from sklearn_deep.data._features import Features
from sklearn_deep.data._folds import fold_numbers
from sklearn_deep.data._frame_features import FrameFeatures
from sklearn_deep.data._layout import Layout, TabularLayout
from sklearn_deep.estimators.core._fit import JobData
from sklearn_deep.estimators.core._fitted import (
    Fitted,
    FittedAttribute,
    find_fitted,
    with_fitted,
)
from sklearn_deep.estimators.core._hooks import AutoBatch
from sklearn_deep.estimators.core._importances import (
    judged_rows,
    permutation_importances,
)
from sklearn_deep.estimators.core._networks import prior_bias
from sklearn_deep.estimators.core._parts import FitArguments
from sklearn_deep.estimators.families._family import LayeredEstimator
from sklearn_deep.estimators.families._rules import (
    CLASSIFIER_RULES,
    HIDDEN_LAYER_SIZES,
    NETWORK_RULES,
    TRAINING_RULES,
)
from sklearn_deep.estimators.tasks._classifier import DeepClassifier
from sklearn_deep.estimators.tasks._regressor import DeepRegressor
from sklearn_deep.nn._columns import NUMERIC_EMBEDDINGS
from sklearn_deep.nn._losses import CLASSIFIER_LOSSES, REGRESSOR_LOSSES, Loss
from sklearn_deep.nn._tabular import Ensemble, drawn_ensemble
from sklearn_deep.training.job._ensemble import ensemble_networks
from sklearn_deep.training.job._job import TrainJob
from sklearn_deep.training.job._layer_rates import LAYER_RATES
from sklearn_deep.training.job._optimizers import OPTIMIZERS
from sklearn_deep.training.job._seeds import generator, network_seed

# Each network leaves out one of so many folds, or of as many as there are networks.
_N_FOLDS = 10

_WITHOUT_IMPORTANCES = (
    "from its last training. Set importance_repeats, to 5 for instance, before fit, or take"
    " sklearn.inspection.permutation_importance with rows that it was not trained on"
)

_POSITIVE_INT = Number(Integral, 1)
_WITHOUT = {
    "augmentation",
    "learning_rate_scaling",
    "early_stopping",
    "validation_fraction",
    "monitor",
    "normalization",
    "residual",
}

_RULES: Rules = {
    "hidden_layer_sizes": HIDDEN_LAYER_SIZES,
    **{
        name: rule
        for name, rule in {**NETWORK_RULES, **TRAINING_RULES}.items()
        if name not in _WITHOUT
    },
    "n_networks": (_POSITIVE_INT,),
    "numeric_embedding": (NONE, OneOf(*NUMERIC_EMBEDDINGS)),
    "categorical_features": (
        NONE,
        OneOf("from_dtype"),
        InstanceOf((list, tuple, np.ndarray), "an array of bool, int or str"),
    ),
    "importance_repeats": (Number(Integral, 0),),
    "n_iter_no_change": (NONE, OneOf("auto"), _POSITIVE_INT),
    "max_one_hot": (Number(Integral, 0),),
    "category_embedding": (_POSITIVE_INT,),
    # lbfgs trains one network.
    "optimizer": (OneOf(*(k for k, row in OPTIMIZERS.items() if row.update)),),
    "learning_rate": (Number(low=0, open_low=True),),
    "layer_rates": (OneOf(*LAYER_RATES),),
    "averaging": (Number(low=0, high=1, open_high=True),),
    "validation": (
        NONE,
        OneOf("folds"),
        Number(low=0, high=1, open_low=True, open_high=True),
    ),
}


class TabularEstimator(LayeredEstimator):
    """Builds and trains the networks of the classifier and the regressor."""

    _network = staticmethod(Ensemble)
    _auto_batch = AutoBatch(n_steps=128, smallest=128, largest=512)
    _enough_steps, _epoch_range = 450, (25, 450)

    # What other families have as parameters.
    augmentation = None
    learning_rate_scaling = None
    early_stopping = True
    validation_fraction = 0.1
    monitor = "loss"

    is_categorical_ = FittedAttribute(
        lambda f: f.features.is_categorical, "Which columns are categories."
    )

    @property
    def estimators_(self):
        """Fitted estimators with one of the networks each."""
        fitted = find_fitted(self)
        if fitted is None or not isinstance(fitted.module, Ensemble):
            why = "before it is fitted" if fitted is None else "once it is quantized"
            raise AttributeError(f"{type(self).__name__} has no estimators_ {why}.")
        architecture = {**fitted.architecture, "n_networks": 1}
        alone = dataclasses.replace(
            fitted,
            architecture=architecture,
            optimizer=None,
            optimizer_state=None,
            importances=None,
            net=None,
        )
        return [
            with_fitted(
                self,
                dataclasses.replace(
                    alone, module=member, weight_mask=_mask_of(fitted.weight_mask, k)
                ),
                n_networks=1,
            )
            for k, member in enumerate(fitted.module.members())
        ]

    @property
    def feature_importances_(self):
        """Mean increase of the loss by permuting each feature."""
        return self._importances("feature_importances_")[0]

    @property
    def feature_importances_error_(self):
        """Standard errors of ``feature_importances_``."""
        return self._importances("feature_importances_error_")[1]

    def _importances(self, name: str) -> Any:
        fitted = find_fitted(self)
        if fitted is not None and fitted.importances is not None:
            return fitted.importances
        why = "before it is fitted" if fitted is None else _WITHOUT_IMPORTANCES
        raise AttributeError(f"{type(self).__name__} has no {name} {why}.")

    def _make_features(self) -> Features:
        return FrameFeatures(
            type(self).__name__, self.categorical_features, self.max_one_hot
        )

    def _validation_share(
        self, n_rows: int, strata: np.ndarray | None, fresh: bool = True
    ) -> float | None:
        folds = self.validation is None or isinstance(self.validation, str)
        return None if folds else float(self.validation)

    def _architecture(
        self, layout: Layout, n_outputs: int, kind: str
    ) -> dict[str, Any]:
        assert isinstance(layout, TabularLayout)
        sizes = [int(n) for n in np.atleast_1d(self.hidden_layer_sizes)]
        return {
            "n_networks": int(self.n_networks),
            "kind": kind,
            "n_numeric": layout.n_numeric,
            "n_plain": layout.n_plain,
            "cardinalities": layout.cardinalities,
            "n_outputs": n_outputs,
            "numeric_embedding": self.numeric_embedding,
            "category_embedding": int(self.category_embedding),
            "hidden_layer_sizes": sizes,
            "activation": self.activation,
            "activation_params": self._activation_params(),
            "dropout": self._rates(len(sizes)),
            "normalization": None,
            "residual": False,
        }

    def _initialized(
        self, architecture: dict[str, Any], loss: Loss, rows: Rows, seed: int
    ) -> nn.Module:
        places = range(architecture["n_networks"])
        draws = [generator(network_seed(seed, k), "weights") for k in places]
        bias = None
        if self.bias_init == "prior":
            bias = prior_bias(loss, rows, architecture["n_outputs"])
        x = torch.as_tensor(rows.x)
        x = x if rows.index is None else x[rows.index.to(x.device)]
        return drawn_ensemble(architecture, self._initialization(), draws, x, bias)

    def _job(
        self,
        given: FitArguments,
        fitted: Fitted,
        data: JobData,
        monitor: Callable[[nn.Module], float] | None,
        seed: int,
        before: Fitted | None,
    ) -> TrainJob:
        job = super()._job(given, fitted, data, monitor, seed, before)
        folds = None
        if self.validation == "folds" and not given.incremental:
            folds = self._folds(data, fitted.seed)
        module: Any = fitted.module
        networks = ensemble_networks(module.networks, data.rows, seed, folds)
        judged = job.stopping.on_validation or folds is not None
        stopping = dataclasses.replace(job.stopping, on_validation=judged)
        job = dataclasses.replace(job, networks=networks, stopping=stopping)
        if before is None and not given.incremental:
            self._check_importance_repeats(job)
        return job

    def _check_importance_repeats(self, job: TrainJob) -> None:
        if self.importance_repeats and not judged_rows(job):
            raise ValueError(
                f"{type(self).__name__} with"
                f" importance_repeats={self.importance_repeats} needs rows that a network"
                f" is not trained on: validation={self.validation!r} leaves none of"
                f" {len(job.rows)} rows out. Set validation='folds' (for at least"
                f" {self._n_folds} rows) or a share, pass X_val and y_val, or set"
                " importance_repeats=0."
            )

    def _measured(self, job: TrainJob, fitted: Fitted) -> Fitted:
        """Add importances, if rows were left out to measure them on."""
        judged = judged_rows(job)
        if not (self.importance_repeats and judged):
            return fitted
        features = fitted.features
        importances = permutation_importances(
            judged,
            job.loss,
            features.encoding.sources,
            len(features.kinds),
            self.importance_repeats,
            job.seed,
        )
        both = importances.mean, importances.error
        return dataclasses.replace(fitted, importances=both)

    @property
    def _n_folds(self) -> int:
        return max(_N_FOLDS, self.n_networks)

    def _folds(self, data: JobData, seed: int) -> np.ndarray | None:
        """Number of each row's fold; None where there are validation rows, or few rows."""
        n_folds = self._n_folds
        streamed = data.rows.sample is not data.rows
        if data.validation is not None or streamed or len(data.rows) < n_folds:
            return None
        part = data.part
        groups = copies(part.X, part.y, part.index)
        return fold_numbers(
            len(data.rows), n_folds, seed, _first_column(data.rows.y), groups
        )


def _mask_of(mask: dict[str, Tensor] | None, k: int) -> dict[str, Tensor] | None:
    """The mask of pruned weights of one network, as that of an ensemble of one."""
    if mask is None:
        return None
    before = f"networks.{k}."
    return {
        f"networks.0.{name.removeprefix(before)}": part
        for name, part in mask.items()
        if name.startswith(before)
    }


def _first_column(y: Tensor) -> np.ndarray:
    return (y if y.ndim == 1 else y[:, 0]).cpu().numpy()


def _with_tags(tags: Any) -> Any:
    tags.input_tags.sparse = False
    tags.input_tags.allow_nan = True
    tags.input_tags.string = True
    tags.input_tags.categorical = True
    return tags


class TabularClassifier(DeepClassifier, TabularEstimator):
    """Ensemble of feed-forward networks for tables of any columns: classification.

    Takes frames as they are: numbers, text, categories, booleans and dates, with missing
    values in any of them; and arrays of numbers. What scales numbers and encodes
    categories is learnt from the training rows. Takes binary, multiclass and multilabel
    targets of any label type.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(128, 128, 128)
        Number of units of each hidden layer of each network; an empty sequence gives
        linear models.
    n_networks : int, default=8
        Number of networks, each with initial values, batches and dropout of its own. They
        are trained as one stack, and their predictions are averaged: the probabilities of
        a classifier, the raw outputs of a regressor. 4 is quick, 16 thorough.
    numeric_embedding : {"periodic", "piecewise_linear"} or None, default="periodic"
        What stands for a number before the first layer, beside the number itself: a
        linear map of sines whose frequencies are learnt, or of the shares of 16 bins
        between quantiles that it has passed [5]_; None for the number alone.
    categorical_features : "from_dtype", array of bool, int or str, or None, \
            default="from_dtype"
        Which columns are categories: a mask, places or names. "from_dtype" takes the
        columns of a frame that are text, categories or booleans; None takes none.
    max_one_hot : int, default=8
        Largest number of values with which a category becomes one-hot columns; larger
        ones have learnt embeddings.
    category_embedding : int, default=8
        Width of these embeddings.
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
    weight_decay : float or "auto", default=0.02
        Decoupled weight decay [3]_; each step multiplies it by the learning rate.
        "auto" is 0.1 for adamw and 0 for the others.
    l2 : float, default=0.0
        L2 penalty: ``0.5 * l2 * sum(w ** 2)`` is added to the loss.
    l1 : float, default=0.0
        L1 penalty: ``l1 * sum(abs(w))`` is added to the loss. Penalties and weight
        decay do not apply to biases and normalisation parameters.
    gradient_clip : float, default=None
        Largest norm of the gradient; longer gradients are scaled down to it.
    optimizer : {"adam", "adamw", "sgd", "momentum", "nesterov", "rmsprop", "gd"}, \
            default="adamw"
        "gd" (gradient descent) uses all rows in every step. "rmsprop" averages squared
        gradients with ``betas[1]``.
    learning_rate : float, default=0.1
        Learning rate at the peak of the schedule.
    layer_rates : {"equal", "fan_in"}, default="fan_in"
        Learning rates of the layers. "fan_in" divides those of the weights of a layer by
        the square root of its number of inputs.
    averaging : float, default=0.7
        Weights that are validated and kept are moving averages over the epochs: this is
        the share of the former average, in [0, 1). 0 keeps the weights themselves.
    momentum : float, default=0.9
        Momentum of "momentum" and "nesterov", in [0, 1).
    betas : tuple of float, default=(0.9, 0.95)
        Decay rates of the two moving averages of adam and adamw, each in [0, 1).
    batch_size : int or "auto", default="auto"
        Rows per step. "auto" is the power of two near ``n_samples / 128``, in
        [128, 512]; with up to 32 rows, all of them.
    max_epochs : int or "auto", default="auto"
        Largest number of passes over the training rows. "auto" gives about 450 steps, but
        at least 25 and at most 450 epochs.
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
    validation : "folds", float or None, default="folds"
        Rows from which a network chooses its best epoch. "folds": each network leaves out
        another fold of rows. A number in (0, 1): this share of the rows, which no network
        is trained on. None: no rows; the training loss decides. ``X_val`` takes the place
        of any of them.
    n_iter_no_change : int, "auto" or None, default="auto"
        Training stops after this number of epochs without an improvement by ``tol`` of the
        mean over the networks; "auto" is a fifth of ``max_epochs``, and at least 10; None
        turns this off.
    tol : float, default=0.0001
        Smallest decrease of the loss, or increase of the score, that is an improvement.
    restore_best : bool, default=True
        Whether each network keeps the weights of its best epoch.
    importance_repeats : int, default=0
        How often each column is permuted after ``fit``, for ``feature_importances_``; 5
        is enough for most purposes. 0 measures no importances.
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
    dtype : {"float32", "auto", "float64"}, default="float32"
        Floating-point type of the networks. Numbers are scaled in float64 in any case, and
        float32 tells scaled ones apart well. "auto" is the dtype of X on a CPU.
    verbose : int, default=0
        0 prints nothing, 1 shows one progress line, 2 prints one line per epoch.
    random_state : int, RandomState or None, default=None
        Seed of the initial weights, batches, dropout and folds. None gives different
        results in each fit; global random generators are never used or changed.

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
    augmentation_ : tuple
        Empty: rows of a table are not augmented.
    module_ : torch.nn.Module
        The network, in evaluation mode.
    net_ : skorch.NeuralNet
        The same network for code that expects skorch.
    is_categorical_ : ndarray of shape (n_features,)
        Which columns are categories.
    estimators_ : list of estimators
        Fitted estimators with one of the networks each. How far their predictions differ
        tells how sure the ensemble is.
    feature_importances_ : ndarray of shape (n_features,)
        Mean increase of the loss of a row, as in ``valid_loss``, when the values of a
        feature are permuted between the rows that a network left out (the validation
        rows, if there are some) [6]_. A mean over networks, rows and
        ``importance_repeats`` permutations; about 0 for a feature that tells nothing.
        Missing if ``importance_repeats`` was 0.
    feature_importances_error_ : ndarray of shape (n_features,)
        Standard errors of ``feature_importances_`` over the rows.
    layers_ : DataFrame (a list of dicts without pandas)
        One row per layer with values of its own: layer (its name in ``module_``), kind,
        shape (of its weights), parameters (their number), trainable (whether training
        changes any).
    n_parameters_ : int
        Number of parameters of the network.

    See Also
    --------
    TabularRegressor : The same networks for numbers.
    MLPClassifier : One network, for scaled numbers.
    ValidationHoldout : Validation rows in a Pipeline without a leak.

    Notes
    -----
    A network leaves out the rows of one of ten folds (of ``n_networks`` folds, where
    these are more), and keeps the epoch that predicted them best: all rows train most
    networks. Copies of a row are in one fold. Fewer rows than folds leave none out.

    References
    ----------
    .. [1] Srivastava et al., "Dropout: a simple way to prevent neural networks from
           overfitting", JMLR 15, 2014.
    .. [2] Lin et al., "Focal loss for dense object detection", arXiv:1708.02002.
    .. [3] Loshchilov and Hutter, "Decoupled weight decay regularization",
           arXiv:1711.05101.
    .. [5] Gorishniy et al., "On embeddings for numerical features in tabular deep
           learning", arXiv:2203.05556.
    .. [6] Breiman, "Random forests", Machine Learning 45, 2001.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklearn_deep import TabularClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"age": rng.integers(18, 80, 300), "town": list("ABC") * 100})
    >>> X.loc[::10, "age"] = np.nan
    >>> y = np.where((X["age"] > 50) == (X["town"] == "A"), "yes", "no")
    >>> net = TabularClassifier(n_networks=2, random_state=0).fit(X, y)
    >>> bool(net.score(X, y) > 0.9)
    True
    """

    _rules = {
        **_RULES,
        **CLASSIFIER_RULES,
        "loss": (OneOf(*CLASSIFIER_LOSSES),),
    }

    @names_unknown_arguments
    def __init__(
        self,
        hidden_layer_sizes=(128, 128, 128),
        *,
        n_networks=8,
        numeric_embedding="periodic",
        categorical_features="from_dtype",
        max_one_hot=8,
        category_embedding=8,
        activation="relu",
        activation_params=None,
        dropout=0.0,
        weight_init="auto",
        weight_init_params=None,
        bias_init="zeros",
        loss="log_loss",
        loss_params=None,
        label_smoothing=0.0,
        class_weight=None,
        weight_decay=0.02,
        l2=0.0,
        l1=0.0,
        gradient_clip=None,
        optimizer="adamw",
        learning_rate=0.1,
        layer_rates="fan_in",
        averaging=0.7,
        momentum=0.9,
        betas=(0.9, 0.95),
        batch_size="auto",
        max_epochs="auto",
        learning_rate_schedule="cosine",
        schedule_params=None,
        warmup=0,
        validation="folds",
        n_iter_no_change="auto",
        tol=1e-4,
        restore_best=True,
        importance_repeats=0,
        time_limit=None,
        warm_start=False,
        callbacks=None,
        checkpoint=None,
        device="auto",
        dtype="float32",
        verbose=0,
        random_state=None,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.n_networks = n_networks
        self.numeric_embedding = numeric_embedding
        self.categorical_features = categorical_features
        self.max_one_hot = max_one_hot
        self.category_embedding = category_embedding
        self.activation = activation
        self.activation_params = activation_params
        self.dropout = dropout
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
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.layer_rates = layer_rates
        self.averaging = averaging
        self.momentum = momentum
        self.betas = betas
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.learning_rate_schedule = learning_rate_schedule
        self.schedule_params = schedule_params
        self.warmup = warmup
        self.validation = validation
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.restore_best = restore_best
        self.importance_repeats = importance_repeats
        self.time_limit = time_limit
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.checkpoint = checkpoint
        self.device = device
        self.dtype = dtype
        self.verbose = verbose
        self.random_state = random_state

    def __sklearn_tags__(self):
        """Say that missing values and text are welcome, and sparse matrices are not."""
        return _with_tags(super().__sklearn_tags__())


class TabularRegressor(DeepRegressor, TabularEstimator):
    """Ensemble of feed-forward networks for tables of any columns: regression.

    Takes frames as they are: numbers, text, categories, booleans and dates, with missing
    values in any of them; and arrays of numbers. What scales numbers and encodes
    categories is learnt from the training rows. Takes one target or several.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(128, 128, 128)
        Number of units of each hidden layer of each network; an empty sequence gives
        linear models.
    n_networks : int, default=8
        Number of networks, each with initial values, batches and dropout of its own. They
        are trained as one stack, and their predictions are averaged: the probabilities of
        a classifier, the raw outputs of a regressor. 4 is quick, 16 thorough.
    numeric_embedding : {"periodic", "piecewise_linear"} or None, default="periodic"
        What stands for a number before the first layer, beside the number itself: a
        linear map of sines whose frequencies are learnt, or of the shares of 16 bins
        between quantiles that it has passed [5]_; None for the number alone.
    categorical_features : "from_dtype", array of bool, int or str, or None, \
            default="from_dtype"
        Which columns are categories: a mask, places or names. "from_dtype" takes the
        columns of a frame that are text, categories or booleans; None takes none.
    max_one_hot : int, default=8
        Largest number of values with which a category becomes one-hot columns; larger
        ones have learnt embeddings.
    category_embedding : int, default=8
        Width of these embeddings.
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
        match rows that a network was not trained on: those of the folds, or the
        validation rows.
    weight_decay : float or "auto", default=0.02
        Decoupled weight decay [3]_; each step multiplies it by the learning rate.
        "auto" is 0.1 for adamw and 0 for the others.
    l2 : float, default=0.0
        L2 penalty: ``0.5 * l2 * sum(w ** 2)`` is added to the loss.
    l1 : float, default=0.0
        L1 penalty: ``l1 * sum(abs(w))`` is added to the loss. Penalties and weight
        decay do not apply to biases and normalisation parameters.
    gradient_clip : float, default=None
        Largest norm of the gradient; longer gradients are scaled down to it.
    optimizer : {"adam", "adamw", "sgd", "momentum", "nesterov", "rmsprop", "gd"}, \
            default="adamw"
        "gd" (gradient descent) uses all rows in every step. "rmsprop" averages squared
        gradients with ``betas[1]``.
    learning_rate : float, default=0.1
        Learning rate at the peak of the schedule.
    layer_rates : {"equal", "fan_in"}, default="fan_in"
        Learning rates of the layers. "fan_in" divides those of the weights of a layer by
        the square root of its number of inputs.
    averaging : float, default=0.7
        Weights that are validated and kept are moving averages over the epochs: this is
        the share of the former average, in [0, 1). 0 keeps the weights themselves.
    momentum : float, default=0.9
        Momentum of "momentum" and "nesterov", in [0, 1).
    betas : tuple of float, default=(0.9, 0.95)
        Decay rates of the two moving averages of adam and adamw, each in [0, 1).
    batch_size : int or "auto", default="auto"
        Rows per step. "auto" is the power of two near ``n_samples / 128``, in
        [128, 512]; with up to 32 rows, all of them.
    max_epochs : int or "auto", default="auto"
        Largest number of passes over the training rows. "auto" gives about 640 steps, but
        at least 50 and at most 450 epochs.
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
    validation : "folds", float or None, default="folds"
        Rows from which a network chooses its best epoch. "folds": each network leaves out
        another fold of rows. A number in (0, 1): this share of the rows, which no network
        is trained on. None: no rows; the training loss decides. ``X_val`` takes the place
        of any of them.
    n_iter_no_change : int, "auto" or None, default="auto"
        Training stops after this number of epochs without an improvement by ``tol`` of the
        mean over the networks; "auto" is a fifth of ``max_epochs``, and at least 10; None
        turns this off.
    tol : float, default=0.0001
        Smallest decrease of the loss, or increase of the score, that is an improvement.
    restore_best : bool, default=True
        Whether each network keeps the weights of its best epoch.
    importance_repeats : int, default=0
        How often each column is permuted after ``fit``, for ``feature_importances_``; 5
        is enough for most purposes. 0 measures no importances.
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
    dtype : {"float32", "auto", "float64"}, default="float32"
        Floating-point type of the networks. Numbers are scaled in float64 in any case, and
        float32 tells scaled ones apart well. "auto" is the dtype of X on a CPU.
    verbose : int, default=0
        0 prints nothing, 1 shows one progress line, 2 prints one line per epoch.
    random_state : int, RandomState or None, default=None
        Seed of the initial weights, batches, dropout and folds. None gives different
        results in each fit; global random generators are never used or changed.

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
    augmentation_ : tuple
        Empty: rows of a table are not augmented.
    module_ : torch.nn.Module
        The network, in evaluation mode.
    net_ : skorch.NeuralNet
        The same network for code that expects skorch.
    is_categorical_ : ndarray of shape (n_features,)
        Which columns are categories.
    estimators_ : list of estimators
        Fitted estimators with one of the networks each. How far their predictions differ
        tells how sure the ensemble is.
    feature_importances_ : ndarray of shape (n_features,)
        Mean increase of the loss of a row, as in ``valid_loss``, when the values of a
        feature are permuted between the rows that a network left out (the validation
        rows, if there are some) [6]_. A mean over networks, rows and
        ``importance_repeats`` permutations; about 0 for a feature that tells nothing.
        The loss is that of scaled targets: for "squared_error" the importance is the
        decrease of R^2. Missing if ``importance_repeats`` was 0.
    feature_importances_error_ : ndarray of shape (n_features,)
        Standard errors of ``feature_importances_`` over the rows.
    layers_ : DataFrame (a list of dicts without pandas)
        One row per layer with values of its own: layer (its name in ``module_``), kind,
        shape (of its weights), parameters (their number), trainable (whether training
        changes any).
    n_parameters_ : int
        Number of parameters of the network.

    See Also
    --------
    TabularClassifier : The same networks for classes.
    MLPRegressor : One network, for scaled numbers.
    ValidationHoldout : Validation rows in a Pipeline without a leak.

    Notes
    -----
    A network leaves out the rows of one of ten folds (of ``n_networks`` folds, where
    these are more), and keeps the epoch that predicted them best: all rows train most
    networks. Copies of a row are in one fold. Fewer rows than folds leave none out.

    References
    ----------
    .. [1] Srivastava et al., "Dropout: a simple way to prevent neural networks from
           overfitting", JMLR 15, 2014.
    .. [2] Nix and Weigend, "Estimating the mean and variance of the target
           probability distribution", ICNN 1994.
    .. [3] Loshchilov and Hutter, "Decoupled weight decay regularization",
           arXiv:1711.05101.
    .. [5] Gorishniy et al., "On embeddings for numerical features in tabular deep
           learning", arXiv:2203.05556.
    .. [6] Breiman, "Random forests", Machine Learning 45, 2001.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_deep import TabularRegressor
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> net = TabularRegressor(n_networks=2, random_state=0).fit(X, y)
    >>> bool(net.score(X, y) > 0.4)
    True
    """

    # Numbers take longer than classes to be learnt.
    _enough_steps, _epoch_range = 640, (50, 450)

    _rules = {**_RULES, "loss": (OneOf(*REGRESSOR_LOSSES),)}

    @names_unknown_arguments
    def __init__(
        self,
        hidden_layer_sizes=(128, 128, 128),
        *,
        n_networks=8,
        numeric_embedding="periodic",
        categorical_features="from_dtype",
        max_one_hot=8,
        category_embedding=8,
        activation="relu",
        activation_params=None,
        dropout=0.0,
        weight_init="auto",
        weight_init_params=None,
        bias_init="zeros",
        loss="squared_error",
        loss_params=None,
        weight_decay=0.02,
        l2=0.0,
        l1=0.0,
        gradient_clip=None,
        optimizer="adamw",
        learning_rate=0.1,
        layer_rates="fan_in",
        averaging=0.7,
        momentum=0.9,
        betas=(0.9, 0.95),
        batch_size="auto",
        max_epochs="auto",
        learning_rate_schedule="cosine",
        schedule_params=None,
        warmup=0,
        validation="folds",
        n_iter_no_change="auto",
        tol=1e-4,
        restore_best=True,
        importance_repeats=0,
        time_limit=None,
        warm_start=False,
        callbacks=None,
        checkpoint=None,
        device="auto",
        dtype="float32",
        verbose=0,
        random_state=None,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.n_networks = n_networks
        self.numeric_embedding = numeric_embedding
        self.categorical_features = categorical_features
        self.max_one_hot = max_one_hot
        self.category_embedding = category_embedding
        self.activation = activation
        self.activation_params = activation_params
        self.dropout = dropout
        self.weight_init = weight_init
        self.weight_init_params = weight_init_params
        self.bias_init = bias_init
        self.loss = loss
        self.loss_params = loss_params
        self.weight_decay = weight_decay
        self.l2 = l2
        self.l1 = l1
        self.gradient_clip = gradient_clip
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.layer_rates = layer_rates
        self.averaging = averaging
        self.momentum = momentum
        self.betas = betas
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.learning_rate_schedule = learning_rate_schedule
        self.schedule_params = schedule_params
        self.warmup = warmup
        self.validation = validation
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.restore_best = restore_best
        self.importance_repeats = importance_repeats
        self.time_limit = time_limit
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.checkpoint = checkpoint
        self.device = device
        self.dtype = dtype
        self.verbose = verbose
        self.random_state = random_state

    def __sklearn_tags__(self):
        """Say that missing values and text are welcome, and sparse matrices are not."""
        return _with_tags(super().__sklearn_tags__())
