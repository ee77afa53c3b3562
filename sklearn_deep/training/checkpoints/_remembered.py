"""What is found before a training: it is stored where the job has a checkpoint."""

import hashlib
from collections.abc import Callable
from typing import Any

from sklearn_deep.training.checkpoints._recorder import key_of
from sklearn_deep.training.checkpoints._run_state import RunState
from sklearn_deep.training.checkpoints._store import Store
from sklearn_deep.training.job._job import TrainJob


def remembered(job: TrainJob, what: str, find: Callable[[], Any]) -> Any:
    """A value that follows from a job, such as its learning rate; found once.

    Parameters
    ----------
    job : TrainJob
        Before its training.
    what : str
        Name of the value, as it is shown to the user.
    find : callable
        Gives the value: a number, a string, or None.
    """
    key = key_of(job)
    if job.checkpoint is None or key is None:
        return find()
    key = hashlib.sha256(f"{key} {what}".encode()).hexdigest()
    store = Store(job.checkpoint, f"{job.owner}, {what}")
    found = store.read(key)
    if found is not None:
        return found.numbers["value"]
    value = find()
    if job.checkpoint.on_done == "keep":
        store.write(key, RunState({"value": value, "done": True, "history": []}))
    return value
