"""Docstring entries that several network estimators share: their one source.

After a change here, ``make docstrings`` writes them in full into the classes; a test
fails where a class differs. A class takes the entries of its groups for which it has the
parameter, or whose reference its docstring cites. Entries have no default: it is filled
in from the signature of each class. Keep lines to 84 characters; classes indent by 4.
"""

# What early_stopping="auto" does, by whether the class keeps the best epoch by default.
AUTO_EARLY_STOPPING = {
    True: """\
if ``X_val`` is given, for more than 10,000 rows, and for fewer unless each step
    uses all of them (up to 32 rows by default; "gd", "lbfgs") or the rows held out
    would be fewer than the classes. Otherwise the training loss decides.""",
    "by rows": """\
if ``X_val`` is given, for more than 10,000 rows, and for at least 1,000 rows unless
    each step uses all of them ("gd", "lbfgs"); for fewer only with a ``weight_decay``
    of your own, unless the rows held out would be fewer than the classes. Otherwise
    the training loss decides.""",
    False: """\
if ``X_val`` is given, or for more than 10,000 rows. Otherwise the training loss
    decides.""",
}

GROUPS = {
    "recurrent": {
        "Parameters": """
hidden_size : int
    Number of units of each recurrent layer, in each direction.
cell : {"rnn", "lstm", "gru"}
    Recurrent cell: "rnn" is the plain one with tanh, "lstm" long short-term memory
    [5]_, "gru" the gated recurrent unit [6]_.
num_layers : int
    Number of stacked recurrent layers.
bidirectional : bool
    Whether each layer also reads the sequence backwards, with weights of its own.
readout : {"last", "mean", "max", "attention"}
    How the outputs of all steps become one vector: the output of the last step (for
    the backward direction, of the first step), their mean, their maximum, or a mean
    with learnt weights [7]_. Padded steps are excluded.
return_sequences : bool
    Whether every step has a target and a prediction. ``readout`` is then ignored.
channels : {"last", "first"}
    Position of the channel axis: (n, time, channels) and (time, channels), or (n,
    channels, time) and (channels, time).
tokens : bool or "auto"
    Whether steps are tokens, each with a learnt embedding. "auto": text is, and so
    is any input if ``vocabulary`` is set. True: integers are tokens too.
analyzer : {"char", "word"}
    How a text (a string instead of a list of tokens) is split: into characters, or
    at whitespace. Upper and lower case stay distinct.
vocabulary : iterable of str or of int
    Tokens with an embedding of their own; all others share one. None learns the
    vocabulary from the rows passed to ``fit``.
max_vocabulary : int
    Largest size of the vocabulary: the most frequent tokens are taken, or the first
    ones of ``vocabulary``.
embedding_dim : int
    Width of the embedding of a token.
dropout : float or sequence of float
    Fraction of units dropped in training after each recurrent layer, in [0, 1): one
    number, or one per layer [1]_.
weight_init : {"auto", "xavier_uniform", "xavier_normal", "kaiming_uniform", \
        "kaiming_normal", "orthogonal", "lecun_uniform", "lecun_normal", \
        "uniform", "normal"}
    Initialiser of the input weights; "auto" is xavier_uniform. Recurrent weights
    start as orthogonal matrices.
weight_init_params : dict
    ``gain`` (xavier, kaiming, orthogonal; default: that of tanh), ``low`` and
    ``high`` (uniform, -0.05 and 0.05), ``mean`` and ``std`` (normal, 0 and 0.05).
bias_init : {"zeros", "uniform", "prior"} or float
    Initial biases: zeros; uniform in +-1/sqrt(fan-in); a constant; or, for "prior",
    zeros except in the output layer, which starts at the best constant prediction.
    1 is added to the forget gates of an lstm.
""",
        "Attributes": """
vocabulary_ : ndarray of shape (n_tokens,) or None
    Tokens with an embedding of their own; None for sequences of numbers.
""",
        "References": """
.. [1] Srivastava et al., "Dropout: a simple way to prevent neural networks from
       overfitting", JMLR 15, 2014.
.. [5] Hochreiter and Schmidhuber, "Long short-term memory", Neural Computation 9,
       1997.
.. [6] Cho et al., "Learning phrase representations using RNN encoder-decoder for
       statistical machine translation", arXiv:1406.1078.
.. [7] Raffel and Ellis, "Feed-forward networks with attention can solve some
       long-term memory problems", arXiv:1512.08756.
""",
    },
    "convolutions": {
        "Parameters": """
conv_channels : int or sequence of int
    Number of channels of each convolutional block. "auto" depends on the
    architecture: (32, 64) for plain networks over images, (64, 128) over series;
    (32, 64, 128) and (64, 128, 128) for resnet; (32, 64, 32) and (128, 256, 128)
    for fcn; for inception_time 16 in each of 3 blocks over images and 32 in each of
    6 blocks over series (a block has four times as many output channels).
kernel_size : int or sequence of int
    Kernel size along each axis: one number, or one per block. For resnet over
    series it is the first of the three kernels of a block, (8, 5, 3) by default;
    for inception_time the longest of the three, 40 by default.
stride : int or sequence of int
    Stride of the first convolution of each block; "auto" is 1, except (1, 2, 2) for
    resnet over images.
pooling : {"auto", "max", "average", None}
    Pooling at the end of each block; "auto" is "max" for plain networks and None
    for the others.
pool_size : int
    Size of the pooling window along each axis.
global_pooling : {"auto", "max", "average", None}
    Pooling over all positions after the last block; None flattens them instead.
    "auto" is None for plain networks over images and "average" for the others.
architecture : {"plain", "resnet", "inception_time", "fcn"}
    "plain": each block is convolution, normalisation, activation and pooling.
    "resnet": each block has a shortcut around two convolutions [5]_ (around three
    over series [6]_). "fcn": the fully convolutional network of [6]_.
    "inception_time": each block has kernels of three lengths in parallel [7]_.
hidden_layer_sizes : int or sequence of int
    Number of units of the hidden layers after the convolutions; "auto" is one layer
    of 128 for plain networks over images and none for the others.
""",
        "References": """
.. [5] He et al., "Deep residual learning for image recognition", arXiv:1512.03385.
.. [6] Wang, Yan and Oates, "Time series classification from scratch with deep
       neural networks", arXiv:1611.06455.
.. [7] Ismail Fawaz et al., "InceptionTime: finding AlexNet for time series
       classification", arXiv:1909.04939.
""",
    },
    "spatial": {
        "Parameters": """
spatial_dims : {"auto", 1, 2}
    1 for series, 2 for images. "auto" reads it from X: 2-D X holds series of one
    channel, 3-D X grey images, 4-D X images with channels.
input_shape : sequence of int
    Shape that each row of a 2-D X is reshaped to: (height, width), (height, width,
    channels), (time,) or, with ``spatial_dims=1``, (time, channels).
channels : {"last", "first"}
    Position of the channel axis: (n, height, width, channels) and (n, time,
    channels), or (n, channels, height, width) and (n, channels, time).
""",
    },
    "network": {
        "Parameters": """
activation : {"relu", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", \
        "prelu", "sigmoid", "tanh", "identity"}
    Activation function of the hidden units.
activation_params : dict
    Parameters of the activation: ``negative_slope`` (leaky_relu, default 0.01),
    ``alpha`` (elu, 1.0), ``approximate`` (gelu, "none" or "tanh"), ``init`` (prelu,
    0.25).
dropout : float or sequence of float
    Fraction of hidden units dropped in training, in [0, 1): one number, or one per
    hidden layer [1]_. With ``activation="selu"`` it is alpha dropout.
normalization : {None, "batch", "layer"}
    Normalisation before each activation.
residual : bool
    Whether the input of each hidden layer is added to its output.
weight_init : {"auto", "xavier_uniform", "xavier_normal", "kaiming_uniform", \
        "kaiming_normal", "orthogonal", "lecun_uniform", "lecun_normal", \
        "uniform", "normal"}
    Initialiser of the weights. "auto" depends on the activation: kaiming_uniform
    for relu and similar ones, xavier_uniform for sigmoid and tanh, lecun_normal for
    selu.
weight_init_params : dict
    ``gain`` (xavier, kaiming, orthogonal; default: the activation's), ``low`` and
    ``high`` (uniform, -0.05 and 0.05), ``mean`` and ``std`` (normal, 0 and 0.05).
bias_init : {"zeros", "uniform", "prior"} or float
    Initial biases: zeros; uniform in +-1/sqrt(fan-in); a constant; or, for "prior",
    zeros except in the output layer, which starts at the best constant prediction
    (class log-odds, mean of the target).
""",
        "References": """
.. [1] Srivastava et al., "Dropout: a simple way to prevent neural networks from
       overfitting", JMLR 15, 2014.
""",
    },
    "classifier": {
        "Parameters": """
loss : {"log_loss", "brier", "focal"}
    Training loss: cross-entropy, squared error of the probabilities, or focal loss
    [2]_; of the sigmoid for binary and multilabel targets, of the softmax
    otherwise.
loss_params : dict
    Parameters of the loss: ``gamma`` (focal, default 2.0).
label_smoothing : float
    Fraction of each training label that is spread evenly over the classes, in [0,
    1).
class_weight : {None, "balanced"} or dict
    Weights of the classes, as ``{label: weight}`` (1 for labels left out), or
    inversely proportional to the class frequencies. The dict may name a class that
    is missing from y, as happens in a fold, if it also names all classes of y.
""",
        "Attributes": """
classes_ : ndarray of shape (n_classes,)
    Labels; label numbers for multilabel targets.
n_outputs_ : int
    Number of targets (labels, for multilabel).
""",
        "References": """
.. [2] Lin et al., "Focal loss for dense object detection", arXiv:1708.02002.
""",
    },
    "regressor": {
        "Parameters": """
loss : {"squared_error", "absolute_error", "huber", "quantile", "poisson", \
        "gaussian"}
    Training loss, over internally standardised targets. "poisson" has a log link
    and needs targets >= 0; "gaussian" learns mean and standard deviation, see
    ``predict(X, return_std=True)`` [2]_.
loss_params : dict
    Parameters of the loss: ``delta`` (huber, in standard deviations of the target,
    default 1.0); ``quantile`` (in (0, 1), default 0.5), or an increasing sequence
    of quantiles, which one network then predicts; ``calibrate`` (gaussian and
    several quantiles, default True): whether predicted spreads are rescaled to
    match rows that the network was not trained on. These are the validation rows,
    if there are any. Otherwise a second network is trained without a
    ``validation_fraction`` of the rows, a larger one for small X, which doubles the
    training time; fits of fewer than 60 rows and ``partial_fit`` are not calibrated
    in this way.
""",
        "Attributes": """
n_outputs_ : int
    Number of targets.
""",
        "References": """
.. [2] Nix and Weigend, "Estimating the mean and variance of the target
       probability distribution", ICNN 1994.
""",
    },
    "autoencoder": {
        "Parameters": """
loss : {"squared_error", "absolute_error", "huber"}
    Training loss, averaged over all columns of a row.
loss_params : dict
    Parameters of the loss: ``delta`` (huber, in standard deviations of X, default
    1.0).
""",
        "References": """
.. [5] Vincent et al., "Stacked denoising autoencoders", JMLR 11, 2010.
""",
    },
    "decay_by_rows": {
        "Parameters": """
weight_decay : float or "auto"
    Decoupled weight decay [3]_; each step multiplies it by the learning rate. With
    adamw, "auto" is ``800 / n_samples``, and at least 0.1 and at most 4, less at
    learning rates above 5e-3 (0.1 in ``partial_fit``, with a learning rate of "auto",
    and where each step uses all rows); it is 0 with the others. lbfgs has no learning
    rate and adds it to ``l2``.
""",
    },
    "convolution_dtype": {
        "Parameters": """
dtype : {"auto", "float32", "float64"}
    Floating-point type of all computations; "auto" is float32. Convolutions in
    float64 take two to three times as long on a CPU.
""",
    },
    "conv_autoencoder": {
        "Parameters": """
bias_init : {"zeros", "uniform"} or float
    Initial biases: zeros; uniform in +-1/sqrt(fan-in); or a constant.
""",
    },
    "training": {
        "Parameters": """
weight_decay : float or "auto"
    Decoupled weight decay [3]_; each step multiplies it by the learning rate.
    "auto" is 0.1 for adamw and 0 for the others. lbfgs has no learning rate and
    adds it to ``l2``.
l2 : float
    L2 penalty: ``0.5 * l2 * sum(w ** 2)`` is added to the loss.
l1 : float
    L1 penalty: ``l1 * sum(abs(w))`` is added to the loss. Penalties and weight
    decay do not apply to biases and normalisation parameters.
gradient_clip : float
    Largest norm of the gradient; longer gradients are scaled down to it.
augmentation : augmentation or list of augmentations
    Augmentations applied to training batches, in order, with random numbers from
    ``random_state``; never to validation rows or in ``predict``. Their parameters
    are named ``augmentation__std``, or ``augmentation__gaussiannoise__std`` in a
    list.
optimizer : {"adam", "adamw", "sgd", "momentum", "nesterov", "rmsprop", "gd", \
        "lbfgs"}
    "gd" (gradient descent) and "lbfgs" use all rows in every step. "rmsprop"
    averages squared gradients with ``betas[1]``.
learning_rate : float or "auto"
    Learning rate. "auto" takes the suggestion of a range test [4]_.
learning_rate_scaling : {None, "linear", "sqrt"}
    Multiplies the learning rate by ``batch_size / 256`` or its square root, so that
    one learning rate suits several batch sizes.
momentum : float
    Momentum of "momentum" and "nesterov", in [0, 1).
betas : tuple of float
    Decay rates of the two moving averages of adam and adamw, each in [0, 1).
batch_size : int or "auto"
    Rows per step. "auto" is the power of two near ``n_samples / {n_steps}``, in
    [{smallest}, {largest}]; with up to 32 rows, all of them.
max_epochs : int or "auto"
    Largest number of passes over the training rows (for lbfgs: of iterations).
    "auto" gives about {steps} steps, but at least {fewest} and at most {most} epochs.
learning_rate_schedule : {"constant", "step", "exponential", "cosine", \
        "one_cycle", "plateau", "warm_restarts"}
    How the learning rate changes over the ``max_epochs`` epochs.
schedule_params : dict
    ``every`` (epochs) and ``factor`` (step: 30, 0.1), ``factor`` (exponential: 0.95
    per epoch), ``final`` (cosine: 0), ``start``, ``peak_at``, ``final`` (one_cycle:
    0.04, 0.3, 1e-5), ``factor`` and ``patience`` in epochs (plateau: 0.2, 4),
    ``period`` in epochs, ``multiplier``, ``final`` (warm_restarts: 10, 2, 0).
    ``start`` and ``final`` are fractions of ``learning_rate``.
warmup : float
    Number of epochs of linear increase before the schedule.
early_stopping : bool or "auto"
    Whether rows are held out for validation, to decide when training stops. "auto":
    {auto_early_stopping}
validation_fraction : float
    Fraction of the rows that is held out, in (0, 1); stratified by class.
n_iter_no_change : int or None
    Training stops after this number of epochs without an improvement by ``tol``;
    None turns this off.
tol : float
    Smallest decrease of the loss, or increase of the score, that is an improvement.
restore_best : bool
    Whether early stopping restores the weights of the best epoch.
monitor : "loss", str or callable
    What early stopping compares on the validation rows: the loss, or a score
    (higher is better). A score is the name of a scorer of scikit-learn, such as
    "roc_auc" or "f1" (for two classes, ``classes_[1]`` is the positive one), a
    scorer made by :func:`sklearn.metrics.make_scorer`, or a function ``(estimator,
    X, y) -> float``.
time_limit : float
    Seconds after which training ends.
warm_start : bool
    Whether ``fit`` continues from the weights of the previous fit.
callbacks : list
    skorch callbacks, or pairs of a name and a callback. Their parameters are
    ``callbacks__<name>__<parameter>``; the name defaults to that of the callback's
    class. (scikit-learn's callbacks are set with ``set_callbacks``.)
checkpoint : str, path or Checkpoint
    Folder in which the fit stores its state every 30 seconds and at its end; a
    :class:`Checkpoint` says how often. A fit with the same parameters, data and
    ``random_state`` that was interrupted continues from there, to the same network; one
    that has finished is not trained again. It needs a ``random_state``. Callbacks are
    not compared, and see only the epochs that are trained now.
device : {"auto", "cpu", "cuda", "mps", "cuda:all"} or str
    Device for training and prediction; "auto" uses an accelerator if there is one.
    "cuda:all" trains each fit on all GPUs of this machine, with a process for each, and
    "cpu*2" or "cuda*2" in two processes; see :ref:`ranks`.
dtype : {"auto", "float32", "float64"}
    Floating-point type of all computations; "auto" is the dtype of X on a CPU
    (float64 for integers) and float32 on an accelerator.
verbose : int
    0 prints nothing, 1 shows one progress line, 2 prints one line per epoch.
random_state : int, RandomState or None
    Seed of the initial weights, batches, dropout and the validation split. None gives
    different results in each fit; global random generators are never used or
    changed.
""",
        "Attributes": """
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
layers_ : DataFrame (a list of dicts without pandas)
    One row per layer with values of its own: layer (its name in ``module_``), kind,
    shape (of its weights), parameters (their number), trainable (whether training
    changes any).
n_parameters_ : int
    Number of parameters of the network.
net_ : skorch.NeuralNet
    The same network for code that expects skorch.
""",
        "References": """
.. [3] Loshchilov and Hutter, "Decoupled weight decay regularization",
       arXiv:1711.05101.
.. [4] Smith, "Cyclical learning rates for training neural networks",
       arXiv:1506.01186.
""",
    },
    # After "training", of which it replaces entries.
    "tabular": {
        "Parameters": """
hidden_layer_sizes : int or sequence of int
    Number of units of each hidden layer of each network; an empty sequence gives
    linear models.
n_networks : int
    Number of networks, each with initial values, batches and dropout of its own. They
    are trained as one stack, and their predictions are averaged: the probabilities of
    a classifier, the raw outputs of a regressor. 4 is quick, 16 thorough.
numeric_embedding : {"periodic", "piecewise_linear"} or None
    What stands for a number before the first layer, beside the number itself: a
    linear map of sines whose frequencies are learnt, or of the shares of 16 bins
    between quantiles that it has passed [5]_; None for the number alone.
categorical_features : "from_dtype", array of bool, int or str, or None
    Which columns are categories: a mask, places or names. "from_dtype" takes the
    columns of a frame that are text, categories or booleans; None takes none.
max_one_hot : int
    Largest number of values with which a category becomes one-hot columns; larger
    ones have learnt embeddings.
category_embedding : int
    Width of these embeddings.
weight_decay : float or "auto"
    Decoupled weight decay [3]_; each step multiplies it by the learning rate.
    "auto" is 0.1 for adamw and 0 for the others.
optimizer : {"adam", "adamw", "sgd", "momentum", "nesterov", "rmsprop", "gd"}
    "gd" (gradient descent) uses all rows in every step. "rmsprop" averages squared
    gradients with ``betas[1]``.
learning_rate : float
    Learning rate at the peak of the schedule.
layer_rates : {"equal", "fan_in"}
    Learning rates of the layers. "fan_in" divides those of the weights of a layer by
    the square root of its number of inputs.
averaging : float
    Weights that are validated and kept are moving averages over the epochs: this is
    the share of the former average, in [0, 1). 0 keeps the weights themselves.
max_epochs : int or "auto"
    Largest number of passes over the training rows. "auto" gives about {steps} steps, but
    at least {fewest} and at most {most} epochs.
dtype : {"float32", "auto", "float64"}
    Floating-point type of the networks. Numbers are scaled in float64 in any case, and
    float32 tells scaled ones apart well. "auto" is the dtype of X on a CPU.
validation : "folds", float or None
    Rows from which a network chooses its best epoch. "folds": each network leaves out
    another fold of rows. A number in (0, 1): this share of the rows, which no network
    is trained on. None: no rows; the training loss decides. ``X_val`` takes the place
    of any of them.
n_iter_no_change : int, "auto" or None
    Training stops after this number of epochs without an improvement by ``tol`` of the
    mean over the networks; "auto" is a fifth of ``max_epochs``, and at least 10; None
    turns this off.
restore_best : bool
    Whether each network keeps the weights of its best epoch.
random_state : int, RandomState or None
    Seed of the initial weights, batches, dropout and folds. None gives different
    results in each fit; global random generators are never used or changed.
""",
        "Attributes": """
is_categorical_ : ndarray of shape (n_features,)
    Which columns are categories.
estimators_ : list of estimators
    Fitted estimators with one of the networks each. How far their predictions differ
    tells how sure the ensemble is.
augmentation_ : tuple
    Empty: rows of a table are not augmented.
""",
        "References": """
.. [5] Gorishniy et al., "On embeddings for numerical features in tabular deep
       learning", arXiv:2203.05556.
""",
    },
    "tabular_regressor": {
        "Parameters": """
loss_params : dict
    Parameters of the loss: ``delta`` (huber, in standard deviations of the target,
    default 1.0); ``quantile`` (in (0, 1), default 0.5), or an increasing sequence
    of quantiles, which one network then predicts; ``calibrate`` (gaussian and
    several quantiles, default True): whether predicted spreads are rescaled to
    match rows that a network was not trained on: those of the folds, or the
    validation rows.
""",
    },
    "federated": {
        "Parameters": """
strategy : {"FedAvg", "FedProx", "FedAvgM", "FedAdam", "FedYogi", "FedAdagrad"}
    How the server makes a network of those of a round: their mean, weighted by rows
    [1]_; the same, with a pull of each owner's weights to those it got [2]_; with
    momentum [3]_, or adaptive steps, of the server [4]_.
strategy_params : dict
    Parameters of the strategy, under Flower's names: ``proximal_mu`` (0.01) of
    FedProx; ``server_learning_rate`` (1) and ``server_momentum`` (0.9) of FedAvgM;
    ``eta``, ``beta_1``, ``beta_2`` and ``tau`` of the adaptive ones.
rounds : int
    Number of rounds.
local_epochs : int
    Epochs that an owner trains in a round, with a fresh optimizer.
clients : int
    Owners that are drawn where ``fit`` gets no ``groups``; at most one per row.
concentration : float
    How the drawn owners differ: each label's rows are divided by a Dirichlet
    distribution of this concentration (0.2 gives most owners few of the labels); of
    numbers, each tenth. None divides all rows evenly.
fraction : float
    Share of the owners that take part in a round, in (0, 1]; at least one does.
drop_out : float
    Probability, in [0, 1), that an owner's answer of a round is lost.
stragglers : float
    Probability, in [0, 1], that an owner finishes only some of its ``local_epochs``.
batch_norm : {"averaged", "local"}
    Whether batch normalisation is averaged like all else, or stays with each owner
    [5]_. With "local" ``owner_estimators_`` has the networks of the owners;
    ``estimator_`` has the mean.
early_stopping : bool
    Whether each owner holds rows out: rounds end when their loss does, and the best
    round is kept.
validation_fraction : float
    Share of each owner's rows that it holds out for ``early_stopping``.
n_iter_no_change : int
    Rounds without a lower loss before ``early_stopping`` ends the training.
random_state : int, RandomState or None
    Seed of the owners that are drawn, of those that take part in a round, of batches
    and dropout, and of the initial weights where the network has no seed. The same
    seed gives the same network, whatever owners are called.
verbose : int
    Whether to print a line per round.
""",
        "Attributes": """
estimator_ : estimator or Pipeline
    The fitted network behind its fitted transformers: it can be saved, exported or
    compressed like any other.
best_round_ : int
    Round, from 1, whose network is kept.
owner_estimators_ : dict
    With ``batch_norm="local"``: the estimator of each owner.
n_features_in_ : int
    Number of features.
feature_names_in_ : ndarray of shape (n_features,)
    Names of the features, if the column names of X are strings.
""",
        "References": """
.. [1] McMahan et al., "Communication-efficient learning of deep networks from
       decentralized data", arXiv:1602.05629.
.. [2] Li et al., "Federated optimization in heterogeneous networks",
       arXiv:1812.06127.
.. [3] Hsu et al., "Measuring the effects of non-identical data distribution for
       federated visual classification", arXiv:1909.06335.
.. [4] Reddi et al., "Adaptive federated optimization", arXiv:2003.00295.
.. [5] Li et al., "FedBN: federated learning on non-IID features via local batch
       normalization", arXiv:2102.07623.
""",
    },
    "module": {
        "Parameters": """
module : type or callable
    Class of a ``torch.nn.Module``, or a function that returns a module. If its
    signature has ``n_features``, ``n_outputs`` or ``input_shape``, these are filled
    in: the number of values per row, the number of outputs, and ``X.shape[1:]``.
**module__arguments : dict
    Arguments of the module, as ``module__name=value``. They are parameters of the
    estimator: ``set_params``, ``clone`` and grid searches know them.
""",
    },
}

