"""Apps of Flower for owners on machines of their own, who never send rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from sklearn_deep._params import (
    BOOLEAN,
    MAPPING,
    NONE,
    SEED,
    Number,
    OneOf,
    Rules,
    Satisfies,
    check_value,
)
from sklearn_deep.estimators.core._layers import as_frame
from sklearn_deep.exceptions import InvalidParameterError, MissingDependencyError
from sklearn_deep.scale.federated._plan import Plan
from sklearn_deep.scale.federated._supported import (
    CLASSIFIERS,
    REGRESSORS,
    check_network,
    network_of,
)
from sklearn_deep.scale.federated._transformers import check_head, head_of
from sklearn_deep.training.job._seeds import draw_seed

_RULES: Rules = {
    "strategy_params": (NONE, MAPPING),
    "rounds": (Number(Integral, 1),),
    "local_epochs": (Number(Integral, 1),),
    "owners": (Number(Integral, 1),),
    "fraction": (Number(low=0, high=1, open_low=True),),
    "batch_norm": (OneOf("averaged", "local"),),
    "evaluate": (BOOLEAN,),
    "weighting": (OneOf("rows", "equal"),),
    "timeout": (Number(low=0, open_low=True),),
    "random_state": SEED,
    "then": (Satisfies(callable, "a function of the result"),),
}


@dataclass(frozen=True)
class FederatedResult:
    """What the app of a server came to; ``then`` of :func:`server_app` gets it.

    Parameters
    ----------
    estimator : estimator or Pipeline
        The user's estimator, fitted, as ``estimator_`` of a :class:`FederatedClassifier`.
    rounds : list of dict
        One row per round, see ``history``.
    privacy : object or None, default=None
        What the accountant of a private strategy says: an object of Flower with
        ``epsilon`` and ``delta``; None without an accountant.

    See Also
    --------
    server_app : Makes it.

    Examples
    --------
    >>> from sklearn_deep import FederatedResult
    >>> result = FederatedResult(None, [{"round": 1, "score": 0.9}], None)
    >>> len(result.history)
    1
    """

    estimator: Any
    rounds: list[dict[str, Any]]
    privacy: Any = None

    @property
    def history(self) -> Any:
        """One row per round: a DataFrame where pandas is installed, else a list of dicts.

        Columns are those of ``history_`` of a :class:`FederatedClassifier`; ``owners`` are
        numbers in the order of ``partition-id``, and bytes are those of all messages.
        """
        return as_frame(self.rounds)


def client_app(
    estimator: Any, load: Callable[[Any], tuple], *, mods: Sequence[Any] = ()
) -> Any:
    """Make the app of an owner, whose rows stay where they are.

    The app answers the questions of :func:`server_app`: with the form of its rows,
    statistics of columns and targets, and weights that it has trained. It never sends a
    row; extremes (MinMaxScaler) and categories are values of rows.

    Parameters
    ----------
    estimator : estimator or Pipeline
        Unfitted, the same as the server's.
    load : callable ``(context) -> (X, y)`` or ``(X, y, sample_weight)``
        Gives the owner's rows; called for each message. ``context.node_config`` has what
        the SuperNode was started with.
    mods : sequence of callables, default=()
        Mods of Flower around the training of a round, such as ``flwr.clientapp.mod.fixedclipping_mod``
        and ``LocalDpMod``.

    Returns
    -------
    flwr.clientapp.ClientApp
        To be named in the ``pyproject.toml`` of a Flower app.

    Raises
    ------
    FederatedError
        If a transformer cannot be fitted by owners who keep their rows.
    InvalidParameterError
        For an estimator that cannot be trained by rounds.
    MissingDependencyError
        If Flower is not installed (extra ``[federated]``).

    See Also
    --------
    server_app : The app of the server.
    FederatedClassifier : The same training simulated in one process.

    References
    ----------
    .. [1] Beutel et al., "Flower: a friendly federated learning research framework",
           arXiv:2007.14390.

    Examples
    --------
    >>> from sklearn_deep import MLPClassifier, client_app
    >>> def load(context):
    ...     number = context.node_config["partition-id"]
    ...     return read_rows_of(number)  # a function of yours
    >>> app = client_app(MLPClassifier(), load)  # doctest: +SKIP
    """
    _check_estimator("client_app", estimator)
    if not callable(load):
        raise InvalidParameterError(
            "The 'load' parameter of client_app must be a function of Flower's context"
            f" that returns (X, y). Got {load!r} instead."
        )
    return _flower("client_app").make_client_app(estimator, load, mods)


def server_app(
    estimator: Any,
    strategy: Any = "FedAvg",
    *,
    then: Callable[[FederatedResult], object],
    owners: int = 2,
    strategy_params: Mapping[str, Any] | None = None,
    rounds: int = 10,
    local_epochs: int = 1,
    fraction: float = 1.0,
    batch_norm: str = "averaged",
    weighting: str = "rows",
    evaluate: bool = True,
    timeout: float = 3600.0,
    random_state: Any = None,
) -> Any:
    """Make the app of a server, which sees statistics and weights, and no row.

    First, owners agree on columns, statistics of transformers, and classes. Then Flower's
    strategy runs its rounds. With the same ``random_state`` it gives the network that
    :class:`FederatedClassifier` gives for the same owners, to rounding.

    Parameters
    ----------
    estimator : estimator or Pipeline
        Unfitted, the same as the owners'. What :class:`FederatedClassifier` takes.
    strategy : str or flwr.serverapp.strategy.Strategy, default="FedAvg"
        A strategy of Flower, or the name of one that averages networks: "FedProx",
        "FedAdam", "FedMedian" and so on. An object may be wrapped, for instance by
        ``DifferentialPrivacyClientSideFixedClipping``.
    then : callable ``(result) -> object``
        Gets a :class:`FederatedResult` at the end, to save its ``estimator``.
    owners : int, default=2
        Owners to wait for; those there then are the owners of this fit.
    strategy_params : dict, default=None
        Parameters of a strategy that is given by name.
    rounds, local_epochs : int, default=10, 1
        Rounds, and epochs that an owner trains in each.
    fraction : float, default=1.0
        Share of the owners that take part in a round, in (0, 1], where the strategy is
        given by name.
    batch_norm : {"averaged", "local"}, default="averaged"
        Whether batch normalisation stays with each owner.
    weighting : {"rows", "equal"}, default="rows"
        Whether owners count by their rows, or all alike, as accounted privacy needs it.
    evaluate : bool, default=True
        Whether owners judge the network after each round, where the strategy is given by
        name; it is half of the messages.
    timeout : float, default=3600.0
        Seconds to wait for owners, and for their answers in a round.
    random_state : int, RandomState or None, default=None
        Seed of owners that take part, batches, dropout and initial weights.

    Returns
    -------
    flwr.serverapp.ServerApp
        To be named in the ``pyproject.toml`` of a Flower app.

    Raises
    ------
    FederatedError
        If a transformer cannot be fitted by owners who keep their rows; when the app runs,
        if owners do not come, or cannot agree.
    InvalidParameterError
        For a parameter that is not allowed.
    MissingDependencyError
        If Flower is not installed (extra ``[federated]``).

    See Also
    --------
    client_app : The app of an owner.
    FederatedClassifier : The same training simulated in one process.

    References
    ----------
    .. [1] Beutel et al., "Flower: a friendly federated learning research framework",
           arXiv:2007.14390.

    Examples
    --------
    >>> from sklearn_deep import MLPClassifier, save, server_app
    >>> def keep(result):
    ...     save(result.estimator, "model.skd")
    >>> app = server_app(MLPClassifier(), then=keep, rounds=20)  # doctest: +SKIP
    """
    given = dict(locals())
    for name, rules in _RULES.items():
        check_value("server_app", name, given[name], rules)
    _check_estimator("server_app", estimator)
    flower = _flower("server_app")
    plan = Plan(
        draw_seed(random_state),
        int(rounds),
        int(local_epochs),
        0.0,
        batch_norm == "local",
    )
    settings = flower.ServerSettings(
        estimator=estimator,
        strategy=strategy,
        strategy_params=strategy_params,
        then=then,
        plan=plan,
        owners=int(owners),
        fraction=float(fraction),
        evaluate=bool(evaluate),
        equal=weighting == "equal",
        timeout=float(timeout),
    )
    flower.check_strategy(settings)
    return flower.make_server_app(settings, FederatedResult)


def _check_estimator(owner: str, estimator: Any) -> None:
    """Raise for what cannot be trained by rounds."""
    network = network_of(estimator)
    if not isinstance(network, CLASSIFIERS + REGRESSORS):
        raise InvalidParameterError(
            f"The 'estimator' parameter of {owner} must be an MLP-, CNN-, RNN- or Module-"
            "network of sklearn_deep, or a Pipeline that ends in one. Got"
            f" {estimator!r} instead."
        )
    check_network(owner, network)
    check_head(head_of(estimator))


def _flower(feature: str) -> Any:
    try:
        from sklearn_deep.scale.federated import _flower as flower
    except ImportError as error:
        if (error.name or "").split(".")[0] != "flwr":
            raise
        raise MissingDependencyError(feature, "flwr", "federated") from error
    return flower
