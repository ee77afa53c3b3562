"""One fit of a network, in order: rows, targets, network, job, training, fitted state.

Only the functions of this class call the hooks of a family. What they call elsewhere takes
what the hooks gave.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.utils import assert_all_finite
from torch import nn

from sklearn_deep._arguments import names_unknown_arguments
from sklearn_deep._params import check_params
from sklearn_deep.data._batches import Rows
from sklearn_deep.data._layout import Layout
from sklearn_deep.data._missing import refuse_missing_targets
from sklearn_deep.data._tasks import Targets, Task
from sklearn_deep.estimators.core._all_or_nothing import all_or_nothing
from sklearn_deep.estimators.core._augmenting import augmentations
from sklearn_deep.estimators.core._calibration import (
    with_correction,
    with_learnt_correction,
)
from sklearn_deep.estimators.core._encode import (
    TORCH_DTYPES,
    each,
    encode,
    encode_parts,
    stream_rows,
)
from sklearn_deep.estimators.core._fit_warnings import EndedFit, warn_of_fit
from sklearn_deep.estimators.core._fitted import Fitted, find_fitted, fitted_of
from sklearn_deep.estimators.core._hooks import NetworkHooks
from sklearn_deep.estimators.core._learning_rate import with_found_rate
from sklearn_deep.estimators.core._monitor import make_monitor
from sklearn_deep.estimators.core._parts import (
    FitArguments,
    Part,
    Split,
    fit_dtype,
    hold_out,
    learn_features,
    task_settings,
    validate,
)
from sklearn_deep.estimators.core._policy_search import with_found_policy
from sklearn_deep.estimators.core._resume import (
    check_architecture,
    check_same_classes,
    mask_on,
    optimizer_state,
    resumed_dtype,
    resumed_loss,
)
from sklearn_deep.estimators.core._specs import (
    batch_rows,
    check_repeatable,
    make_loss,
    n_epochs,
    optimizer_spec,
    schedule_spec,
    stopping_spec,
    validation_share,
)
from sklearn_deep.estimators.core._watching import make_watchers
from sklearn_deep.private._sklearn import CallbackSupportMixin, with_callbacks
from sklearn_deep.training._train import train
from sklearn_deep.training.job._checkpoint import make_checkpoint
from sklearn_deep.training.job._devices import device_of, n_ranks_of, resolve_device
from sklearn_deep.training.job._job import NetSettings, TrainJob
from sklearn_deep.training.job._seeds import draw_seed
from sklearn_deep.training.ranks._group import agreed, failing_together


@dataclass(frozen=True)
class Prepared:
    """A job, and what is known of the fitted network before it runs."""

    job: TrainJob
    fitted: Fitted


class JobData(NamedTuple):
    """Rows of a fit, and what they say about the network.

    Attributes
    ----------
    part : Part
        The training rows as the user gave them.
    rows : Rows
        The same, encoded.
    validation : Rows or None
    layout : Layout
    n_outputs : int
        Number of raw outputs.
    """

    part: Part
    rows: Rows
    validation: Rows | None
    layout: Layout
    n_outputs: int


class TrainsNetwork(CallbackSupportMixin, NetworkHooks):
    """``fit`` and ``partial_fit`` of an estimator with one network."""

    @names_unknown_arguments
    def fit(
        self,
        X,
        y,
        sample_weight=None,
        X_val=None,
        y_val=None,
        sample_weight_val=None,
    ):
        """Train a network: a fresh one, or with ``warm_start`` the one there is.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training features, of any real dtype. Sparse matrices stay sparse.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights. Only their ratios matter; rows of weight 0
            count as removed; labels of a classifier stay in ``classes_``.
        X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
            Validation features; then nothing is held out of ``X``.
        y_val : array-like of shape (n_val,) or (n_val, n_outputs), default=None
            Validation targets.
        sample_weight_val : array-like of shape (n_val,), default=None
            Validation weights.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            For input that cannot be used; the message says why, and the fix.
        TrainingDivergedError
            When the loss or a weight is no longer finite. Then, as after any error,
            the estimator is as it was before the call.

        Warns
        -----
        TrainingWarning
            When the loss is finite, and far above that of a constant prediction.
        FitWarning
            When the fit will probably be better with another setting: unscaled columns
            of X, a loss that was still falling, too few validation rows, dead units.
        """
        with all_or_nothing(self), failing_together():
            return self._fit(
                FitArguments(X, y, sample_weight, X_val, y_val, sample_weight_val)
            )

    def _partial_fit(self, X, y, sample_weight, classes=None):
        given = FitArguments(X, y, sample_weight, classes=classes, incremental=True)
        with all_or_nothing(self), failing_together():
            return self._fit(given)

    @with_callbacks
    def _fit(self, given: FitArguments):
        check_params(self, self._rules)
        check_repeatable(self)
        resumes = given.incremental or self.warm_start
        before = find_fitted(self) if resumes else None
        prepared = self._prepare(given, before)
        job = prepared.job
        if self.learning_rate == "auto":
            job = on_sample(job, lambda job: with_found_rate(job, before))
        job, policy = with_found_policy(job, None if before is None else before.policy)
        fitted = dataclasses.replace(prepared.fitted, policy=policy)
        with make_watchers(self, job, given, fitted, self._load_module) as watching:
            if job.loss.calibrate and not (before or given.incremental):
                job = on_sample(
                    job, lambda job: with_correction(job, self.validation_fraction)
                )
            result = train(job, watching.watchers)
            settings = NetSettings.of(job, int(self.verbose), bool(self.warm_start))
            fitted = fitted.trained(job, result, settings)
            if not resumes:
                warn_of_fit(EndedFit(self, job, result, fitted))
            loss = with_learnt_correction(job, fitted.module)
            fitted = dataclasses.replace(fitted, loss=loss, net=watching.net)
            self._fitted = self._measured(job, fitted)
        return self

    def _prepare(
        self, given: FitArguments, before: Fitted | None, seed: int | None = None
    ) -> Prepared:
        """Rows, targets, network and job of one fit; nothing is written on ``self``."""
        device = resolve_device(type(self).__name__, self.device)
        seed = agreed(draw_seed(self.random_state)) if seed is None else seed
        # A network that was trained before is never judged on rows that it has seen.
        first_seed = seed if before is None else before.seed

        task = given.task or self._task(task_settings(self))
        if given.stream is not None:
            task = given.stream.task(task)
        split = self._split(task, given, before, device, first_seed)
        train, targets = self._learn_targets(task, given, split, before)
        loss = given.task.loss(targets) if given.task else make_loss(self, targets)
        if before is not None:
            loss = resumed_loss(type(self).__name__, loss, targets, before.loss)
        rows, validation = encode_parts(
            task, targets, train, split.validation, device, self._batches_by_length
        )
        if given.stream is not None:
            rows = stream_rows(task, split.features, targets, train, rows, given.stream)
        layout = split.features.layout(split.whole.X)
        n_raw = targets.n_outputs * loss.raw_per_target
        architecture = self._architecture(layout, n_raw, targets.kind)
        if before is None:
            module = self._initialized(architecture, loss, rows, seed)
            mask = given.task.separated(module, targets) if given.task else None
        else:
            module = self._loaded_copy(before, architecture)
            mask = before.weight_mask
        fitted = Fitted(
            module=module.to(device, TORCH_DTYPES[split.whole.dtype]),
            architecture=architecture,
            features=split.features,
            targets=targets,
            loss=loss,
            seed=first_seed,
            dtype=split.whole.dtype,
            history=[] if before is None else before.history,
            weight_mask=mask_on(device, mask),
            frozen=() if before is None else before.frozen,
        )
        data = JobData(train, rows, validation, layout, n_raw)
        monitor = make_monitor(self, fitted, split.validation)
        return Prepared(self._job(given, fitted, data, monitor, seed, before), fitted)

    def _split(
        self,
        task: Task,
        given: FitArguments,
        before: Fitted | None,
        device: torch.device,
        seed: int,
    ) -> Split:
        """Validated rows, and those that are held out of them."""
        fresh = before is None and given.features is None
        if before is None:
            features = self._make_features() if fresh else given.features
            dtype = fit_dtype(self, device)
        else:
            features, dtype = before.features, resumed_dtype(self, before)
        assert features is not None
        whole = validate(task, features, given, dtype, fresh=fresh)
        share = None
        if not given.incremental:
            begins = before is None and given.task is None
            strata = task.strata(whole.y)
            share = self._validation_share(len(whole), strata, begins)
        train, validation = hold_out(task, features, given, whole, share, seed)
        split = Split(features, whole, train, validation)
        return learn_features(split) if fresh else split

    def _validation_share(
        self, n_rows: int, strata: np.ndarray | None, fresh: bool = True
    ) -> float | None:
        """Share of the rows to hold out; None for none."""
        return validation_share(self, n_rows, strata, fresh)

    def _learn_targets(
        self, task: Task, given: FitArguments, split: Split, before: Fitted | None
    ) -> tuple[Part, Targets]:
        """The training rows, equal ones merged where a step sees all, and targets."""
        train = split.train
        if before is None:
            classes = split.whole.labels if given.classes is None else given.classes
            targets = task.learn(train.y, train.weight, classes)
            if given.stream is not None:
                return train, given.stream.targets(targets)
        else:
            targets = before.targets
            check_same_classes(type(self).__name__, targets, given.classes)
        if given.incremental or batch_rows(self, len(train)) < len(train):
            return train, targets
        train = train.merged(each(targets.codes, train.y))
        if before is None:
            # From rows in canonical order: a mean of repeated rows has other last bits
            # than that of weighted ones, and both have to give the same network.
            targets = task.learn(train.y, train.weight, classes)
        return train, targets

    def _loaded_copy(self, before: Fitted, architecture: dict[str, Any]) -> nn.Module:
        """The network of an earlier fit, to be trained further."""
        check_architecture(type(self).__name__, before, architecture)
        return self._load_module(before, before.module.state_dict())

    def _job(
        self,
        given: FitArguments,
        fitted: Fitted,
        data: JobData,
        monitor: Callable[[nn.Module], float] | None,
        seed: int,
        before: Fitted | None,
    ) -> TrainJob:
        owner, rows = type(self).__name__, data.rows
        batch_size = batch_rows(self, len(rows))
        stops = data.validation is not None and self.early_stopping is not False
        device = rows.device
        fresh = before is None and not given.incremental and given.task is None
        known = len(rows) if fresh else None
        return TrainJob(
            owner=owner,
            module=fitted.module,
            rows=rows,
            loss=fitted.loss,
            optimizer=optimizer_spec(self, batch_size, known),
            schedule=schedule_spec(self, len(rows), given.incremental),
            stopping=stopping_spec(self, len(rows), stops, given.incremental),
            penalties={k: float(v) for k in ("l1", "l2") if (v := getattr(self, k))},
            batch_size=batch_size,
            seed=seed,
            validation=data.validation,
            monitor=monitor,
            state=optimizer_state(self, before, device) if given.incremental else None,
            architecture_key=self._architecture_key(fitted.architecture),
            layout=data.layout,
            n_outputs=data.n_outputs,
            augmentation=augmentations(self, data.layout),
            weight_mask=fitted.weight_mask,
            checkpoint=make_checkpoint(owner, self.checkpoint),
            frozen=frozenset(fitted.frozen),
            n_ranks=n_ranks_of(owner, self.device),
        )


def on_sample(job: TrainJob, change: Callable[[TrainJob], TrainJob]) -> TrainJob:
    """Let a function that looks at rows change a job: at those in memory, if not all."""
    changed = change(dataclasses.replace(job, rows=job.rows.sample))
    return dataclasses.replace(changed, rows=job.rows)


def prepare(
    network: TrainsNetwork,
    given: FitArguments,
    before: Fitted | None = None,
    seed: int | None = None,
) -> Prepared:
    """Make the job of one ``fit`` or ``partial_fit``.

    Parameters
    ----------
    network : DeepEstimator
        It is not modified.
    given : FitArguments
    before : Fitted or None
        The network whose training continues; None for a fresh one.
    seed : int or None
        None draws one from ``random_state``.
    """
    return network._prepare(given, before, seed)


def fit_task(network: TrainsNetwork, given: FitArguments) -> Fitted:
    """Train a network, which is not fitted, for the task of the arguments."""
    with failing_together():
        return fitted_of(network._fit(given))


def copy_module(network: TrainsNetwork) -> nn.Module:
    """The module of a fitted network, built anew with a copy of its values."""
    fitted = fitted_of(network)
    return network._load_module(fitted, fitted.module.state_dict())


def split_rows(network: TrainsNetwork, given: FitArguments) -> tuple[Part, Part | None]:
    """Validated rows of a fit, and those that a fitted network was not trained on."""
    before = fitted_of(network)
    task = network._task(task_settings(network))
    split = network._split(task, given, before, device_of(before.module), before.seed)
    return split.whole, split.validation


def check_rows(network: TrainsNetwork, given: FitArguments) -> Part:
    """Validate the rows of a fit as ``fit`` does; nothing is trained or modified."""
    check_params(network, network._rules)
    task = network._task(task_settings(network))
    device = resolve_device(type(network).__name__, network.device)
    dtype = fit_dtype(network, device)
    return validate(task, network._make_features(), given, dtype, fresh=True)


def check_targets(network: TrainsNetwork, y: Any) -> tuple[Any, np.ndarray | None]:
    """Validated targets, and the sorted labels of rows that have one each."""
    owner = type(network).__name__
    if y is None:
        raise ValueError(f"{owner} requires y to be passed, but the target y is None.")
    refuse_missing_targets(y, owner)
    if not hasattr(y, "toarray") and np.asarray(y).dtype.kind == "f":
        assert_all_finite(y, input_name="y")
    task = network._task(task_settings(network))
    y = task.check(y)
    return y, task.classes(y)


def encode_rows(network: TrainsNetwork, part: Part) -> Rows:
    """Rows of a fit with their weights, as input of a fitted network's module."""
    fitted = fitted_of(network)
    task = network._task(task_settings(network))
    return encode(task, fitted.targets, part, device_of(fitted.module))