# Estimator to its groups; of two entries for one name the later group counts.
SHARED = {
    "TabularClassifier": ("network", "classifier", "training", "tabular"),
    "TabularRegressor": (
        "network",
        "regressor",
        "training",
        "tabular",
        "tabular_regressor",
    ),
    "MLPClassifier": ("network", "classifier", "training", "decay_by_rows"),
    "MLPRegressor": ("network", "regressor", "training"),
    "MLPAutoencoder": ("network", "autoencoder", "training"),
    "CNNClassifier": (
        "convolutions",
        "spatial",
        "network",
        "classifier",
        "training",
        "convolution_dtype",
    ),
    "CNNRegressor": (
        "convolutions",
        "spatial",
        "network",
        "regressor",
        "training",
        "convolution_dtype",
    ),
    "CNNAutoencoder": (
        "spatial",
        "network",
        "conv_autoencoder",
        "autoencoder",
        "training",
        "convolution_dtype",
    ),
    "RNNClassifier": ("classifier", "recurrent", "training"),
    "RNNRegressor": ("regressor", "recurrent", "training"),
    "FederatedClassifier": ("federated",),
    "FederatedRegressor": ("federated",),
    "ModuleClassifier": ("module", "classifier", "training"),
    "ModuleRegressor": ("module", "regressor", "training"),
}
