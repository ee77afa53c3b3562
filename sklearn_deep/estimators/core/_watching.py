"""Who watches a fit: scikit-learn's callbacks, a progress line, skorch's callbacks."""

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from torch import nn

from sklearn_deep.estimators.core._fitted import Fitted
from sklearn_deep.estimators.core._hooks import NetworkHooks
from sklearn_deep.estimators.core._parts import FitArguments
from sklearn_deep.private._sklearn import HAS_CALLBACKS, make_callback_context
from sklearn_deep.training.job._job import NetSettings, TrainJob
from sklearn_deep.training.loop._progress import ProgressLine
from sklearn_deep.training.loop._run import Run, Watcher

LoadModule = Callable[[Fitted, dict[str, Any]], nn.Module]


class Watching(NamedTuple):
    """The watchers of a fit, and the skorch net among them, if any."""

    watchers: list[Watcher]
    net: Any


class SklearnCallbacks(Watcher):
    """Tells scikit-learn's callbacks of every epoch, a task of the fit."""

    def __init__(
        self,
        estimator: NetworkHooks,
        context: Any,
        given: FitArguments,
        fitted: Fitted,
        load_module: LoadModule,
    ):
        self._estimator, self._context, self._fitted = estimator, context, fitted
        self._load_module = load_module
        weight = given.sample_weight
        self._data = {
            "X": given.X,
            "y": given.y,
            "metadata": None if weight is None else {"sample_weight": weight},
        }
        self._epoch: Any = None

    def train_begin(self, run: Run) -> None:
        """Announce the fit."""
        self._context.call_on_fit_task_begin(estimator=self._estimator, **self._data)

    def epoch_begin(self, run: Run) -> None:
        """Announce an epoch."""
        if len(run.history) == run.job.stopping.max_epochs:
            return  # lbfgs asks once more than it gets
        self._epoch = self._context.subcontext(task_name="epoch")
        self._epoch.call_on_fit_task_begin(estimator=self._estimator, **self._data)

    def epoch_end(self, run: Run, row: dict[str, Any]) -> bool:
        """Report an epoch; a callback may stop the training."""
        return self._epoch.call_on_fit_task_end(
            estimator=self._estimator,
            reconstruction_attributes=lambda: self._attributes(run),
            **self._data,
        )

    def fit_end(self) -> None:
        """Report the end of the fit, once the estimator is fitted."""
        self._context.call_on_fit_task_end(
            estimator=self._estimator, reconstruction_attributes=dict, **self._data
        )

    def _attributes(self, run: Run) -> dict[str, Any]:
        """Attributes of an estimator that is fitted so far."""
        values = run.job.module.state_dict()
        module = self._load_module(self._fitted, values)
        return {"_fitted": dataclasses.replace(self._fitted, module=module)}


@contextmanager
def make_watchers(
    estimator: NetworkHooks,
    job: TrainJob,
    given: FitArguments,
    fitted: Fitted,
    load_module: LoadModule,
) -> Iterator[Watching]:
    """Hold the watchers of one fit; scikit-learn hears of its end last.

    Parameters
    ----------
    estimator : DeepEstimator
    job : TrainJob
    given : FitArguments
    fitted : Fitted
        What it will be, except for the module's values.
    load_module : callable ``(fitted, values) -> module``
        Builds the network anew with the values of an epoch.
    """
    watchers: list[Watcher] = []
    sklearn_callbacks = net = None
    if HAS_CALLBACKS:
        context = make_callback_context(estimator, job.stopping.max_epochs)
        sklearn_callbacks = SklearnCallbacks(
            estimator, context, given, fitted, load_module
        )
        watchers.append(sklearn_callbacks)
    if estimator.verbose:
        watchers.append(ProgressLine(int(estimator.verbose)))
    if estimator.callbacks:
        # skorch is imported by those who use it only.
        from sklearn_deep.training.loop._skorch_callbacks import SkorchCallbacks

        settings = NetSettings.of(job, int(estimator.verbose), estimator.warm_start)
        skorch_callbacks = SkorchCallbacks(
            job,
            estimator.callbacks,
            given.X,
            given.y,
            settings,
            fitted.encode_for_net,
            fitted.history if job.state is not None else (),
        )
        watchers.append(skorch_callbacks)
        net = skorch_callbacks.net
    yield Watching(watchers, net)
    if sklearn_callbacks is not None:
        sklearn_callbacks.fit_end()
