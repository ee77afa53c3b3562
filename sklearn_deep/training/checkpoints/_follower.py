"""States of a fit that several ranks train: the first one reads and stores them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from sklearn_deep.training.checkpoints._recorder import Capture, Recorder, recording
from sklearn_deep.training.checkpoints._run_state import RunState
from sklearn_deep.training.job._job import TrainJob
from sklearn_deep.training.ranks._ranks import Ranks


class Follower(Recorder):
    """What a rank other than the first has as its recorder; it stores nothing.

    Parameters
    ----------
    found : RunState or None
        The state from which the fit continues, as the first rank has read it.
    """

    def __init__(self, found: RunState | None):
        self.found = found
        self.finished = found is not None and bool(found.numbers["done"])
        self.of_stack = self._of_stack()
        self._process = os.getpid()

    def end_epoch(self, capture: Capture) -> None:
        """Store nothing."""

    def end(self, capture: Capture) -> None:
        """Store nothing."""

    def flush(self, durable: bool = True) -> None:
        """Store nothing."""


@contextmanager
def recording_of_first(job: TrainJob, ranks: Ranks) -> Iterator[Recorder | None]:
    """The recorder of a job on the first rank; on the others one that stores nothing."""
    if job.checkpoint is None:
        yield None
        return
    if ranks.is_first:
        with recording(job) as recorder:
            found = None if recorder is None else recorder.found
            ranks.of_first((recorder is not None, found))
            yield recorder
    else:
        stores, found = ranks.of_first(None)
        yield Follower(found) if stores else None
