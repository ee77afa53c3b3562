"""Faults that files and checkpoints have to survive: kills, damage, hostile content.

Each half is a module with a function ``rows(short)``, which yields pairs of a name and a
dict of numbers.
"""

import argparse
from importlib import import_module
from importlib.util import find_spec

HALVES = {"files": "_survival_files", "checkpoints": "_survival_checkpoints"}


def shown(numbers):
    return ", ".join(
        f"{name}: {value:.3g}" if isinstance(value, float) else f"{name}: {value}"
        for name, value in numbers.items()
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="a minute, few trials")
    parser.add_argument("--only", choices=HALVES)
    given = parser.parse_args()
    for name, module in HALVES.items():
        if given.only in (None, name) and find_spec(module) is not None:
            for what, numbers in import_module(module).rows(given.short):
                print(f"{what}: {shown(numbers)}", flush=True)


if __name__ == "__main__":
    main()
