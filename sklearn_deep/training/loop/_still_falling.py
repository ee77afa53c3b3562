"""Whether a training that used all of its epochs ended too early."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from sklearn_deep.training.job._job import TrainResult

# A loss is still falling where the second half of the epochs brought more than this
# share of the way from a constant prediction. With the default schedules it brings less
# than 0.11 on the data sets of the benchmark, and 0.2 to 1 in fits of 2 to 5 epochs.
_SHARE = 0.15
# The fall of the second half is this many times the change between two of its epochs
# that is noise: of batches, dropout and augmentation.
_CERTAIN = 2.0
# The best epoch by the validation rows is one of the last so many, as a share.
_LAST = 0.2


def is_still_falling(result: TrainResult, constant: Callable[[], float]) -> bool:
    """Tell whether more epochs would have lowered the loss a lot.

    Parameters
    ----------
    result : TrainResult
    constant : callable ``() -> float``
        Loss of a constant prediction; called where the rest says yes.
    """
    losses = [row["train_loss"] for row in result.history]
    n = len(losses)
    if result.stop_reason != "max_epochs" or n < 2 or not _ends_at_best(result):
        return False
    half, end = losses[(n - 1) // 2], losses[-1]
    fall = half - end
    if fall <= _CERTAIN * _noise(losses[(n - 1) // 2 :]):
        return False
    start = max(losses[0], half)
    return fall > _SHARE * (start - end) and fall > _SHARE * (
        max(start, constant()) - end
    )


def _ends_at_best(result: TrainResult) -> bool:
    """Whether validation rows, if there are any, were best predicted near the end."""
    n = len(result.history)
    losses = [row["valid_loss"] for row in result.history]
    if math.isnan(losses[-1]):
        return True
    best = int(np.nanargmin(losses)) + 1
    return best > n - max(1, round(_LAST * n))


def _noise(losses: Sequence[float]) -> float:
    """Standard deviation of changes between epochs around their mean; 0 for a few."""
    changes = np.diff(losses)
    return float(changes.std()) if len(changes) > 2 else 0.0
