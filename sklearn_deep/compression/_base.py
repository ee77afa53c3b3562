"""Base class of the compressions: fit a network, compress it, delegate to it."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from numbers import Integral
from typing import Any, ClassVar

from sklearn import get_config
from sklearn.base import clone
from sklearn.metrics import get_scorer_names
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import (
    UNUSED,
    process_routing,
)
from sklearn.utils.validation import check_is_fitted

from sklearn_deep._params import (
    BOOLEAN,
    NONE,
    Number,
    OneOf,
    Rules,
    Satisfies,
    check_params,
)
from sklearn_deep._subclasses import TracksSubclasses
from sklearn_deep.compression._delegation import Delegating
from sklearn_deep.compression._fall import warn_of_fall
from sklearn_deep.compression._network import Scorer, make_fit_args, unwrap_frozen
from sklearn_deep.estimators.core._all_or_nothing import all_or_nothing
from sklearn_deep.estimators.core._base import DeepEstimator
from sklearn_deep.estimators.core._parts import FitArguments
from sklearn_deep.exceptions import ScoreDropError
from sklearn_deep.nn._quantization import QuantizedNetwork


def network_in(estimator: Any) -> Any:
    """Unwrap nested compressions and FrozenEstimators down to the network."""
    estimator = unwrap_frozen(estimator)
    if isinstance(estimator, Delegating):
        inside = vars(estimator).get("estimator_", estimator.estimator)
        return network_in(inside)
    return estimator


BASE_RULES: Rules = {
    "estimator": (
        Satisfies(
            lambda value: isinstance(network_in(value), DeepEstimator),
            "a network of sklearn_deep, a compression of one, or a FrozenEstimator"
            " around either (to compress inside a Pipeline or a search, put the"
            " compression there in place of the network)",
        ),
    ),
    "max_score_drop": (NONE, Number(low=0)),
    "on_score_drop": (OneOf("raise", "fall_back"),),
    "scoring": (
        NONE,
        Satisfies(callable, "a callable"),
        Satisfies(
            lambda value: isinstance(value, str) and value in get_scorer_names(),
            "the name of a scorer",
        ),
    ),
    "prefit": (BOOLEAN,),
}

FINE_TUNE_RULES: Rules = {
    "fine_tune_epochs": (Number(Integral, 0),),
    "fine_tune_learning_rate": (NONE, Number(low=0, open_low=True)),
}


# Functions that compute each describing attribute from the compressed network. They
# return None for a quantized network; the value from before quantization is then kept.
DESCRIPTIONS: dict[str, Callable[[DeepEstimator], Any]] = {}


class Compression(TracksSubclasses, Delegating, ABC):
    """Base class of the compressions. Each behaves like the estimator it wraps.

    A subclass defines ``__init__``, its parameter rules (including ``BASE_RULES``) and
    ``_levels``. ``estimator_`` is a copy of the fitted network with a smaller module.
    """

    _rules: ClassVar[Rules]

    # The attribute that describes the compressed network: a key of ``DESCRIPTIONS``.
    _describes: ClassVar[str]

    # Default learning rate of fine-tuning, as a fraction of the network's own.
    _fine_tune_share: ClassVar[float]

    # Only the wrapped network requests metadata.
    __metadata_request__fit: ClassVar = dict.fromkeys(
        ("sample_weight", "X_val", "y_val", "sample_weight_val"), UNUSED
    )

    max_score_drop: float | None
    on_score_drop: str
    scoring: Any
    prefit: bool
    fine_tune_learning_rate: float | None

    # Hooks of subclasses.

    @abstractmethod
    def _levels(
        self, network: DeepEstimator, given: FitArguments
    ) -> Iterator[DeepEstimator]:
        """Yield ever smaller copies of the fitted network, down to the requested size.

        Parameters
        ----------
        network : DeepEstimator
            Fitted; must not be modified. ``with_module`` makes a copy with another
            module.
        given : FitArguments
            Arguments of ``fit`` as the user passed them; ``rows_of`` encodes the rows.
        """

    def _rate(self, network: DeepEstimator) -> float:
        """Learning rate of the fine-tuning."""
        if self.fine_tune_learning_rate is not None:
            return self.fine_tune_learning_rate
        return self._fine_tune_share * float(network.learning_rate_)

    def _advice(self) -> str | None:
        """Advice for the warning about a drop of the score; None for no warning."""
        return None

    # fit

    def fit(
        self,
        X,
        y=None,
        sample_weight=None,
        X_val=None,
        y_val=None,
        sample_weight_val=None,
        **params,
    ):
        """Train the network, unless it is already trained, and compress it.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training features, as the network takes them.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Targets, if the network needs them.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.
        X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
            Validation features, for early stopping and ``max_score_drop``.
        y_val : array-like of shape (n_val,) or (n_val, n_outputs), default=None
            Validation targets.
        sample_weight_val : array-like of shape (n_val,), default=None
            Validation weights.
        **params : dict
            Further arguments of the network's ``fit``, such as ``lengths``. With
            metadata routing enabled, the network must request each of them.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        InvalidParameterError
            If a parameter is invalid; for example, ``estimator`` is not a network of
            sklearn_deep.
        ValueError
            If the network is already quantized, or cannot be compressed this way.
        NotFittedError
            If ``prefit=True`` and the network is not fitted.
        ScoreDropError
            If the score drops by more than ``max_score_drop`` and ``on_score_drop`` is
            "raise".
        """
        named = {
            "sample_weight": sample_weight,
            "X_val": X_val,
            "y_val": y_val,
            "sample_weight_val": sample_weight_val,
        }
        passed = {k: v for k, v in named.items() if v is not None} | params
        with all_or_nothing(self):
            check_params(self, self._rules)
            if get_config()["enable_metadata_routing"]:
                passed = dict(process_routing(self, "fit", **passed).estimator.fit)
            trained = self._trained(X, y, passed)
            network = network_in(trained)
            if isinstance(network, Pipeline):
                raise ValueError(
                    f"{type(self).__name__} cannot compress a network behind the"
                    " transformers of its pretrained Pipeline. Transform X before, and"
                    " pass the last step of the Pipeline as pretrained."
                )
            if isinstance(network.module_, QuantizedNetwork):
                raise ValueError(
                    f"{type(self).__name__} got a quantized {type(network).__name__}:"
                    " its integer weights cannot be compressed or trained further."
                    " Quantize last, as in Quantized(Sliced(...))."
                )
            given = make_fit_args(network, X, y, **passed)
            for name in ("score_drop_", *DESCRIPTIONS):  # left by an earlier fit
                self.__dict__.pop(name, None)
            # A copy also if nothing was compressed: ``estimator`` stays separate.
            self.estimator_ = copy.copy(self._compressed(network, given))
            self.__dict__.update(self._descriptions(trained))
        return self

    def _trained(self, X: Any, y: Any, passed: dict[str, Any]) -> Any:
        """The fitted ``estimator``: a network or a compression of one."""
        estimator = unwrap_frozen(self.estimator)
        if self.prefit or estimator is not self.estimator:
            check_is_fitted(estimator)
        else:
            estimator = clone(estimator).fit(X, y, **passed)
        return estimator

    def _descriptions(self, trained: Any) -> dict[str, Any]:
        """Describing attributes of this compression and of nested ones, recomputed."""
        before = {k: v for k, v in vars(trained).items() if k in DESCRIPTIONS}
        now = {k: DESCRIPTIONS[k](self.estimator_) for k in {*before, self._describes}}
        return {k: before.get(k) if v is None else v for k, v in now.items()}

    def _compressed(self, network: DeepEstimator, given: FitArguments) -> DeepEstimator:
        """The last level, or the last one whose score is within the allowed drop."""
        if self.max_score_drop is None:
            *_, last = self._levels(network, given)
            if (advice := self._advice()) is not None:
                warn_of_fall(type(self).__name__, network, last, given, advice)
            return last
        scorer = Scorer(network, given, self.scoring)
        before = scorer(network)
        good, self.score_drop_ = network, 0.0
        for level in self._levels(network, given):
            drop = before - scorer(level)
            if drop > self.max_score_drop:
                if self.on_score_drop == "raise":
                    raise ScoreDropError(
                        type(self).__name__, before, before - drop, self.max_score_drop
                    )
                break
            good, self.score_drop_ = level, drop
        return good
