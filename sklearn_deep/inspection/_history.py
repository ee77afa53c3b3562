"""What the losses of a fit say about it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import t as student

# The end of a fit is its last quarter, and so many epochs at least.
_END, _FEWEST = 0.25, 5

# Confidence from which on a trend is one, and the share of the whole fall of a loss below
# which it does not matter.
_SURE, _MATTERS = 0.95, 0.02

STILL_FALLING = "the losses were still falling at the end"
OVERFITS = "overfits after epoch {epoch}"
SETTLED = "settled"
TOO_SHORT = ""  # too few epochs to tell


def history_verdict(history: Sequence[Mapping[str, Any]], best_epoch: int) -> str:
    """Say in a few words how a fit went.

    Parameters
    ----------
    history : sequence of dict
        Rows with train_loss and valid_loss (NaN without validation rows).
    best_epoch : int
        Epoch, from 1, whose weights were kept.
    """
    train, valid = (
        np.array([row[name] for row in history], float)
        for name in ("train_loss", "valid_loss")
    )
    watched = train if np.isnan(valid).all() else valid
    n_end = max(_FEWEST, round(_END * len(train)))
    if len(train) < 2 * _FEWEST:
        return TOO_SHORT
    end, later = watched[-n_end:], watched[max(best_epoch, len(watched) - n_end) :]
    best = _around(watched, best_epoch - 1)
    if watched is valid and len(later) >= _FEWEST and _is_above(later, best, watched):
        return OVERFITS.format(epoch=best_epoch)
    return STILL_FALLING if _trend(end, watched) < 0 else SETTLED


def _around(losses: np.ndarray, place: int) -> np.ndarray:
    """Losses of neighbouring epochs: the best one alone is low by chance too."""
    start = min(max(place - _FEWEST // 2, 0), len(losses) - _FEWEST)
    return losses[start : start + _FEWEST]


def _is_above(end: np.ndarray, best: np.ndarray, whole: np.ndarray) -> bool:
    """Whether the mean loss at the end is certainly above that around the best epoch."""
    rise = float(end.mean() - best.mean())
    error = np.sqrt(end.var(ddof=1) / len(end) + best.var(ddof=1) / len(best))
    sure = student.cdf(rise / error, _FEWEST - 1) >= _SURE if error else rise > 0
    return bool(sure and rise > _MATTERS * float(np.ptp(whole)))


def _trend(part: np.ndarray, whole: np.ndarray) -> int:
    """The sign of a slope that is certain and matters; 0 for none."""
    n = len(part)
    x = np.arange(n) - (n - 1) / 2
    slope = float(x @ part / (x @ x))
    rest = part - part.mean() - slope * x
    error = float(np.sqrt(rest @ rest / max(n - 2, 1) / (x @ x)))
    change, fall = abs(slope) * (n - 1), float(np.ptp(whole))
    sure = error == 0.0 or student.cdf(abs(slope) / error, max(n - 2, 1)) >= _SURE
    return int(np.sign(slope)) if sure and change > _MATTERS * fall else 0
