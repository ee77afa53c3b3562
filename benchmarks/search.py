"""Time of a grid search with the stacked backend, against its peers and our own default.

80 fits (16 settings, 5 folds) of the same network, batches, epochs and optimizer on the
digits, behind a StandardScaler. First CPU time on one thread, then wall time on all
cores, then memory, and how time grows with the number of fits.

    python benchmarks/search.py [--rounds 2] [--data DIR] [--sections NAME ...] [--device cuda]
"""

import argparse
import os
import subprocess
import sys
import threading
import time
import warnings

import joblib
import numpy as np
import torch
from _common import best_times, print_table, print_versions, verdict
from _search_cases import cases, roofline
from _search_cases import stacked as all_at_once
from _table_cases import search as search_of_tables
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.neural_network import MLPClassifier as SklearnMLP
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetClassifier
from threadpoolctl import threadpool_limits
from torch import nn

from sklearn_deep import MLPClassifier, stacking_report

HIDDEN, N_CLASSES = 100, 10
RATES = [3e-4, 1e-3, 3e-3, 1e-2]
DECAYS = [0.0, 1e-4, 1e-3, 1e-2]
FOLDS = StratifiedKFold(5)

# batch size, epochs, and the floors against hand-written, scikit-learn's and skorch's
SETTINGS = [(32, 10, (0.35, 0.4, 0.12)), (200, 30, (0.75, 0.75, 0.2))]


def data():
    """1,797 rows of 64 columns."""
    X, y = load_digits(return_X_y=True)
    return X.astype("float32"), y


def network():
    """The layers, for those who take a module."""
    return nn.Sequential(nn.Linear(64, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, N_CLASSES))


def hand_written(X, y, batch_size, epochs):
    """What one writes in torch without a framework, fit by fit."""
    for rate in RATES:
        for decay in DECAYS:
            for train, test in FOLDS.split(X, y):
                scaler = StandardScaler().fit(X[train])
                x = torch.from_numpy(scaler.transform(X[train]))
                target = torch.from_numpy(y[train])
                net = network()
                optimizer = torch.optim.AdamW(
                    net.parameters(), rate, weight_decay=decay
                )
                loss_of = nn.CrossEntropyLoss()
                for _ in range(epochs):
                    order = torch.randperm(len(x))
                    total = torch.zeros(())
                    for start in range(0, len(x), batch_size):
                        rows = order[start : start + batch_size]
                        optimizer.zero_grad()
                        loss = loss_of(net(x[rows]), target[rows])
                        loss.backward()
                        optimizer.step()
                        total += loss.detach() * len(rows)
                with torch.no_grad():
                    raw = net(torch.from_numpy(scaler.transform(X[test])))
                (raw.argmax(1).numpy() == y[test]).mean()


def search(net, grid, X, y, n_jobs=None):
    """A grid search over 16 settings of the last step."""
    name = type(net).__name__.lower()
    grid = {f"{name}__{key}": values for key, values in grid.items()}
    pipe = make_pipeline(StandardScaler(), net)
    GridSearchCV(pipe, grid, cv=FOLDS, refit=False, n_jobs=n_jobs).fit(X, y)


def ours(
    X, y, batch_size, epochs, device="cpu", n_jobs=None, rates=RATES, decays=DECAYS
):
    """sklearn_deep, with what the others do not do switched off."""
    net = MLPClassifier(
        (HIDDEN,),
        dropout=0.0,
        optimizer="adamw",
        learning_rate_schedule="constant",
        batch_size=batch_size,
        max_epochs=epochs,
        n_iter_no_change=None,
        early_stopping=False,
        device=device,
        random_state=0,
    )
    search(net, {"learning_rate": rates, "weight_decay": decays}, X, y, n_jobs)


def stacked(X, y, batch_size, epochs, **kwargs):
    """The same, all at once."""
    with joblib.parallel_config(backend="stacked"):
        ours(X, y, batch_size, epochs, **kwargs)


def sklearn_mlp(X, y, batch_size, epochs):
    """scikit-learn's own."""
    net = SklearnMLP(
        (HIDDEN,), batch_size=batch_size, max_iter=epochs, n_iter_no_change=10**6
    )
    search(net, {"learning_rate_init": RATES, "alpha": DECAYS}, X, y)


def skorch(X, y, batch_size, epochs):
    """The library as it comes."""
    net = NeuralNetClassifier(
        network,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.AdamW,
        batch_size=batch_size,
        max_epochs=epochs,
        train_split=None,
        verbose=0,
    )
    search(net, {"lr": RATES, "optimizer__weight_decay": DECAYS}, X, y)


