"""What the stacked backend did in the last call that trained networks."""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class StackingReport:
    """What happened in one call with ``backend="stacked"``; ``print`` shows it.

    Parameters
    ----------
    stacks : list of int
        Width of each stack: the networks that were trained as one.
    alone : dict of str to int
        How many networks trained by themselves, and why.
    training_seconds : float
        Wall time in seconds during which at least one network was in training.
    seconds : float
        Wall time in seconds of the whole call.
    met_early : int, default=0
        How often networks were trained without waiting for further ones, because the
        running tasks waited themselves: for a lock that another task held, or for a
        subprocess.
    workers : dict of str to int, default=None
        With ``over``: how many networks each worker trained, by its host and process
        number. Then ``training_seconds`` is that of the worker with most of it.

    See Also
    --------
    stacking_report : Gives that of the last call.

    Examples
    --------
    >>> from sklearn_deep import StackingReport
    >>> report = StackingReport([8, 8], {"lbfgs": 1}, 1.5, 2.0)
    >>> print(report)
    17 networks in 2.0 s
      stacks: 2 of 8
      alone: 1 (lbfgs)
      1.5 s training, 0.5 s else
    """

    stacks: list[int]
    alone: dict[str, int]
    training_seconds: float
    seconds: float
    met_early: int = 0
    workers: dict[str, int] | None = None

    @property
    def n_networks(self) -> int:
        """Networks that were trained."""
        return sum(self.stacks) + sum(self.alone.values())

    @property
    def other_seconds(self) -> float:
        """Wall time in seconds of all else: transformers, predictions, scores."""
        return self.seconds - self.training_seconds

    def __str__(self) -> str:
        widths = sorted(Counter(self.stacks).items(), reverse=True)
        stacks = ", ".join(f"{n} of {width}" for width, n in widths)
        lines = [f"{self.n_networks} networks in {self.seconds:.1f} s"]
        lines.append(f"  stacks: {stacks or 'none'}")
        lines += [f"  alone: {n} ({reason})" for reason, n in self.alone.items()]
        if self.met_early:
            lines.append(f"  met early: {self.met_early} (tasks waited for a lock)")
        if self.workers:
            counts = ", ".join(map(str, self.workers.values()))
            lines.append(f"  workers: {len(self.workers)}, with {counts} networks")
        lines.append(
            f"  {self.training_seconds:.1f} s training, {self.other_seconds:.1f} s else"
        )
        return "\n".join(lines)


class Recorder:
    """Collects the numbers of a report from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._start = time.monotonic()
        self._stacks: list[int] = []
        self._alone: Counter[str] = Counter()
        self._seconds, self._training, self._since = 0.0, 0, 0.0
        self._met_early = 0
        # Warnings of tasks that are shown elsewhere: message, category, file and line.
        self.warned: list[tuple[Warning | str, type[Warning], str, int]] = []

    def begin_training(self, width: int, reason: str | None) -> None:
        """Note a stack, or a single network and its reason."""
        with self._lock:
            if reason is None:
                self._stacks.append(width)
            else:
                self._alone[reason] += width
            if self._training == 0:
                self._since = time.monotonic()
            self._training += 1

    def end_training(self) -> None:
        """Note its end."""
        with self._lock:
            self._training -= 1
            if self._training == 0:
                self._seconds += time.monotonic() - self._since

    def met_early(self) -> None:
        """Note that jobs did not wait for further ones."""
        with self._lock:
            self._met_early += 1

    def report(self) -> StackingReport | None:
        """The report, if networks were trained."""
        if not (self._stacks or self._alone):
            return None
        seconds = time.monotonic() - self._start
        alone = dict(self._alone)
        return StackingReport(
            self._stacks, alone, self._seconds, seconds, self._met_early
        )


def merge(
    reports: Sequence[tuple[str, StackingReport | None]], seconds: float
) -> StackingReport | None:
    """One report of those of groups, each with the name of its worker."""
    found = [(worker, each) for worker, each in reports if each is not None]
    if not found:
        return None
    alone: Counter[str] = Counter()
    networks: Counter[str] = Counter()
    training: Counter[str] = Counter()
    for worker, each in found:
        alone.update(each.alone)
        networks[worker] += each.n_networks
        training[worker] += each.training_seconds  # type: ignore[assignment]
    return StackingReport(
        [width for _, each in found for width in each.stacks],
        dict(alone),
        min(seconds, max(training.values())),  # its groups may train at one time
        seconds,
        sum(each.met_early for _, each in found),
        dict(sorted(networks.items())),
    )


def publish(report: StackingReport | None) -> None:
    """Give it to ``stacking_report``, if there is one."""
    global _last
    if report is not None:
        _last = report


_last: StackingReport | None = None


def stacking_report() -> StackingReport:
    """Tell what the last call with ``backend="stacked"`` did that trained networks.

    Returns
    -------
    report : StackingReport
        How many stacks of what width there were, what trained alone and why, and how
        the seconds were spent.

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
