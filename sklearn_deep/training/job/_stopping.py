"""When training ends, and which epoch's weights it keeps."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class StoppingSpec:
    """Rules that end training.

    Attributes
    ----------
    max_epochs : int
    n_iter_no_change : int or None
        Training ends after this many epochs without an improvement of more than ``tol``;
        None disables this rule.
    tol : float
        Smallest improvement of the monitored value that counts.
    restore_best : bool
        Whether the weights of the best epoch are restored at the end.
    time_limit : float or None
        Seconds of training.
    on_validation : bool
        Whether the validation rows, rather than the training loss, are monitored.
    """

    max_epochs: int
    n_iter_no_change: int | None = None
    tol: float = 0.0
    restore_best: bool = False
    time_limit: float | None = None
    on_validation: bool = False


class Stopper:
    """State of early stopping during one run; lower monitored values are better."""

    def __init__(self, spec: StoppingSpec):
        self._spec = spec
        self.best = math.inf
        self.best_epoch = 0
        self._reference = math.inf
        self._waited = 0

    def observe(self, value: float, epoch: int) -> bool:
        """Record the value of an epoch; return whether it is the best so far."""
        # Progress below tol adds up: it is measured against the last epoch that
        # counted as an improvement.
        if value < self._reference - self._spec.tol:
            self._reference, self._waited = value, 0
        else:
            self._waited += 1
        better = value < self.best
        if better:
            self.best, self.best_epoch = value, epoch
        return better

    def reason(self, epochs: int, seconds: float) -> str | None:
        """Why training ends here, or None."""
        spec = self._spec
        if spec.n_iter_no_change is not None and self._waited >= spec.n_iter_no_change:
            return "early_stopping" if spec.on_validation else "converged"
        if self.out_of_time(seconds):
            return "time_limit"
        return "max_epochs" if epochs >= spec.max_epochs else None

    def out_of_time(self, seconds: float) -> bool:
        """Tell whether the time limit has passed."""
        return self._spec.time_limit is not None and seconds >= self._spec.time_limit

    def state(self) -> dict[str, Any]:
        """What it has observed so far, as plain numbers."""
        return {
            "best": self.best,
            "best_epoch": self.best_epoch,
            "reference": self._reference,
            "waited": self._waited,
        }

    def resume(self, state: Mapping[str, Any]) -> None:
        """Continue from a state."""
        self.best, self.best_epoch = state["best"], state["best_epoch"]
        self._reference, self._waited = state["reference"], state["waited"]
