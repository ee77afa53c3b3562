"""Estimators that train one network from the rows of many owners, in this process."""

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from sklearn import get_config
from sklearn.utils import _safe_indexing, indexable
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)

from sklearn_deep._arguments import names_unknown_arguments
from sklearn_deep._params import (
    BOOLEAN,
    MAPPING,
    NONE,
    SEED,
    Number,
    OneOf,
    Rules,
    Satisfies,
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
from sklearn_deep.scale.federated._supported import (
    CLASSIFIERS,
    REGRESSORS,
    check_network,
    network_of,
)
from sklearn_deep.scale.federated._transformers import check_head, head_of
from sklearn_deep.training.job._seeds import draw_seed
from sklearn_deep.training.job._stopping import StoppingSpec

_SHARE = Number(low=0, high=1, open_high=True)
_COUNT = Number(Integral, 1)

# Methods whose metadata goes to the fitted network.
_PREDICTS = (
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
    "score",
)


class _Federated(TracksSubclasses, Delegating):
    """What the classifier and the regressor have in common."""

    _networks: ClassVar[tuple[type, ...]]

    _training_rules: ClassVar[Rules] = {
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
        mapping = MethodMapping()
        for method in ("fit", *_PREDICTS):
            mapping.add(caller=method, callee=method)
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(estimator=self.estimator, method_mapping=mapping)
        )


def _ends_in(networks: tuple[type, ...], nouns: str) -> Satisfies:
    return Satisfies(
        lambda value: (
            isinstance(network_of(value), networks)
            if not isinstance(value, type)
            else False
        ),
        f"{nouns}, or a Pipeline that ends in one",
    )


class FederatedClassifier(_Federated):
    """A classifier from the rows of many owners, who are simulated in this process.

    In each round, owners train copies of one network on their own rows, and the server
    averages them. Tune here, for instance ``strategy_params`` in a GridSearchCV; owners on
    machines of their own run :func:`client_app` and :func:`server_app`.

    Parameters
    ----------
    estimator : estimator or Pipeline
        An MLP-, CNN-, RNN- or ModuleClassifier, or a Pipeline that ends in one. Its transformers are
        fitted by statistics of the owners: StandardScaler, MinMaxScaler, MaxAbsScaler,
        SimpleImputer, OneHotEncoder, OrdinalEncoder, a ColumnTransformer of these in
        front, and those that learn nothing. ``max_epochs``, ``early_stopping`` and
        ``time_limit`` of the network have no effect; its schedule stretches over
        ``rounds * local_epochs`` epochs.
    strategy : {"FedAvg", "FedProx", "FedAvgM", "FedAdam", "FedYogi", "FedAdagrad"}, \
            default="FedAvg"
        How the server makes a network of those of a round: their mean, weighted by rows
        [1]_; the same, with a pull of each owner's weights to those it got [2]_; with
        momentum [3]_, or adaptive steps, of the server [4]_.
    strategy_params : dict, default=None
        Parameters of the strategy, under Flower's names: ``proximal_mu`` (0.01) of
        FedProx; ``server_learning_rate`` (1) and ``server_momentum`` (0.9) of FedAvgM;
        ``eta``, ``beta_1``, ``beta_2`` and ``tau`` of the adaptive ones.
    rounds : int, default=10
        Number of rounds.
    local_epochs : int, default=1
        Epochs that an owner trains in a round, with a fresh optimizer.
    clients : int, default=10
        Owners that are drawn where ``fit`` gets no ``groups``; at most one per row.
    concentration : float, default=None
        How the drawn owners differ: each label's rows are divided by a Dirichlet
        distribution of this concentration (0.2 gives most owners few of the labels); of
        numbers, each tenth. None divides all rows evenly.
    fraction : float, default=1.0
        Share of the owners that take part in a round, in (0, 1]; at least one does.
    drop_out : float, default=0.0
        Probability, in [0, 1), that an owner's answer of a round is lost.
    stragglers : float, default=0.0
        Probability, in [0, 1], that an owner finishes only some of its ``local_epochs``.
    batch_norm : {"averaged", "local"}, default="averaged"
        Whether batch normalisation is averaged like all else, or stays with each owner
        [5]_. With "local" ``owner_estimators_`` has the networks of the owners;
        ``estimator_`` has the mean.
    early_stopping : bool, default=False
        Whether each owner holds rows out: rounds end when their loss does, and the best
        round is kept.
    validation_fraction : float, default=0.1
        Share of each owner's rows that it holds out for ``early_stopping``.
    n_iter_no_change : int, default=5
        Rounds without a lower loss before ``early_stopping`` ends the training.
    random_state : int, RandomState or None, default=None
        Seed of the owners that are drawn, of those that take part in a round, of batches
        and dropout, and of the initial weights where the network has no seed. The same
        seed gives the same network, whatever owners are called.
    verbose : int, default=0
        Whether to print a line per round.

    Attributes
    ----------
    estimator_ : estimator or Pipeline
        The fitted network behind its fitted transformers: it can be saved, exported or
        compressed like any other.
    history_ : DataFrame, or list of dict without pandas
        One row per round: ``train_loss`` (mean of the owners in their last epoch),
        ``loss`` and ``score`` (accuracy) of the server's network on the rows of all
        owners (held out with ``early_stopping``), ``owners`` whose answer came,
        ``bytes_down`` and ``bytes_up`` in all, and ``seconds`` since the start.
    best_round_ : int
        Round, from 1, whose network is kept.
    owner_estimators_ : dict
        With ``batch_norm="local"``: the estimator of each owner.
    classes_ : ndarray of shape (n_classes,)
        Labels of all owners.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if the column names of X are strings.

    See Also
    --------
    FederatedRegressor : The same for numbers.

    Notes
    -----
    Owners agree before they train, by statistics only: columns, counts, means and
    variances, extremes, categories and labels. Then they send weights. What weights, extremes
    and rare categories may tell of a row, differential privacy and secure aggregation are in
    the user guide.

    Networks of owners are trained as a stack where they can be
    (:doc:`/user_guide/stacking`).

    References
    ----------
    .. [1] McMahan et al., "Communication-efficient learning of deep networks from
           decentralized data", arXiv:1602.05629.
    .. [2] Li et al., "Federated optimization in heterogeneous networks",
           arXiv:1812.06127.
    .. [3] Hsu et al., "Measuring the effects of non-identical data distribution for
           federated visual classification", arXiv:1909.06335.
    .. [4] Reddi et al., "Adaptive federated optimization", arXiv:2003.00295.
    .. [5] Li et al., "FedBN: federated learning on non-IID features via local batch
           normalization", arXiv:2102.07623.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_deep import FederatedClassifier, MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> owner = ["north", "south", "west"] * 50
    >>> pipe = make_pipeline(StandardScaler(), MLPClassifier(learning_rate=0.01))
    >>> model = FederatedClassifier(pipe, rounds=15, random_state=0)
    >>> model = model.fit(X, y, groups=owner)
    >>> model.score(X, y) > 0.9
    True
    >>> model.estimator_[0].n_samples_seen_
    150
    """

    _rules: ClassVar[Rules] = {
        "estimator": (
            _ends_in(CLASSIFIERS, "an MLP-, CNN-, RNN- or ModuleClassifier"),
        ),
        **_Federated._training_rules,
    }


class FederatedRegressor(_Federated):
    """A regressor from the rows of many owners, who are simulated in this process.

    In each round, owners train copies of one network on their own rows, and the server
    averages them. Owners on machines of their own run :func:`client_app` and
    :func:`server_app`.

    Parameters
    ----------
    estimator : estimator or Pipeline
        An MLP-, CNN-, RNN- or ModuleRegressor, or a Pipeline that ends in one. Its transformers are
        fitted by statistics of the owners: StandardScaler, MinMaxScaler, MaxAbsScaler,
        SimpleImputer, OneHotEncoder, OrdinalEncoder, a ColumnTransformer of these in
        front, and those that learn nothing. ``max_epochs``, ``early_stopping`` and
        ``time_limit`` of the network have no effect; its schedule stretches over
        ``rounds * local_epochs`` epochs.
    strategy : {"FedAvg", "FedProx", "FedAvgM", "FedAdam", "FedYogi", "FedAdagrad"}, \
            default="FedAvg"
        How the server makes a network of those of a round: their mean, weighted by rows
        [1]_; the same, with a pull of each owner's weights to those it got [2]_; with
        momentum [3]_, or adaptive steps, of the server [4]_.
    strategy_params : dict, default=None
        Parameters of the strategy, under Flower's names: ``proximal_mu`` (0.01) of
        FedProx; ``server_learning_rate`` (1) and ``server_momentum`` (0.9) of FedAvgM;
        ``eta``, ``beta_1``, ``beta_2`` and ``tau`` of the adaptive ones.
    rounds : int, default=10
        Number of rounds.
    local_epochs : int, default=1
        Epochs that an owner trains in a round, with a fresh optimizer.
    clients : int, default=10
        Owners that are drawn where ``fit`` gets no ``groups``; at most one per row.
    concentration : float, default=None
        How the drawn owners differ: each label's rows are divided by a Dirichlet
        distribution of this concentration (0.2 gives most owners few of the labels); of
        numbers, each tenth. None divides all rows evenly.
    fraction : float, default=1.0
        Share of the owners that take part in a round, in (0, 1]; at least one does.
    drop_out : float, default=0.0
        Probability, in [0, 1), that an owner's answer of a round is lost.
    stragglers : float, default=0.0
        Probability, in [0, 1], that an owner finishes only some of its ``local_epochs``.
    batch_norm : {"averaged", "local"}, default="averaged"
        Whether batch normalisation is averaged like all else, or stays with each owner
        [5]_. With "local" ``owner_estimators_`` has the networks of the owners;
        ``estimator_`` has the mean.
    early_stopping : bool, default=False
        Whether each owner holds rows out: rounds end when their loss does, and the best
        round is kept.
    validation_fraction : float, default=0.1
        Share of each owner's rows that it holds out for ``early_stopping``.
    n_iter_no_change : int, default=5
        Rounds without a lower loss before ``early_stopping`` ends the training.
    random_state : int, RandomState or None, default=None
        Seed of the owners that are drawn, of those that take part in a round, of batches
        and dropout, and of the initial weights where the network has no seed. The same
        seed gives the same network, whatever owners are called.
    verbose : int, default=0
        Whether to print a line per round.

    Attributes
    ----------
    estimator_ : estimator or Pipeline
        The fitted network behind its fitted transformers: it can be saved, exported or
        compressed like any other.
    history_ : DataFrame, or list of dict without pandas
        One row per round: ``train_loss`` (mean of the owners in their last epoch),
        ``loss`` and ``score`` (R^2) of the server's network on the rows of all
        owners (held out with ``early_stopping``), ``owners`` whose answer came,
        ``bytes_down`` and ``bytes_up`` in all, and ``seconds`` since the start.
    best_round_ : int
        Round, from 1, whose network is kept.
    owner_estimators_ : dict
        With ``batch_norm="local"``: the estimator of each owner.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if the column names of X are strings.

    See Also
    --------
    FederatedClassifier : The same for labels.

    Notes
    -----
    Owners agree before they train, by statistics only: columns, counts, means and
    variances, extremes, categories and labels. Then they send weights. What weights, extremes
    and rare categories may tell of a row, differential privacy and secure aggregation are in
    the user guide.

    Networks of owners are trained as a stack where they can be
    (:doc:`/user_guide/stacking`).

    References
    ----------
    .. [1] McMahan et al., "Communication-efficient learning of deep networks from
           decentralized data", arXiv:1602.05629.
    .. [2] Li et al., "Federated optimization in heterogeneous networks",
           arXiv:1812.06127.
    .. [3] Hsu et al., "Measuring the effects of non-identical data distribution for
           federated visual classification", arXiv:1909.06335.
    .. [4] Reddi et al., "Adaptive federated optimization", arXiv:2003.00295.
    .. [5] Li et al., "FedBN: federated learning on non-IID features via local batch
           normalization", arXiv:2102.07623.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_deep import FederatedRegressor, MLPRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> pipe = make_pipeline(StandardScaler(), MLPRegressor(learning_rate=0.01))
    >>> model = FederatedRegressor(pipe, clients=4, rounds=20, random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.4
    True
    """

    _rules: ClassVar[Rules] = {
        "estimator": (_ends_in(REGRESSORS, "an MLP-, CNN-, RNN- or ModuleRegressor"),),
        **_Federated._training_rules,
    }
