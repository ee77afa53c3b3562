"""Unstructured pruning: most weights of a network are set to zero."""

from collections.abc import Iterator

import torch
from torch import Tensor

from sklearn_deep._arguments import names_unknown_arguments
from sklearn_deep._params import Number, OneOf
from sklearn_deep.compression._base import (
    BASE_RULES,
    DESCRIPTIONS,
    FINE_TUNE_RULES,
    Compression,
)
from sklearn_deep.compression._importance import IMPORTANCES
from sklearn_deep.compression._network import fine_tune, with_module
from sklearn_deep.estimators.core._base import DeepEstimator
from sklearn_deep.estimators.core._fit import copy_module
from sklearn_deep.estimators.core._fitted import fitted_of
from sklearn_deep.estimators.core._parts import FitArguments
from sklearn_deep.nn._connections import connections
from sklearn_deep.nn._quantization import QuantizedNetwork

# Fraction of the fine-tuning epochs during which a gradual schedule prunes. The
# remaining weights need the other epochs, while the learning rate is still high: on
# digits with 95 % of the connections pruned, 0.6 lost up to 8 points of accuracy, 0.2
# one.
_RAMP = 0.2


class Pruned(Compression):
    """Set the weakest connections of a network to zero.

    The network is trained, its weakest weights are set to zero, and the remaining
    weights are fine-tuned. Pruned weights stay zero in later training too: in
    ``partial_fit``, warm starts and further compressions. A fresh ``fit`` of
    ``estimator_`` builds a dense network. Biases, normalisation parameters and
    embeddings are not pruned.

    A pruned network is not faster, and its file is not smaller until it is zipped.
    :class:`Sliced` makes networks smaller and faster.

    Parameters
    ----------
    estimator : estimator
        A network of sklearn_deep, another compression of one, or a FrozenEstimator
        around a fitted one.
    amount : float, default=0.8
        Fraction of the connections that are set to zero, in [0, 1). The strongest
        connection of each layer is always kept.
    method : {"lamp", "magnitude", "gradient", "random"}, default="lamp"
        Measure of importance; the least important connections are pruned. "lamp": the
        square of a weight, divided by the sum of all squares in its layer that are at
        least as large, so that small layers are not emptied [4]_. "magnitude": the
        absolute value [1]_. "gradient": the first-order change of the loss if the
        connection is removed, on at most 8,192 training rows [2]_. "random": a
        baseline.
    scope : {"global", "layer"}, default="global"
        Whether connections are ranked over the whole network or within each layer.
    schedule : {"one_shot", "gradual"}, default="gradual"
        Whether all connections are pruned at once before the fine-tuning, or gradually
        during its first epochs, by a cubic schedule [3]_.
    fine_tune_epochs : int, default=10
        Number of epochs of training after the pruning (with "gradual", during it), with
        the network's own optimizer, schedule, augmentation and early stopping.
    fine_tune_learning_rate : float or None, default=None
        Learning rate of the fine-tuning; None for the network's own.
    max_score_drop : float or None, default=None
        Largest allowed drop of the score; None allows any. The score is measured on
        ``X_val`` and ``y_val``, else on the rows held out for early stopping, else on
        the training rows.
    on_score_drop : {"raise", "fall_back"}, default="raise"
        What a larger drop does: raise ``ScoreDropError``, or fall back to the last
        network whose score is high enough. With ``schedule="gradual"`` this may be an
        earlier level of sparsity; otherwise it is the unpruned network.
    scoring : str, callable or None, default=None
        Scorer that measures the drop; None for the network's own ``score``.
    prefit : bool, default=False
        Whether ``estimator`` is already fitted and is only compressed, not trained
        first. ``clone`` and searches drop what was fitted: wrap the estimator in a
        ``FrozenEstimator`` for them.

    Attributes
    ----------
    estimator_ : estimator
        The pruned network; its fitted attributes, such as ``classes_``, are
        also attributes of this estimator.
    sparsity_ : dict of str to float
        Fraction of zeros in the weights of each layer, and in all weights (key "all").
    score_drop_ : float
        Drop of the score; set if ``max_score_drop`` is not None.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if the column names of X are strings.

    See Also
    --------
    Sliced : Remove whole units.

    References
    ----------
    .. [1] Han et al., "Learning both weights and connections for efficient neural
           networks", arXiv:1506.02626.
    .. [2] Molchanov et al., "Pruning convolutional neural networks for resource
           efficient inference", arXiv:1611.06440.
    .. [3] Zhu and Gupta, "To prune, or not to prune: exploring the efficacy of pruning
           for model compression", arXiv:1710.01878.
    .. [4] Lee et al., "Layer-adaptive sparsity for the magnitude-based pruning",
           arXiv:2010.07611.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_deep import MLPClassifier, Pruned
    >>> X, y = load_digits(return_X_y=True)
    >>> net = MLPClassifier((64,), max_epochs=10, random_state=0)
    >>> sparse = Pruned(net, amount=0.8).fit(X[:1000] / 16, y[:1000])
    >>> round(sparse.sparsity_["all"], 2)
    0.8
    >>> bool(sparse.score(X[1000:] / 16, y[1000:]) > 0.85)
    True
    """

    _rules = {
        **BASE_RULES,
        **FINE_TUNE_RULES,
        "amount": (Number(low=0, high=1, open_high=True),),
        "method": (OneOf(*IMPORTANCES),),
        "scope": (OneOf("global", "layer"),),
        "schedule": (OneOf("one_shot", "gradual"),),
    }

    _describes = "sparsity_"
    _fine_tune_share = 1.0

    @names_unknown_arguments
    def __init__(
        self,
        estimator,
        amount=0.8,
        *,
        method="lamp",
        scope="global",
        schedule="gradual",
        fine_tune_epochs=10,
        fine_tune_learning_rate=None,
        max_score_drop=None,
        on_score_drop="raise",
        scoring=None,
        prefit=False,
    ):
        self.estimator = estimator
        self.amount = amount
        self.method = method
        self.scope = scope
        self.schedule = schedule
        self.fine_tune_epochs = fine_tune_epochs
        self.fine_tune_learning_rate = fine_tune_learning_rate
        self.max_score_drop = max_score_drop
        self.on_score_drop = on_score_drop
        self.scoring = scoring
        self.prefit = prefit

    def _levels(
        self, network: DeepEstimator, given: FitArguments
    ) -> Iterator[DeepEstimator]:
        epochs, state = self.fine_tune_epochs, None
        gradual = self.schedule == "gradual"
        n_ramp = min(round(_RAMP * epochs), epochs - 1) if gradual and epochs else 0
        shares = [_cubic(i, n_ramp) for i in range(n_ramp)] + [1.0]
        for i, share in enumerate(shares):
            before = network
            network = self._with_zeros(network, given, share * self.amount)
            if network is not before:
                network = fine_tune(
                    network,
                    given,
                    # One epoch per intermediate amount, the rest for the final one.
                    epochs=1 if i < n_ramp else epochs - n_ramp,
                    learning_rate=self._rate(network),
                    of_epochs=epochs,
                    state=state,
                )
                state = fitted_of(network).optimizer_state
            yield network

    def _with_zeros(
        self, network: DeepEstimator, given: FitArguments, amount: float
    ) -> DeepEstimator:
        """A copy with a fraction of its connections pruned, also in later training."""
        weights = connections(network.module_)
        importance = {
            # Zero weights rank lowest, so that they stay zero.
            name: values.where(weights[name] != 0, -1.0)
            for name, values in IMPORTANCES[self.method](network, given).items()
        }
        kept = _strongest(importance, amount, self.scope)
        if all(bool(mask.all()) for mask in kept.values()):
            return network
        if fitted_of(network).weight_mask is not None:
            # Keep earlier zeros, also if this amount is smaller.
            kept = {name: mask * (weights[name] != 0) for name, mask in kept.items()}
        module = copy_module(network)
        with torch.no_grad():
            for name, mask in kept.items():
                module.get_parameter(name).mul_(mask)
        return with_module(network, module, weight_mask=kept)


