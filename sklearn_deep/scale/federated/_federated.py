"""Estimators that train one network from the rows of many owners, in this process."""

from typing import ClassVar

from sklearn_deep._params import Rules, Satisfies
from sklearn_deep.scale.federated._simulation import Federated
from sklearn_deep.scale.federated._supported import (
    CLASSIFIERS,
    REGRESSORS,
    network_of,
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


class FederatedClassifier(Federated):
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
        **Federated.training_rules,
    }


class FederatedRegressor(Federated):
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
        **Federated.training_rules,
    }
