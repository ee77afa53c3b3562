"""Docstring sections that the network estimators share, written once.

A class docstring names them as ``{network}``, ``{training}`` and so on; ``document``
puts them in when the class is made.
"""

import inspect
import re
from typing import Any, TypeVar

_Class = TypeVar("_Class", bound=type[Any])

SECTIONS = {
    "recurrent": """
hidden_size : int, default={hidden_size}
    Units of each recurrent layer, in each direction.
cell : {{"rnn", "lstm", "gru"}}, default="{cell}"
    "rnn" is the plain one with tanh, "lstm" long short-term memory [5]_, "gru" the
    gated recurrent unit [6]_.
num_layers : int, default={num_layers}
    Recurrent layers, one upon the other.
bidirectional : bool, default={bidirectional}
    Whether each layer also reads backwards, with units of its own.
readout : {{"last", "mean", "max", "attention"}}, default="{readout}"
    What of all steps is handed on: the last one (of the backward direction the
    first), their mean, the largest value of each unit, or a mean whose weights are
    learnt [7]_. Padding never counts.
return_sequences : bool, default={return_sequences}
    Whether every step has a target and a prediction; then nothing is read out.
channels : {{"last", "first"}}, default="last"
    Where the axis of channels is: (n, time, channels) and (time, channels), or (n,
    channels, time) and (channels, time).
tokens : bool or "auto", default={tokens}
    Whether steps are tokens, of which each gets a learnt vector. "auto": text is, and
    whatever comes with a ``vocabulary``; True: integers are too.
analyzer : {{"char", "word"}}, default="char"
    How text that is no list is split: into characters, or at whitespace. Case is kept.
vocabulary : iterable of str or of int, default=None
    The tokens that have a vector of their own. None learns them from the rows of the
    fit; all other tokens share one.
max_vocabulary : int, default=None
    Most tokens of a vocabulary: the most frequent ones, or the first of those given.
embedding_dim : int, default={embedding_dim}
    Width of the vector of a token.
dropout : float or sequence of float, default={dropout}
    Share of units dropped in training, in [0, 1), after each recurrent layer; one
    number, or one a layer [1]_.
weight_init : {{"auto", "xavier_uniform", "xavier_normal", "kaiming_uniform", \\
        "kaiming_normal", "orthogonal", "lecun_uniform", "lecun_normal", \\
        "uniform", "normal"}}, default="auto"
    How the weights of what comes in are drawn; "auto" is xavier_uniform. Those of what
    comes back are orthogonal matrices.
weight_init_params : dict, default=None
    ``gain`` (xavier, kaiming, orthogonal; default: that of tanh), ``low`` and ``high``
    (uniform, -0.05 and 0.05), ``mean`` and ``std`` (normal, 0 and 0.05).
bias_init : {{"zeros", "uniform", "prior"}} or float, default="zeros"
    Initial biases: 0, uniform in +-1/sqrt(fan-in), a constant; or 0 but for the
    output layer, which starts at the best constant prediction. The forget gates of an
    lstm start at 1 more.
""",
    "recurrent_references": """
.. [5] Hochreiter and Schmidhuber, "Long short-term memory", Neural Computation 9,
       1997.
.. [6] Cho et al., "Learning phrase representations using RNN encoder-decoder for
       statistical machine translation", arXiv:1406.1078.
.. [7] Raffel and Ellis, "Feed-forward networks with attention can solve some long-term
       memory problems", arXiv:1512.08756.
""",
    "convolutions": """
conv_channels : int or sequence of int, default="auto"
    Channels of each block of convolutions. "auto" suits the architecture: (32, 64)
    for plain networks over images, (64, 128) over series; (32, 64, 128) and (64, 128,
    128) for resnet; (32, 64, 32) and (128, 256, 128) for fcn; 16 in each of 3 blocks
    and 32 in each of 6 for inception_time, which gives four times as many out.
kernel_size : int or sequence of int, default="auto"
    Positions that a convolution sees along each axis, one number or one a block. Of
    resnet over series it is the first of three in a block, (8, 5, 3) by default; of
    inception_time the longest of three, 40 by default.
stride : int or sequence of int, default="auto"
    Steps between the positions of a block's first convolution; 1, but for resnet over
    images (1, 2, 2).
pooling : {{"auto", "max", "average", None}}, default="auto"
    Pooling of neighbours at the end of each block; "auto" is "max" for plain networks
    and None for the others.
pool_size : int, default={pool_size}
    Neighbours that are pooled along each axis.
global_pooling : {{"auto", "max", "average", None}}, default="auto"
    How the positions of the last block become one; None keeps them all. "auto" is
    None for plain networks over images and "average" for the others.
architecture : {{"plain", "resnet", "inception_time", "fcn"}}, default="plain"
    "plain" is convolution, normalisation, activation, pooling in each block; "resnet"
    has a shortcut around two convolutions (three, over series [6]_) [5]_; "fcn" is
    the fully convolutional network of [6]_; "inception_time" has kernels of three
    lengths side by side [7]_.
spatial_dims : {{"auto", 1, 2}}, default="auto"
    1 for series, 2 for images. "auto": flat rows are series of one channel, 3-D X is
    of grey images, 4-D X of images.
input_shape : sequence of int, default=None
    What a flat row is: (height, width), (height, width, channels), (time,) or, with
    ``spatial_dims=1``, (time, channels).
channels : {{"last", "first"}}, default="last"
    Where the axis of channels is: (n, height, width, channels) and (n, time,
    channels), or (n, channels, height, width) and (n, channels, time).
hidden_layer_sizes : int or sequence of int, default="auto"
    Units of the hidden layers behind the convolutions; "auto" is 128 for plain
    networks over images and none for the others.
""",
    "convolution_references": """
.. [5] He et al., "Deep residual learning for image recognition", arXiv:1512.03385.
.. [6] Wang, Yan and Oates, "Time series classification from scratch with deep neural
       networks", arXiv:1611.06455.
.. [7] Ismail Fawaz et al., "InceptionTime: finding AlexNet for time series
       classification", arXiv:1909.04939.
""",
    "network": """
activation : {{"relu", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", \\
        "prelu", "sigmoid", "tanh", "identity"}}, default="{activation}"
    Activation of the hidden units.
activation_params : dict, default=None
    Its own parameters: ``negative_slope`` (leaky_relu, default 0.01), ``alpha``
    (elu, 1.0), ``approximate`` (gelu, "none" or "tanh"), ``init`` (prelu, 0.25).
dropout : float or sequence of float, default={dropout}
    Share of hidden units dropped in training, in [0, 1); one number, or one a
    hidden layer [1]_. With ``activation="selu"`` it is alpha dropout.
normalization : {{None, "batch", "layer"}}, default={normalization}
    Normalisation in front of each activation.
residual : bool, default={residual}
    Whether each hidden layer's input is added to its output.
weight_init : {{"auto", "xavier_uniform", "xavier_normal", "kaiming_uniform", \\
        "kaiming_normal", "orthogonal", "lecun_uniform", "lecun_normal", \\
        "uniform", "normal"}}, default="auto"
    How initial weights are drawn. "auto" suits the activation: kaiming_uniform for
    relu and its like, xavier_uniform for sigmoid and tanh, lecun_normal for selu.
weight_init_params : dict, default=None
    ``gain`` (xavier, kaiming, orthogonal; default: the activation's), ``low`` and
    ``high`` (uniform, -0.05 and 0.05), ``mean`` and ``std`` (normal, 0 and 0.05).
bias_init : {{"zeros", "uniform", "prior"}} or float, default="zeros"
    Initial biases: 0, uniform in +-1/sqrt(fan-in), a constant; or 0 but for the
    output layer, which starts at the best constant prediction (class log-odds, mean
    of the target).
""",
    "classifier_objective": """
loss : {{"log_loss", "brier", "focal"}}, default="log_loss"
    Cross-entropy, squared error of the probabilities, or focal loss [2]_; of the
    sigmoid for binary and multilabel targets, of the softmax else.
loss_params : dict, default=None
    ``gamma`` of the focal loss (default 2.0).
label_smoothing : float, default=0.0
    Share of each training label that is spread evenly over the classes, in [0, 1).
class_weight : {{None, "balanced"}} or dict, default=None
    Weights of the classes, as ``{{label: weight}}`` (1 for labels left out), or
    inversely proportional to the class frequencies. A class that y lacks may be named
    where all classes of y are: it may be missing from a fold.
""",
    "regressor_objective": """
loss : {{"squared_error", "absolute_error", "huber", "quantile", "poisson", \\
        "gaussian"}}, default="squared_error"
    What is minimised, over targets that are standardised inside. "poisson" has
    a log link and needs targets >= 0; "gaussian" learns mean and standard
    deviation, see ``predict(X, return_std=True)`` [2]_.
loss_params : dict, default=None
    ``delta`` of huber, in standard deviations of the target (default 1.0);
    ``quantile`` in (0, 1) (default 0.5), or a sequence of them in increasing order, of
    which one network then gives all; ``calibrate`` of gaussian and of several quantiles
    (default True): whether spreads are scaled for rows that the network was not trained
    on, by the validation part, or else by a second network that is trained without
    ``validation_fraction`` of the rows, or more of few (which doubles the time; not for
    fewer than 60 rows, nor in ``partial_fit``).
""",
    "training": """
weight_decay : float or "auto", default={weight_decay}
    Decoupled weight decay [3]_ a unit of learning rate. "auto" is 0.1 for adamw and
    0 for the others; lbfgs, which has no learning rate, adds it to ``l2``.
l2 : float, default={l2}
    L2 penalty: ``0.5 * l2 * sum(w ** 2)`` is added to the loss.
l1 : float, default={l1}
    L1 penalty: ``l1 * sum(abs(w))`` is added to the loss. Neither penalty, nor
    weight decay, touches biases or normalisation parameters.
gradient_clip : float, default={gradient_clip}
    Largest norm of the gradient; longer ones are scaled down.
augmentation : augmentation or list of augmentations, default=None
    What is done to training batches, in order, with draws from ``random_state``; never
    to validation rows or in ``predict``. Its parameters have names, as in
    ``augmentation__std``; those of a list ``augmentation__gaussiannoise__std``.
optimizer : {{"adam", "adamw", "sgd", "momentum", "nesterov", "rmsprop", "gd", \\
        "lbfgs"}}, default="{optimizer}"
    "gd" (gradient descent) and "lbfgs" use all rows in every step. "rmsprop"
    averages squared gradients with ``betas[1]``.
learning_rate : float or "auto", default={learning_rate}
    Learning rate. "auto" takes the suggestion of a range test [4]_.
learning_rate_scaling : {{None, "linear", "sqrt"}}, default=None
    Multiplies the learning rate by ``batch_size / 256`` or its square root, so that
    one learning rate suits several batch sizes.
momentum : float, default=0.9
    Momentum of "momentum" and "nesterov", in [0, 1).
betas : tuple of float, default=(0.9, 0.999)
    Decay rates of adam's and adamw's two averages, each in [0, 1).
batch_size : int or "auto", default={batch_size}
    Rows a step. "auto" is the power of two near ``n_samples / 20``, in [{smallest_batch}, 256];
    up to 32 rows it is all of them.
max_epochs : int or "auto", default={max_epochs}
    Most passes over the training rows (for lbfgs: iterations). "auto" is as many as
    make 2,500 steps, but 12 at least and 200 at most.
learning_rate_schedule : {{"constant", "step", "exponential", "cosine", \\
        "one_cycle", "plateau", "warm_restarts"}}, default="{schedule}"
    How the learning rate changes over the ``max_epochs`` epochs.
schedule_params : dict, default=None
    ``every`` (epochs) and ``factor`` (step: 30, 0.1), ``factor`` (exponential:
    0.95 an epoch), ``final`` (cosine: 0), ``start``, ``peak_at``, ``final``
    (one_cycle: 0.04, 0.3, 1e-5), ``factor`` and ``patience`` in epochs (plateau:
    0.2, 4), ``period`` in epochs, ``multiplier``, ``final`` (warm_restarts: 10, 2,
    0). Rates are shares of ``learning_rate``.
warmup : float, default=0
    Epochs of linear increase before the schedule.
early_stopping : bool or "auto", default={early_stopping}
    Whether rows are held out to stop the training on. "auto": above 10,000
    rows, or where ``X_val`` is given. Without it the training loss is watched.
validation_fraction : float, default=0.1
    Share of the rows that is held out, in (0, 1); stratified for classes.
n_iter_no_change : int or None, default={n_iter_no_change}
    Epochs without an improvement of ``tol`` that end the training; None: never.
tol : float, default={tol}
    Smallest improvement that counts.
restore_best : bool, default=True
    Whether early stopping brings the weights of the best epoch back.
monitor : "loss", str or callable, default="loss"
    What early stopping watches on the validation part: the loss, or a score that is
    higher when better. A scorer's name in scikit-learn, such as "roc_auc" or "f1" (for
    two classes, ``classes_[1]`` is the positive one), a scorer made by
    :func:`sklearn.metrics.make_scorer`, or a function ``(estimator, X, y) -> float``.
time_limit : float, default=None
    Seconds after which training ends.
warm_start : bool, default=False
    Whether ``fit`` goes on from the weights of the last fit.
callbacks : list, default=None
    skorch callbacks, or pairs of a name and one. Their parameters are
    ``callbacks__<name>__<parameter>``; without a name of its own, a callback has that
    of its class. (scikit-learn's are set with ``set_callbacks``.)
device : {{"auto", "cpu", "cuda", "mps"}}, default="auto"
    Where it computes; "auto" takes an accelerator where there is one.
dtype : {{"auto", "float32", "float64"}}, default="auto"
    Type it computes in; "auto" is X's own on a CPU (float64 for integers) and
    float32 on an accelerator.
verbose : int, default=0
    1 shows one line of progress, 2 a line an epoch.
random_state : int, RandomState or None, default=None
    Decides initial weights, batches, dropout and the held-out rows. With None they
    differ from fit to fit; no global generator is used or changed.
""",
    "fitted": """
n_outputs_ : int
    Number of targets (labels, for multilabel).
n_features_in_ : int
    Number of features.
feature_names_in_ : ndarray of shape (n_features,)
    Names of the features, where X had string column names.
n_iter_ : int
    Epochs trained.
best_epoch_ : int
    Epoch, counted from 1, that the weights are from.
history_ : DataFrame (a list of dicts without pandas)
    A row an epoch: epoch, train_loss, valid_loss, valid_score (the monitored
    scorer, else accuracy or R^2), learning_rate, seconds since the start.
loss_curve_ : list of float
    Training loss of each epoch, without penalties.
learning_rate_ : float
    The learning rate used, before any schedule.
stop_reason_ : {{"max_epochs", "early_stopping", "converged", "diverged", \\
        "time_limit", "callback"}}
    Why training ended. "converged": the training loss stood still; "diverged": the
    same, far above the loss of a constant prediction.
augmentation_ : tuple of augmentations
    What training batches went through; where ``augmentation`` has an ``AutoAugment``,
    with the ``Policy`` that it has found, or none, in its place.
module_ : torch.nn.Module
    The network, in evaluation mode.
net_ : skorch.NeuralNet
    The same network for code that expects skorch.
""",
    "references": """
.. [1] Srivastava et al., "Dropout: a simple way to prevent neural networks from
       overfitting", JMLR 15, 2014.
""",
}


