"""Structured pruning: networks with fewer units, channels or recurrent units."""

import time
from collections.abc import Callable, Iterator
from numbers import Integral
from typing import Any

import torch
from torch import Tensor

from sklearn_deep._arguments import names_unknown_arguments
from sklearn_deep._params import NONE, Number, OneOf
from sklearn_deep.compression._base import (
    BASE_RULES,
    DESCRIPTIONS,
    FINE_TUNE_RULES,
    Compression,
)
from sklearn_deep.compression._network import (
    fine_tune,
    rows_of,
    split_rows,
    with_module,
)
from sklearn_deep.compression._units import Group
from sklearn_deep.compression._weighing import fold_means, importance, measure
from sklearn_deep.compression._widths import WIDTH_ARGUMENTS, Width, Widths
from sklearn_deep.estimators.core._base import DeepEstimator
from sklearn_deep.estimators.core._fitted import fitted_of
from sklearn_deep.estimators.core._parts import FitArguments
from sklearn_deep.estimators.core._state import fill_module
from sklearn_deep.training.loop._forward import raw_outputs

# Rows of a latency measurement, and its repeats.
_LATENCY_ROWS, _LATENCY_REPEATS = 1024, 5

# Bisection steps for the fraction to keep: exact counts, and noisy measurements.
_COUNTED, _MEASURED = 40, 10

Counts = dict[Width, int]


class Sliced(Compression):
    """Remove whole units of a network (structured pruning).

    The network is trained, its least important units, channels or recurrent units are
    removed, and the smaller network is fine-tuned. It is smaller and faster on any
    hardware: its module is of the same class, with narrower layers.

    The importance of a unit is the standard deviation of its activation times the norm
    of its outgoing weights [1]_. The mean activation of removed units is added to the
    biases of the next layer. Units that a residual connection adds up are removed
    together. Inputs, outputs, codes of autoencoders and embeddings keep their widths. The
    networks of an ensemble keep the same number of units, each its own ones.

    Parameters
    ----------
    estimator : estimator
        A network of sklearn_deep (but not of a user's module, as in ModuleClassifier),
        another compression of one, or a FrozenEstimator around a fitted one.
    keep : float, default=0.5
        Fraction of the units to keep, in (0, 1].
    scope : {"layer", "global"}, default="layer"
        Whether each layer keeps this fraction, or units are ranked over the whole
        network.
    rounds : int, default=1
        Number of rounds of removal, each followed by fine-tuning.
    fine_tune_epochs : int, default=10
        Number of epochs of training after each round, with the network's own optimizer,
        schedule, augmentation and early stopping.
    fine_tune_learning_rate : float or None, default=None
        Learning rate of the fine-tuning; None for the network's own.
    max_params : int or None, default=None
        Largest number of parameters; ``keep`` is then ignored.
    max_latency : float or None, default=None
        Largest time per row in seconds, measured on this machine for 1,024 rows at
        once; ``keep`` is then ignored. Measurements, and so the widths, vary a little
        between runs.
    max_score_drop : float or None, default=None
        Largest allowed drop of the score; None allows any. The score is measured on
        ``X_val`` and ``y_val``, else on the rows held out for early stopping, else on
        the training rows.
    on_score_drop : {"raise", "fall_back"}, default="raise"
        What a larger drop does: raise ``ScoreDropError``, or fall back to the network
        of the last round whose score is high enough.
    scoring : str, callable or None, default=None
        Scorer that measures the drop; None for the network's own ``score``.
    prefit : bool, default=False
        Whether ``estimator`` is already fitted and is only compressed, not trained
        first. ``clone`` and searches drop what was fitted: wrap the estimator in a
        ``FrozenEstimator`` for them.

    Attributes
    ----------
    estimator_ : estimator
        The smaller network, with its widths as parameters; its fitted attributes, such
        as ``classes_``, are also attributes of this estimator.
    architecture_ : dict of str to int or list of int
        Widths of the layers, by the parameter that sets them.
    score_drop_ : float
        Drop of the score; set if ``max_score_drop`` is not None.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if the column names of X are strings.

    See Also
    --------
    Pruned : Set single connections to zero.

    References
    ----------
    .. [1] An et al., "Fluctuation-based adaptive structured pruning for large language
           models", arXiv:2312.11983.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_deep import MLPClassifier, Sliced
    >>> X, y = load_digits(return_X_y=True)
    >>> net = MLPClassifier((64, 64), max_epochs=10, random_state=0)
    >>> small = Sliced(net, keep=0.5).fit(X[:1000] / 16, y[:1000])
    >>> small.architecture_
    {'hidden_layer_sizes': [32, 32]}
    >>> bool(small.score(X[1000:] / 16, y[1000:]) > 0.9)
    True
    """

    _rules = {
        **BASE_RULES,
        **FINE_TUNE_RULES,
        "keep": (Number(low=0, high=1, open_low=True),),
        "scope": (OneOf("layer", "global"),),
        "rounds": (Number(Integral, 1),),
        "max_params": (NONE, Number(Integral, 1)),
        "max_latency": (NONE, Number(low=0, open_low=True)),
    }

    _describes = "architecture_"
    _fine_tune_share = 1.0

    @names_unknown_arguments
    def __init__(
        self,
        estimator,
        keep=0.5,
        *,
        scope="layer",
        rounds=1,
        fine_tune_epochs=10,
        fine_tune_learning_rate=None,
        max_params=None,
        max_latency=None,
        max_score_drop=None,
        on_score_drop="raise",
        scoring=None,
        prefit=False,
    ):
        self.estimator = estimator
        self.keep = keep
        self.scope = scope
        self.rounds = rounds
        self.fine_tune_epochs = fine_tune_epochs
        self.fine_tune_learning_rate = fine_tune_learning_rate
        self.max_params = max_params
        self.max_latency = max_latency
        self.max_score_drop = max_score_drop
        self.on_score_drop = on_score_drop
        self.scoring = scoring
        self.prefit = prefit

    def _levels(
        self, network: DeepEstimator, given: FitArguments
    ) -> Iterator[DeepEstimator]:
        if type(network.module_) not in WIDTH_ARGUMENTS:
            raise TypeError(
                f"{type(self).__name__} cannot rebuild the module of"
                f" {type(network).__name__} with fewer units; it supports"
                f" {', '.join(cls.__name__ for cls in WIDTH_ARGUMENTS)}. Pruned takes any"
                " network."
            )
        start = _Slicing(self, network, given)
        share = start.share()
        for i in range(1, self.rounds + 1):
            slicing = _Slicing(self, network, given, start.sizes)
            last = i == self.rounds and i > 1
            counts = slicing.counts(
                slicing.share() if last else share ** (i / self.rounds)
            )
            smaller = slicing.sliced(counts)
            if smaller is not network:
                network = fine_tune(
                    smaller,
                    given,
                    epochs=self.fine_tune_epochs,
                    learning_rate=self._rate(network),
                )
            yield network


