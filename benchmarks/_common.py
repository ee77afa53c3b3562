"""What the benchmarks share: fair timing, and tables.

Times on shared machines are noise; ratios of times that were taken in turn, in one
run, are not. So every contestant runs in every round, and its best round counts.
"""

import platform
import time
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("numpy", "scikit-learn", "torch", "skorch")


def best_times(
    contestants: Mapping[str, Callable[[], object]],
    rounds: int,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, float]:
    """Seconds of each contestant's best round; all run in every round, in turn."""
    best = dict.fromkeys(contestants, float("inf"))
    for _ in range(rounds):
        for name, run in contestants.items():
            start = clock()
            run()
            best[name] = min(best[name], clock() - start)
    return best


def print_versions(more: tuple[str, ...] = ()) -> None:
    """Name what was measured, with more libraries than all benchmarks use."""
    found = [f"Python {platform.python_version()}"]
    for package in (*PACKAGES, *more):
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} -")
    print(", ".join(found), end="\n\n", flush=True)


def print_table(head: list[str], rows: list[list[object]]) -> None:
    """Print a Markdown table."""
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(map(_cell, row)) + " |")
    print(flush=True)


def verdict(holds: bool, floor: str) -> str:
    """One line on a floor."""
    return f"- {floor}: {'holds' if holds else 'MISSED'}"


def _cell(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)
