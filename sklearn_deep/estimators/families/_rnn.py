"""Recurrent networks over series, sequences of unequal length and tokens."""

from collections.abc import Iterable
from numbers import Integral
from typing import Any

from sklearn_deep._arguments import names_unknown_arguments
from sklearn_deep._params import BOOLEAN, NONE, Number, OneOf, Rules, Satisfies
from sklearn_deep.data._layout import Layout
from sklearn_deep.data._vocabulary import ANALYZERS
from sklearn_deep.estimators.families._rules import (
    CLASSIFIER_RULES,
    NETWORK_RULES,
    TRAINING_RULES,
)
from sklearn_deep.estimators.families._sequence_tasks import (
    SequenceClassifier,
    SequenceRegressor,
)
from sklearn_deep.estimators.families._sequences import SequenceEstimator
from sklearn_deep.nn._losses import CLASSIFIER_LOSSES, REGRESSOR_LOSSES
from sklearn_deep.nn._rnn import CELLS, READOUTS, RNN

_POSITIVE_INT = Number(Integral, 1)
_OF_NETWORK = ("dropout", "weight_init", "weight_init_params", "bias_init")


def _is_vocabulary(value: object) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str)


_RULES: Rules = {
    "hidden_size": (_POSITIVE_INT,),
    "cell": (OneOf(*CELLS),),
    "num_layers": (_POSITIVE_INT,),
    "bidirectional": (BOOLEAN,),
    "readout": (OneOf(*READOUTS),),
    "return_sequences": (BOOLEAN,),
    "channels": (OneOf("last", "first"),),
    "tokens": (OneOf("auto"), BOOLEAN),
    "analyzer": (OneOf(*ANALYZERS),),
    "vocabulary": (NONE, Satisfies(_is_vocabulary, "an iterable of tokens")),
    "max_vocabulary": (NONE, _POSITIVE_INT),
    "embedding_dim": (_POSITIVE_INT,),
    **{name: NETWORK_RULES[name] for name in _OF_NETWORK},
    **TRAINING_RULES,
}


class _RNNFamily(SequenceEstimator):
    """Builds the network of the classifier and the regressor."""

    _network = staticmethod(RNN)

    def _nonlinearity(self) -> tuple[str, float | None]:
        return "tanh", None

    def _architecture(
        self, layout: Layout, n_outputs: int, kind: str
    ) -> dict[str, Any]:
        return {
            "n_channels": layout.n_channels,
            "n_outputs": n_outputs,
            "cell": self.cell,
            "hidden_size": int(self.hidden_size),
            "num_layers": int(self.num_layers),
            "bidirectional": bool(self.bidirectional),
            "readout": self.readout,
            "return_sequences": bool(self.return_sequences),
            "dropout": self._rates(int(self.num_layers), "recurrent layer"),
            "embedding_dim": int(self.embedding_dim)
            if layout.kind == "tokens"
            else None,
            "channels_first": self.channels == "first",
        }


