"""The learning rate that a range test finds, for ``learning_rate="auto"``."""

import dataclasses

from sklearn_deep.estimators.core._fitted import Fitted
from sklearn_deep.training.checkpoints._remembered import remembered
from sklearn_deep.training.job._job import TrainJob
from sklearn_deep.training.loop._lr_range import range_test

# The range test goes from one to the other in this many steps.
RANGE_TEST = (1e-6, 10.0, 120)


def with_found_rate(job: TrainJob, before: Fitted | None) -> TrainJob:
    """The job with the learning rate of a range test; lbfgs has none."""
    if job.optimizer.name == "lbfgs":
        return job
    if job.state is not None and before is not None:
        rate = before.learning_rate  # partial_fit: the first call has found it
    else:
        rate = remembered(
            job, "learning rate", lambda: range_test(job, *RANGE_TEST).suggestion
        )
    optimizer = dataclasses.replace(job.optimizer, learning_rate=rate)
    return dataclasses.replace(job, optimizer=optimizer)