def _cubic(epoch: int, n_ramp: int) -> float:
    """Fraction of the final amount that is pruned by this epoch of the ramp."""
    return 1 - (1 - (epoch + 1) / (n_ramp + 1)) ** 3


def _strongest(
    importance: dict[str, Tensor], amount: float, scope: str
) -> dict[str, Tensor]:
    """Mask per weight matrix: 1 for connections that stay."""
    groups = [list(importance)] if scope == "global" else [[n] for n in importance]
    kept = {}
    for names in groups:
        flat = torch.cat([_with_one_safe(importance[name]) for name in names])
        mask = torch.ones_like(flat)
        # A stable sort prunes the same ones of equal connections on every machine.
        n_pruned = min(round(amount * len(flat)), len(flat) - len(names))
        mask[flat.argsort(stable=True)[:n_pruned]] = 0
        sizes = [importance[name].numel() for name in names]
        for name, part in zip(names, mask.split(sizes), strict=True):
            kept[name] = part.view_as(importance[name])
    return kept


def _with_one_safe(importance: Tensor) -> Tensor:
    """Flatten, and protect the strongest connection: no layer may become all zero."""
    flat = importance.flatten().clone()
    flat[flat.argmax()] = torch.inf
    return flat


def _layer(name: str) -> str:
    return name.removesuffix(".weight")


def _sparsity(network: DeepEstimator) -> dict[str, float] | None:
    """Fraction of zeros in the weights of each layer, and in all weights."""
    weights = connections(network.module_)
    if isinstance(network.module_, QuantizedNetwork):
        return None
    zeros = {name: int((w == 0).sum()) for name, w in weights.items()}
    of_layers = {_layer(n): zeros[n] / w.numel() for n, w in weights.items()}
    n_all = sum(w.numel() for w in weights.values())
    return {**of_layers, "all": sum(zeros.values()) / max(1, n_all)}


DESCRIPTIONS["sparsity_"] = _sparsity