class RNNClassifier(SequenceClassifier, _RNNFamily):
    """Recurrent network for the classification of series, sequences or texts.

    Takes series of shape (n, time) or (n, time, channels); sequences of unequal length
    as a list, an object array or a column of arrays, or padded with ``lengths``; and
    texts or lists of tokens. Batches are packed by length: padding is not computed and
    does not affect predictions.

    Parameters
    ----------
    hidden_size : int, default=64
        Number of units of each recurrent layer, in each direction.
    cell : {"rnn", "lstm", "gru"}, default="gru"
        Recurrent cell: "rnn" is the plain one with tanh, "lstm" long short-term memory
        [5]_, "gru" the gated recurrent unit [6]_.
    num_layers : int, default=1
        Number of stacked recurrent layers.
    bidirectional : bool, default=False
        Whether each layer also reads the sequence backwards, with weights of its own.
    readout : {"last", "mean", "max", "attention"}, default="last"
        How the outputs of all steps become one vector: the output of the last step (for
        the backward direction, of the first step), their mean, their maximum, or a mean
        with learnt weights [7]_. Padded steps are excluded.
    return_sequences : bool, default=False
        Whether every step has a target and a prediction. ``readout`` is then ignored.
    channels : {"last", "first"}, default="last"
        Position of the channel axis: (n, time, channels) and (time, channels), or (n,
        channels, time) and (channels, time).
    tokens : bool or "auto", default="auto"
        Whether steps are tokens, each with a learnt embedding. "auto": text is, and so
        is any input if ``vocabulary`` is set. True: integers are tokens too.
    analyzer : {"char", "word"}, default="char"
        How a text (a string instead of a list of tokens) is split: into characters, or
        at whitespace. Upper and lower case stay distinct.
    vocabulary : iterable of str or of int, default=None
        Tokens with an embedding of their own; all others share one. None learns the
        vocabulary from the rows passed to ``fit``.
    max_vocabulary : int, default=None
        Largest size of the vocabulary: the most frequent tokens are taken, or the first
        ones of ``vocabulary``.
    embedding_dim : int, default=32
        Width of the embedding of a token.
    dropout : float or sequence of float, default=0.1
        Fraction of units dropped in training after each recurrent layer, in [0, 1): one
        number, or one per layer [1]_.
    weight_init : {"auto", "xavier_uniform", "xavier_normal", "kaiming_uniform", \
            "kaiming_normal", "orthogonal", "lecun_uniform", "lecun_normal", \
            "uniform", "normal"}, default="auto"
        Initialiser of the input weights; "auto" is xavier_uniform. Recurrent weights
        start as orthogonal matrices.
    weight_init_params : dict, default=None
        ``gain`` (xavier, kaiming, orthogonal; default: that of tanh), ``low`` and
        ``high`` (uniform, -0.05 and 0.05), ``mean`` and ``std`` (normal, 0 and 0.05).
    bias_init : {"zeros", "uniform", "prior"} or float, default="zeros"
        Initial biases: zeros; uniform in +-1/sqrt(fan-in); a constant; or, for "prior",
        zeros except in the output layer, which starts at the best constant prediction.
        1 is added to the forget gates of an lstm.
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
    gradient_clip : float, default=1.0
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

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels; label numbers for multilabel targets.
    vocabulary_ : ndarray of shape (n_tokens,) or None
        Tokens with an embedding of their own; None for sequences of numbers.
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
    RNNRegressor : The same network for numeric targets.
    CNNClassifier : Convolutions over series of equal length.

    Notes
    -----
    ``n_features_in_`` is set if X is an array. A network fitted on series
    of equal length also accepts sequences of other lengths, in a list.

    In searches and cross-validations ``lengths`` reaches the network by metadata
    routing: ``set_fit_request(lengths=True)`` and ``set_score_request(lengths=True)``.

    References
    ----------
    .. [1] Srivastava et al., "Dropout: a simple way to prevent neural networks from
           overfitting", JMLR 15, 2014.
    .. [2] Lin et al., "Focal loss for dense object detection", arXiv:1708.02002.
    .. [3] Loshchilov and Hutter, "Decoupled weight decay regularization",
           arXiv:1711.05101.
    .. [4] Smith, "Cyclical learning rates for training neural networks",
           arXiv:1506.01186.
    .. [5] Hochreiter and Schmidhuber, "Long short-term memory", Neural Computation 9,
           1997.
    .. [6] Cho et al., "Learning phrase representations using RNN encoder-decoder for
           statistical machine translation", arXiv:1406.1078.
    .. [7] Raffel and Ellis, "Feed-forward networks with attention can solve some
           long-term memory problems", arXiv:1512.08756.

    Examples
    --------
    >>> from sklearn_deep import RNNClassifier
    >>> texts = ["abab", "ba", "ababa", "babab", "cdc", "dcdc", "cd", "dcdcdc"] * 4
    >>> y = ["ab", "ab", "ab", "ab", "cd", "cd", "cd", "cd"] * 4
    >>> net = RNNClassifier(8, max_epochs=30, random_state=0).fit(texts, y)
    >>> net.predict(["abba", "dccd"]).tolist()
    ['ab', 'cd']
    """

    _rules = {**_RULES, "loss": (OneOf(*CLASSIFIER_LOSSES),), **CLASSIFIER_RULES}

    @names_unknown_arguments
    def __init__(
        self,
        hidden_size=64,
        *,
        cell="gru",
        num_layers=1,
        bidirectional=False,
        readout="last",
        return_sequences=False,
        channels="last",
        tokens="auto",
        analyzer="char",
        vocabulary=None,
        max_vocabulary=None,
        embedding_dim=32,
        dropout=0.1,
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
        gradient_clip=1.0,
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
        self.hidden_size = hidden_size
        self.cell = cell
        self.num_layers = num_layers
        self.bidirectional = bidirectional
        self.readout = readout
        self.return_sequences = return_sequences
        self.channels = channels
        self.tokens = tokens
        self.analyzer = analyzer
        self.vocabulary = vocabulary
        self.max_vocabulary = max_vocabulary
        self.embedding_dim = embedding_dim
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


class RNNRegressor(SequenceRegressor, _RNNFamily):
    """Recurrent network for regression on series, sequences or texts.

    Takes series of shape (n, time) or (n, time, channels); sequences of unequal length
    as a list, an object array or a column of arrays, or padded with ``lengths``; and
    texts or lists of tokens. With ``return_sequences`` every step has a target. Targets
    are standardised internally; predictions are in the original units.

    Parameters
    ----------
    hidden_size : int, default=64
        Number of units of each recurrent layer, in each direction.
    cell : {"rnn", "lstm", "gru"}, default="gru"
        Recurrent cell: "rnn" is the plain one with tanh, "lstm" long short-term memory
        [5]_, "gru" the gated recurrent unit [6]_.
    num_layers : int, default=1
        Number of stacked recurrent layers.
    bidirectional : bool, default=False
        Whether each layer also reads the sequence backwards, with weights of its own.
    readout : {"last", "mean", "max", "attention"}, default="last"
        How the outputs of all steps become one vector: the output of the last step (for
        the backward direction, of the first step), their mean, their maximum, or a mean
        with learnt weights [7]_. Padded steps are excluded.
    return_sequences : bool, default=False
        Whether every step has a target and a prediction. ``readout`` is then ignored.
    channels : {"last", "first"}, default="last"
        Position of the channel axis: (n, time, channels) and (time, channels), or (n,
        channels, time) and (channels, time).
    tokens : bool or "auto", default="auto"
        Whether steps are tokens, each with a learnt embedding. "auto": text is, and so
        is any input if ``vocabulary`` is set. True: integers are tokens too.
    analyzer : {"char", "word"}, default="char"
        How a text (a string instead of a list of tokens) is split: into characters, or
        at whitespace. Upper and lower case stay distinct.
    vocabulary : iterable of str or of int, default=None
        Tokens with an embedding of their own; all others share one. None learns the
        vocabulary from the rows passed to ``fit``.
    max_vocabulary : int, default=None
        Largest size of the vocabulary: the most frequent tokens are taken, or the first
        ones of ``vocabulary``.
    embedding_dim : int, default=32
        Width of the embedding of a token.
    dropout : float or sequence of float, default=0.1
        Fraction of units dropped in training after each recurrent layer, in [0, 1): one
        number, or one per layer [1]_.
    weight_init : {"auto", "xavier_uniform", "xavier_normal", "kaiming_uniform", \
            "kaiming_normal", "orthogonal", "lecun_uniform", "lecun_normal", \
            "uniform", "normal"}, default="auto"
        Initialiser of the input weights; "auto" is xavier_uniform. Recurrent weights
        start as orthogonal matrices.
    weight_init_params : dict, default=None
        ``gain`` (xavier, kaiming, orthogonal; default: that of tanh), ``low`` and
        ``high`` (uniform, -0.05 and 0.05), ``mean`` and ``std`` (normal, 0 and 0.05).
    bias_init : {"zeros", "uniform", "prior"} or float, default="zeros"
        Initial biases: zeros; uniform in +-1/sqrt(fan-in); a constant; or, for "prior",
        zeros except in the output layer, which starts at the best constant prediction.
        1 is added to the forget gates of an lstm.
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
    gradient_clip : float, default=1.0
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
    vocabulary_ : ndarray of shape (n_tokens,) or None
        Tokens with an embedding of their own; None for sequences of numbers.
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
    RNNClassifier : The same network for classes.
    CNNRegressor : Convolutions over series of equal length.

    Notes
    -----
    ``n_features_in_`` is set if X is an array. A network fitted on series
    of equal length also accepts sequences of other lengths, in a list.

    In searches and cross-validations ``lengths`` reaches the network by metadata
    routing: ``set_fit_request(lengths=True)`` and ``set_score_request(lengths=True)``.

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
    .. [5] Hochreiter and Schmidhuber, "Long short-term memory", Neural Computation 9,
           1997.
    .. [6] Cho et al., "Learning phrase representations using RNN encoder-decoder for
           statistical machine translation", arXiv:1406.1078.
    .. [7] Raffel and Ellis, "Feed-forward networks with attention can solve some
           long-term memory problems", arXiv:1512.08756.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_deep import RNNRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.normal(size=n) for n in rng.integers(3, 10, 200)]
    >>> y = [np.cumsum(x) for x in X]
    >>> net = RNNRegressor(16, return_sequences=True, max_epochs=40, random_state=0)
    >>> bool(net.fit(X, y).score(X, y) > 0.9)
    True
    """

    _rules = {**_RULES, "loss": (OneOf(*REGRESSOR_LOSSES),)}

    @names_unknown_arguments
    def __init__(
        self,
        hidden_size=64,
        *,
        cell="gru",
        num_layers=1,
        bidirectional=False,
        readout="last",
        return_sequences=False,
        channels="last",
        tokens="auto",
        analyzer="char",
        vocabulary=None,
        max_vocabulary=None,
        embedding_dim=32,
        dropout=0.1,
        weight_init="auto",
        weight_init_params=None,
        bias_init="zeros",
        loss="squared_error",
        loss_params=None,
        weight_decay="auto",
        l2=0.0,
        l1=0.0,
        gradient_clip=1.0,
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
        self.hidden_size = hidden_size
        self.cell = cell
        self.num_layers = num_layers
        self.bidirectional = bidirectional
        self.readout = readout
        self.return_sequences = return_sequences
        self.channels = channels
        self.tokens = tokens
        self.analyzer = analyzer
        self.vocabulary = vocabulary
        self.max_vocabulary = max_vocabulary
        self.embedding_dim = embedding_dim
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
