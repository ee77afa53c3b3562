"""A federated fit of owners in this process: they agree, train by rounds, and share."""

import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from sklearn_deep.estimators.core._fit import copy_module
from sklearn_deep.estimators.core._fitted import Fitted, with_fitted
from sklearn_deep.estimators.core._state import fill_module, pack_module
from sklearn_deep.scale.federated._agreement import Agreement
from sklearn_deep.scale.federated._owner import Arrays, Owner
from sklearn_deep.scale.federated._plan import Plan
from sklearn_deep.scale.federated._rounds import Simulation
from sklearn_deep.scale.federated._schema import Schema
from sklearn_deep.scale.federated._statistics import Statistics
from sklearn_deep.scale.federated._strategies import Server
from sklearn_deep.scale.federated._targets import merge_targets, target_statistics
from sklearn_deep.scale.federated._transformers import (
    head_of,
    is_complete,
    merge_all,
    next_statistics,
)
from sklearn_deep.training.job._stopping import StoppingSpec


class OwnedRows(NamedTuple):
    """Rows of one owner, its targets validated.

    Attributes
    ----------
    X : rows as the user gives them
    y : ndarray of shape (n_rows, ...)
    weight : ndarray of shape (n_rows,) or None
    """

    X: Any
    y: np.ndarray
    weight: np.ndarray | None = None


class Sampling(NamedTuple):
    """Shares of owners in a round, in [0, 1]: asked, lost, late."""

    fraction: float = 1.0
    drop_out: float = 0.0
    stragglers: float = 0.0


class Outcome(NamedTuple):
    """What a federated fit came to.

    Attributes
    ----------
    estimator : estimator
        The user's, fitted.
    history : list of dict
    best_round : int
    of_owners : dict
        Where batch normalisation stays with the owners: the estimator of each.
    """

    estimator: Any
    history: list[dict[str, Any]]
    best_round: int
    of_owners: dict[Hashable, Any]


def agree(
    estimator: Any, parts: Sequence[OwnedRows], labels: np.ndarray | None, seed: int
) -> Agreement:
    """Let owners agree on transformers, features and classes."""
    schema = Schema.merged([Schema.of(part.X) for part in parts])
    head, known = head_of(estimator), dict[str, Statistics]()
    while not is_complete(head, known):
        asked = [next_statistics(head, schema, known, part.X) for part in parts]
        if not asked[0]:  # a part of a ColumnTransformer has no columns
            break
        known.update(merge_all(asked))
    targets = [target_statistics(part.y, part.weight, labels) for part in parts]
    return Agreement.of(estimator, schema, known, merge_targets(targets), seed)


def trained_together(
    estimator: Any,
    rows: Mapping[Hashable, OwnedRows],
    labels: np.ndarray | None,
    strategy: str,
    params: Mapping[str, Any],
    plan: Plan,
    sampling: Sampling,
    stopping: StoppingSpec,
    verbose: int = 0,
) -> Outcome:
    """Train one network from the rows of many owners.

    Parameters
    ----------
    estimator : DeepEstimator or Pipeline
        It is not changed.
    rows : mapping of owner to OwnedRows
    labels : ndarray or None
        Labels that a row may have.
    strategy : str
        Key into ``STRATEGIES``.
    params : mapping
        Parameters of the strategy.
    plan : Plan
    sampling : Sampling
    stopping : StoppingSpec
        Its epochs are rounds.
    verbose : int
    """
    agreement = agree(estimator, list(rows.values()), labels, plan.seed)
    owners = [
        Owner.of(agreement, plan, k, *part) for k, part in enumerate(rows.values())
    ]
    server = Server(strategy, params, *initial(agreement.template))
    simulation = Simulation(owners, list(rows), server, plan, *sampling)
    best = simulation.run(stopping, verbose)
    history = simulation.history
    whole = finished(estimator, agreement, server.arrays, history, best)
    of_owners = {}
    for label, owner in zip(rows, owners, strict=True) if plan.local_norm else ():
        own = {**server.arrays, **owner.own}
        of_owners[label] = finished(estimator, agreement, own, history, best)
    return Outcome(whole, history, best, of_owners)


def initial(template: Fitted) -> tuple[dict[str, np.ndarray], list[str]]:
    """Values of the network before its training, and the names of those trained."""
    values = {
        name: value.copy() for name, value in pack_module(template.module).items()
    }
    return values, [name for name, _ in template.module.named_parameters()]


def finished(
    estimator: Any,
    agreement: Agreement,
    arrays: Arrays,
    history: Sequence[Mapping[str, Any]],
    best: int,
) -> Any:
    """The user's estimator, fitted with the network of the last round."""
    template = agreement.template
    values = {name: torch.from_numpy(np.array(v)) for name, v in arrays.items()}
    before = dataclasses.replace(template, module=fill_module(template.module, values))
    fitted = dataclasses.replace(
        before,
        # One of its own: several estimators may be made of one template.
        module=copy_module(with_fitted(agreement.network, before)),
        history=[_as_epoch(row, template.learning_rate) for row in history],
        best_epoch=best,
        stop_reason="max_epochs",
    )
    return agreement.fitted(estimator, fitted)


def _as_epoch(row: Mapping[str, Any], rate: float) -> dict[str, Any]:
    """A round as a row of the history of a network."""
    return {
        "epoch": row["round"],
        "train_loss": row["train_loss"],
        "valid_loss": row["loss"],
        "valid_score": row["score"],
        "learning_rate": rate,
        "seconds": row["seconds"],
    }