def adopt(
    network: TrainsNetwork,
    features: Any,
    layout: Layout,
    targets: Targets,
    values: dict[str, Any],
    history: list[dict[str, Any]],
) -> None:
    """Make an estimator fitted with a network that was trained elsewhere.

    Parameters
    ----------
    network : DeepEstimator
        Not fitted; its parameters describe the network.
    features : Features
        What is known of X.
    layout : Layout
        The layout of a row.
    targets : Targets
        What is known of y.
    values : dict of str to ndarray
        Parameters and buffers of the module, in one floating-point dtype.
    history : list of dict
        One row per epoch of the training, as far as it is known; may be empty.

    Raises
    ------
    InvalidParameterError
        If a parameter of the estimator is not allowed.
    """
    check_params(network, network._rules)
    loss = make_loss(network, targets)
    n_raw = targets.n_outputs * loss.raw_per_target
    floating = [v.dtype for v in values.values() if v.dtype.kind == "f"]
    fitted = Fitted(
        module=nn.Identity(),
        architecture=network._architecture(layout, n_raw, targets.kind),
        features=features,
        targets=targets,
        loss=loss,
        seed=draw_seed(network.random_state),
        dtype=np.dtype(floating[0]),
        history=history,
        best_epoch=len(history),
        stop_reason="max_epochs",
    )
    # A row is enough for the settings of a training that there was not.
    batch, spec = batch_rows(network, 1), optimizer_spec(network, 1)
    settings = NetSettings(
        type(network).__name__, spec, n_epochs(network, 1), batch, n_raw
    )
    network._fitted = dataclasses.replace(
        fitted,
        module=network._load_module(fitted, values),
        learning_rate=spec.learning_rate,
        net_settings=settings,
    )
