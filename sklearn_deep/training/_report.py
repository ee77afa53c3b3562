"""What the stacked backend did in the last call that trained networks."""

import threading
import time
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class StackingReport:
    """What happened in one call with ``backend="stacked"``.

    Attributes
    ----------
    stacks : list of int
        Width of each stack: the networks that were trained as one.
    alone : dict of str to int
        How many networks trained by themselves, and why.
    training_seconds : float
        Wall time during which at least one network was in training.
    seconds : float
        Wall time of the whole call.
    """

    stacks: list[int] = field(default_factory=list)
    alone: dict[str, int] = field(default_factory=Counter)
    training_seconds: float = 0.0
    seconds: float = 0.0

    @property
    def n_networks(self) -> int:
        """Networks that were trained."""
        return sum(self.stacks) + sum(self.alone.values())

    @property
    def other_seconds(self) -> float:
        """Wall time of all else: transformers, predictions, scores."""
        return self.seconds - self.training_seconds

    def __str__(self) -> str:
        widths = Counter(self.stacks)
        stacks = ", ".join(
            f"{n} of {width}" for width, n in sorted(widths.items())[::-1]
        )
        lines = [f"{self.n_networks} networks in {self.seconds:.1f} s"]
        lines.append(f"  stacks: {stacks or 'none'}")
        lines += [f"  alone: {n} ({reason})" for reason, n in self.alone.items()]
        lines.append(
            f"  {self.training_seconds:.1f} s training, {self.other_seconds:.1f} s else"
        )
        return "\n".join(lines)


class Recorder:
    """Writes a report while things happen, in several threads."""

    def __init__(self) -> None:
        self.report = StackingReport()
        self._lock = threading.Lock()
        self._start = time.monotonic()
        self._training, self._since = 0, 0.0

    def begin_training(self, width: int, reason: str | None) -> None:
        """Note a stack, or a network that stands alone for a reason."""
        with self._lock:
            if reason is None:
                self.report.stacks.append(width)
            else:
                self.report.alone[reason] += width  # type: ignore[operator]
            if self._training == 0:
                self._since = time.monotonic()
            self._training += 1

    def end_training(self) -> None:
        """Note its end."""
        with self._lock:
            self._training -= 1
            if self._training == 0:
                self.report.training_seconds += time.monotonic() - self._since

    def end(self) -> None:
        """Close the report; if networks were trained, it is now the last one."""
        global _last
        if not self.report.n_networks:
            return
        self.report.seconds = time.monotonic() - self._start
        self.report.alone = dict(self.report.alone)
        _last = self.report


_last: StackingReport | None = None


def stacking_report() -> StackingReport:
    """Tell what the last call with ``backend="stacked"`` did that trained networks.

    Returns
    -------
    report : StackingReport
        How many stacks of what width there were, what trained alone and why, and how
        the seconds were spent; ``print`` shows it.

    Raises
    ------
    RuntimeError
        When there has been no such call in this process.

    Examples
    --------
    >>> import joblib
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn_deep import MLPClassifier, stacking_report
    >>> X, y = load_iris(return_X_y=True)
    >>> net = MLPClassifier((8,), max_epochs=5, random_state=0)
    >>> with joblib.parallel_config(backend="stacked"):
    ...     scores = cross_val_score(net, X, y, cv=6)
    >>> stacking_report().n_networks
    6
    """
    if _last is None:
        raise RuntimeError(
            "stacking_report() tells of the last call with the stacked backend, and"
            " there has been none in this process. Use: with"
            " joblib.parallel_config(backend='stacked'): ..."
        )
    return _last
