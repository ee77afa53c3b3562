"""Features of a date beside its place in time: phases of the calendar."""

from collections.abc import Callable

import numpy as np

MICROSECONDS_A_DAY = 86_400_000_000


def _month(days: np.ndarray) -> np.ndarray:
    whole = np.floor(days).astype("datetime64[D]")
    return whole.astype("datetime64[M]").astype(np.int64) % 12 / 12


def _weekday(days: np.ndarray) -> np.ndarray:
    return (np.floor(days) + 3) % 7 / 7  # the first of January 1970 was a Thursday


def _hour(days: np.ndarray) -> np.ndarray:
    return days % 1


CALENDAR: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "month": _month,
    "weekday": _weekday,
    "hour": _hour,
}
"""How far days since 1970, in UTC, are through the cycle of each name, in [0, 1)."""


def phases(name: str, days: np.ndarray) -> np.ndarray:
    """Sine and cosine of a cycle, (n, 2); both are 0 where the date is missing."""
    missing = np.isnan(days)
    angle = 2 * np.pi * CALENDAR[name](np.where(missing, 0, days))
    both = np.column_stack([np.sin(angle), np.cos(angle)])
    both[missing] = 0
    return both


def varying(days: np.ndarray) -> tuple[str, ...]:
    """Names of the cycles whose phase is not the same for all of some days."""
    days = days[~np.isnan(days)]
    if not len(days):
        return ()
    return tuple(name for name, phase in CALENDAR.items() if np.ptp(phase(days)) > 0)
