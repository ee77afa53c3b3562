"""From a pretrained network and rows to a trained network, step by step."""

import copy
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from torch import nn

from sklearn_deep.compression._network import Scorer
from sklearn_deep.data._features import TableFeatures
from sklearn_deep.estimators.core._calibration import corrected
from sklearn_deep.estimators.core._fit import Prepared, prepare
from sklearn_deep.estimators.core._fitted import with_fitted
from sklearn_deep.estimators.core._learning_rate import with_found_rate
from sklearn_deep.estimators.core._parts import FitArguments
from sklearn_deep.estimators.core._policy_search import with_found_policy
from sklearn_deep.estimators.core._specs import with_usual_decay
from sklearn_deep.nn._stages import stages_of
from sklearn_deep.nn._tabular import Ensemble
from sklearn_deep.training.job._job import NetSettings, TrainJob
from sklearn_deep.training.loop._progress import ProgressLine
from sklearn_deep.transfer.fine_tuning._carrying import (
    ColumnMatch,
    carry,
    carry_head,
    match_columns,
)
from sklearn_deep.transfer.fine_tuning._freezing import (
    Anatomy,
    Phase,
    Plan,
    as_patterns,
)
from sklearn_deep.transfer.fine_tuning._phases import train_in_phases
from sklearn_deep.transfer.fine_tuning._source import Source


@dataclass(frozen=True)
class Tuning:
    """Settings of a fine-tuning.

    Attributes
    ----------
    owner : str
        For errors.
    source : Source
    plan : Plan
    reset : "head", "new_classes", str or list of str
    columns : {"match", "position"}
    """

    owner: str
    source: Source
    plan: Plan
    reset: Any
    columns: str

    def task(self, network: Any, given: FitArguments) -> "TuningTask":
        """The job of a network that begins with the values of the source."""
        prepared = prepare(with_usual_decay(network), given)
        module = prepared.job.module
        anatomy = Anatomy.of(module)
        columns = self._columns(prepared)
        # An output that is no linear layer has no rows of its own per class.
        keeps = self.reset == "new_classes" and not _heads(module)
        output = frozenset() if keeps else anatomy.stages[-1].tensors
        fresh = output | self._reset(anatomy)
        carry(self.owner, module, self.source.values(), fresh, columns)
        before = self.source.fitted
        if self.reset == "new_classes" and before is not None:
            pairs = zip(_heads(module), _heads(self.source.module), strict=False)
            for head, old in pairs:
                carry_head(head, old, prepared.fitted, before)
        if columns is not None and columns.adds:
            fresh |= anatomy.stages[0].tensors
        return TuningTask(self, network, given, prepared, anatomy, fresh)

    def _columns(self, prepared: Prepared) -> ColumnMatch | None:
        before, now = self.source.fitted, prepared.fitted.features
        if before is None or type(now) is not TableFeatures:
            return None
        return match_columns(self.owner, self.columns, before.features, now)

    def _reset(self, anatomy: Anatomy) -> frozenset[str]:
        if isinstance(self.reset, str) and self.reset in ("head", "new_classes"):
            return frozenset()
        return anatomy.matching(self.owner, "reset", as_patterns(self.reset))


@dataclass(frozen=True)
class TuningTask:
    """A network that is about to be fine-tuned on some rows.

    Attributes
    ----------
    tuning : Tuning
    network : DeepEstimator
        It is not changed.
    given : FitArguments
    prepared : Prepared
        Its module has the values of the source.
    anatomy : Anatomy
    fresh : frozenset of str
        What begins anew and is trained in all phases.
    """

    tuning: Tuning
    network: Any
    given: FitArguments
    prepared: Prepared
    anatomy: Anatomy
    fresh: frozenset[str]

    @cached_property
    def phases(self) -> list[Phase]:
        """The phases of the training."""
        n_epochs = self.prepared.job.stopping.max_epochs
        plan = self.tuning.plan
        return plan.phases(self.tuning.owner, self.anatomy, self.fresh, n_epochs)

    @cached_property
    def _probe_phase(self) -> Phase:
        n_epochs = self.prepared.job.stopping.max_epochs
        return Phase(n_epochs, self.anatomy.body - self.fresh)

    @property
    def is_probe(self) -> bool:
        """Whether nothing but the head is trained."""
        return all(phase.frozen >= self._probe_phase.frozen for phase in self.phases)

    @cached_property
    def _start(self) -> nn.Module:
        """The network before its training, for the probe."""
        return copy.deepcopy(self.prepared.job.module)

    def trained(self) -> Any:
        """The estimator, trained in the phases of the plan."""
        if not self.is_probe:
            _ = self._start  # a copy of the values before they change
        return self._trained(self.prepared.job, self.phases)

    def probe(self) -> Any:
        """The estimator with a new head on the frozen network."""
        job = _with_module(self.prepared.job, self._start)
        return self._trained(job, [self._probe_phase])

    def scores(self, *networks: Any) -> tuple[int, list[float]]:
        """Number of rows, and the score of each network on them."""
        given = self.given._replace(features=None)
        scorer = Scorer(networks[0], given, None)
        return len(scorer), [scorer(network) for network in networks]

    def _trained(self, job: TrainJob, phases: Sequence[Phase]) -> Any:
        rates = self.tuning.plan.rates(self.anatomy, self.fresh)
        last = phases[-1].frozen
        job = dataclasses.replace(job, rates=rates, frozen=last)
        if self.network.learning_rate == "auto":
            job = with_found_rate(job, None)
        job, policy = with_found_policy(job, None)
        verbose = int(self.network.verbose)
        watchers = [ProgressLine(verbose)] if verbose else []
        owner = self.tuning.source.module
        result = train_in_phases(job, phases, owner, watchers)
        settings = NetSettings.of(job, verbose, warm_start=False)
        fitted = self.prepared.fitted.trained(job, result, settings)
        fitted = dataclasses.replace(
            fitted,
            loss=corrected(job.loss, fitted.module, job.validation),
            policy=policy,
            frozen=tuple(sorted(last)),
        )
        return with_fitted(self.network, fitted)


def _with_module(job: TrainJob, module: Any) -> TrainJob:
    """The job with a copy of its module."""
    if not job.networks:
        return dataclasses.replace(job, module=module)
    networks = tuple(
        dataclasses.replace(network, module=part)
        for network, part in zip(job.networks, module.networks, strict=True)
    )
    return dataclasses.replace(job, module=module, networks=networks)


def _heads(module: nn.Module) -> list[nn.Module]:
    """The last linear layer, of each network of an ensemble."""
    if isinstance(module, Ensemble):
        return [head for network in module.networks for head in _heads(network)]
    stages = [part for _, part in stages_of(module)] or [module]
    linear = [m for part in stages for m in part.modules() if isinstance(m, nn.Linear)]
    return list(linear[-1:])
