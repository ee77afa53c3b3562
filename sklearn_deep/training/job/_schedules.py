"""The table of learning-rate schedules: a factor on the learning rate over time.

Time ``t`` counts epochs since training began (after the warm-up), as a float:
2.5 is the middle of the third epoch.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

from sklearn_deep._params import Number, Rules, merge_named

Factor = Callable[[float], float]

_POSITIVE_INT = (Number(Integral, 1),)
_SHARE = (Number(low=0, high=1),)
_FACTOR = (Number(low=0, high=1, open_low=True),)


@dataclass(frozen=True)
class ScheduleRow:
    """A row of the table: ``factor(t, total, **params)``, and its parameters.

    ``total`` is the number of epochs that the schedule may last. ``reacts`` marks the
    schedule that follows the monitored value instead of the time.
    """

    factor: Callable[..., float]
    rules: Rules = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    reacts: bool = False


def _constant(t: float, total: float) -> float:
    return 1.0


def _step(t: float, total: float, every: int, factor: float) -> float:
    return factor ** int(t // every)


def _exponential(t: float, total: float, factor: float) -> float:
    return factor ** int(t)


def _anneal(share: float, start: float, end: float) -> float:
    """Half a cosine wave from ``start`` to ``end`` as ``share`` goes from 0 to 1."""
    return end + (start - end) * (1 + math.cos(math.pi * min(share, 1.0))) / 2


def _cosine(t: float, total: float, final: float) -> float:
    return _anneal(t / total, 1.0, final)


def _one_cycle(
    t: float, total: float, start: float, peak_at: float, final: float
) -> float:
    peak = peak_at * total
    if t < peak:
        return _anneal(t / peak, start, 1.0)
    return _anneal((t - peak) / max(total - peak, 1e-12), 1.0, final)


def _warm_restarts(
    t: float, total: float, period: int, multiplier: int, final: float
) -> float:
    length = float(period)
    while t >= length:
        t, length = t - length, length * multiplier
    return _anneal(t / length, 1.0, final)


SCHEDULES: dict[str, ScheduleRow] = {
    "constant": ScheduleRow(_constant),
    "step": ScheduleRow(
        _step,
        rules={"every": _POSITIVE_INT, "factor": _FACTOR},
        defaults={"every": 30, "factor": 0.1},
    ),
    "exponential": ScheduleRow(
        _exponential, rules={"factor": _FACTOR}, defaults={"factor": 0.95}
    ),
    "cosine": ScheduleRow(_cosine, rules={"final": _SHARE}, defaults={"final": 0.0}),
    "one_cycle": ScheduleRow(
        _one_cycle,
        rules={"start": _FACTOR, "peak_at": _SHARE, "final": _SHARE},
        defaults={"start": 0.04, "peak_at": 0.3, "final": 1e-5},
    ),
    "plateau": ScheduleRow(
        _constant,
        rules={"factor": _FACTOR, "patience": (Number(Integral, 0),)},
        defaults={"factor": 0.2, "patience": 4},
        reacts=True,
    ),
    "warm_restarts": ScheduleRow(
        _warm_restarts,
        rules={"period": _POSITIVE_INT, "multiplier": _POSITIVE_INT, "final": _SHARE},
        defaults={"period": 10, "multiplier": 2, "final": 0.0},
    ),
}


@dataclass(frozen=True)
class ScheduleSpec:
    """A row of the table with the values of its parameters.

    Attributes
    ----------
    name : str
    params : dict
    warmup : float
        Epochs of linear increase before the schedule starts.
    epochs : int
        Total number of epochs, warm-up included.
    """

    name: str
    params: Mapping[str, Any]
    warmup: float
    epochs: int

    @classmethod
    def make(
        cls, owner: str, name: str, params: Mapping | None, warmup: float, epochs: int
    ) -> "ScheduleSpec":
        """Check the user's ``schedule_params`` and add the defaults."""
        row = SCHEDULES[name]
        values = merge_named(owner, "schedule_params", params, row.rules, row.defaults)
        return cls(name, values, float(warmup), epochs)

    @property
    def moves(self) -> bool:
        """Whether the learning rate changes at all."""
        return self.name != "constant" or self.warmup > 0


class Schedule:
    """State of a schedule during one run."""

    def __init__(self, spec: ScheduleSpec):
        self._spec, self._row = spec, SCHEDULES[spec.name]
        self._total = max(spec.epochs - spec.warmup, 1e-12)
        self._reduction, self._best, self._waited = 1.0, math.inf, 0

    def factor(self, epochs: float) -> float:
        """Factor on the learning rate, ``epochs`` after the start."""
        warmup = self._spec.warmup
        if epochs < warmup:
            return epochs / warmup
        if self._row.reacts:
            return self._reduction
        return self._row.factor(epochs - warmup, self._total, **self._spec.params)

    def during(self, epoch: int, step: int, n_steps: int) -> float:
        """Factor for a step of an epoch, both counted from 0.

        It is evaluated at the middle of the step: warm-up never starts at a rate of
        zero.
        """
        return self.factor(epoch + (step + 0.5) / n_steps)

    def observe(self, value: float) -> None:
        """Tell the schedule the monitored value of an epoch; lower is better."""
        if not self._row.reacts:
            return
        # A difference of rounding errors is no improvement.
        if value < self._best and not math.isclose(value, self._best, rel_tol=1e-9):
            self._best, self._waited = value, 0
            return
        self._waited += 1
        if self._waited > self._spec.params["patience"]:
            self._reduction *= self._spec.params["factor"]
            self._waited = 0

    def state(self) -> dict[str, Any]:
        """What it has observed so far, as plain numbers."""
        return {
            "reduction": self._reduction,
            "best": self._best,
            "waited": self._waited,
        }

    def resume(self, state: Mapping[str, Any]) -> None:
        """Continue from a state."""
        self._reduction, self._best = state["reduction"], state["best"]
        self._waited = state["waited"]