def _without(section: str, *names: str) -> str:
    """A section without the entries of some names."""
    entries = re.split(r"^(?=\w+ : )", SECTIONS[section].strip(), flags=re.MULTILINE)
    return "".join(e for e in entries if e.split(" : ")[0] not in names)


SECTIONS |= {
    "encoder": _without("network", "residual"),
    "conv_encoder": _without("network", "residual", "dropout").replace(
        '"uniform", "prior"}}', '"uniform"}}'
    ),
    "reconstruction_objective": """
loss : {{"squared_error", "absolute_error", "huber"}}, default="squared_error"
    What is minimised, over all columns of a row.
loss_params : dict, default=None
    ``delta`` of huber, in standard deviations of X (default 1.0).
""",
    "unmonitored_training": _without("training", "monitor"),
    "learnt": _without("fitted", "n_outputs_"),
}

# Defaults that the text puts into quotes by itself.
_BARE = ("activation", "optimizer", "cell", "readout")


def document(cls: _Class) -> _Class:
    """Fill the shared sections into a class docstring, with the class's defaults."""
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(cls.__init__).parameters.items()
    }
    shown: dict[str, Any] = {
        **{name: _show(value) for name, value in defaults.items()},
        **{k: v for k in _BARE if (v := defaults.get(k)) is not None},
        "schedule": defaults["learning_rate_schedule"],
        "smallest_batch": cls._smallest_batch,
    }
    # A backslash joins a long list of values with the next line.
    joined = {k: re.sub(r"\\\n +", "", text) for k, text in SECTIONS.items()}
    doc = inspect.cleandoc(cls.__doc__ or "")
    filled = {
        name: text.strip().format(**shown)
        for name, text in joined.items()
        if f"{{{name}}}" in doc
    }
    for name, text in filled.items():
        doc = doc.replace("{" + name + "}", text)
    cls.__doc__ = doc
    return cls


def _show(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)
