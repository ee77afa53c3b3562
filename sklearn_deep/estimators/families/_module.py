"""Estimators around a user's ``torch.nn.Module``."""

from sklearn_deep._params import OneOf
from sklearn_deep.estimators.families._rules import CLASSIFIER_RULES
from sklearn_deep.estimators.families._user_module import (
    MODULE_RULES,
    UserModuleEstimator,
)
from sklearn_deep.estimators.tasks._classifier import DeepClassifier
from sklearn_deep.estimators.tasks._regressor import DeepRegressor
from sklearn_deep.nn._losses import CLASSIFIER_LOSSES, REGRESSOR_LOSSES


class ModuleClassifier(DeepClassifier, UserModuleEstimator):
    """Classifier around any ``torch.nn.Module``.

    Takes binary, multiclass and multilabel targets of any label type. Losses, early
    stopping, sample weights, searches and the ONNX export work as in
    :class:`MLPClassifier`.

    Parameters
    ----------
    module : type or callable
        Class of a ``torch.nn.Module``, or a function that returns a module. If its
        signature has ``n_features``, ``n_outputs`` or ``input_shape``, these are filled
        in: the number of values per row, the number of outputs, and ``X.shape[1:]``.
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
    learning_rate : float or "auto", default=0.001
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
        if ``X_val`` is given, for more than 10,000 rows, and for fewer unless each step
        uses all of them (up to 32 rows by default; "gd", "lbfgs") or the rows held out
        would be fewer than the classes. Otherwise the training loss decides.
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
    **module__arguments : dict
        Arguments of the module, as ``module__name=value``. They are parameters of the
        estimator: ``set_params``, ``clone`` and grid searches know them.

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
    ModuleRegressor : The same for numeric targets.
    MLPClassifier : A ready-made network.

    Notes
    -----
    ``forward`` receives X unchanged, of shape (n_rows, ...), in the compute dtype, and
    returns raw outputs of shape (n_rows, n_outputs): one logit for two classes, one per
    class for more classes, one per label for multilabel targets. Integers, also 8-bit
    pixels, are not scaled. Augmentations expect rows of shape (channels, time) or
    (channels, height, width).

    The module initialises its own weights. Random numbers that it draws from torch, in
    its constructor and in training (``torch.randn``, ``nn.init``, functional dropout),
    come from the generator of the fit instead of the global one. The generators of
    NumPy and Python are not replaced. ``nn.Dropout`` and ``nn.AlphaDropout`` are
    replaced by equivalent layers.

    Parameters and buffers are stored with the estimator; other attributes of the module
    are set again by its constructor. The module class must be importable where the
    estimator is unpickled.

    In a stacked search, networks of the same architecture are trained together if
    :func:`torch.func.vmap` supports all their operations; others are trained alone.

    References
    ----------
    .. [2] Lin et al., "Focal loss for dense object detection", arXiv:1708.02002.
    .. [3] Loshchilov and Hutter, "Decoupled weight decay regularization",
           arXiv:1711.05101.
    .. [4] Smith, "Cyclical learning rates for training neural networks",
           arXiv:1506.01186.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_deep import ModuleClassifier
    >>> from torch import nn
    >>> class Net(nn.Sequential):
    ...     def __init__(self, n_features, n_outputs, width=16):
    ...         super().__init__(
    ...             nn.Linear(n_features, width), nn.Tanh(), nn.Linear(width, n_outputs)
    ...         )
    >>> X, y = load_iris(return_X_y=True)
    >>> net = ModuleClassifier(
    ...     Net, module__width=32, learning_rate=0.01, random_state=0
    ... )
    >>> net.get_params()["module__width"]
    32
    >>> bool(net.fit(X, y).score(X, y) > 0.9)
    True
    """

    _rules = {**MODULE_RULES, "loss": (OneOf(*CLASSIFIER_LOSSES),), **CLASSIFIER_RULES}

    def __init__(
        self,
        module,
        *,
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
        learning_rate=1e-3,
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
        checkpoint=None,
        device="auto",
        dtype="auto",
        verbose=0,
        random_state=None,
        **module__arguments,
    ):
        self.module = module
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
        self._set_module_arguments(module__arguments)


class ModuleRegressor(DeepRegressor, UserModuleEstimator):
    """Regressor around any ``torch.nn.Module``.

    Takes one or more targets and standardises them internally. Losses, early stopping,
    sample weights, searches and the ONNX export work as in :class:`MLPRegressor`.

    Parameters
    ----------
    module : type or callable
        Class of a ``torch.nn.Module``, or a function that returns a module. If its
        signature has ``n_features``, ``n_outputs`` or ``input_shape``, these are filled
        in: the number of values per row, the number of outputs, and ``X.shape[1:]``.
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
    learning_rate : float or "auto", default=0.001
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
    **module__arguments : dict
        Arguments of the module, as ``module__name=value``. They are parameters of the
        estimator: ``set_params``, ``clone`` and grid searches know them.

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
    ModuleClassifier : The same for classes.
    MLPRegressor : A ready-made network.

    Notes
    -----
    ``forward`` receives X unchanged, of shape (n_rows, ...), in the compute
    dtype, and returns raw outputs of shape (n_rows, n_outputs): one per target, two per
    target with ``loss="gaussian"``, one per target and quantile for several quantiles.
    Integers, also 8-bit pixels, are not scaled. Augmentations expect rows of shape
    (channels, time) or (channels, height, width).

    The module initialises its own weights. Random numbers that it draws from torch, in
    its constructor and in training (``torch.randn``, ``nn.init``, functional dropout),
    come from the generator of the fit instead of the global one. The generators of
    NumPy and Python are not replaced. ``nn.Dropout`` and ``nn.AlphaDropout`` are
    replaced by equivalent layers.

    Parameters and buffers are stored with the estimator; other attributes of the module
    are set again by its constructor. The module class must be importable where the
    estimator is unpickled.

    In a stacked search, networks of the same architecture are trained together if
    :func:`torch.func.vmap` supports all their operations; others are trained alone.

    References
    ----------
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
    >>> from sklearn_deep import ModuleRegressor
    >>> from torch import nn
    >>> def net(n_features, n_outputs, width=16):
    ...     return nn.Sequential(
    ...         nn.Linear(n_features, width), nn.ReLU(), nn.Linear(width, n_outputs)
    ...     )
    >>> X, y = load_diabetes(return_X_y=True)
    >>> reg = ModuleRegressor(net, module__width=32, random_state=0)
    >>> pipe = make_pipeline(StandardScaler(), reg).fit(X, y)
    >>> bool(pipe.score(X, y) > 0.4)
    True
    """

    _rules = {**MODULE_RULES, "loss": (OneOf(*REGRESSOR_LOSSES),)}

    def __init__(
        self,
        module,
        *,
        loss="squared_error",
        loss_params=None,
        weight_decay="auto",
        l2=0.0,
        l1=0.0,
        gradient_clip=None,
        augmentation=None,
        optimizer="adamw",
        learning_rate=1e-3,
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
        checkpoint=None,
        device="auto",
        dtype="auto",
        verbose=0,
        random_state=None,
        **module__arguments,
    ):
        self.module = module
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
        self._set_module_arguments(module__arguments)
