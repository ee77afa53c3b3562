"""The policy search of ``AutoAugment`` before the main training."""

import dataclasses
from collections.abc import Sequence
from contextlib import ExitStack

import numpy as np
import torch

from sklearn_deep.augmentation._auto import AutoAugment, candidates
from sklearn_deep.augmentation._policies import Policy
from sklearn_deep.data._split import validation_split
from sklearn_deep.exceptions import InvalidParameterError, TrainingDivergedError
from sklearn_deep.nn._randomness import copy_to_train
from sklearn_deep.training.checkpoints._recorder import recording
from sklearn_deep.training.checkpoints._remembered import remembered
from sklearn_deep.training.job._job import OptimizerState, TrainJob
from sklearn_deep.training.job._seeds import generator
from sklearn_deep.training.job._stopping import StoppingSpec
from sklearn_deep.training.loop._loop import train_alone
from sklearn_deep.training.stacking._entries import Member
from sklearn_deep.training.stacking._grouping import plan_units
from sklearn_deep.training.stacking._stack import train_stack

Found = tuple[Policy, ...]


def with_found_policy(
    job: TrainJob, earlier: Found | None = None
) -> tuple[TrainJob, Found | None]:
    """Replace an ``AutoAugment`` in a job by the policy that a search finds.

    Parameters
    ----------
    job : TrainJob
        Its module and rows are not modified.
    earlier : tuple of Policy or None
        Policy found by the fit that this one resumes; it is used without a search.

    Returns
    -------
    job : TrainJob
        Job with the policy.
    found : tuple of Policy or None
        The policy; an empty tuple if no augmentation was best; None without a search.

    Raises
    ------
    InvalidParameterError
        If there is more than one ``AutoAugment``.
    ValueError
        If there are too few training rows to score policies on a part of them.
    """
    places = [
        i for i, item in enumerate(job.augmentation) if isinstance(item, AutoAugment)
    ]
    if not places:
        return job, None
    if len(places) > 1:
        raise InvalidParameterError(
            f"The 'augmentation' parameter of {job.owner} must have at most one"
            f" AutoAugment. Got {len(places)}: put all operations into one."
        )
    (place,) = places
    before, after = job.augmentation[:place], job.augmentation[place + 1 :]
    found = earlier
    if found is None:
        found = _search(job, job.augmentation[place], before, after)
    return dataclasses.replace(job, augmentation=(*before, *found, *after)), found


def _search(job: TrainJob, search: AutoAugment, before: tuple, after: tuple) -> Found:
    """Train one network per candidate; return the policy with the lowest loss."""
    assert job.layout is not None
    draws = generator(job.seed, "policy")
    policies = candidates(search, job.layout.kind, draws)
    trials = [(*before, *policy, *after) for policy in policies]
    best = remembered(
        job, "policy", lambda: _best_of(_child(job.to_device(), search), trials)
    )
    return policies[best]


def _best_of(job: TrainJob, trials: Sequence[tuple]) -> int:
    """Number of the augmentations with which a short training has the lowest loss."""
    jobs = [
        dataclasses.replace(
            job,
            module=copy_to_train(job.module),
            augmentation=augmentation,
        )
        for augmentation in trials
    ]
    members = _trained(jobs)
    losses = [_lowest_loss(member) for member in members]
    # argmin takes the first of ties: no augmentation comes first, then weak policies.
    best = int(np.argmin(losses))
    if (error := members[best].error) is not None:  # all of them diverged
        raise error
    return best


def _child(job: TrainJob, search: AutoAugment) -> TrainJob:
    """Job of a candidate: a short training on a part of the rows."""
    train, aside = _split(job, search.validation_share)
    share = search.n_epochs / max(job.schedule.epochs, 1)
    schedule = dataclasses.replace(
        job.schedule, epochs=search.n_epochs, warmup=job.schedule.warmup * share
    )
    return dataclasses.replace(
        job,
        rows=job.rows.part(torch.from_numpy(train).to(job.rows.device)),
        validation=job.rows.part(torch.from_numpy(aside).to(job.rows.device)),
        monitor=None,
        batch_size=min(job.batch_size, len(train)),
        schedule=schedule,
        stopping=StoppingSpec(max_epochs=search.n_epochs),
        state=None if job.state is None else OptimizerState(),
    )


def _split(job: TrainJob, share: float) -> tuple[np.ndarray, np.ndarray]:
    n_rows = len(job.rows)
    if not 1 <= round(share * n_rows) < n_rows:
        raise ValueError(
            f"{job.owner}: AutoAugment cannot set aside validation_share={share:g} of"
            f" {n_rows} training rows to score policies on. Use RandAugment or"
            " TrivialAugment for so few rows."
        )
    y = job.rows.y
    classes = {"softmax": y, "sigmoid": y[:, 0] if y.ndim == 2 else y}.get(
        job.loss.kind
    )
    alike = None if classes is None else classes.cpu().numpy()
    return validation_split(n_rows, share, job.seed, stratify=alike)


def _trained(jobs: Sequence[TrainJob]) -> list[Member]:
    """Train jobs, stacked if that is faster; each member gets its result or error."""
    with ExitStack() as recorders:
        members = [
            Member(job, recorder=recorders.enter_context(recording(job)))
            for job in jobs
        ]
        # Plan for one core: other fits may use the others.
        for unit in plan_units(members, cores=1):
            if len(unit.members) > 1:
                train_stack(unit.members)
            else:
                _train_one(unit.members[0])
    return members


def _train_one(member: Member) -> None:
    try:
        member.result = train_alone(member.job, recorder=member.recorder)
    except TrainingDivergedError as error:
        member.error = error


def _lowest_loss(member: Member) -> float:
    """Lowest validation loss of all epochs; infinite if training diverged."""
    if member.result is not None:
        return min(row["valid_loss"] for row in member.result.history)
    if isinstance(member.error, TrainingDivergedError):
        return np.inf
    assert member.error is not None
    raise member.error
