"""Accuracy, time and memory of the defaults on tables, beside the usual peers.

    python benchmarks/accuracy.py --data DIR [--sets adult ...] [--noisy]
        [--scaling]
        [--contestants MLP HistGB ...] [--peers] [--splits 3] [--results FILE]

Every contestant has its defaults and a table's frame: networks behind scaling and
one-hot columns, boosting with its own categories and missing values. ``--peers`` adds
networks of pytabkit, in an environment of their own that the first run installs.
Published splits are used where there are any (repeated with other seeds where there is
one), else random 80/20 splits; sets of fewer than 2,000 rows are run on four times as
many. ``--noisy`` adds bootstrap samples of 1,000 and 5,000 training rows, and samples of
2,000 rows with a fifth of all labels exchanged. ``--scaling`` takes samples of adult instead,
of 1,000 to 200,000 rows and of up to 112 columns.

With ``--results`` every fit is kept in that file, and a run goes on where the last one
ended; the tables are printed of all that the file has for the asked sets.
"""

import argparse
import json
import os
import sys
from collections import defaultdict
from pathlib import Path

import _fits
import _peers
import numpy as np
from _common import print_table, print_versions
from _contestants import CONTESTANTS, PEERS
from _floors import verdicts
from _tables import NOISY, PUBLISHED, SCALING, SETS, load


class Results:
    """Fits by (set, contestant, split), in memory and, if asked, in a file."""

    def __init__(self, path=None):
        self._path = None if path is None else Path(path)
        known = self._path is not None and self._path.exists()
        self._fits = json.loads(self._path.read_text()) if known else {}

    def __contains__(self, key):
        return self._name(key) in self._fits

    def add(self, key, fit):
        """Keep a fit; the file is replaced as a whole, so that it is never torn."""
        self._fits[self._name(key)] = fit
        if self._path is not None:
            fresh = self._path.with_suffix(".new")
            fresh.write_text(json.dumps(self._fits, indent=0))
            os.replace(fresh, self._path)

    def of(self, sets):
        """Fits of some sets: {set: {contestant: {split: fit}}}."""
        found = {name: defaultdict(dict) for name in sets}
        for key, fit in self._fits.items():
            name, contestant, split = key.split(" | ")
            if name in found:
                found[name][contestant][int(split)] = fit
        return {name: fits for name, fits in found.items() if fits}

    @staticmethod
    def _name(key):
        return " | ".join(map(str, key))


def measure(contestant, table, split):
    """One fit: error, log loss (None of numbers), CPU seconds, megabytes."""
    place = _peers if contestant in PEERS else _fits
    found = place.fit(contestant, table, split)
    error, loss = _fits.scores(table, split, found)
    return {
        "error": error,
        "log_loss": loss,
        "seconds": found["seconds"],
        "megabytes": found["megabytes"],
    }


def run(args, results):
    """Measure what is not in the results yet, one fit at a time."""
    warm = set()
    for name in args.sets:
        table = load(args.data, name)
        for contestant in args.contestants:
            for split in range(table.n_splits(args.splits)):
                key = (name, contestant, split)
                if key in results:
                    continue
                if contestant in CONTESTANTS and contestant not in warm:
                    _fits.warm_up(contestant)
                    warm.add(contestant)
                results.add(key, measure(contestant, table, split))
                print("...", *key, file=sys.stderr, flush=True)


def means(fits, field):
    """Mean and standard error of a field over the splits of one set and contestant."""
    values = np.array([fit[field] for fit in fits.values()], float)
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return values.mean(), error


def _shown(mean, error):
    return f"{mean:.4f}" + ("" if np.isnan(error) else f" ± {error:.4f}")


def print_scores(found, contestants, field):
    """Mean and standard error by set, and the mean rank of each contestant."""
    lines, ranks, of_errors = [], [], field == "error"
    for name, fits in found.items():
        has = [c for c in contestants if c in fits]
        if any(fit[field] is None for c in has for fit in fits[c].values()):
            continue
        cells = {c: means(fits[c], field) for c in has}
        shown = (_shown(*cells[c]) if c in has else "-" for c in contestants)
        error, source = PUBLISHED.get(name, (None, ""))
        published = "" if error is None else f"{error:.4g}"
        lines.append([name, *shown, *([published, source] if of_errors else [])])
        if len(has) == len(contestants):
            order = np.argsort(np.argsort([cells[c][0] for c in has]))
            ranks.append(order + 1)
    if not lines:
        return
    if ranks:
        line = [f"{rank:.2f}" for rank in np.mean(ranks, axis=0)]
        lines.append([f"mean rank on {len(ranks)}", *line, *[""] * 2 * of_errors])
    published = ["published MLP", "source"] if of_errors else []
    print_table([field, *contestants, *published], lines)


def print_costs(found, contestants):
    """CPU seconds and megabytes of a fit, by set."""
    lines = []
    for name, fits in found.items():
        cells = (
            f"{means(fits[c], 'seconds')[0]:.1f} s, {means(fits[c], 'megabytes')[0]:.0f}"
            if c in fits
            else "-"
            for c in contestants
        )
        lines.append([name, *cells])
    print_table(["CPU seconds, MB above the start", *contestants], lines)


def report(found, contestants):
    """Print the tables and the floors."""
    contestants = [c for c in contestants if any(c in fits for fits in found.values())]
    for field in ("error", "log_loss"):
        print_scores(found, contestants, field)
    print_costs(found, contestants)
    for line in verdicts(found):
        print(line)


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of the data sets")
    known = [*SETS, *NOISY, *SCALING]
    parser.add_argument("--sets", nargs="+", choices=known, metavar="SET")
    parser.add_argument("--noisy", action="store_true")
    parser.add_argument("--scaling", action="store_true")
    parser.add_argument("--contestants", nargs="+", choices=[*CONTESTANTS, *PEERS])
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--results", help="JSON file that fits are kept in")
    args = parser.parse_args()
    ordinary = SCALING if args.scaling else [*SETS, *(NOISY if args.noisy else ())]
    args.sets = args.sets or ordinary
    every = [*CONTESTANTS, *(PEERS if args.peers else ())]
    args.contestants = args.contestants or every
    print_versions()
    results = Results(args.results)
    run(args, results)
    report(results.of(args.sets), [*CONTESTANTS, *PEERS])


if __name__ == "__main__":
    main()
