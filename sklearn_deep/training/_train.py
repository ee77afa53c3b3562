"""Entry point of training: ``train(job) -> TrainResult``, alone or in a stack."""

from collections.abc import Sequence

from sklearn_deep.training.checkpoints._follower import recording_of_first
from sklearn_deep.training.checkpoints._recorder import recording
from sklearn_deep.training.job._job import TrainJob, TrainResult
from sklearn_deep.training.loop._run import Watcher
from sklearn_deep.training.ranks._alike import check_alike
from sklearn_deep.training.ranks._group import current_ranks
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
    """Train a job on several ranks; the first one alone writes."""
    check_alike(job, ranks)
    if not ranks.is_first:
        watchers = [watcher for watcher in watchers if not watcher.only_on_first]
    with recording_of_first(job, ranks) as recorder:
        return train_by_itself(job, watchers, recorder)
