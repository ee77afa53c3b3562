"""Entry point of training: ``train(job) -> TrainResult``, alone or in a stack."""

from collections.abc import Sequence

from sklearn_deep.exceptions import InvalidParameterError
from sklearn_deep.training.checkpoints._follower import recording_of_first
from sklearn_deep.training.checkpoints._recorder import recording
from sklearn_deep.training.job._job import TrainJob, TrainResult
from sklearn_deep.training.loop._run import Watcher
from sklearn_deep.training.ranks._alike import check_alike
from sklearn_deep.training.ranks._group import current_ranks, may_start
from sklearn_deep.training.ranks._pool import started_ranks
from sklearn_deep.training.ranks._ranks import Ranks
from sklearn_deep.training.stacking._entries import Member
from sklearn_deep.training.stacking._stack import train_by_itself
from sklearn_deep.training.stacking._tasks import current_task


def train(job: TrainJob, watchers: Sequence[Watcher] = ()) -> TrainResult:
    """Train the job's module in place; continue where its checkpoint has a state.

    Raises
    ------
    TrainingDivergedError
        When the loss or a weight is no longer finite after an epoch.
    """
    ranks = current_ranks()
    if ranks is not None:
        return _train_together(job, watchers, ranks)
    if job.n_ranks > 1 and may_start():
        return _train_with_children(job, watchers)
    task = current_task()
    contents = None if task is None else task.call.scheduler.contents
    with recording(job, contents) as recorder:
        finished = recorder is not None and recorder.finished
        if task is None or finished:
            return train_by_itself(job, watchers, recorder)
        return task.call.scheduler.train(task, Member(job, watchers, recorder))


def _train_together(
    job: TrainJob, watchers: Sequence[Watcher], ranks: Ranks
) -> TrainResult:
    """Train a job on the ranks that run one script."""
    if job.n_ranks > 1:
        raise InvalidParameterError(
            f"The 'device' parameter of {job.owner} asks for {job.n_ranks} processes, and"
            f" this script already runs in {ranks.size}, which train each fit together. Set"
            f" device={job.rows.device.type!r}."
        )
    check_alike(job, ranks)
    return train_as_rank(job, watchers, ranks)


def _train_with_children(job: TrainJob, watchers: Sequence[Watcher]) -> TrainResult:
    """Train a job on ranks that this process starts."""
    if any(watcher.per_batch for watcher in watchers):
        raise InvalidParameterError(
            f"The 'callbacks' of {job.owner} would run in one of {job.n_ranks} processes"
            " only, and change one copy of the network. Start the script by torchrun with"
            f" device={job.rows.device.type!r}: then they run in all."
        )
    with started_ranks(job) as ranks:
        return train_as_rank(job, watchers, ranks)


def train_as_rank(
    job: TrainJob, watchers: Sequence[Watcher], ranks: Ranks
) -> TrainResult:
    """Train a job that all ranks have; the first one alone writes."""
    if not ranks.is_first:
        watchers = [watcher for watcher in watchers if not watcher.only_on_first]
    with recording_of_first(job, ranks) as recorder:
        return train_by_itself(job, watchers, recorder)
