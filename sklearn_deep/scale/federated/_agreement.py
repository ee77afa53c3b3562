"""What all owners agree on before they train: transformers, features, classes, weights."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from sklearn_deep.data._targets import RealTargets
from sklearn_deep.estimators.core._base import DeepEstimator
from sklearn_deep.estimators.core._fit import prepare
from sklearn_deep.estimators.core._fitted import Fitted, with_fitted
from sklearn_deep.estimators.core._parts import FitArguments
from sklearn_deep.estimators.core._specs import batch_rows
from sklearn_deep.scale.federated._schema import Schema
from sklearn_deep.scale.federated._statistics import Statistics
from sklearn_deep.scale.federated._supported import network_of
from sklearn_deep.scale.federated._targets import (
    balanced_weights,
    example_targets,
)
from sklearn_deep.scale.federated._transformers import (
    Known,
    fitted_head,
    head_of,
    made_up_rows,
)
from sklearn_deep.training.job._job import NetSettings
from sklearn_deep.training.job._seeds import draw_seed

# Fewer made-up rows are no fit.
_FEWEST_ROWS = 2


@dataclass(frozen=True)
class Agreement:
    """What owners and server know alike.

    Attributes
    ----------
    head : Pipeline or None
        Fitted transformers.
    network : DeepEstimator
        Unfitted, with the parameters that training by rounds has.
    template : Fitted
        Features, targets and the network with its initial weights.
    batch_size : int
    """

    head: Any
    network: DeepEstimator
    template: Fitted
    batch_size: int

    @classmethod
    def of(
        cls,
        estimator: Any,
        schema: Schema,
        known: Known,
        targets: Statistics,
        seed: int,
    ) -> "Agreement":
        """Put together what the owners have said.

        Parameters
        ----------
        estimator : DeepEstimator or Pipeline
        schema : Schema
        known : mapping of str to Statistics
            Merged statistics of transformers.
        targets : Statistics
            Merged statistics of targets.
        seed : int
            Seed of the initial weights, unless the network has one of its own.
        """
        head = fitted_head(head_of(estimator), schema, known)
        network = _for_rounds(network_of(estimator), targets)
        y, weight = example_targets(targets)
        n = max(len(y), _FEWEST_ROWS)
        X = made_up_rows(head_of(estimator), schema, known, n)
        X = X if head is None else head.transform(X)
        y = np.resize(y, (n, *y.shape[1:]))
        weight = None if weight is None else np.resize(weight, n)
        template = _template(network, X, y, weight, targets, seed)
        mean_rows = max(1, round(targets["rows"] / targets["owners"]))
        return cls(head, network, template, batch_rows(network, mean_rows))

    def transformed(self, X: Any) -> Any:
        """Rows as the network takes them."""
        return X if self.head is None else self.head.transform(X)

    def fitted(self, estimator: Any, fitted: Fitted) -> Any:
        """The user's estimator, fitted with this network."""
        network = with_fitted(clone(network_of(estimator)), fitted)
        if not isinstance(estimator, Pipeline):
            return network
        before = [] if self.head is None else self.head.steps
        steps = [*before, (estimator.steps[-1][0], network)]
        return clone(estimator).set_params(steps=steps)


def _for_rounds(network: DeepEstimator, targets: Statistics) -> DeepEstimator:
    """The network with the parameters of a training by rounds."""
    changes: dict[str, Any] = {"early_stopping": False, "time_limit": None}
    if getattr(network, "class_weight", None) == "balanced" and "labels" in targets:
        changes["class_weight"] = balanced_weights(targets)
    return clone(network).set_params(**changes)


def _template(
    network: DeepEstimator,
    X: Any,
    y: np.ndarray,
    weight: np.ndarray | None,
    targets: Statistics,
    seed: int,
) -> Fitted:
    """The network before its training, from made-up rows of the agreed form."""
    if network.random_state is not None:
        seed = draw_seed(network.random_state)
    prepared = prepare(network, FitArguments(X, y, weight), None, seed)
    fitted = prepared.fitted
    if isinstance(fitted.targets, RealTargets):
        fitted = dataclasses.replace(fitted, targets=_exact(fitted.targets, targets))
    settings = NetSettings.of(prepared.job, int(network.verbose), warm_start=False)
    rate = prepared.job.optimizer.learning_rate
    return dataclasses.replace(fitted, net_settings=settings, learning_rate=rate)


def _exact(learnt: RealTargets, targets: Statistics) -> RealTargets:
    """Centre and scale without the rounding of made-up rows."""
    mean, scale = targets["mean"], np.sqrt(targets["var"])
    if learnt.scaling == "mean":
        return dataclasses.replace(learnt, center=np.zeros_like(mean), scale=mean)
    scale = np.where(scale <= 1e-12 * np.abs(mean), 1.0, scale)
    return dataclasses.replace(learnt, center=mean, scale=scale)
