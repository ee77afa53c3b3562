"""Networks with most of their connections set to zero."""

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
from sklearn_deep.estimators._base import DeepEstimator
from sklearn_deep.estimators._data import FitArguments
from sklearn_deep.nn._connections import connections
from sklearn_deep.nn._quantization import QuantizedNetwork

# Share of the fine-tuning over which a gradual schedule prunes. What is left needs the
# rest, and a learning rate that has not fallen yet: on digits, with 95 % of the
# connections pruned, an end at 0.6 lost up to 8 points, at 0.2 one.
_RAMP = 0.2


class Pruned(Compression):
    """Set the weakest connections of a network to zero.

    The network is trained as it is, its weakest weights become zero, and what is left is
    fine-tuned while they stay zero. They stay zero in all later training of the network
    too, by ``partial_fit``, a warm start or another compression; a fresh ``fit`` of
    ``estimator_`` builds a dense network. Biases, normalisation and embeddings are not
    pruned.
    A pruned network is as fast as before, and its file as long; but zipped, as many
    channels of distribution do, it is short. :class:`Sliced` makes networks smaller and
    faster by themselves.

    Parameters
    ----------
    estimator : estimator
        A network of sklearn_deep, another compression of one, or a FrozenEstimator
        around a fitted one.
    amount : float, default=0.8
        Share of the connections that are set to zero, in [0, 1). The strongest one of
        each layer always stays.
    method : {"lamp", "magnitude", "gradient", "random"}, default="lamp"
        Which are the weakest: those of the smallest square, as a share of the squares in
        their layer that are no smaller [4]_, so that small layers are not emptied; those
        of the smallest absolute value [1]_; those whose removal changes the loss least,
        by its gradient on the training rows, 8,192 of them at most [2]_; or any, as a
        baseline.
    scope : {"global", "layer"}, default="global"
        Whether connections compete over the whole network, or within their layer.
    schedule : {"one_shot", "gradual"}, default="gradual"
        Whether all are pruned at once before the fine-tuning, or more and more of them
        during its first epochs, by a cubic law [3]_.
    fine_tune_epochs : int, default=10
        Epochs of training after, or with "gradual" during, the pruning. They use the
        network's own optimizer, schedule, augmentation and early stopping.
    fine_tune_learning_rate : float or None, default=None
        Learning rate of the fine-tuning; None for the network's own.
    max_score_drop : float or None, default=None
        Largest allowed drop of the score; None allows any. The score is measured on
        ``X_val`` and ``y_val``, else on the rows held out for early stopping, else on the
        training rows.
    on_score_drop : {"raise", "fall_back"}, default="raise"
        What a larger drop does: raise ``ScoreDropError``, or fall back to the last network
        whose score is high enough. With ``schedule="gradual"`` this may be an earlier
        level of sparsity; otherwise it is the unpruned network.
    scoring : str, callable or None, default=None
        A scorer of scikit-learn; None for the network's own ``score``.
    prefit : bool, default=False
        Whether ``estimator`` is fitted already, and not to be trained from the start. A
        clone, as searches make them, has an unfitted one: freeze it there.

    Attributes
    ----------
    estimator_ : estimator
        The pruned network; its fitted attributes, ``classes_`` for one, are also here.
    sparsity_ : dict of str to float
        Share of zeros in the weights of each layer, and of all, as ``"all"``.
    score_drop_ : float
        Drop of the score; set if ``max_score_drop`` is not None.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where X had string column names.

    See Also
    --------
    Sliced : Removes whole units.

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
                    # Each amount has an epoch, the last and largest has the rest.
                    epochs=1 if i < n_ramp else epochs - n_ramp,
                    learning_rate=self._rate(network),
                    of_epochs=epochs,
                    state=state,
                )
                state = network._fitted.optimizer_state
            yield network

    def _with_zeros(
        self, network: DeepEstimator, given: FitArguments, amount: float
    ) -> DeepEstimator:
        """A copy with a share of its connections at zero, which later training keeps."""
        weights = connections(network.module_)
        importance = {
            # Behind all others, dead ones among them: what is zero stays so.
            name: values.where(weights[name] != 0, -1.0)
            for name, values in IMPORTANCES[self.method](network, given).items()
        }
        kept = _strongest(importance, amount, self.scope)
        if all(bool(mask.all()) for mask in kept.values()):
            return network
        if network._fitted.weight_mask is not None:
            # What was pruned before stays so, also where this amount is smaller.
            kept = {name: mask * (weights[name] != 0) for name, mask in kept.items()}
        module = network._copy_module(network.module_)
        with torch.no_grad():
            for name, mask in kept.items():
                module.get_parameter(name).mul_(mask)
        return with_module(network, module, weight_mask=kept)


def _cubic(epoch: int, n_ramp: int) -> float:
    """Share of the final amount that an epoch of the ramp prunes, from 0 to 1."""
    return 1 - (1 - (epoch + 1) / (n_ramp + 1)) ** 3


def _strongest(
    importance: dict[str, Tensor], amount: float, scope: str
) -> dict[str, Tensor]:
    """By weight: which of its connections stay."""
    groups = [list(importance)] if scope == "global" else [[n] for n in importance]
    kept = {}
    for names in groups:
        flat = torch.cat([_with_one_safe(importance[name]) for name in names])
        mask = torch.ones_like(flat)
        # A stable order: of equals, the same ones go on every machine.
        n_pruned = min(round(amount * len(flat)), len(flat) - len(names))
        mask[flat.argsort(stable=True)[:n_pruned]] = 0
        sizes = [importance[name].numel() for name in names]
        for name, part in zip(names, mask.split(sizes), strict=True):
            kept[name] = part.view_as(importance[name])
    return kept


def _with_one_safe(importance: Tensor) -> Tensor:
    """Flat; the strongest of a layer always stays, for something to go through."""
    flat = importance.flatten().clone()
    flat[flat.argmax()] = torch.inf
    return flat


def _layer(name: str) -> str:
    return name.removesuffix(".weight")


def _sparsity(network: DeepEstimator) -> dict[str, float] | None:
    """Share of zeros in the weights of each layer, and in all of them."""
    weights = connections(network.module_)
    if isinstance(network.module_, QuantizedNetwork):
        return None
    zeros = {name: int((w == 0).sum()) for name, w in weights.items()}
    of_layers = {_layer(n): zeros[n] / w.numel() for n, w in weights.items()}
    n_all = sum(w.numel() for w in weights.values())
    return {**of_layers, "all": sum(zeros.values()) / max(1, n_all)}


DESCRIPTIONS["sparsity_"] = _sparsity