def on_one_thread(rounds):
    """Ratios of CPU time to each peer's."""
    X, y = data()
    torch.set_num_threads(1)
    rows = []
    for batch_size, epochs, _ in SETTINGS:
        peers = {
            "hand-written": hand_written,
            "scikit-learn": sklearn_mlp,
            "skorch": skorch,
            "ours, default": ours,
        }
        contestants = {"stacked": stacked, **peers}
        runs = {
            name: lambda run=run, b=batch_size, e=epochs: run(X, y, b, e)
            for name, run in contestants.items()
        }
        with threadpool_limits(1):
            times = best_times(runs, rounds)
        rows.append([batch_size, *(times["stacked"] / times[name] for name in peers)])
    head = ["batch (CPU time, one thread)", *(f"stacked / {name}" for name in peers)]
    print_table(head, rows)
    for (batch_size, _, floors), (_, *ratios) in zip(SETTINGS, rows, strict=True):
        for name, floor, ratio in zip(peers, (*floors, 1.0), ratios, strict=True):
            print(verdict(ratio <= floor, f"batch {batch_size}: {floor} of {name}"))
    print(flush=True)


def on_all_cores(rounds):
    """Ratios of wall time to our own default backend."""
    X, y = data()
    torch.set_num_threads(joblib.cpu_count())
    rows = []
    for batch_size, epochs, _ in SETTINGS:
        runs = {
            "stacked": lambda b=batch_size, e=epochs: stacked(X, y, b, e),
            "n_jobs=1": lambda b=batch_size, e=epochs: ours(X, y, b, e),
            "n_jobs=-1": lambda b=batch_size, e=epochs: ours(X, y, b, e, n_jobs=-1),
        }
        runs["n_jobs=-1"]()  # its processes are there then
        times = best_times(runs, rounds, time.perf_counter)
        one, every = times["n_jobs=1"], times["n_jobs=-1"]
        rows.append([batch_size, times["stacked"] / one, times["stacked"] / every])
    head = [f"batch (wall time, {joblib.cpu_count()} cores)"]
    print_table([*head, "stacked / n_jobs=1", "stacked / n_jobs=-1"], rows)
    worst = max(ratio for row in rows for ratio in row[1:])
    print(
        verdict(worst <= 1, "never slower than our default backend"), "\n", flush=True
    )


# Where stacking has little to gain: rows, columns, network, and the grid.
EDGES = {
    "3 fits, batch 32": (1800, 64, {"batch_size": 32, "max_epochs": 15}, {}),
    "6 fits of 2 shapes, batch 200": (
        1800,
        64,
        {"batch_size": 200, "max_epochs": 40},
        {"hidden_layer_sizes": [(80,), (100,)]},
    ),
    "6 fits, (512, 512), batch 1024": (
        12000,
        100,
        {"hidden_layer_sizes": (512, 512), "batch_size": 1024, "max_epochs": 2},
        {"learning_rate": [1e-3, 2e-3]},
    ),
    "9 fits, early stopping": (
        3000,
        30,
        {"batch_size": 32, "max_epochs": 40, "early_stopping": True},
        {"learning_rate": [1e-3, 3e-3, 1e-2]},
    ),
}


