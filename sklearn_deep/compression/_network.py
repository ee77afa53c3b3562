"""Helpers of the compressions: copies of a network, its rows, fine-tuning, scoring."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import check_scoring
from torch import nn

from sklearn_deep.data._batches import Batch, Rows
from sklearn_deep.estimators.core._base import DeepEstimator
from sklearn_deep.estimators.core._calibration import corrected
from sklearn_deep.estimators.core._fit import encode_rows, prepare, split_rows
from sklearn_deep.estimators.core._fitted import fitted_of, with_fitted
from sklearn_deep.estimators.core._parts import FitArguments
from sklearn_deep.estimators.core._policy_search import with_found_policy
from sklearn_deep.estimators.families._lengths import without_padding
from sklearn_deep.estimators.tasks._reconstructor import DeepReconstructor
from sklearn_deep.nn._connections import mask_of_nonzero
from sklearn_deep.training._train import train
from sklearn_deep.training.job._job import NetSettings, OptimizerState, TrainJob
from sklearn_deep.training.loop._progress import ProgressLine

# Rows per forward pass when a compression measures activations.
_BLOCK = 1024


def unwrap_frozen(estimator: Any) -> Any:
    """The estimator inside of FrozenEstimators; any other estimator unchanged."""
    while isinstance(estimator, FrozenEstimator):
        estimator = estimator.estimator
    return estimator


def make_fit_args(
    network: DeepEstimator,
    X: Any,
    y: Any,
    *,
    sample_weight: Any = None,
    X_val: Any = None,
    y_val: Any = None,
    sample_weight_val: Any = None,
    lengths: Any = None,
    lengths_val: Any = None,
) -> FitArguments:
    """Arguments of ``fit`` in the form that the network's own ``fit`` gives them."""
    X = without_padding(network, X, lengths)
    X_val = without_padding(network, X_val, lengths_val, "X_val")
    if isinstance(network, DeepReconstructor):
        y, y_val = X, X_val
    return FitArguments(X, y, sample_weight, X_val, y_val, sample_weight_val)


def with_module(
    network: DeepEstimator,
    module: nn.Module,
    params: Mapping[str, Any] | None = None,
    **fields: Any,
) -> DeepEstimator:
    """Copy a fitted estimator with another module.

    Parameters
    ----------
    network : DeepEstimator
    module : torch.nn.Module
    params : mapping of str to object, or None
        Constructor parameters of the copy, so that a later ``partial_fit`` derives the
        same architecture from them.
    **fields : object
        Other changed fields of ``Fitted``. Zeros of a pruned network stay zero.
    """
    before = fitted_of(network)
    mask = None if before.weight_mask is None else mask_of_nonzero(module)
    changes = {
        "module": module.eval(),
        "weight_mask": mask,
        "frozen": (),
        "optimizer": None,  # its state belongs to the other module
        "optimizer_state": None,
        "importances": None,  # of the other module too
        "net": None,
        **fields,
    }
    return with_fitted(
        network, dataclasses.replace(before, **changes), **(params or {})
    )


def rows_of(network: DeepEstimator, given: FitArguments) -> Rows:
    """All rows of a fit with their weights, encoded as input of the module."""
    whole, _ = split_rows(network, given)
    return encode_rows(network, whole)


def blocks(rows: Rows) -> Iterator[Batch]:
    """Yield the rows in order, in batches of bounded size."""
    for start in range(0, len(rows), _BLOCK):
        stop = min(start + _BLOCK, len(rows))
        yield rows.take(torch.arange(start, stop, device=rows.device))


def fine_tune(
    network: DeepEstimator,
    given: FitArguments,
    *,
    epochs: int,
    learning_rate: float,
    of_epochs: int | None = None,
    state: OptimizerState | None = None,
    module: nn.Module | None = None,
) -> DeepEstimator:
    """Train a copy of the network further, with the estimator's own settings.

    Parameters
    ----------
    network : DeepEstimator
        Fitted.
    given : FitArguments
    epochs : int
        0 returns the network unchanged.
    learning_rate : float
    of_epochs : int or None
        Length of the learning-rate schedule, if ``epochs`` are only a part of it.
    state : OptimizerState or None
        Optimizer state to continue from.
    module : torch.nn.Module or None
        Module to train instead of a copy of the network's own.
    """
    if not epochs:
        return network
    before = fitted_of(network)
    fresh = with_fitted(
        network,
        before,
        warm_start=True,
        max_epochs=of_epochs or epochs,
        warmup=0,
        learning_rate=learning_rate,
    )
    prepared = prepare(fresh, given, before, before.seed)
    job = _fine_tuning(
        prepared.job,
        epochs,
        learning_rate,
        OptimizerState() if state is None else state.copy(),
        module,
    )
    job, policy = with_found_policy(job, before.policy)
    watchers = [ProgressLine(int(network.verbose))] if network.verbose else []
    settings = NetSettings.of(job, int(network.verbose), warm_start=True)
    fitted = prepared.fitted.trained(job, train(job, watchers), settings)
    fitted = dataclasses.replace(
        fitted,
        loss=corrected(job.loss, fitted.module, job.validation),
        learning_rate=before.learning_rate,
        policy=policy,
    )
    return with_fitted(network, fitted)


def _fine_tuning(
    job: TrainJob,
    epochs: int,
    learning_rate: float,
    state: OptimizerState,
    module: nn.Module | None,
) -> TrainJob:
    """The job of one part of a fine-tuning, at its own learning rate."""
    partial = state.epoch + epochs < job.stopping.max_epochs
    stopping = dataclasses.replace(
        job.stopping,
        max_epochs=epochs,
        restore_best=job.stopping.restore_best and not partial,
    )
    optimizer = dataclasses.replace(job.optimizer, learning_rate=learning_rate)
    changes: dict[str, Any] = {}
    if module is not None:
        mask = None if job.weight_mask is None else mask_of_nonzero(module)
        changes = {
            "module": module,
            "networks": (),
            "architecture_key": None,
            "weight_mask": mask,
        }
        stopping = dataclasses.replace(
            stopping,
            on_validation=stopping.on_validation and job.validation is not None,
        )
    return dataclasses.replace(
        job,
        optimizer=optimizer,
        stopping=stopping,
        state=state,
        # What compression takes away, all parameters that are left make up for.
        frozen=frozenset(),
        **changes,
    )


def without_names(network: DeepEstimator) -> DeepEstimator:
    """A copy for validated rows, which have no names of columns."""
    fitted = fitted_of(network)
    features = fitted.features.without_names()
    return with_fitted(network, dataclasses.replace(fitted, features=features))


class Scorer:
    """Scores networks on the validation rows of the fit, else on its training rows."""

    def __init__(self, network: DeepEstimator, given: FitArguments, scoring: Any):
        whole, aside = split_rows(network, given)
        self._part = whole if aside is None else aside
        self._scorer = check_scoring(network, scoring=scoring)
        # User functions and the score of autoencoders may not accept sample_weight.
        self._weighted = self._part.weight is not None and not (
            callable(scoring) or isinstance(network, DeepReconstructor)
        )

    def __len__(self) -> int:
        return len(self._part)

    def __call__(self, network: DeepEstimator) -> float:
        """Compute the score; higher is better."""
        part = self._part
        fitted = without_names(network)
        y = None if isinstance(network, DeepReconstructor) else part.y
        weights = {"sample_weight": part.weight} if self._weighted else {}
        return float(self._scorer(fitted, part.features(), y, **weights))