class _Slicing:
    """One round: the importance of the units, and the network without some of them.

    Parameters
    ----------
    owner : Sliced
    network : DeepEstimator
    given : FitArguments
    sizes : dict of str to int or None
        Widths by name that ``keep`` is a fraction of; None for those of this network.
    """

    def __init__(
        self,
        owner: Sliced,
        network: DeepEstimator,
        given: FitArguments,
        sizes: dict[str, int] | None = None,
    ):
        self._owner, self._network, self._given = owner, network, given
        self._widths = Widths(network)
        if not self._widths.prunable:
            raise ValueError(
                f"{type(owner).__name__}: this {type(network).__name__} has no hidden"
                " units that could be removed."
            )
        self.sizes = sizes or {
            width.name: width.size for width in self._widths.prunable
        }
        module = network.module_
        self._moments = measure(module, self._widths.units, rows_of(network, given))
        self._importance = importance(module.state_dict(), self._moments)

    def share(self) -> float:
        """Fraction of the units to keep: ``keep``, or the largest within budget."""
        owner = self._owner
        shares = [] if self._has_budget else [owner.keep]
        if owner.max_params is not None:
            shares.append(
                self._largest("max_params", self._n_params, owner.max_params, _COUNTED)
            )
        if owner.max_latency is not None:
            shares.append(
                self._largest(
                    "max_latency", self._timer(), owner.max_latency, _MEASURED
                )
            )
        return min(shares)

    @property
    def _has_budget(self) -> bool:
        owner = self._owner
        return not (owner.max_params is None and owner.max_latency is None)

    def counts(self, share: float) -> Counts:
        """Number of units that each layer keeps."""
        owner = self._owner
        if self._has_budget:
            return self._at_least_one(share)
        counts = self._counts(share)
        for width, count in counts.items():
            if count < 1:
                raise ValueError(
                    f"{type(owner).__name__} with keep={owner.keep:g} and"
                    f" scope={owner.scope!r} would leave none of the"
                    f" {self.sizes[width.name]} units of {width.name!r}. Raise keep"
                    + ("." if owner.scope == "layer" else ", or set scope='layer'.")
                )
        return self._widths.feasible(counts)

    def sliced(self, counts: Counts) -> DeepEstimator:
        """Copy with ``counts`` units per width; the network itself if all stay."""
        if all(width.size == count for width, count in counts.items()):
            return self._network
        kept: dict[Group, Tensor] = {
            root: _largest_of(self._importance[root], count)
            for width, count in counts.items()
            for root in width.roots
        }
        values = {k: v.clone() for k, v in self._network.module_.state_dict().items()}
        fold_means(values, self._moments, kept)
        module = self._widths.on_meta(counts)
        fill_module(module, self._widths.selected(values, kept))
        arguments = self._widths.built_as(counts)
        params = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in arguments.items()
        }
        architecture = {**fitted_of(self._network).architecture, **arguments}
        return with_module(self._network, module, params, architecture=architecture)

    def _counts(self, share: float) -> Counts:
        prunable = self._widths.prunable
        if self._owner.scope == "layer":
            return {w: _rounded(share * self.sizes[w.name], w.size) for w in prunable}
        # Rank units by importance divided by their layer's mean. Groups tied to one
        # width are ranked jointly: their r-th best units are kept or dropped together.
        ranks = [self._ranked(width) for width in prunable]
        total = _rounded(
            share * sum(self.sizes.values()), sum(w.size for w in prunable)
        )
        owners = torch.cat([torch.full((w.size,), i) for i, w in enumerate(prunable)])
        best = torch.cat(ranks).argsort(descending=True, stable=True)[:total]
        n_kept = owners[best].bincount(minlength=len(prunable)).tolist()
        return dict(zip(prunable, n_kept, strict=True))

    def _ranked(self, width: Width) -> Tensor:
        values = torch.zeros(width.size, dtype=torch.float64)
        for root in width.roots:
            of_units = self._importance[root].cpu()
            scale = of_units.mean().clamp_min(torch.finfo(of_units.dtype).tiny)
            values += (of_units / scale).sort(descending=True).values
        return values / len(width.roots)

    def _at_least_one(self, share: float) -> Counts:
        return self._widths.feasible(
            {width: max(1, count) for width, count in self._counts(share).items()}
        )

    def _largest(
        self, name: str, cost: Callable[[Counts], float], budget: float, steps: int
    ) -> float:
        """The largest fraction whose network is within the budget, by bisection."""
        if cost(self._at_least_one(1.0)) <= budget:
            return 1.0
        low, high = 0.0, 1.0
        fits = False
        for _ in range(steps):
            middle = (low + high) / 2
            if cost(self._at_least_one(middle)) <= budget:
                low, fits = middle, True
            else:
                high = middle
        least = 0.0 if fits else cost(self._at_least_one(0.0))
        if least > budget:
            raise ValueError(
                f"{type(self._owner).__name__}: with one unit per layer the network of"
                f" {type(self._network).__name__} still costs {least:.4g}, more than"
                f" {name}={budget:g}. Raise {name}, or use fewer layers."
            )
        return low

    def _n_params(self, counts: Counts) -> float:
        return sum(p.numel() for p in self._widths.on_meta(counts).parameters())

    def _timer(self) -> Callable[[Counts], float]:
        whole, _ = split_rows(self._network, self._given)
        X = whole.features()[:_LATENCY_ROWS]

        def seconds(counts: Counts) -> float:
            module = self.sliced(counts).module_
            raw_outputs(module, X)
            times = []
            for _ in range(_LATENCY_REPEATS):
                start = time.perf_counter()
                raw_outputs(module, X)
                times.append(time.perf_counter() - start)
            return min(times) / X.shape[0]

        return seconds


def _rounded(number: float, most: int) -> int:
    """Round half up, to at most ``most``."""
    return min(most, int(number + 0.5))


def _largest_of(importance: Tensor, count: int) -> Tensor:
    """Sorted indices of the ``count`` largest values; ties go to the first."""
    order = importance.cpu().argsort(descending=True, stable=True)
    return order[:count].sort().values


def _architecture(network: DeepEstimator) -> dict[str, Any] | None:
    """Widths of the layers, by the parameters that set them."""
    if type(network.module_) not in WIDTH_ARGUMENTS:
        return None
    widths = Widths(network)
    return widths.built_as({width: width.size for width in widths.prunable})


DESCRIPTIONS["architecture_"] = _architecture
