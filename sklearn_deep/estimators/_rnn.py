"""Recurrent networks over series, sequences of unequal length and tokens."""

from collections.abc import Iterable
from numbers import Integral
from typing import Any

from sklearn_deep._arguments import names_unknown_arguments
from sklearn_deep._params import BOOLEAN, NONE, Number, OneOf, Rules, Satisfies
from sklearn_deep.data._layout import Layout
from sklearn_deep.data._vocabulary import ANALYZERS
from sklearn_deep.estimators._docs import document
from sklearn_deep.estimators._rules import (
    CLASSIFIER_RULES,
    NETWORK_RULES,
    TRAINING_RULES,
)
from sklearn_deep.estimators._sequence_tasks import (
    SequenceClassifier,
    SequenceRegressor,
)
from sklearn_deep.estimators._sequences import SequenceEstimator
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
    """The network of both estimators."""

    _network = staticmethod(RNN)

    def _nonlinearity(self) -> tuple[str, float | None]:
        return "tanh", None

    def _architecture(self, layout: Layout, n_outputs: int) -> dict[str, Any]:
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
            "embedding_dim": int(self.embedding_dim) if self._of_tokens else None,
            "channels_first": self.channels == "first",
        }


@document
class RNNClassifier(SequenceClassifier, _RNNFamily):
    """Recurrent network for classes of series, sequences or texts.

    Takes series of shape (n, time) or (n, time, channels); sequences of unequal length
    as a list, an object array or a column of arrays, or padded with ``lengths``; and
    texts or lists of tokens. Batches are packed by length: nothing is computed for
    padding, and predictions do not depend on it.

    Parameters
    ----------
    {recurrent}
    {classifier_objective}
    {training}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels; label numbers for multilabel targets.
    vocabulary_ : ndarray of shape (n_tokens,) or None
        Tokens that have a vector of their own; None for numbers.
    {fitted}

    See Also
    --------
    RNNRegressor : The same network for numeric targets.
    CNNClassifier : Convolutions over series of equal length.

    Notes
    -----
    ``n_features_in_`` is there where X was an array. A network that was fitted on series
    of one length takes sequences of any other, in a list.

    In searches and cross-validations ``lengths`` reaches the network by metadata
    routing: ``set_fit_request(lengths=True)`` and ``set_score_request(lengths=True)``.

    References
    ----------
    {references}
    .. [2] Lin et al., "Focal loss for dense object detection", arXiv:1708.02002.
    .. [3] Loshchilov and Hutter, "Decoupled weight decay regularization",
           arXiv:1711.05101.
    .. [4] Smith, "Cyclical learning rates for training neural networks",
           arXiv:1506.01186.
    {recurrent_references}

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
        self.device = device
        self.dtype = dtype
        self.verbose = verbose
        self.random_state = random_state


@document
class RNNRegressor(SequenceRegressor, _RNNFamily):
    """Recurrent network for numbers that series, sequences or texts tell.

    Takes series of shape (n, time) or (n, time, channels); sequences of unequal length
    as a list, an object array or a column of arrays, or padded with ``lengths``; and
    texts or lists of tokens. With ``return_sequences`` every step has a target. Targets
    are standardised inside and given back in their own units.

    Parameters
    ----------
    {recurrent}
    {regressor_objective}
    {training}

    Attributes
    ----------
    vocabulary_ : ndarray of shape (n_tokens,) or None
        Tokens that have a vector of their own; None for numbers.
    {fitted}

    See Also
    --------
    RNNClassifier : The same network for classes.
    CNNRegressor : Convolutions over series of equal length.

    Notes
    -----
    ``n_features_in_`` is there where X was an array. A network that was fitted on series
    of one length takes sequences of any other, in a list.

    In searches and cross-validations ``lengths`` reaches the network by metadata
    routing: ``set_fit_request(lengths=True)`` and ``set_score_request(lengths=True)``.

    References
    ----------
    {references}
    .. [2] Nix and Weigend, "Estimating the mean and variance of the target
           probability distribution", ICNN 1994.
    .. [3] Loshchilov and Hutter, "Decoupled weight decay regularization",
           arXiv:1711.05101.
    .. [4] Smith, "Cyclical learning rates for training neural networks",
           arXiv:1506.01186.
    {recurrent_references}

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
        self.device = device
        self.dtype = dtype
        self.verbose = verbose
        self.random_state = random_state