def edge_search(n, d, settings, grid, n_jobs=None):
    """A grid search over three folds."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d)).astype("float32")
    y = X[:, :10].argmax(1)
    net = MLPClassifier(
        **{"hidden_layer_sizes": (HIDDEN,), "random_state": 0, **settings}
    )
    GridSearchCV(net, grid, cv=3, refit=False, n_jobs=n_jobs).fit(X, y)


def stacked_edge(*case):
    """The same, all at once."""
    with joblib.parallel_config(backend="stacked"):
        edge_search(*case)


def at_the_edges(rounds):
    """Ratios of wall time to our own default backend where there is little to gain."""
    torch.set_num_threads(joblib.cpu_count())
    rows = []
    for name, case in EDGES.items():
        runs = {
            "stacked": lambda c=case: stacked_edge(*c),
            "n_jobs=1": lambda c=case: edge_search(*c),
            "n_jobs=-1": lambda c=case: edge_search(*c, n_jobs=-1),
        }
        runs["n_jobs=-1"]()
        times = best_times(runs, rounds, time.perf_counter)
        one, every = times["n_jobs=1"], times["n_jobs=-1"]
        rows.append([name, times["stacked"] / one, times["stacked"] / every])
    head = [f"wall time, {joblib.cpu_count()} cores"]
    print_table([*head, "stacked / n_jobs=1", "stacked / n_jobs=-1"], rows)


def products_share(rounds):
    """CPU time of 20 fits of the default network against that of their products."""
    table = roofline(rounds)
    head = ["20 fits, (256, 128), batch 256 (CPU s, one thread)", "products", "alone"]
    head += ["stacked", "products' share, alone", "products' share, stacked"]
    print_table(head, table)
    share = table[0][-1]
    print(verdict(share >= 0.8, "float32: products are .80 of the stacked time"), "\n")


def against_processes(rounds, data):
    """Ratios of wall time to our own default backend on ordinary searches."""
    torch.set_num_threads(joblib.cpu_count())
    rows = []
    for name, run in cases(data).items():
        runs = {
            "stacked": lambda run=run: all_at_once(run),
            "n_jobs=1": run,
            "n_jobs=-1": lambda run=run: run(n_jobs=-1),
        }
        runs["n_jobs=-1"]()
        times = best_times(runs, rounds, time.perf_counter)
        report = stacking_report()
        stacks = ", ".join(map(str, sorted(report.stacks, reverse=True))) or "none"
        alone = ", ".join(f"{n} {reason}" for reason, n in report.alone.items())
        ratios = [times["stacked"] / times[peer] for peer in ("n_jobs=1", "n_jobs=-1")]
        rows.append([name, times["stacked"], *ratios, stacks, alone or "none"])
    cores = f"wall time, {joblib.cpu_count()} cores"
    head = [cores, "stacked, s", "/ n_jobs=1", "/ n_jobs=-1", "stacks", "alone"]
    print_table(head, rows)
    worst = max(ratio for row in rows for ratio in row[2:4])
    print(verdict(worst <= 1, "never slower than our default backend"), "\n")


# Rows of the table, and networks of an ensemble.
TABLE_SIZES = [(2000, 1), (500, 8), (2000, 8)]


def on_tables(rounds):
    """20 settings of an ensemble for tables: seconds of one stacked search and of 20 fits."""
    rows = []
    for size in TABLE_SIZES:
        runs = {
            "alone": lambda size=size: search_of_tables(*size),
            "stacked": lambda size=size: all_at_once(lambda: search_of_tables(*size)),
        }
        torch.set_num_threads(1)
        with threadpool_limits(1):
            cpu = best_times(runs, rounds)
        torch.set_num_threads(joblib.cpu_count())
        runs["n_jobs=-1"] = lambda size=size: search_of_tables(*size, n_jobs=-1)
        runs["n_jobs=-1"]()
        wall = best_times(runs, rounds, time.perf_counter)
        ratios = [wall["stacked"] / wall[name] for name in ("alone", "n_jobs=-1")]
        ratio = cpu["stacked"] / cpu["alone"]
        rows.append(
            [f"{size[0]:,}", size[1], *cpu.values(), ratio, *wall.values(), *ratios]
        )
    head = ["rows", "networks", "alone, CPU s", "stacked, CPU s", "stacked / alone"]
    head += ["alone, wall s", "stacked, wall s", "n_jobs=-1, wall s"]
    print_table([*head, "stacked / alone", "stacked / n_jobs=-1"], rows)
    worst = max(row[4] for row in rows)
    print(verdict(worst <= 1, "no more CPU time than the fits alone"), "\n")


def growth():
    """CPU time a fit as the number of fits grows."""
    X, y = data()
    torch.set_num_threads(1)
    rows, first = [], None
    for n_fits in (10, 100, 1000):
        rates = np.geomspace(1e-4, 1e-2, n_fits // 10).tolist()
        times = best_times(
            {"": lambda r=rates: stacked(X, y, 32, 5, rates=r, decays=DECAYS[:2])}, 2
        )
        each = times[""] / n_fits
        first = first or each
        widths = stacking_report().stacks
        rows.append([n_fits, f"{len(widths)} of up to {max(widths)}", each / first])
    print_table(["fits", "stacks", "CPU time a fit / that of 10"], rows)


PEAK = """
import resource, sys
sys.path.insert(0, {folder!r})
import search
X, y = search.data()
search.ours(X[:200], y[:200], 32, 1)
start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
search.{run}(X.repeat({copies}, 0), y.repeat({copies}), 256, 1)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start) * 1024)
"""


def memory():
    """Peak memory above the start, in copies of X."""
    X, _ = data()
    copies = 20
    size = X.nbytes * copies
    folder = os.path.dirname(os.path.abspath(__file__))
    rows = []
    for run in ("ours", "stacked"):
        code = PEAK.format(folder=folder, run=run, copies=copies)
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        rows.append([run, int(done.stdout) / size])
    print_table(["80 fits of 35,940 rows", "peak above the start / X"], rows)


GATE = threading.Lock()


class Gated(MLPClassifier):
    """A network whose fits share a lock: no two of them train at a time."""

    def fit(self, X, y):
        """Fit under the lock."""
        with GATE:
            return super().fit(X, y)


def lock():
    """Wall time of 20 fits behind one lock, of which a stack has to do without others."""
    X, y = data()
    net = Gated((50,), max_epochs=10, early_stopping=False, random_state=0)
    rows = []
    for backend in ("sequential", "stacked"):
        start = time.perf_counter()
        with joblib.parallel_config(backend=backend):
            scores = cross_val_score(net, X, y, cv=20)
        rows.append([backend, time.perf_counter() - start, scores.mean()])
    print_table(["20 fits behind one lock", "seconds", "mean accuracy"], rows)
    met = stacking_report().met_early
    print(
        verdict(rows[0][2] == rows[1][2], f"ends, with equal scores; met early {met}")
    )


FOLDS_PEAK = """
import resource, sys
sys.path.insert(0, {folder!r})
import joblib, numpy as np, search
X = np.random.default_rng(0).normal(size=(250_000, 100))
y = (X[:, 0] > 0).astype(int)
search.folds_search(X[:500], y[:500])
start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with joblib.parallel_config(backend={backend!r}):
    search.folds_search(X, y)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start) * 1024 / X.nbytes)
