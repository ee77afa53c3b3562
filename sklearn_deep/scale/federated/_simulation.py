"""What the simulated trainings by many owners have in common: parameters and ``fit``."""

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from sklearn import get_config
from sklearn.utils import _safe_indexing, indexable
from sklearn.utils.metadata_routing import process_routing

from sklearn_deep._arguments import names_unknown_arguments
from sklearn_deep._params import (
    BOOLEAN,
    MAPPING,
    NONE,
    SEED,
    Number,
    OneOf,
    Rules,
    check_params,
    merge_named,
)
from sklearn_deep._subclasses import TracksSubclasses
from sklearn_deep.compression._delegation import Delegating
from sklearn_deep.data._weights import check_sample_weight
from sklearn_deep.estimators.core._all_or_nothing import all_or_nothing
from sklearn_deep.estimators.core._fit import check_rows, check_targets
from sklearn_deep.estimators.core._layers import as_frame
from sklearn_deep.estimators.core._parts import FitArguments
from sklearn_deep.scale.federated._owners import by_groups, drawn
from sklearn_deep.scale.federated._plan import Plan
from sklearn_deep.scale.federated._session import OwnedRows, Sampling, trained_together
from sklearn_deep.scale.federated._strategies import STRATEGIES
from sklearn_deep.scale.federated._supported import check_network, network_of
from sklearn_deep.scale.federated._transformers import check_head, head_of
from sklearn_deep.training.job._seeds import draw_seed
from sklearn_deep.training.job._stopping import StoppingSpec

_SHARE = Number(low=0, high=1, open_high=True)
_COUNT = Number(Integral, 1)


