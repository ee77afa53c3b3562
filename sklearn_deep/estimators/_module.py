"""Estimators around a ``torch.nn.Module`` of the user's own."""

from sklearn_deep._params import OneOf
from sklearn_deep.estimators._classifier import DeepClassifier
from sklearn_deep.estimators._docs import document
from sklearn_deep.estimators._own_network import MODULE_RULES, OwnNetwork
from sklearn_deep.estimators._regressor import DeepRegressor
from sklearn_deep.estimators._rules import CLASSIFIER_RULES
from sklearn_deep.nn._losses import CLASSIFIER_LOSSES, REGRESSOR_LOSSES


@document
class ModuleClassifier(DeepClassifier, OwnNetwork):
    """Feed any module of torch's to scikit-learn, as a classifier.

    Binary, multiclass and multilabel targets of any label type; losses, early stopping,
    sample weights, searches and the ONNX export as those of :class:`MLPClassifier`.

    Parameters
    ----------
    module : type or callable
        Class of a ``torch.nn.Module``, or a function that makes one. The arguments
        ``n_features``, ``n_outputs`` and ``input_shape`` are filled in where it names
        them: the number of values of a row, the width of its outputs, and
        ``X.shape[1:]``.
    {classifier_objective}
    {training}
    **module__arguments : dict
        Arguments of the module, as ``module__name=value``. They are parameters of the
        estimator: ``set_params``, ``clone`` and grid searches know them.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels; label numbers for multilabel targets.
    {fitted}

    See Also
    --------
    ModuleRegressor : The same for numeric targets.
    MLPClassifier : A network that is there already.

    Notes
    -----
    The module gets X as it is, of shape (n_rows, ...), in the compute dtype, and gives
    raw outputs of shape (n_rows, n_outputs): one logit for
    two classes, one a class for more, one a label for multilabel targets.
    Integers, pixels of 8 bits among them, come unscaled. Augmentations take rows of
    shape (channels, time) and (channels, height, width).

    Initial values are the module's own: what it draws when it is made, and in training
    (``torch.randn``, ``nn.init``, functional dropout), comes from the fit's generator
    instead of torch's global one. NumPy's and Python's generators stay what they are.
    ``nn.Dropout`` and ``nn.AlphaDropout`` become layers of ours that do the same.

    Parameters and buffers are stored with the estimator. What the module keeps in other
    attributes comes from its constructor. The class itself must be importable where the
    estimator is unpickled.

    In a stacked search, networks of one kind are trained at once where
    :func:`torch.func.vmap` knows how; others train alone.

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
        self.device = device
        self.dtype = dtype
        self.verbose = verbose
        self.random_state = random_state
        self._take_arguments(module__arguments)


@document
class ModuleRegressor(DeepRegressor, OwnNetwork):
    """Feed any module of torch's to scikit-learn, as a regressor.

    One or more targets, standardised inside; losses, early stopping, sample weights,
    searches and the ONNX export as those of :class:`MLPRegressor`.

    Parameters
    ----------
    module : type or callable
        Class of a ``torch.nn.Module``, or a function that makes one. The arguments
        ``n_features``, ``n_outputs`` and ``input_shape`` are filled in where it names
        them: the number of values of a row, the width of its outputs, and
        ``X.shape[1:]``.
    {regressor_objective}
    {training}
    **module__arguments : dict
        Arguments of the module, as ``module__name=value``. They are parameters of the
        estimator: ``set_params``, ``clone`` and grid searches know them.

    Attributes
    ----------
    {fitted}

    See Also
    --------
    ModuleClassifier : The same for classes.
    MLPRegressor : A network that is there already.

    Notes
    -----
    The module gets X as it is, of shape (n_rows, ...), in the compute dtype, and gives
    raw outputs of shape (n_rows, n_outputs): one a target,
    two a target with ``loss="gaussian"``, one a target and quantile for several quantiles.
    Integers, pixels of 8 bits among them, come unscaled. Augmentations take rows of
    shape (channels, time) and (channels, height, width).

    Initial values are the module's own: what it draws when it is made, and in training
    (``torch.randn``, ``nn.init``, functional dropout), comes from the fit's generator
    instead of torch's global one. NumPy's and Python's generators stay what they are.
    ``nn.Dropout`` and ``nn.AlphaDropout`` become layers of ours that do the same.

    Parameters and buffers are stored with the estimator. What the module keeps in other
    attributes comes from its constructor. The class itself must be importable where the
    estimator is unpickled.

    In a stacked search, networks of one kind are trained at once where
    :func:`torch.func.vmap` knows how; others train alone.

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
        self.device = device
        self.dtype = dtype
        self.verbose = verbose
        self.random_state = random_state
        self._take_arguments(module__arguments)
