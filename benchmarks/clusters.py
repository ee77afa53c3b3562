"""Searches on two workers: each engine's own backend, and stacks over it.

Wall time, the workers already running where the engine keeps them. Equal scores are
checked. Ray's backend starts new workers for each call.

    python benchmarks/clusters.py [--rounds 2] [--engines loky dask ray] [--searches N ...]
"""

import argparse
import sys
import time
import warnings

# Dask imports its package ``distributed``, and a file here has that name.
sys.path.append(sys.path.pop(0))

import numpy as np
from _clusters import ENGINES, SEARCHES, contestants, with_backend
from _common import best_times, print_table, print_versions, verdict


def measure(name, engines, rounds):
    """Seconds of each backend for a search, and whether the scores are equal."""
    search = SEARCHES[name]()
    runs = {
        "one process": with_backend(search, backend="sequential"),
        "stacked": with_backend(search, backend="stacked"),
    }
    seconds = best_times(runs, rounds, time.perf_counter)
    expected, equal = runs["one process"](), True
    for engine in engines:
        with ENGINES[engine]():
            own = contestants(search, engine)
            equal &= all(np.array_equal(run(), expected) for run in own.values())
            seconds |= best_times(own, rounds, time.perf_counter)
    return seconds, equal


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--engines", nargs="*", default=list(ENGINES), choices=ENGINES)
    parser.add_argument("--searches", nargs="*", type=int, default=range(len(SEARCHES)))
    options = parser.parse_args()
    print_versions(("joblib", "distributed", "ray"))
    warnings.simplefilter("ignore")  # short trainings
    rows, alike, names = [], True, []
    for number in options.searches:
        name = list(SEARCHES)[number]
        seconds, equal = measure(name, options.engines, options.rounds)
        names, alike = list(seconds), alike and equal
        rows.append([name, *seconds.values()])
    print_table(["wall s, 2 cores", *names], rows)
    print(verdict(alike, "equal scores, bit for bit"))


if __name__ == "__main__":
    main()
