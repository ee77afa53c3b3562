"""Time of a prediction against scikit-learn's MLP and skorch.

1, 1,000 and 100,000 rows of 64 columns through 100 hidden units, 10 classes; one
thread. With ``--tables``, a frame of 14 columns through the default ensemble for tables,
in Python and from its ONNX file, beside HistGradientBoosting.

    python benchmarks/predict.py [--dtype float64] [--tables]
"""

import argparse
import time
import warnings

import numpy as np
import torch
from _common import best_times, print_table, print_versions, verdict
from _table_cases import frame
from fit import network
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier as SklearnMLP
from skorch import NeuralNetClassifier
from threadpoolctl import threadpool_limits

from sklearn_deep import MLPClassifier, OnnxClassifier, TabularClassifier, to_onnx

# rows, repetitions in a round
SIZES = [(1, 300), (1000, 40), (100_000, 2)]
METHODS = ("predict", "predict_proba")
# The same of a table
TABLE_SIZES = [(1, 50), (1000, 10), (100_000, 1)]


def fitted(X, y):
    """The contestants, barely trained: it does not matter to their speed."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    nets = {
        "ours": MLPClassifier(
            (100,), activation="relu", dropout=0.0, max_epochs=2, device="cpu"
        ),
        "scikit-learn": SklearnMLP((100,), max_iter=2),
    }
    if X.dtype == np.float32:
        module = network(X.shape[1], (100,), torch.float32)
        criterion = torch.nn.CrossEntropyLoss
        nets["skorch"] = NeuralNetClassifier(
            module, criterion=criterion, max_epochs=1, verbose=0
        )
    return {name: net.fit(X, y) for name, net in nets.items()}


def measure(nets, method, X, repetitions, rounds):
    """Ratios of our time to each other contestant's."""

    def run(net):
        predict = getattr(net, method)
        for _ in range(repetitions):
            predict(X)

    runs = {name: lambda net=net: run(net) for name, net in nets.items()}
    times = best_times(runs, rounds, clock=time.process_time)
    return {k: times["ours"] / v for k, v in times.items() if k != "ours"}


def with_categories(X):
    """Text as categories, which boosting needs."""
    texts = X.select_dtypes(exclude="number").columns
    return X.astype(dict.fromkeys(texts, "category"))


def of_tables(rounds):
    """Milliseconds of ``predict_proba`` of a frame, one thread."""
    X, y = frame(max(n for n, _ in TABLE_SIZES))
    typed = with_categories(X)
    net = TabularClassifier(random_state=0).fit(X[:2000], y[:2000])
    boosting = HistGradientBoostingClassifier(random_state=0)
    boosting.fit(typed[:2000], y[:2000])
    opened = OnnxClassifier(to_onnx(net, X[:2000]).to_bytes(), n_threads=1)
    rows = []
    for n, repetitions in TABLE_SIZES:
        contestants = {
            "Python": (net, X[:n]),
            "onnxruntime": (opened, X[:n]),
            "HistGradientBoosting": (boosting, typed[:n]),
        }
        runs = {
            name: lambda model=model, some=some, times=repetitions: [
                model.predict_proba(some) for _ in range(times)
            ]
            for name, (model, some) in contestants.items()
        }
        times = best_times(runs, rounds, clock=time.process_time)
        each = [1000 * seconds / repetitions for seconds in times.values()]
        rows.append([f"{n:,}", *each, each[1] / each[0], each[1] / each[2]])
    ratios = ["onnxruntime / Python", "onnxruntime / HistGradientBoosting"]
    head = [f"{name}, ms" for name in contestants]
    print_table(["rows of 14 columns", *head, *ratios], rows)
    slowest = max(row[4] for row in rows)
    print(verdict(slowest <= 1, "onnxruntime is never slower than Python"))


def main():
    """Print the table and the floors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--tables", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    print_versions(("onnxruntime",) if args.tables else ())
    if args.tables:
        with threadpool_limits(1):
            of_tables(args.rounds)
        return
    rng = np.random.default_rng(0)
    X = rng.normal(size=(max(n for n, _ in SIZES), 64)).astype(args.dtype)
    y = rng.integers(0, 10, len(X))
    with threadpool_limits(1):
        nets = fitted(X[:2000], y[:2000])
        ratios = {
            (n, method): measure(nets, method, X[:n], repetitions, args.rounds)
            for n, repetitions in SIZES
            for method in METHODS
        }
    names = [name for name in nets if name != "ours"]
    print_table(
        [f"rows ({args.dtype})", "method", *(f"ours / {name}" for name in names)],
        [[f"{n:,}", method, *r.values()] for (n, method), r in ratios.items()],
    )
    one = max(r["scikit-learn"] for (n, _), r in ratios.items() if n == 1)
    many = max(r["scikit-learn"] for (n, _), r in ratios.items() if n > 1)
    print(verdict(many <= 1, "never slower than scikit-learn at 1,000 rows and more"))
    print(verdict(one <= 3, "at most 3 times scikit-learn for a single row"))


if __name__ == "__main__":
    main()
