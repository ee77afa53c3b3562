"""Peak memory of a fit, as a multiple of X in the compute dtype.

Each case runs in a process of its own; the peak is that of the process, above what it
held before the fit.

    python benchmarks/memory.py
"""

import json
import resource
import subprocess
import sys

import numpy as np
import scipy.sparse as sp
from _common import print_table, print_versions, verdict

ROWS, COLUMNS = 250_000, 100

# name: (input dtype, sparse, compute dtype, parameters)
CASES = {
    "float64": ("float64", False, "float64", {}),
    "float32": ("float32", False, "float32", {}),
    "float64, early stopping": ("float64", False, "float64", {"early_stopping": True}),
    "int64": ("int64", False, "float64", {}),
    "float64 to float32": ("float64", False, "float32", {"dtype": "float32"}),
    "CSR, 5 % full": ("float64", True, "float64", {}),
}


def peak():
    """Largest resident size of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def csr(rng, per_row):
    """A sparse matrix, made without large temporaries that would hide the fit's peak."""
    columns = np.arange(0, COLUMNS, COLUMNS // per_row)
    values = rng.normal(size=ROWS * per_row)
    starts = np.arange(0, ROWS * per_row + 1, per_row)
    return sp.csr_array((values, np.tile(columns, ROWS), starts), (ROWS, COLUMNS))


def run_case(name):
    """Fit once; print the peak above the start as a multiple of X."""
    from sklearn_deep import MLPClassifier

    dtype, sparse, compute, params = CASES[name]
    rng = np.random.default_rng(0)
    net = {"max_epochs": 1, "early_stopping": False, "device": "cpu", **params}
    # A small fit first: libraries, threads and buffers are not the data's.
    small = rng.normal(size=(3000, COLUMNS)).astype(dtype)
    MLPClassifier((32,), **net).fit(small, rng.integers(0, 2, 3000))
    if sparse:
        X = csr(rng, per_row=COLUMNS // 20)
    else:
        X = np.empty((ROWS, COLUMNS), dtype)
        for i in range(0, ROWS, 10_000):
            X[i : i + 10_000] = 10 * rng.normal(size=(10_000, COLUMNS))
    y = rng.integers(0, 2, ROWS)
    before = peak()
    MLPClassifier((32,), **net).fit(X, y)
    size = ROWS * COLUMNS * np.dtype(compute).itemsize
    print(json.dumps((peak() - before) / size))


def main():
    """Print the table and the floor."""
    if len(sys.argv) > 1:
        run_case(sys.argv[1])
        return
    print_versions()
    rows = []
    for name in CASES:
        command = [sys.executable, __file__, name]
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        rows.append([name, json.loads(out)])
    print_table(["X", "peak above the start / X in the compute dtype"], rows)
    worst = max(ratio for _, ratio in rows)
    print(verdict(worst <= 1.1, "X at most once, and the model's own"))


if __name__ == "__main__":
    main()