"""


def folds_search(X, y):
    """40 fits of a network without a transformer."""
    net = MLPClassifier(
        (16,), max_epochs=1, batch_size=2048, early_stopping=False, random_state=0
    )
    grid = {"learning_rate": np.geomspace(1e-4, 1e-2, 8).tolist()}
    GridSearchCV(net, grid, cv=5, refit=False, n_jobs=None).fit(X, y)


def memory_of_folds():
    """Peak memory above the start of fits that read X itself, in copies of X."""
    folder = os.path.dirname(os.path.abspath(__file__))
    rows = []
    for name, backend in (("ours", "sequential"), ("stacked", "stacked")):
        code = FOLDS_PEAK.format(folder=folder, backend=backend)
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        rows.append([name, float(done.stdout)])
    print_table(
        ["40 fits on 200 MB of X, no transformer", "peak above the start / X"], rows
    )
    print(verdict(rows[-1][1] <= 1.6, "at most 1.6 X without a transformer"))


def on_device(device, rounds):
    """Wall time of 100 fits on an accelerator, against one after the other."""
    X, y = data()
    rates = np.geomspace(1e-4, 1e-2, 5).tolist()
    rows = []
    for batch_size, _, _ in SETTINGS:
        runs = {
            name: lambda run=run, b=batch_size: run(
                X, y, b, 5, device=device, rates=rates
            )
            for name, run in (("stacked", stacked), ("sequential", ours))
        }
        runs["stacked"]()
        times = best_times(runs, rounds, time.perf_counter)
        rows.append([batch_size, times["stacked"] / times["sequential"]])
    print_table(
        [f"batch (wall time, {device}, 100 fits)", "stacked / sequential"], rows
    )
    worst = max(ratio for _, ratio in rows)
    print(verdict(worst <= 0.05, "at most 0.05 of sequential"))


def main():
    """Print the tables and the floors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--data", help="folder of the data sets, for adult")
    parser.add_argument("--sections", nargs="*", help="names of some of the tables")
    args = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    print_versions()
    if args.device != "cpu":
        on_device(args.device, args.rounds)
        return
    sections = {
        "threads": lambda: on_one_thread(args.rounds),
        "cores": lambda: on_all_cores(args.rounds),
        "edges": lambda: at_the_edges(args.rounds),
        "roofline": lambda: products_share(args.rounds),
        "cases": lambda: against_processes(args.rounds, args.data),
        "tables": lambda: on_tables(args.rounds),
        "growth": growth,
        "memory": memory,
        "folds": memory_of_folds,
        "lock": lock,
    }
    for name in args.sections or sections:
        sections[name]()


if __name__ == "__main__":
    main()
