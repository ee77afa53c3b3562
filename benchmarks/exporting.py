"""Export: seconds, size of the file, and predictions a second from it.

Networks of 100 and of three times 512 hidden units. Predictions: onnxruntime on our file,
our own ``predict_proba``, and onnxruntime on scikit-learn's MLP of the same size as
skl2onnx converts it; one thread.

    python benchmarks/exporting.py [--dtype float64]
"""

import argparse
import time
import warnings

import numpy as np
import onnxruntime
import skl2onnx
import torch
from _common import best_times, print_table, print_versions, verdict
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier as SklearnMLP
from threadpoolctl import threadpool_limits

from sklearn_deep import MLPClassifier, to_onnx

NETWORKS = {"100": (100,), "512 x 3": (512, 512, 512)}
# rows, repetitions in a round
SIZES = [(1, 500), (32, 300), (1000, 20), (100_000, 1)]
LIBRARIES = ("skl2onnx", "onnx", "onnxruntime")


def session(model):
    """Open a model on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def fitted(hidden, X, y):
    """Our network and scikit-learn's, barely trained: it does not matter here."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    ours = MLPClassifier(hidden, activation="relu", max_epochs=1, device="cpu")
    return ours.fit(X, y), SklearnMLP(hidden, max_iter=1).fit(X, y)


def export_row(name, network, X, rounds):
    """Seconds of an export, and the size of its file against the raw weights."""
    seconds = best_times(
        {"export": lambda: to_onnx(network, X[:100])}, rounds, clock=time.perf_counter
    )["export"]
    size = len(to_onnx(network, X[:100]).to_bytes())
    weights = sum(p.numel() * p.element_size() for p in network.module_.parameters())
    return [name, f"{1000 * seconds:.1f}", f"{size / 1024:.1f}", size / weights]


def speed_rows(name, network, peer, X, rounds):
    """Predictions a second of each contestant."""
    ours = session(to_onnx(network, X[:100]).model)
    theirs = session(skl2onnx.to_onnx(peer, X[:1], options={"zipmap": False}))
    contestants = {
        "onnxruntime": lambda rows: ours.run(["probabilities"], {"X": rows}),
        "predict_proba": network.predict_proba,
        "scikit-learn's": lambda rows: theirs.run(["probabilities"], {"X": rows}),
    }
    for n, repetitions in SIZES:
        times = best_times(
            {
                key: lambda run=run, rows=X[:n], times=repetitions: [
                    run(rows) for _ in range(times)
                ]
                for key, run in contestants.items()
            },
            rounds,
        )
        rates = {key: n * repetitions / t for key, t in times.items()}
        yield [
            name,
            f"{n:,}",
            *(f"{rate:,.0f}" for rate in rates.values()),
            rates["onnxruntime"] / rates["predict_proba"],
            rates["onnxruntime"] / rates["scikit-learn's"],
        ]


def main():
    """Print the tables and the floor."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    torch.set_num_threads(1)
    print_versions(LIBRARIES)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(max(n for n, _ in SIZES), 64)).astype(args.dtype)
    y = rng.integers(0, 10, len(X))
    with threadpool_limits(1):
        nets = {
            name: fitted(hidden, X[:2000], y[:2000])
            for name, hidden in NETWORKS.items()
        }
        exports = [
            export_row(name, ours, X, args.rounds) for name, (ours, _) in nets.items()
        ]
        print_table(
            [f"hidden ({args.dtype})", "export, ms", "file, KiB", "file / weights"],
            exports,
        )
        speeds = [
            row
            for name, (ours, peer) in nets.items()
            for row in speed_rows(name, ours, peer, X, args.rounds)
        ]
    print_table(
        [
            f"hidden ({args.dtype})",
            "rows",
            "onnxruntime, rows/s",
            "predict_proba, rows/s",
            "scikit-learn's by skl2onnx, rows/s",
            "onnxruntime / predict_proba",
            "ours / scikit-learn's",
        ],
        speeds,
    )
    slowest = max(float(row[1]) for row in exports)
    print(verdict(slowest < 200, "an export below 0.2 s, once skl2onnx is imported"))


if __name__ == "__main__":
    main()