class Federated(TracksSubclasses, Delegating):
    """What the classifier and the regressor have in common."""

    _networks: ClassVar[tuple[type, ...]]

    training_rules: ClassVar[Rules] = {
        "strategy": (OneOf(*STRATEGIES),),
        "strategy_params": (NONE, MAPPING),
        "rounds": (_COUNT,),
        "local_epochs": (_COUNT,),
        "clients": (_COUNT,),
        "concentration": (NONE, Number(low=0, open_low=True)),
        "fraction": (Number(low=0, high=1, open_low=True),),
        "drop_out": (_SHARE,),
        "stragglers": (Number(low=0, high=1),),
        "batch_norm": (OneOf("averaged", "local"),),
        "early_stopping": (BOOLEAN,),
        "validation_fraction": (Number(low=0, high=1, open_low=True, open_high=True),),
        "n_iter_no_change": (_COUNT,),
        "random_state": SEED,
        "verbose": (Number(Integral, 0), BOOLEAN),
    }
    _rules: ClassVar[Rules]

    best_round_: int
    owner_estimators_: dict[Any, Any]
    _history: list[dict[str, Any]]

    @names_unknown_arguments
    def __init__(
        self,
        estimator,
        *,
        strategy="FedAvg",
        strategy_params=None,
        rounds=10,
        local_epochs=1,
        clients=10,
        concentration=None,
        fraction=1.0,
        drop_out=0.0,
        stragglers=0.0,
        batch_norm="averaged",
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=5,
        random_state=None,
        verbose=0,
    ):
        self.estimator = estimator
        self.strategy = strategy
        self.strategy_params = strategy_params
        self.rounds = rounds
        self.local_epochs = local_epochs
        self.clients = clients
        self.concentration = concentration
        self.fraction = fraction
        self.drop_out = drop_out
        self.stragglers = stragglers
        self.batch_norm = batch_norm
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X, y, groups=None, **params):
        """Let owners train one network, who are simulated in this process.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows of all owners, as the first step takes them.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        groups : array-like of shape (n_samples,), default=None
            The owner of each row: numbers or strings. None draws ``clients`` owners. In a
            search with metadata routing, request it by ``set_fit_request(groups=True)``.
        **params : dict
            ``sample_weight`` of shape (n_samples,): non-negative weights of rows; an
            owner weighs as much as its rows do. With metadata routing enabled, the
            network must request it.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        InvalidParameterError
            For a parameter that is not allowed.
        FederatedError
            If a transformer cannot be fitted without the rows of all owners.
        ValueError
            For input that cannot be used.
        TrainingDivergedError
            If the loss or a weight of an owner's network is no longer finite.
        """
        with all_or_nothing(self):
            check_params(self, self._rules)
            self._fit(X, y, groups, self._weight(params))
        return self

    def _weight(self, params: dict[str, Any]) -> Any:
        """The ``sample_weight`` among the arguments of ``fit``."""
        if get_config()["enable_metadata_routing"]:
            routed = dict(process_routing(self, "fit", **params).estimator.fit)
            return routed.get("sample_weight")
        if unknown := sorted(set(params) - {"sample_weight"}):
            raise TypeError(
                f"{type(self).__name__}.fit() got an unexpected keyword argument"
                f" {unknown[0]!r}: it takes X, y, groups and sample_weight."
            )
        return params.get("sample_weight")

    def _fit(self, X: Any, y: Any, groups: Any, weight: Any) -> None:
        owner, network = type(self).__name__, network_of(self.estimator)
        row = STRATEGIES[self.strategy]
        given = merge_named(
            owner, "strategy_params", self.strategy_params, row.rules, row.defaults
        )
        check_head(head_of(self.estimator))
        check_params(network, network._rules)
        check_network(owner, network)
        y, labels = check_targets(network, y)
        if head_of(self.estimator) is None:
            check_rows(network, FitArguments(X, y, weight))
        seed = draw_seed(self.random_state)
        outcome = trained_together(
            self.estimator,
            self._owners(X, y, groups, weight, seed),
            labels,
            self.strategy,
            given,
            self._plan(seed, given),
            Sampling(self.fraction, self.drop_out, self.stragglers),
            self._stopping(),
            int(self.verbose),
        )
        self.estimator_, self.best_round_ = outcome.estimator, outcome.best_round
        self._history = outcome.history
        self.owner_estimators_ = outcome.of_owners

    def _owners(
        self, X: Any, y: Any, groups: Any, weight: Any, seed: int
    ) -> dict[Any, OwnedRows]:
        """Rows of each owner; those of weight zero count as removed."""
        X, y = indexable(X, y)
        if not len(y):
            raise ValueError(
                f"X of {type(self).__name__} has 0 samples; 1 is required."
            )
        if not (hasattr(X, "columns") or sp.issparse(X)):
            X = np.asarray(X)
        weight = check_sample_weight(weight, len(y))
        kept = np.arange(len(y)) if weight is None else np.flatnonzero(weight)
        if groups is None:
            n = self.clients
            places = drawn(len(kept), n, self.concentration, y[kept], seed)
            places = {label: kept[own] for label, own in places.items()}
        else:
            places = by_groups(groups, len(y))
            places = {label: own[np.isin(own, kept)] for label, own in places.items()}
        return {
            label: OwnedRows(
                _safe_indexing(X, own), y[own], None if weight is None else weight[own]
            )
            for label, own in places.items()
            if len(own)
        }

    def _plan(self, seed: int, params: dict[str, Any]) -> Plan:
        return Plan(
            seed,
            self.rounds,
            self.local_epochs,
            float(params.get("proximal_mu", 0.0)),
            self.batch_norm == "local",
            self.validation_fraction if self.early_stopping else 0.0,
        )

    def _stopping(self) -> StoppingSpec:
        stops = bool(self.early_stopping)
        patience = self.n_iter_no_change if stops else None
        return StoppingSpec(
            self.rounds, patience, restore_best=stops, on_validation=stops
        )

    @property
    def history_(self):
        """One row per round: a DataFrame where pandas is installed, else a list of dicts."""
        if "_history" not in vars(self):
            raise AttributeError(
                f"{type(self).__name__} has no history_ before it is fitted."
            )
        return as_frame(self._history)

    def get_metadata_routing(self):
        """Get the metadata routing.

        Returns
        -------
        routing : MetadataRouter
            Routes ``groups`` to this object and all else to the estimator.
        """
        return super().get_metadata_routing().add_self_request(self)
